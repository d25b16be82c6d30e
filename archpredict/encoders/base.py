"""Encoder: a batch of graphs to one vector per architecture (one file each)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor, nn

from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch
from archpredict.runtime import Dropout as Dropout

__all__ = ["Encoder", "encoded"]


class Encoder(nn.Module, ABC):
    """An encoder: a batch of graphs to one vector per architecture, ``(B, D)``.

    Every encoder's constructor takes ``num_ops`` (size of the vocabulary) and ``num_cells`` first, then options with
    defaults. Isomorphic graphs get equal vectors, but for encoders that say that they are not :attr:`invariant`.
    """

    name: ClassVar[str]

    form: ClassVar[Literal["nodes", "native", "choices", "network"]] = "nodes"
    """What is wanted: ``nodes`` for :attr:`ArchGraph.on_nodes`, ``native`` for the graph as it is, ``choices`` for the
    vector of choices: ``L`` nodes without edges, one per choice, whose operator number stands for one option of one
    choice (so that a sum of embeddings is a linear layer on the one-hot encoding), all graphs then have ``L`` nodes;
    ``network`` for computational graphs (:mod:`archpredict.graph.operators`) with the numbers of
    :mod:`archpredict.graph.node_features`
    as :attr:`GraphBatch.features`; their vocabulary is always :data:`archpredict.graph.operators.OPERATORS`."""

    invariant: ClassVar[bool] = True
    """Whether isomorphic graphs get equal vectors whatever their numbering."""

    stackable: ClassVar[bool] = False
    """Whether :meth:`forward` also works where every parameter begins with a dimension of ``M`` members of an ensemble,
    each of which reads as many of the batch's graphs, one member's after another's (:func:`archpredict.runtime.linear`
    and :class:`archpredict.runtime.Dropout` do). Not inherited."""

    out_features: int
    """``D``."""

    @abstractmethod
    def forward(self, batch: GraphBatch) -> Tensor:
        """Encode a batch; returns ``(B, D)``."""


def encoded(encoder: Encoder, batch: GraphBatch) -> Tensor:
    """The encodings of a batch, ``(B, D)``, by an encoder that may be somebody's own and wrong.

    Args:
        encoder: What encodes.
        batch: ``B`` graphs.

    Raises:
        UsageError: They are not of the shape that the encoder promises.
    """
    z: Tensor = encoder(batch)
    wanted = batch.num_graphs, encoder.out_features
    if z.shape != wanted:
        raise UsageError(
            f"the encoder {type(encoder).__name__} gave {tuple(z.shape)} for {batch.num_graphs} graphs, and by its "
            f"out_features it gives {wanted}; what pool() returns has an axis of cells, which flatten(1) joins"
        )
    return z
