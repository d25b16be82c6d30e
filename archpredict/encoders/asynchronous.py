"""Asynchronous bidirectional graph network: nodes are updated in topological order, then in the opposite one."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from archpredict.encoders._level_pass import States, Weights, level_pass
from archpredict.encoders.base import Dropout, Encoder
from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch
from archpredict.graph.levels import LevelSets, ReadOut

__all__ = ["Asynchronous"]


class Asynchronous(Encoder):
    """Asynchronous bidirectional graph network: a pass along the edges and one against them.

    In each pass every node is updated once, after those it hears.

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
    stackable = True

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

    @property
    def _members(self) -> int:
        """Members of an ensemble whose weights are stacked here; they read as many of a batch's graphs each."""
        return len(self.embedding.weight) if self.embedding.weight.dim() > 2 else 1

    def forward(self, batch: GraphBatch) -> Tensor:
        if not batch.num_graphs:
            return self.embedding.weight.new_zeros(0, self.out_features)
        members = self._members
        if members == 1 and self._shares and batch.device.type == "cpu":
            levels, row = batch.shared_levels
        else:
            levels = batch.level_sets(members=members)
            row = levels.row
        h = self._pass(0, levels)
        for i in range(1, len(self.own)):
            levels = batch.level_sets(reverse=i % 2 == 1, members=members)
            h = self._pass(i, levels, States(h, levels.moved_from(row)))
            row = levels.row
        if len(self.own) == 1:
            levels = batch.level_sets(members=members)
            h = h.index_select(0, levels.moved_from(row))
        read: Tensor = ReadOut.apply(h, levels.readout)  # type: ignore[no-untyped-call]
        return read.view(batch.num_graphs, -1)

    @property
    def _shares(self) -> bool:
        """Whether the first pass may compute nodes that hear the same once: none of their units is dropped."""
        return not torch.is_grad_enabled() and not (self.training and self.dropout.p > 0)

    def _pass(self, i: int, levels: LevelSets, before: States | None = None) -> Tensor:
        """Pass ``i`` on the states of the pass before."""
        own, heard, norm = (cast("Any", layers[i]) for layers in (self.own, self.heard, self.norms))
        kept = self.dropout.factors(levels.counts.tolist(), own.weight.shape[-1])
        if kept is not None and levels.listed is not None:
            kept = kept.index_select(0, levels.listed.cpu())
        gate = cast("Any", self.gates[i]).weight if self.gates else None
        table = self.embedding.weight
        weights = Weights(table, own.weight, own.bias, gate, heard.weight, norm.weight, norm.bias, norm.eps)
        return level_pass(levels, before, None if kept is None else kept.to(levels.device), weights)
