"""Scores of models that were read, chunk by chunk, and the rows of a ranking that they make."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

from archpredict._typing import FloatArray
from archpredict.costs.cost import Cost
from archpredict.costs.places import Place, costs_at
from archpredict.graph.pictures.picture import Group
from archpredict.onnx.files import not_a_classifier
from archpredict.onnx.reader import SIZE_TAKEN
from archpredict.predict.rank._candidates import Candidate, Chunk, equal
from archpredict.predict.rank.ranked import Ranked, Remark
from archpredict.predict.rank.ranker import Ranker
from archpredict.spaces.base import Architecture

OUT = "out of distribution"
_UNPLACED = 0.1
"""Share of parameters in layers of unknown size from which on a model is unlike those that were learnt from."""


@dataclass(frozen=True)
class Said:
    """What a predictor says of an architecture, once for all models that are equal to it."""

    score: float
    std: float | None
    novelty: float | None


@dataclass(frozen=True, eq=False)
class ScoredModel:
    """A model without its graph, which is no longer needed.

    Args:
        number: Its place among the models that were given.
        name, model, costs, nodes, remarks, assumed, speeds: As of :class:`archpredict.predict.rank.ranked.Ranked`.
        known: What is predicted.
    """

    number: int
    name: str
    model: Any
    known: Said
    costs: tuple[int | None, int | None]
    nodes: int
    remarks: tuple[Remark, ...]
    assumed: Any
    speeds: tuple[Cost, ...]


class Scoring:
    """Scores chunks of models; equal models are scored once.

    Args:
        ranker: The predictor.
        places: Where the models are to run.
    """

    def __init__(self, ranker: Ranker, places: Sequence[Place]) -> None:
        self._ranker, self._places = ranker, places
        self._known: dict[Hashable, Said] = {}

    def __call__(self, chunk: Chunk) -> list[ScoredModel]:
        """The models of a chunk, in their order.

        Raises:
            UsageError: Costs are asked for, and they are no networks as a whole.
        """
        candidates = list(chunk.candidates.values())
        if not candidates:
            return []
        kinds = self._kinds(chunk, candidates)
        new = {kind: candidates[i] for i, kind in reversed(list(enumerate(kinds))) if kind not in self._known}
        order = [kind for kind in dict.fromkeys(kinds) if kind in new]
        if order:
            said = _predicted(self._ranker, [new[kind].architecture for kind in order])
            self._known |= {
                kind: Said(
                    float(said.scores[k]),
                    None if said.stds is None else float(said.stds[k]),
                    None if said.novelty is None else float(said.novelty[k]),
                )
                for k, kind in enumerate(order)
            }
        speeds: Sequence[tuple[Cost, ...]] = [() for _ in candidates]
        if self._places:
            speeds = costs_at(self._places, [candidate.graph for candidate in candidates])
        return [
            _scored(number, candidate, self._known[kind], own)
            for (number, candidate), kind, own in zip(chunk.candidates.items(), kinds, speeds, strict=True)
        ]

    def _kinds(self, chunk: Chunk, candidates: Sequence[Candidate]) -> list[Hashable]:
        """What is equal for candidates that are; across chunks it has to be their keys."""
        by_choices = _reads_choices(self._ranker)
        if not chunk.is_part:
            return list(equal(candidates, by_choices=by_choices))
        kinds: list[Hashable] = []
        for candidate in candidates:
            architecture = candidate.architecture
            own = architecture.choices if by_choices and isinstance(architecture, Architecture) else None
            kinds.append((own, candidate.graph.key))
        return kinds


def _scored(number: int, candidate: Candidate, known: Said, speeds: tuple[Cost, ...]) -> ScoredModel:
    return ScoredModel(
        number=number,
        name=candidate.name,
        model=candidate.model,
        known=known,
        costs=candidate.costs,
        nodes=candidate.graph.num_nodes,
        remarks=_remarks(candidate, known.novelty is not None and known.novelty > 1),
        assumed={} if candidate.source is None else candidate.source.assumed,
        speeds=speeds,
    )


def ranked(scored: Sequence[ScoredModel], pictures: Mapping[int, Group]) -> list[Ranked]:
    """The rows, best first; equal scores are tied and stay as they were given.

    Args:
        scored: The models.
        pictures: Of some of them, by number.
    """
    counts = Counter(one.known.score for one in scored)
    order = sorted(scored, key=lambda one: (-one.known.score, one.number))
    rows: list[Ranked] = []
    for one, after in zip_longest(order, order[1:]):
        score, std = one.known.score, one.known.std
        above = rows and rows[-1].score == score
        params, macs = one.costs
        better = None
        if after is not None and std is not None:
            better = _better(score - after.known.score, std, after.known.std or 0.0)
        rows.append(
            Ranked(
                rank=rows[-1].rank if above else len(rows) + 1,
                tied=counts[score] > 1,
                name=one.name,
                score=score,
                std=std,
                beats_next=better,
                params=params,
                macs=macs,
                nodes=one.nodes,
                novelty=one.known.novelty,
                remarks=one.remarks,
                assumed=one.assumed,
                model=one.model,
                speeds=one.speeds,
                picture=pictures.get(one.number),
            )
        )
    return rows


def _reads_choices(ranker: Ranker) -> bool:
    spec = ranker.spec_
    return spec.form == "choices" or any(source.name == "choices" for source in spec.sources.sources)


class _Predicted(NamedTuple):
    """``(n,)`` predictions for distinct architectures; None where the predictor cannot tell."""

    scores: FloatArray
    stds: FloatArray | None
    novelty: FloatArray | None


def _predicted(ranker: Ranker, architectures: Sequence[Any]) -> _Predicted:
    inputs = ranker.pack(architectures)
    novelty = ranker.novelty(inputs) if ranker.has_novelty else None
    if not ranker.has_std:
        return _Predicted(ranker.predict(inputs), None, novelty)
    return _Predicted(*ranker.predict(inputs, return_std=True), novelty)


def _remarks(candidate: Candidate, novel: bool) -> tuple[Remark, ...]:
    """Remarks on a model: first what size it was taken to have, then the others, the gravest first."""
    found, source = [], candidate.source
    sentences = () if source is None else source.warnings
    sizes = [sentence for sentence in sentences if sentence.startswith(SIZE_TAKEN)]
    found += [Remark("size taken", sentence) for sentence in sizes]
    other = None if source is None else not_a_classifier(source)
    if other is not None:
        found.append(Remark(OUT, f"out of distribution: it looks like no image classifier: {other}"))
    elif source is not None and source.unplaced >= _UNPLACED:
        share = f"{100 * source.unplaced:.0f} % of its parameters are in layers whose sizes are not known"
        found.append(Remark(OUT, f"out of distribution: {share}"))
    elif novel:
        found.append(Remark(OUT, "out of distribution: it is far from all models that the predictor has learnt from"))
    for sentence in sentences:
        if sentence not in sizes:
            of_operators = source is not None and any(name in sentence for name in source.unknown)
            found.append(Remark("unknown operators" if of_operators else "see below", sentence))
    return tuple(found)


def _better(difference: float, a: float, b: float) -> float:
    """``Phi(difference / sqrt(a² + b²))``.

    Example:
        >>> _better(0.0, 0.0, 0.0), round(_better(1.0, 0.6, 0.8), 4)
        (0.5, 0.8413)
    """
    spread = math.hypot(a, b)
    if not spread:
        return 0.5 if not difference else float(difference > 0)
    return 0.5 * (1 + math.erf(difference / spread / math.sqrt(2)))
