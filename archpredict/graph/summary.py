"""A computational graph in a few numbers for people: its operators, and its stages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archpredict._typing import FloatArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import POOLS, check_computational

__all__ = ["OperatorSummary", "Stage", "flops", "operators", "stages", "stages_with_nodes"]

_CONVOLUTIONS = ("conv", "conv_transpose")
_PROJECTIONS = (*_CONVOLUTIONS, "linear", "recurrent")


@dataclass(frozen=True)
class OperatorSummary:
    """An operator of a graph: all nodes that have it."""

    operator: str
    count: int
    params: float
    macs: float


@dataclass(frozen=True)
class Stage:
    """A stage of a network: all nodes that work at one resolution.

    Args:
        resolution: ``"56x56"``, ``"197 tokens"``, or ``"1"`` for what comes after the last pooling.
        positions: How many positions that is.
        channels: Fewest and most output channels of its layers; (0, 0) where it has none.
        nodes, params, macs: In all.
    """

    resolution: str
    positions: int
    channels: tuple[int, int]
    nodes: int
    params: float
    macs: float


def operators(graph: ArchGraph) -> list[OperatorSummary]:
    """Operators of a graph, the most frequent first; inputs and outputs are left out.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> conv = Operation("conv", (1, 8, 4, 4), kernel=(3, 3), weight=(8, 3, 3, 3))
        >>> nodes = [Operation("input", (1, 3, 4, 4)), conv, Operation("output", (1, 8, 4, 4))]
        >>> operators(computational_graph(nodes, [(0, 1), (1, 2)]))
        [OperatorSummary(operator='conv', count=1, params=216.0, macs=3456.0)]
    """
    check_computational(graph)
    sums: dict[str, list[float]] = {}
    columns = (_column(graph, name).tolist() for name in ("params", "macs"))
    for op, params, macs in zip(graph.ops, *columns, strict=True):
        if op not in ("input", "output"):
            found = sums.setdefault(op, [0, 0.0, 0.0])
            found[0] += 1
            found[1] += params
            found[2] += macs
    rows = [OperatorSummary(op, int(count), params, macs) for op, (count, params, macs) in sums.items()]
    return sorted(rows, key=lambda row: (-row.count, row.operator))


def stages(graph: ArchGraph) -> list[Stage]:
    """Stages of a graph, in the order in which resolutions first appear; nodes add up to all there are.

    Layers and pools set the resolution; whatever else there is belongs to where its last input comes from. So does a
    branch that pools to one position and returns (squeeze and excitation). A network that comes back to a resolution,
    or works at several side by side, has one stage for each.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> conv = Operation("conv", (1, 8, 4, 4), kernel=(3, 3), weight=(8, 3, 3, 3))
        >>> nodes = [Operation("input", (1, 3, 4, 4)), conv, Operation("global_avg_pool", (1, 8))]
        >>> [(s.resolution, s.channels, s.nodes) for s in stages(computational_graph(nodes, [(0, 1), (1, 2)]))]
        [('4x4', (8, 8), 2), ('1', (0, 0), 1)]
    """
    return [stage for stage, _ in stages_with_nodes(graph)]


def stages_with_nodes(graph: ArchGraph) -> list[tuple[Stage, list[int]]]:
    """What :func:`stages` gives, each with its nodes."""
    check_computational(graph)
    positions = _resolutions(graph)
    width = graph.attrs["weight"][:, 0]
    layer = np.array([op in _PROJECTIONS for op in graph.ops]) & (width > 0)
    params, macs = _column(graph, "params"), _column(graph, "macs")
    found = []
    for number in dict.fromkeys(positions):
        rows = np.flatnonzero(np.array(positions) == number)
        channels = width[rows][layer[rows]]
        span = (int(channels.min()), int(channels.max())) if len(channels) else (0, 0)
        name, sums = _named(graph, rows.tolist(), number), (float(params[rows].sum()), float(macs[rows].sum()))
        found.append((Stage(name, number, span, len(rows), *sums), rows.tolist()))
    return found


def flops(graph: ArchGraph, norm: int = 2) -> float:
    """Multiply-adds and elementwise operations, as the zero-cost tables of NAS-Bench-201 and NAS-Bench-301 count FLOPs.

    These are ``macs``, and 1 per element of a ReLU; ``norm`` per element of a batch norm, one that is folded into a
    convolution (which then has a bias) too; the window's size per element of a pool; and ``(H + 1)(W + 1)`` per channel
    of a global pool over ``H x W`` pixels. Sums and concatenations are free. A network in which equal operations are
    one node has fewer than those tables count; ``Builder(merge=False)`` keeps them apart.

    Args:
        graph: A computational graph.
        norm: 2 for batch norms with a scale and a shift, 1 for those without.

    Example:
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(3, 4, 4))
        >>> x = b.relu(b.conv(b.input(), 8, kernel=1, norm=True))
        >>> flops(b.output(b.max_pool(x, kernel=3)).graph()) == 16 * 8 * (3 + 2 + 1 + 9)
        True
    """
    check_computational(graph)
    shape, kernel = graph.attrs["shape"], graph.attrs["kernel"]
    elements = np.maximum(shape, 1).prod(axis=1)
    normed = _column(graph, "bias") > 0
    found = float(_column(graph, "macs").sum())
    source = {target: origin for origin, target in graph.edges}
    for v, op in enumerate(graph.ops):
        if op == "relu":
            found += elements[v]
        elif op == "batch_norm" or (op == "conv" and normed[v]):
            found += norm * elements[v]
        elif op in ("max_pool", "avg_pool"):
            found += np.maximum(kernel[v], 1).prod() * elements[v]
        elif op in ("global_max_pool", "global_avg_pool"):
            found += (np.maximum(shape[source[v], 2:4], 1) + 1).prod() * elements[v]
    return float(found)


def _resolutions(graph: ArchGraph) -> list[int]:
    """Positions of the stage that each node belongs to."""
    own = _own_positions(graph)
    arriving: list[list[int]] = [[] for _ in graph.ops]
    leaving: list[list[int]] = [[] for _ in graph.ops]
    for source, target in graph.edges:
        arriving[target].append(source)
        leaving[source].append(target)
    many = (graph.attrs["shape"][:, 1:] > 1).sum(axis=1) > 1  # positions, as far as the shape alone tells
    returns = [False] * graph.num_nodes
    for v in range(graph.num_nodes - 1, -1, -1):
        returns[v] = any(returns[w] or many[w] for w in leaving[v])
    found = [0] * graph.num_nodes
    for v, number in enumerate(own):
        inherited = next((found[u] for u in sorted(arriving[v], reverse=True) if found[u]), 0)
        found[v] = number if number > 1 or (number == 1 and not returns[v]) else inherited
    for v in range(graph.num_nodes - 1, -1, -1):  # what has no input, such as a class token, belongs to its reader
        if not found[v]:
            found[v] = found[min(leaving[v])] if leaving[v] else 1
    return found


def _own_positions(graph: ArchGraph) -> list[int]:
    """Positions at which layers, pools and inputs give their output; 0 for other nodes, and where it is not known."""
    shape, weight = graph.attrs["shape"], graph.attrs["weight"]
    inputs = [v for v, op in enumerate(graph.ops) if op == "input"]
    batch = max(1.0, shape[inputs[0], 0]) if inputs else 1.0
    found = []
    for v, op in enumerate(graph.ops):
        lengths = shape[v][shape[v] != 0]
        if len(lengths) == 0 or lengths.min() < 0:
            found.append(0)
        elif op in _PROJECTIONS and weight[v, 0] > 0:
            found.append(max(1, round(float(np.prod(lengths)) / weight[v, 0] / batch)))
        elif op.startswith("global_") or (op in POOLS and len(lengths) == 2):
            found.append(1)
        elif (op in ("max_pool", "avg_pool", "resize") or op == "input") and len(lengths) > 2:
            found.append(max(1, round(float(np.prod(lengths[2:])))))
        else:
            found.append(0)
    return found


def _named(graph: ArchGraph, rows: Sequence[int], positions: int) -> str:
    """The resolution as people write it."""
    if positions == 1:
        return "1"
    for v in rows:
        lengths = graph.attrs["shape"][v][2:]
        lengths = lengths[lengths != 0]
        spatial = graph.ops[v] in (*_CONVOLUTIONS, "max_pool", "avg_pool", "resize", "input") and len(lengths) > 1
        if spatial and float(np.prod(lengths)) == positions:
            return "x".join(str(int(length)) for length in lengths)
    return f"{positions} tokens"


def _column(graph: ArchGraph, name: str) -> FloatArray:
    column: FloatArray = np.asarray(graph.attrs[name], dtype=np.float64).reshape(-1)
    return column


def si(value: float) -> str:
    """A number with three digits and a decimal prefix.

    Example:
        >>> si(3_340_000), si(1_400_000), si(12), si(5.4e8)
        ('3.34M', '1.40M', '12', '540M')
    """
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            number = value / factor
            return f"{number:.{max(0, 2 - int(math.log10(abs(number))))}f}{prefix}"
    return f"{value:.4g}"
