"""Charts as plain data, which Plotly draws in the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from archpredict.pages.parts import Chart

__all__ = ["band", "bars", "chart", "histogram", "line", "points", "shares"]

Numbers = Sequence[float | None]
_MANY = 2000
"""Points from which on a trace is drawn by WebGL."""


def chart(title: str, traces: Sequence[Mapping[str, Any]], across: str, up: str, about: str, **layout: Any) -> Chart:
    """A chart with named axes.

    Args:
        title: Above it.
        traces: From the functions below.
        across: What the axis to the right shows.
        up: What the other one shows.
        about: What the chart shows, in a sentence.
        layout: More of Plotly's layout.
    """
    axes = {"xaxis": {"title": {"text": _plain(across)}}, "yaxis": {"title": {"text": _plain(up)}}}
    return Chart(title, traces, {**axes, **layout}, about)


def points(
    name: str, x: Numbers, y: Numbers, colour: int, items: Sequence[int] = (), symbol: str = "circle", size: int = 8
) -> dict[str, Any]:
    """A point for each pair; ``items`` are what they stand for.

    Example:
        >>> points("tried", [1, 2], [0.5, float("nan")], 0)["y"]
        [0.5, None]
    """
    kind = "scattergl" if len(x) > _MANY else "scatter"
    marker = {"symbol": symbol, "size": size, "opacity": 0.75}
    common = {"type": kind, "mode": "markers", "name": _plain(name), "colour": colour, "marker": marker}
    linked = {"items": list(items), "hoverinfo": "none"} if items else {}
    return {**common, "x": _finite(x), "y": _finite(y), **linked}


def line(name: str, x: Numbers, y: Numbers, colour: int, *, steps: bool = False, dash: str = "solid") -> dict[str, Any]:
    """A line, or steps that hold until the next value."""
    style = {"shape": "hv" if steps else "linear", "width": 2, "dash": dash}
    common = {"type": "scatter", "mode": "lines", "name": _plain(name), "colour": colour, "line": style}
    return {**common, "x": _finite(x), "y": _finite(y)}


def band(name: str, x: Numbers, low: Numbers, high: Numbers, colour: int) -> dict[str, Any]:
    """The ground between two curves."""
    area = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "fill": "toself", "hoverinfo": "skip"}
    both = {"x": [*_finite(x), *reversed(_finite(x))], "y": [*_finite(high), *reversed(_finite(low))]}
    return {**area, **both, "name": _plain(name), "colour": colour, "showlegend": False}


def bars(name: str, names: Sequence[str], values: Numbers, colour: int) -> dict[str, Any]:
    """A bar to the right for each name."""
    return {
        "type": "bar",
        "orientation": "h",
        "name": _plain(name),
        "x": _finite(values),
        "y": [_plain(text) for text in names],
        "colour": colour,
    }


def histogram(name: str, values: Sequence[float], colour: int) -> dict[str, Any]:
    """How many values lie in each of some equal ranges.

    Args:
        name: Of the trace.
        values: Finite numbers.
        colour: Number of the page's palette.

    Example:
        >>> found = histogram("labels", [0.0, 0.0, 1.0, 2.0], 0)
        >>> found["y"], found["x"]
        ([2, 1, 1], [0.3333333333333333, 1.0, 1.6666666666666665])
    """
    import numpy as np

    counts, edges = np.histogram(values, bins=min(40, max(1, math.ceil(2 * math.sqrt(len(values)) - 1))))
    middles, width = (edges[:-1] + edges[1:]) / 2, float(edges[1] - edges[0])
    common = {"type": "bar", "name": _plain(name), "colour": colour, "width": width, "hovertemplate": "%{x:.4g}: %{y}"}
    return {**common, "x": middles.tolist(), "y": counts.tolist()}


def shares(x: Numbers, named: Mapping[str, Numbers]) -> list[dict[str, Any]]:
    """Shares that add up to 1, one upon the other."""
    style = {"type": "scatter", "mode": "lines", "stackgroup": "one", "hovertemplate": "%{y:.0%}", "line": {"width": 1}}
    return [
        {**style, "name": _plain(name), "x": _finite(x), "y": _finite(y), "colour": i}
        for i, (name, y) in enumerate(named.items())
    ]


def _finite(values: Numbers) -> list[float | None]:
    return [None if v is None or not math.isfinite(v) else v for v in values]


def _plain(text: str) -> str:
    """A text in which Plotly finds none of the tags that it would follow."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
