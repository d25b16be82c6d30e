"""Head: from encoded architectures to scores and comparisons (one file each).

Higher is better everywhere, and ``compare(a, b)`` is the probability that ``a`` is better than ``b``. It is written
down here and nowhere else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.errors import UsageError
from archpredict.runtime import Dropout, linear

__all__ = ["Head", "ScoreHead"]


class Head(nn.Module, ABC):
    """A head: from encodings to scores and comparisons, and the loss that they are learnt by.

    Every head's constructor takes ``in_features`` (the encoder's ``out_features``) first, then options.
    """

    name: ClassVar[str]

    @property
    def stackable(self) -> bool:
        """Whether :meth:`loss` also works with a dimension of ``M`` members of an ensemble before those of every
        parameter, ``z`` and ``y``; it then returns ``(M,)`` losses.
        """
        return False

    @abstractmethod
    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        """The loss that is minimised.

        Args:
            z: ``(B, D)`` encodings of a mini-batch.
            y: ``(B,)`` labels, higher is better.

        Returns:
            A scalar.
        """

    @abstractmethod
    def score(self, z: Tensor) -> Tensor:
        """Scores ``(B,)``, whose order is the predicted ranking."""

    @abstractmethod
    def logits(self, za: Tensor, zb: Tensor) -> Tensor:
        """Log odds that ``a`` is better than ``b``: ``(n, D)`` and ``(m, D)`` to ``(n, m)``, every pair."""

    def compare(self, za: Tensor, zb: Tensor) -> Tensor:
        """Probability that ``a`` is better than ``b`` for every pair, ``(n, m)``; encodes nothing twice."""
        return self.logits(za, zb).sigmoid()

    @abstractmethod
    def pair_loss(self, za: Tensor, zb: Tensor, target: Tensor) -> Tensor:
        """Loss of given pairs ``(P, D)``, ``(P, D)`` with the probability ``(P,)`` that the first is better."""

    def after_fit(self, z: Tensor) -> None:
        """Take the encodings ``(n, D)`` of the labelled architectures once training is over, if the head needs them."""


class ScoreHead(Head):
    """Heads that learn one score per architecture, from which ``compare`` is derived.

    ``s(z) = w . dropout(relu(W z + c)) + b`` and ``p(a, b) = sigmoid(slope (s(z_a) - s(z_b)))``, so that
    ``p(a, b) + p(b, a) = 1`` and comparisons never contradict the ranking. (The other class of head, the
    comparator, learns ``compare``; there the score is the mean win rate.)

    Args:
        in_features: ``D``, width of an encoding.
        hidden: Width of the hidden layer; 0 for none, a linear score.
        dropout: Share of the hidden units dropped while training.
        slope: Log odds per unit of score difference.
    """

    def __init__(self, in_features: int, *, hidden: int, dropout: float, slope: float = 1.0) -> None:
        super().__init__()
        if hidden < 0:
            raise UsageError(f"hidden is a number of units, 0 for no hidden layer; {hidden} was given")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout is a share of units, at least 0 and below 1; {dropout} was given")
        self.slope = slope
        layers = [nn.Linear(in_features, hidden), nn.ReLU(), Dropout(dropout)] if hidden else []
        self.mlp = nn.Sequential(*layers, nn.Linear(hidden or in_features, 1))

    def score(self, z: Tensor) -> Tensor:
        for layer in self.mlp:
            z = linear(z, layer) if isinstance(layer, nn.Linear) else layer(z)
        return z[..., 0]

    def logits(self, za: Tensor, zb: Tensor) -> Tensor:
        return self.slope * (self.score(za)[:, None] - self.score(zb)[None, :])

    def pair_loss(self, za: Tensor, zb: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.slope * (self.score(za) - self.score(zb)), target)
