"""Head: from encoded architectures to scores and comparisons (one file each).

Higher is better everywhere, and ``compare(a, b)`` is the probability that ``a`` is better than ``b``. It is written
down here and nowhere else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class Head(nn.Module, ABC):
    """Every head's constructor takes ``in_features`` (the encoder's ``out_features``) first, then options."""

    name: ClassVar[str]

    @abstractmethod
    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        """What is minimised.

        Args:
            z: ``(B, D)`` encodings of a mini-batch.
            y: ``(B,)`` labels, higher is better.

        Returns:
            A scalar.
        """

    @abstractmethod
    def score(self, z: Tensor) -> Tensor:
        """``(B,)`` one number per architecture whose order is the predicted ranking."""

    @abstractmethod
    def logits(self, za: Tensor, zb: Tensor) -> Tensor:
        """Log odds that ``a`` is better than ``b``: ``(n, D)`` and ``(m, D)`` to ``(n, m)``, every pair."""

    def compare(self, za: Tensor, zb: Tensor) -> Tensor:
        """Probability that ``a`` is better than ``b`` for every pair, ``(n, m)``; encodes nothing twice."""
        return self.logits(za, zb).sigmoid()

    @abstractmethod
    def pair_loss(self, za: Tensor, zb: Tensor, target: Tensor) -> Tensor:
        """Loss of given pairs ``(P, D)``, ``(P, D)`` with the probability ``(P,)`` that the first is better."""

    def remember(self, z: Tensor) -> None:
        """Take the encodings ``(n, D)`` of the labelled architectures once training is over, if the head needs them."""
