"""Normal scores: the values of an objective on a scale where none of them lies far out."""

from __future__ import annotations

import numpy as np

from archpredict._typing import FloatArray

__all__ = ["NormalScores"]


class NormalScores:
    """The increasing map of values to the normal quantiles of their ranks.

    Some failed trainings or networks without a path lie far from all others, and a process with one length scale spends
    itself on them. Quantiles keep the order, so the front stays what it is, and make a growth of the front worth what
    it is among what was seen, whatever the unit. Van der Waerden, "Order tests for the two-sample problem", 1952.

    Args:
        values: ``(n,)``, more is better, not all equal.
        worst: What is below counts as this much.

    Example:
        >>> scores = NormalScores(np.array([93.0, 10.0, 94.0, 92.0]), worst=50.0)
        >>> scores(np.array([10.0, 93.0, 94.0])).round(2).tolist()
        [-1.15, 0.32, 1.15]
        >>> scores.inverse(scores(np.array([92.5]))).tolist()
        [92.5]
    """

    def __init__(self, values: FloatArray, worst: float = -np.inf) -> None:
        from scipy.special import ndtri

        self._worst = worst
        kept = np.maximum(values, worst)
        self._values, counts = np.unique(kept, return_counts=True)
        self._scores = ndtri((np.cumsum(counts) - counts / 2) / len(kept))

    def __call__(self, values: FloatArray) -> FloatArray:
        """Scores of values; between those that were given by interpolation, outside as the nearest."""
        return np.asarray(np.interp(np.maximum(values, self._worst), self._values, self._scores))

    def inverse(self, scores: FloatArray) -> FloatArray:
        """The values of scores, no more than the largest and no less than the smallest that was given."""
        return np.asarray(np.interp(scores, self._scores, self._values))
