"""The neural architecture comparator (NAC) of CTNAS."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.errors import UsageError
from archpredict.heads.base import Head

__all__ = ["Comparator"]

_MAX_ANCHORS = 256
_CHUNK = 1024
"""Architectures that the hidden form scores at once: 64 MiB of hidden units at the default width."""


class Comparator(Head):
    """Neural architecture comparator: the probability that one architecture is better than another.

    Chen, Guo et al., "Contrastive Neural Architecture Search with Neural Architecture Comparators", CVPR 2021,
    arXiv 2103.05471, equation 6: ``p(a, b) = sigmoid([z_a ; z_b] W + c)``, trained with binary cross-entropy on pairs.

    Args:
        in_features: ``D``, width of an encoding.
        form: ``linear``, as published: ``sigmoid(u.z_a + v.z_b + c)`` with free ``u``, ``v``, ``c``;
            ``tied``, with ``v = -u`` and ``c = 0``: antisymmetric, ``p(a, b) = 1 - p(b, a)``, a Bradley-Terry model;
            ``hidden``, with a hidden layer on the concatenation: the only form that is more than one score per
            architecture. Its comparison is the mean of both orders, ``(p(a, b) + 1 - p(b, a)) / 2``, as in GATES (Ning
            et al., ECCV 2020, arXiv 2004.01899).
        hidden: Width of the hidden layer of the ``hidden`` form.
        pairs: ``all`` ordered pairs of a batch (the paper, over the whole training set), or one ``permutation``: each
            architecture against one other (the published code).
        target: ``hard`` labels ``1[y_a > y_b]``, or ``soft`` ones ``sigmoid(sharpness (y_a - y_b))`` for labels on the
            scale of standard deviations. Equal labels give 1/2 (the paper's definition 1, the published code 0).
        sharpness: Slope of the soft targets.

    ``score`` is the mean win rate's order: for the first two forms ``(u - v).z / 2``, to which the win rate over any
    set of opponents is monotone when the comparator is antisymmetric; for ``hidden`` the mean win rate itself, against
    the training architectures (at most 256 of them).

    Shapes:
        - ``z``: ``(B, D)``; ``score``: ``(B,)``; ``compare``: ``(n, D), (m, D)`` to ``(n, m)``

    Example:
        >>> head = Comparator(4, form="tied")
        >>> z = torch.randn(3, 4)
        >>> p = head.compare(z, z)
        >>> bool(torch.allclose(p + p.T, torch.ones(3, 3)))
        True
    """

    name = "comparator"
    anchors: Tensor

    def __init__(
        self,
        in_features: int,
        *,
        form: Literal["linear", "tied", "hidden"] = "tied",
        hidden: int = 64,
        pairs: Literal["all", "permutation"] = "all",
        target: Literal["hard", "soft"] = "hard",
        sharpness: float = 3.0,
    ) -> None:
        super().__init__()
        if form not in ("linear", "tied", "hidden"):
            raise UsageError(f"unknown form {form!r} of the comparator; choose from: linear, tied, hidden")
        if pairs not in ("all", "permutation"):
            raise UsageError(f"unknown pairs {pairs!r}; choose from: all, permutation")
        if target not in ("hard", "soft"):
            raise UsageError(f"unknown target {target!r}; choose from: hard, soft")
        self.form, self.pairs, self.target, self.sharpness = form, pairs, target, sharpness
        self.first = nn.Linear(2 * in_features, hidden) if form == "hidden" else None
        self.fc = nn.Linear(
            {"linear": 2 * in_features, "tied": in_features, "hidden": hidden}[form], 1, bias=form != "tied"
        )
        self.register_buffer("anchors", torch.zeros(_MAX_ANCHORS if form == "hidden" else 0, in_features))

    def logits(self, za: Tensor, zb: Tensor) -> Tensor:
        if self.first is None:
            forward, backward = self._strengths(za)[0], self._strengths(zb)[1]
            return forward[:, None] + backward[None, :]
        d = za.shape[1]
        a = F.linear(za, self.first.weight[:, :d], self.first.bias)
        b = F.linear(zb, self.first.weight[:, d:])
        out: Tensor = self.fc(F.relu(a[:, None] + b[None, :]))[..., 0]
        return out

    def compare(self, za: Tensor, zb: Tensor) -> Tensor:
        p = super().compare(za, zb)
        return (p + 1 - super().compare(zb, za).T) / 2 if self.form == "hidden" else p

    def score(self, z: Tensor) -> Tensor:
        if self.form == "hidden":
            return torch.cat([self.compare(part, self.anchors).mean(1) for part in torch.split(z, _CHUNK)])
        forward, backward = self._strengths(z)
        return (forward - backward) / 2

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        n = len(z)
        if self.pairs == "permutation":
            other = torch.randperm(n, device="cpu").to(z.device)
            return self.pair_loss(z, z[other], self._targets(y, y[other]))
        target = self._targets(y[:, None], y[None, :])
        distinct = ~torch.eye(n, dtype=torch.bool, device=z.device)
        return F.binary_cross_entropy_with_logits(self.logits(z, z)[distinct], target[distinct])

    def pair_loss(self, za: Tensor, zb: Tensor, target: Tensor) -> Tensor:
        if self.first is None:
            logits = self._strengths(za)[0] + self._strengths(zb)[1]
        else:
            logits = self.fc(F.relu(self.first(torch.cat([za, zb], dim=1))))[:, 0]
        return F.binary_cross_entropy_with_logits(logits, target)

    def after_fit(self, z: Tensor) -> None:
        if self.form == "hidden":
            self.anchors.copy_(z[torch.arange(_MAX_ANCHORS, device=z.device) % len(z)])

    def _strengths(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """``u.z + c`` and ``v.z``: what an architecture adds to the log odds as the first and as the second."""
        if self.form == "tied":
            strength = self.fc(z)[:, 0]
            return strength, -strength
        d = z.shape[1]
        return F.linear(z, self.fc.weight[:, :d], self.fc.bias)[:, 0], F.linear(z, self.fc.weight[:, d:])[:, 0]

    def _targets(self, ya: Tensor, yb: Tensor) -> Tensor:
        if self.target == "soft":
            return torch.sigmoid(self.sharpness * (ya - yb))
        return (torch.sign(ya - yb) + 1) / 2
