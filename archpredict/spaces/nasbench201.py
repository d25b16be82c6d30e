"""NAS-Bench-201: six edges, one of five operations on each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import UnknownNameError, whole_number
from archpredict.graph.arch_graph import SUM, ArchGraph
from archpredict.graph.builder import Builder, width_of
from archpredict.graph.mixtures import mixture
from archpredict.spaces._nasbench201_notation import ATTRIBUTES, edges_of
from archpredict.spaces._paths import on_paths, pruned_cells
from archpredict.spaces.base import Choices, SearchSpace

__all__ = ["EDGES", "OPERATORS", "NASBench201"]

OPERATORS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The official order; choices are indices into it."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""Edges in the order of the arch string; node 0 is the input of the cell, node 3 its output."""

_NODES = ("input", SUM, SUM, "output")

_CELLS_PER_STAGE = 5
_STAGES = ((16, 32 * 32), (32, 16 * 16), (64, 8 * 8))  # channels, pixels
_CLASSES = 10
_KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


class NASBench201(SearchSpace):
    """The cell of NAS-Bench-201: 5⁶ = 15,625 vectors of choices, all legal.

    Dong and Yang, "NAS-Bench-201: extending the scope of reproducible neural architecture search", 2020,
    arXiv 2001.00326. Choice ``i`` is the operation on edge ``EDGES[i]``, an index into :data:`OPERATORS`.

    Sampling is uniform over the 15,625 vectors. How many architectures that is depends on what counts as
    equal:

    * 8,765 classes by :attr:`Architecture.key <archpredict.spaces.base.Architecture.key>`: isomorphic graphs
      once ``none`` edges and whatever is on no path from input to output are left out;
    * 6,466 by the publication's own definition, :meth:`expression`, in which ``skip_connect`` joins two
      nodes.

    Example:
        >>> space = NASBench201()
        >>> space.parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|")
        (3, 0, 1, 0, 0, 2)
        >>> space.cost((3, 3, 3, 3, 3, 3))["params"]
        1531546.0
    """

    name = "nasbench201"
    num_choices = (len(OPERATORS),) * len(EDGES)
    notation = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2| with op one of " + ", ".join(OPERATORS)
    attributes = ATTRIBUTES

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        """Operations on edges; ``none`` edges and what is on no path from input to output are left out."""
        edges = [
            (source, target, OPERATORS[choice])
            for (source, target), choice in zip(EDGES, choices, strict=True)
            if OPERATORS[choice] != "none"
        ]
        return pruned_cells(_NODES, edges, (0,) * len(_NODES), sources=(0,), sinks=(3,))

    def outline(self, choices: Sequence[int]) -> ArchGraph:
        """All four nodes and six edges, also those of ``none`` and those that lead nowhere."""
        return ArchGraph(_NODES, EDGES, tuple([OPERATORS[choice] for choice in choices]))

    def read(self, value: Any) -> Choices:
        """Choices from an arch string, in parts or whole, or from the names or the numbers of six operators.

        Raises:
            ValueError: It is nothing of the kind, or has other operators than the space.
        """
        edges = [(_name(op), source) for op, source in edges_of(value)]
        if len(edges) != len(EDGES):
            raise ValueError("it is not laid out like an arch string of three nodes")
        for (op, source), (expected, target) in zip(edges, EDGES, strict=True):
            if op not in OPERATORS:
                raise ValueError(str(UnknownNameError("operator", op, OPERATORS)).rstrip("."))
            if source not in (None, expected):
                raise ValueError(f"node {target} reads node {source} where node {expected} is due")
        return tuple(OPERATORS.index(op) for op, _ in edges)

    def format(self, choices: Sequence[int]) -> str:
        """The arch string."""
        return _join([f"{OPERATORS[c]}~{source}" for c, (source, _) in zip(choices, EDGES, strict=True)])

    def expression(self, choices: Sequence[int]) -> str:
        """The published canonical form: equal for cells that NAS-Bench-201 counts as one (6,466 of them).

        Each node is the sorted sum of what arrives: ``#`` for nothing, the node itself through
        ``skip_connect``, ``(node)@op`` otherwise. Dong and Yang 2020, section 2.

        Example:
            >>> NASBench201().expression((3, 0, 1, 0, 0, 2))
            '#+#+(#+(0)@nor_conv_3x3)@nor_conv_1x1'
        """
        nodes = ["0"]
        for target in range(1, len(_NODES)):
            terms = []
            for choice, (source, end) in zip(choices, EDGES, strict=True):
                if end == target:
                    terms.append(_term(OPERATORS[choice], nodes[source]))
            nodes.append("+".join(sorted(terms)))
        return nodes[-1]

    def cost(self, choices: Sequence[int]) -> dict[str, float]:
        """Costs of the whole network for CIFAR-10 (16 channels, 5 cells per stage, 32x32 pixels).

        Every edge counts, also one that leads nowhere, as in the benchmark's tables.

        Returns:
            ``params``; ``macs``: multiply-adds of convolutions and the classifier; ``flops``: macs plus 1 per
            element of a ReLU, 2 per element of a batch normalisation and the window's size per element of a
            pooling.
        """
        return {name: float(values[0]) for name, values in self.costs(np.array([choices])).items()}

    def costs(self, choices: IntArray) -> dict[str, FloatArray]:
        """Costs of ``(B, 6)`` choices at once: one look-up per edge."""
        totals = _skeleton_costs() + _operator_costs()[self.rows(choices)].sum(axis=1)
        return dict(zip(("params", "macs", "flops"), totals.T.astype(np.float64), strict=True))

    def network(
        self,
        choices: Sequence[int],
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
        cells: int = _CELLS_PER_STAGE,
        pruned: bool = True,
    ) -> ArchGraph:
        """The network of the benchmark: a stem, three stages of cells, a residual block before the second and third.

        Args:
            choices: Six operators.
            num_classes: As for every space.
            image_size: As for every space.
            image_channels: As for every space.
            channels: Of the first stage, 16 in the benchmark; twice and four times as many in the others.
            cells: Per stage.
            pruned: Leave out of each cell what :meth:`decode` leaves out. Without it the cells have every operation,
                also those that read zeros or that nothing reads, each a node of its own: then parameters,
                multiply-adds and :func:`archpredict.graph.summary.flops` are those of the published table for all
                15,625
                architectures, parameters but for the folded batch norms.

        Example:
            >>> from archpredict.graph.operators import total
            >>> space = NASBench201()
            >>> total(space.network((3,) * 6), "macs") == space.cost((3,) * 6)["macs"]
            True
        """
        b = Builder((image_channels, image_size, image_size), merge=pruned)
        x = _stages(b, partial(_cell, b, _edges(choices, pruned)), channels, cells)
        if not pruned or b.op(x) != "conv":  # else it is folded into the convolution, as the norm of that is
            x = b.batch_norm(x)
        return b.output(b.linear(b.global_avg_pool(b.relu(x)), num_classes)).graph()

    def relaxed_network(
        self,
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
        cells: int = _CELLS_PER_STAGE,
    ) -> ArchGraph:
        """The network of the benchmark with all five operations on every edge; all cells have the same shares.

        Args:
            num_classes: As for :meth:`network`, and so are the others.
            image_size: Of an image.
            image_channels: Of an image.
            channels: Of the first stage.
            cells: Per stage.
        """
        b = Builder((image_channels, image_size, image_size))
        x = b.batch_norm(_stages(b, partial(_mixed_cell, b), channels, cells))
        return b.output(b.linear(b.global_avg_pool(b.relu(x)), num_classes)).graph()

    def network_key(self, choices: Sequence[int]) -> Hashable:
        """The edges of the cell that are on a path from its input to its output."""
        return tuple(_edges(choices, pruned=True))


