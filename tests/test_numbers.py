"""Whole numbers: whatever takes one refuses fractions, texts and truth values in one sentence, and cuts nothing off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archpredict import load_space, search
from archpredict.errors import UsageError, integer, whole_number
from archpredict.graph.builder import Builder
from archpredict.networks.form import Form
from archpredict.registry import names
from archpredict.testing.toys import ToyEvaluator, ToySpace

WRONG: list[Any] = [2.5, 2.0, "3", True, np.True_, np.float64(3), None, [3], 1j]
WITH_NETWORKS = [name for name in names("spaces") if "channels" in load_space(name).network.__annotations__]


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_integers_of_numpy_are_integers(value: Any) -> None:
    assert integer(value) == whole_number("n", value, 1) == 3
    assert type(integer(value)) is int


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_what_is_no_integer_is_refused(value: Any) -> None:
    assert integer(value) is None
    with pytest.raises(UsageError, match=r"^n is an integer of at least 1, .* was given$"):
        whole_number("n", value, 1)


def test_a_number_that_is_too_small_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^the seed is an integer of at least 0, -1 was given$"):
        whole_number("the seed", -1, 0)


@pytest.mark.parametrize("value", [2.5, "3", True], ids=repr)
@pytest.mark.parametrize("name", ["seed", "budget", "top", "jobs"])
def test_the_numbers_of_a_search_are_not_cut(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"is an integer of at least [01], {value!r} was given"):
        search(ToySpace(), ToyEvaluator(), strategy="random", **{"budget": 4, name: value})


@pytest.mark.parametrize("value", [2.5, 4.0, "4", True], ids=repr)
@pytest.mark.parametrize("name", ["num_classes", "image_size", "image_channels"])
def test_the_numbers_of_a_form_are_not_cut(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name} is an integer of at least 1, {value!r} was given"):
        Form(**{name: value})
    if value is not True:
        with pytest.raises(UsageError, match=f"network: channels is a whole number, {value!r} was given"):
            Form(options={"channels": value})


@pytest.mark.parametrize("value", [2.5, 8.0, "8", True, 0], ids=repr)
@pytest.mark.parametrize("name", WITH_NETWORKS)
def test_the_width_of_a_network_is_not_cut(name: str, value: Any) -> None:
    space = load_space(name)
    choices = space.sample(1, np.random.default_rng(0))[0].tolist()
    if type(space).network.__qualname__.startswith("SearchSpace"):
        pytest.skip("it defines no networks")
    with pytest.raises(UsageError, match=f"channels is an integer of at least 1, {value!r} was given"):
        space.network(choices, channels=value)
    with pytest.raises(UsageError, match="an image has channels, height and width of at least 1"):
        space.network(choices, image_channels=value)


def test_layers_of_a_fraction_of_a_channel_are_refused() -> None:
    b = Builder((3, 8, 8))
    x = b.input()
    with pytest.raises(UsageError, match=r"channels is an integer of at least 1, 2.5 was given"):
        b.conv(x, 2.5, 3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"a linear layer gives at least 1 number, 2.5 were asked for"):
        b.linear(x, 2.5)  # type: ignore[arg-type]
    assert b.channels(b.conv(x, np.int64(4), np.int64(3))) == 4  # type: ignore[arg-type]
