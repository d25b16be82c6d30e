"""Shapley values: what each of a few parts adds to a number that depends on which of them are there."""

from __future__ import annotations

from math import factorial

import numpy as np

from archpredict._typing import BoolArray, FloatArray

__all__ = ["coalitions", "shapley_values"]

MOST_PARTS = 14
"""Parts up to which all of their sets are looked at."""


def coalitions(parts: int) -> BoolArray:
    """``(2^n, n)``: all sets of ``n`` parts, row ``r`` with the parts whose bits ``r`` has.

    Example:
        >>> coalitions(2).astype(int).tolist()
        [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    found: BoolArray = (np.arange(2**parts)[:, None] >> np.arange(parts)) & 1 == 1
    return found


def shapley_values(values: FloatArray) -> FloatArray:
    """What each part adds, on average over all orders in which they may come.

    Shapley, "A value for n-person games", 1953::

        phi_i = sum over sets S without i of  |S|! (n - |S| - 1)! / n!  (v(S with i) - v(S))

    They add up to the value of all parts less that of none.

    Args:
        values: ``(2^n,)`` the number for each set, in the order of :func:`coalitions`.

    Returns:
        ``(n,)``.

    Example:
        >>> shapley_values(np.array([0.0, 1.0, 2.0, 5.0])).tolist()  # 1 and 2 alone, 2 more together
        [2.0, 3.0]
    """
    parts = len(values).bit_length() - 1
    sets = coalitions(parts)
    size = sets.sum(axis=1)
    weight = np.array([factorial(s) * factorial(parts - s - 1) / factorial(parts) for s in range(parts)])
    found = np.zeros(parts)
    for i in range(parts):
        without = np.flatnonzero(~sets[:, i])
        found[i] = weight[size[without]] @ (values[without + (1 << i)] - values[without])
    return found
