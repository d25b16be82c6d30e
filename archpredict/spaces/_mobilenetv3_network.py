"""The networks of Once-for-All's MobileNetV3 space, as computational graphs."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, gcd

from archpredict.errors import InvalidGraphError
from archpredict.graph.builder import Builder

RESOLUTIONS = tuple(range(112, 225, 16))
"""Heights and widths of the image, in pixels."""
DEPTHS = (2, 3, 4)
"""Layers that a stage may have."""
KERNELS = (3, 5, 7)
"""Sizes of the depthwise convolution of a layer."""
EXPANSIONS = (3, 4, 6)
"""Factors by which a layer widens its input."""
MAX_DEPTH = max(DEPTHS)
"""Layers of a stage at most."""

STEM = 24
FINAL = 1152
MIX = 1536
_DIVISOR = 8
_REDUCTION = 4
_MIN_IMAGE = 4


@dataclass(frozen=True)
class LayerStage:
    """A stage: what its layers share.

    Args:
        channels: They give, at width 1.2.
        stride: Of the first one.
        activation: After the first two convolutions of a layer.
        squeezes: Whether they have squeeze-and-excitation.
    """

    channels: int
    stride: int
    activation: str
    squeezes: bool


STAGES = (
    LayerStage(32, 2, "relu", False),
    LayerStage(48, 2, "relu", True),
    LayerStage(96, 2, "hard_swish", False),
    LayerStage(136, 1, "hard_swish", True),
    LayerStage(192, 2, "hard_swish", True),
)
"""The five stages, in order."""
STRIDES = (2, *(stage.stride for stage in STAGES))
"""Of the stem and of the stages."""


@dataclass(frozen=True)
class Subnet:
    """An architecture of the MobileNetV3 space: the resolution, and what each layer is.

    Args:
        resolution: Height and width of its images.
        stages: Kernel and expansion of each layer that there is, stage by stage.
    """

    resolution: int
    stages: tuple[tuple[tuple[int, int], ...], ...]


def divisible(width: float, divisor: int = _DIVISOR) -> int:
    """The multiple of the divisor next to a width, not more than a tenth below it, as in MobileNets.

    Example:
        >>> divisible(16 * 1.2), divisible(112 * 1.2), divisible(0.5)
        (24, 136, 8)
    """
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * width else rounded + divisor


def squeezed(channels: int, divisor: int = _DIVISOR) -> int:
    """Channels in the middle of squeeze-and-excitation."""
    return divisible(channels // _REDUCTION, divisor)


def halved_from(image_size: int) -> tuple[int, ...]:
    """Strides of the stem and the stages for images of a given size.

    All five that are 2 need 128 pixels or more. Below, one less for every halving of the image, from the front, so
    that the last stage sees at least 2x2 pixels even of the smallest resolution, which is half of the largest.

    Example:
        >>> halved_from(224), halved_from(32), halved_from(8)
        ((2, 2, 2, 2, 1, 2), (1, 1, 2, 2, 1, 2), (1, 1, 1, 1, 1, 2))
    """
    if image_size < _MIN_IMAGE:
        raise InvalidGraphError(
            f"networks of the space mobilenetv3 take images of at least {_MIN_IMAGE} pixels in height and width, "
            f"{image_size} was given; take a larger image"
        )
    full = [i for i, stride in enumerate(STRIDES) if stride == 2]
    kept = full[max(0, len(full) + 3 - image_size.bit_length()) :]
    return tuple(2 if i in kept else 1 for i in range(len(STRIDES)))


def scaled(image_size: int, resolution: int) -> int:
    """An image's size as a resolution's share of the largest one, in whole pixels."""
    return (image_size * resolution + RESOLUTIONS[-1] // 2) // RESOLUTIONS[-1]


class MobileNetV3Writer:
    """Writes the layers.

    Args:
        b: An empty builder.
        channels: Of the stem; all other widths are in proportion.
    """

    def __init__(self, b: Builder, channels: int) -> None:
        self.b, self._channels = b, channels
        self._divisor = gcd(channels, _DIVISOR)

    def network(self, x: int, subnet: Subnet, strides: tuple[int, ...], num_classes: int) -> Builder:
        """The whole network on the image ``x``."""
        b = self.b
        with b.scope("stem"):
            x = b.activation(b.conv(x, self._channels, 3, stride=strides[0], norm=True), "hard_swish")
        with b.scope("first"):
            x = self._layer(x, 3, 1, LayerStage(STEM, 1, "relu", False), 1)
        for s, (stage, layers) in enumerate(zip(STAGES, subnet.stages, strict=True)):
            for i, (kernel, expansion) in enumerate(layers):
                with b.scope(f"stage{s}"), b.scope(f"layer{i}"):
                    x = self._layer(x, kernel, expansion, stage, 1 if i else strides[s + 1])
        with b.scope("final"):
            x = b.activation(b.conv(x, self._width(FINAL), 1, norm=True), "hard_swish")
        with b.scope("mix"):
            x = b.activation(b.conv(b.global_avg_pool(x), self._width(MIX), 1), "hard_swish")
        return b.output(b.linear(x, num_classes))

    def _width(self, published: int) -> int:
        return divisible(published * self._channels / STEM, self._divisor)

    def _layer(self, x: int, kernel: int, expansion: int, stage: LayerStage, stride: int) -> int:
        """Inverted bottleneck: expand, convolve each channel alone, squeeze and excite, project, add what came in."""
        b = self.b
        wide = divisible(b.channels(x) * expansion, self._divisor)
        y = x
        if expansion > 1:
            with b.scope("expand"):
                y = b.activation(b.conv(y, wide, 1, norm=True), stage.activation)
        y = b.activation(b.conv(y, wide, kernel, stride=stride, groups=wide, norm=True), stage.activation)
        if stage.squeezes:
            with b.scope("squeeze"):
                y = self._squeeze_and_excite(y)
        with b.scope("project"):
            y = b.conv(y, self._width(stage.channels), 1, norm=True)
        return b.add(y, x) if b.shape(y) == b.shape(x) else y

    def _squeeze_and_excite(self, x: int) -> int:
        b, channels = self.b, self.b.channels(x)
        with b.scope("reduce"):
            y = b.relu(b.conv(b.global_avg_pool(x), squeezed(channels, self._divisor), 1, bias=True))
        with b.scope("restore"):
            y = b.activation(b.conv(y, channels, 1, bias=True), "hard_sigmoid")
        return b.mul(x, y)


def sizes(resolution: int) -> list[int]:
    """Height and width after the stem and after each stage, at full strides."""
    found = []
    for stride in STRIDES:
        resolution = ceil(resolution / stride)
        found.append(resolution)
    return found
