"""What every regressor keeps to; a new one is tested without being named here."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import BayesianRidge

from archpredict._typing import FloatArray
from archpredict.registry import names, resolve
from archpredict.regressors.base import Regressor

RNG = np.random.default_rng(0)


def numbers(rows: int) -> FloatArray:
    """In single precision, as predictors give them."""
    return np.asarray(RNG.normal(size=(rows, 5)).astype(np.float32), dtype=np.float64)


X = numbers(80)
Y = X[:, 0] + np.sin(2 * X[:, 1])
NEW = numbers(30)
FAST: dict[str, dict[str, Any]] = {
    "random-forest": {"trees": 20},
    "extra-trees": {"trees": 20},
    "hist-gradient-boosting": {"iterations": 30, "learning_rate": 0.2},
}
EVERY = names("regressors")


def unfitted(name: str, seed: int = 0) -> Regressor:
    kind: type[Regressor] = resolve("regressors", name, Regressor)
    return kind(seed, **FAST.get(name, {}))  # type: ignore[call-arg]


def fitted(name: str, seed: int = 0) -> Regressor:
    model = unfitted(name, seed)
    model.fit(X, Y)
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
def test_what_is_restored_from_json_and_arrays_predicts_exactly_the_same(name: str) -> None:
    model, again = fitted(name), unfitted(name, seed=9)
    values, arrays = model.state()
    again.restore(json.loads(json.dumps(values)), dict(arrays), X.shape[1])
    assert again.predict(NEW).tolist() == model.predict(NEW).tolist()
    if model.std(NEW) is not None:
        assert np.asarray(again.std(NEW)).tolist() == np.asarray(model.std(NEW)).tolist()
    values_again, arrays_again = again.state()
    assert values_again == values
    for key, array in arrays.items():
        assert arrays_again[key].dtype == array.dtype
        np.testing.assert_array_equal(arrays_again[key], array)


@pytest.mark.parametrize("name", EVERY)
def test_a_state_of_other_numbers_or_with_parts_missing_is_refused(name: str) -> None:
    values, arrays = fitted(name).state()
    with pytest.raises(ValueError, match=r"read column 4, there are 4|arrays of floating-point numbers"):
        unfitted(name).restore(values, arrays, X.shape[1] - 1)
    for key in arrays:
        less = {k: v for k, v in arrays.items() if k != key}
        with pytest.raises((ValueError, KeyError)):
            unfitted(name).restore(values, less, X.shape[1])
        with pytest.raises((ValueError, IndexError)):
            unfitted(name).restore(values, {**arrays, key: arrays[key][:-1]}, X.shape[1])
    for key in values:
        for bad in (float("nan"), float("inf")):
            with pytest.raises(ValueError, match="is given"):
                unfitted(name).restore({**values, key: bad}, arrays, X.shape[1])


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


@pytest.mark.parametrize(
    ("name", "kind"), [("random-forest", RandomForestRegressor), ("extra-trees", ExtraTreesRegressor)]
)
def test_a_forest_is_scikit_learns_and_its_deviation_that_of_its_trees(name: str, kind: Any) -> None:
    model = fitted(name)
    theirs = kind(n_estimators=20, max_features=0.33, random_state=0).fit(X, Y)
    trees = np.stack([tree.predict(NEW) for tree in theirs.estimators_])
    np.testing.assert_allclose(model.predict(NEW), theirs.predict(NEW), rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.std(NEW), trees.std(axis=0), rtol=0, atol=1e-12)


def test_gradient_boosting_is_scikit_learns() -> None:
    theirs = HistGradientBoostingRegressor(
        max_iter=30,
        learning_rate=0.2,
        max_leaf_nodes=6,
        min_samples_leaf=3,
        max_features=0.2,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    ).fit(X, Y)
    np.testing.assert_allclose(fitted("hist-gradient-boosting").predict(NEW), theirs.predict(NEW), rtol=0, atol=1e-12)


def test_bayesian_ridge_is_scikit_learns() -> None:
    mean, std = BayesianRidge().fit(X + 3, Y).predict(NEW, return_std=True)
    model = unfitted("bayesian-ridge")
    model.fit(X + 3, Y)
    np.testing.assert_allclose(model.predict(NEW), mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.std(NEW), std, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [6, len(X)])
def test_bayesian_ridge_on_fewer_labels_than_columns_is_the_posterior_of_all_columns(n: int) -> None:
    rng = np.random.default_rng(1)
    x, new = rng.normal(size=(n, 2 * len(X))) + 3, rng.normal(size=(5, 2 * len(X)))
    theirs, model = BayesianRidge().fit(x, Y[:n]), unfitted("bayesian-ridge")
    model.fit(x, Y[:n])
    np.testing.assert_allclose(model.predict(new), theirs.predict(new), rtol=0, atol=1e-9)
    centered = x - x.mean(axis=0)
    precision = theirs.alpha_ * centered.T @ centered + theirs.lambda_ * np.eye(x.shape[1])
    apart = new - x.mean(axis=0)
    variance = (apart * np.linalg.solve(precision, apart.T).T).sum(axis=1) + 1 / theirs.alpha_
    np.testing.assert_allclose(model.std(new), np.sqrt(variance), rtol=1e-6)


def test_bayesian_ridge_keeps_no_more_than_its_labels_tell() -> None:
    x, new = X.reshape(8, 50), 2 * X[30:].reshape(5, 50)
    model, again = unfitted("bayesian-ridge"), unfitted("bayesian-ridge")
    model.fit(x, Y[:8])
    values, arrays = model.state()
    assert sum(array.size for array in arrays.values()) == (8 + 2) * x.shape[1] + 8 * 8
    again.restore(values, arrays, x.shape[1])
    np.testing.assert_array_equal(again.std(new), model.std(new))
    basis = arrays["basis"]
    for bad in (basis[1:], basis[:, 1:], basis[0, 0], basis[..., None]):
        with pytest.raises(ValueError, match="were expected"):
            again.restore(values, {**arrays, "basis": np.asarray(bad)}, x.shape[1])
    with pytest.raises(ValueError, match="is given"):
        again.restore({**values, "prior": -1.0}, arrays, x.shape[1])


def test_gradient_boosting_reads_one_of_the_columns_that_are_alike() -> None:
    model, twice = unfitted("hist-gradient-boosting"), unfitted("hist-gradient-boosting")
    model.fit(X, Y)
    twice.fit(np.hstack([X, X[:, ::-1]]), Y)
    np.testing.assert_array_equal(twice.predict(np.hstack([NEW, 0 * NEW])), model.predict(NEW))


def test_the_fully_grown_trees_of_extra_trees_agree_on_the_labels() -> None:
    model = fitted("extra-trees")
    np.testing.assert_allclose(model.predict(X), Y)
    np.testing.assert_allclose(np.asarray(model.std(X)), 0, atol=1e-9)
