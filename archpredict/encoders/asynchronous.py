"""Asynchronous bidirectional graph network: nodes are updated in topological order, then in the opposite one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.encoders.base import Dropout, Encoder
from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch


class Asynchronous(Encoder):
    """One pass along the edges and one against them; each node is updated once per pass, after those it hears.

    With ``h_v`` an embedding of node v's operator at first, a pass sets, in topological order,

        ``h_v <- h_v + dropout(relu(norm(W_s h_v + sigmoid(g_op(v)) * W_f sum_{u -> v} h_u)))``

    and the next does the same along the reversed edges with weights of its own. So information crosses the whole graph
    in one pass, whatever its depth, as in D-VAE's encoder (Zhang et al., NeurIPS 2019, arXiv 1904.11088) and TA-GATES
    (Ning et al., NeurIPS 2022); the gate is that of GATES (Ning et al., 2020, arXiv 2004.01899, equation 2). Read out
    are the mean over the nodes and the output node, per cell.

    Args:
        num_ops: Size of the vocabulary.
        num_cells: Cells per graph.
        dim: Width.
        passes: Passes, along and against the edges in turn.
        gate: Whether a node's operator gates what arrives.
        dropout: Share of units dropped after each update while training.

    Shapes:
        - input: GraphBatch of ``B`` graphs in operation-on-node form
        - output: ``(B, num_cells * 2 * dim)``

    Example:
        >>> from archpredict.graph.batch import collate
        >>> from archpredict.graph.arch_graph import ArchGraph
        >>> graph = ArchGraph(("input", "conv", "output"), ((0, 1), (1, 2)))
        >>> Asynchronous(num_ops=3, dim=8)(collate([graph], ("input", "conv", "output"))).shape
        torch.Size([1, 16])
    """

    name = "asynchronous"

    def __init__(
        self,
        num_ops: int,
        num_cells: int = 1,
        *,
        dim: int = 64,
        passes: int = 2,
        gate: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if passes < 1:
            raise UsageError(f"at least 1 pass is needed, {passes} were asked for")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is a share of units, at least 0 and below 1; {dropout} was given")
        self.embedding = nn.Embedding(num_ops + 1, dim)  # number 0 is padding
        self.own = nn.ModuleList([nn.Linear(dim, dim) for _ in range(passes)])
        self.heard = nn.ModuleList([nn.Linear(dim, dim, bias=False) for _ in range(passes)])
        self.gates = nn.ModuleList([nn.Embedding(num_ops + 1, dim) for _ in range(passes if gate else 0)])
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(passes)])
        self.dropout = Dropout(dropout)
        self.out_features = num_cells * 2 * dim

    def forward(self, batch: GraphBatch) -> Tensor:
        h = batch.sweep([batch.op], self._updates(0))
        for i in range(1, len(self.own)):
            h = batch.sweep([batch.op, h], self._updates(i), reverse=i % 2 == 1)
        return torch.cat([batch.pool(h), batch.pool(h, "output")], dim=-1).flatten(1)

    def _updates(self, i: int) -> Callable[[Sequence[Tensor], Tensor | None], tuple[Tensor, Tensor]]:
        """The update of pass ``i``."""
        own, heard, norm = self.own[i], self.heard[i], self.norms[i]
        # In the first pass a node's own part is one of few: looked up, not computed node by node.
        first = own(self.embedding.weight) if i == 0 else None
        gates = cast("nn.Embedding", self.gates[i]).weight.sigmoid() if self.gates else None

        def update(values: Sequence[Tensor], received: Tensor | None) -> tuple[Tensor, Tensor]:
            op = values[0]
            before = self.embedding(op) if first is not None else values[1]
            arriving = F.embedding(op, first) if first is not None else own(before)
            if received is not None:
                arriving = arriving + (received if gates is None else F.embedding(op, gates) * received)
            state = before + self.dropout(F.relu(norm(arriving)))
            return state, heard(state)

        return update
