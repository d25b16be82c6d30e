"""Regression: the score is the label itself."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from archpredict.heads.base import ScoreHead

__all__ = ["Regression"]


class Regression(ScoreHead):
    """Mean squared error of the score: ``L = mean_i (s(z_i) - y_i)^2``.

    The regression loss that Ning et al., "A Generic Graph-based Neural Architecture Encoding Scheme for
    Predictor-based NAS", ECCV 2020, arXiv 2004.01899, compare ranking losses with.

    Departures: labels arrive as normal scores of their ranks, with mean 0 and standard deviation about 1, where the
    published code regresses a sigmoid on accuracies; and the score has no sigmoid.

    Args:
        in_features: ``D``, width of an encoding.
        hidden: Width of the hidden layer; 0 for a linear score.
        dropout: Share of the hidden units dropped while training.
        sharpness: ``compare`` is ``sigmoid(sharpness (s_a - s_b))``: log odds per standard deviation of the labels.

    Shapes:
        - ``z``: ``(B, D)``; ``y``, ``score``: ``(B,)``; ``compare``: ``(n, D), (m, D)`` to ``(n, m)``

    Example:
        >>> import torch
        >>> head = Regression(4)
        >>> head.loss(torch.randn(3, 4), torch.randn(3)).shape
        torch.Size([])
    """

    name = "regression"

    def __init__(self, in_features: int, *, hidden: int = 200, dropout: float = 0.1, sharpness: float = 3.0) -> None:
        super().__init__(in_features, hidden=hidden, dropout=dropout, slope=sharpness)

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(self.score(z), y)
