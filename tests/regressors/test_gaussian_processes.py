"""Gaussian processes averaged by evidence: each is the textbook's, the average is worth it, means cost nothing."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from archpredict._typing import FloatArray
from archpredict.metrics import kendall_tau
from archpredict.regressors.gaussian_processes import GaussianProcesses
from archpredict.regressors.processes.kernels import Distances, Kernel, kernels, values
from archpredict.regressors.processes.process import Prior, Process
from archpredict.regressors.processes.stacking import stacking_weights

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6))
NEW = RNG.normal(size=(15, 6))
NAMES = [f"{source}: {i}" for i, source in enumerate(("statistics", "statistics", "network", "topology", "choices"))]


def target(x: FloatArray) -> FloatArray:
    return np.asarray(np.sin(x[:, 0]) + 0.5 * x[:, 2])


Y = target(X) + 0.1 * RNG.normal(size=40)


def fitted(x: FloatArray = X, y: FloatArray = Y, names: list[str] | None = None, **options: Any) -> GaussianProcesses:
    model = GaussianProcesses(**options)
    if names is not None:
        model.name_columns(names)
    model.fit(x, y)
    return model


# ---------------------------------------------------------------------- one process


SQUARE = np.exp(-np.linalg.norm(X[:, None] - X, axis=-1))
ACROSS = np.exp(-np.linalg.norm(NEW[:, None] - X, axis=-1))
MEAN, NEW_MEAN = X[:, :1], NEW[:, :1]
NOISE = 0.2


def marginal(prior: Prior) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of the labels, in units of the process's variance, with the mean's factor integrated out."""
    with_mean = prior.mean >= 0
    covariance = SQUARE + NOISE * np.eye(len(X)) + (0.1 * MEAN @ MEAN.T if with_mean else 0)
    return 0.7 * MEAN[:, 0] * with_mean, covariance


@pytest.mark.parametrize("prior", [Prior(-1, NOISE), Prior(0, NOISE)])
def test_evidence_is_that_of_a_multivariate_t_distribution(prior: Prior) -> None:
    from scipy.stats import multivariate_t

    mean, covariance = marginal(prior)
    zero = Process(SQUARE.copy(), mean, MEAN).posteriors([prior]).evidence[0]
    found = Process(SQUARE.copy(), Y, MEAN).posteriors([prior]).evidence[0]
    exact = multivariate_t(mean, covariance / 2, df=4)
    assert found - zero == pytest.approx(exact.logpdf(Y) - exact.logpdf(mean), abs=1e-8)


@pytest.mark.parametrize("prior", [Prior(-1, NOISE), Prior(0, NOISE)])
def test_a_label_left_out_is_predicted_from_all_others_in_closed_form(prior: Prior) -> None:
    mean, covariance = marginal(prior)
    found = Process(SQUARE.copy(), Y, MEAN).posteriors([prior])
    scale = (1 + (Y - mean) @ np.linalg.solve(covariance, Y - mean) / 2) / (2 + len(Y) / 2)
    for i in (0, 7):
        others = np.arange(len(Y)) != i
        weights = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, i])
        assert found.left_out[0, i] == pytest.approx(mean[i] + weights @ (Y - mean)[others], abs=1e-8)
        variance = covariance[i, i] - weights @ covariance[others, i]
        assert found.variance[0, i] == pytest.approx(scale * variance, rel=1e-8)


@pytest.mark.parametrize("prior", [Prior(-1, NOISE), Prior(0, NOISE)])
def test_a_new_label_is_predicted_as_by_the_covariance_with_the_mean_in_it(prior: Prior) -> None:
    mean, covariance = marginal(prior)
    with_mean = prior.mean >= 0
    scale = (1 + (Y - mean) @ np.linalg.solve(covariance, Y - mean) / 2) / (2 + len(Y) / 2)
    cross = ACROSS + (0.1 * NEW_MEAN @ MEAN.T if with_mean else 0)
    itself = 1 + NOISE + (0.1 * NEW_MEAN[:, 0] ** 2 if with_mean else 0)
    expected = 0.7 * NEW_MEAN[:, 0] * with_mean + cross @ np.linalg.solve(covariance, Y - mean)
    variance = scale * (itself - (cross * np.linalg.solve(covariance, cross.T).T).sum(axis=1))
    [said], [sure] = Process(SQUARE.copy(), Y, MEAN).predict(ACROSS, NEW_MEAN, [prior])
    np.testing.assert_allclose(said, expected, atol=1e-8)
    np.testing.assert_allclose(sure, variance, rtol=1e-7)


