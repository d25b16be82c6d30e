"""The page of a run: its record as sections of plain data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import ArchPredictError
from archpredict.evaluators.base import Result
from archpredict.graph.drawing import picture_of
from archpredict.metrics import kendall_tau
from archpredict.metrics.fronts import on_front
from archpredict.pages.charts import bars, chart, line, points, shares
from archpredict.pages.parts import Cards, Chart, Facts, Gallery, Item, Page, Part, Section, Sheet, Snippets, Text
from archpredict.runs.directory import flatten
from archpredict.runs.history import RecordedEvent, running_best
from archpredict.runs.record import RunRecord
from archpredict.runs.volume import Volume, volume
from archpredict.spaces.base import SearchSpace
from archpredict.strategies.base import Problem

__all__ = ["PAGE", "items_of", "run_page", "volume_of", "write_run_page"]

PAGE = "index.html"
"""Name of the page in a report."""

_RELOAD_SECONDS = 20
_MOST_DRAWINGS = 600
"""Evaluations that are drawn, the best and the last ones; more would take seconds."""
_MOST_PANELS = 6
_IN_GALLERY = 12
_SHARE, _CONTROLLER, _TAU = "share:", "controller", "kendall_tau"
_WINDOWS = 40


def write_run_page(
    record: RunRecord, space: SearchSpace | None, path: Path, again: Mapping[str, str] | None = None
) -> Path:
    """Write the page of a run.

    Args:
        record: The run.
        space: Its space, for drawings and costs.
        path: The file to make.
        again: Texts that repeat and go on with the run, by what they do.
    """
    from archpredict.pages.page import write_page

    return write_page(run_page(record, space, again), path)


def run_page(record: RunRecord, space: SearchSpace | None = None, again: Mapping[str, str] | None = None) -> Page:
    """The page of a run; arguments as for :func:`write_run_page`."""
    items = items_of(record, space)
    problem = _problem(record, space)
    sections = [
        Section("Result", [*_summary(record), *_progress(record, problem), _table(record, items)]),
        Section("Best architectures", list(_best(record, items))),
        Section("Prediction", list(_prediction(record))),
        Section("Controller", list(_controller(record))),
        Section("Operators", list(_operators(record, space))),
        Section("Failures", list(_failures(record))),
        Section("Time", list(_time(record))),
        Section("Again", [Snippets(list((again or _calls(record)).items()))]),
        Section("Settings and versions", _settings(record)),
    ]
    settings = record.settings
    told = f"{len(record.evaluations)} of {settings.get('budget', '?')} evaluations by {_evaluator(record)}"
    return Page(
        record.name,
        f"{told}{'' if record.is_finished else '; the run goes on'}",
        [section for section in sections if section.parts],
        items,
        None if record.is_finished else _RELOAD_SECONDS,
    )


def items_of(record: RunRecord, space: SearchSpace | None, prefix: str = "") -> list[Item]:
    """What the points and rows of a run stand for, the evaluations in order."""
    costs = _costs(record, space)
    drawn = _drawn(record) if space is not None else set()
    items = []
    for i, e in enumerate(record.evaluations):
        group = picture_of(space.decode(e.choices)) if space is not None and i in drawn else None
        known = {name: float(column[i]) for name, column in costs.items() if name not in e.values}
        facts = {"score": e.score, "error": e.error, **e.values, **known, "seconds": e.seconds}
        items.append(Item(f"{prefix}evaluation {e.number + 1}", e.notation, facts, group))
    return items


def _costs(record: RunRecord, space: SearchSpace | None) -> Mapping[str, FloatArray]:
    if space is None or not record.evaluations:
        return {}
    return space.costs(np.array([e.choices for e in record.evaluations], dtype=np.int64))


def _drawn(record: RunRecord) -> set[int]:
    """Places of the evaluations that are drawn: all, or the best and the last."""
    n = len(record.evaluations)
    if n <= _MOST_DRAWINGS:
        return set(range(n))
    best = sorted(range(n), key=lambda i: -math.inf if (s := record.evaluations[i].score) is None else s, reverse=True)
    return {*best[: 3 * _MOST_DRAWINGS // 4], *range(n - _MOST_DRAWINGS // 4, n)}


def _problem(record: RunRecord, space: SearchSpace | None) -> Problem | None:
    """The problem of several objectives; None where there is one, or it cannot be made again."""
    if len(record.objectives) < 2 or space is None:
        return None
    try:
        limits = record.settings.get("limits", {})
        return Problem(space, max(1, len(record.evaluations)), limits, objectives=record.objectives, measured=None)
    except ArchPredictError:
        return None


# ---------------------------------------------------------------------- result


def _summary(record: RunRecord) -> list[Part]:
    scores = [e.score for e in record.evaluations if e.score is not None]
    failed = len(record.evaluations) - len(scores)
    rows = [("evaluations", f"{len(record.evaluations):,}"), ("failed", f"{failed:,}")]
    if scores and len(record.objectives) < 2:
        sign = record.objectives[0].sign if record.objectives else 1
        rows.insert(0, (f"best {_score_name(record)}", f"{sign * max(scores):.7g}"))
    rows.append(("time worked", _duration(sum(seconds for _, seconds in record.sessions))))
    found: list[Part] = [Cards(rows)]
    labels = (
        record.settings.get("evaluator", {}).get("labels")
        if isinstance(record.settings.get("evaluator"), dict)
        else None
    )
    return [*found, Text(f"Labels are {str(labels).rstrip('.')}.")] if labels else found


def _score_name(record: RunRecord) -> str:
    return record.objectives[0].name if len(record.objectives) == 1 else "score"


def _progress(record: RunRecord, problem: Problem | None) -> list[Part]:
    if len(record.objectives) > 1:
        return [*_fronts(record, problem), *_volume_chart(record, problem)]
    sign = record.objectives[0].sign if record.objectives else 1
    numbers = [e.number + 1 for e in record.evaluations]
    given = [None if e.score is None else sign * e.score for e in record.evaluations]
    best = [sign * value for value in running_best(e.score for e in record.evaluations)]
    good = [i for i, value in enumerate(given) if value is not None]
    bad = [i for i, value in enumerate(given) if value is None]
    known = [given[i] for i in good]
    low = min((value for value in known if value is not None), default=0.0)
    traces = [
        points("evaluation", [numbers[i] for i in good], known, 0, good),
        line("best so far", numbers, best, 1, steps=True),
    ]
    if bad:
        traces.append(points("failed", [numbers[i] for i in bad], [low] * len(bad), 8, bad, "x"))
    name = _score_name(record)
    about = f"Points: the {name} of each evaluation; line: the best so far."
    return [chart(f"Best {name} over evaluations", traces, "evaluations", name, about)]


def _fronts(record: RunRecord, problem: Problem | None) -> Iterator[Chart]:
    objectives = record.objectives
    rows = [i for i, e in enumerate(record.evaluations) if all(o.name in e.values for o in objectives)]
    values = np.array([[record.evaluations[i].values[o.name] for o in objectives] for i in rows]).reshape(
        -1, len(objectives)
    )
    kept = np.array([problem is None or problem.keeps_limits(record.evaluations[i].values) for i in rows], dtype=bool)
    oriented = values * [o.sign for o in objectives]
    front = np.zeros(len(rows), dtype=bool)
    front[np.flatnonzero(kept)] = on_front(oriented[kept]) if kept.any() else False
    for a, b in list(combinations(range(len(objectives)), 2))[:_MOST_PANELS]:
        sets = (("evaluated", ~front, 5, "circle"), ("front", front, 1, "diamond"))
        traces = [
            points(
                name,
                values[of, b].tolist(),
                values[of, a].tolist(),
                colour,
                [rows[i] for i in np.flatnonzero(of)],
                symbol,
            )
            for name, of, colour, symbol in sets
        ]
        up, across = (
            f"{o.name} ({'more' if o.sign > 0 else 'less'} is better)" for o in (objectives[a], objectives[b])
        )
        title = f"Front of {int(front.sum())} among {len(record.evaluations)} evaluations"
        yield chart(title, traces, across, up, f"{objectives[a].name} over {objectives[b].name}; the front is marked.")


def _volume_chart(record: RunRecord, problem: Problem | None) -> Iterator[Part]:
    found = None if problem is None else volume_of(record, problem)
    if found is not None:
        point = ", ".join(f"{name} {value:.6g}" for name, value in found.reference.items())
        curve = line("hypervolume", range(1, len(found.over_evaluations) + 1), found.over_evaluations, 1, steps=True)
        title = f"Hypervolume of the front: {found.value:.6g} (reference point: {point})"
        yield chart(title, [curve], "evaluations", "hypervolume", title)


def volume_of(record: RunRecord, problem: Problem) -> Volume | None:
    """The hypervolume over the evaluations of a run."""
    results = [
        Result(problem.space.architecture(e.choices), e.score, e.error, e.seconds, {}, e.values)
        for e in record.evaluations
    ]
    return volume(problem, results)


def _table(record: RunRecord, items: Sequence[Item]) -> Sheet:
    names = list(dict.fromkeys(name for item in items for name, value in item.facts.items() if value is not None))
    names = ["score", *(name for name in names if name != "score")] if "score" in names else names
    rows = [
        [e.number + 1, *(item.facts.get(n) for n in names)] for e, item in zip(record.evaluations, items, strict=True)
    ]
    return Sheet("Evaluations", ["number", *names, "architecture"], rows, range(len(rows)))


# ---------------------------------------------------------------------- the strategy


def _best(record: RunRecord, items: Sequence[Item]) -> Iterator[Gallery]:
    """Drawings of those with the best scores, each architecture once; several objectives have no one order."""
    scores = {i: e.score for i, e in enumerate(record.evaluations) if e.score is not None}
    drawn = sorted((i for i in scores if items[i].group is not None), key=lambda i: -scores[i])
    distinct = {items[i].notation: i for i in reversed(drawn)}
    best = sorted(distinct.values(), key=lambda i: (-scores[i], i))[:_IN_GALLERY]
    if best and len(record.objectives) < 2:
        yield Gallery("Best first", best)


def _prediction(record: RunRecord) -> Iterator[Part]:
    taus = {e.round: e.event.values[_TAU] for e in record.events if _TAU in e.event.values}
    if taus:
        about = "Kendall's tau between predictions and the labels that followed, over the number of labels."
        curve = {**line("tau", list(taus), list(taus.values()), 0), "mode": "lines+markers"}
        yield Text(
            "Every prediction is judged by a label that came after it: Kendall's tau over all such pairs so far. They "
            "are the architectures that the strategy expected most of, which are harder to order than random ones."
        )
        yield chart("How well what was not seen yet was ranked", [curve], "labels", "Kendall's tau", about)
    if len(record.judged) > 1:
        predicted, labels = zip(*record.judged, strict=True)
        ends = [min(predicted + labels), max(predicted + labels)]
        tau = kendall_tau(labels, predicted)
        told = f", tau {tau:.3f}" if math.isfinite(tau) else ""
        traces = [points("evaluation", predicted, labels, 0), line("equal", ends, ends, 5, dash="dot")]
        title = f"{len(labels)} labels over what was predicted before{told}"
        yield chart(title, traces, "predicted score", "label", "Labels over predicted scores.")


def _controller(record: RunRecord) -> Iterator[Part]:
    told = [e for e in record.events if e.event.stage == _CONTROLLER]
    numbers = range(1, len(told) + 1)
    lines = [
        {
            "type": "line",
            "x0": i,
            "x1": i,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "line": {"width": 1, "dash": "dot", "color": "#888888"},
        }
        for i in _round_starts(told)
    ]
    explained = " Dotted lines: a new round." if lines else ""
    for name, title, up in (
        ("reward", "Reward of the controller", "mean probability of beating the baseline"),
        ("entropy", "Entropy of the controller", "nats per architecture"),
        ("baseline", "Baselines as the curriculum raised them", "share of labelled architectures it should beat"),
    ):
        values = [e.event.values.get(name) for e in told]
        if any(value is not None for value in values):
            curve = line(name, numbers, values, 0, steps=name == "baseline")
            yield chart(title, [curve], "reports of the controller", up, f"{title} over time.{explained}", shapes=lines)
    names = list(dict.fromkeys(n for e in told for n in e.event.values if n.startswith(_SHARE)))
    if names:
        named = {n.removeprefix(_SHARE): [e.event.values.get(n, 0.0) for e in told] for n in sorted(names)}
        title = "Share of each operator in what the controller draws"
        yield _share_chart(title, numbers, named, "reports of the controller")


def _share_chart(title: str, x: Sequence[Any], named: Mapping[str, Any], along: str) -> Chart:
    axis = {"range": [0, 1], "tickformat": ".0%"}
    return chart(title, shares(x, named), along, "share", title, yaxis=axis, hovermode="x unified")


def _round_starts(events: Sequence[RecordedEvent]) -> list[float]:
    rounds = [e.round for e in events]
    return [i + 0.5 for i in range(1, len(rounds)) if rounds[i] != rounds[i - 1]]


def _operators(record: RunRecord, space: SearchSpace | None) -> Iterator[Part]:
    """The share of each operator among what was evaluated, over time."""
    n = len(record.evaluations)
    if space is None or not 10 <= n <= _MOST_DRAWINGS:
        return
    counts = [Counter(space.decode(e.choices).operations) for e in record.evaluations]
    size = max(1, math.ceil(len(counts) / _WINDOWS))
    windows = [sum(counts[i : i + size], Counter()) for i in range(0, len(counts), size)]
    frequent = [op for op, _ in sum(windows, Counter()).most_common(9)]
    named: dict[str, list[float | None]] = {op: [w[op] / max(1, w.total()) for w in windows] for op in sorted(frequent)}
    rest = [1 - sum(column) for column in zip(*([v or 0.0 for v in values] for values in named.values()), strict=True)]
    if any(value > 1e-9 for value in rest):
        named["others"] = list(rest)
    title = "Share of each operator in what was evaluated"
    across = [min(i + size, len(counts)) for i in range(0, len(counts), size)]
    yield _share_chart(title, across, named, "evaluations")


# ---------------------------------------------------------------------- failures, time, settings


def _failures(record: RunRecord) -> Iterator[Part]:
    failed = [(i, e) for i, e in enumerate(record.evaluations) if e.score is None]
    if failed:
        rows = [[e.number + 1, e.error, e.notation] for _, e in failed]
        yield Sheet("Failures", ["number", "reason", "architecture"], rows, [i for i, _ in failed])


def _time(record: RunRecord) -> Iterator[Part]:
    worked, busy = (
        sum(s for _, s in record.sessions),
        _union([(e.time - e.seconds, e.time) for e in record.evaluations]),
    )
    if worked > 0:
        busy = min(busy, worked)
        names, values = ["evaluating", "strategy and record"], [busy, worked - busy]
        about = f"Evaluating {busy:.1f} s, all else {worked - busy:.1f} s."
        yield replace(
            chart("Where the time went", [bars("seconds", names, values, 0)], "seconds", "", about), short=True
        )
    if len(record.sessions) > 1:
        rows = [(f"session {i}", _duration(seconds)) for i, (_, seconds) in enumerate(record.sessions, start=1)]
        yield Facts(rows)


def _union(spans: Sequence[tuple[float, float]]) -> float:
    """Seconds in which at least one of them was going on."""
    total, until = 0.0, -math.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _settings(record: RunRecord) -> list[Part]:
    rows = [(name, _as_text(value)) for name, value in flatten(dict(record.settings)).items()]
    versions = record.config.get("versions", {})
    rows += [(f"version of {name}", str(version)) for name, version in versions.items()]
    others = record.config.get("other_labels")
    rows += [("other labels", _as_text(others))] if others else []
    return [Facts(rows)]


def _as_text(value: Any) -> str:
    return ", ".join(map(_as_text, value)) if isinstance(value, list) else str(value)


def _calls(record: RunRecord) -> dict[str, str]:
    """How a program goes on with the run."""
    return {"go on with the run": f"archpredict.search(..., out={str(record.path)!r}, resume=True)"}


def _evaluator(record: RunRecord) -> str:
    described = record.settings.get("evaluator")
    return str(described.get("evaluator", "?")) if isinstance(described, dict) else str(described)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
