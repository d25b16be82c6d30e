"""From graphs to tensors: the only door from ArchGraph to torch and DGL.

:class:`PackedGraphs` holds any number of graphs in a few contiguous arrays and slices mini-batches out of them without
a Python loop. :class:`GraphBatch` is one mini-batch with one primitive, the aggregation of messages along edges, on
three interchangeable back ends:

* ``dense``: padded adjacency matrices; for cells (up to 64 nodes);
* ``dgl``: DGL's sparse kernels; for large graphs on the CPU;
* ``scatter``: torch ``index_add``; runs wherever torch runs.

Encoders written against GraphBatch never see which one is used: node features are a tensor whose *last* dimension is
the feature, ``(B, N, D)`` when dense and ``(T, D)`` otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archpredict.backends import has_dgl, import_dgl
from archpredict.errors import UsageError
from archpredict.graph import ArchGraph

Backend = Literal["auto", "dense", "dgl", "scatter"]
Readout = Literal["mean", "sum", "output"]

_DENSE_LIMIT = 64
"""Largest graph for which padded matrices are used by default (``benchmarks/backends.py`` compares them)."""


@dataclass(frozen=True)
class PackedGraphs:
    """``G`` graphs with ``T`` nodes and ``E`` edges in all, as contiguous arrays.

    Args:
        vocabulary: Operator labels; label ``i`` has number ``i + 1``, 0 stands for "no operator".
        op: ``(T,)`` operator number of each node.
        cell: ``(T,)`` cell of each node.
        node_start: ``(G + 1,)`` where each graph's nodes begin.
        source, target: ``(E,)`` edge ends, counted within the graph.
        edge_op: ``(E,)`` operator number of each edge, 0 where operations are on nodes.
        edge_start: ``(G + 1,)`` where each graph's edges begin.
        num_cells: Cells per graph.
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

    @classmethod
    def from_graphs(
        cls, graphs: Sequence[ArchGraph], vocabulary: Sequence[str], num_cells: int | None = None
    ) -> PackedGraphs:
        """Pack graphs.

        Args:
            graphs: Any number of graphs.
            vocabulary: Every operator label that may occur on nodes or edges.
            num_cells: Cells per graph; the largest number found if left out.

        Raises:
            UsageError: A label that is not in the vocabulary, or a graph with more cells than ``num_cells``.
        """
        most_cells = max((g.num_cells for g in graphs), default=1)
        if num_cells is not None and most_cells > num_cells:
            raise UsageError(f"a graph with {most_cells} cells was given, the predictor knows {num_cells} per graph")
        number = {label: i + 1 for i, label in enumerate(vocabulary)}
        try:
            op = [number[label] for graph in graphs for label in graph.ops]
            edge_op = [number[x] for g in graphs for x in (g.edge_ops or ())] if _any_edge_ops(graphs) else None
        except KeyError as error:
            raise UsageError(
                f"the operator {error.args[0]!r} is not one of those the predictor knows: {', '.join(vocabulary)}"
            ) from error
        edges = np.array([edge for graph in graphs for edge in graph.edges], dtype=np.int64).reshape(-1, 2)
        small = _index_type(max((g.num_nodes for g in graphs), default=0))
        labels = _index_type(len(vocabulary) + 1)
        return cls(
            vocabulary=tuple(vocabulary),
            op=np.array(op, dtype=labels),
            cell=np.array([c for graph in graphs for c in graph.cells], dtype=_index_type(most_cells)),
            node_start=_starts([graph.num_nodes for graph in graphs]),
            source=edges[:, 0].astype(small),
            target=edges[:, 1].astype(small),
            edge_op=np.zeros(len(edges), dtype=labels) if edge_op is None else np.array(edge_op, dtype=labels),
            edge_start=_starts([graph.num_edges for graph in graphs]),
            num_cells=num_cells or most_cells,
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
        real = op > 0
        has_edge: npt.NDArray[np.bool_] = np.any(adjacency, axis=1) | np.any(adjacency, axis=2)
        if (real[:, 1:] > real[:, :-1]).any() or (has_edge & ~real).any():
            raise UsageError("padding (operator 0) must come after all nodes of a graph and have no edges")
        graph, source, target = np.nonzero(adjacency)
        small = _index_type(op.shape[1])
        return cls(
            vocabulary=tuple(vocabulary),
            op=op[real].astype(_index_type(len(vocabulary) + 1)),
            cell=np.zeros(int(real.sum()), dtype=np.uint8),
            node_start=_starts(real.sum(axis=1)),
            source=source.astype(small),
            target=target.astype(small),
            edge_op=np.zeros(len(graph), dtype=np.uint8),
            edge_start=_starts(np.bincount(graph, minlength=len(op))),
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
        )

    def __len__(self) -> int:
        return len(self.node_start) - 1

    def __getitem__(self, index: slice | npt.NDArray[Any]) -> PackedGraphs:
        """The graphs of a slice or of an index array, in that order."""
        chosen = np.arange(len(self))[index]
        nodes, node_start = _ragged(self.node_start, chosen)
        edges, edge_start = _ragged(self.edge_start, chosen)
        return PackedGraphs(
            vocabulary=self.vocabulary,
            op=self.op[nodes],
            cell=self.cell[nodes],
            node_start=node_start,
            source=self.source[edges],
            target=self.target[edges],
            edge_op=self.edge_op[edges],
            edge_start=edge_start,
            num_cells=self.num_cells,
        )

    def batch(self, device: str | torch.device = "cpu", backend: Backend = "auto") -> GraphBatch:
        """All graphs as one mini-batch of tensors."""
        if backend == "auto":
            backend = _best_backend(int(np.diff(self.node_start).max(initial=0)), torch.device(device))
        makers: dict[str, type[DenseBatch] | type[ScatterBatch]] = {
            "dense": DenseBatch,
            "dgl": DGLBatch,
            "scatter": ScatterBatch,
        }
        if backend not in makers:
            raise UsageError(f"unknown back end {backend!r}; choose from: auto, {', '.join(makers)}")
        return makers[backend](self, torch.device(device))


def collate(
    graphs: Sequence[ArchGraph],
    vocabulary: Sequence[str],
    *,
    device: str | torch.device = "cpu",
    backend: Backend = "auto",
) -> GraphBatch:
    """One mini-batch from graphs: shorthand for packing and batching.

    Example:
        >>> graph = ArchGraph(("input", "conv", "output"), ((0, 1), (1, 2)))
        >>> batch = collate([graph, graph], vocabulary=("input", "conv", "output"))
        >>> batch.num_graphs, tuple(batch.op.shape)
        (2, (2, 3))
    """
    return PackedGraphs.from_graphs(graphs, vocabulary).batch(device, backend)


class GraphBatch(ABC):
    """A mini-batch of ``B`` graphs with up to ``N`` nodes each, ``T`` nodes and ``E`` edges in all.

    Attributes:
        op: Operator numbers in node layout: ``(B, N)`` when dense (0 for padding), else ``(T,)``.
        edge_op: ``(E,)`` operator number of each edge; gates are given in this order.
    """

    op: Tensor

    def __init__(self, packed: PackedGraphs, device: torch.device) -> None:
        self.device = device
        self.num_graphs = len(packed)
        self.num_cells = packed.num_cells
        self.edge_op = _long(packed.edge_op, device)
        sizes, self._num_edges = np.diff(packed.node_start), np.diff(packed.edge_start)
        self._node_graph = np.repeat(np.arange(self.num_graphs), sizes)
        self._edge_graph = np.repeat(np.arange(self.num_graphs), self._num_edges)
        self._packed = packed

    @abstractmethod
    def aggregate(
        self, h: Tensor, *, reverse: bool = False, gate: Tensor | None = None, onto: Tensor | None = None
    ) -> Tensor:
        """Sum of messages along edges: ``out_v = onto_v + sum over edges e = (u, v) of gate_e * h_u``.

        Args:
            h: Node features ``(..., D)`` in node layout.
            reverse: Send messages from destination to source instead.
            gate: ``(E, D)`` or ``(E, 1)`` factors per edge, all 1 if left out.
            onto: Node features that the sums are added to (one pass over memory less than adding them later).

        Returns:
            Like ``h``.
        """

    @abstractmethod
    def pool(self, h: Tensor, how: Readout = "mean") -> Tensor:
        """One vector per cell.

        Args:
            h: Node features ``(..., D)`` in node layout.
            how: ``mean`` or ``sum`` over the cell's nodes, or ``output``: mean over its nodes without a successor.

        Returns:
            ``(B, C, D)`` for ``C`` cells; zeros where a graph lacks the cell.
        """

    @abstractmethod
    def spread(self, z: Tensor) -> Tensor:
        """Give each node its cell's vector: ``(B, C, D)`` to node layout ``(..., D)``."""

    @abstractmethod
    def degree(self, *, reverse: bool = False) -> Tensor:
        """Number of arriving (or, reversed, leaving) edges in node layout, ``(..., 1)``."""

    @cached_property
    def _weights(self) -> dict[str, Tensor]:
        """Per node, in packed order, its weight in each readout."""
        packed = self._packed
        offset = packed.node_start[self._edge_graph]
        leaving = np.bincount(packed.source + offset, minlength=len(packed.op))
        group = self._node_graph * self.num_cells + packed.cell
        size = np.bincount(group, minlength=self.num_graphs * self.num_cells)
        sink = (leaving == 0).astype(np.float32)
        sinks = np.bincount(group, weights=sink, minlength=self.num_graphs * self.num_cells)
        weights = {
            "sum": np.ones(len(group), dtype=np.float32),
            "mean": 1 / size[group],
            "output": sink / np.maximum(sinks[group], 1),
        }
        return {name: torch.from_numpy(w.astype(np.float32)).to(self.device) for name, w in weights.items()}


class DenseBatch(GraphBatch):
    """Padded matrices: ``op`` is ``(B, N)``, messages are one batched matrix product."""

    def __init__(self, packed: PackedGraphs, device: torch.device) -> None:
        super().__init__(packed, device)
        n = int(np.diff(packed.node_start).max(initial=1))
        place = np.arange(len(packed.op)) - packed.node_start[self._node_graph]
        self._flat = self._node_graph * n + place  # (T,) position of each node in the padded layout
        op = np.zeros(self.num_graphs * n, dtype=np.int64)
        op[self._flat] = packed.op
        self.op = torch.from_numpy(op.reshape(-1, n)).to(device)
        self._n = n
        self._source = self._edge_graph * n + packed.source
        self._target = self._edge_graph * n + packed.target
        counts = np.bincount(self._target * n + packed.source, minlength=self.num_graphs * n * n)
        adjacency = counts.astype(np.float32).reshape(-1, n, n)
        self.adjacency = torch.from_numpy(adjacency).to(device)  # (B, N, N), [b, target, source]

    def aggregate(
        self, h: Tensor, *, reverse: bool = False, gate: Tensor | None = None, onto: Tensor | None = None
    ) -> Tensor:
        if gate is None:
            adjacency = self.adjacency.transpose(1, 2) if reverse else self.adjacency
            return torch.bmm(adjacency, h) if onto is None else torch.baddbmm(onto, adjacency, h)
        # Parallel edges have gates of their own, so gated messages travel along the edge list.
        source, target = self._edge_list
        flat = _scatter(h.flatten(0, 1), source, target, reverse, gate, None if onto is None else onto.flatten(0, 1))
        return flat.view(*h.shape)

    def pool(self, h: Tensor, how: Readout = "mean") -> Tensor:
        return torch.bmm(self._pooling[how], h)

    def spread(self, z: Tensor) -> Tensor:
        return torch.bmm(self._membership, z)

    def degree(self, *, reverse: bool = False) -> Tensor:
        return self.adjacency.sum(1 if reverse else 2)[..., None]

    @cached_property
    def _edge_list(self) -> tuple[Tensor, Tensor]:
        return _long(self._source, self.device), _long(self._target, self.device)

    @cached_property
    def _membership(self) -> Tensor:
        """``(B, N, C)`` indicator of each node's cell."""
        member = torch.zeros(self.num_graphs * self._n, self.num_cells, device=self.device)
        member[_long(self._flat, self.device), _long(self._packed.cell, self.device)] = 1
        return member.view(self.num_graphs, self._n, self.num_cells)

    @cached_property
    def _pooling(self) -> dict[str, Tensor]:
        """``(B, C, N)`` weights of each readout."""
        flat = _long(self._flat, self.device)
        weights = {}
        for how, values in self._weights.items():
            padded = torch.zeros(self.num_graphs * self._n, device=self.device)
            padded[flat] = values
            weights[how] = self._membership.transpose(1, 2) * padded.view(self.num_graphs, 1, self._n)
        return weights


class ScatterBatch(GraphBatch):
    """One long node list: ``op`` is ``(T,)``, messages are ``index_add``."""

    def __init__(self, packed: PackedGraphs, device: torch.device) -> None:
        super().__init__(packed, device)
        self.op = _long(packed.op, device)
        offset = packed.node_start[self._edge_graph]
        self.source = _long(packed.source + offset, device)
        self.target = _long(packed.target + offset, device)
        self._group = _long(self._node_graph * self.num_cells + packed.cell, device)

    def aggregate(
        self, h: Tensor, *, reverse: bool = False, gate: Tensor | None = None, onto: Tensor | None = None
    ) -> Tensor:
        return _scatter(h, self.source, self.target, reverse, gate, onto)

    def pool(self, h: Tensor, how: Readout = "mean") -> Tensor:
        pooled = h.new_zeros(self.num_graphs * self.num_cells, h.shape[-1])
        pooled = pooled.index_add(0, self._group, h * self._weights[how][:, None])
        return pooled.view(self.num_graphs, self.num_cells, h.shape[-1])

    def spread(self, z: Tensor) -> Tensor:
        return z.flatten(0, 1)[self._group]

    def degree(self, *, reverse: bool = False) -> Tensor:
        ends = self.source if reverse else self.target
        return torch.bincount(ends, minlength=len(self.op)).to(torch.float32)[:, None]


class DGLBatch(ScatterBatch):
    """The same layout with messages by DGL: one graph for the whole batch."""

    @cached_property
    def _graph(self) -> Any:
        return import_dgl().graph((self.source, self.target), num_nodes=len(self.op))

    @cached_property
    def _reversed(self) -> Any:
        return import_dgl().graph((self.target, self.source), num_nodes=len(self.op))

    def aggregate(
        self, h: Tensor, *, reverse: bool = False, gate: Tensor | None = None, onto: Tensor | None = None
    ) -> Tensor:
        function = import_dgl().function
        graph = self._reversed if reverse else self._graph
        with graph.local_scope():
            graph.srcdata["h"] = h
            if gate is None:
                graph.update_all(function.copy_u("h", "m"), function.sum("m", "out"))
            else:
                graph.edata["gate"] = gate.expand(-1, h.shape[-1]).contiguous()
                graph.update_all(function.u_mul_e("h", "gate", "m"), function.sum("m", "out"))
            out: Tensor = graph.dstdata["out"]
            return out if onto is None else onto + out


def _scatter(
    h: Tensor, source: Tensor, target: Tensor, reverse: bool, gate: Tensor | None, onto: Tensor | None
) -> Tensor:
    if reverse:
        source, target = target, source
    messages = h[source] if gate is None else h[source] * gate
    return (torch.zeros_like(h) if onto is None else onto).index_add(0, target, messages)


def _best_backend(largest: int, device: torch.device) -> Backend:
    if largest <= _DENSE_LIMIT:
        return "dense"
    return "dgl" if device.type == "cpu" and has_dgl() else "scatter"


def _any_edge_ops(graphs: Sequence[ArchGraph]) -> bool:
    with_edge_ops = sum(graph.edge_ops is not None for graph in graphs)
    if with_edge_ops not in (0, len(graphs)):
        raise UsageError("graphs with operations on nodes and on edges cannot be in one batch; convert with .on_nodes")
    return with_edge_ops > 0


def _starts(sizes: Any) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _ragged(
    start: npt.NDArray[np.int64], chosen: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Positions of the chosen pieces of a ragged array, and where each begins in the new one."""
    sizes = start[chosen + 1] - start[chosen]
    new_start = _starts(sizes)
    shift = np.repeat(start[chosen] - new_start[:-1], sizes)
    return np.arange(new_start[-1]) + shift, new_start


def _index_type(size: int) -> type[np.unsignedinteger[Any]]:
    return np.uint8 if size <= 256 else np.uint16 if size <= 65_536 else np.uint32


def _long(values: npt.NDArray[Any], device: torch.device) -> Tensor:
    return torch.from_numpy(values.astype(np.int64)).to(device)
