"""Pictures of computational graphs: nodes in layers by their distance from the input, coloured by what they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.backends import nothing_left_at_home
from archpredict.errors import RunError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import ACTIVATIONS, NORMS, POOLS

__all__ = ["draw"]

MAX_NODES = 3000
ENDINGS = (".svg", ".png")

_CLASSES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "convolution": ("#1f77b4", ("conv", "conv_transpose")),
    "linear": ("#17becf", ("linear", "matmul", "embedding", "recurrent")),
    "attention": ("#9467bd", ("attention",)),
    "norm": ("#bcbd22", NORMS),
    "activation": ("#ff7f0e", ACTIVATIONS),
    "pooling": ("#2ca02c", (*POOLS, "reduce")),
    "arithmetic": ("#e377c2", ("add", "mul", "sub", "div", "elementwise")),
    "data movement": ("#8c564b", ("concat", "slice", "gather", "pad", "resize", "permute", "pixel_shuffle")),
    "input, output, parameter": ("#444444", ("input", "output", "parameter")),
}
_OTHER, _OTHER_COLOUR = "not known", "#d62728"
_OF = {op: name for name, (_, ops) in _CLASSES.items() for op in ops}

_SWEEPS = 4
_ROW, _COLUMN, _GAP = 0.34, 1.15, 0.6
"""Inches between layers, between nodes of a layer, and between columns of layers."""
_LABELLED = 400
"""Nodes up to which every one is labelled; more could not be read."""
_LARGEST = 100.0
"""Inches of the longer side, so that a PNG stays within what can be opened."""


def check_drawing(path: Path) -> None:
    """The file can be made.

    Raises:
        UsageError: Its name has another ending, or its folder is missing.
    """
    if not path.name.lower().endswith(ENDINGS):
        raise UsageError(f"a drawing cannot be written as {path.name}; give a name that ends in .svg or .png")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} to write {path.name} into; make it first")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no regular file; give the name of a file to write")


def draw(graph: ArchGraph, path: Path, title: str = "") -> Path:
    """Draw a graph of at most 3,000 nodes, as SVG or PNG by the file's name.

    Inputs are at the top of the first column; layers go down, then on at the top of the next column.

    Args:
        graph: A computational graph.
        path: The file to make; one that is there is replaced.
        title: Line above.

    Returns:
        The file.

    Raises:
        UsageError: The graph is larger, or the name has another ending.
        RunError: The file cannot be written.
    """
    check_drawing(path)
    if graph.num_nodes > MAX_NODES:
        raise UsageError(
            f"the graph has {graph.num_nodes:,} nodes, a drawing can show {MAX_NODES:,}; leave it out and read the "
            "table of stages"
        )
    layers = depths(graph)
    folded, places, size = _places(graph, layers)
    with nothing_left_at_home():
        import matplotlib

        # Text stays text, and equal graphs give equal files.
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "archpredict"}):
            figure = _figure(graph, folded, places, size, title)
            try:
                figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
            except OSError as error:
                raise RunError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    return path


def depths(graph: ArchGraph) -> list[int]:
    """The layer of each node: its longest distance from a node without inputs.

    A node without inputs is put right above the first that reads it, so that a parameter is near its use.

    Example:
        >>> depths(ArchGraph(("input", "a", "b", "parameter", "add"), ((0, 1), (1, 2), (2, 4), (3, 4))))
        [0, 1, 2, 2, 3]
    """
    depth = [0] * graph.num_nodes
    reads = [False] * graph.num_nodes
    for source, target in sorted(graph.edges, key=lambda edge: edge[1]):
        depth[target] = max(depth[target], depth[source] + 1)
        reads[target] = True
    first: dict[int, int] = {}
    for source, target in graph.edges:
        first[source] = min(first.get(source, depth[target]), depth[target])
    return [d if reads[v] else max(0, first.get(v, 1) - 1) for v, d in enumerate(depth)]


def _places(graph: ArchGraph, layers: Sequence[int]) -> tuple[FloatArray, FloatArray, tuple[float, float]]:
    """The column of layers of each node ``(N,)``, its place ``(N, 2)`` in inches, and the size of all."""
    members: list[list[int]] = [[] for _ in range(max(layers) + 1)]
    for v, layer in enumerate(layers):
        members[layer].append(v)
    across = _across(graph, members)
    height = _layers_per_column(members)
    column = np.array([layer // height for layer in layers], dtype=np.float64)
    left, x = 0.0, np.zeros(graph.num_nodes)
    for number in range(int(column.max()) + 1):
        rows = column == number
        low, high = across[rows].min(), across[rows].max()
        x[rows] = left + (across[rows] - low) * _COLUMN + _COLUMN / 2
        left += (high - low + 1) * _COLUMN + _GAP
    y = np.array([-(layer % height) * _ROW for layer in layers])
    return column, np.stack([x, y], axis=1), (left, height * _ROW)


def _layers_per_column(members: Sequence[Sequence[int]]) -> int:
    """So many that the picture is about one and a half times as wide as high."""
    width = float(np.quantile([len(layer) for layer in members], 0.9)) * _COLUMN + _GAP
    return max(12, round(float(np.sqrt(len(members) * width / _ROW / 1.5))))


def _across(graph: ArchGraph, members: Sequence[Sequence[int]]) -> FloatArray:
    """Places within the layers, 0 in the middle: sorted by the mean place of their neighbours, a few times over."""
    around: list[list[int]] = [[] for _ in graph.ops]
    for source, target in graph.edges:
        around[source].append(target)
        around[target].append(source)
    place = np.zeros(graph.num_nodes)
    for layer in members:
        place[list(layer)] = np.arange(len(layer)) - (len(layer) - 1) / 2
    for sweep in range(_SWEEPS):
        for layer in members if sweep % 2 == 0 else reversed(members):
            wish = [float(np.mean(place[around[v]])) if around[v] else 0.0 for v in layer]
            order = np.argsort(wish, kind="stable")
            place[[layer[i] for i in order]] = np.arange(len(layer)) - (len(layer) - 1) / 2
    return place


# ---------------------------------------------------------------------- drawing


def _figure(graph: ArchGraph, folded: FloatArray, places: FloatArray, size: tuple[float, float], title: str) -> Any:
    from matplotlib.figure import Figure

    shrink = min(1.0, _LARGEST / max(size))
    width, height = max(6.0, size[0] * shrink), max(3.0, size[1] * shrink)
    figure = Figure(figsize=(width + 2.6, height + 0.8), dpi=100)
    axes = figure.add_axes((0.01, 0.01, width / (width + 2.6) - 0.01, (height + 0.3) / (height + 0.8) - 0.02))
    axes.set_axis_off()
    axes.set(xlim=(-0.3, max(size[0], 6.0 / shrink)), ylim=(-size[1] - 0.1, 0.35))
    figure.suptitle(title, x=0.02, ha="left", fontsize=11)
    _draw_edges(axes, graph, folded, places)
    _draw_nodes(axes, graph, places, shrink)
    if graph.num_nodes <= _LABELLED:
        for v, (x, y) in enumerate(places.tolist()):
            axes.text(x + 0.09, y, label(graph, v), fontsize=5.5, va="center", color="0.2")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    return figure


def _draw_nodes(axes: Any, graph: ArchGraph, places: FloatArray, shrink: float) -> None:
    kinds = [_OF.get(op, _OTHER) for op in graph.ops]
    counts = Counter(kinds)
    for name, colour in [*((n, c) for n, (c, _) in _CLASSES.items()), (_OTHER, _OTHER_COLOUR)]:
        rows = [v for v, kind in enumerate(kinds) if kind == name]
        if rows:
            text = f"{name} ({counts[name]:,})"
            axes.scatter(*places[rows].T, s=34 * shrink**2, color=colour, linewidths=0, zorder=3, label=text)


def _draw_edges(axes: Any, graph: ArchGraph, folded: FloatArray, places: FloatArray) -> None:
    """Straight lines to the next layer, arcs past others, faint lines to other columns."""
    from matplotlib.collections import LineCollection, PathCollection
    from matplotlib.path import Path as Curve

    near, far, arcs = [], [], []
    for source, target in graph.edges:
        (x0, y0), (x1, y1) = places[source], places[target]
        if folded[source] != folded[target]:
            far.append(((x0, y0), (x1, y1)))
        elif y0 - y1 < 1.5 * _ROW:
            near.append(((x0, y0), (x1, y1)))
        else:
            bulge = min(0.9 * _COLUMN, 0.12 * _COLUMN * float(np.sqrt((y0 - y1) / _ROW)))
            outward = 1 if x0 > x1 else -1
            middle = ((x0 + x1) / 2 + 2 * outward * bulge, (y0 + y1) / 2)
            arcs.append(Curve([(x0, y0), middle, (x1, y1)], [Curve.MOVETO, Curve.CURVE3, Curve.CURVE3]))
    axes.add_collection(LineCollection(near, colors="0.45", linewidths=0.8, zorder=1), autolim=False)
    axes.add_collection(LineCollection(far, colors="0.8", linewidths=0.5, zorder=0), autolim=False)
    axes.add_collection(
        PathCollection(arcs, facecolors="none", edgecolors="0.6", linewidths=0.6, zorder=1), autolim=False
    )


def label(graph: ArchGraph, v: int) -> str:
    """A node in a few letters: operator, kernel, stride, groups, output channels.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> conv = Operation("conv", (1, 8, 2, 2), kernel=(3, 3), stride=(2, 2), groups=2, weight=(8, 2, 3, 3))
        >>> label(computational_graph([Operation("input", (1, 4, 4, 4)), conv], [(0, 1)]), 1)
        'conv 3x3 /2 g2 8'
    """
    parts = [graph.ops[v]]
    if {"kernel", "stride", "groups", "weight"} <= graph.attrs.keys():
        kernel, stride = (_lengths(graph.attrs[name][v]) for name in ("kernel", "stride"))
        groups, width = int(graph.attrs["groups"][v].sum()), int(graph.attrs["weight"][v][0])
        parts += ["x".join(map(str, kernel))] if kernel else []
        parts += [f"/{max(stride)}"] if stride and max(stride) > 1 else []
        parts += [f"g{groups}"] if groups > 1 else []
        parts += [str(width)] if (width > 0 and kernel) or graph.ops[v] == "linear" else []
    return " ".join(parts)


def _lengths(values: FloatArray) -> list[int]:
    return [int(value) for value in values if value > 0]
