"""Parameters and multiply-adds of Once-for-All's MobileNetV3 networks, as tables."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import cache

import numpy as np

from archpredict._typing import IntArray
from archpredict.spaces._mobilenetv3_network import (
    EXPANSIONS,
    FINAL,
    KERNELS,
    MAX_DEPTH,
    MIX,
    RESOLUTIONS,
    STAGES,
    STEM,
    LayerStage,
    sizes,
    squeezed,
)

CLASSES = 1000
COSTS = ("params", "macs")


@dataclass(frozen=True)
class LayerCost:
    """Trainable numbers, two per channel for a batch norm, and multiply-adds of convolutions and linear layers."""

    params: int
    macs: int

    def __add__(self, other: LayerCost) -> LayerCost:
        return LayerCost(self.params + other.params, self.macs + other.macs)


@cache
def skeleton_costs() -> IntArray:
    """``(8, 2)``: all but the layers of the stages, by resolution."""
    rows = []
    for resolution in RESOLUTIONS:
        after_stem, *_, last = sizes(resolution)
        pixels = after_stem**2
        stem = _conv(3 * 9, STEM, pixels)
        first = _conv(9, STEM, pixels) + _conv(STEM, STEM, pixels)
        final = _conv(STAGES[-1].channels, FINAL, last**2)
        head = LayerCost(FINAL * MIX + (MIX + 1) * CLASSES, FINAL * MIX + MIX * CLASSES)
        rows.append(astuple(stem + first + final + head))
    return np.array(rows)


@cache
def layer_costs() -> IntArray:
    """``(8, 20, 3, 3, 2)``: one layer, by resolution, slot, kernel and expansion."""
    table = np.zeros((len(RESOLUTIONS), len(STAGES) * MAX_DEPTH, len(KERNELS), len(EXPANSIONS), len(COSTS)), np.int64)
    for r, resolution in enumerate(RESOLUTIONS):
        size = sizes(resolution)
        for s, stage in enumerate(STAGES):
            for layer in range(MAX_DEPTH):
                enters = (STAGES[s - 1].channels if s else STEM) if layer == 0 else stage.channels
                before = (size[s] if layer == 0 else size[s + 1]) ** 2
                for k, kernel in enumerate(KERNELS):
                    for e, expansion in enumerate(EXPANSIONS):
                        cost = _layer(stage, enters, kernel, enters * expansion, before, size[s + 1] ** 2)
                        table[r, s * MAX_DEPTH + layer, k, e] = astuple(cost)
    return table


def _layer(stage: LayerStage, enters: int, kernel: int, wide: int, before: int, after: int) -> LayerCost:
    """One inverted bottleneck; ``before`` and ``after`` its stride there are so many pixels."""
    cost = _conv(enters, wide, before) + _conv(kernel**2, wide, after) + _conv(wide, stage.channels, after)
    if stage.squeezes:
        middle = squeezed(wide)
        cost += LayerCost(2 * wide * middle + middle + wide, 2 * wide * middle)
    return cost


def _conv(reads: int, channels: int, pixels: int) -> LayerCost:
    """A convolution without bias that reads so many numbers for each it gives, and its batch norm."""
    return LayerCost(reads * channels + 2 * channels, reads * channels * pixels)
