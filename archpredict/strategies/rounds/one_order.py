"""Several objectives as one label, for strategies that compare architectures by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from archpredict._typing import FloatArray
from archpredict.evaluators.base import Result
from archpredict.metrics.fronts import contributions, front_ranks, on_front
from archpredict.strategies.base import Problem

__all__ = ["one_label"]

Several = Literal["scalarisation", "dominance"]

_RHO = 0.05
"""Weight of the sum beside the largest weighted loss, as in ParEGO."""


def one_label(problem: Problem, results: Sequence[Result], how: Several, rng: np.random.Generator) -> FloatArray:
    """One label for each result that has a score, more is better.

    * ``scalarisation``: the augmented Chebyshev scalarisation of Knowles, "ParEGO: a hybrid algorithm with on-line
      landscape approximation for expensive multiobjective optimization problems", IEEE Transactions on Evolutionary
      Computation 10 (1), 2006: minus ``max_j(w_j d_j) + 0.05 sum_j w_j d_j``, where ``d`` is the distance from the best
      of each objective in units of the front's extent, and the weights are drawn uniformly from those that sum to 1.
    * ``dominance``: minus the rank by non-dominated sorting; within a rank, what adds more to the hypervolume of its
      front comes first.

    What breaks a limit that only an evaluation can check comes after all that keeps them.

    Args:
        problem: With the objectives.
        results: With scores.
        how: One of the two.
        rng: Draws the weights.

    Returns:
        ``(n,)``.
    """
    values = problem.oriented([r.values for r in results])
    kept = np.array([problem.keeps_limits(r.values) for r in results], dtype=bool)
    if how == "scalarisation":
        labels = _scalarised(values, values[kept] if kept.any() else values, rng)
    else:
        labels = _by_dominance(values)
    if kept.any():
        labels[~kept] -= np.ptp(labels) + 1.0
    return labels


def _scalarised(values: FloatArray, kept: FloatArray, rng: np.random.Generator) -> FloatArray:
    front = kept[on_front(kept)]
    extent = np.ptp(front, axis=0)
    extent = np.where(extent > 0, extent, np.maximum(np.ptp(values, axis=0), 1e-12))
    loss = (front.max(axis=0) - values) / extent * rng.dirichlet(np.ones(values.shape[1]))
    return np.asarray(-(loss.max(axis=1) + _RHO * loss.sum(axis=1)))


def _by_dominance(values: FloatArray) -> FloatArray:
    ranks = front_ranks(values)
    labels = -ranks.astype(np.float64)
    for rank in range(int(ranks.max()) + 1):
        rows = np.flatnonzero(ranks == rank)
        front = values[rows]
        extent = np.where(np.ptp(front, axis=0) > 0, np.ptp(front, axis=0), 1.0)
        scaled = (front - front.min(axis=0)) / extent
        added = contributions(scaled, np.full(values.shape[1], -0.1))
        labels[rows] += 0.9 * added / max(float(added.max()), 1e-12)
    return labels
