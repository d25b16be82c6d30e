"""Weighing: parts count as much as they help, scores keep their order, intervals hold what they say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from archpredict._typing import FloatArray
from archpredict.metrics import coverage, kendall_tau
from archpredict.predict.calibration import Calibration, standardize
from archpredict.predict.ensemble.ensemble import Ensemble
from archpredict.predict.ensemble.weighing import HeldOut, Weighing
from archpredict.predict.predictor import Predictor
from archpredict.progress import Event
from archpredict.spaces.base import Architecture
from archpredict.spaces.nasbench201 import NASBench201

pytestmark = pytest.mark.cross_fit

SPACE = NASBench201()
CELLS = SPACE.architectures(SPACE.sample(160, np.random.default_rng(0)))
REGRESSORS = {"bayesian-ridge": 1.0, "gaussian-process": 1.0}


def label(cell: Architecture) -> float:
    return sum(choice in (2, 3) for choice in cell.choices) + 0.3 * (cell.choices[0] == 1)


LABELS = np.array([label(cell) for cell in CELLS]) + 0.2 * np.random.default_rng(1).normal(size=160)


def fitted(count: int = 60, **arguments: Any) -> Predictor:
    given = {"ensemble": 0, "regressors": REGRESSORS, **arguments}
    return Predictor(**given).fit(CELLS[:count], LABELS[:count])


def parts(n: int = 100, seed: int = 0) -> tuple[HeldOut, FloatArray]:
    """Held-out scores of a part that knows the labels on a scale of its own, with noise, and of one that does not."""
    rng = np.random.default_rng(seed)
    target = standardize(rng.normal(size=n))
    return HeldOut(np.stack([2 * target + rng.normal(size=n), rng.normal(size=n)]), np.zeros((2, n))), target


# ---------------------------------------------------------------------- weights


def test_a_part_that_cannot_help_counts_next_to_nothing() -> None:
    held_out, target = parts()
    found = Weighing.fit(held_out, np.array([0.5, 0.5]), target, target, Calibration.fit(target, target))
    assert found.weights[0] > 0.9
    assert found.slope[0] == pytest.approx(0.4, abs=0.1), "least squares: 2 / (2² + 1)"
    assert found.noise[0] < 0.5 < found.noise[1]


def test_a_part_that_is_wrong_way_round_does_not_turn_predictions_round() -> None:
    held_out, target = parts()
    wrong = HeldOut(-held_out.scores, held_out.stds)
    found = Weighing.fit(wrong, np.array([0.5, 0.5]), target, target, Calibration.fit(target, target))
    assert (found.slope > 0).all()


def test_what_a_part_knows_of_its_errors_is_scaled_to_them() -> None:
    rng = np.random.default_rng(2)
    target, std = standardize(rng.normal(size=400)), rng.uniform(0.1, 1, size=400)
    held_out = HeldOut((target + 2 * std * rng.normal(size=400))[None], std[None])
    found = Weighing.fit(held_out, np.ones(1), target, target, Calibration.fit(target, target))
    assert found.noise[0] == 0
    assert found.factor[0] > 1


def test_members_of_one_part_share_its_weight() -> None:
    held_out, target = parts()
    one = Weighing.fit(held_out, np.array([0.5, 0.5]), target, target, Calibration.fit(target, target))
    many = one.spread_over([3, 1])
    np.testing.assert_allclose(many.weights, [*[one.weights[0] / 3] * 3, one.weights[1]])
    scores = np.concatenate([np.tile(held_out.scores[:1], (3, 1)), held_out.scores[1:]])
    for ours, its in zip(many.mixture(scores, 0 * scores), one.mixture(*vars(held_out).values()), strict=True):
        np.testing.assert_allclose(ours, its)


# ---------------------------------------------------------------------- predictors


def test_the_better_regressor_gets_the_weight_whatever_weights_were_given() -> None:
    column = np.random.default_rng(3).normal(size=160)
    waves = np.sin(4 * column)  # which no line follows

    for given in (0.2, 5.0):
        regressors = {"bayesian-ridge": 1.0, "gaussian-process": given}
        predictor = Predictor(ensemble=0, sources=(), regressors=regressors)
        weights = predictor.fit(CELLS, waves, features={"column": column}).ensemble_.weights
        assert weights[1] > 0.85


def test_predictions_are_expectations_inside_the_labels_and_intervals_hold_new_ones() -> None:
    predictor = fitted()
    mean, std = predictor.predict(CELLS[60:], return_std=True)
    assert kendall_tau(LABELS[60:], mean) > 0.55
    assert 0.8 < coverage(LABELS[60:], mean, std) < 0.99
    assert predictor.ensemble_.weights.sum() == pytest.approx(1)
    error = float(np.sqrt(np.mean((mean - LABELS[60:]) ** 2)))
    assert mean.max() < LABELS[:60].max() + 2 * error


def test_no_prediction_is_further_beyond_the_labels_than_held_out_errors_are_large() -> None:
    ensemble = fitted().ensemble_
    far = ensemble.calibration(np.array([-1e6, 50.0, 1e6]))
    assert far[0] >= LABELS[:60].min() - ensemble.calibration.margin - 1e-6
    assert far[2] <= LABELS[:60].max() + ensemble.calibration.margin + 1e-6
    assert ensemble.calibration.margin < np.std(LABELS)


def test_the_shipped_surrogate_of_darts_promises_little_more_than_the_best_of_its_labels() -> None:
    surrogate = Predictor.load("darts-cifar10", device="cpu")
    low, high = surrogate.label_range_
    assert (round(low, 1), round(high, 1)) == (90.7, 94.5)
    calibration = surrogate.ensemble_.calibration
    scores = calibration(np.linspace(-6, 6, 50))
    assert (np.diff(scores) > 0).all(), "their order is kept"
    assert scores.max() < high + 0.4


def test_a_weighed_predictor_is_saved_and_loaded_as_it_is(tmp_path: Any) -> None:
    predictor = fitted()
    predictor.save(tmp_path / "model")
    again = Predictor.load(tmp_path / "model")
    for ours, its in zip(
        again.predict(CELLS[60:], return_std=True), predictor.predict(CELLS[60:], return_std=True), strict=True
    ):
        assert ours.tolist() == its.tolist()
    assert again.get_params()["cross_fit"] is True
    assert again.ensemble_.weights.tolist() == predictor.ensemble_.weights.tolist()


@pytest.mark.parametrize(
    ("count", "arguments"),
    [(9, {}), (60, {"cross_fit": False}), (60, {"regressors": {"bayesian-ridge": 1.0}})],
)
def test_few_labels_one_kind_of_members_or_a_no_leave_the_weights_that_were_given(
    count: int, arguments: dict[str, Any]
) -> None:
    ensemble = fitted(count, **arguments).ensemble_
    assert ensemble.weighing is None
    assert ensemble.weights.tolist() == ensemble.prior.tolist()


def test_labels_of_which_all_but_one_are_equal_are_learnt_with_the_weights_that_were_given() -> None:
    labels = np.zeros(30)
    labels[7] = 1.0
    predictor = Predictor(ensemble=0, regressors=REGRESSORS).fit(CELLS[:30], labels)
    assert predictor.ensemble_.weighing is None
    assert np.isfinite(predictor.predict(CELLS)).all()


def test_fine_tuning_forgets_what_was_held_out_of_other_labels() -> None:
    predictor = fitted()
    predictor.fine_tune(CELLS[60:100], LABELS[60:100])
    assert predictor.ensemble_.weighing is None


def test_halves_are_reported() -> None:
    seen: list[Event] = []
    Predictor(ensemble=0, regressors=REGRESSORS).fit(CELLS[:40], LABELS[:40], observer=seen.append)
    assert [(e.done, e.total) for e in seen if e.stage == "cross-fitting"] == [(1, 2), (2, 2)]


# ---------------------------------------------------------------------- saved


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [0.5, 0.6]}, "do not sum to 1"),
        ({"weights": [1.5, -0.5]}, "negative weights"),
        ({"slope": [1.0, 0.0]}, "do not let scores increase"),
        ({"noise": [0.1, -0.1]}, "negative weights or variances"),
        ({"offset": [0.0]}, "finite numbers, one for each of 2"),
        ({"inflation": float("nan")}, "finite numbers, one for each of 2"),
    ],
)
def test_a_weighing_that_does_not_hold_together_is_refused(change: dict[str, Any], message: str) -> None:
    held_out, target = parts()
    found = Weighing.fit(held_out, np.array([0.5, 0.5]), target, target, Calibration.fit(target, target))
    saved = json.loads(json.dumps(found.to_dict()))
    again = Weighing.from_dict(saved, 2)
    np.testing.assert_array_equal(again.weights, found.weights)
    with pytest.raises(ValueError, match=message):
        Weighing.from_dict({**saved, **change}, 2)


def test_an_ensemble_without_a_weighing_averages_as_before() -> None:
    ensemble = fitted(cross_fit=False).ensemble_
    assert isinstance(ensemble, Ensemble)
    scores = np.random.default_rng(0).normal(size=(2, 5))
    np.testing.assert_allclose(ensemble.mean_scores(scores), ensemble.prior @ ensemble.standardized(scores))
