"""Kernels on groups of columns: a distance per group, mean over groups, so that a group counts however wide it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.spatial.distance import cdist

from archpredict._typing import FloatArray

__all__ = ["Distances", "Kernel", "Rows", "kernels", "values"]

_KINDS = ("matern", "laplacian")


@dataclass(frozen=True)
class Kernel:
    """A kernel without its length.

    Args:
        kind: ``matern`` or ``laplacian``.
        groups: Names of the groups of columns that it reads.
    """

    kind: str
    groups: tuple[str, ...]


Rows = Mapping[str, FloatArray]
"""``(n, F)`` numbers of the same ``n`` architectures, by the group of their columns."""


def kernels(groups: Sequence[str], exclusive: Sequence[str] = ()) -> list[Kernel]:
    """The kernels of both kinds on every set of groups.

    Args:
        groups: Names.
        exclusive: Groups of which a set has one at most, as they say the same.

    Example:
        >>> [kernel.groups for kernel in kernels(["a", "b", "c"], ["b", "c"])][::2]
        [('a',), ('b',), ('c',), ('a', 'b'), ('a', 'c')]
    """
    sets = [chosen for size in range(1, len(groups) + 1) for chosen in combinations(groups, size)]
    return [Kernel(kind, s) for s in sets if len(set(s) & set(exclusive)) < 2 for kind in _KINDS]


class Distances:
    """The distances between architectures, each group's computed when a kernel first asks for it.

    Args:
        a: ``n`` of them.
        b: ``m`` of them.
    """

    def __init__(self, a: Rows, b: Rows) -> None:
        self._a, self._b = a, b
        self._known: dict[tuple[str, str], FloatArray] = {}

    def of(self, kernel: Kernel) -> FloatArray:
        """``(n, m)`` distances: Euclidean, or of the sum of absolute differences, as the mean over columns and groups.

        ``sqrt(Σ_g |a - b|² / F_g / G)`` for ``matern``, ``Σ_g |a - b|₁ / F_g / G`` for ``laplacian``.
        """
        mean = sum(self._group(kernel.kind, group) for group in kernel.groups) / len(kernel.groups)
        return np.asarray(np.sqrt(mean) if kernel.kind == "matern" else mean)

    def _group(self, kind: str, group: str) -> FloatArray:
        if (kind, group) not in self._known:
            a, b = self._a[group], self._b[group]
            metric = "sqeuclidean" if kind == "matern" else "cityblock"
            self._known[kind, group] = cdist(a, b, metric) / max(1, a.shape[1])
        return self._known[kind, group]


def values(kernel: Kernel, distances: FloatArray, length: float) -> FloatArray:
    """The kernel at these distances, 1 at distance 0.

    Matérn's of smoothness 5/2 (Rasmussen and Williams 2006, equation 4.17), or the exponential of the distance.
    """
    scaled = distances / length
    if kernel.kind == "laplacian":
        return np.asarray(np.exp(-scaled))
    scaled *= np.sqrt(5)
    return np.asarray((1 + scaled + scaled**2 / 3) * np.exp(-scaled))
