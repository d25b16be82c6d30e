"""The network of NAS-Bench-101 as a computational graph.

A 3x3 stem, stacks of equal cells with twice the channels from one to the next, a 2x2 pool between stacks, global
pooling and a classifier (Ying et al. 2019, arXiv 1902.09635, section 2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from archpredict.errors import whole_number
from archpredict.graph.builder import Builder
from archpredict.spaces.costs.nasbench101 import KERNELS, STACKS, vertex_channels

Edge = tuple[int, int]


@dataclass(frozen=True)
class Cell:
    """A pruned cell.

    Args:
        ops: ``n`` names from ``input`` to ``output``.
        edges: ``(source, destination)`` with source < destination.
        order: For each vertex, what sorts the terms of a sum, the same however the vertices are numbered.
    """

    ops: Sequence[str]
    edges: Sequence[Edge]
    order: Sequence[str]

    @cached_property
    def terms(self) -> list[list[int]]:
        """The vertices that each one reads, in the order of its sum."""
        found: list[list[int]] = [[] for _ in self.ops]
        for source, target in self.edges:
            found[target].append(source)
        return [sorted(sources, key=lambda s: (s == 0, self.order[s], s)) for sources in found]


def build(b: Builder, cell: Cell, channels: int, cells: int, num_classes: int) -> Builder:
    """The whole network of ``cells`` cells per stack."""
    with b.scope("stem"):
        x = _normalised(b, b.input(), channels, 3)
    for stack in range(len(STACKS)):
        if stack:
            channels *= 2
            x = b.max_pool(x, 2, stride=2)
        for i in range(whole_number("cells", cells, 1)):
            with b.scope(f"stack{stack}"), b.scope(f"cell{i}"):
                x = b.block(channels, partial(_add_cell, b, cell, channels), x)
    return b.output(b.linear(b.global_avg_pool(x), num_classes))


def _add_cell(b: Builder, cell: Cell, channels: int, x: int) -> int:
    """Vertices add up what they read, cut to as many channels as they have; the output concatenates.

    Where the cell's input is read, a 1x1 convolution projects it; the output adds that to the concatenation.
    """
    output = len(cell.ops) - 1
    widths = vertex_channels(len(cell.ops), cell.edges, b.channels(x), channels)
    nodes = {0: x}
    for vertex in range(1, output):
        with b.scope(f"vertex{vertex}"):
            terms = [
                _projected(b, x, widths[vertex]) if source == 0 else b.slice(nodes[source], widths[vertex])
                for source in cell.terms[vertex]
            ]
            with b.scope(cell.ops[vertex]):
                nodes[vertex] = _operation(b, b.add(*terms), cell.ops[vertex])
    joined = sorted(source for source in cell.terms[output] if source > 0)
    results = [b.concat(*(nodes[source] for source in joined))] if joined else []
    if (0, output) in cell.edges:
        results.append(_projected(b, x, channels))
    return b.add(*results)


def _projected(b: Builder, x: int, channels: int) -> int:
    """The cell's input with other channels."""
    with b.scope("projection"):
        return _normalised(b, x, channels, 1)


def _operation(b: Builder, x: int, op: str) -> int:
    return _normalised(b, x, b.channels(x), KERNELS[op]) if op in KERNELS else b.max_pool(x, 3)


def _normalised(b: Builder, x: int, channels: int, kernel: int) -> int:
    """Convolution, batch norm, ReLU."""
    return b.relu(b.conv(x, channels, kernel, norm=True))
