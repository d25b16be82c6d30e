"""Repeats: parts of a sequence that come several times in a row."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from archpredict._typing import IntArray

__all__ = ["Repeat", "RepeatedPart", "folded", "num_elements"]

_LONGEST = 2000
"""Elements of the longest part that is looked for."""
_LEAST_SAVED = 3
_MOST_WORK = 100_000_000
_CLOSER = 15
"""Comparisons after which no more is folded, as a sequence that needs so many has too many different parts anyway; and
how many of them a closer look at one period counts for."""


@dataclass(frozen=True)
class RepeatedPart:
    """A part that comes ``count`` times from ``start`` on, ``period`` elements each."""

    start: int
    period: int
    count: int


@dataclass(frozen=True)
class Repeat:
    """A folded run: what its first part consists of, single elements and runs in it."""

    run: RepeatedPart
    parts: tuple[int | Repeat, ...]


def folded(tokens: Sequence[Hashable], crossing: Sequence[int]) -> tuple[int | Repeat, ...]:
    """A sequence in which repeats are folded, the largest first, and what is left and inside of them again.

    Args:
        tokens: Equal elements are equal.
        crossing: How many things lead over each place to what comes there or later, as many as tokens: of several
            places at which the same run could begin, that with the fewest is taken, which is where blocks begin.

    Example:
        >>> folded("xabcabcabcy", [1] * 11)
        (0, Repeat(run=RepeatedPart(start=1, period=3, count=3), parts=(1, 2, 3)), 10)
    """
    numbers: dict[Hashable, int] = {}
    codes = np.array([numbers.setdefault(token, len(numbers)) for token in tokens], dtype=np.int64)
    return tuple(_Folding(codes, crossing).folded(0, len(codes)))


def num_elements(parts: Sequence[int | Repeat]) -> int:
    """Elements that are left, inside of folded runs too.

    Example:
        >>> num_elements(folded("xabcabcabcy", [1] * 11))
        5
    """
    return sum(1 if isinstance(part, int) else num_elements(part.parts) for part in parts)


class _Folding:
    """Codes of the elements, and the work that is left."""

    def __init__(self, codes: IntArray, crossing: Sequence[int]) -> None:
        self._codes, self._crossing, self._left = codes, crossing, _MOST_WORK

    def folded(self, start: int, stop: int) -> list[int | Repeat]:
        run = self._best(start, stop)
        if run is None:
            return list(range(start, stop))
        end = run.start + run.period * run.count
        inside = tuple(self.folded(run.start, run.start + run.period))
        return [*self.folded(start, run.start), Repeat(run, inside), *self.folded(end, stop)]

    def _best(self, start: int, stop: int) -> RepeatedPart | None:
        """The run that saves most elements, of equal ones that with the shortest period."""
        codes, n = self._codes[start:stop], stop - start
        best, saved = None, _LEAST_SAVED - 1
        for period in range(1, min(n // 2, _LONGEST, n - saved - 1) + 1):
            if n - period <= saved or self._left <= 0:
                break  # longer periods save less than what is found
            equal = codes[:-period] == codes[period:]
            self._left -= n
            if np.count_nonzero(equal) <= saved:
                continue
            self._left -= _CLOSER * n
            edges = np.flatnonzero(np.diff(np.concatenate(([False], equal, [False])).astype(np.int8)))
            starts, lengths = edges[::2], edges[1::2] - edges[::2]
            whole = lengths // period * period
            i = int(whole.argmax())
            if whole[i] > saved:
                saved = int(whole[i])
                places = range(start + int(starts[i]), start + int(starts[i] + lengths[i]) - saved + 1)
                best = RepeatedPart(min(places, key=self._crossing.__getitem__), period, saved // period + 1)
        return best
