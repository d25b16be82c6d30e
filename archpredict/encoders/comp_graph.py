"""Encoder of computational graphs: gated messages both ways, a virtual node, and readouts by cost."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.encoders.base import Dropout, Encoder
from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch
from archpredict.graph.node_features import NAMES, UNITS

__all__ = ["CompGraph"]

_READS = (
    "channels",
    "spatial size",
    "kernel area",
    "kernel length",
    "stride",
    "dilation",
    "groups",
    "depthwise",
    "input channels",
    "input size",
    "weight size",
    "bias",
    "params",
    "macs",
    "arithmetic",
    "depth",
    "relative depth",
    "relative height",
    "in-degree",
    "out-degree",
    "size unknown",
)
"""Numbers of each node that are read, in the order of the weights. It stays as it is where more of them are computed,
so that what was saved before can be loaded; further ones are an option."""
_SHAPES = (
    "height",
    "width",
    "input height",
    "input width",
    "weight outputs",
    "weight inputs",
    "kernel height",
    "kernel width",
)
"""Those that are read too where the encoder reads shapes."""
_UNIT = dict(zip(NAMES, UNITS, strict=True))
_SCALE, _MIDDLE = 4.0, (1.0, 1.3, 1.0, 1.0)  # bring the logarithms of the totals of common networks to about unit size


class CompGraph(Encoder):
    """Graph network for whole networks: computational graphs of tens to thousands of nodes.

    A node starts as ``h_v = n_v + MLP(n_v)``, ``n_v = norm(E_op(v) + W x_v)``, with an embedding of its operator and
    the numbers ``x_v`` of :mod:`archpredict.graph.node_features`. Each of the layers sets

        ``m_v = mean_{u -> v} W_f h_u + mean_{v -> w} W_b h_w``
        ``h_v <- norm(h_v + dropout(relu(W_s h_v + sigmoid(g_op(v)) * m_v + s)))``
        ``s <- s + MLP(s + mean_v h_v)``, for the next layer

    where ``s``, 0 at first, is the state of a virtual node that hears all nodes of the graph and that all hear (Gilmer
    et al., ICML 2017, arXiv 1704.01212, section 5.2), so that two layers cross a graph of any depth. The gate is that
    of GATES (Ning et al., 2020, arXiv 2004.01899, equation 2): a node's operator decides what passes. Read out, with
    a norm over all of it, are for the nodes before the first layer and after each (jumping knowledge: Xu et al., ICML
    2018, arXiv 1806.03536, by concatenation) three means: over the nodes, weighted by their parameters, and weighted by
    their multiply-adds, as few nodes of a network do most of its work; then the mean over the last nodes, those without
    successor, and the logarithms of the totals of parameters, multiply-adds, elements and nodes, which no mean shows.

    From few labels of whole networks, with families of networks held out, fewer layers rank better: messages let it
    recognise families that it has seen. Without layers it is a set of nodes that know their place (depth, height).

    There are no Laplacian eigenvectors among the inputs: their signs are arbitrary and they take longer than the
    network; a node's distances from the sources and to the sinks are among ``x_v`` instead.

    Args:
        num_ops: Size of the vocabulary.
        num_cells: Cells per graph.
        dim: Width of every layer.
        layers: Number of layers, as many edges a message travels; 0 for none.
        virtual_node: Whether there is one.
        jump: Read out the nodes before the first layer and after each, or after the last one alone.
        gate: Whether a node's operator gates what arrives.
        shapes: Whether the heights and widths of what a node reads and gives, and the lengths of its weight, are among
            ``x_v`` one by one; without, their products alone are.
        dropout: Share of units dropped from each layer's update while training: of a graph's nodes the same units, as
            what is dropped of single nodes hardly shows in a mean over hundreds.

    Raises:
        UsageError: An option out of its range, or a batch of graphs without numbers of their nodes.

    Shapes:
        - input: GraphBatch of ``B`` computational graphs, with features
        - output: ``(B, num_cells * (3 * (layers + 1) * dim + dim + 4))``; ``3 * dim`` of the first without ``jump``

    Example:
        >>> from archpredict.predict.inputs import InputSpec
        >>> from archpredict.graph.batch import batched
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> nodes = [Operation("input", (1, 3, 4, 4)), Operation("relu", (1, 3, 4, 4))]
        >>> spec, inputs = InputSpec.fit([computational_graph(nodes, [(0, 1)])], form="network")
        >>> CompGraph(spec.num_ops, dim=8, layers=2)(batched(inputs.graphs)).shape
        torch.Size([1, 84])
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
        shapes: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if layers < 0:
            raise UsageError(f"layers is a number of at least 0, {layers} was given")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is a share of units, at least 0 and below 1; {dropout} was given")
        self.embedding = nn.Embedding(num_ops + 1, dim)  # number 0 is padding
        self._places = [NAMES.index(name) for name in (*_READS, *(_SHAPES if shapes else ()))]
        self.features = nn.Linear(len(self._places), dim)
        self.first_norm, self.first = nn.LayerNorm(dim), _mlp(dim)
        self.own = nn.ModuleList([nn.Linear(dim, dim) for _ in range(layers)])
        self.forwards = nn.ModuleList([nn.Linear(dim, dim, bias=False) for _ in range(layers)])
        self.backwards = nn.ModuleList([nn.Linear(dim, dim, bias=False) for _ in range(layers)])
        self.gates = nn.ModuleList([nn.Embedding(num_ops + 1, dim) for _ in range(layers if gate else 0)])
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(layers)])
        self.virtual = nn.ModuleList([_mlp(dim) for _ in range(max(0, layers - 1) if virtual_node else 0)])
        self.jump = jump
        width = num_cells * ((layers + 1 if jump else 1) * 3 * dim + dim + len(_MIDDLE))
        self.last_norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        self.out_features = width

    def forward(self, batch: GraphBatch) -> Tensor:
        if batch.features is None:
            raise UsageError(
                "the encoder comp-graph reads numbers of each node, which this batch does not have; "
                "pack computational graphs with InputSpec or Predictor.pack"
            )
        x = batch.features[..., self._places]
        totals, shares = _costs(batch, batch.features)
        h = self.first_norm(self.embedding(batch.op) + self.features(x))
        h = h + self.first(h)
        means, state = [_means(batch, h, shares)], None
        for i in range(len(self.own)):
            h = self._layer(i, batch, h, state)
            means.append(_means(batch, h, shares))
            if i < len(self.virtual):
                state = self._listen(i, state, means[-1][..., : h.shape[-1]])
        kept = means if self.jump else means[-1:]
        read: Tensor = self.last_norm(torch.cat([*kept, batch.pool(h, "output"), totals], dim=-1).flatten(1))
        return read

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


