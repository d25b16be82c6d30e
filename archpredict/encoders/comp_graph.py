"""Encoder of computational graphs: gated messages both ways, a virtual node, and readouts of every layer."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.batch import GraphBatch
from archpredict.encoders.base import Dropout, Encoder
from archpredict.errors import UsageError
from archpredict.node_features import NAMES


class CompGraph(Encoder):
    """Graph network for whole networks: computational graphs of tens to thousands of nodes.

    A node starts as ``h_v = norm(E_op(v) + W x_v)`` with an embedding of its operator and the numbers ``x_v`` of
    :mod:`archpredict.node_features`. Each of the layers sets

        ``m_v = mean_{u -> v} W_f h_u + mean_{v -> w} W_b h_w``
        ``h_v <- norm(h_v + dropout(relu(W_s h_v + sigmoid(g_op(v)) * m_v + s)))``
        ``s <- s + MLP(s + mean_v h_v)``, for the next layer

    where ``s``, 0 at first, is the state of a virtual node that hears all nodes of the graph and that all hear (Gilmer
    et al., ICML 2017, arXiv 1704.01212, section 5.2), so that two layers cross a graph of any depth. The gate is that
    of GATES (Ning et al., 2020, arXiv 2004.01899, equation 2): a node's operator decides what passes. Read out are the
    means over the nodes before the first layer and after each, through a linear layer (jumping knowledge: Xu et al.,
    ICML 2018, arXiv 1806.03536, by concatenation), ``log(1 + N)`` times the last mean (a sum that thousands of nodes do
    not blow up), and the mean over the last nodes, those without successor.

    There are no Laplacian eigenvectors among the inputs: their signs are arbitrary and they take longer than the
    network; a node's distances from the sources and to the sinks are among ``x_v`` instead.

    Args:
        num_ops: Size of the vocabulary.
        num_cells: Cells per graph.
        dim: Width of every layer.
        layers: Number of layers, at least 1: as many edges a message travels.
        virtual_node: Whether there is one.
        jump: Read out all layers, or the last one alone.
        gate: Whether a node's operator gates what arrives.
        dropout: Share of units dropped from each layer's update while training: of a graph's nodes the same units, as
            what is dropped of single nodes hardly shows in a mean over hundreds.

    Raises:
        UsageError: An option out of its range, or a batch of graphs without numbers of their nodes.

    Shapes:
        - input: GraphBatch of ``B`` computational graphs, with features
        - output: ``(B, num_cells * 3 * dim)``

    Example:
        >>> from archpredict.inputs import InputSpec
        >>> from archpredict.batch import batched
        >>> from archpredict.ops import Operation, computational_graph
        >>> nodes = [Operation("input", (1, 3, 4, 4)), Operation("relu", (1, 3, 4, 4))]
        >>> spec, inputs = InputSpec.fit([computational_graph(nodes, [(0, 1)])], form="network")
        >>> CompGraph(spec.num_ops, dim=8)(batched(inputs.graphs)).shape
        torch.Size([1, 24])
    """

    name = "comp-graph"
    form = "network"

    def __init__(
        self,
        num_ops: int,
        num_cells: int = 1,
        *,
        dim: int = 64,
        layers: int = 8,
        virtual_node: bool = True,
        jump: bool = True,
        gate: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise UsageError(f"at least 1 layer is needed, {layers} were asked for")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is a share of units, at least 0 and below 1; {dropout} was given")
        self.embedding = nn.Embedding(num_ops + 1, dim)  # number 0 is padding
        self.features = nn.Linear(len(NAMES), dim)
        self.first_norm = nn.LayerNorm(dim)
        self.own = nn.ModuleList([nn.Linear(dim, dim) for _ in range(layers)])
        self.forwards = nn.ModuleList([nn.Linear(dim, dim, bias=False) for _ in range(layers)])
        self.backwards = nn.ModuleList([nn.Linear(dim, dim, bias=False) for _ in range(layers)])
        self.gates = nn.ModuleList([nn.Embedding(num_ops + 1, dim) for _ in range(layers if gate else 0)])
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(layers)])
        self.virtual = nn.ModuleList([_mlp(dim) for _ in range(layers - 1 if virtual_node else 0)])
        self.readout = nn.Linear((layers + 1) * dim, dim) if jump else None
        self.dropout = Dropout(dropout)
        self.out_features = num_cells * 3 * dim

    def forward(self, batch: GraphBatch) -> Tensor:
        if batch.features is None:
            raise UsageError(
                "the encoder comp-graph reads numbers of each node, which this batch does not have; "
                "pack computational graphs with InputSpec or Predictor.pack"
            )
        h = self.first_norm(self.embedding(batch.op) + self.features(batch.features))
        means, state = [batch.pool(h)], None
        for i in range(len(self.own)):
            h = self._layer(i, batch, h, state)
            means.append(batch.pool(h))
            if i < len(self.virtual):
                state = self._listen(i, state, means[-1])
        nodes = batch.pool(torch.ones_like(h[..., :1]), "sum")  # (B, C, 1)
        last = means[-1]
        first = last if self.readout is None else F.relu(self.readout(torch.cat(means, dim=-1)))
        return torch.cat([first, torch.log1p(nodes) * last, batch.pool(h, "output")], dim=-1).flatten(1)

    def _layer(self, i: int, batch: GraphBatch, h: Tensor, state: Tensor | None) -> Tensor:
        arriving = batch.average(self.forwards[i](h))
        arriving = batch.average(self.backwards[i](h), reverse=True, onto=arriving)
        if self.gates:
            table = torch.sigmoid(cast("nn.Embedding", self.gates[i]).weight)  # one gate per operator, not per node
            arriving = arriving * F.embedding(batch.op, table)
        update = self.own[i](h) + arriving
        if state is not None:
            update = update + batch.spread(state)
        update = F.relu(update)
        if self.training and self.dropout.p:
            kept = self.dropout(h.new_ones(batch.num_graphs, batch.num_cells, h.shape[-1]))
            update = update * batch.spread(kept)
        normed: Tensor = self.norms[i](h + update)
        return normed

    def _listen(self, i: int, state: Tensor | None, mean: Tensor) -> Tensor:
        """The virtual node's next state."""
        if state is None:
            heard: Tensor = self.virtual[i](mean)
            return heard
        return state + cast("Tensor", self.virtual[i](state + mean))


def _mlp(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
