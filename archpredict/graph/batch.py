"""GraphBatch: packed graphs as tensors, in torch or DGL.

:class:`GraphBatch` is one mini-batch of :class:`~archpredict.graph.packed.PackedGraphs`, with one primitive, the
aggregation
of messages along edges, on three interchangeable back ends:

* ``dense``: padded adjacency matrices; for cells (up to 64 nodes);
* ``dgl``: DGL's sparse kernels; for large graphs on the CPU;
* ``scatter``: torch ``index_add``; runs wherever torch runs.

Encoders written against GraphBatch never see which one is used: node features are a tensor whose *last* dimension is
the feature, ``(B, N, D)`` when dense and ``(T, D)`` otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archpredict._typing import IntArray
from archpredict.backends import has_dgl, import_dgl
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.levels import LevelSets, visited
from archpredict.graph.likeness import merged
from archpredict.graph.packed import PackedGraphs
from archpredict.runtime import owned

__all__ = ["GraphBatch", "batched", "collate"]

Backend = Literal["auto", "dense", "dgl", "scatter"]
Readout = Literal["mean", "sum", "output"]

_DENSE_LIMIT = 64
"""Largest graph for which padded matrices are used by default (``benchmarks/backends.py`` compares them)."""


def batched(packed: PackedGraphs, device: str | torch.device = "cpu", backend: Backend = "auto") -> GraphBatch:
    """All packed graphs as one mini-batch of tensors."""
    if backend == "auto":
        backend = _best_backend(int(np.diff(packed.node_start).max(initial=0)), torch.device(device))
    makers: dict[str, type[DenseBatch] | type[ScatterBatch]] = {
        "dense": DenseBatch,
        "dgl": DGLBatch,
        "scatter": ScatterBatch,
    }
    if backend not in makers:
        raise UsageError(f"unknown back end {backend!r}; choose from: auto, {', '.join(makers)}")
    return makers[backend](packed, torch.device(device))


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
    return batched(PackedGraphs.from_graphs(graphs, vocabulary), device, backend)


class GraphBatch(ABC):
    """A mini-batch of ``B`` graphs with up to ``N`` nodes each, ``T`` nodes and ``E`` edges in all.

    Attributes:
        op: Operator numbers in node layout: ``(B, N)`` when dense (0 for padding), else ``(T,)``.
        edge_op: ``(E,)`` operator number of each edge; gates are given in this order.
        packed: The graphs that this batch was made from, as numpy arrays.
        features: ``(..., K)`` numbers of each node in node layout, zeros for padding; None where there are none.
    """

    def __init__(self, packed: PackedGraphs, device: torch.device) -> None:
        self.device = device
        self.num_graphs = len(packed)
        self.num_cells = packed.num_cells
        self.packed = packed

    @property
    @abstractmethod
    def op(self) -> Tensor:
        """Operator numbers in node layout."""

    @cached_property
    def edge_op(self) -> Tensor:
        return _long(self.packed.edge_op, self.device)

    @cached_property
    def _node_graph(self) -> npt.NDArray[np.int64]:
        return np.repeat(np.arange(self.num_graphs), np.diff(self.packed.node_start))

    @cached_property
    def _edge_graph(self) -> npt.NDArray[np.int64]:
        return np.repeat(np.arange(self.num_graphs), np.diff(self.packed.edge_start))

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
    def average(self, h: Tensor, *, reverse: bool = False, onto: Tensor | None = None) -> Tensor:
        """Like :meth:`aggregate` without gates, but with the mean of what arrives; 0 where nothing does."""

    @abstractmethod
    def pool(self, h: Tensor, how: Readout = "mean") -> Tensor:
        """One vector per cell.

        Args:
            h: Node features ``(..., D)`` in node layout.
            how: ``mean`` or ``sum`` over the cell's nodes, or ``output``: mean over its nodes without a successor.

        Returns:
            ``(B, C, D)`` for ``C`` cells; zeros where a graph lacks the cell.
        """

    def visit(
        self,
        values: Sequence[Tensor],
        update: Callable[[Sequence[Tensor], Tensor | None], tuple[Tensor, Tensor]],
        *,
        reverse: bool = False,
    ) -> Tensor:
        """Visit the nodes by level sets, each after all its predecessors (reversed: successors).

        A level set holds all nodes at the same longest distance from a source; it is visited at once.

        Args:
            values: What ``update`` needs of each node, in node layout: ``(..., K)``, or like :attr:`op`.
            update: Called once per level set with the values of its ``n`` nodes, ``(n, K)`` or ``(n,)`` each, and the
                sums ``(n, M)`` of what their predecessors sent, None for the first; returns the nodes' states
                ``(n, D)`` and what they send, ``(n, M)``.
            reverse: Visit in the opposite order.

        Returns:
            The states in node layout, ``(..., D)``; zeros for padding.
        """
        if not self.num_graphs:
            raise UsageError("visiting by level sets needs at least one graph")
        levels = self.level_sets(reverse=reverse)
        node = np.empty_like(levels.row)
        node[levels.row] = self._rows
        order = _long(node, self.device)
        states = visited(levels, [self._flat_values(v).index_select(0, order) for v in values], update)
        return self.rows(states, levels.row)

    def rows(self, states: Tensor, row: npt.NDArray[np.int64]) -> Tensor:
        """Node layout ``(..., D)`` of ``(R, D)`` states, where ``(T,)`` says which row is each node's; zeros for
        padding.
        """
        place = np.full(self._num_rows, len(states), dtype=np.int64)
        place[self._rows] = row
        padded = states if len(place) == len(row) else torch.cat([states, states.new_zeros(1, states.shape[1])])
        return self._shaped(padded.index_select(0, _long(place, self.device)))

    def level_sets(self, *, reverse: bool = False, members: int = 1) -> LevelSets:
        """The nodes by level sets, for as many members of an ensemble, each with the same number of the graphs."""
        known = self._known_levels
        if (reverse, members) not in known:
            known[reverse, members] = LevelSets.of(self.packed, reverse=reverse, members=members, device=self.device)
        return known[reverse, members]

    @cached_property
    def shared_levels(self) -> tuple[LevelSets, IntArray]:
        """Level sets with one row for all nodes that are alike in all that leads to them, and ``(T,)`` each node's."""
        graph, row = merged(self.packed)
        levels = LevelSets.of(graph, device=self.device)
        return levels, levels.row[row]

    @cached_property
    def _known_levels(self) -> dict[tuple[bool, int], LevelSets]:
        return {}

    @cached_property
    def features(self) -> Tensor | None:
        if self.packed.features is None:
            return None
        rows = np.zeros((self._num_rows, self.packed.features.shape[1]), dtype=np.float32)
        rows[self._rows] = self.packed.features
        return self._shaped(owned(rows, self.device))

    def _flat_values(self, values: Tensor) -> Tensor:
        return self.flat(values[..., None])[:, 0] if values.shape == self.op.shape else self.flat(values)

    @abstractmethod
    def flat(self, h: Tensor) -> Tensor:
        """Node features as ``(rows, D)``: padding included when dense."""

    @abstractmethod
    def _shaped(self, h: Tensor) -> Tensor:
        """From :meth:`flat` back to node layout."""

    @property
    @abstractmethod
    def _rows(self) -> npt.NDArray[np.int64]:
        """``(T,)`` row of each node in :meth:`flat` layout."""

    @property
    @abstractmethod
    def _num_rows(self) -> int:
        """Rows in :meth:`flat` layout."""

    @abstractmethod
    def spread(self, z: Tensor) -> Tensor:
        """Give each node its cell's vector: ``(B, C, D)`` to node layout ``(..., D)``."""

    @abstractmethod
    def degree(self, *, reverse: bool = False) -> Tensor:
        """Number of arriving (or, reversed, leaving) edges in node layout, ``(..., 1)``."""

    @cached_property
    def _weights(self) -> dict[str, Tensor]:
        """Per node, in packed order, its weight in each readout."""
        packed = self.packed
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
        return {name: owned(w.astype(np.float32), self.device) for name, w in weights.items()}


