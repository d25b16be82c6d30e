"""The network that the zero-cost NAS-Bench-301 tables describe, as a computational graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from archpredict.errors import whole_number
from archpredict.graph.builder import Builder
from archpredict.graph.mixtures import mixture
from archpredict.spaces._paths import LabelledEdge, on_paths

_STEM_MULTIPLIER = 3
_NODES = (2, 3, 4, 5)
_OUTPUT = 6
NUM_EDGES = 14
"""Pairs of a node and an earlier one in a cell, in the order of nodes, then of earlier ones."""


def build(b: Builder, kinds: Sequence[Sequence[LabelledEdge]], channels: int, cells: int, num_classes: int) -> Builder:
    """The whole network.

    Args:
        b: An empty builder.
        kinds: Edges ``(source, node, operator)`` of the normal and the reduction cell, without ``none``.
        channels: Of the first cells; doubled at each of the two reduction cells.
        cells: How many.
        num_classes: Numbers that the network gives.
    """
    plans = [_CellPlan.of(edges) for edges in kinds]
    return _stacked(b, [partial(_cell, b, plan) for plan in plans], channels, cells, num_classes)


def build_mixed(b: Builder, ops: Sequence[str], channels: int, cells: int, num_classes: int) -> Builder:
    """The whole network with a mixture of all operators on every edge of both cells.

    Args:
        b: An empty builder.
        ops: Options of a mixture, ``none`` among them.
        channels: As for :func:`build`, and so are the others.
        cells: How many.
        num_classes: Numbers that the network gives.
    """
    kinds = [partial(_mixed_cell, b, ops, kind * NUM_EDGES) for kind in (0, 1)]
    return _stacked(b, kinds, channels, cells, num_classes)


def _stacked(b: Builder, kinds: Sequence[Callable[..., int]], channels: int, cells: int, num_classes: int) -> Builder:
    """Stem, cells of two kinds and classifier."""
    before_last = last = b.conv(b.input(), _STEM_MULTIPLIER * channels, 3, norm=True)
    for i in range(whole_number("cells", cells, 1)):
        reduction = i in (cells // 3, 2 * cells // 3)
        channels = 2 * channels if reduction else channels
        with b.scope(f"cell{i}"):
            cell = partial(kinds[reduction], channels, 2 if reduction else 1)
            made = b.block((reduction, channels), cell, before_last, last)
        before_last, last = last, made
    return b.output(b.linear(b.global_avg_pool(last), num_classes))


@dataclass(frozen=True)
class _CellPlan:
    """What a cell does, whatever its size.

    Args:
        inputs: Those of the two that are read, and the second one, which also tells the shape of zeros.
        arriving: For each node what it adds up: ``(source, operator, scope)``.
    """

    inputs: Sequence[int]
    arriving: Sequence[tuple[int, Sequence[tuple[int, str, str]]]]

    @classmethod
    def of(cls, edges: Sequence[LabelledEdge]) -> _CellPlan:
        """The cell of these edges."""
        pairs = [(source, node) for source, node, _ in edges]
        live = on_paths([*pairs, *((node, _OUTPUT) for node in _NODES)], (0, 1), (_OUTPUT,))
        arriving = [
            (
                node,
                [(source, op, f"{source}-{node}/{op}") for source, to, op in edges if to == node and source in live],
            )
            for node in _NODES
        ]
        return cls([i for i in (0, 1) if i in live or i == 1], arriving)


def _cell(b: Builder, cell: _CellPlan, channels: int, stride: int, *inputs: int) -> int:
    """Both inputs brought to equal shapes, nodes that add up what arrives, and their concatenation."""
    values = _alike(b, cell.inputs, channels, inputs)
    for node, arriving in cell.arriving:
        given = []
        for source, op, scope in arriving:
            with b.scope(scope):
                given.append(_operation(b, values[source], op, stride if source < 2 else 1))
        values[node] = b.add(*given) if given else _zeros(b, values[1], stride)
    return b.concat(*(values[node] for node in _NODES))


def _mixed_cell(b: Builder, ops: Sequence[str], first: int, channels: int, stride: int, *inputs: int) -> int:
    """The same with a mixture of all operators for each earlier node; ``first`` is the number of the first of these."""
    values = _alike(b, (0, 1), channels, inputs)
    decision = first
    for node in _NODES:
        given = []
        for source in range(node):
            with b.scope(f"{source}-{node}"):
                terms = [_option(b, values[source], op, stride if source < 2 else 1) for op in ops]
                given.append(mixture(b, decision, terms))
            decision += 1
        values[node] = b.add(*given)
    return b.concat(*(values[node] for node in _NODES))


def _alike(b: Builder, which: Sequence[int], channels: int, inputs: Sequence[int]) -> dict[int, int]:
    """Inputs of a cell in equal shapes."""
    values: dict[int, int] = {}
    for i in which:
        larger = b.shape(inputs[i])[-1] > b.shape(inputs[1])[-1]
        with b.scope(f"input{i}"):
            values[i] = _halved(b, inputs[i], channels) if larger else _pointwise(b, inputs[i], channels)
    return values


def _zeros(b: Builder, x: int, stride: int) -> int:
    return b.zeros(x if stride == 1 else b.max_pool(x, 1, stride=stride))


def _option(b: Builder, x: int, op: str, stride: int) -> int | None:
    if op == "none":
        return None
    with b.scope(op):
        return _operation(b, x, op, stride)


def _operation(b: Builder, x: int, op: str, stride: int) -> int:
    kind, _, size = op.rpartition("_")
    if op == "skip_connect":
        return x if stride == 1 else _halved(b, x, b.channels(x))
    kernel = int(size[0])
    if kind == "max_pool":
        return b.batch_norm(b.max_pool(x, kernel, stride=stride))
    if kind == "avg_pool":
        return b.batch_norm(b.avg_pool(x, kernel, stride=stride))
    if kind == "dil_conv":
        return _separable(b, x, kernel, stride, dilation=2)
    return _separable(b, _separable(b, x, kernel, stride), kernel, 1)


def _separable(b: Builder, x: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """ReLU, depthwise convolution, pointwise convolution, batch norm."""
    channels = b.channels(x)
    y = b.conv(b.relu(x), channels, kernel, stride=stride, dilation=dilation, groups=channels)
    return b.conv(y, channels, 1, norm=True)


def _pointwise(b: Builder, x: int, channels: int) -> int:
    return b.conv(b.relu(x), channels, 1, norm=True)


def _halved(b: Builder, x: int, channels: int) -> int:
    """Half the size: 1x1 convolutions with stride 2 on even and on odd places, side by side, then a batch norm."""
    x = b.relu(x)
    even = b.conv(x, channels // 2, 1, stride=2)
    odd = b.conv(b.shifted(x), channels - channels // 2, 1, stride=2)
    return b.batch_norm(b.concat(even, odd))
