"""DARTS: a normal and a reduction cell, each with four nodes that add up two operations."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator, Sequence
from functools import cache
from itertools import combinations
from typing import Any, Literal

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import InvalidArchitectureError, UnknownNameError
from archpredict.graph.arch_graph import DATA, SUM, ArchGraph
from archpredict.graph.builder import Builder, width_of
from archpredict.graph.packed import PackedGraphs
from archpredict.spaces._darts_network import NUM_EDGES, build, build_mixed
from archpredict.spaces._darts_notation import ATTRIBUTES, NODES, Cell, genotype
from archpredict.spaces._paths import LabelledEdge, pruned_cells
from archpredict.spaces._plain import wholes
from archpredict.spaces.base import Choices, SearchSpace
from archpredict.spaces.costs.darts import CELLS, CHANNELS, CellCost, operation_cost, skeleton_cost

__all__ = ["Darts"]

OPERATORS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""Choices of operators are indices into this, as in the compact notation; ``none`` would be the eighth."""

PAIRS = {node: tuple(combinations(range(node), 2)) for node in NODES}
"""The pairs of distinct earlier nodes that a node can read, in lexicographic order."""

_SOURCES = np.array([[*PAIRS[node], *((0, 0),) * (len(PAIRS[NODES[-1]]) - len(PAIRS[node]))] for node in NODES])
"""``(4, 10, 2)`` the same as an array."""

_CELL_NAMES = ("normal", "reduction")
_NODES = ("input0", "input1", SUM, SUM, SUM, SUM, "output")
_SIZE = len(_NODES)
_CELLS = (0,) * _SIZE + (1,) * _SIZE
_INPUTS = (0, 1, _SIZE, _SIZE + 1)
_OUTPUTS = (6, 6 + _SIZE)
_PER_CELL = 3 * len(NODES)
_NUM_EDGES = 6 * len(NODES)
"""Of both cells, those into their outputs too."""
_CONCAT = list(NODES)
_COSTS = ("params", "macs", "flops")

_PAIR = r"\('[a-z]\w*', [0-9]\)"
_CELL = ", ".join([rf"({_PAIR}, {_PAIR})"] * len(NODES))
_ALL_NODES = r"(?:\[2, 3, 4, 5\]|range\(2, 6\))"
_GENOTYPE = re.compile(
    rf"Genotype\(normal=\[{_CELL}\], normal_concat={_ALL_NODES}, reduce=\[{_CELL}\], reduce_concat={_ALL_NODES}\)"
)
"""Each group is the two pairs of a node."""

Style = Literal["genotype", "triples", "compact"]


