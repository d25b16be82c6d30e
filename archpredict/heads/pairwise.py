"""Pairwise: the difference of two scores has the sign of the difference of the labels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from archpredict.errors import UsageError
from archpredict.heads.base import ScoreHead

__all__ = ["Pairwise"]

_PAIRS_PER_ARCHITECTURE = 4
_SURE = 3.0
"""Log odds of a pair whose scores differ by the margin: 95 %."""


class Pairwise(ScoreHead):
    """Ranking loss on the differences of scores ``d = s(z_a) - s(z_b)``.

    Ning et al., "A Generic Graph-based Neural Architecture Encoding Scheme for Predictor-based NAS" (GATES), ECCV
    2020, arXiv 2004.01899. With the target ``t``, the probability that ``a`` is better, a pair costs

    * ``bce``: ``t softplus(-d) + (1 - t) softplus(d)`` (RankNet: Burges et al., ICML 2005);
    * ``hinge``: ``t max(0, m - d) + (1 - t) max(0, m + d)`` with the margin ``m``.

    The loss is the weighted mean over pairs. With hard targets, equal labels make no pair (as in the published code).
    ``compare`` is ``sigmoid(d)`` for ``bce``, the model that it is the likelihood of; the hinge is the likelihood of
    none, so there it is ``sigmoid(3 d / m)``: a pair that just keeps the margin counts as 95 % sure.

    Args:
        in_features: ``D``, width of an encoding.
        loss: ``bce``, or ``hinge``, which GATES publishes.
        margin: ``m`` of the hinge.
        pairs: ``all`` of a mini-batch, or ``random``: at most four times as many as there are architectures (GATES).
        target: ``hard`` labels ``1[y_a > y_b]`` as published, or ``soft`` ones ``sigmoid(sharpness (y_a - y_b))`` for
            labels on the scale of standard deviations.
        sharpness: Slope of the soft targets.
        top_weight: A pair weighs ``q ** top_weight``, where ``q`` is the share of the mini-batch that its better
            architecture is not worse than: 0 weighs all alike, 4 those at the top 16 times as much as those in the
            middle. Not of the paper.
        hidden: Width of the hidden layer of the score, 200 in GATES; 0 for a linear score.
        dropout: Share of the hidden units dropped while training.

    Raises:
        UsageError: An option that is not one of those above, or out of its range.

    Shapes:
        - ``z``: ``(B, D)``; ``y``, ``score``: ``(B,)``; ``compare``: ``(n, D), (m, D)`` to ``(n, m)``

    Example:
        >>> head = Pairwise(4, loss="hinge")
        >>> z = torch.randn(3, 4)
        >>> p = head.eval().compare(z, z)
        >>> bool(torch.allclose(p + p.T, torch.ones(3, 3)))
        True
    """

    name = "pairwise"

    def __init__(
        self,
        in_features: int,
        *,
        loss: Literal["bce", "hinge"] = "bce",
        margin: float = 0.1,
        pairs: Literal["all", "random"] = "all",
        target: Literal["hard", "soft"] = "soft",
        sharpness: float = 3.0,
        top_weight: float = 0.0,
        hidden: int = 64,
        dropout: float = 0.1,
    ) -> None:
        for option, value, known in (
            ("loss", loss, ("bce", "hinge")),
            ("pairs", pairs, ("all", "random")),
            ("target", target, ("hard", "soft")),
        ):
            if value not in known:
                raise UsageError(f"unknown {option} {value!r}; choose from: {', '.join(known)}")
        if margin <= 0:
            raise UsageError(f"the margin is a difference of scores above 0, {margin} was given")
        if top_weight < 0:
            raise UsageError(f"top_weight is an exponent of at least 0, {top_weight} was given")
        super().__init__(in_features, hidden=hidden, dropout=dropout, slope=1.0 if loss == "bce" else _SURE / margin)
        self.kind, self.margin, self.pairs = loss, margin, pairs
        self.target, self.sharpness, self.top_weight = target, sharpness, top_weight

    @property
    def stackable(self) -> bool:
        return self.pairs == "all"  # else each member draws its own

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        scores = self.score(z)
        a, b = self._chosen(z.shape[-2]).to(z.device)
        difference, of_labels = (v.index_select(-1, a) - v.index_select(-1, b) for v in (scores, y))
        costs = self._costs(difference, self._targets(of_labels))
        weights = self._weights(y, a, b)
        return (weights * costs).sum(-1) / weights.sum(-1).clamp(min=1e-12)

    def pair_loss(self, za: Tensor, zb: Tensor, target: Tensor) -> Tensor:
        return self._costs(self.score(za) - self.score(zb), target).mean()

    def _chosen(self, n: int) -> Tensor:
        """``(2, P)`` pairs of a mini-batch of ``n``, each once."""
        index = torch.triu_indices(n, n, 1)
        most = _PAIRS_PER_ARCHITECTURE * n
        if self.pairs == "all" or index.shape[1] <= most:
            return index
        return index[:, torch.randperm(index.shape[1], device="cpu")[:most]]

    def _targets(self, difference: Tensor) -> Tensor:
        if self.target == "soft":
            return torch.sigmoid(self.sharpness * difference)
        return (torch.sign(difference) + 1) / 2

    def _weights(self, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
        weights = torch.ones_like(y[..., a]) if self.target == "soft" else (y[..., a] != y[..., b]).to(y.dtype)
        if self.top_weight == 0:
            return weights
        quantile = (y[..., :, None] >= y[..., None, :]).to(y.dtype).mean(-1)
        return weights * torch.maximum(quantile[..., a], quantile[..., b]) ** self.top_weight

    def _costs(self, difference: Tensor, target: Tensor) -> Tensor:
        if self.kind == "bce":
            return F.binary_cross_entropy_with_logits(difference, target, reduction="none")
        return target * F.relu(self.margin - difference) + (1 - target) * F.relu(self.margin + difference)
