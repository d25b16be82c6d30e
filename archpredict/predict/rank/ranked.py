"""Ranked: a model in a ranking, and remarks on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archpredict.costs.cost import Cost
from archpredict.graph.pictures.picture import Group


@dataclass(frozen=True)
class Remark:
    """A remark on a model: a few words for the table, and a sentence."""

    words: str
    sentence: str


@dataclass(frozen=True)
class Ranked:
    """A row of a ranking.

    Args:
        rank: From 1; equal for ties.
        tied: Whether another model has this rank.
        name: What the model is called.
        score, std: Predicted; the standard deviation is None where the predictor has none.
        beats_next: Probability of being better than the next row; None for the last one, and without std.
        params, macs: Parameters and multiply-adds, None where they are not known.
        nodes: Of the graph.
        novelty: Distance from all that the predictor has learnt from, far above 1; None where it cannot tell.
        remarks: What to know, the gravest first.
        model: The model as it was given; of a folder or pattern, the file.
        assumed: Shapes of inputs of which the file leaves lengths open, as they were taken.
        speeds: Speeds, or what else is known of devices of the user's own, in each place that was asked for.
        on_front: Whether no other model is at least as good in score and in the first of these, and better in one of
            them; None where nothing was asked for.
        picture: The model by its stages, of the best files and modules.
    """

    rank: int
    tied: bool
    name: str
    score: float
    std: float | None
    beats_next: float | None
    params: int | None
    macs: int | None
    nodes: int
    novelty: float | None
    remarks: tuple[Remark, ...]
    model: Any = field(compare=False, repr=False)
    assumed: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    speeds: tuple[Cost, ...] = ()
    on_front: bool | None = None
    picture: Group | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; ``assumed`` is there where the file leaves lengths of inputs open, ``speed`` where one asks."""
        assumed = {name: list(shape) for name, shape in self.assumed.items()}
        return {
            "rank": self.rank,
            "model": self.name,
            "score": self.score,
            "std": self.std,
            "beats_next": self.beats_next,
            "params": self.params,
            "macs": self.macs,
            "nodes": self.nodes,
            **({"assumed": assumed} if assumed else {}),
            **({"speed": [speed.to_dict() for speed in self.speeds], "pareto": self.on_front} if self.speeds else {}),
            "warnings": [remark.sentence for remark in self.remarks],
        }
