"""Texts of a space as choices, many at a time: what texts have in common is read once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import repeat

import numpy as np

from archpredict._typing import IntArray
from archpredict.spaces.base import Choices, SearchSpace

__all__ = ["TextReader"]

_MOST = 100_000
"""Texts in an unusual notation, and fragments of each place, that are remembered."""
_UNKNOWN = -1


class TextReader:
    """Reads texts as :meth:`SearchSpace.parse <archpredict.spaces.base.SearchSpace.parse>` does, and remembers them.

    What the fragments of a text decide (:meth:`SearchSpace.fragments
    <archpredict.spaces.base.SearchSpace.fragments>`) is learnt from texts that were parsed.

    Args:
        space: The space of the architectures.

    Example:
        >>> from archpredict.spaces.base import load_space
        >>> space = load_space("mobilenetv3")
        >>> reader = TextReader(space)
        >>> rows, wrong = reader.read(["r160" + " | k3e3 k5e6" * 5, "r160"])
        >>> rows[0, :6].tolist(), [*wrong]
        ([3, 0, 0, 0, 1, 2], [1])
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._texts: dict[str, Choices] = {}
        self._places = [np.array(places, dtype=np.int64) for places in space.fragment_choices]
        self._known: list[dict[Hashable, int]] = [{} for _ in self._places]
        self._decided = [np.zeros((0, len(places)), dtype=np.int64) for places in self._places]

    def read(self, texts: Sequence[str]) -> tuple[IntArray, dict[int, ValueError]]:
        """Choices of ``B`` texts.

        Returns:
            ``(B, L)`` choices, and by the number of a text why it is no architecture; the choices of such a one are 0.
        """
        rows = np.zeros((len(texts), self._space.num_decisions), dtype=np.int64)
        wrong: dict[int, ValueError] = {}
        fragments = list(map(self._space.fragments, texts))
        for i, parts in enumerate(fragments):
            if parts is None:
                self._set(rows, i, texts[i], wrong)
        usual = [i for i, parts in enumerate(fragments) if parts is not None]
        of_usual = [parts for parts in fragments if parts is not None]
        numbers = self._numbers(of_usual)
        for at in np.flatnonzero((numbers == _UNKNOWN).any(axis=0)).tolist():
            now = [known.get(part, _UNKNOWN) for known, part in zip(self._known, of_usual[at], strict=True)]
            numbers[:, at] = now
            if _UNKNOWN in now:  # still, after those before it were parsed
                self._set(rows, usual[at], texts[usual[at]], wrong, of_usual[at])
        is_known = (numbers != _UNKNOWN).all(axis=0)
        filled = np.array(usual, dtype=np.int64)[is_known]
        for places, decided, number in zip(self._places, self._decided, numbers, strict=True):
            rows[filled[:, None], places] = decided[number[is_known]]
        return rows, wrong

    def _numbers(self, fragments: Sequence[Sequence[Hashable]]) -> IntArray:
        """``(F, U)`` the number of each known fragment, :data:`_UNKNOWN` for others."""
        columns = zip(*fragments, strict=True) if fragments else repeat(())
        return np.array(
            [
                np.fromiter(map(known.get, column, repeat(_UNKNOWN)), np.int64, len(fragments))
                for known, column in zip(self._known, columns, strict=False)
            ]
        )

    def _set(
        self,
        rows: IntArray,
        i: int,
        text: str,
        wrong: dict[int, ValueError],
        fragments: Sequence[Hashable] = (),
    ) -> None:
        """Parse a text, and learn from it."""
        choices = self._texts.get(text)
        if choices is None:
            try:
                choices = self._space.parse(text)
            except ValueError as error:  # InvalidArchitectureError, and the plain ValueError of a user's own parser
                wrong[i] = error
                return
            if fragments:
                self._learn(fragments, np.array(choices, dtype=np.int64))
            elif len(self._texts) < _MOST:
                self._texts[text] = choices
        rows[i] = choices

    def _learn(self, fragments: Sequence[Hashable], choices: IntArray) -> None:
        for j, (known, part, places) in enumerate(zip(self._known, fragments, self._places, strict=True)):
            if part in known or len(known) >= _MOST:
                continue
            number = known[part] = len(known)
            if number == len(self._decided[j]):
                grown = np.zeros((max(64, 2 * number), len(places)), dtype=np.int64)
                grown[:number] = self._decided[j]
                self._decided[j] = grown
            self._decided[j][number] = choices[places]
