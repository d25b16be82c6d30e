"""Regression of statistics: an encoder learns to tell what is easily counted in a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict._typing import FloatArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import network_statistics_of
from archpredict.graph.network_view import NetworkView
from archpredict.graph.path_statistics import path_statistics_of
from archpredict.predict.pretraining.objectives.base import PretrainingObjective

__all__ = ["RegressedStatistics"]

_CLIP = 4.0
_CONSTANT = 1e-9
_PIECE = 100
"""Networks whose statistics are computed at once."""


@dataclass(frozen=True)
class RegressedStatistics(PretrainingObjective):
    """Regression of network and path statistics: mean squared error of a linear layer on the encodings.

    The statistics are those of :func:`archpredict.graph.network_statistics.network_statistics` and
    :func:`archpredict.graph.path_statistics.path_statistics`, standardised over all graphs and clipped to 4 standard
    deviations.
    """

    name = "statistics"

    def targets(self, graphs: Sequence[ArchGraph]) -> FloatArray:
        parts = [NetworkView(graphs[i : i + _PIECE]) for i in range(0, len(graphs), _PIECE)]
        raw = np.concatenate([np.hstack([network_statistics_of(part), path_statistics_of(part)]) for part in parts])
        spread = raw.std(axis=0)
        varies = spread > _CONSTANT * np.abs(raw).max(axis=0)
        standardized: FloatArray = (raw - raw.mean(axis=0))[:, varies] / spread[varies]
        return np.clip(standardized, -_CLIP, _CLIP)

    def readout(self, in_features: int, num_targets: int) -> nn.Module:
        return nn.Linear(in_features, num_targets)

    def loss(self, read: Tensor, targets: Tensor) -> Tensor:
        return F.mse_loss(read, targets)