_Edge = tuple[int, int, str]


def _edges(choices: Sequence[int], pruned: bool) -> list[_Edge]:
    """Edges ``(source, target, op)`` but ``none``, in an order that does not depend on how nodes are numbered.

    A sum of three is a chain of two sums, so cells that are equal make equal networks only if terms have one order.
    """
    edges = [
        (source, target, OPERATORS[choice])
        for (source, target), choice in zip(EDGES, choices, strict=True)
        if OPERATORS[choice] != "none"
    ]
    if pruned:
        live = on_paths([(source, target) for source, target, _ in edges], (0,), (len(_NODES) - 1,))
        edges = [edge for edge in edges if edge[0] in live and edge[1] in live]
    terms: dict[int, list[str]] = {0: []}
    for node in range(1, len(_NODES)):
        terms[node] = sorted(f"({'+'.join(terms[source])}){op}" for source, target, op in edges if target == node)
    return sorted(edges, key=lambda edge: (edge[1], edge[2], terms[edge[0]]))


def _cell(b: Builder, edges: Sequence[_Edge], x: int) -> int:
    """Each node is the sum of what arrives, zeros where that is nothing."""
    nodes = {0: x}
    for node in range(1, len(_NODES)):
        arriving = []
        for source, target, op in edges:
            if target == node:
                with b.scope(f"{source}-{node}"):
                    arriving.append(_operation(b, nodes[source], op))
        if arriving:
            nodes[node] = b.add(*arriving)
        elif node == len(_NODES) - 1 or any(source == node for source, _, _ in edges):
            nodes[node] = b.zeros(x)
    return nodes[len(_NODES) - 1]


