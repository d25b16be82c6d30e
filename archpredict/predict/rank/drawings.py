"""Drawings of the best of many models, made while their graphs are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archpredict.graph.pictures.blocks import picture_of_stages
from archpredict.graph.pictures.picture import Group
from archpredict.predict.rank._candidates import Candidate
from archpredict.predict.rank.scored import ScoredModel

__all__ = ["MOST_DRAWINGS", "Drawings"]

MOST_DRAWINGS = 500
"""Models that are drawn, the best ones: a drawing takes a few hundredths of the time that reading a file does."""


class Drawings:
    """Pictures of files and modules by their stages, which are all that is kept of their graphs.

    Architectures and graphs that were given as such are with their rows anyway, and are drawn when they are shown.

    Args:
        most: How many are kept: those of the best models so far.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[int, tuple[float, Group]] = {}

    def add(self, scored: Sequence[ScoredModel], candidates: Mapping[int, Candidate]) -> None:
        """Draw those of the models that are among the best so far.

        Args:
            scored: Models that have their scores.
            candidates: The same ones with their graphs, by number.
        """
        scores = {number: score for number, (score, _) in self._kept.items()}
        scores |= {one.number: one.known.score for one in scored if candidates[one.number].source is not None}
        best = sorted(scores, key=lambda number: (-scores[number], number))[: self._most]
        self._kept = {
            number: self._kept[number] if number in self._kept else (scores[number], _picture(candidates[number]))
            for number in best
        }

    @property
    def by_number(self) -> dict[int, Group]:
        """The pictures, by the numbers of their models."""
        return {number: picture for number, (_, picture) in self._kept.items()}


def _picture(candidate: Candidate) -> Group:
    return picture_of_stages(candidate.graph)
