"""What is known of the settings that a predictor of speed has learnt: how much was measured, and how far it is off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold

from archpredict._typing import FloatArray
from archpredict.costs.model import Numbers, SpeedModel
from archpredict.costs.numbers import median, side
from archpredict.costs.settings import Setting
from archpredict.costs.table import SpeedTable
from archpredict.graph.arch_graph import ArchGraph
from archpredict.metrics import kendall_tau

__all__ = ["COVERAGE", "KnownSetting", "Seen", "known_settings", "seen_of", "spread"]

COVERAGE = 0.9
"""Share of speeds that intervals are made to hold."""
FOLDS = 5
_LEAST_SPREAD = 0.3
"""Of the interval's width, what a network that is just like a known one keeps."""


@dataclass(frozen=True)
class KnownSetting:
    """A setting that was measured.

    Args:
        setting: With its usual batch size.
        models: How many models were measured in it.
        smallest, largest: Batch sizes that were measured.
        width: Half the interval of a logarithmic speed, over the spread of a network.
        tau, error: Kendall's tau-b and mean absolute error, in percent, on families that were left out.
    """

    setting: Setting
    models: int
    smallest: int
    largest: int
    width: float
    tau: float
    error: float


@dataclass(frozen=True)
class Seen:
    """What the measured networks have in common.

    Args:
        operators: All their operators.
        smallest_side, largest_side: Height or width of the images, in pixels.
        farthest: Similarity to the others that all but one in a hundred have at least.
    """

    operators: frozenset[str]
    smallest_side: float
    largest_side: float
    farthest: float

    def unlike(self, graph: ArchGraph, similar: float) -> list[str]:
        """What of a network is outside of what was measured.

        Args:
            graph: Computational.
            similar: Its similarity to the measured network that is most like it.
        """
        found = []
        unseen = sorted({op for op in graph.ops if op not in self.operators})
        if unseen:
            found.append(f"no measured model has {', '.join(unseen)}")
        pixels, smallest, largest = side(graph), self.smallest_side, self.largest_side
        if pixels and not smallest <= pixels <= largest:
            found.append(f"images of {pixels:g} pixels were not measured, only of {smallest:g} to {largest:g}")
        if not found and similar < self.farthest:
            found.append("it is unlike all measured models")
        return found


def seen_of(graphs: Sequence[ArchGraph]) -> Seen:
    """What networks have in common."""
    sides = [found for found in map(side, graphs) if found]
    return Seen(frozenset(op for graph in graphs for op in graph.ops), min(sides), max(sides), 0.0)


def known_settings(
    numbers: Numbers, table: SpeedTable, regimes: Sequence[str], families: Any
) -> tuple[KnownSetting, ...]:
    """What is to be said of each setting of a table, by models of families that were left out.

    Args:
        numbers: Of the models.
        table: Their speeds.
        regimes: One for each setting.
        families: ``(G,)`` one for each model.
    """
    expected, spreads = _left_out(numbers, table.speeds, regimes, families)
    rows = zip(table.settings, table.speeds, table.batch_sizes, expected, strict=True)
    return tuple(_known(*row, spreads) for row in rows)


def _left_out(
    numbers: Numbers, speeds: FloatArray, regimes: Sequence[str], groups: Any
) -> tuple[FloatArray, FloatArray]:
    """``(S, G)`` logarithmic speeds expected by models of the other families, and ``(G,)`` spreads."""
    expected, spreads = np.zeros(speeds.shape), np.zeros(speeds.shape[1])
    folds = GroupKFold(FOLDS, shuffle=True, random_state=0)
    for train, test in folds.split(speeds.T, groups=groups):
        model = SpeedModel.fit(numbers.rows(train), speeds[:, train], regimes)
        similar = model.similarity(numbers.statistics[test])
        spreads[test] = spread(similar)
        for s in range(len(speeds)):
            expected[s, test] = model.predict(s, numbers.terms[s, test], similar)
    return expected, spreads


def spread(similar: FloatArray) -> FloatArray:
    """``(m,)`` how unsure networks with these ``(m, n)`` similarities to the known ones are, up to a factor."""
    return np.asarray(np.sqrt(_LEAST_SPREAD + 1 - similar.max(axis=1) ** 2))


def _known(
    setting: Setting, speeds: FloatArray, sizes: FloatArray, expected: FloatArray, spreads: FloatArray
) -> KnownSetting:
    """What is to be said of a setting, from what was expected of the models that were left out."""
    has = np.isfinite(speeds)
    size = sizes[np.isfinite(sizes)]
    error = np.abs(expected[has] - np.log(speeds[has]))
    count = int(has.sum())
    level = min(1.0, COVERAGE * (count + 1) / count)
    return KnownSetting(
        setting.with_batch_size(int(median(sizes))),
        count,
        int(size.min(initial=np.inf) if len(size) else 1),
        int(size.max(initial=0) if len(size) else 1),
        float(np.quantile(error / spreads[has], level)),
        kendall_tau(speeds[has], expected[has]),
        float(100 * np.abs(np.exp(expected[has]) / speeds[has] - 1).mean()),
    )
