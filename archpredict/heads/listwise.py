"""Listwise: the likelihood of the whole order."""

from __future__ import annotations

import torch
from torch import Tensor

from archpredict.heads.base import ScoreHead

__all__ = ["Listwise"]


class Listwise(ScoreHead):
    """ListMLE: the negative log-likelihood of a mini-batch's order under the Plackett-Luce model.

    Xia, Liu, Wang, Zhang and Li, "Listwise approach to learning to rank: theory and algorithm", ICML 2008;
    used for architectures by Ning et al., ECCV 2020, arXiv 2004.01899:

        ``L = -1/B sum_i [s_(i) - log sum_{j >= i} exp s_(j)]``

    where ``(1), (2), ...`` is the mini-batch from the best label to the worst: at each place, the chance that the
    right one is taken from those that are left. Of two architectures ``a`` comes first with probability
    ``sigmoid(s_a - s_b)``, which is ``compare``.

    Departures: the mean over places instead of the sum, so that the learning rate does not depend on the size of a
    mini-batch; one list per mini-batch. Equal labels keep the order that they have in the mini-batch.

    Args:
        in_features: ``D``, width of an encoding.
        hidden: Width of the hidden layer; 0 for a linear score.
        dropout: Share of the hidden units dropped while training.

    Shapes:
        - ``z``: ``(B, D)``; ``y``, ``score``: ``(B,)``; ``compare``: ``(n, D), (m, D)`` to ``(n, m)``

    Example:
        >>> head = Listwise(4)
        >>> head.loss(torch.randn(3, 4), torch.randn(3)).shape
        torch.Size([])
    """

    name = "listwise"

    def __init__(self, in_features: int, *, hidden: int = 200, dropout: float = 0.1) -> None:
        super().__init__(in_features, hidden=hidden, dropout=dropout)

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        worst_first = torch.argsort(y, descending=True, stable=True).flip(0)
        scores = self.score(z)[worst_first]
        return (torch.logcumsumexp(scores, dim=0) - scores).mean()
