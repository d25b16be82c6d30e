"""NetworkView: any number of computational graphs side by side, in arrays, with what statistics of them share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import BoolArray, FloatArray, IntArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.junctions import Junctions
from archpredict.graph.operators import COLUMNS, NUMBERS, WEIGHTED, check_computational

__all__ = ["NetworkView"]

_SET_CHANNELS = (*WEIGHTED, "batch_norm")
_MOVES_AXES = ("slice", "attention", "permute", "pixel_shuffle")


@dataclass(frozen=True, eq=False)
class NetworkView:
    """A view of ``G`` computational graphs: arrays of their ``T`` nodes and ``E`` edges, graph after graph.

    Args:
        graphs: With the attributes of :mod:`archpredict.graph.operators`.

    Raises:
        InvalidGraphError: One is no computational graph.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> nodes = [Operation("input", (1, 3, 4, 4)), Operation("relu", (1, 3, 4, 4)), Operation("add", (1, 3, 4, 4))]
        >>> view = NetworkView([computational_graph(nodes, [(0, 1), (0, 2), (1, 2)])] * 2)
        >>> view.graph, view.longest(np.ones((6, 1)))[:, 0]
        (array([0, 0, 0, 1, 1, 1]), array([1., 2., 3., 1., 2., 3.]))
    """

    graphs: Sequence[ArchGraph]
    _columns: dict[str, FloatArray] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for graph in self.graphs:
            check_computational(graph)

    def __len__(self) -> int:
        return len(self.graphs)

    # ------------------------------------------------------------------ nodes

    @cached_property
    def graph(self) -> IntArray:
        """``(T,)`` the graph of each node."""
        return np.repeat(np.arange(len(self)), self._nodes)

    @cached_property
    def op(self) -> npt.NDArray[np.int64]:
        """``(T,)`` the place of each node's operator in :data:`archpredict.graph.operators.OPERATORS`."""
        labels = chain.from_iterable(graph.ops for graph in self.graphs)
        return np.array(list(map(NUMBERS.__getitem__, labels)), dtype=np.int64)

    def is_op(self, *ops: str) -> BoolArray:
        """``(T,)`` whether a node's operator is one of these."""
        among = np.zeros(len(NUMBERS), dtype=np.bool_)
        among[[NUMBERS[op] for op in ops]] = True
        return among[self.op]

    def column(self, name: str) -> FloatArray:
        """``(T, W)`` an attribute of all nodes."""
        if name not in self._columns:
            parts = [graph.attrs[name] for graph in self.graphs]
            parts = [part if part.ndim == 2 else part.reshape(len(part), -1) for part in parts]
            stacked = np.concatenate([np.zeros((0, COLUMNS[name])), *parts])
            self._columns[name] = stacked.astype(np.float64, copy=False)
        return self._columns[name]

    @cached_property
    def batch(self) -> FloatArray:
        """``(G,)`` samples per batch, of which a graph's shapes and multiply-adds are; 1 where nothing enters."""
        found = np.ones(len(self))
        inputs = np.flatnonzero(self.is_op("input"))[::-1]  # of several the first one counts, which is written last
        found[self.graph[inputs]] = np.maximum(1.0, self.column("shape")[inputs, 0])
        return found

    @cached_property
    def elements(self) -> FloatArray:
        """``(T,)`` numbers that a node gives per sample; 0 where its shape is not known."""
        shape = self.column("shape")
        known = (shape >= 0).all(axis=1) & (shape[:, 0] > 0)
        return np.where(known, np.where(shape > 0, shape, 1).prod(axis=1), 0) / self.batch[self.graph]

    @cached_property
    def params(self) -> FloatArray:
        """``(T,)`` parameters."""
        return self.column("params")[:, 0]

    @cached_property
    def macs(self) -> FloatArray:
        """``(T,)`` multiply-adds per sample."""
        return self.column("macs")[:, 0] / self.batch[self.graph]

    # ------------------------------------------------------------------ edges and paths

    @property
    def source(self) -> IntArray:
        """``(E,)`` the node that an edge comes from; edges to one node follow each other in their order."""
        return self._edges[0]

    @property
    def target(self) -> IntArray:
        """``(E,)`` the node that an edge goes to, in ascending order."""
        return self._edges[1]

    @cached_property
    def _edges(self) -> tuple[IntArray, IntArray]:
        counts = np.array([graph.num_edges for graph in self.graphs], dtype=np.int64)
        ends = chain.from_iterable(chain.from_iterable(graph.edges for graph in self.graphs))
        pairs = np.fromiter(ends, dtype=np.int64, count=2 * int(counts.sum())).reshape(-1, 2)
        pairs += np.repeat(np.cumsum(self._nodes) - self._nodes, counts)[:, None]
        if (pairs[1:, 1] < pairs[:-1, 1]).any():
            pairs = pairs[np.argsort(pairs[:, 1], kind="stable")]
        return pairs[:, 0].copy(), pairs[:, 1].copy()

    @cached_property
    def in_degree(self) -> IntArray:
        """``(T,)`` edges that arrive at each node."""
        return np.bincount(self.target, minlength=len(self.op))

    @cached_property
    def junctions(self) -> Junctions:
        """Where paths begin or meet."""
        begins = self.is_op("input")
        return Junctions.of(self.source, self.target, begins | (self.in_degree != 1))

    def longest(self, weights: FloatArray) -> FloatArray:
        """``(T, K)`` the largest sum of each of ``K`` weights, at least 0, on a path that ends at each node.

        Args:
            weights: ``(T, K)``.
        """
        behind = self.junctions.sums_behind(weights)
        found = weights.copy()
        for nodes, sources, begins in self.junctions.levels:
            arriving = found[self.junctions.root[sources]] + behind[sources]
            found[nodes] += np.maximum.reduceat(arriving, begins, axis=0)
        return found[self.junctions.root] + behind

    @cached_property
    def channels(self) -> FloatArray:
        """``(T,)`` channels of what each node gives, found by following the graphs from the layers that set them.

        A shape alone does not tell which axis has the channels (``(N, C, H, W)`` after a convolution, ``(N, T, C)``
        between linear layers): weights do, and what has no weight passes its input's number on.
        """
        shape, weight = self.column("shape"), self.column("weight")[:, 0]
        own = self.is_op(*_SET_CHANNELS) & (weight > 0)
        joins, moves = self.is_op("concat"), self.is_op(*_MOVES_AXES)
        size = np.maximum(shape, 1).prod(axis=1)
        found = np.where(own, weight, np.maximum(1.0, shape[:, 1]))
        read = ~own[self.target]
        source, target = self.source[read], self.target[read]
        junctions = Junctions.of(source, target, own | moves | (self.in_degree != 1))
        for nodes, sources, begins in junctions.levels:
            arriving = found[junctions.root[sources]]
            passed = np.maximum.reduceat(arriving, begins)
            if (here := joins[nodes]).any():
                together = np.add.reduceat(arriving, begins)
                along = (shape[nodes] == together[:, None]).any(axis=1)  # else it is another axis that is joined
                passed = np.where(here & along, together, passed)
            if (here := moves[nodes]).any():
                last = np.append(begins[1:], len(sources)) - 1
                passed = np.where(here, _moved(shape[nodes], size[nodes], arriving[last], size[sources[last]]), passed)
            found[nodes] = passed
        return found[junctions.root]

    # ------------------------------------------------------------------ sums and maxima by graph

    def sums(self, values: npt.NDArray[Any], where: BoolArray | None = None) -> FloatArray:
        """``(G,)`` sums of ``(T,)`` values, or of those of some nodes, over each graph."""
        chosen = slice(None) if where is None else where
        return np.bincount(self.graph[chosen], weights=values[chosen], minlength=len(self)).astype(np.float64)

    def counts(self, where: BoolArray) -> FloatArray:
        """``(G,)`` how many nodes of each graph are some of these."""
        return np.bincount(self.graph[where], minlength=len(self)).astype(np.float64)

    def largest(self, values: FloatArray, where: BoolArray | None = None, initial: float = 0.0) -> FloatArray:
        """``(G,)`` the largest of ``(T,)`` values over each graph, at least ``initial``."""
        found = np.full(len(self), initial)
        chosen = slice(None) if where is None else where
        np.maximum.at(found, self.graph[chosen], values[chosen])
        return found

    def tabulated(self, kind: IntArray, count: int, weights: Sequence[FloatArray]) -> Iterator[FloatArray]:
        """``(G, K)`` sums by kind, of 1 and then of each of the weights.

        Args:
            kind: ``(T,)`` from 0 to ``K - 1``, or -1 for nodes that do not count.
            count: ``K``.
            weights: ``(T,)`` each.
        """
        here = kind >= 0
        place = self.graph[here] * count + kind[here]
        for values in (None, *(weight[here] for weight in weights)):
            table = np.bincount(place, weights=values, minlength=len(self) * count)
            yield table.reshape(len(self), count).astype(np.float64)

    def foremost(self, among: BoolArray, keys: Sequence[npt.NDArray[np.generic]]) -> IntArray:
        """``(G,)`` the node of each graph with the largest first key, of several the one with the largest second key,
        and so on, so that no numbering of the nodes decides; -1 where no node is among those that count.
        """
        found = np.full(len(self), -1)
        nodes = np.flatnonzero(among)
        order = nodes[np.lexsort([*(key[nodes] for key in reversed(keys)), self.graph[nodes]])]
        found[self.graph[order]] = order  # the last of each graph stays
        return found

    @cached_property
    def _nodes(self) -> IntArray:
        return np.array([graph.num_nodes for graph in self.graphs], dtype=np.int64)


def _moved(shape: FloatArray, size: FloatArray, channels: FloatArray, before: FloatArray) -> FloatArray:
    """Channels after operators that move or cut axes: the same if there still is such an axis, else scaled."""
    kept = np.minimum(1.0, size / before)
    stays = (shape == channels[:, None]).any(axis=1) | (kept == 1)
    return np.where(stays, channels, np.maximum(1.0, channels * kept))
