"""The graph convolutional network of CTNAS's comparator, and a better one."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.encoders.base import Dropout, Encoder
from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch
from archpredict.graph.likeness import Hear, rounds

__all__ = ["GCN"]


class GCN(Encoder):
    """Graph convolutions over operator embeddings, pooled per cell.

    Chen, Guo et al., "Contrastive Neural Architecture Search with Neural Architecture Comparators", CVPR 2021,
    arXiv 2103.05471, equation 7: ``Z = A relu(A X W0) W1``, after Kipf and Welling, ICLR 2017, arXiv 1609.02907.
    One layer here is

        ``H' = act(norm((A + I) H W) [+ A^T H W_reverse] [+ H] + b)``

    where ``A[v, u]`` counts the edges ``u -> v``. Vectors of several cells are concatenated. The paper's ``A`` is read
    as having self-loops, as in Kipf and Welling and in the published code.

    ======================  ====================  ========================  ==============
    option                  the paper             the published code        default
    ======================  ====================  ========================  ==============
    ``layers``              2                     4                         3
    ``residual``            no                    yes                       yes
    ``last_activation``     no                    yes                       yes
    ``self_loops``          yes                   yes                       yes
    ``direction``           forward               forward                   both
    ``slots``               none                  7 on NAS-Bench-101        none
    ``readout``             mean                  mean                      mean_output
    ======================  ====================  ========================  ==============

    Args:
        num_ops: Size of the vocabulary.
        num_cells: Cells per architecture.
        dim: Width of every layer.
        layers: Number of graph convolutions, at least 1.
        direction: ``forward`` passes messages along the edges; ``both`` also against them, with weights of their own.
        self_loops: Add the identity to the adjacency matrix.
        normalize: Divide what a node receives by its in-degree (plus one with self-loops).
        residual: Add a layer's input to its output.
        last_activation: Apply ReLU after the last layer too.
        layer_norm: Normalise each layer's output before the activation.
        dropout: Share of units dropped after each layer while training.
        global_node: Read out from a node that hears every other node at each layer, instead of the mean.
        readout: ``mean`` over nodes, or ``mean_output``: that and the output node, concatenated.
        slots: Average over this many node slots per cell, those without a node filled with a dummy operator (the
            published code averages over all 7 slots of NAS-Bench-101); ``None``, and a cell with more nodes than
            slots, averages over the nodes there are.

    Raises:
        UsageError: An option that is not one of those above, or out of its range.

    Shapes:
        - input: GraphBatch of ``B`` graphs in operation-on-node form
        - output: ``(B, num_cells * dim)``, twice as wide for ``mean_output``

    Example:
        >>> from archpredict.graph.batch import collate
        >>> from archpredict.graph.arch_graph import ArchGraph
        >>> graph = ArchGraph(("input", "conv", "output"), ((0, 1), (1, 2)))
        >>> GCN(num_ops=3, num_cells=1, dim=8)(collate([graph], ("input", "conv", "output"))).shape
        torch.Size([1, 16])
    """

    name = "gcn"

    def __init__(
        self,
        num_ops: int,
        num_cells: int = 1,
        *,
        dim: int = 64,
        layers: int = 3,
        direction: Literal["forward", "both"] = "both",
        self_loops: bool = True,
        normalize: bool = False,
        residual: bool = True,
        last_activation: bool = True,
        layer_norm: bool = True,
        dropout: float = 0.1,
        global_node: bool = False,
        readout: Literal["mean", "mean_output"] = "mean_output",
        slots: int | None = None,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise UsageError(f"a GCN needs at least 1 layer, {layers} were asked for")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is a share of units, at least 0 and below 1; {dropout} was given")
        if slots is not None and slots < 1:
            raise UsageError(f"slots is a number of nodes of at least 1, {slots} was given")
        if readout not in ("mean", "mean_output"):
            raise UsageError(f"unknown readout {readout!r}; choose from: mean, mean_output")
        if direction not in ("forward", "both"):
            raise UsageError(f"unknown direction {direction!r}; choose from: forward, both")
        self.self_loops, self.normalize, self.residual = self_loops, normalize, residual
        self.last_activation, self.global_node = last_activation, global_node
        self.readout, self.slots = readout, slots
        self.embedding = nn.Embedding(num_ops + 1, dim)  # number 0 is the dummy operator
        self.convolutions = nn.ModuleList([nn.Linear(dim, dim) for _ in range(layers)])
        both = direction == "both"
        self.reverse = nn.ModuleList([nn.Linear(dim, dim, bias=False) for _ in range(layers)] if both else [])
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(layers)] if layer_norm else [])
        self.dropout = Dropout(dropout)
        self.out_features = num_cells * dim * (2 if readout == "mean_output" else 1)

    def forward(self, batch: GraphBatch) -> Tensor:
        if self._shares and batch.device.type == "cpu" and len(batch.packed.op):
            return self._forward_shared(batch)
        h = self.embedding(batch.op)
        # A node outside the graphs: the dummy that fills empty slots, or the global node that hears all others.
        # The dummy is the same in all of them, so it is computed once.
        extra = self.embedding.weight[0].view(1, 1, -1) if self._needs_extra else None
        for i in range(len(self.convolutions)):
            own = self._project(i, self.convolutions, batch, h)
            update = self._receive(batch, own, self._residual(i, h), self.self_loops)
            if self.reverse:
                against = self._project(i, self.reverse, batch, h)
                update = self._receive(batch, against, update, loops=False, reverse=True)
            if extra is not None:
                extra = self._activate(i, self._residual(i, extra) + self._hear(i, batch, extra, own))
            h = self._activate(i, update)
        return self._read(batch, h, extra).flatten(1)

    @property
    def _shares(self) -> bool:
        """Whether nodes that have heard the same are in the same state: none is dropped, nothing else counts."""
        return not (self.normalize or self.global_node or (self.training and self.dropout.p > 0))

    def _forward_shared(self, batch: GraphBatch) -> Tensor:
        """The same with one row for all nodes that have heard the same: of 200 cells, half as many or fewer."""
        weight = self.embedding.weight
        extra = weight[0].view(1, 1, -1) if self._needs_extra else None
        count, both = len(self.convolutions), len(self.reverse) > 0
        layers, row = rounds(batch.packed, count, len(weight) - 1, both=both, device=batch.device)
        h = weight
        for i, layer in enumerate(layers):
            own = F.linear(h, _linear(self.convolutions, i).weight)
            kept = self._residual(i, h) + own if self.self_loops else self._residual(i, h)
            update = kept.index_select(0, layer.own) + Hear.apply(own, layer.heard)  # type: ignore[no-untyped-call]
            if layer.against is not None:
                against = F.linear(h, _linear(self.reverse, i).weight)
                update = update + Hear.apply(against, layer.against)  # type: ignore[no-untyped-call]
            if extra is not None:
                extra = self._activate(i, self._residual(i, extra) + self._hear(i, batch, extra, own))
            h = self._activate(i, update)
        return self._read(batch, batch.rows(h, row), extra).flatten(1)

    @property
    def _needs_extra(self) -> bool:
        return self.global_node or self.slots is not None

    def _project(self, i: int, layers: nn.ModuleList, batch: GraphBatch, h: Tensor) -> Tensor:
        """``H W``; in the first layer taken on the few distinct embeddings, not on every node."""
        weight = _linear(layers, i).weight
        return F.linear(self.embedding.weight, weight)[batch.op] if i == 0 else F.linear(h, weight)

    def _residual(self, i: int, h: Tensor) -> Tensor:
        """What a layer's messages are added to: its bias, and its input where there is a residual."""
        bias = _linear(self.convolutions, i).bias
        return h + bias if self.residual else bias.expand_as(h)

    def _receive(self, batch: GraphBatch, messages: Tensor, onto: Tensor, loops: bool, reverse: bool = False) -> Tensor:
        if not self.normalize:
            return batch.aggregate(messages, reverse=reverse, onto=onto + messages if loops else onto)
        arriving = batch.aggregate(messages, reverse=reverse, onto=messages if loops else None)
        return onto + arriving / (batch.degree(reverse=reverse) + float(loops)).clamp(min=1)

    def _hear(self, i: int, batch: GraphBatch, extra: Tensor, own: Tensor) -> Tensor:
        """What arrives at the extra node: the dummy hears only itself, the global node the mean of all others too."""
        itself = F.linear(extra, _linear(self.convolutions, i).weight)
        arriving = itself if self.self_loops else torch.zeros_like(itself)
        return arriving + batch.pool(own) if self.global_node else arriving

    def _activate(self, i: int, update: Tensor) -> Tensor:
        """Normalisation, activation and dropout of layer ``i``."""
        if self.norms:
            update = self.norms[i](update)
        if self.last_activation or i < len(self.convolutions) - 1:
            update = F.relu(update)
        result: Tensor = self.dropout(update)
        return result

    def _read(self, batch: GraphBatch, h: Tensor, extra: Tensor | None) -> Tensor:
        """``(B, C, D)`` or ``(B, C, 2 D)``."""
        if self.global_node and extra is not None:
            pooled = extra
        elif self.slots is not None and extra is not None:
            count = batch.pool(torch.ones_like(h[..., :1]), "sum")  # (B, C, 1)
            slots = count.clamp(min=self.slots)
            pooled = (batch.pool(h, "sum") + (slots - count) * extra) / slots
        else:
            pooled = batch.pool(h)
        return torch.cat([pooled, batch.pool(h, "output")], dim=-1) if self.readout == "mean_output" else pooled


def _linear(layers: nn.ModuleList, i: int) -> nn.Linear:
    layer = layers[i]
    assert isinstance(layer, nn.Linear)
    return layer
