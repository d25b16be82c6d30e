"""The page of a ranking: its rows as sections of plain data."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from archpredict.backends import versions
from archpredict.costs.cost import OwnCost
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.drawing import picture_of
from archpredict.graph.pictures.picture import Group
from archpredict.metrics.fronts import on_front
from archpredict.onnx.files import Failure
from archpredict.onnx.reader import OpenSizes
from archpredict.pages.charts import chart, line, points
from archpredict.pages.parts import (
    Cards,
    Chart,
    Facts,
    Gallery,
    Item,
    Page,
    Part,
    Section,
    Sheet,
    Snippets,
    Text,
    Value,
)
from archpredict.predict.rank.choosing import LeftOut
from archpredict.predict.rank.drawings import MOST_DRAWINGS
from archpredict.predict.rank.own_labels import Adaptation
from archpredict.predict.rank.ranked import Ranked
from archpredict.predict.rank.ranking_table import cost_headings, place_notes, short_names
from archpredict.spaces.base import Architecture

__all__ = ["ranking_page"]

_PACKAGES = ("archpredict", "torch", "numpy", "scikit-learn", "onnx")
_90 = 1.645
"""Standard deviations to each side, between which nine in ten values of a normal variable lie."""
_MOST_BARS = 100
"""Models from which on intervals would cover each other."""


class Shown(Protocol):
    """What a page is of: a :class:`archpredict.predict.rank.ranking.Ranking`."""

    @property
    def title(self) -> str:
        """What was done."""

    @property
    def predictor(self) -> str:
        """Name of the predictor."""

    @property
    def meaning(self) -> str:
        """What a score means."""

    @property
    def recipe(self) -> str | None:
        """By which the models are taken to be trained."""

    @property
    def sizes(self) -> OpenSizes:
        """Of images and sequences, where files leave them open."""

    @property
    def rows(self) -> tuple[Ranked, ...]:
        """The models, best first."""

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Those that could not be read."""

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Those outside of limits."""

    @property
    def adaptation(self) -> Adaptation | None:
        """How well labels of one's own were learnt."""


def ranking_page(ranking: Shown, again: Mapping[str, str] | None = None) -> Page:
    """The page of a ranking.

    Args:
        ranking: The models.
        again: Texts that repeat it, by what they do.
    """
    rows, names, headings = ranking.rows, short_names(ranking.rows), cost_headings(ranking.rows)
    items = [_item(row, name, headings) for row, name in zip(rows, names, strict=True)]
    sections = [
        Section("Result", [*_summary(ranking), *_charts(rows), *_table(rows, names)]),
        Section("Networks", list(_drawings(items))),
        Section("Could not be read", list(_failures(ranking))),
        Section("Left out", list(_left_out(ranking))),
        Section("Again", [Snippets(list((again or {}).items()))] if again else []),
        Section("Settings and versions", [Facts(_settings(ranking))]),
    ]
    failed = f", {len(ranking.failures)} could not be read" if ranking.failures else ""
    return Page(
        ranking.title,
        f"{ranking.meaning}{failed}",
        [section for section in sections if section.parts],
        items,
        copied="Model",
    )


# ---------------------------------------------------------------------- models


def _item(row: Ranked, name: str, headings: Sequence[str]) -> Item:
    facts: dict[str, Value] = {"rank": row.rank, "score": row.score, "±": row.std}
    if row.std is not None:
        facts |= {"nine in ten: from": row.score - _90 * row.std, "nine in ten: to": row.score + _90 * row.std}
    facts |= {"better than the next": row.beats_next, "params": row.params, "macs": row.macs, "nodes": row.nodes}
    for heading, cost in zip(headings, row.speeds, strict=True):
        facts |= {heading: cost.value, f"{heading}: from": cost.low, f"{heading}: to": cost.high}
        if isinstance(cost, OwnCost):
            facts[f"{heading}: measured"] = "yes" if cost.is_measured else "no"
    facts |= {f"taken size of {one}": " x ".join(map(str, shape)) for one, shape in row.assumed.items()}
    facts |= {"novelty": row.novelty, "warnings": "; ".join(_sentences(row)) or None}
    return Item(name, _notation(row), facts, _picture(row))


def _sentences(row: Ranked) -> list[str]:
    told = [remark.sentence for remark in row.remarks] + [text for cost in row.speeds for text in cost.remarks]
    return list(dict.fromkeys(told))


def _notation(row: Ranked) -> str:
    """What the model is called where it comes from: a path, a notation."""
    return str(row.model) if isinstance(row.model, Architecture) else row.name


def _picture(row: Ranked) -> Group | None:
    if row.picture is None and isinstance(row.model, Architecture | ArchGraph):
        return picture_of(row.model) if row.rank <= MOST_DRAWINGS else None
    return row.picture


def _table(rows: Sequence[Ranked], names: Sequence[str]) -> Iterator[Sheet]:
    if not rows:
        return
    headings = cost_headings(rows)
    columns: dict[str, Sequence[Value]] = {
        "rank": [row.rank for row in rows],
        "model": names,
        "score": [row.score for row in rows],
        "±": [row.std for row in rows],
        "beats next": [None if row.beats_next is None else round(row.beats_next, 3) for row in rows],
        "params": [row.params for row in rows],
        "macs": [row.macs for row in rows],
        "nodes": [row.nodes for row in rows],
        **{heading: [row.speeds[i].value for row in rows] for i, heading in enumerate(headings)},
        **({"front": ["yes" if row.on_front else "" for row in rows]} if headings else {}),
        "warnings": [_words(row) for row in rows],
    }
    known = {name: values for name, values in columns.items() if any(value not in (None, "") for value in values)}
    yield Sheet("Models", list(known), list(zip(*known.values(), strict=True)), range(len(rows)))


