"""GATES: operations are gates on the information that flows through the graph."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.encoders.base import Dropout, Encoder
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import DATA
from archpredict.graph.batch import GraphBatch

__all__ = ["GATES"]

NONE = "none"
"""Label of an edge that lets nothing through. Spaces leave such edges out of their graphs; others may not."""


class GATES(Encoder):
    """GATES: information flows from the inputs to the output, and every operation is a gate that it passes.

    Ning, Zheng, Zhao, Wang and Yang, "A Generic Graph-based Neural Architecture Encoding Scheme for Predictor-based
    NAS", ECCV 2020, arXiv 2004.01899. One layer, with ``m_v = W h_v`` and the gate
    ``g(op) = sigmoid(W_o E[op] + b_o)``, which is no attention: gates do not compete.

    * operations on nodes: ``h'_v = g(op_v) * sum_{u -> v} m_u + m_v + b``
    * operations on edges: ``h'_v = sum_{e = u -> v} g(op_e) * m_u + m_v + b``

    with ReLU between layers and none after the last. Parallel edges each count. An edge that only carries data has the
    gate 1, one labelled ``none`` the gate 0. In a graph with operations on its edges, nodes gate nothing. A node
    without predecessors starts from an embedding of its label, so that several inputs can differ; all other nodes
    start from one shared embedding. Vectors of several cells are concatenated.

    ================  =======================  =======================  =========
    option            published, on nodes      published, on edges      default
    ================  =======================  =======================  =========
    ``layers``        4 to 5                   5                        5
    ``residual``      all                      inputs                   all
    ``readout``       mean                     output                   mean
    ================  =======================  =======================  =========

    Departures: the published code has no ``b`` where operations are on edges, and averages over parallel edges, where
    they are added up here; its mean on NAS-Bench-101 divides by six slots, whatever the number of nodes.

    Args:
        num_ops: Size of the vocabulary.
        num_cells: Cells per architecture.
        dim: Width of every layer.
        layers: Number of layers, at least 1: as many edges a message travels.
        embedding: Width of the embeddings of operators and of nodes.
        hidden: Width of the linear layer that the nodes' embeddings go through first.
        residual: Add ``m_v`` at ``all`` nodes, or only at the ``inputs``, which nothing else reaches.
        readout: ``output``: the nodes without successor; ``mean``: all nodes but the inputs; ``mean_output``: both,
            concatenated.
        dropout: Share of units dropped after each layer while training.

    Raises:
        UsageError: An option that is not one of those above, or out of its range.

    Shapes:
        - input: GraphBatch of ``B`` graphs as they are, operations on nodes or on edges
        - output: ``(B, num_cells * dim)``, twice as wide for ``mean_output``

    Example:
        >>> from archpredict.graph.batch import collate
        >>> from archpredict.graph.arch_graph import ArchGraph
        >>> graph = ArchGraph(("input", "sum", "output"), ((0, 1), (0, 1), (1, 2)), ("conv", "skip", "conv"))
        >>> GATES(num_ops=5, dim=8)(collate([graph], ("input", "sum", "output", "conv", "skip"))).shape
        torch.Size([1, 8])
    """

    name = "gates"
    form = "native"

    def __init__(
        self,
        num_ops: int,
        num_cells: int = 1,
        *,
        dim: int = 128,
        layers: int = 5,
        embedding: int = 48,
        hidden: int = 96,
        residual: Literal["all", "inputs"] = "all",
        readout: Literal["output", "mean", "mean_output"] = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise UsageError(f"GATES needs at least 1 layer, {layers} were asked for")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is a share of units, at least 0 and below 1; {dropout} was given")
        for option, value, known in (
            ("residual", residual, ("all", "inputs")),
            ("readout", readout, ("output", "mean", "mean_output")),
        ):
            if value not in known:
                raise UsageError(f"unknown {option} {value!r}; choose from: {', '.join(known)}")
        self.residual, self.readout = residual, readout
        self.inputs = nn.Embedding(num_ops + 1, embedding)
        self.other = nn.Parameter(torch.zeros(embedding))
        self.operators = nn.Embedding(num_ops + 1, embedding)
        self.first = nn.Linear(embedding, hidden)
        widths = [hidden, *[dim] * (layers - 1)]
        self.flows = nn.ModuleList([nn.Linear(width, dim) for width in widths])
        self.gates = nn.ModuleList([nn.Linear(embedding, dim) for _ in widths])
        self.dropout = Dropout(dropout)
        self.out_features = num_cells * dim * (2 if readout == "mean_output" else 1)

    def forward(self, batch: GraphBatch) -> Tensor:
        is_input = batch.degree() == 0  # (..., 1)
        h = self.first(torch.where(is_input, self.inputs(batch.op), self.other))
        for i, flow in enumerate(self.flows):
            assert isinstance(flow, nn.Linear)
            message = F.linear(h, flow.weight)
            stays = message if self.residual == "all" else torch.where(is_input, message, 0.0)
            update = stays + flow.bias + self._arriving(batch, message, self.gates[i])
            h = self.dropout(F.relu(update) if i < len(self.flows) - 1 else update)
        return self._read(batch, h, is_input).flatten(1)

    def _arriving(self, batch: GraphBatch, message: Tensor, gate: nn.Module) -> Tensor:
        """Gated sum of what the predecessors send."""
        table = torch.sigmoid(gate(self.operators.weight))  # (num_ops + 1, D): one gate per operator, not per node
        if not batch.packed.edge_op.any():
            # The gate is that of the node which receives: it acts on the sum.
            return F.embedding(batch.op, table) * batch.aggregate(message)
        # Number 0 is no operator of the vocabulary.
        is_data, is_none = (
            torch.tensor([[False], *([label == fixed] for label in batch.packed.vocabulary)], device=batch.device)
            for fixed in (DATA, NONE)
        )
        table = table.masked_fill(is_data, 1.0).masked_fill(is_none, 0.0)
        return batch.aggregate(message, gate=F.embedding(batch.edge_op, table))

    def _read(self, batch: GraphBatch, h: Tensor, is_input: Tensor) -> Tensor:
        """``(B, C, D)`` or ``(B, C, 2 D)``."""
        if self.readout == "output":
            return batch.pool(h, "output")
        inner = (~is_input).to(h.dtype)
        mean = batch.pool(h * inner, "sum") / batch.pool(inner, "sum").clamp(min=1)
        return mean if self.readout == "mean" else torch.cat([mean, batch.pool(h, "output")], dim=-1)
