"""How many rows are of one architecture, and how far their labels lie apart."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Duplicates:
    """Classes of two or more rows that count as one architecture.

    Args:
        num_classes: How many classes.
        num_rows: Rows in them.
        num_conflicts: Classes whose labels differ.
        mean_spread: Mean over the classes of the largest minus the smallest label; 0 without labels.
        largest_spread: The largest of these.
        widest: Rows of the class with the largest spread; of the first class where no labels differ.
    """

    num_classes: int
    num_rows: int
    num_conflicts: int
    mean_spread: float
    largest_spread: float
    widest: tuple[int, ...]


def duplicates(classes: Sequence[Hashable], labels: npt.NDArray[np.float64] | None = None) -> Duplicates:
    """Find the rows that share a class.

    Args:
        classes: ``R`` names of classes, e.g. the keys of the rows' graphs.
        labels: ``(R,)`` labels; those that are not finite are left out of the spread.

    Example:
        >>> found = duplicates(["a", "b", "a", "c", "b"], np.array([1.0, 5.0, 4.0, 9.0, 5.0]))
        >>> found.num_classes, found.num_conflicts, found.largest_spread, found.widest
        (2, 1, 3.0, (0, 2))
    """
    numbers: dict[Hashable, int] = {}
    group = np.array([numbers.setdefault(name, len(numbers)) for name in classes], dtype=np.int64)
    size = np.bincount(group, minlength=len(numbers))
    repeated = np.flatnonzero(size > 1)
    if not len(repeated):
        return Duplicates(0, 0, 0, 0.0, 0.0, ())
    spread = np.zeros(len(numbers)) if labels is None else _spread(group, labels, len(numbers))
    spread = spread[repeated]
    widest = np.flatnonzero(group == repeated[spread.argmax()])
    return Duplicates(
        num_classes=len(repeated),
        num_rows=int(size[repeated].sum()),
        num_conflicts=int((spread > 0).sum()),
        mean_spread=float(spread.mean()),
        largest_spread=float(spread.max()),
        widest=tuple(widest.tolist()),
    )


def _spread(group: npt.NDArray[np.int64], labels: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    known = np.isfinite(labels)
    lowest, highest = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(lowest, group[known], labels[known])
    np.maximum.at(highest, group[known], labels[known])
    return np.where(highest > lowest, highest - lowest, 0.0)