class Darts(SearchSpace):
    """The cells of DARTS: 24 choices, all combinations legal, about 1.1e18 vectors.

    Liu, Simonyan and Yang, "DARTS: differentiable architecture search", 2019, arXiv 1806.09055. Nodes 0 and 1
    of a cell are its inputs; each node 2 to 5 adds up two operations on two different earlier nodes; the
    output concatenates the four. For the normal and then the reduction cell, and for each node in turn, there
    are three
    choices: the pair of inputs ``a < b`` (1, 3, 6 or 10, see :data:`PAIRS`), the operator on ``a``, that on
        ``b``.

    Sampling is therefore uniform over genotypes. Genotypes that differ only in the numbering of their nodes
    are isomorphic, so classes of isomorphic graphs are not drawn equally often.

    Args:
        with_none: Add the operator ``none`` (index 7), which contributes nothing.

    Example:
        >>> space = Darts()
        >>> cell = [[0, 3], [1, 3], [0, 3], [1, 3], [0, 3], [1, 2], [0, 2], [2, 5]]
        >>> choices = space.parse(str([cell, cell]))
        >>> choices[:6]
        (0, 3, 3, 0, 3, 3)
        >>> space.format(choices).startswith("Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1)")
        True
    """

    name = "darts"
    notation = (
        "Genotype(normal=[('sep_conv_3x3', 0), ...eight pairs], normal_concat=[2, 3, 4, 5], reduce=[...], "
        "reduce_concat=[2, 3, 4, 5]), or normal_arch=[('sep_conv_3x3', 0, 2), ...], reduced_arch=[...], "
        "or [[[input, operator index], ...], [...]]"
    )

    attributes = ATTRIBUTES

    def __init__(self, with_none: bool = False) -> None:
        self.operator_names = (*OPERATORS, "none") if with_none else OPERATORS
        n = len(self.operator_names)
        self.num_choices = tuple(size for node in NODES for size in (len(PAIRS[node]), n, n)) * 2

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        """Operations on edges, normal cell first, without ``none`` and what is on no path to an output."""
        edges = [edge for edge in self._labelled(choices) if edge[2] != "none"]
        complete = len(edges) == _NUM_EDGES  # every node computes something, and the output reads it
        if not complete:
            return pruned_cells(_NODES * 2, edges, _CELLS, _INPUTS, _OUTPUTS)
        return _graph(edges)

    def pack(self, choices: IntArray) -> PackedGraphs:
        """As :meth:`decode`; all without ``none`` have the same nodes and, but for sources and operators, edges."""
        rows = self.rows(choices)
        has_none = (rows.reshape(-1, 2 * len(NODES), 3)[..., 1:] == len(OPERATORS)).any(axis=(1, 2))
        if not has_none.any():
            return self._packed(rows)
        parts = [self._packed(rows[~has_none]), super().pack(rows[has_none])]
        order = np.concatenate([np.flatnonzero(~has_none), np.flatnonzero(has_none)])
        return PackedGraphs.concat(parts)[np.argsort(order)]

    def _packed(self, rows: IntArray) -> PackedGraphs:
        """Of architectures without ``none``."""
        number = {label: i + 1 for i, label in enumerate(self.operators)}
        nodes = rows.reshape(-1, 2, len(NODES), 3)  # graph, cell, node
        count = len(nodes)
        offset = np.arange(2)[:, None, None] * _SIZE
        read = _SOURCES[np.arange(len(NODES)), nodes[..., 0]] + offset  # (B, 2, 4, 2)
        kinds = np.array([number[op] for op in self.operator_names if op != "none"])[nodes[..., 1:]]
        joined = np.broadcast_to(np.array(NODES) + offset[..., 0], (count, 2, len(NODES)))
        source = np.concatenate([read.reshape(count, 2, 2 * len(NODES)), joined], axis=2)
        label = np.concatenate([kinds.reshape(count, 2, 2 * len(NODES)), np.full_like(joined, number[DATA])], axis=2)
        target = np.array([*np.repeat(NODES, 2), *(_OUTPUTS[0],) * len(NODES)]) + offset[..., 0]
        return PackedGraphs.from_lists(
            self.operators,
            (np.tile([number[op] for op in _NODES * 2], count), np.tile(_CELLS, count)),
            np.full(count, len(_CELLS)),
            (source.ravel(), np.tile(target.ravel(), count), label.ravel()),
            np.full(count, _NUM_EDGES),
            2,
        )

    def outline(self, choices: Sequence[int]) -> ArchGraph:
        """Operations on edges, also ``none`` and what is on no path to an output."""
        return _graph(self._labelled(choices))

    def read(self, value: Any) -> Choices:
        """Choices from a genotype in any of the three notations.

        Raises:
            ValueError: It is in none of them, or names cells or operators outside the space.
        """
        if value and wholes(value) is not None:
            return super().read(value)
        cells, concats = genotype(value)
        for name, concat in zip(("normal", "reduce"), concats, strict=True):
            if concat is not None and sorted(concat) != _CONCAT:
                raise ValueError(
                    f"{name}_concat is {concat}, and only the four nodes 2, 3, 4, 5 together are in the space"
                )
        choices: list[int] = []
        for name, cell in zip(_CELL_NAMES, cells, strict=True):
            for i, node in enumerate(NODES):
                where = f"node {node} of the {name} cell"
                choices += self._node_choices(cell[2 * i : 2 * i + 2], where, node)
        return tuple(choices)

    @property
    def fragment_choices(self) -> tuple[tuple[int, ...], ...]:
        return tuple((at, at + 1, at + 2) for at in range(0, 2 * _PER_CELL, 3))

    def fragments(self, text: str) -> Sequence[Hashable] | None:
        """The two pairs of each node of a genotype as DARTS writes it."""
        found = _GENOTYPE.fullmatch(text)
        return None if found is None else found.groups()

    def format(self, choices: Sequence[int], style: Style = "genotype") -> str:
        """The genotype on one line; :meth:`parse` reads it back.

        A text that was parsed comes back but for the order of a node's two inputs, which is a < b here.

        Args:
            choices: Legal choices.
            style: ``genotype`` as DARTS does, ``triples`` (operator, from, to) as CTNAS does, or ``compact``.
        """
        normal, reduction = ([(op, s, node) for c, node, s, op in self._edges(choices) if c == cell] for cell in (0, 1))
        if style == "triples":
            names = ("normal_arch", "normal_concat", "reduced_arch", "reduced_concat")
            parts = zip(names, (normal, _CONCAT, reduction, _CONCAT), strict=True)
            return ",".join(f"{name}={part}" for name, part in parts)
        if style == "compact":
            index = self.operator_names.index
            return json.dumps([[[s, index(op)] for op, s, _ in cell] for cell in (normal, reduction)])
        if style != "genotype":
            raise UnknownNameError("style", style, ("genotype", "triples", "compact"))
        pairs, second = ([(op, s) for op, s, _ in cell] for cell in (normal, reduction))
        return f"Genotype(normal={pairs}, normal_concat={_CONCAT}, reduce={second}, reduce_concat={_CONCAT})"

    def cost(self, choices: Sequence[int]) -> dict[str, float]:
        """Costs of the network that the zero-cost NAS-Bench-301 tables describe: 8 cells, 32 channels,
        CIFAR-10.

        Every edge counts, also one that nothing feeds.

        Returns:
            ``params``; ``macs``: multiply-adds of convolutions and the classifier; ``flops``: macs plus 1 per
            element of a ReLU or batch normalisation (2 where affine) and the window's size per element of a
            pooling.
        """
        return {name: float(values[0]) for name, values in self.costs(np.array([choices])).items()}

    def costs(self, choices: IntArray) -> dict[str, FloatArray]:
        """Costs of ``(B, 24)`` choices at once: one look-up per edge."""
        nodes = self.rows(choices).reshape(-1, 2 * len(NODES), 3)
        skeleton, table = _cost_tables()
        edges = table[np.arange(2 * len(NODES))[:, None], nodes[..., :1], np.arange(2), nodes[..., 1:]]
        totals = skeleton + edges.sum(axis=(1, 2))
        return dict(zip(_COSTS, totals.T.astype(np.float64), strict=True))

    def network(
        self,
        choices: Sequence[int],
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
        cells: int = CELLS,
        merge: bool = True,
    ) -> ArchGraph:
        """The network that :meth:`cost` counts, without auxiliary head.

        Args:
            choices: A legal vector.
            num_classes: As for every space.
            image_size: As for every space.
            image_channels: As for every space.
            channels: Of the first cells, 32 in the tables and 36 for the publication's final training.
            cells: 8 in the tables, 20 for the publication's final training; two of them are reductions.
            merge: Whether operations without weights that compute the same are one node; the tables' ``flops`` count
                each (:func:`archpredict.graph.summary.flops`).

        Example:
            >>> from archpredict.graph.operators import total
            >>> space = Darts()
            >>> total(space.network((0, 3, 3) * 8), "macs") == space.cost((0, 3, 3) * 8)["macs"]
            True
        """
        kinds: tuple[list[LabelledEdge], list[LabelledEdge]] = ([], [])
        for cell, node, source, op in self._edges(choices):
            if op != "none":
                kinds[cell].append((source, node, op))
        b = Builder((image_channels, image_size, image_size), merge=merge)
        return build(b, kinds, width_of(channels, CHANNELS), cells, num_classes).graph()

    @property
    def mixtures(self) -> tuple[int, ...]:
        return (len(OPERATORS) + 1,) * (2 * NUM_EDGES)

    def relaxed_network(
        self,
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
        cells: int = CELLS,
    ) -> ArchGraph:
        """The network that DARTS searches with: every node reads all earlier ones, by a mixture of all operators.

        As published, ``none`` is one of them, whatever the space has. Decisions are the 14 edges of the normal cell and
        those of the reduction cell, in the order of nodes.

        Args:
            num_classes: As for every space.
            image_size: As for every space.
            image_channels: As for every space.
            channels: Of the first cells; 16 in the published search.
            cells: How many; 8 in the published search.
        """
        b = Builder((image_channels, image_size, image_size))
        return build_mixed(b, (*OPERATORS, "none"), width_of(channels, CHANNELS), cells, num_classes).graph()

    def derivations(self, log_shares: Sequence[FloatArray]) -> list[tuple[IntArray, FloatArray]]:
        """For each node its two edges and their operators; the score is the product of both shares.

        So the best has the two edges whose strongest operator has the largest shares, as in section 2.4 of DARTS.
        """
        count, start = len(self.operator_names), 0
        parts = []
        for node in (*NODES, *NODES):
            rows, scores = [], []
            edges = [shares[:count] for shares in log_shares[start : start + node]]
            for pair, (a, b) in enumerate(PAIRS[node]):
                ops = np.indices((count, count)).reshape(2, -1).T
                rows.append(np.column_stack([np.full(len(ops), pair), ops]))
                scores.append((edges[a][:, None] + edges[b]).ravel())
            parts.append((np.concatenate(rows), np.concatenate(scores)))
            start += node
        return parts

    def _edges(self, choices: Sequence[int]) -> Iterator[tuple[int, int, int, str]]:
        """``(cell, node, source, operator)`` of all 16 edges, in the order of choices."""
        for cell in (0, 1):
            for i, node in enumerate(NODES):
                start = cell * _PER_CELL + 3 * i
                pair, *ops = choices[start : start + 3]
                for source, op in zip(PAIRS[node][pair], ops, strict=True):
                    yield cell, node, source, self.operator_names[op]

    def _labelled(self, choices: Sequence[int]) -> list[LabelledEdge]:
        """``(source, target, operator)`` of all edges of both cells, those into their outputs too."""
        edges = [(source + cell * _SIZE, node + cell * _SIZE, op) for cell, node, source, op in self._edges(choices)]
        edges += [(output - 4 + i, output, DATA) for output in _OUTPUTS for i in range(4)]
        return sorted(edges, key=lambda edge: edge[1])

    def _node_choices(self, pairs: Cell, where: str, node: int) -> list[int]:
        (a, op_a), (b, op_b) = sorted(pairs, key=lambda pair: pair[0])
        if a == b:
            raise InvalidArchitectureError(f"{where} reads node {a} twice; its two inputs must differ")
        for source in (a, b):
            if not 0 <= source < node:
                raise InvalidArchitectureError(f"{where} reads node {source}; it can read nodes 0 to {node - 1}")
        return [PAIRS[node].index((a, b)), self._operator(op_a, where), self._operator(op_b, where)]

    def _operator(self, op: str | int, where: str) -> int:
        names = self.operator_names
        if op in ("none", len(OPERATORS)) and "none" not in names:
            raise InvalidArchitectureError(
                f"{where} has the operator none, which is not in this space; use Darts(with_none=True) "
                "or `space='archpredict.spaces.darts:with_none'`"
            )
        if isinstance(op, str):
            if op not in names:
                raise InvalidArchitectureError(f"{where} has an {UnknownNameError('operator', op, names)}")
            return names.index(op)
        if not 0 <= op < len(names):
            raise InvalidArchitectureError(f"{where} has operator {op}; operators count from 0 to {len(names) - 1}")
        return op

    def __repr__(self) -> str:
        return f"Darts(with_none={'none' in self.operator_names})"


