"""A ranking as a table for people: headings, cells, and the lines below it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Literal

from archpredict.costs.cost import Cost, OwnCost
from archpredict.graph.summary import si
from archpredict.predict.rank.ranked import Ranked

Align = Literal["left", "right"]
COLUMNS: Mapping[str, Align] = {
    "rank": "right",
    "model": "left",
    **dict.fromkeys(("score", "±", "beats next", "params", "macs", "nodes"), "right"),
    "warnings": "left",
}
_UNKNOWN = "-"


def columns(rows: Sequence[Ranked]) -> Mapping[str, Align]:
    """Headings with their alignment: :data:`COLUMNS`, and a cost for each place before the warnings."""
    speeds: dict[str, Align] = dict.fromkeys(cost_headings(rows), "right")
    front: dict[str, Align] = {"front": "left"} if speeds else {}
    before = {name: align for name, align in COLUMNS.items() if name != "warnings"}
    return {**before, **speeds, **front, "warnings": "left"}


def cells(rows: Sequence[Ranked]) -> list[tuple[str, ...]]:
    """A row of texts for each model, one for each of :func:`columns`."""
    numbers = zip(*_fixed([row.score for row in rows], [row.std for row in rows]), strict=True) if rows else ()
    found: list[tuple[str, ...]] = []
    for row, name, (score, std) in zip(rows, short_names(rows), numbers, strict=True):
        place = f"{'=' if row.tied else ''}{row.rank}"
        better = _UNKNOWN if row.beats_next is None else f"{row.beats_next:.2f}"
        costs = (_UNKNOWN if cost is None else si(cost) for cost in (row.params, row.macs))
        words = [remark.words for remark in row.remarks]
        words += ["speed" for speed in row.speeds if speed.remarks]
        speeds = [_cost(cost) for cost in row.speeds]
        front = ["*" if row.on_front else ""] if row.speeds else []
        warned = ", ".join(dict.fromkeys(words))
        found.append((place, name, score, std, better, *costs, str(row.nodes), *speeds, *front, warned))
    return found


def notes(rows: Sequence[Ranked], meaning: str) -> list[str]:
    """The lines below the table: what the columns mean, and what to know of models."""
    found = []
    if rows:
        found.append(f"Score: {meaning}; ± is one standard deviation.")
        found.append("beats next: probability of being better than the model below.")
    for row, name in zip(rows, short_names(rows), strict=True):
        found += [f"{name}: {remark.sentence}" for remark in row.remarks]
    return found


def speed_notes(rows: Sequence[Ranked]) -> list[str]:
    """The lines below the table on speeds: what the columns mean, and what is outside of what was measured."""
    if not rows or not rows[0].speeds:
        return []
    names, costs, found = cost_headings(rows), rows[0].speeds, place_notes(rows)
    if any(isinstance(cost, OwnCost) for cost in costs):
        found.append("In parentheses: nine in ten lie between; of measured models, what was measured.")
    else:
        found.append("In parentheses: nine in ten speeds of models of other families lie between.")
    found.append(f"front: no other model is better in score or {names[0]} without being worse in the other.")
    remarks: dict[str, list[str]] = {}
    for row, name in zip(rows, short_names(rows), strict=True):
        for remark in dict.fromkeys(remark for speed in row.speeds for remark in speed.remarks):
            remarks.setdefault(remark, []).append(name)
    for remark, models in remarks.items():
        whom = "all models" if len(models) == len(rows) > 1 else ", ".join(models)
        found.append(f"{whom}: speed: {remark}")
    return found


def place_notes(rows: Sequence[Ranked]) -> list[str]:
    """A line for each place: what the column of its heading tells."""
    found = []
    for name, cost in zip(cost_headings(rows), rows[0].speeds if rows else (), strict=True):
        what = "images per second in the setting" if cost.is_speed else f"{cost.what}, of which less is better, on"
        found.append(f"{name}: {what} {cost.where}.")
    return found


def cost_headings(rows: Sequence[Ranked]) -> list[str]:
    """A heading for each place, all different."""
    found: list[str] = []
    for cost in rows[0].speeds if rows else ():
        heading = f"{'img/s' if cost.is_speed else cost.what} {cost.device}"
        found.append(heading + (f" {len(found) + 1}" if heading in found else ""))
    return found


def _cost(cost: Cost) -> str:
    if cost.is_measured:
        return f"{shown(cost.value)} (measured)"
    return f"{shown(cost.value)} ({shown(cost.low)}-{shown(cost.high)})"


def shown(speed: float) -> str:
    """A speed or another cost with three digits.

    Example:
        >>> shown(1234.5), shown(3.14159), shown(0.01234)
        ('1,230', '3.14', '0.0123')
    """
    if speed >= 1:
        digits = max(0, 2 - math.floor(math.log10(speed)))
        rounded = round(speed, 2 - math.floor(math.log10(speed)))
        return f"{rounded:,.{digits}f}"
    return f"{speed:.3g}"


def table(rows: Sequence[Ranked]) -> list[str]:
    """The lines of the table as plain text, headings first."""
    headings = columns(rows)
    lines = [tuple(headings), *cells(rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    found = []
    for line in lines:
        aligned = zip(line, widths, headings.values(), strict=True)
        texts = (text.ljust(width) if align == "left" else text.rjust(width) for text, width, align in aligned)
        found.append("  ".join(texts).rstrip())
    return found


def html_table(rows: Sequence[Ranked]) -> str:
    """The table as HTML, names and remarks escaped."""
    headings = columns(rows)
    lines = ["".join(f'<th style="text-align: {a}">{escape(name)}</th>' for name, a in headings.items())]
    for line in cells(rows):
        aligned = zip(line, headings.values(), strict=True)
        lines.append("".join(f'<td style="text-align: {align}">{escape(text)}</td>' for text, align in aligned))
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def short_names(rows: Sequence[Ranked]) -> list[str]:
    """File names where they tell the models apart, else the whole names."""
    names = [row.model.name if isinstance(row.model, Path) and row.name == str(row.model) else row.name for row in rows]
    return names if len(set(names)) == len(names) else [row.name for row in rows]


def _fixed(scores: Sequence[float], stds: Sequence[float | None]) -> tuple[list[str], list[str]]:
    """Scores and deviations with as many decimals as their uncertainty, or else their spread, makes worth showing.

    Example:
        >>> _fixed([81.234, 79.0], [0.82, 1.13])
        (['81.23', '79.00'], ['0.82', '1.13'])
        >>> _fixed([0.91234, 0.9], [None, None])
        (['0.9123', '0.9000'], ['-', '-'])
    """
    known = [std for std in stds if std]
    scale = min(known) if known else max(scores) - min(scores)
    decimals = min(9, max(0, 1 - math.floor(math.log10(scale)))) if scale > 0 else 2
    decimals += 0 if known else 1
    return (
        [f"{score:.{decimals}f}" for score in scores],
        [_UNKNOWN if std is None else f"{std:.{decimals}f}" for std in stds],
    )