def _stages(b: Builder, cell: Callable[[int], int], channels: int | None, cells: int) -> int:
    """Stem and stages of cells; what the last cell gives."""
    width = width_of(channels, _STAGES[0][0])
    x = b.conv(b.input(), width, 3, norm=True)
    for stage in range(len(_STAGES)):
        with b.scope(f"stage{stage}"):
            if stage:
                width *= 2
                x = _residual_block(b, x, width)
            for number in range(whole_number("cells", cells, 1)):
                with b.scope(f"cell{number}"):
                    x = b.block("cell", cell, x)
    return x


def _mixed_cell(b: Builder, x: int) -> int:
    """Each node is the sum of a mixture of all operations for each edge that arrives."""
    nodes = [x]
    for node in range(1, len(_NODES)):
        arriving = []
        for decision, (source, target) in enumerate(EDGES):
            if target == node:
                with b.scope(f"{source}-{node}"):
                    terms = [None if op == "none" else _operation(b, nodes[source], op) for op in OPERATORS]
                    arriving.append(mixture(b, decision, terms))
        nodes.append(b.add(*arriving))
    return nodes[-1]


def _operation(b: Builder, x: int, op: str) -> int:
    if op == "skip_connect":
        return x
    if op == "avg_pool_3x3":
        return b.avg_pool(x, 3)
    with b.scope(op):
        return b.conv(b.relu(x), b.channels(x), _KERNELS[op], norm=True)


def _residual_block(b: Builder, x: int, channels: int) -> int:
    """Two convolutions, the first with stride 2, beside a pool and a 1x1 convolution without batch norm."""
    y = b.conv(b.relu(x), channels, 3, stride=2, norm=True)
    y = b.conv(b.relu(y), channels, 3, norm=True)
    return b.add(b.conv(b.avg_pool(x, 2, stride=2), channels, 1), y)


def _term(op: str, node: str) -> str:
    if op == "none" or node == "#":
        return "#"
    return node if op == "skip_connect" else f"({node})@{op}"


def _name(op: str | int) -> str:
    """An operator's name from its name or index; what is neither is shown as it is."""
    return OPERATORS[op] if isinstance(op, int) and 0 <= op < len(OPERATORS) else str(op)


def _join(parts: Sequence[str]) -> str:
    nodes = (parts[:1], parts[1:3], parts[3:])
    return "+".join("|" + "".join(f"{part}|" for part in node) for node in nodes)


@cache
def _operator_costs() -> IntArray:
    """``(5, 3)``: what each operator adds to params, macs and flops."""
    return np.array([_edge_costs(op) for op in OPERATORS])


def _edge_costs(op: str) -> tuple[int, int, int]:
    """Parameters, multiply-adds and flops of one operation in all 15 cells."""
    kernel = _KERNELS.get(op)
    params = macs = flops = 0
    for channels, pixels in _STAGES:
        elements = _CELLS_PER_STAGE * channels * pixels
        if kernel:
            weights = kernel**2 * channels**2
            params += _CELLS_PER_STAGE * (weights + 2 * channels)
            macs += _CELLS_PER_STAGE * weights * pixels
            flops += 3 * elements  # ReLU and batch normalisation
        elif op == "avg_pool_3x3":
            flops += 9 * elements
    return params, macs, macs + flops


@cache
def _skeleton_costs() -> IntArray:
    """The same for the stem, the two residual blocks between the stages, and the classifier."""
    channels, pixels = _STAGES[0]
    params = 27 * channels + 2 * channels
    macs = 27 * channels * pixels
    other = 2 * channels * pixels
    for (before, larger), (after, smaller) in pairwise(_STAGES):
        weights = 9 * before * after + 9 * after * after + before * after
        params += weights + 4 * after
        macs += weights * smaller
        other += before * larger + after * smaller  # ReLU before each convolution
        other += 4 * after * smaller + 4 * before * smaller  # two batch normalisations, 2x2 average pooling
    channels, pixels = _STAGES[-1]
    params += 2 * channels + (channels + 1) * _CLASSES
    macs += channels * _CLASSES
    # Global pooling of 8x8 pixels counts as a window of 9x9: so the published figures were made.
    other += 3 * channels * pixels + 81 * channels
    return np.array([params, macs, macs + other])
