"""Parameters, multiply-adds and flops of the DARTS network for CIFAR-10, operator by operator.

The network is the one behind the zero-cost NAS-Bench-301 tables: 8 cells of 32, 64 and 128 channels at 32, 16
and 8 pixels, reductions at cells 2 and 5, a stem of 96 channels, affine batch normalisation in the stem and
in the preprocessing of cells, none affine inside operations, every pooling followed by one, no auxiliary
head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

CHANNELS = 32
CELLS = 8
_REDUCTIONS = (CELLS // 3, 2 * CELLS // 3)
_STEM = 3 * CHANNELS
_PIXELS = 32
_CLASSES = 10
_INTERMEDIATE = 4


@dataclass(frozen=True)
class CellCost:
    """Costs of a part of the network.

    Args:
        params: Trainable numbers.
        macs: Multiply-adds of convolutions and the classifier.
        other: Flops besides: 1 per element of a ReLU and of a batch normalisation (2 where affine), and the
            window's size per output element of a pooling.
    """

    params: int = 0
    macs: int = 0
    other: int = 0

    def __add__(self, more: CellCost) -> CellCost:
        return CellCost(self.params + more.params, self.macs + more.macs, self.other + more.other)

    @property
    def flops(self) -> int:
        return self.macs + self.other


@dataclass(frozen=True)
class _Cell:
    """Where a cell stands; sizes in pixels per side are those of its output and of its two inputs."""

    reduction: bool
    channels: int
    inputs: tuple[tuple[int, int], tuple[int, int]]  # (channels, pixels) of the last but one and of the last cell

    @property
    def pixels_in(self) -> int:
        return self.inputs[1][1]

    @property
    def pixels_out(self) -> int:
        return self.pixels_in // 2 if self.reduction else self.pixels_in


@cache
def operation_cost(op: str, reduction: bool, stride: int) -> CellCost:
    """One operation of a normal or reduction cell, summed over all cells of that kind."""
    total = CellCost()
    for cell in _cells():
        if cell.reduction == reduction:
            total += _operation(op, cell.channels, cell.pixels_in if stride == 2 else cell.pixels_out, stride)
    return total


@cache
def skeleton_cost() -> CellCost:
    """Everything but the operations: stem, preprocessing of each cell's inputs, classifier."""
    stem = _convolution(27, _STEM, _PIXELS) + _normalisation(_STEM, _PIXELS, affine=True)
    total = stem
    last = (0, 0)
    for cell in _cells():
        for channels, pixels in cell.inputs:
            # A 1x1 convolution, with stride 2 where the input is larger (two halves, side by side).
            total += _relu(channels, pixels) + _convolution(channels, cell.channels, cell.pixels_in)
            total += _normalisation(cell.channels, cell.pixels_in, affine=True)
        last = (_INTERMEDIATE * cell.channels, cell.pixels_out)
    channels, pixels = last
    # Global pooling of 8x8 pixels counts as a window of 9x9: so the published figures were made.
    pooling = CellCost(other=(pixels + 1) ** 2 * channels)
    return total + pooling + CellCost(params=(channels + 1) * _CLASSES, macs=channels * _CLASSES)


def _cells() -> Iterator[_Cell]:
    before_last = last = (_STEM, _PIXELS)
    channels = CHANNELS
    for i in range(CELLS):
        reduction = i in _REDUCTIONS
        channels = channels * 2 if reduction else channels
        cell = _Cell(reduction, channels, (before_last, last))
        yield cell
        before_last, last = last, (_INTERMEDIATE * channels, cell.pixels_out)


def _operation(op: str, channels: int, pixels_in: int, stride: int) -> CellCost:
    kind, _, size = op.rpartition("_")
    pixels = pixels_in // stride
    if op == "none" or (op == "skip_connect" and stride == 1):
        return CellCost()
    normalisation = _normalisation(channels, pixels, affine=False)
    if op == "skip_connect":
        return _relu(channels, pixels_in) + _convolution(channels, channels, pixels) + normalisation
    kernel = int(size[0])
    if kind.endswith("pool"):
        return CellCost(other=kernel**2 * channels * pixels**2) + normalisation
    # Depthwise, then pointwise convolution.
    separable = _convolution(kernel**2, channels, pixels) + _convolution(channels, channels, pixels) + normalisation
    once = _relu(channels, pixels_in) + separable
    return once if kind == "dil_conv" else once + _relu(channels, pixels) + separable


def _convolution(fan_in: int, channels: int, pixels: int) -> CellCost:
    return CellCost(params=fan_in * channels, macs=fan_in * channels * pixels**2)


def _normalisation(channels: int, pixels: int, affine: bool) -> CellCost:
    return CellCost(params=2 * channels * affine, other=(1 + affine) * channels * pixels**2)


def _relu(channels: int, pixels: int) -> CellCost:
    return CellCost(other=channels * pixels**2)
