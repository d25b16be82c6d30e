"""Rows of a ranking: order, ties, probabilities, and what is to be said of each model."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from archpredict.errors import UsageError
from archpredict.graph.operators import total
from archpredict.onnx.files import not_a_classifier

if TYPE_CHECKING:
    from archpredict.graph.arch_graph import ArchGraph
    from archpredict.onnx.reader import OnnxModel
    from archpredict.predict.adaptation import AdaptedPredictor
    from archpredict.predict.predictor import Predictor

__all__ = ["Ranked", "Remark", "check_ranker", "equal_graphs", "ranked", "remarks"]

OUT = "out of distribution"


@dataclass(frozen=True)
class Remark:
    """Something to know of a model: a few words for the table, and a sentence."""

    words: str
    sentence: str


@dataclass(frozen=True)
class Ranked:
    """One row.

    Args:
        rank: From 1; equal for ties.
        tied: Whether another model has this rank.
        model: The model.
        score, std: Predicted, std None where the predictor has none.
        beats_next: Probability of being better than the next row; None for the last one, and without std.
        remarks: What to know.
    """

    rank: int
    tied: bool
    model: OnnxModel
    score: float
    std: float | None
    beats_next: float | None
    remarks: tuple[Remark, ...]


def ranked(models: Sequence[OnnxModel], ranker: Predictor | AdaptedPredictor) -> list[Ranked]:
    """The models, best first; equal graphs are scored once and tied."""
    if not models:
        return []
    kinds = equal_graphs([model.graph for model in models])
    distinct = sorted(set(kinds))
    graphs = [models[i].graph for i in distinct]
    place = {i: k for k, i in enumerate(distinct)}
    scores = ranker.predict(graphs)
    stds = ranker.predict_std(graphs) if ranker.has_std else np.full(len(graphs), math.nan)
    far = _unfamiliar(ranker, graphs)
    of = [place[kind] for kind in kinds]
    counts = Counter(scores[k] for k in of)
    order = sorted(range(len(models)), key=lambda i: -scores[of[i]])  # stable: ties stay as they were given
    rows: list[Ranked] = []
    for i, after in zip_longest(order, order[1:]):
        k = of[i]
        above = rows and rows[-1].score == scores[k]
        following = None if after is None or not ranker.has_std else of[after]
        row = Ranked(
            rank=rows[-1].rank if above else len(rows) + 1,
            tied=counts[scores[k]] > 1,
            model=models[i],
            score=float(scores[k]),
            std=float(stds[k]) if ranker.has_std else None,
            beats_next=None if following is None else _better(scores[k] - scores[following], stds[k], stds[following]),
            remarks=remarks(models[i], far[k]),
        )
        rows.append(row)
    return rows


def _unfamiliar(ranker: Predictor | AdaptedPredictor, graphs: Sequence[ArchGraph]) -> Sequence[bool]:
    """Whether each graph is far from the training set; predictors that read the graph alone cannot tell."""
    from archpredict.predict.adaptation import AdaptedPredictor

    base = ranker.base if isinstance(ranker, AdaptedPredictor) else ranker
    return base.unfamiliar(graphs).tolist() if base.spec_.num_side else [False] * len(graphs)


def equal_graphs(graphs: Sequence[ArchGraph]) -> list[int]:
    """For each graph the index of the first one that is equal up to the numbering of its nodes.

    Keys are only made of graphs that agree in what is counted at once.
    """
    alike = defaultdict(list)
    for i, graph in enumerate(graphs):
        alike[(tuple(sorted(graph.ops)), graph.num_edges, total(graph, "params"), total(graph, "macs"))].append(i)
    first = list(range(len(graphs)))
    for members in alike.values():
        seen: dict[str, int] = {}
        for i in members if len(members) > 1 else ():
            first[i] = seen.setdefault(graphs[i].key, i)
    return first


def remarks(model: OnnxModel, far: bool) -> tuple[Remark, ...]:
    """What to know of a model, the gravest first."""
    found = []
    other = not_a_classifier(model)
    if other is not None:
        found.append(Remark(OUT, f"out of distribution: it looks like no image classifier: {other}"))
    elif far:
        found.append(Remark(OUT, "out of distribution: it is far from all models that the predictor has learnt from"))
    for sentence in model.warnings:
        of_operators = any(name in sentence for name in model.unknown)
        found.append(Remark("unknown operators" if of_operators else "see below", sentence))
    return tuple(found)


def check_ranker(ranker: Predictor | AdaptedPredictor, name: str) -> None:
    """The predictor reads computational graphs.

    Raises:
        UsageError: It was fitted on a search space, or reads numbers that a file does not tell.
    """
    from archpredict.predict.adaptation import AdaptedPredictor

    base = ranker.base if isinstance(ranker, AdaptedPredictor) else ranker
    if base.space_ is not None:
        raise UsageError(
            f"the predictor {name} was fitted on the space {base.space_}, not on ONNX models; "
            "leave out `predictor`, or fit one to ONNX models with `Predictor.fit`"
        )
    if base.feature_names_:
        raise UsageError(
            f"the predictor {name} also reads {', '.join(base.feature_names_)}, which an ONNX file does not tell; "
            "take another one"
        )


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