def _graph(edges: Sequence[LabelledEdge]) -> ArchGraph:
    return ArchGraph(_NODES * 2, tuple([(s, t) for s, t, _ in edges]), tuple([op for _, _, op in edges]), _CELLS)


@cache
def _cost_tables() -> tuple[IntArray, IntArray]:
    """Params, macs and flops of the skeleton, ``(3,)``, and of each operation of each choice of a pair.

    The second is ``(8, 10, 2, 8, 3)``: node (of both cells), pair it reads, which of the two, operator with
    ``none``, cost.
    """
    table = np.zeros((2 * len(NODES), len(PAIRS[NODES[-1]]), 2, len(OPERATORS) + 1, len(_COSTS)), dtype=np.int64)
    for i, node in enumerate((*NODES, *NODES)):
        reduction = i >= len(NODES)
        for pair, sources in enumerate(PAIRS[node]):
            for side, source in enumerate(sources):
                stride = 2 if reduction and source < 2 else 1
                for op, name in enumerate(OPERATORS):
                    table[i, pair, side, op] = _row(operation_cost(name, reduction, stride))
    return np.array(_row(skeleton_cost())), table


def _row(cost: CellCost) -> tuple[int, int, int]:
    return cost.params, cost.macs, cost.flops


def with_none() -> Darts:
    """The space with the operator ``none``, named ``archpredict.spaces.darts:with_none``."""
    return Darts(with_none=True)
