"""Mixed bits: keys by which things are told apart, and by whose sums, whatever their order, collections of them are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]

FACTORS = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)
_SHIFT = np.uint64(31)


def mixed(keys: Keys, which: int) -> Keys:
    """Keys each bit of which depends on all bits of those given.

    Args:
        keys: Any number of them.
        which: 0, 1 or 2, for keys that differ from those of the other two.
    """
    keys = (keys + FACTORS[which]) * FACTORS[1]
    keys = (keys ^ (keys >> _SHIFT)) * FACTORS[2]
    return keys ^ (keys >> _SHIFT)


def sums(keys: Keys, start: npt.NDArray[Any]) -> Keys:
    """``(G,)`` sum over each piece of ``(T,)`` keys, modulo 2 to the power of 64.

    Args:
        keys: One piece after another.
        start: ``(G + 1,)`` where each begins.
    """
    total = np.zeros(len(keys) + 1, dtype=np.uint64)
    np.cumsum(keys, out=total[1:])
    found: Keys = total[start[1:]] - total[start[:-1]]
    return found
