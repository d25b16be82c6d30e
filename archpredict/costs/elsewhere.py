"""What a predictor of speed says of networks in all the settings that it knows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.costs.numbers import read
from archpredict.costs.regimes import regime_of
from archpredict.costs.roofline import roofline
from archpredict.costs.settings import device
from archpredict.costs.speed import SpeedPredictor
from archpredict.graph.arch_graph import ArchGraph

__all__ = ["Elsewhere"]


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """What is known of ``G`` networks without measuring them here.

    Args:
        speeds: ``(G, S)`` logarithms of their predicted speeds in the known settings, each at its usual batch size.
        statistics: ``(G, F)`` of :func:`archpredict.graph.network_statistics.network_statistics`.
    """

    speeds: FloatArray
    statistics: FloatArray

    @classmethod
    def of(cls, graphs: Sequence[ArchGraph], predictor: SpeedPredictor) -> Elsewhere:
        """What a predictor of speed says of networks.

        Args:
            graphs: ``G`` computational graphs.
            predictor: Fitted.
        """
        model, _ = predictor.fitted
        work, statistics = read(graphs)
        similar = model.similarity(statistics)
        columns = []
        for place, known in enumerate(predictor.known_):
            where, size = device(known.setting.device), float(known.setting.batch_size or 1)
            terms = np.concatenate([roofline(part, known.setting, where, size) for part in work])
            columns.append(model.predict(place, terms, similar))
        return cls(np.stack(columns, axis=1), statistics)

    def rows(self, index: npt.ArrayLike) -> Elsewhere:
        """Those of some of the networks."""
        chosen = np.asarray(index)
        return Elsewhere(self.speeds[chosen], self.statistics[chosen])


def regimes_of(predictor: SpeedPredictor) -> list[str]:
    """The regime of each setting that it knows."""
    return [regime_of(known.setting, device(known.setting.device)).name for known in predictor.known_]


def digest_of(predictor: SpeedPredictor) -> str:
    """A digest of what it has learnt."""
    model, _ = predictor.fitted
    return hashlib.sha256(model.weights.tobytes() + model.shared.tobytes()).hexdigest()
