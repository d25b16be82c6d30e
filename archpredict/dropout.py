"""Dropout that a seed decides on every device."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Dropout with masks drawn on the CPU, so that the same seed drops the same units on every device."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, h: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return h
        keep = torch.rand(h.shape, device="cpu") >= self.p
        return h * keep.to(h.device) / (1 - self.p)