def _words(row: Ranked) -> str:
    words = [remark.words for remark in row.remarks] + ["speed" for cost in row.speeds if cost.remarks]
    return ", ".join(dict.fromkeys(words))


# ---------------------------------------------------------------------- result


def _summary(ranking: Shown) -> Iterator[Part]:
    rows = ranking.rows
    cards = [("models", f"{len(rows):,}")]
    if rows:
        spread = "" if rows[0].std is None else f" ± {rows[0].std:.2g}"
        cards += [("best score", f"{rows[0].score:.4g}{spread}"), ("best model", short_names(rows)[0])]
        cards += [("with warnings", f"{sum(bool(_sentences(row)) for row in rows):,}")]
    cards += [("could not be read", f"{len(ranking.failures):,}")] if ranking.failures else []
    yield Cards(cards)
    yield Text(
        f"Score: {ranking.meaning}. ± is one standard deviation; beats next: probability of being "
        "better than the next one."
    )
    for note in place_notes(rows):
        yield Text(f"{note} Details of a model tell between which values nine in ten lie.")
    if ranking.adaptation is not None:
        yield Text(str(ranking.adaptation))


def _charts(rows: Sequence[Ranked]) -> Iterator[Chart]:
    """Score over each cost that is known, the front marked."""
    if len(rows) < 2:
        return
    numbers: dict[str, Callable[[Ranked], float | None]] = {
        "macs": lambda row: row.macs,
        "params": lambda row: row.params,
    }
    for name, cost in numbers.items():
        yield from _chart(rows, name, [cost(row) for row in rows], -1)
    for i, heading in enumerate(cost_headings(rows)):
        sign = 1 if rows[0].speeds[i].is_speed else -1
        yield from _chart(rows, heading, [row.speeds[i].value for row in rows], sign)


def _chart(rows: Sequence[Ranked], name: str, costs: Sequence[float | None], sign: int) -> Iterator[Chart]:
    known = [i for i, cost in enumerate(costs) if cost is not None]
    values = np.array([[rows[i].score, sign * float(costs[i] or 0)] for i in known]).reshape(-1, 2)
    if len(known) < 2:
        return
    best = on_front(values)
    front = sorted((known[k] for k in np.flatnonzero(best)), key=lambda i: float(costs[i] or 0))
    others = [known[k] for k in np.flatnonzero(~best)]
    traces: list[dict[str, Any]] = [
        _points(rows, costs, "model", others, 0, "circle"),
        _points(rows, costs, "front", front, 1, "diamond"),
    ]
    if len(front) > 1:
        path = line("along the front", [costs[i] for i in front], [rows[i].score for i in front], 1, dash="dot")
        traces.append({**path, "hoverinfo": "skip", "showlegend": False})
    across = f"{name} ({'more' if sign > 0 else 'less'} is better)"
    scale = {"type": "log"} if min(sign * values[:, 1]) > 0 else {}
    title = f"Score over {name}: {len(front)} of {len(known)} models on the front"
    about = f"Predicted score over {name}; models that no other beats in both are marked."
    found = chart(title, traces, across, "score", about)
    yield Chart(found.title, found.traces, {**found.layout, "xaxis": {**found.layout["xaxis"], **scale}}, found.about)


def _points(
    rows: Sequence[Ranked], costs: Sequence[float | None], name: str, numbers: Sequence[int], colour: int, symbol: str
) -> dict[str, Any]:
    trace = points(name, [costs[i] for i in numbers], [rows[i].score for i in numbers], colour, numbers, symbol)
    spread = [rows[i].std for i in numbers]
    if len(rows) > _MOST_BARS or not any(spread):
        return trace
    return {**trace, "error_y": {"type": "data", "array": spread, "thickness": 0.7, "width": 0}}


def _drawings(items: Sequence[Item]) -> Iterator[Part]:
    drawn = [i for i, item in enumerate(items) if item.group is not None]
    if drawn:
        if len(drawn) < len(items):
            yield Text(f"Drawn are {len(drawn):,} of the {len(items):,} models: the best ones.")
        yield Gallery("By stages, best first", drawn)


# ---------------------------------------------------------------------- the rest


def _failures(ranking: Shown) -> Iterator[Part]:
    if ranking.failures:
        yield Sheet("Failures", ["model", "reason"], [[one.model, one.error] for one in ranking.failures])


def _left_out(ranking: Shown) -> Iterator[Part]:
    if ranking.left_out:
        yield Sheet("Outside of limits", ["model", "reason"], [[one.name, one.reason] for one in ranking.left_out])


def _settings(ranking: Shown) -> list[tuple[str, str]]:
    found = {"predictor": ranking.predictor, "score": ranking.meaning}
    found |= {} if ranking.recipe is None else {"recipe": ranking.recipe}
    size = ranking.sizes
    found["sizes that a file leaves open"] = f"images {size.image} x {size.image}, sequences {size.sequence}"
    found |= {
        f"where {i}": cost.where for i, cost in enumerate(ranking.rows[0].speeds if ranking.rows else (), start=1)
    }
    found |= {f"version of {name}": text for name, text in versions(*_PACKAGES).items() if text is not None}
    return [*found.items(), ("version of Python", platform.python_version())]
