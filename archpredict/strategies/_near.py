"""Members of a pool near an architecture: they take the place of mutants where part of a space can be labelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from archpredict._typing import IntArray

_BLOCK = 32


def nearest_first(pool: IntArray, choices: Sequence[int], rng: np.random.Generator) -> Iterator[IntArray]:
    """Rows of a pool, those that differ from an architecture in the fewest choices first, ties in random order.

    A row may come more than once.

    Args:
        pool: ``(R, L)`` choices.
        choices: ``L`` choices of the architecture.
        rng: Source of randomness.

    Example:
        >>> pool = np.array([[1, 1], [0, 0], [0, 1]])
        >>> [row.tolist() for row in nearest_first(pool, (0, 0), np.random.default_rng(0))][:3]
        [[0, 0], [0, 1], [1, 1]]
    """
    distance = (pool != np.array(choices)).sum(axis=1) + rng.random(len(pool))
    for size in (_BLOCK, _BLOCK**2, len(pool)):  # sorting all of a large pool is seldom needed
        near = np.argpartition(distance, size - 1)[:size] if size < len(pool) else np.arange(len(pool))
        yield from pool[near[np.argsort(distance[near])]]
