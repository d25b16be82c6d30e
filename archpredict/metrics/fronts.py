"""Several numbers at once: the front that nothing dominates, its hypervolume, its knee.

Everywhere more is better: what is to be small comes with its sign turned. Sorting and indicators are moocore's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archpredict._typing import BoolArray, FloatArray, IntArray

__all__ = [
    "contributions",
    "crowding_distance",
    "front_ranks",
    "hypervolume",
    "knee",
    "on_front",
    "running_hypervolume",
]


def on_front(values: npt.ArrayLike) -> BoolArray:
    """Which points no other dominates: is at least as large in every number, and larger in one. Equal ones stay.

    Args:
        values: ``(n, m)`` finite numbers.

    Example:
        >>> on_front([[1.0, 3.0], [2.0, 2.0], [1.0, 2.0], [2.0, 2.0]])
        array([ True,  True, False,  True])
    """
    points = _points(values)
    if not len(points):
        return np.zeros(0, dtype=bool)
    if points.shape[1] == 1:
        return np.asarray(points[:, 0] == points[:, 0].max())
    import moocore

    return np.asarray(moocore.is_nondominated(points, maximise=True, keep_weakly=True), dtype=bool)


def front_ranks(values: npt.ArrayLike) -> IntArray:
    """The rank of each point by non-dominated sorting: 0 on the front, 1 on the front of the others, and so on.

    Args:
        values: ``(n, m)`` finite numbers.

    Example:
        >>> front_ranks([[1.0, 3.0], [2.0, 2.0], [1.0, 2.0], [0.0, 0.0]])
        array([0, 0, 1, 2])
    """
    points = _points(values)
    if not len(points):
        return np.zeros(0, dtype=np.int64)
    if points.shape[1] == 1:
        return np.asarray(np.unique(-points[:, 0], return_inverse=True)[1], dtype=np.int64)
    import moocore

    distinct, place = np.unique(points, axis=0, return_inverse=True)  # it ranks equal points one after the other
    return np.asarray(moocore.pareto_rank(distinct, maximise=True)[place.ravel()], dtype=np.int64)


def crowding_distance(values: npt.ArrayLike) -> FloatArray:
    """How far the neighbours of each point of a front are apart: the sum over all numbers, each in units of its span.

    Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE
    Transactions on Evolutionary Computation 6 (2), 2002, section III-B. The first and the last in a number have no
    second neighbour and an infinite distance. Departure: of equal points the first is measured as if it were alone, the
    others have a distance of 0.

    Args:
        values: ``(n, m)`` finite numbers.

    Example:
        >>> crowding_distance([[0.0, 10.0], [1.0, 9.0], [6.0, 8.0], [10.0, 0.0], [1.0, 9.0]])
        array([inf, 0.8, 1.8, inf, 0. ])
    """
    points = _points(values)
    distance = np.zeros(len(points))
    distinct, first = np.unique(points, axis=0, return_index=True)
    for column in distinct.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        if len(ordered) and ordered[-1] > ordered[0]:
            gaps = (ordered[2:] - ordered[:-2]) / (ordered[-1] - ordered[0])
            distance[first[order]] += np.concatenate([[np.inf], gaps, [np.inf]])
    return distance


def hypervolume(values: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """The volume of what the points dominate, down to a reference point. Points that are not above it add nothing.

    Zitzler and Thiele, "Multiobjective evolutionary algorithms: a comparative case study and the strength Pareto
    approach", IEEE Transactions on Evolutionary Computation 3 (4), 1999.

    Args:
        values: ``(n, m)`` finite numbers.
        reference: ``(m,)``.

    Example:
        >>> hypervolume([[1.0, 3.0], [2.0, 2.0]], [0.0, 0.0])
        5.0
    """
    points, worst = _points(values), np.asarray(reference, dtype=np.float64)
    points = points[(points > worst).all(axis=1)]
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(points.max() - worst[0])
    import moocore

    return float(moocore.hypervolume(points, ref=worst, maximise=True))


def contributions(values: npt.ArrayLike, reference: npt.ArrayLike) -> FloatArray:
    """The part of the hypervolume that each point alone dominates.

    Args:
        values: ``(n, m)`` finite numbers.
        reference: ``(m,)``.

    Example:
        >>> contributions([[1.0, 3.0], [2.0, 2.0], [1.0, 1.0]], [0.0, 0.0])
        array([1., 2., 0.])
    """
    points, worst = _points(values), np.asarray(reference, dtype=np.float64)
    if not len(points):
        return np.zeros(0)
    if points.shape[1] == 1:  # what the best has above the second
        best, second = np.sort(np.append(points[:, 0], worst))[[-1, -2]]
        return np.where(points[:, 0] == best, max(0.0, best - max(second, worst[0])), 0.0)
    import moocore

    return np.asarray(
        moocore.hv_contributions(points, ref=worst, maximise=True, ignore_dominated=False), dtype=np.float64
    )


def running_hypervolume(values: npt.ArrayLike, reference: npt.ArrayLike) -> FloatArray:
    """The hypervolume of the first point, the first two, and so on. Rows that are not finite add nothing.

    Args:
        values: ``(n, m)``.
        reference: ``(m,)``.

    Example:
        >>> running_hypervolume([[1.0, 3.0], [np.nan, np.nan], [2.0, 2.0]], [0.0, 0.0])
        array([3., 3., 5.])
    """
    worst = np.asarray(reference, dtype=np.float64)
    front, volume, curve = np.empty((0, len(worst))), 0.0, list[float]()
    for point in _points(values):
        if np.isfinite(point).all() and (point > worst).all() and not (front >= point).all(axis=1).any():
            front = np.vstack([front[~(front <= point).all(axis=1)], point])
            volume = hypervolume(front, worst)
        curve.append(volume)
    return np.array(curve)


def knee(values: npt.ArrayLike) -> int:
    """The place of the knee of a front: the point farthest above the plane through its ends.

    With every number scaled to [0, 1] over the front this is the largest sum. Das, "On characterizing the 'knee' of the
    Pareto curve based on Normal-Boundary Intersection", Structural Optimization 18, 1999.

    Args:
        values: ``(n, m)`` finite numbers, ``n`` at least 1.

    Example:
        >>> knee([[0.0, 10.0], [8.0, 9.0], [10.0, 0.0]])
        1
    """
    points = _points(values)
    span = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(span > 0, span, 1.0)
    return int(np.argmax(scaled.sum(axis=1)))


def _points(values: npt.ArrayLike) -> FloatArray:
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 2:
        raise ValueError(f"points are rows of numbers, an array of shape {points.shape} was given")
    return points
