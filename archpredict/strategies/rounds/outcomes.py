"""Outcomes: what a strategy with several objectives expects of architectures, number by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.evaluators.base import Result
from archpredict.metrics.fronts import crowding_distance, front_ranks, on_front
from archpredict.predict.predictor import Predictor
from archpredict.progress import Observer
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem
from archpredict.strategies.rounds.improvement import expected_improvement
from archpredict.strategies.rounds.normal_scores import NormalScores

__all__ = ["Outcomes", "parents_of"]

_MARGIN = 0.1
"""How far the reference point is below the worst that was evaluated, in units of the extent."""
_SHORTLIST = 1000
"""Candidates among which a batch is chosen one by one."""


class Outcomes:
    """A predictor for each number that only an evaluation tells, and the costs of the space for the others.

    Objectives are predicted as :class:`NormalScores <archpredict.strategies.rounds.normal_scores.NormalScores>`, in
    which the hypervolume is grown too; costs and limits as they are.

    Args:
        problem: With several objectives, or limits that only an evaluation checks.
        new_predictor: An unfitted predictor for a number, given its name.
        observer: Told about the training of the predictors.
    """

    def __init__(self, problem: Problem, new_predictor: Callable[[str], Any], observer: Observer) -> None:
        self.problem, self._observer = problem, observer
        self._new_predictor = new_predictor
        self._fitted: dict[str, Any] = {}
        self._constant: dict[str, float] = {}
        self._scores: dict[str, NormalScores] = {}
        self._front = np.empty((0, len(problem.objectives)))
        self._reference = np.zeros(len(problem.objectives))

    def fit(self, results: Sequence[Result]) -> None:
        """Learn from results that have a score."""
        architectures = [r.architecture for r in results]
        for name in self.problem.names:
            if self.problem.is_known(name):
                continue
            labels = np.array([self.problem.sign(name) * r.values[name] for r in results])
            if np.ptp(labels) == 0:
                self._constant[name] = float(labels[0])
                continue
            labels = self._scored(name, labels)
            best_first = np.argsort(-labels, kind="stable")
            predictor = self._new_predictor(name)
            predictor.fit([architectures[i] for i in best_first], labels[best_first], observer=self._observer)
            self._fitted[name] = predictor
        values = self._on_scales(self.problem.oriented([r.values for r in results]))
        kept = np.array([self.problem.keeps_limits(r.values) for r in results], dtype=bool)
        self._front = values[kept][on_front(values[kept])]
        self._reference = self._reference_below(values)

    def _scored(self, name: str, labels: FloatArray) -> FloatArray:
        """The labels of an objective as normal scores; those of a number that is only limited as they are."""
        objective = next((o for o in self.problem.objectives if o.name == name), None)
        if objective is None or name in self.problem.limits_after:  # of which a value has to be compared with a limit
            return labels
        worst = -np.inf if objective.reference is None else objective.sign * objective.reference
        if np.ptp(np.maximum(labels, worst)) == 0:  # nothing is better than the reference yet
            return labels
        self._scores[name] = NormalScores(labels, worst)
        return self._scores[name](labels)

    def _on_scales(self, values: FloatArray) -> FloatArray:
        """``(n, m)`` objectives, each on the scale on which it is predicted."""
        columns = [
            self._scores[o.name](values[:, j]) if o.name in self._scores else values[:, j]
            for j, o in enumerate(self.problem.objectives)
        ]
        return np.column_stack(columns)

    def _reference_below(self, values: FloatArray) -> FloatArray:
        """The point that the front is grown above: what was given, else just below the worst that was evaluated.

        Not the worst of the front, beyond whose ends nothing would count. As normal scores are bounded, outliers do not
        move it far.
        """
        extent = np.ptp(values, axis=0)
        below = values.min(axis=0) - _MARGIN * np.where(extent > 0, extent, 1.0)
        given = np.array([[np.nan if o.reference is None else o.sign * o.reference for o in self.problem.objectives]])
        known = np.isfinite(given[0])
        return np.asarray(np.where(known, self._on_scales(np.where(known, given, 0.0))[0], below))

    def expected_score(self, mean: FloatArray) -> FloatArray:
        """``(n,)`` of what is expected of the first objective, more is better, on its own scale.

        Args:
            mean: ``(n, k)`` from :meth:`expect`.
        """
        scores = self._scores.get(self.problem.objectives[0].name)
        return mean[:, 0] if scores is None else scores.inverse(mean[:, 0])

    def expect(self, architectures: Sequence[Architecture]) -> tuple[FloatArray, FloatArray]:
        """Means and standard deviations, such that more is better.

        Returns:
            ``(n, k)`` each, a column for each of ``problem.names``.
        """
        mean = np.zeros((len(architectures), len(self.problem.names)))
        std = np.zeros_like(mean)
        costs: Mapping[str, FloatArray] = {}
        if any(map(self.problem.is_known, self.problem.names)):
            costs = self.problem.space.costs(np.array([a.choices for a in architectures], dtype=np.int64))
        for j, name in enumerate(self.problem.names):
            if name in costs:
                mean[:, j] = self.problem.sign(name) * costs[name]
            elif name in self._constant:
                mean[:, j] = self._constant[name]
            else:
                mean[:, j], std[:, j] = _expected(self._fitted[name], architectures)
        return mean, std

    def merit(self, mean: FloatArray, std: FloatArray, front: FloatArray | None = None) -> FloatArray:
        """Expected growth of the hypervolume times the probability that all limits are kept, ``(n,)``.

        Args:
            mean: ``(n, k)`` from :meth:`expect`.
            std: The same.
            front: Instead of the one that is known.
        """
        known, m = self._front if front is None else front, len(self.problem.objectives)
        grown = expected_improvement(mean[:, :m], std[:, :m], known, self._reference)
        return grown * self._probability_of_keeping(mean, std)

    def best_first(self, mean: FloatArray, std: FloatArray) -> IntArray:
        """Places of candidates by the front that is expected: by rank, within a rank what is alone there first.

        What probably breaks a limit comes last. An evolution that breeds from this order spreads over the whole front,
        while one by merit would gather where the front is least known.
        """
        values = mean[:, : len(self.problem.objectives)]
        keeps = self._probability_of_keeping(mean, std) >= 0.5
        order = list[int]()
        for group in (np.flatnonzero(keeps), np.flatnonzero(~keeps)):
            ranks = front_ranks(values[group])
            for rank in range(int(ranks.max(initial=-1)) + 1):
                members = group[ranks == rank]
                order += members[np.argsort(-crowding_distance(values[members]), kind="stable")].tolist()
        return np.array(order, dtype=np.int64)

    def batch(self, mean: FloatArray, std: FloatArray, size: int) -> list[int]:
        """The places of ``size`` candidates, each the best once the means of those before it have come true."""
        merit = self.merit(mean, std)
        left = np.argsort(-merit, kind="stable")[: max(_SHORTLIST, 4 * size)]
        front, chosen = self._front, list[int]()
        while len(chosen) < size and len(left):
            best = int(np.argmax(merit[left]))
            place = int(left[best])
            chosen.append(place)
            left = np.delete(left, best)
            grown = np.vstack([front, mean[place, : front.shape[1]]])
            front = grown[on_front(grown)]
            merit[left] = self.merit(mean[left], std[left], front)
        return chosen

    def _probability_of_keeping(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        from scipy.special import ndtr

        kept = np.ones(len(mean))
        for name, limit in self.problem.limits_after.items():
            j = self.problem.names.index(name)
            room = mean[:, j] - self.problem.sign(name) * limit
            kept *= np.where(std[:, j] > 0, ndtr(room / np.maximum(std[:, j], 1e-300)), room >= 0)
        return kept


def _expected(predictor: Any, architectures: Sequence[Architecture]) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation, which is 0 where a predictor knows none: then it is taken at its word."""
    if isinstance(predictor, Predictor) and predictor.has_std:
        return predictor.predict(architectures, return_std=True)  # from the same encodings
    mean: FloatArray = predictor.predict(architectures)
    return mean, predictor.predict_std(architectures) if predictor.has_std else np.zeros(len(architectures))


def parents_of(problem: Problem, results: Sequence[Result]) -> IntArray:
    """Choices ``(n, L)`` of results that have a score: those that keep the limits first, front by front."""
    ranks = front_ranks(problem.oriented([r.values for r in results]))
    broken = [not problem.keeps_limits(r.values) for r in results]
    order = sorted(range(len(results)), key=lambda i: (broken[i], ranks[i], i))
    return np.array([results[i].architecture.choices for i in order], dtype=np.int64)
