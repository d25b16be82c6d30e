"""PretrainingObjective: what an encoder of networks is pre-trained for, without any label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from archpredict._typing import FloatArray
from archpredict.graph.arch_graph import ArchGraph

__all__ = ["PretrainingObjective"]


class PretrainingObjective(ABC):
    """An objective of pre-training: numbers known of every graph, and a loss of encodings given these."""

    name: ClassVar[str]

    @abstractmethod
    def targets(self, graphs: Sequence[ArchGraph]) -> FloatArray:
        """``(G, K)`` numbers of ``G`` computational graphs, computed once."""

    @abstractmethod
    def readout(self, in_features: int, num_targets: int) -> nn.Module:
        """What is trained on top of the encoder and thrown away afterwards.

        Args:
            in_features: ``D``, width of an encoding.
            num_targets: ``K``.
        """

    @abstractmethod
    def loss(self, read: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch.

        Args:
            read: ``(B, P)`` what the readout gives.
            targets: ``(B, K)`` numbers of the same graphs.
        """
