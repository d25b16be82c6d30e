"""What every regressor keeps to; a new one is tested without being named here."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from archpredict.registry import names, resolve
from archpredict.regressors._trees import Forest
from archpredict.regressors.base import Regressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 5))
Y = X[:, 0] + np.sin(2 * X[:, 1])
NEW = RNG.normal(size=(30, 5))
FAST: dict[str, dict[str, Any]] = {
    "random-forest": {"trees": 20},
    "extra-trees": {"trees": 20},
    "hist-gradient-boosting": {"iterations": 30, "learning_rate": 0.2},
}
EVERY = names("regressors")


def fitted(name: str, seed: int = 0, found: dict[str, Any] | None = None) -> Regressor:
    kind: type[Regressor] = resolve("regressors", name, Regressor)
    model = kind(seed, **FAST.get(name, {}))  # type: ignore[call-arg]
    model.fit(X, Y, found)
    return model


@pytest.mark.parametrize("name", EVERY)
def test_it_learns_and_predicts_one_number_for_each(name: str) -> None:
    model = fitted(name)
    prediction = model.predict(NEW)
    assert prediction.shape == (30,)
    assert prediction.dtype == np.float64
    assert np.corrcoef(prediction, NEW[:, 0] + np.sin(2 * NEW[:, 1]))[0, 1] > 0.7
    assert model.predict(NEW[:0]).shape == (0,)
    assert model.name == name


@pytest.mark.parametrize("name", EVERY)
def test_the_same_seed_gives_exactly_the_same(name: str) -> None:
    one, two = fitted(name, 3), fitted(name, 3)
    assert one.predict(NEW).tolist() == two.predict(NEW).tolist()


@pytest.mark.parametrize("name", ["random-forest", "extra-trees", "hist-gradient-boosting"])
def test_another_seed_gives_other_trees(name: str) -> None:
    assert fitted(name, 3).predict(NEW).tolist() != fitted(name, 4).predict(NEW).tolist()


@pytest.mark.parametrize("name", EVERY)
def test_seeds_that_fit_no_32_bits_are_taken(name: str) -> None:
    assert np.isfinite(fitted(name, 2**62).predict(NEW)).all()


@pytest.mark.parametrize("name", EVERY)
def test_a_refit_with_what_was_found_is_the_same_model(name: str) -> None:
    model = fitted(name)
    again = fitted(name, found=json.loads(json.dumps(model.found())))
    np.testing.assert_allclose(again.predict(NEW), model.predict(NEW), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_a_prediction_does_not_depend_on_what_else_is_asked(name: str) -> None:
    model = fitted(name)
    alone = np.concatenate([model.predict(NEW[i : i + 1]) for i in range(len(NEW))])
    np.testing.assert_allclose(alone, model.predict(NEW), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_standard_deviations_are_not_negative_or_there_are_none(name: str) -> None:
    model = fitted(name)
    std = model.std(NEW)
    if type(model).std is Regressor.std:
        assert std is None
        return
    assert std is not None
    assert std.shape == (30,)
    assert (std >= 0).all()
    assert std.max() > 0
    empty = model.std(NEW[:0])
    assert empty is not None
    assert empty.shape == (0,)


@pytest.mark.parametrize("name", ["random-forest", "extra-trees"])
def test_the_deviation_of_a_forest_is_that_of_its_trees(name: str) -> None:
    model = fitted(name)
    assert isinstance(model, Forest)
    trees = np.stack([tree.predict(NEW) for tree in model._model.estimators_])
    assert len(trees) == 20
    np.testing.assert_allclose(model.std(NEW), trees.std(axis=0))
    np.testing.assert_allclose(model.predict(NEW), trees.mean(axis=0))


def test_the_fully_grown_trees_of_extra_trees_agree_on_the_labels() -> None:
    model = fitted("extra-trees")
    np.testing.assert_allclose(model.predict(X), Y)
    np.testing.assert_allclose(np.asarray(model.std(X)), 0, atol=1e-9)
