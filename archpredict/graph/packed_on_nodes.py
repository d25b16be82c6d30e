"""Packed graphs in operation-on-node form: many at once, as :attr:`ArchGraph.on_nodes` is of one."""

from __future__ import annotations

import numpy as np

from archpredict._typing import BoolArray, IntArray
from archpredict.graph.arch_graph import DATA, SUM
from archpredict.graph.packed import PackedGraphs

__all__ = ["packed_on_nodes"]


def packed_on_nodes(graphs: PackedGraphs) -> PackedGraphs:
    """Every operation of an edge a node of its own, and no node that only adds.

    Equal to packing :attr:`ArchGraph.on_nodes <archpredict.graph.arch_graph.ArchGraph.on_nodes>` of each, in this order
    of nodes and edges.

    Args:
        graphs: Graphs with operations on edges, without features; others are their own form.

    Example:
        >>> from archpredict.spaces.base import load_space
        >>> space = load_space("nasbench201")
        >>> graph = space.decode([3, 0, 0, 3, 0, 0])
        >>> packed = packed_on_nodes(PackedGraphs.from_graphs([graph], space.operators))
        >>> [space.operators[number - 1] for number in packed.op.tolist()], graph.on_nodes.ops
        (['input', 'nor_conv_3x3', 'output'], ('input', 'nor_conv_3x3', 'output'))
    """
    if not graphs.edge_op.any():
        return graphs
    form = _Form(graphs)
    op, cell = np.empty(form.num_nodes, np.int64), np.empty(form.num_nodes, np.int64)
    op[form.of_edge[form.operates]] = form.label[form.operates]
    cell[form.of_edge[form.operates]] = graphs.cell[form.target[form.operates]]
    op[form.of_node[~form.passes]] = graphs.op[~form.passes]
    cell[form.of_node[~form.passes]] = graphs.cell[~form.passes]
    source, target = form.edges()
    begin = form.begin[graphs.node_start]
    graph = np.searchsorted(begin, target, side="right") - 1
    return PackedGraphs.from_lists(
        graphs.vocabulary,
        (op, cell),
        np.diff(begin),
        (source - begin[graph], target - begin[graph], np.zeros(len(source), np.int64)),
        np.bincount(graph, minlength=len(graphs)),
        graphs.num_cells,
    )


class _Form:
    """What becomes of nodes and edges; nodes of all graphs are counted together.

    Args:
        graphs: Graphs with operations on edges.
    """

    def __init__(self, graphs: PackedGraphs) -> None:
        number = {label: i + 1 for i, label in enumerate(graphs.vocabulary)}
        offset = np.repeat(graphs.node_start[:-1], np.diff(graphs.edge_start))
        order = np.argsort(graphs.target + offset, kind="stable")
        self.source, self.target = (graphs.source + offset)[order], (graphs.target + offset)[order]
        self.label = graphs.edge_op[order].astype(np.int64)
        count = len(graphs.op)
        self.operates: BoolArray = self.label != number.get(DATA, -1)
        self.arriving: IntArray = np.bincount(self.target, minlength=count)
        is_read = np.zeros(count, dtype=np.bool_)
        is_read[self.source] = True
        self.passes: BoolArray = (graphs.op == number.get(SUM, -1)) & is_read & (self.arriving > 0)
        self._position = graphs.position
        operations = np.bincount(self.target[self.operates], minlength=count)
        self.begin: IntArray = np.concatenate([[0], np.cumsum(operations + ~self.passes)])
        """Where the new nodes that an old one becomes begin."""
        self.num_nodes = int(self.begin[-1])
        self.of_node = self.begin[:-1] + operations
        before = np.cumsum(self.operates) - self.operates - (np.cumsum(operations) - operations)[self.target]
        self.of_edge = self.begin[self.target] + before
        self._first = np.cumsum(self.arriving) - self.arriving
        self._producers()

    def _producers(self) -> None:
        """The new nodes whose outputs add up to an old node's value: a piece of a list each."""
        self.made = np.concatenate([self.of_node, self.of_edge])
        self.start: IntArray = np.where(self.passes, len(self.of_node) + self._first, np.arange(len(self.passes)))
        self.size: IntArray = np.where(self.passes, self.arriving, 1)
        joins = np.zeros(len(self.passes), dtype=np.bool_)
        joins[self.target[~self.operates]] = True
        late = np.flatnonzero(self.passes & joins)
        for position in np.unique(self._position[late]):
            nodes = late[self._position[late] == position]
            edges = _ranges(self._first[nodes], self.arriving[nodes])
            made, sizes = self._arriving(edges)
            total = np.add.reduceat(sizes, np.cumsum(self.arriving[nodes]) - self.arriving[nodes])
            self.start[nodes] = len(self.made) + np.cumsum(total) - total
            self.size[nodes] = total
            self.made = np.concatenate([self.made, made])

    def _arriving(self, edges: IntArray) -> tuple[IntArray, IntArray]:
        """The new nodes that these edges bring to their targets, one after another, and how many each brings."""
        start = np.where(self.operates[edges], len(self.of_node) + edges, self.start[self.source[edges]])
        size = np.where(self.operates[edges], 1, self.size[self.source[edges]])
        return self.made[_ranges(start, size)], size

    def edges(self) -> tuple[IntArray, IntArray]:
        """Sources and targets of the new edges, by target."""
        own = np.flatnonzero(self.operates)  # what an operation reads
        size = self.size[self.source[own]]
        read, reader = self.made[_ranges(self.start[self.source[own]], size)], np.repeat(self.of_edge[own], size)
        into = np.flatnonzero(~self.passes[self.target])  # what arrives at a node that stays
        made, sizes = self._arriving(into)
        source = np.concatenate([read, made])
        target = np.concatenate([reader, np.repeat(self.of_node[self.target[into]], sizes)])
        order = np.argsort(target, kind="stable")
        return source[order], target[order]


def _ranges(start: IntArray, size: IntArray) -> IntArray:
    """``start[i], start[i] + 1, ...``, ``size[i]`` of them, for each i."""
    begin = np.cumsum(size) - size
    found: IntArray = np.arange(int(size.sum())) + np.repeat(start - begin, size)
    return found