class DenseBatch(GraphBatch):
    """Padded matrices: ``op`` is ``(B, N)``, messages are one batched matrix product."""

    @cached_property
    def _n(self) -> int:
        return int(np.diff(self.packed.node_start).max(initial=1))

    @cached_property
    def _flat(self) -> npt.NDArray[np.int64]:
        """``(T,)`` position of each node in the padded layout."""
        place = np.arange(len(self.packed.op)) - self.packed.node_start[self._node_graph]
        return self._node_graph * self._n + place

    @cached_property
    def op(self) -> Tensor:
        op = np.zeros(self.num_graphs * self._n, dtype=np.int64)
        op[self._flat] = self.packed.op
        return torch.from_numpy(op.reshape(-1, self._n)).to(self.device)

    @cached_property
    def adjacency(self) -> Tensor:
        """``(B, N, N)``, ``[b, target, source]``."""
        n, packed = self._n, self.packed
        place = (self._edge_graph * n + packed.target) * n + packed.source
        counts = np.bincount(place, minlength=self.num_graphs * n * n)
        return torch.from_numpy(counts.astype(np.float32).reshape(-1, n, n)).to(self.device)

    def aggregate(
        self, h: Tensor, *, reverse: bool = False, gate: Tensor | None = None, onto: Tensor | None = None
    ) -> Tensor:
        if gate is None:
            return _product(self._directions[reverse], h, onto)
        # Parallel edges have gates of their own, so gated messages travel along the edge list.
        source, target = self._edge_list
        flat = _scatter(h.flatten(0, 1), source, target, reverse, gate, None if onto is None else onto.flatten(0, 1))
        return flat.view(*h.shape)

    def average(self, h: Tensor, *, reverse: bool = False, onto: Tensor | None = None) -> Tensor:
        return _product(self._averaging[reverse], h, onto)

    def pool(self, h: Tensor, how: Readout = "mean") -> Tensor:
        return torch.bmm(self._pooling[how], h)

    def spread(self, z: Tensor) -> Tensor:
        return torch.bmm(self._membership, z)

    def degree(self, *, reverse: bool = False) -> Tensor:
        return self.adjacency.sum(1 if reverse else 2)[..., None]

    def flat(self, h: Tensor) -> Tensor:
        return h.flatten(0, 1)

    def _shaped(self, h: Tensor) -> Tensor:
        return h.view(self.num_graphs, self._n, -1)

    @property
    def _rows(self) -> npt.NDArray[np.int64]:
        return self._flat

    @property
    def _num_rows(self) -> int:
        return self.num_graphs * self._n

    @cached_property
    def _directions(self) -> tuple[Tensor, Tensor]:
        return self.adjacency, self.adjacency.transpose(1, 2)

    @cached_property
    def _averaging(self) -> tuple[Tensor, Tensor]:
        forward, backward = self._directions
        return forward / self.degree().clamp(min=1), backward / self.degree(reverse=True).clamp(min=1)

    @cached_property
    def _edge_list(self) -> tuple[Tensor, Tensor]:
        offset = self._edge_graph * self._n
        return _long(offset + self.packed.source, self.device), _long(offset + self.packed.target, self.device)

    @cached_property
    def _membership(self) -> Tensor:
        """``(B, N, C)`` indicator of each node's cell."""
        member = torch.zeros(self.num_graphs * self._n, self.num_cells, device=self.device)
        member[_long(self._flat, self.device), _long(self.packed.cell, self.device)] = 1
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

    @cached_property
    def op(self) -> Tensor:
        return _long(self.packed.op, self.device)

    @cached_property
    def source(self) -> Tensor:
        return _long(self.packed.source + self.packed.node_start[self._edge_graph], self.device)

    @cached_property
    def target(self) -> Tensor:
        return _long(self.packed.target + self.packed.node_start[self._edge_graph], self.device)

    @cached_property
    def _group(self) -> Tensor:
        return _long(self._node_graph * self.num_cells + self.packed.cell, self.device)

    def aggregate(
        self, h: Tensor, *, reverse: bool = False, gate: Tensor | None = None, onto: Tensor | None = None
    ) -> Tensor:
        return _scatter(h, self.source, self.target, reverse, gate, onto)

    def average(self, h: Tensor, *, reverse: bool = False, onto: Tensor | None = None) -> Tensor:
        return self.aggregate(h, reverse=reverse, gate=self._shares(h.shape[-1])[reverse], onto=onto)

    def pool(self, h: Tensor, how: Readout = "mean") -> Tensor:
        # The mean is divided after the sum: one number per cell, not per node.
        weighted = h * self._weights[how][:, None] if how == "output" else h
        pooled = h.new_zeros(self.num_graphs * self.num_cells, h.shape[-1]).index_add(0, self._group, weighted)
        if how == "mean":
            pooled = pooled / self._sizes
        return pooled.view(self.num_graphs, self.num_cells, h.shape[-1])

    @cached_property
    def _sizes(self) -> Tensor:
        """``(B C, 1)`` nodes of each cell, at least 1."""
        return torch.bincount(self._group, minlength=self.num_graphs * self.num_cells).clamp(min=1)[:, None]

    def flat(self, h: Tensor) -> Tensor:
        return h

    def _shaped(self, h: Tensor) -> Tensor:
        return h

    @property
    def _rows(self) -> npt.NDArray[np.int64]:
        return np.arange(len(self._node_graph))

    @property
    def _num_rows(self) -> int:
        return len(self._node_graph)

    def spread(self, z: Tensor) -> Tensor:
        return z.flatten(0, 1).index_select(0, self._group)

    def degree(self, *, reverse: bool = False) -> Tensor:
        ends = self.source if reverse else self.target
        return torch.bincount(ends, minlength=len(self.op)).to(torch.float32)[:, None]

    def _shares(self, width: int) -> tuple[Tensor, Tensor]:
        """For each direction the gates that make a sum a mean, as wide as the back end wants them for this width."""
        return self._edge_shares

    @cached_property
    def _edge_shares(self) -> tuple[Tensor, Tensor]:
        """``(E, 1)`` for each direction: 1 over the number of edges that arrive where an edge does."""
        return 1 / self.degree()[self.target], 1 / self.degree(reverse=True)[self.source]


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
        ops = import_dgl().ops
        graph = self._reversed if reverse else self._graph
        if gate is None:
            out: Tensor = ops.copy_u_sum(graph, h)
        else:
            # DGL's kernel for factors of another width than the messages takes twice as long.
            out = ops.u_mul_e_sum(graph, h, gate.expand(-1, h.shape[-1]).contiguous())
        return out if onto is None else onto + out

    def _shares(self, width: int) -> tuple[Tensor, Tensor]:
        if width not in self._wide:
            forward, backward = (share.expand(-1, width).contiguous() for share in self._edge_shares)
            self._wide[width] = forward, backward
        return self._wide[width]

    @cached_property
    def _wide(self) -> dict[int, tuple[Tensor, Tensor]]:
        return {}


def _product(adjacency: Tensor, h: Tensor, onto: Tensor | None) -> Tensor:
    return torch.bmm(adjacency, h) if onto is None else torch.baddbmm(onto, adjacency, h)


def _scatter(
    h: Tensor, source: Tensor, target: Tensor, reverse: bool, gate: Tensor | None, onto: Tensor | None
) -> Tensor:
    if reverse:
        source, target = target, source
    messages = h.index_select(0, source)  # whose gradient is quicker than that of h[source]
    messages = messages if gate is None else messages * gate
    return (torch.zeros_like(h) if onto is None else onto).index_add(0, target, messages)


def _best_backend(largest: int, device: torch.device) -> Backend:
    if largest <= _DENSE_LIMIT:
        return "dense"
    return "dgl" if device.type == "cpu" and has_dgl() else "scatter"


def _long(values: npt.NDArray[Any], device: torch.device) -> Tensor:
    return torch.from_numpy(values.astype(np.int64)).to(device)
