"""How good a predictor is: its figures on a table, by cross-validation, and as a curve over the number of labels.

Every predictor is cloned before it is trained, so that the one that was given stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archpredict import metrics
from archpredict._typing import FloatArray
from archpredict.errors import DataError, EvaluationError, UsageError
from archpredict.predict.protocols import HoldOut, Protocol, k_folds
from archpredict.progress import Event, Observer, silent

if TYPE_CHECKING:
    from archpredict.executors.base import Executor
    from archpredict.graph.arch_graph import ArchGraph
    from archpredict.predict.predictor import Predictor
    from archpredict.spaces.base import Architecture

__all__ = [
    "DEFAULT_K",
    "Summary",
    "Trial",
    "cross_validate",
    "evaluate_predictions",
    "evaluate_uncertainty",
    "first_shown",
    "learning_curve",
    "summarize",
    "summarize_sizes",
]

Features = Mapping[str, npt.NDArray[Any]]

DEFAULT_K = 10
"""How many of the predicted best N@K, Precision@K, NDCG and the regret look at, where there are as many."""


@dataclass(frozen=True, eq=False)
class Trial:
    """A trial of a validation: a predictor trained on some rows and judged by others.

    Args:
        n: Labels it learnt from.
        seed: Of the split and of the predictor.
        fold: Number of the fold from 0; None outside of cross-validation.
        figures: From :func:`evaluate_predictions`.
        seconds: Training took.
        split: The rows.
        predicted: ``(T,)`` predictions of ``split.test``.
        std: ``(T,)`` their standard deviations, None where the predictor has none.
    """

    n: int
    seed: int
    fold: int | None
    figures: Mapping[str, float]
    seconds: float
    split: HoldOut
    predicted: FloatArray
    std: FloatArray | None

    def row(self) -> dict[str, Any]:
        """The row of a table of trials: numbers of labels and of test rows, seed, fold, figures, seconds."""
        figures = {("tested_on" if name == "n" else name): value for name, value in self.figures.items()}
        return {"n": self.n, "seed": self.seed, "fold": self.fold, **figures, "seconds": self.seconds}


@dataclass(frozen=True)
class Summary:
    """A summary of trials: the mean and the standard deviation (of the population, ``numpy.std``) of each figure."""

    trials: int
    mean: Mapping[str, float]
    std: Mapping[str, float]


def evaluate_predictions(
    true: npt.ArrayLike, predicted: npt.ArrayLike, std: npt.ArrayLike | None = None, k: int | None = None
) -> dict[str, float]:
    """All figures of :mod:`archpredict.metrics` for one set of predictions.

    Args:
        true: ``(n,)`` labels, higher is better.
        predicted: ``(n,)`` predictions.
        std: ``(n,)`` their predicted standard deviations, on the labels' scale.
        k: How many of the predicted best are looked at; 10, or all where there are fewer, if left out.

    Returns:
        ``kendall_tau``, ``spearman``, ``pearson``, ``n_at_k``, ``precision_at_k``, ``ndcg``, ``regret``, ``k``,
        ``n``; with ``std`` also ``coverage_90``, ``calibration_error``, ``nll``, ``error_correlation``. What is
        not defined is NaN.

    Raises:
        UsageError: The arrays are not of one length, or ``k`` is out of range.

    Example:
        >>> figures = evaluate_predictions([90, 94, 92, 93], [4, 1, 2, 3], k=2)
        >>> round(figures["kendall_tau"], 4), figures["n_at_k"], figures["precision_at_k"]
        (-0.6667, 2.0, 0.5)
    """
    y, p = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    k = min(DEFAULT_K, len(y)) if k is None else k
    figures = {
        "kendall_tau": metrics.kendall_tau(y, p),
        "spearman": metrics.spearman(y, p),
        "pearson": metrics.pearson(y, p),
        "n_at_k": metrics.n_at_k(y, p, k),
        "precision_at_k": metrics.precision_at_k(y, p, k),
        "ndcg": metrics.ndcg(y, p, k),
        "regret": metrics.regret(y, p, k),
        "k": k,
        "n": len(y),
    }
    return figures if std is None else {**figures, **evaluate_uncertainty(y, p, std)}


def evaluate_uncertainty(true: npt.ArrayLike, predicted: npt.ArrayLike, std: npt.ArrayLike) -> dict[str, float]:
    """Figures of predicted standard deviations: the part of :func:`evaluate_predictions` that needs them.

    Args:
        true: ``(n,)`` labels of the kind that was learnt from.
        predicted: ``(n,)`` predictions.
        std: ``(n,)`` their predicted standard deviations, on the labels' scale.
    """
    return {
        "coverage_90": metrics.coverage(true, predicted, std, 0.9),
        "calibration_error": metrics.calibration_error(true, predicted, std),
        "nll": metrics.gaussian_nll(true, predicted, std),
        "error_correlation": metrics.error_correlation(true, predicted, std),
    }


def cross_validate(
    predictor: Predictor,
    architectures: Sequence[Architecture] | Sequence[ArchGraph],
    y: npt.ArrayLike,
    folds: int = 5,
    seeds: int | Sequence[int] = 1,
    observer: Observer = silent,
    *,
    features: Features | None = None,
    k: int | None = None,
    executor: Executor | None = None,
) -> list[Trial]:
    """Train on all folds but one and judge by that one, for each in turn. Isomorphic architectures share a fold.

    Args:
        predictor: Cloned for each fold; its ``seed`` is replaced.
        architectures: ``n`` architectures or graphs.
        y: ``(n,)`` labels, higher is better.
        folds: At least 2.
        seeds: That many repetitions, seeds from 0, or the seeds; of the folds and of the predictors.
        observer: Told what ``fit`` tells of each training, and stage ``trial`` with its figures after each.
        features: ``(n,)`` numbers by name, as the predictor's ``fit`` takes them.
        k: As in :func:`evaluate_predictions`.
        executor: Where trainings run, several at a time; one after another in this process if left out. The figures
            are the same.

    Returns:
        One trial per seed and fold.

    Raises:
        UsageError: Fewer architectures than the folds need, or ``k`` out of range.
        DataError: The labels cannot be learnt from.
        EvaluationError: A training was given up by the executor.

    Example:
        >>> from archpredict.predict.predictor import Predictor
        >>> from archpredict.predict.training.training import Training
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cells = space.architectures(space.sample(20, np.random.default_rng(0)))
        >>> sizes = [cell.cost["params"] for cell in cells]
        >>> predictor = Predictor(training=Training(epochs=1, pretrain=0), regressors=None)
        >>> trials = cross_validate(predictor, cells, sizes, folds=2)
        >>> [(trial.fold, trial.n, len(trial.predicted)) for trial in trials]
        [(0, 10, 10), (1, 10, 10)]
    """
    labels = np.asarray(y, dtype=np.float64)
    if labels.shape != (len(architectures),):
        raise DataError(
            f"{len(architectures)} architectures need as many labels, an array of shape {labels.shape} was given"
        )
    keys = [architecture.key for architecture in architectures]
    plan = [
        (seed, fold, split)
        for seed in _seeds(seeds)
        for fold, split in enumerate(k_folds(len(labels), folds, seed, groups=keys))
    ]
    validation = _Validation(predictor, architectures, labels, labels, features, k)
    return validation.trials(plan, observer, executor)


def learning_curve(
    predictor: Predictor,
    protocol: Protocol,
    train_sizes: Sequence[int] = (),
    seeds: int | Sequence[int] = 5,
    observer: Observer = silent,
    *,
    features: Features | None = None,
    k: int | None = None,
    executor: Executor | None = None,
) -> list[Trial]:
    """Train on few labels and on more, several times each, and judge by the protocol's test set.

    Args:
        predictor: Cloned for each training; its ``seed`` is replaced.
        protocol: From :func:`archpredict.predict.protocols.load_protocol`, or
            :func:`archpredict.predict.protocols.table_protocol` of a table of your own.
        train_sizes: Numbers of labels to learn from; those of the protocol if left out.
        seeds: That many repetitions, seeds from 0, or the seeds; of the splits and of the predictors.
        observer: Told what ``fit`` tells of each training, and stage ``trial`` with its figures after each.
        features: ``(N,)`` numbers by name for all rows of the protocol.
        k: As in :func:`evaluate_predictions`.
        executor: Where trainings run, several at a time; one after another in this process if left out. The figures
            are the same.

    Returns:
        One trial per size and seed, in that order.

    Raises:
        UsageError: A size that the protocol cannot give, found before anything is trained.
        EvaluationError: A training was given up by the executor.
    """
    sizes = tuple(train_sizes) or protocol.train_sizes
    if not sizes:
        raise UsageError(f"{protocol.name} has no numbers of labels of its own; say how many to learn from")
    plan = [(seed, None, protocol.split(n, seed)) for n in sizes for seed in _seeds(seeds)]
    y = (protocol.train_labels, protocol.test_labels)
    return _Validation(predictor, protocol.architectures, *y, features, k).trials(plan, observer, executor)


def first_shown(trials: Sequence[Trial]) -> list[Trial]:
    """Trials whose predictions are shown: of the first seed all folds, or the one with the largest number of labels."""
    largest = max(trial.n for trial in trials)
    return [t for t in trials if t.seed == trials[0].seed and (t.fold is not None or t.n == largest)]


def summarize(trials: Sequence[Trial]) -> Summary:
    """Mean and standard deviation of each figure over trials, and of the ``seconds`` that training took.

    A figure that is not defined in one trial is not defined in the summary.
    """
    figures = [{**trial.figures, "seconds": trial.seconds} for trial in trials]
    values = {name: np.array([f[name] for f in figures]) for name in figures[0] if name not in ("k", "n")}
    with np.errstate(invalid="ignore"):  # of an infinite likelihood
        spread = {name: float(v.std()) for name, v in values.items()}
    return Summary(len(trials), {name: float(v.mean()) for name, v in values.items()}, spread)


def summarize_sizes(trials: Sequence[Trial]) -> dict[int, Summary]:
    """The summary of each number of labels of a learning curve, from few to many."""
    sizes = sorted({trial.n for trial in trials})
    return {n: summarize([trial for trial in trials if trial.n == n]) for n in sizes}


_Planned = tuple[int, int | None, HoldOut]
"""Seed, fold and rows of a trial."""


@dataclass(frozen=True, eq=False)
class _Validation:
    """What all trials of one validation share; called with one of them, also in another process."""

    predictor: Predictor
    architectures: Sequence[Any]
    train_labels: FloatArray
    test_labels: FloatArray
    features: Features | None
    k: int | None

    def trials(self, plan: Sequence[_Planned], observer: Observer, executor: Executor | None) -> list[Trial]:
        """All trials, in the order of the plan."""
        smallest = min(len(split.test) for _, _, split in plan)
        if self.k is not None and not 1 <= self.k <= smallest:
            raise UsageError(f"k must be 1 to the size of the smallest test set, {smallest}; {self.k} was given")
        found: dict[int, Trial] = {}
        for number, trial in self._each(plan, observer, executor):
            found[number] = trial
            observer(Event("trial", len(found), len(plan), trial.figures))
        return [found[number] for number in range(len(plan))]

    def _each(
        self, plan: Sequence[_Planned], observer: Observer, executor: Executor | None
    ) -> Iterator[tuple[int, Trial]]:
        if executor is None:
            yield from ((number, self._trial(planned, observer)) for number, planned in enumerate(plan))
            return
        for done in executor.each(self, enumerate(plan)):
            number, (seed, fold, split) = done.item
            if done.value is None:
                which = f"{len(split.train)} labels and seed {seed}" + ("" if fold is None else f", fold {fold}")
                raise EvaluationError(f"the training with {which} was given up: {done.error}")
            yield number, done.value

    def __call__(self, item: tuple[int, _Planned]) -> Trial:
        return self._trial(item[1], silent)

    def _trial(self, planned: _Planned, observer: Observer) -> Trial:
        from sklearn.base import clone
        from threadpoolctl import threadpool_limits

        seed, fold, split = planned
        trained = clone(self.predictor).set_params(seed=seed)
        train, test = ([self.architectures[i] for i in rows.tolist()] for rows in split)
        start = time.perf_counter()
        known = _rows_of(self.features, split.train)
        trained.fit(train, self.train_labels[split.train], features=known, observer=observer)
        seconds = time.perf_counter() - start
        packed = trained.pack(test, _rows_of(self.features, split.test))
        predicted = trained.predict(packed)
        std = trained.predict_std(packed) if trained.has_std else None
        with threadpool_limits(1):  # with more threads, sums over many rows end in other digits
            figures = evaluate_predictions(self.test_labels[split.test], predicted, k=self.k)
            if std is not None:  # it foretells labels of the kind that was learnt from, not those of the ranking
                figures |= evaluate_uncertainty(self.train_labels[split.test], predicted, std)
        return Trial(len(split.train), seed, fold, figures, seconds, split, predicted, std)


def _rows_of(features: Features | None, rows: npt.NDArray[np.int64]) -> Features | None:
    return None if features is None else {name: np.asarray(values)[rows] for name, values in features.items()}


def _seeds(seeds: int | Sequence[int]) -> Sequence[int]:
    chosen = range(seeds) if isinstance(seeds, int) else seeds
    if not len(chosen) or min(chosen) < 0:
        raise UsageError(f"at least one seed is needed, each an integer of at least 0; {seeds} was given")
    return chosen
