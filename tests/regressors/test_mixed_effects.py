"""The mixed model: what is the recipe's, and what the network's."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.regressors.mixed_effects import MixedEffects

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(60, 4))
GOOD = RNG.random(60) < 0.5
X = np.column_stack([NUMBERS, GOOD, ~GOOD])
NAMES = [*(f"network: {i}" for i in range(4)), "recipe: good", "recipe: poor"]


def fitted(y: np.ndarray) -> MixedEffects:
    model = MixedEffects()
    model.name_columns(NAMES)
    model.fit(X, y)
    return model


def test_a_recipe_adds_the_same_to_every_network() -> None:
    model = fitted(NUMBERS[:, 0] + np.where(GOOD, 0.8, -0.8))
    new = RNG.normal(size=(10, 4))
    good, poor = (model.predict(np.column_stack([new, np.full(10, g), np.full(10, not g)])) for g in (True, False))
    np.testing.assert_allclose(good - poor, (good - poor)[0])
    assert 1.0 < (good - poor)[0] < 1.7


def test_a_recipe_without_labels_adds_nothing_and_is_less_sure() -> None:
    model = fitted(NUMBERS[:, 0] + np.where(GOOD, 0.8, -0.8))
    other = np.column_stack([NUMBERS[:5], np.zeros((5, 2))])
    known = X[:5]
    assert (model.std(other) > model.std(known)).all()
    poor, good = (model.predict(np.column_stack([NUMBERS[:5], np.full(5, g), np.full(5, 1 - g)])) for g in (0, 1))
    assert (poor < model.predict(other)).all()
    assert (model.predict(other) < good).all()


def test_without_names_all_columns_are_numbers() -> None:
    model = MixedEffects()
    model.fit(NUMBERS, NUMBERS[:, 0])
    assert np.corrcoef(model.predict(NUMBERS), NUMBERS[:, 0])[0, 1] > 0.9


def test_more_labels_than_are_taken_are_sampled() -> None:
    model = MixedEffects(max_labels=20)
    model.name_columns(NAMES)
    model.fit(X, NUMBERS[:, 0])
    assert model.state()[1]["x"].shape == (20, 6)


@pytest.mark.parametrize("name", ["length", "noise", "effect"])
def test_variances_and_lengths_are_above_0(name: str) -> None:
    with pytest.raises(UsageError, match="length, noise and effect are finite and above 0"):
        MixedEffects(**{name: 0.0})
