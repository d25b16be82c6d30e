"""Where boxes stand and how arrows run: Graphviz's ``dot`` where it is installed, else grandalf in Python."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

__all__ = ["Arranged", "Flow", "arranged"]

Point = tuple[float, float]
_GAP, _RANK_GAP = 14.0, 26.0
"""Pixels between neighbours, and between ranks."""
_INCH = 72.0
_SECONDS = 20.0


@dataclass(frozen=True)
class Flow:
    """What is to be laid out: boxes from top to bottom.

    Args:
        sizes: Width and height of each, in pixels.
        arrows: ``(source, target)``, source before target.
    """

    sizes: tuple[Point, ...]
    arrows: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Arranged:
    """A flow laid out.

    Args:
        centres: Of the boxes; all boxes lie between (0, 0) and ``size``, y downwards.
        curves: For each arrow a start and three points for each cubic Bézier curve.
        size: Width and height of all.
    """

    centres: tuple[Point, ...]
    curves: tuple[tuple[Point, ...], ...]
    size: Point


def arranged(flows: Sequence[Flow]) -> list[Arranged]:
    """Flows laid out, each on its own.

    Example:
        >>> found = arranged([Flow(((40.0, 20.0), (60.0, 20.0)), ((0, 1),))])[0]
        >>> found.centres[0][1] < found.centres[1][1], len(found.curves[0]) % 3
        (True, 1)
    """
    dot = shutil.which("dot")
    if dot is not None:
        try:
            return _by_dot(dot, flows)
        except (OSError, ValueError, subprocess.SubprocessError):
            pass  # a dot that does not work is as good as none
    return [_by_grandalf(flow) for flow in flows]


# ---------------------------------------------------------------------- Graphviz


def _by_dot(dot: str, flows: Sequence[Flow]) -> list[Arranged]:
    text = "\n".join(_in_dot(flow) for flow in flows)
    done = subprocess.run(
        [dot, "-Tplain"], input=text, capture_output=True, text=True, check=True, timeout=_SECONDS + len(flows)
    )
    plain = done.stdout.split("stop\n")[:-1]
    if len(plain) != len(flows):
        raise ValueError(f"dot laid out {len(plain)} graphs of {len(flows)}")
    return [_from_plain(flow, lines) for flow, lines in zip(flows, plain, strict=True)]


def _in_dot(flow: Flow) -> str:
    nodes = [
        f"{i} [width={width / _INCH:.4f}, height={height / _INCH:.4f}];" for i, (width, height) in enumerate(flow.sizes)
    ]
    edges = [f"{source} -> {target};" for source, target in flow.arrows]
    gaps = f"nodesep={_GAP / _INCH:.3f}; ranksep={_RANK_GAP / _INCH:.3f};"
    shape = 'node [shape=box, fixedsize=true, label=""]; edge [dir=none];'
    return "\n".join(["digraph {", gaps, shape, *nodes, *edges, "}"])


def _from_plain(flow: Flow, lines: str) -> Arranged:
    """Read dot's plain format: inches, y upwards, edges as B-splines."""
    width = height = 0.0
    centres: list[Point] = [(0.0, 0.0)] * len(flow.sizes)
    curves: dict[tuple[int, int], tuple[Point, ...]] = {}
    for line in lines.splitlines():
        words = line.split()
        if words[0] == "graph":
            width, height = float(words[2]) * _INCH, float(words[3]) * _INCH
        elif words[0] == "node":
            centres[int(words[1])] = (float(words[2]) * _INCH, height - float(words[3]) * _INCH)
        elif words[0] == "edge":
            numbers = [float(word) * _INCH for word in words[4 : 4 + 2 * int(words[3])]]
            points = [(x, height - y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
            curves[int(words[1]), int(words[2])] = tuple(points)
    return Arranged(tuple(centres), tuple([curves[arrow] for arrow in flow.arrows]), (width, height))


# ---------------------------------------------------------------------- Python alone


class _View:
    """What grandalf wants to know of a box, and where it puts it."""

    def __init__(self, size: Point) -> None:
        self.w, self.h = size
        self.xy = (0.0, 0.0)


class _Route:
    """Where grandalf leads an edge."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def setpath(self, points: list[Point]) -> None:
        self.points = [(float(x), float(y)) for x, y in points]


def _by_grandalf(flow: Flow) -> Arranged:
    from grandalf.graphs import Edge, Graph, Vertex
    from grandalf.layouts import SugiyamaLayout
    from grandalf.routing import route_with_lines

    vertices = [Vertex(i) for i in range(len(flow.sizes))]
    for vertex, size in zip(vertices, flow.sizes, strict=True):
        vertex.view = _View(size)
    edges = {arrow: Edge(vertices[arrow[0]], vertices[arrow[1]]) for arrow in flow.arrows}
    for edge in edges.values():
        edge.view = _Route()
    left = 0.0
    for component in Graph(vertices, [*edges.values()]).C:
        layout = SugiyamaLayout(component)
        layout.xspace, layout.yspace = _GAP, _RANK_GAP
        layout.route_edge = route_with_lines
        layout.init_all(roots=[v for v in component.sV if not v.e_in()], optimize=False)
        layout.draw(4)
        left = _shift(component, left)
    centres = [vertex.view.xy for vertex in vertices]
    top = min(y - h / 2 for (_, y), (_, h) in zip(centres, flow.sizes, strict=True))
    placed = [(x, y - top) for x, y in centres]
    curves = [
        _bent([(x, y - top) for x, y in edge.view.points], placed[s], placed[t], flow.sizes[s][1], flow.sizes[t][1])
        for (s, t), edge in edges.items()
    ]
    rights = [x + w / 2 for (x, _), (w, _) in zip(placed, flow.sizes, strict=True)]
    lows = [y + h / 2 for (_, y), (_, h) in zip(placed, flow.sizes, strict=True)]
    rights += [x for curve in curves for x, _ in curve]
    return Arranged(tuple(placed), tuple(curves), (max(rights), max(lows)))


def _shift(component: Any, left: float) -> float:
    """Move a component to the right of the ones before; its right edge with a gap."""
    vertices, edges = list(component.sV), list(component.sE)
    xs = [v.view.xy[0] - v.view.w / 2 for v in vertices] + [x for e in edges for x, _ in e.view.points]
    move = left - min(xs)
    for v in vertices:
        v.view.xy = (float(v.view.xy[0] + move), float(v.view.xy[1]))
    for e in edges:
        e.view.points = [(x + move, y) for x, y in e.view.points]
    rights = [v.view.xy[0] + v.view.w / 2 for v in vertices] + [x for e in edges for x, _ in e.view.points]
    return float(max(rights)) + _GAP


def _bent(points: list[Point], source: Point, target: Point, above: float, below: float) -> tuple[Point, ...]:
    """A line through the points as Bézier curves that leave and arrive vertically."""
    inner = points[1:-1]
    stops = [(source[0], source[1] + above / 2), *inner, (target[0], target[1] - below / 2)]
    curve = [stops[0]]
    for (x0, y0), (x1, y1) in pairwise(stops):
        middle = (y0 + y1) / 2
        curve += [(x0, middle), (x1, middle), (x1, y1)]
    return tuple(curve)
