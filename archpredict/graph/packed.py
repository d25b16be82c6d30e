"""PackedGraphs: any number of architectures in a few contiguous arrays.

What training, statistics and mini-batches are made from. Slices are taken without a Python loop; 423,624 cells fit in
tens of MB. No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import freeze
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.mixing import FACTORS, Keys, mixed, sums


@dataclass(frozen=True, eq=False)
class PackedGraphs:
    """``G`` graphs with ``T`` nodes and ``E`` edges in all, as contiguous arrays that cannot be written to.

    Args:
        vocabulary: Operator labels; label ``i`` has number ``i + 1``, 0 stands for "no operator".
        op: ``(T,)`` operator number of each node.
        cell: ``(T,)`` cell of each node.
        node_start: ``(G + 1,)`` where each graph's nodes begin.
        source, target: ``(E,)`` edge ends, counted within the graph.
        edge_op: ``(E,)`` operator number of each edge, 0 where operations are on nodes.
        edge_start: ``(G + 1,)`` where each graph's edges begin.
        num_cells: Cells per graph.
        features: ``(T, K)`` numbers of each node, None where there are none.
    """

    vocabulary: tuple[str, ...]
    op: npt.NDArray[Any]
    cell: npt.NDArray[Any]
    node_start: npt.NDArray[np.int64]
    source: npt.NDArray[Any]
    target: npt.NDArray[Any]
    edge_op: npt.NDArray[Any]
    edge_start: npt.NDArray[np.int64]
    num_cells: int = 1
    features: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.features is not None and (self.features.ndim != 2 or len(self.features) != len(self.op)):
            raise UsageError(
                f"features of {len(self.op)} nodes are an array with as many rows, one of shape "
                f"{self.features.shape} was given"
            )
        freeze(self, "op", "cell", "node_start", "source", "target", "edge_op", "edge_start", "features")

    @classmethod
    def from_graphs(
        cls,
        graphs: Sequence[ArchGraph],
        vocabulary: Sequence[str],
        num_cells: int | None = None,
        *,
        unknown: str | None = None,
        features: npt.NDArray[np.float32] | None = None,
    ) -> PackedGraphs:
        """Pack graphs.

        Args:
            graphs: Any number of graphs.
            vocabulary: Every operator label that may occur on nodes or edges.
            num_cells: Cells per graph; the largest number found if left out.
            unknown: The label of the vocabulary that stands for those which are not in it; None refuses them.
            features: ``(T, K)`` numbers of all nodes.

        Raises:
            UsageError: A label that is not in the vocabulary, features of another number of nodes, or a graph with
                more cells than ``num_cells``.
        """
        most_cells = max((g.num_cells for g in graphs), default=1)
        if num_cells is not None and most_cells > num_cells:
            raise UsageError(f"a graph with {most_cells} cells was given, the predictor knows {num_cells} per graph")
        number = {label: i + 1 for i, label in enumerate(vocabulary)}
        if unknown is not None:
            number |= {x: number[unknown] for g in graphs for x in {*g.ops, *(g.edge_ops or ())} - number.keys()}
        try:
            op = [number[label] for graph in graphs for label in graph.ops]
            edge_op = [number[x] for g in graphs for x in (g.edge_ops or ())] if _any_edge_ops(graphs) else None
        except KeyError as error:
            raise UsageError(_not_known(error.args[0], vocabulary)) from error
        edges = np.array([edge for graph in graphs for edge in graph.edges], dtype=np.int64).reshape(-1, 2)
        return cls.from_lists(
            vocabulary,
            (np.array(op, dtype=np.int64), [c for graph in graphs for c in graph.cells]),
            [graph.num_nodes for graph in graphs],
            (edges[:, 0], edges[:, 1], np.zeros(len(edges), dtype=np.int64) if edge_op is None else edge_op),
            [graph.num_edges for graph in graphs],
            num_cells or most_cells,
            features,
        )

    @classmethod
    def from_lists(
        cls,
        vocabulary: Sequence[str],
        nodes: tuple[npt.ArrayLike, npt.ArrayLike],
        num_nodes: npt.ArrayLike,
        edges: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
        num_edges: npt.ArrayLike,
        num_cells: int = 1,
        features: npt.NDArray[np.float32] | None = None,
    ) -> PackedGraphs:
        """Graphs whose nodes and edges stand one after another already, in the smallest types that hold them.

        Args:
            vocabulary: Operator labels.
            nodes: ``(T,)`` operator numbers and ``(T,)`` cells.
            num_nodes: ``(G,)``.
            edges: ``(E,)`` sources, targets, and operator numbers.
            num_edges: ``(G,)``.
            num_cells: Cells per graph.
            features: ``(T, K)`` numbers of each node.
        """
        sizes = np.asarray(num_nodes, dtype=np.int64)
        small, labels = _index_type(int(sizes.max(initial=0))), _index_type(len(vocabulary) + 1)
        (op, cell), (source, target, edge_op) = nodes, edges
        return cls(
            vocabulary=tuple(vocabulary),
            op=np.asarray(op).astype(labels),
            cell=np.asarray(cell).astype(_index_type(num_cells)),
            node_start=_starts(sizes),
            source=np.asarray(source).astype(small),
            target=np.asarray(target).astype(small),
            edge_op=np.asarray(edge_op).astype(labels),
            edge_start=_starts(np.asarray(num_edges, dtype=np.int64)),
            num_cells=num_cells,
            features=features,
        )

    @classmethod
    def from_arrays(cls, op: npt.NDArray[Any], adjacency: npt.NDArray[Any], vocabulary: Sequence[str]) -> PackedGraphs:
        """Pack operation-on-node graphs that are already padded arrays, without a Python loop.

        Args:
            op: ``(G, N)`` operator numbers (1 for the first label), 0 for padding at the end.
            adjacency: ``(G, N, N)``, non-zero at ``[g, source, target]`` where there is an edge.
            vocabulary: Operator labels.

        Raises:
            UsageError: Padding stands before an operator, or an edge ends at it.
        """
        real, most = op > 0, op.shape[1]
        nodes = real.sum(axis=1)
        # Several times quicker than numpy.nonzero of three dimensions.
        graph, edge = np.divmod(np.flatnonzero(np.asarray(adjacency) != 0), max(1, most * most))
        source, target = np.divmod(edge, max(1, most))
        if (real[:, 1:] > real[:, :-1]).any() or (np.maximum(source, target) >= nodes[graph]).any():
            raise UsageError("padding (operator 0) must come after all nodes of a graph and have no edges")
        small = _index_type(most)
        return cls(
            vocabulary=tuple(vocabulary),
            op=op[real].astype(_index_type(len(vocabulary) + 1)),
            cell=np.zeros(int(nodes.sum()), dtype=np.uint8),
            node_start=_starts(nodes),
            source=source.astype(small),
            target=target.astype(small),
            edge_op=np.zeros(len(graph), dtype=np.uint8),
            edge_start=_starts(np.bincount(graph, minlength=len(op))),
        )

    def with_vocabulary(
        self, vocabulary: Sequence[str], num_cells: int | None = None, *, unknown: str | None = None
    ) -> PackedGraphs:
        """The same graphs with other operator numbers, as :meth:`from_graphs` gives them.

        Args:
            vocabulary: Every operator label that occurs.
            num_cells: Cells per graph; as many as now if left out.
            unknown: The label that stands for those that are not in the vocabulary; None refuses them.

        Raises:
            UsageError: As by :meth:`from_graphs`.
        """
        if num_cells is not None and self.num_cells > num_cells:
            raise UsageError(
                f"a graph with {self.num_cells} cells was given, the predictor knows {num_cells} per graph"
            )
        number = {label: i + 1 for i, label in enumerate(vocabulary)}
        place = np.array([0, *(number.get(label, number.get(str(unknown), -1)) for label in self.vocabulary)])
        for given in (self.op, self.edge_op):
            lacking = given[place[given] < 0]
            if len(lacking):
                raise UsageError(_not_known(self.vocabulary[int(lacking[0]) - 1], vocabulary))
        labels, cells = _index_type(len(vocabulary) + 1), num_cells or self.num_cells
        return replace(
            self,
            vocabulary=tuple(vocabulary),
            op=place.astype(labels)[self.op],
            edge_op=place.astype(labels)[self.edge_op],
            num_cells=cells,
        )

    @classmethod
    def concat(cls, parts: Sequence[PackedGraphs]) -> PackedGraphs:
        """Several packs of one vocabulary, one after another."""
        first = parts[0]

        def joined(name: str) -> npt.NDArray[Any]:
            return np.concatenate([getattr(part, name) for part in parts])

        return cls(
            vocabulary=first.vocabulary,
            op=joined("op"),
            cell=joined("cell"),
            node_start=_starts(np.concatenate([np.diff(part.node_start) for part in parts])),
            source=joined("source"),
            target=joined("target"),
            edge_op=joined("edge_op"),
            edge_start=_starts(np.concatenate([np.diff(part.edge_start) for part in parts])),
            num_cells=first.num_cells,
            features=None if first.features is None else joined("features"),
        )

    @cached_property
    def levels(self) -> npt.NDArray[np.int32]:
        """``(2, T)`` longest distance of each node from one without predecessor, and from one without successor.

        Found once: graphs that are taken out of these have it too, where it was asked for before. So it is with
        :attr:`history` and :attr:`structure`.
        """
        if "structure" in self.__dict__:
            _, first, which = np.unique(self.structure, return_index=True, return_inverse=True)
            if 2 * len(first) < len(self):
                few = self[first]
                begin = few.node_start[:-1][which]
                found: npt.NDArray[np.int32] = few.levels[:, begin.repeat(np.diff(self.node_start)) + self.position]
                return found
        offset = np.repeat(self.node_start[:-1], np.diff(self.edge_start))
        source, target = self.source + offset, self.target + offset
        last = np.int64(np.diff(self.node_start).max(initial=1) - 1)
        forwards = _longest_distance(source, target, self.target, len(self.op))
        backwards = _longest_distance(target, source, last - self.source, len(self.op))
        return np.stack([forwards, backwards])

    @cached_property
    def structure(self) -> Keys:
        """``(G,)`` keys that are equal for graphs that differ in nothing but the operators of their nodes.

        Two of a million other structures are taken for equal with a chance of three in a hundred million.
        """
        nodes = self.position.astype(np.uint64) << np.uint64(32) | self.cell
        edges = self.source.astype(np.uint64) << np.uint64(32) | self.target
        edges = mixed(edges, 1) + self.edge_op
        return mixed(sums(mixed(nodes, 0), self.node_start) + sums(mixed(edges, 2), self.edge_start), 0)

    @cached_property
    def history(self) -> Keys:
        """``(T,)`` keys that are equal for nodes that are alike in operator and in all that leads to them.

        Two of a million others are taken for alike with a chance of three in a hundred million.
        """
        level = self.levels[0]
        count = int(level.max(initial=-1)) + 1
        offset = np.repeat(self.node_start[:-1], np.diff(self.edge_start))
        source, target = self.source + offset, self.target + offset
        keys: Keys = mixed(self.op.astype(np.uint64), 0) * FACTORS[0]
        sent = np.empty_like(keys)
        for nodes, edges in zip(_by_level(level, count), _by_level(level[target], count), strict=True):
            np.add.at(keys, target[edges], sent[source[edges]])
            keys[nodes] = own = mixed(keys[nodes], 0)
            sent[nodes] = mixed(own, 1)
        return keys

    @property
    def position(self) -> npt.NDArray[np.int64]:
        """``(T,)`` number of each node in its graph."""
        return np.arange(len(self.op)) - np.repeat(self.node_start[:-1], np.diff(self.node_start))

    def __len__(self) -> int:
        return len(self.node_start) - 1

    def __getitem__(self, index: slice | npt.NDArray[Any]) -> PackedGraphs:
        """The graphs of a slice or of an index array, in that order."""
        nodes, node_start = _taken(self.node_start, index)
        edges, edge_start = _taken(self.edge_start, index)
        taken = PackedGraphs(
            vocabulary=self.vocabulary,
            op=self.op[nodes],
            cell=self.cell[nodes],
            node_start=node_start,
            source=self.source[edges],
            target=self.target[edges],
            edge_op=self.edge_op[edges],
            edge_start=edge_start,
            num_cells=self.num_cells,
            features=None if self.features is None else self.features[nodes],
        )
        if "levels" in self.__dict__:
            taken.__dict__["levels"] = self.levels[:, nodes]
        if "history" in self.__dict__:
            taken.__dict__["history"] = self.history[nodes]
        if "structure" in self.__dict__:
            taken.__dict__["structure"] = self.structure[index]
        return taken


def _longest_distance(
    source: npt.NDArray[np.int64], target: npt.NDArray[np.int64], when: npt.NDArray[Any], nodes: int
) -> npt.NDArray[np.int32]:
    """Longest distance of each node from one without predecessor.

    Args:
        source: ``(E,)`` where edges begin.
        target: ``(E,)`` where they end.
        when: ``(E,)`` position of the target in a topological numbering of its graph.
        nodes: Number of nodes.
    """
    distance = np.zeros(nodes, dtype=np.int32)
    order = np.argsort(when, kind="stable")
    for at in np.split(order, np.flatnonzero(np.diff(when[order])) + 1):
        np.maximum.at(distance, target[at], distance[source[at]] + 1)
    return distance


def _by_level(level: npt.NDArray[np.int32], count: int) -> list[npt.NDArray[np.int64]]:
    """What is at each level, in its order."""
    small = level.astype(np.uint16) if count < 1 << 16 else level  # which NumPy sorts several times faster
    return np.split(np.argsort(small, kind="stable"), np.cumsum(np.bincount(level, minlength=count))[:-1])


def _not_known(label: str, vocabulary: Sequence[str]) -> str:
    return f"the operator {label!r} is not one of those the predictor knows: {', '.join(vocabulary)}"


def _any_edge_ops(graphs: Sequence[ArchGraph]) -> bool:
    with_edge_ops = sum(graph.edge_ops is not None for graph in graphs)
    if with_edge_ops not in (0, len(graphs)):
        raise UsageError("graphs with operations on nodes and on edges cannot be in one batch; convert with .on_nodes")
    return with_edge_ops > 0


def _starts(sizes: Any) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _taken(
    start: npt.NDArray[np.int64], index: slice | npt.NDArray[Any]
) -> tuple[slice | npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the chosen pieces of a ragged array are in it, and where each begins in the new one."""
    if isinstance(index, slice) and (step := index.indices(len(start) - 1))[2] == 1:
        begin, end = step[0], max(step[:2])
        return slice(int(start[begin]), int(start[end])), start[begin : end + 1] - start[begin]
    chosen = np.arange(len(start) - 1)[index]
    sizes = start[chosen + 1] - start[chosen]
    new_start = _starts(sizes)
    shift = np.repeat(start[chosen] - new_start[:-1], sizes)
    return np.arange(new_start[-1]) + shift, new_start


def _index_type(size: int) -> type[np.unsignedinteger[Any]]:
    return np.uint8 if size <= 256 else np.uint16 if size <= 65_536 else np.uint32
