"""Evaluation counts what it says, trains clones, and keeps training and test apart."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict import metrics
from archpredict.errors import DataError, EvaluationError, UsageError
from archpredict.executors.base import Done, Executor
from archpredict.executors.local import Local
from archpredict.predict.predictor import Predictor
from archpredict.predict.protocols import HoldOut, Protocol, k_folds, table_protocol
from archpredict.predict.validation import (
    Trial,
    cross_validate,
    evaluate_predictions,
    learning_curve,
    summarize,
    summarize_sizes,
)
from archpredict.progress import Event
from archpredict.spaces.base import Architecture, load_space
from archpredict.tables.table import Table

SMALL: dict[str, Any] = {"encoder": "gcn", "regressors": None, "training__epochs": 2, "ensemble": 1, "device": "cpu"}


def small(**changes: Any) -> Predictor:
    return Predictor().set_params(**{**SMALL, **changes})


@pytest.fixture(scope="module")
def cells() -> list[Architecture]:
    """30 cells, no two of them isomorphic."""
    space = load_space("nasbench201")
    drawn = {a.key: a for a in space.architectures(space.sample(60, np.random.default_rng(0)))}
    return list(drawn.values())[:30]


@pytest.fixture(scope="module")
def labels(cells: list[Architecture]) -> np.ndarray:
    return np.array([cell.cost["params"] + i for i, cell in enumerate(cells)])


@pytest.fixture(scope="module")
def protocol(cells: list[Architecture], labels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Protocol:
    path = tmp_path_factory.mktemp("table") / "cells.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["architecture", "size"])
        writer.writerows(zip(map(str, cells), labels, strict=True))
    return table_protocol(Table.read(path, cells[0].space, "size"))


def test_figures_of_a_hand_computed_case() -> None:
    # Order predicted: 93, 92, 94; tau: pairs (92, 94) and (93, 94) wrong, (92, 93) right.
    figures = evaluate_predictions([92.0, 93.0, 94.0], [2.0, 3.0, 1.0], k=1)
    assert figures["kendall_tau"] == pytest.approx(-1 / 3)
    assert (figures["n_at_k"], figures["precision_at_k"], figures["regret"]) == (2, 0, 1)
    assert (figures["k"], figures["n"]) == (1, 3)
    assert "nll" not in figures


def test_with_std_there_are_figures_of_calibration() -> None:
    y, p, s = [1.0, 2.0, 3.0], [1.5, 2.0, 2.0], [0.5, 0.1, 1.0]
    figures = evaluate_predictions(y, p, s)
    assert figures["coverage_90"] == 1
    assert figures["nll"] == pytest.approx(metrics.gaussian_nll(y, p, s))
    assert figures["calibration_error"] == pytest.approx(metrics.calibration_error(y, p, s))
    assert figures["error_correlation"] == pytest.approx(1)


@pytest.mark.parametrize(("n", "k"), [(4, 4), (30, 10)])
def test_k_is_10_or_all_there_are(n: int, k: int) -> None:
    assert evaluate_predictions(range(n), range(n))["k"] == k


def test_a_k_beyond_the_test_set_is_refused_before_training(cells: list[Architecture], labels: np.ndarray) -> None:
    with pytest.raises(UsageError, match="k must be 1 to the size of the smallest test set, 6; 7 was given"):
        cross_validate(Broken(), cells, labels, folds=5, k=7)


class Broken(Predictor):
    def fit(self, *arguments: Any, **more: Any) -> Predictor:
        raise AssertionError("nothing may be trained")


def test_cross_validation_is_what_a_loop_over_the_folds_gives(cells: list[Architecture], labels: np.ndarray) -> None:
    trials = cross_validate(small(), cells, labels, folds=3, seeds=[4])
    folds = k_folds(30, 3, seed=4, groups=[cell.key for cell in cells])
    assert [(t.n, t.seed, t.fold) for t in trials] == [(20, 4, 0), (20, 4, 1), (20, 4, 2)]
    for trial, (train, test) in zip(trials, folds, strict=True):
        by_hand = small(seed=4).fit([cells[i] for i in train], labels[train])
        assert trial.predicted == pytest.approx(by_hand.predict([cells[i] for i in test]))
        assert trial.figures["kendall_tau"] == pytest.approx(by_hand.score([cells[i] for i in test], labels[test]))
        assert trial.std is None


def test_isomorphic_architectures_share_a_fold(cells: list[Architecture], labels: np.ndarray) -> None:
    graphs = [cell.graph for cell in cells[:12]] * 2
    trials = cross_validate(small(), graphs, np.tile(labels[:12], 2), folds=3)
    for trial in trials:
        assert not set(trial.split.train % 12) & set(trial.split.test % 12)


def test_the_predictor_that_is_given_stays_unfitted(cells: list[Architecture], labels: np.ndarray) -> None:
    predictor = small(seed=9)
    cross_validate(predictor, cells, labels, folds=2)
    assert predictor.seed == 9
    assert "ensemble_" not in vars(predictor)


def test_an_ensemble_is_judged_by_its_uncertainty_too(cells: list[Architecture], labels: np.ndarray) -> None:
    trials = cross_validate(small(ensemble=2), cells, labels, folds=2)
    assert all(trial.std is not None and trial.std.shape == trial.predicted.shape for trial in trials)
    assert "calibration_error" in trials[0].figures


def test_features_go_with_their_rows(cells: list[Architecture], labels: np.ndarray) -> None:
    only_features = Predictor(None, ensemble=0, regressors={"extra-trees": 1.0}, sources=(), device="cpu")
    (told, _) = cross_validate(only_features, cells, labels, folds=2, features={"answer": labels})
    assert told.figures["kendall_tau"] > 0.8


def test_a_learning_curve_has_a_trial_for_each_size_and_seed(protocol: Protocol) -> None:
    trials = learning_curve(small(), protocol, [5, 10], seeds=2)
    assert [(t.n, t.seed, t.fold, t.figures["n"]) for t in trials] == [
        (5, 0, None, 25), (5, 1, None, 25), (10, 0, None, 20), (10, 1, None, 20),
    ]  # fmt: skip
    for trial in trials:
        split = protocol.split(trial.n, trial.seed)
        np.testing.assert_array_equal(trial.split.test, split.test)
    assert list(summarize_sizes(trials)) == [5, 10]


def test_test_labels_are_those_of_the_protocol(protocol: Protocol) -> None:
    turned = Protocol(
        "turned", "", protocol.space, protocol.choices, protocol.train_labels, -protocol.test_labels, None, (10,)
    )
    (straight,) = learning_curve(small(), protocol, [10], seeds=1)
    (reversed_,) = learning_curve(small(), turned, seeds=1)
    assert reversed_.figures["kendall_tau"] == pytest.approx(-straight.figures["kendall_tau"])


def test_uncertainty_is_judged_by_labels_of_the_kind_that_was_learnt_from(protocol: Protocol) -> None:
    shifted = Protocol(
        "shifted", "", protocol.space, protocol.choices, protocol.train_labels, protocol.test_labels + 1e9, None, (10,)
    )
    two = small(ensemble=2)
    (straight,), (moved,) = learning_curve(two, protocol, [10], seeds=1), learning_curve(two, shifted, seeds=1)
    for name in ("coverage_90", "calibration_error", "nll", "error_correlation"):
        assert moved.figures[name] == pytest.approx(straight.figures[name])


def test_too_few_labels_are_found_before_anything_is_trained(protocol: Protocol) -> None:
    with pytest.raises(UsageError, match=r"cells\.csv: 29 labels to learn from were asked for, but of 30 only 28 can"):
        learning_curve(Broken(), protocol, [5, 29])
    with pytest.raises(UsageError, match=r"cells\.csv has no numbers of labels of its own; say how many to learn from"):
        learning_curve(Broken(), protocol)


@pytest.mark.parametrize("seeds", [0, [], [-1]])
def test_seeds_must_be_some_from_0(protocol: Protocol, seeds: Any) -> None:
    with pytest.raises(UsageError, match="at least one seed is needed, each an integer of at least 0"):
        learning_curve(Broken(), protocol, [5], seeds=seeds)


def test_labels_must_be_as_many_as_architectures(cells: list[Architecture]) -> None:
    with pytest.raises(DataError, match=r"30 architectures need as many labels, an array of shape \(3,\) was given"):
        cross_validate(Broken(), cells, [1, 2, 3])


def test_progress_tells_epochs_and_the_figures_of_each_trial(cells: list[Architecture], labels: np.ndarray) -> None:
    seen: list[Event] = []
    trials = cross_validate(small(), cells, labels, folds=2, observer=seen.append)
    epochs = [("training", 1, 2), ("training", 2, 2)]
    assert [(e.stage, e.done, e.total) for e in seen] == [*epochs, ("trial", 1, 2), *epochs, ("trial", 2, 2)]
    assert "loss" in seen[0].values
    assert [e.values for e in seen if e.stage == "trial"] == [trial.figures for trial in trials]


def trial(n: int, tau: float, seconds: float) -> Trial:
    split = HoldOut(np.arange(n), np.arange(2))
    return Trial(n, 0, None, {"kendall_tau": tau, "k": 2, "n": 2}, seconds, split, np.zeros(2), None)


def test_a_summary_is_mean_and_population_deviation() -> None:
    summary = summarize([trial(5, 0.5, 1.0), trial(5, 0.7, 3.0)])
    assert summary.trials == 2
    assert summary.mean == pytest.approx({"kendall_tau": 0.6, "seconds": 2.0})
    assert summary.std == pytest.approx({"kendall_tau": 0.1, "seconds": 1.0})


def test_what_is_not_defined_in_one_trial_is_not_defined_in_the_mean() -> None:
    assert np.isnan(summarize([trial(5, 0.5, 1.0), trial(5, float("nan"), 1.0)]).mean["kendall_tau"])


def test_a_row_of_a_trial_has_sizes_seed_figures_and_seconds() -> None:
    assert trial(5, 0.5, 1.0).row() == {
        "n": 5, "seed": 0, "fold": None, "kendall_tau": 0.5, "k": 2, "tested_on": 2, "seconds": 1.0,
    }  # fmt: skip


def test_the_path_of_a_table_is_the_name_of_its_protocol(protocol: Protocol) -> None:
    assert Path(protocol.name).suffix == ".csv"


def test_trainings_side_by_side_give_what_one_after_another_gives(
    cells: list[Architecture], labels: np.ndarray, protocol: Protocol
) -> None:
    def told(trials: list[Trial]) -> list[Any]:
        return [(t.n, t.seed, t.fold, t.figures, t.predicted.tolist()) for t in trials]

    runs_on, predictor = Local(jobs=2), small(training__pretrain=0)  # other processes would, here nothing does
    alone = cross_validate(predictor, cells, labels, folds=2, seeds=2)
    assert told(alone) == told(cross_validate(predictor, cells, labels, folds=2, seeds=2, executor=runs_on))
    curve = learning_curve(predictor, protocol, [8], seeds=[3, 1])
    events: list[Event] = []
    assert told(curve) == told(learning_curve(predictor, protocol, [8], [3, 1], events.append, executor=runs_on))
    assert [(e.stage, e.done, e.total) for e in events] == [("trial", 1, 2), ("trial", 2, 2)]


def test_a_training_that_an_executor_gives_up_is_an_error_that_says_which(protocol: Protocol) -> None:
    class Nowhere(Executor):
        name = "nowhere"

        def each(self, function: Any, items: Any) -> Iterator[Done[Any, Any]]:
            return (Done(item, None, "its machine died, in the last of 4 attempts") for item in items)

    with pytest.raises(EvaluationError, match=r"the training with 8 labels and seed 3 was given up: its machine died"):
        learning_curve(small(), protocol, [8], seeds=[3], executor=Nowhere())
