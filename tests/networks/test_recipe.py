"""Recipes: the learning rate of each step by hand, ranges, and fields from the command line."""

from __future__ import annotations

import math

import pytest

from archpredict.errors import UnknownNameError, UsageError
from archpredict.networks.recipe import Recipe


def test_the_learning_rate_falls_as_half_a_cosine_from_the_highest_to_almost_0() -> None:
    recipe = Recipe(epochs=2, learning_rate=0.4)
    rates = [recipe.rate(step, 2) for step in range(4)]
    root = math.sqrt(0.5)
    assert rates == pytest.approx([0.4, 0.2 * (1 + root), 0.2, 0.2 * (1 - root)])


def test_a_warm_up_rises_in_equal_steps_to_the_highest_rate_and_the_cosine_takes_the_rest() -> None:
    recipe = Recipe(epochs=3, learning_rate=0.6, warmup=1)
    rates = [recipe.rate(step, 3) for step in range(9)]
    assert rates[:3] == pytest.approx([0.2, 0.4, 0.6])
    assert rates[3:] == pytest.approx([0.3 * (1 + math.cos(math.pi * t / 6)) for t in range(6)])


def test_drop_path_rises_linearly_from_0_as_in_darts() -> None:
    recipe = Recipe(epochs=4, drop_path=0.2)
    assert [recipe.drop_path_in(epoch) for epoch in range(4)] == pytest.approx([0.0, 0.05, 0.1, 0.15])


def test_numbers_of_the_command_line_become_fields_of_their_types() -> None:
    recipe = Recipe.from_numbers({"epochs": 5.0, "flip": 1.0, "learning_rate": 0.2, "crop": 2.0})
    assert recipe == Recipe(epochs=5, flip=True, learning_rate=0.2, crop=2)
    assert type(recipe.epochs) is int
    assert Recipe(**recipe.describe()) == recipe


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"epochs": 0.0}, "training: epochs is a number above 0, 0 was given"),
        ({"epochs": 1.5}, "training: epochs is a whole number, 1.5 was given"),
        ({"learning_rate": -1.0}, "training: learning_rate is a number above 0, -1 was given"),
        ({"momentum": 1.0}, "training: momentum is a number at least 0 and below 1, 1 was given"),
        ({"clip": math.inf}, "training: clip is a number at least 0, inf was given"),
        ({"flip": 2.0}, r"training: flip is 0 \(no\) or 1 \(yes\), 2 was given"),
        ({"epochs": 1.0, "warmup": 2.0}, "warmup is 2 epochs, more than the 1 epochs of the training"),
    ],
)
def test_a_number_out_of_range_is_refused(numbers: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}$"):
        Recipe.from_numbers(numbers)


def test_an_unknown_field_lists_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown training option 'epoch'; choose from: batch_size, clip, .*"):
        Recipe.from_numbers({"epoch": 1.0})
