"""How many rows are of one architecture, and how far their labels lie apart."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import IntArray
from archpredict.spaces.base import SearchSpace

_PIECE = 8192
"""Architectures whose graphs are in hand at a time."""


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


def graph_keys(
    space: SearchSpace, choices: npt.ArrayLike, observe: Callable[[int], None] | None = None
) -> npt.NDArray[np.uint64]:
    """``(R, 2)`` keys of legal rows, equal for isomorphic ones (:meth:`SearchSpace.graph_keys
    <archpredict.spaces.base.SearchSpace.graph_keys>`), in little memory.

    Args:
        space: The space.
        choices: ``(R, L)`` legal rows.
        observe: Told how many are done.
    """
    rows = space.rows(choices)
    keys = np.zeros((len(rows), 2), dtype=np.uint64)
    for start in range(0, len(rows), _PIECE):
        keys[start : start + _PIECE] = space.graph_keys(rows[start : start + _PIECE])
        if observe is not None:
            observe(min(len(rows), start + _PIECE))
    return keys


def graph_classes(space: SearchSpace, choices: npt.ArrayLike) -> IntArray:
    """``(R,)`` numbers from 0 on, equal for isomorphic rows.

    Example:
        >>> from archpredict.spaces.base import load_space
        >>> graph_classes(load_space("nasbench201"), [[3, 0, 1, 0, 2, 0], [3] * 6, [3, 0, 0, 0, 2, 0]]).tolist()
        [0, 1, 0]
    """
    return numbered(graph_keys(space, choices))


def numbered(rows: npt.NDArray[Any]) -> IntArray:
    """``(R,)`` numbers from 0 on in the order of first appearance, equal for equal rows of ``(R, K)``.

    Example:
        >>> numbered(np.array([[5, 1], [2, 2], [5, 1], [0, 0]])).tolist()
        [0, 1, 0, 2]
    """
    if not len(rows):
        return np.zeros(0, dtype=np.int64)
    width = rows.dtype.itemsize * rows.shape[1]
    tokens = np.ascontiguousarray(rows).view(np.dtype((np.void, width))).ravel()
    _, first, group = np.unique(tokens, return_index=True, return_inverse=True)
    place = np.empty_like(first)
    place[np.argsort(first)] = np.arange(len(first))
    numbers: IntArray = place[group]
    return numbers


def duplicates(classes: Sequence[Hashable] | IntArray, labels: npt.NDArray[np.float64] | None = None) -> Duplicates:
    """Find the rows that share a class.

    Args:
        classes: ``R`` names of classes, e.g. the keys of the rows' graphs; or numbers of :func:`numbered`.
        labels: ``(R,)`` labels; those that are not finite are left out of the spread.

    Example:
        >>> found = duplicates(["a", "b", "a", "c", "b"], np.array([1.0, 5.0, 4.0, 9.0, 5.0]))
        >>> found.num_classes, found.num_conflicts, found.largest_spread, found.widest
        (2, 1, 3.0, (0, 2))
    """
    if isinstance(classes, np.ndarray):
        group = classes
    else:
        numbers: dict[Hashable, int] = {}
        group = np.array([numbers.setdefault(name, len(numbers)) for name in classes], dtype=np.int64)
    size = np.bincount(group)
    repeated = np.flatnonzero(size > 1)
    if not len(repeated):
        return Duplicates(0, 0, 0, 0.0, 0.0, ())
    spread = np.zeros(len(size)) if labels is None else _spread(group, labels, len(size))
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