# ---------------------------------------------------------------------- kernels


@pytest.mark.parametrize("kind", ["matern", "laplacian"])
def test_a_kernel_on_every_set_of_groups_is_symmetric_and_positive(kind: str) -> None:
    rows = {"a": X[:, :2], "b": X[:, 2:]}
    for kernel in kernels(["a", "b"]):
        if kernel.kind == kind:
            matrix = values(kernel, Distances(rows, rows).of(kernel), 1.0)
            np.testing.assert_allclose(matrix, matrix.T)
            np.testing.assert_allclose(np.diag(matrix), 1)
            assert np.linalg.eigvalsh(matrix).min() > 0


def test_a_group_counts_the_same_however_many_columns_it_has() -> None:
    narrow, wide = {"a": X[:, :2], "b": X[:, 2:4]}, {"a": X[:, :2], "b": np.tile(X[:, 2:4], 50)}
    for kind in ("matern", "laplacian"):
        kernel = Kernel(kind, ("a", "b"))
        np.testing.assert_allclose(Distances(wide, wide).of(kernel), Distances(narrow, narrow).of(kernel))


# ---------------------------------------------------------------------- stacking


def test_weights_are_the_posterior_mode_of_the_mixture() -> None:
    rng = np.random.default_rng(1)
    densities = rng.normal(size=(3, 50))
    prior = np.array([0.5, 0.3, 0.2])

    def posterior(weights: FloatArray) -> float:
        mixture = np.log(weights @ np.exp(densities)).sum()
        return float(mixture + 25 * prior @ np.log(weights))

    found = stacking_weights(densities, prior, 25)
    best = posterior(found)
    for _ in range(50):
        assert posterior(rng.dirichlet(100 * found)) <= best + 1e-9


def test_what_labels_do_not_tell_apart_keeps_its_prior_weights() -> None:
    np.testing.assert_allclose(stacking_weights(np.zeros((2, 30)), [0.8, 0.2]), [0.8, 0.2])
    assert stacking_weights(np.array([[0.0] * 30, [5.0] * 30]), [1.0, 0.0]).tolist() == [1.0, 0.0]


# ---------------------------------------------------------------------- the average


def test_it_is_as_good_as_the_group_that_knows_the_labels() -> None:
    rng = np.random.default_rng(2)
    x, new = rng.normal(size=(50, 40)), rng.normal(size=(300, 40))
    names = [f"{'network' if i < 2 else 'statistics'}: {i}" for i in range(40)]

    def label(x: FloatArray) -> FloatArray:
        return np.asarray(np.sin(2 * x[:, 0]) + x[:, 1])

    grouped = fitted(x, label(x), names)
    alone = fitted(x[:, :2], label(x))
    assert kendall_tau(label(new), grouped.predict(new)) > kendall_tau(label(new), alone.predict(new[:, :2])) - 0.03
    assert kendall_tau(label(new), grouped.predict(new)) > kendall_tau(label(new), fitted(x, label(x)).predict(new))


def test_its_standard_deviations_hold_new_labels_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    x, new = rng.normal(size=(80, 6)), rng.normal(size=(500, 6))
    model = fitted(x, target(x) + 0.2 * rng.normal(size=80))
    errors = target(new) + 0.2 * rng.normal(size=500) - model.predict(new)
    assert 0.85 < (np.abs(errors) < norm.ppf(0.95) * model.std(new)).mean() < 0.96


def test_a_mean_that_orders_well_helps_and_one_that_says_nothing_does_not_hurt() -> None:
    rng = np.random.default_rng(4)
    label = rng.normal(size=700)
    x = np.column_stack([rng.normal(size=(700, 5)), label + rng.normal(size=700), rng.normal(size=700)])
    x[:, 0] += 0.7 * label
    plain = [f"statistics: {i}" for i in range(5)]
    tau: dict[str, list[float]] = {"none": [], "good": [], "bad": []}
    for start in range(0, 200, 10):
        few, rest = np.arange(start, start + 10), np.arange(200, 700)
        for name, columns in {"none": [], "good": [5], "bad": [6]}.items():
            read = [*range(5), *columns]
            model = fitted(x[few][:, read], label[few], [*plain, *(f"transfer: {name}" for _ in columns)])
            tau[name].append(kendall_tau(label[rest], model.predict(x[rest][:, read])))
    none, good, bad = (float(np.mean(tau[name])) for name in ("none", "good", "bad"))
    assert good > none + 0.1
    assert bad > none - 0.1
    many, names = np.arange(200), [*plain, "transfer: bad"]
    read = [*range(5), 6]
    with_bad, without = fitted(x[many][:, read], label[many], names), fitted(x[many][:, :5], label[many], plain)
    rest = np.arange(200, 700)
    without_mean = kendall_tau(label[rest], without.predict(x[rest][:, :5]))
    assert kendall_tau(label[rest], with_bad.predict(x[rest][:, read])) > without_mean - 0.02


