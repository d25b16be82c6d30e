"""What is wrong with a user's space is said before it is searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.registry import names
from archpredict.spaces import check_space
from archpredict.spaces.base import Choices, SearchSpace, load_space
from archpredict.testing.toys import ToySpace


class Chain(SearchSpace):
    name = "chain"
    num_choices = (3, 3, 3)

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        return ArchGraph(ops=tuple("abc"[c] for c in choices), edges=((0, 1), (1, 2)))


def with_(name: str, value: Any) -> SearchSpace:
    space: SearchSpace = type("Broken", (Chain,), {name: value})()
    return space


def raises(error: Exception) -> Callable[..., Any]:
    def method(self: SearchSpace, *arguments: Any) -> Any:
        raise error

    return method


def reversed_parse(self: SearchSpace, text: str) -> Choices:
    return tuple(reversed(Chain.parse(self, text)))


@pytest.mark.parametrize("space", [*names("spaces"), ToySpace, Chain], ids=str)
def test_a_space_without_mistakes_passes(space: Any) -> None:
    check_space(load_space(space))


@pytest.mark.parametrize(
    ("space", "wrong"),
    [
        (with_("name", ""), "it has no name"),
        (with_("num_choices", None), "num_choices is None; expected a tuple of numbers of options"),
        (with_("num_choices", (3, 0, 3)), r"num_choices is \(3, 0, 3\)"),
        (with_("decode", raises(KeyError("op"))), r"KeyError: 'op' \(.*test_check.py, line \d+, in method\)"),
        (with_("decode", lambda self, choices: None), r"of the choices \[.*\], decode\(\) gives NoneType; expected"),
        (with_("decode", lambda self, choices: ArchGraph(("a", "b"), ((1, 0),))), r"edge \(1, 0\) .*in <lambda>\)"),
        (with_("mask", lambda self, prefix: np.ones((1, 9), bool)), r"mask\(\) of 2 prefixes of 0 choices is not"),
        (
            with_("mask", lambda self, prefix: np.full((len(prefix), 3), prefix.shape[1] < 2)),
            r"mask\(\) leaves no option after the choices \[0, 0\]",
        ),
        (
            with_("cost", lambda self, choices: {"watts": float("nan")}),
            "the cost 'watts' is nan; expected a finite number",
        ),
        (with_("format", lambda self, choices: 3), r"format\(\) gives int; expected a text"),
        (with_("parse", reversed_parse), r"format\(\) gives .*, which parse\(\) reads as another architecture"),
    ],
)
def test_a_mistake_is_one_sentence(space: SearchSpace, wrong: str) -> None:
    with pytest.raises(UsageError, match=f"the space Broken cannot be searched: .*{wrong}"):
        check_space(space)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (SearchSpace, "is an abstract class: it does not define decode; define what is missing"),
        (5, "the space given is an object of type int"),
        (lambda: Chain().decode((1, 2)), r"cannot be made: edge .* \(.*test_check.py, line \d+, in decode\)"),
    ],
)
def test_what_cannot_be_made_a_space_is_one_sentence(given: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_space(given)