def _means(batch: GraphBatch, h: Tensor, shares: Tensor) -> Tensor:
    """``(B, C, 3 D)``: over the nodes, by their shares of the parameters, and of the multiply-adds."""
    weighted = [batch.pool(h * shares[..., i : i + 1], "sum") for i in range(2)]
    return torch.cat([batch.pool(h), *weighted], dim=-1)


def _costs(batch: GraphBatch, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of the totals, ``(B, C, 4)``, and each node's shares of parameters and multiply-adds, ``(..., 2)``."""
    params, macs = _amount(x, "params"), _amount(x, "macs")
    elements = _amount(x, "channels") * _amount(x, "spatial size")
    totals = batch.pool(torch.cat([params, macs, elements, torch.ones_like(params)], dim=-1), "sum")
    shares = torch.cat([params, macs], dim=-1) * batch.spread(1 / totals[..., :2].clamp(min=1))
    units = x.new_tensor([25.0, 25.0, 25.0, 8.0])
    return _SCALE * (torch.log2(1 + totals) / units - x.new_tensor(_MIDDLE)), shares


def _amount(x: Tensor, name: str) -> Tensor:
    """What a column of the node features is the logarithm of."""
    i = NAMES.index(name)
    return torch.exp2(x[..., i : i + 1] * _UNIT[name]) - 1