def test_many_labels_are_screened_with_few_and_of_too_many_a_part_chosen_by_the_seed_is_used() -> None:
    rng = np.random.default_rng(6)
    x, new = rng.normal(size=(300, 6)), rng.normal(size=(300, 6))
    model = fitted(x, target(x))
    assert kendall_tau(target(new), model.predict(new)) > 0.9
    some = [fitted(x, target(x), seed=seed, max_labels=60).predict(new).tolist() for seed in (0, 0, 1)]
    assert some[0] == some[1] != some[2]
    assert len(fitted(x, target(x), max_labels=60).state()[1]["y"]) == 60


def test_predictions_in_pieces_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(X[:, :5], Y, NAMES)
    mean, std = model.predict(NEW[:, :5]), model.std(NEW[:, :5])
    monkeypatch.setattr("archpredict.regressors.gaussian_processes._CHUNK", 4)
    np.testing.assert_allclose(model.predict(NEW[:, :5]), mean, atol=1e-12)
    np.testing.assert_allclose(model.std(NEW[:, :5]), std, atol=1e-9)


def test_columns_without_information_do_not_stop_it() -> None:
    model = fitted(np.zeros((5, 3)), np.arange(5.0) - 2)
    np.testing.assert_allclose(model.predict(np.zeros((2, 3))), 0, atol=1e-6)
    assert np.isfinite(model.std(np.ones((2, 3)))).all()


def test_a_handful_of_labels_that_tell_no_process_from_another_is_enough() -> None:
    """Many means and kernels, each with a small part of the weight."""
    numbers = np.random.default_rng(2).normal(size=(4, 15))
    names = [f"{source}: {i}" for i, source in enumerate(("statistics", "network", "topology", "choices", "ordered"))]
    model = fitted(numbers, np.array([-1.0, -0.3, 0.3, 1.0]), [*names, *(f"transfer: {i}" for i in range(10))])
    assert np.isfinite(model.predict(numbers)).all()
    assert (model.std(numbers) > 0).all()


# ---------------------------------------------------------------------- saved


def test_it_is_saved_with_its_groups_and_means() -> None:
    x = np.column_stack([X[:, :5], Y + 0.3 * RNG.normal(size=40)])
    model, again = fitted(x, Y, [*NAMES, "transfer: sizes"]), GaussianProcesses()
    state, arrays = model.state()
    again.restore(json.loads(json.dumps(state)), arrays, 6)
    new = np.column_stack([NEW[:, :5], NEW[:, 5]])
    assert again.predict(new).tolist() == model.predict(new).tolist()
    assert again.std(new).tolist() == model.std(new).tolist()
    assert again.state()[0] == state
    assert any(mean >= 0 for *_, mean, _, _ in state["members"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": []}, "whose weights sum to 1 were expected"),
        ({"members": [["matern", ["statistics"], 1.0, -1, 0.1, 0.4]]}, "whose weights sum to 1 were expected"),
        ({"members": [["matern", ["ordered"], 1.0, -1, 0.1, 1.0]]}, "of a kernel or mean that there is not"),
        ({"members": [["rbf", ["statistics"], 1.0, -1, 0.1, 1.0]]}, "of a kernel or mean that there is not"),
        ({"members": [["matern", ["statistics"], 1.0, 0, 0.1, 1.0]]}, "of a kernel or mean that there is not"),
        ({"members": [["matern", ["statistics"], 1.0, -1, -0.1, 1.0]]}, "a positive length, noise and weight"),
        ({"sources": [["statistics", 2]]}, "sources of 5 columns were expected, of 2 is given"),
        ({"sources": [["statistics", 10**12]]}, "sources with their numbers of columns were expected"),
    ],
)
def test_a_state_that_does_not_hold_together_is_refused(change: dict[str, Any], message: str) -> None:
    state, arrays = fitted(X[:, :5], Y, NAMES).state()
    with pytest.raises(ValueError, match=message):
        GaussianProcesses().restore({**state, **change}, arrays, 5)
    with pytest.raises(ValueError, match="on 40 labels are given, their max_labels is 39"):
        GaussianProcesses(max_labels=39).restore(state, arrays, 5)
