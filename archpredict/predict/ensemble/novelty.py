"""Novelty: how far an architecture is from all that a predictor has learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray

__all__ = ["Novelty"]

Arrays = Mapping[str, npt.NDArray[np.float64]]

_EXPLAINED, _MOST_AXES = 0.95, 16
_QUANTILE = 0.99
_FOLDS = 5
_ROWS = 2000
"""Rows of the training set that are looked at, at most."""
_BEYOND = 0.25
"""How far beyond the training set's range a number may be, as a share of that range."""
_FLAT = 1e-3
"""Standard deviations below which nothing counts; the numbers have 1 each, or none."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Where ``(n, F)`` numbers lie: principal axes that explain 95 % of them, at most 16, and what is beside these.

    Args:
        center: ``(F,)``.
        axes: ``(A, F)``, orthonormal.
        spread: ``(A,)`` standard deviations along them.
    """

    center: FloatArray
    axes: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, x: FloatArray) -> Cloud:
        """The cloud of some numbers; they may be more than the rows."""
        center = x.mean(axis=0)
        sizes, axes = _principal(x - center)
        spread = sizes / np.sqrt(len(x))
        explained = np.cumsum(spread**2) / max(float(spread @ spread), _FLAT**2)
        kept = min(int((explained < _EXPLAINED).sum()) + 1, _MOST_AXES, int((spread > _FLAT).sum()))
        return cls(center, axes[:kept], spread[:kept])

    def parts(self, x: FloatArray) -> FloatArray:
        """Mahalanobis distance along the axes, and Euclidean distance from the plane that they span, ``(2, n)``."""
        centered = x - self.center
        along = centered @ self.axes.T
        beside = centered - along @ self.axes
        return np.stack([np.linalg.norm(along / self.spread, axis=1), np.linalg.norm(beside, axis=1)])


def _principal(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Singular values and right singular vectors.

    The fast algorithm fails now and then on numbers that are nearly dependent, one-hot choices for example; the slower
    one does not.
    """
    from scipy.linalg import svd

    try:
        _, sizes, axes = np.linalg.svd(x, full_matrices=False)
    except np.linalg.LinAlgError:
        _, sizes, axes = svd(x, full_matrices=False, lapack_driver="gesvd")
    return sizes, axes


@dataclass(frozen=True, eq=False)
class Novelty:
    """Distance of architectures from the training set, in the numbers that a predictor reads of them.

    The largest of three. Two are of the standardised numbers, each relative to what 99 % of the training set keep
    within when it is not looked at: Mahalanobis' in a few principal axes, and the distance from these, which a
    combination of numbers that never occurred has. As these numbers are clipped, the third is of the numbers as they
    are: how far the farthest is beyond the training set's range, relative to a quarter of that; of numbers that hardly
    repeat, such as costs.

    Args:
        cloud: Of the training set.
        limits: ``(2,)`` the distances that are 1.
        bounds: ``(2, F)`` smallest and largest of each number; infinite for those whose range says nothing.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> numbers = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 10))
        >>> novelty = Novelty.fit(numbers, numbers)
        >>> bool((novelty(numbers, numbers) > 1).mean() < 0.03)
        True
        >>> other = rng.normal(size=(1, 10)) * 3
        >>> bool(novelty(other, other)[0] > 1)
        True
    """

    cloud: Cloud
    limits: FloatArray
    bounds: FloatArray

    @classmethod
    def fit(cls, side: npt.NDArray[np.floating], raw: FloatArray) -> Novelty:
        """Of ``(n, F)`` numbers of the training set, standardised and as they are; ``n`` at least 2."""
        # Two thousand are enough for a percentile; every so manyth, as their order means nothing.
        x = side[:: -(-len(side) // _ROWS)].astype(np.float64)
        fold = np.random.default_rng(0).permutation(len(x)) % min(_FOLDS, len(x))
        parts = np.empty((2, len(x)))
        for i in range(fold.max() + 1):
            parts[:, fold == i] = Cloud.of(x[fold != i]).parts(x[fold == i])
        limits = np.maximum(np.quantile(parts, _QUANTILE, axis=1), _FLAT)
        # The larger of both exceeds 1 more often than each does.
        limits *= max(1.0, float(np.quantile((parts / limits[:, None]).max(axis=0), _QUANTILE)))
        return cls(Cloud.of(x), limits, _bounds(raw))

    def __call__(self, side: npt.NDArray[np.floating], raw: FloatArray) -> FloatArray:
        """``(n,)`` distances of ``(n, F)`` numbers; above 1, an architecture is novel."""
        parts = self.cloud.parts(side.astype(np.float64)) / self.limits[:, None]
        low, high = self.bounds
        some = np.isfinite(low)
        beyond = np.maximum(low[some] - raw[:, some], raw[:, some] - high[some]) / (_BEYOND * (high - low)[some])
        distance: FloatArray = np.maximum(parts.max(axis=0), beyond.max(axis=1, initial=0.0))
        return distance

    # ------------------------------------------------------------------ saving

    def arrays(self) -> dict[str, FloatArray]:
        """For :meth:`from_arrays`."""
        cloud = self.cloud
        told = np.nan_to_num(self.bounds, posinf=0.0, neginf=0.0)  # what is saved is finite; no range is an empty one
        arrays = {"center": cloud.center, "axes": cloud.axes, "spread": cloud.spread}
        return {**arrays, "limits": self.limits, "bounds": told}

    @classmethod
    def from_arrays(cls, arrays: Arrays, columns: int) -> Novelty:
        """From what :meth:`arrays` gave; all of them finite.

        Raises:
            ValueError: They are not those of so many numbers.
        """
        axes = len(arrays["spread"]) if "spread" in arrays else 0
        shapes = {"center": (columns,), "axes": (axes, columns), "spread": (axes,)}
        shapes |= {"limits": (2,), "bounds": (2, columns)}
        given = {name: array.shape for name, array in arrays.items()}
        if given != shapes or any(array.dtype != np.float64 for array in arrays.values()) or axes > _MOST_AXES:
            raise ValueError(f"the distances from its training set are of shapes {shapes}, {given} are given")
        if min(*arrays["spread"], *arrays["limits"]) <= 0:
            raise ValueError("the distances from its training set are not positive")
        low, high = arrays["bounds"]
        bounds = np.where(high > low, arrays["bounds"], [[-np.inf], [np.inf]])
        return cls(Cloud(arrays["center"], arrays["axes"], arrays["spread"]), arrays["limits"], bounds)


def _bounds(raw: FloatArray) -> FloatArray:
    """Ranges of numbers of which at least half are different."""
    low, high = raw.min(axis=0), raw.max(axis=0)
    varied = np.array([2 * len(np.unique(column)) >= len(column) for column in raw.T], dtype=bool) & (high > low)
    return np.where(varied, [low, high], [[-np.inf], [np.inf]])
