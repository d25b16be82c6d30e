"""Gaussian process: scikit-learn's own with the kernel found, uncertainty, and what is saved of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from archpredict._typing import FloatArray
from archpredict.errors import UnknownNameError
from archpredict.regressors.base import Values
from archpredict.regressors.gaussian_process import GaussianProcess, Laplacian

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = np.sin(X[:, 0]) + 0.5 * X[:, 1] + 0.1 * RNG.normal(size=60)
NEW = RNG.normal(size=(25, 4))


def found(model: GaussianProcess) -> Values:
    return model.state()[0]


@pytest.fixture(scope="module")
def fitted() -> GaussianProcess:
    model = GaussianProcess()
    model.fit(X, Y)
    return model


def test_it_predicts_what_scikit_learn_predicts_with_the_kernel_found(fitted: GaussianProcess) -> None:
    best = found(fitted)
    kernel = ConstantKernel(best["amplitude"]) * Matern(best["length"], nu=2.5) + WhiteKernel(best["noise"])
    mean, std = GaussianProcessRegressor(kernel, optimizer=None).fit(X, Y).predict(NEW, return_std=True)
    np.testing.assert_allclose(fitted.predict(NEW), mean, atol=1e-10)
    np.testing.assert_allclose(fitted.std(NEW), std, atol=1e-10)


def test_the_mean_is_equation_2_25_with_the_matern_kernel(fitted: GaussianProcess) -> None:
    best = found(fitted)

    def k(a: FloatArray, b: FloatArray) -> FloatArray:
        r = np.sqrt(5) * np.linalg.norm(a[:, None] - b[None, :], axis=-1) / best["length"]
        return np.asarray(best["amplitude"] * (1 + r + r**2 / 3) * np.exp(-r))

    noisy = k(X, X) + (best["noise"] + 1e-10) * np.eye(len(X))
    np.testing.assert_allclose(fitted.predict(NEW), k(NEW, X) @ np.linalg.solve(noisy, Y), atol=1e-8)


def test_the_kernel_found_is_no_less_likely_than_its_neighbours(fitted: GaussianProcess) -> None:
    best = fitted._model.log_marginal_likelihood(fitted._model.kernel_.theta)
    for shift in np.vstack([np.eye(3), -np.eye(3)]) * 0.3:
        assert fitted._model.log_marginal_likelihood(fitted._model.kernel_.theta + shift) <= best + 1e-6


def test_numbers_are_saved_in_single_precision_where_that_loses_nothing(fitted: GaussianProcess) -> None:
    assert fitted.state()[1]["x"].dtype == np.float64
    single = GaussianProcess()
    single.fit(X.astype(np.float32).astype(np.float64), Y)
    assert single.state()[1]["x"].dtype == np.float32


def test_the_laplacian_predicts_by_sums_of_absolute_differences() -> None:
    model = GaussianProcess(kernel="laplacian")
    model.fit(X, Y)
    best = found(model)

    def k(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.asarray(best["amplitude"] * np.exp(-np.abs(a[:, None] - b[None, :]).sum(-1) / best["length"]))

    noisy = k(X, X) + (best["noise"] + 1e-10) * np.eye(len(X))
    np.testing.assert_allclose(model.predict(NEW), k(NEW, X) @ np.linalg.solve(noisy, Y), atol=1e-8)
    shrinkage = (k(NEW, X) * np.linalg.solve(noisy, k(X, NEW)).T).sum(axis=1)
    np.testing.assert_allclose(model.std(NEW) ** 2, best["amplitude"] + best["noise"] - shrinkage, atol=1e-8)


def test_the_gradient_of_the_laplacian_is_that_by_the_logarithm_of_its_length() -> None:
    kernel, step = Laplacian(3.0), 1e-6
    _, gradient = kernel(X, eval_gradient=True)
    up, down = (kernel.clone_with_theta(kernel.theta + shift)(X) for shift in (step, -step))
    np.testing.assert_allclose(gradient[:, :, 0], (up - down) / (2 * step), atol=1e-8)


def test_a_restored_process_has_the_kernel_that_was_found_and_its_bounds_are_kept() -> None:
    model, again = (GaussianProcess(kernel="laplacian") for _ in range(2))
    model.fit(X, Y)
    values, arrays = model.state()
    again.restore(json.loads(json.dumps(values)), arrays, 4)
    assert again.predict(NEW).tolist() == model.predict(NEW).tolist()
    with pytest.raises(ValueError, match="on 60 labels is given, its max_labels is 59"):
        GaussianProcess(max_labels=59).restore(values, arrays, 4)
    with pytest.raises(ValueError, match="has a positive amplitude, length and noise"):
        GaussianProcess().restore({**values, "length": -1.0}, arrays, 4)
    with pytest.raises(UnknownNameError, match="unknown kernel 'rbf'; choose from: laplacian, matern"):
        GaussianProcess(kernel="rbf")  # type: ignore[arg-type]


def test_it_is_less_certain_far_from_the_labels(fitted: GaussianProcess) -> None:
    near, far = fitted.std(X), fitted.std(X + 100)
    assert (near > 0).all()
    assert far.min() > near.max()
    np.testing.assert_allclose(far, np.sqrt(found(fitted)["amplitude"] + found(fitted)["noise"]), rtol=1e-6)


def test_of_too_many_labels_a_part_chosen_by_the_seed_is_used() -> None:
    def model(seed: int, most: int) -> FloatArray:
        made = GaussianProcess(seed, max_labels=most)
        made.fit(X, Y)
        assert len(made._model.X_train_) == min(most, len(X))
        return made.predict(NEW)

    assert model(0, 20).tolist() == model(0, 20).tolist()
    assert model(0, 20).tolist() != model(1, 20).tolist()
    assert model(0, 60).tolist() == model(1, 10_000).tolist()


def test_predictions_in_pieces_are_those_of_the_whole(fitted: GaussianProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    mean, std = fitted.predict(NEW), fitted.std(NEW)
    monkeypatch.setattr("archpredict.regressors.gaussian_process._CHUNK", 7)
    np.testing.assert_allclose(fitted.predict(NEW), mean, atol=1e-12)
    np.testing.assert_allclose(fitted.std(NEW), std, atol=1e-9)
    assert fitted.predict(NEW[:0]).shape == fitted.std(NEW[:0]).shape == (0,)


def test_columns_without_information_do_not_stop_it() -> None:
    model = GaussianProcess()
    model.fit(np.zeros((5, 3)), np.arange(5.0) - 2)
    np.testing.assert_allclose(model.predict(np.ones((2, 3)) * 0), 0, atol=1e-6)
