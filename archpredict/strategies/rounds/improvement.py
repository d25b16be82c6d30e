"""Expected improvement of the hypervolume, exactly, where objectives are independent and normal."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from archpredict._typing import FloatArray
from archpredict.metrics.fronts import on_front

__all__ = ["boxes_above", "expected_improvement"]

_FAR = 30.0
"""Standard deviations beyond which densities are nothing."""
_CHUNK = 2_000_000
"""Pairs of an architecture and a box that are worked on at once."""


def boxes_above(front: FloatArray, reference: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Disjoint boxes that together are what lies above the reference point and is not dominated by the front.

    The last number cuts space into slabs at the points of the front. Within a slab the points that reach it dominate
    what their projection dominates, so its boxes are those of one dimension less.

    Args:
        front: ``(n, m)``, more is better.
        reference: ``(m,)``.

    Returns:
        Lower and upper corners, ``(k, m)`` each; the upper ones may be infinite.

    Example:
        >>> lower, upper = boxes_above(np.array([[1.0, 3.0], [2.0, 2.0]]), np.zeros(2))
        >>> lower.tolist(), upper.tolist()
        ([[2.0, 0.0], [1.0, 2.0], [0.0, 3.0]], [[inf, 2.0], [inf, 3.0], [inf, inf]])
    """
    points = front[(front > reference).all(axis=1)]
    if front.shape[1] == 1:
        best = max([reference[0], *points[:, 0]])
        return np.array([[best]]), np.array([[np.inf]])
    cuts = [reference[-1], *np.unique(points[:, -1]), np.inf]
    lower, upper = [], []
    for start, end in pairwise(cuts):
        reaching = points[points[:, -1] >= end][:, :-1]
        low, high = boxes_above(reaching[on_front(reaching)], reference[:-1])
        lower.append(np.column_stack([low, np.full(len(low), start)]))
        upper.append(np.column_stack([high, np.full(len(high), end)]))
    return np.concatenate(lower), np.concatenate(upper)


def expected_improvement(mean: FloatArray, std: FloatArray, front: FloatArray, reference: FloatArray) -> FloatArray:
    """Expected growth of the hypervolume by one more point each: EHVI.

    Emmerich, Giannakoglou and Naujoks, "Single- and multiobjective evolutionary optimization assisted by Gaussian
    random field metamodels", IEEE Transactions on Evolutionary Computation 10 (4), 2006. The growth is the volume of
    what the point dominates of the boxes above the front; with independent normal objectives its expectation is, box by
    box, the product over objectives of ``E[(Y - l)+] - E[(Y - u)+]``. With one objective this is expected improvement.

    Args:
        mean: ``(n, m)`` expected objectives, more is better.
        std: ``(n, m)`` their standard deviations; 0 for what is known.
        front: ``(f, m)`` the front so far; empty at first.
        reference: ``(m,)`` the reference point.

    Returns:
        ``(n,)``, at least 0.

    Example:
        >>> known = np.array([[3.0, 1.0], [1.0, 1.0]])
        >>> expected_improvement(known, np.zeros((2, 2)), np.array([[1.0, 3.0], [2.0, 2.0]]), np.zeros(2))
        array([1., 0.])
    """
    lower, upper = boxes_above(front, reference)
    found = np.zeros(len(mean))
    step = max(1, _CHUNK // len(lower))
    for start in range(0, len(mean), step):
        rows = slice(start, start + step)
        volume = np.ones((len(mean[rows]), len(lower)))
        for j in range(mean.shape[1]):
            ends, place = np.unique(np.concatenate([lower[:, j], upper[:, j]]), return_inverse=True)
            excess = _expected_excess(mean[rows, j], std[rows, j], ends)  # (n, e), of few distinct ends
            volume *= excess[:, place[: len(lower)]] - excess[:, place[len(lower) :]]
        found[rows] = volume.sum(axis=1)
    return np.maximum(found, 0.0)


def _expected_excess(mean: FloatArray, std: FloatArray, ends: FloatArray) -> FloatArray:
    """``E[(Y - end)+]`` of normal Y: ``(n, e)``; nothing is above infinity."""
    from scipy.special import ndtr

    above = mean[:, None] - np.where(np.isfinite(ends), ends, 0.0)[None]
    known = (std == 0)[:, None]
    z = np.clip(above / np.where(known, 1.0, std[:, None]), -_FAR, _FAR)
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    excess = np.where(known, np.maximum(above, 0.0), above * ndtr(z) + std[:, None] * density)
    return np.where(np.isfinite(ends)[None], excess, 0.0)
