"""The network whose weights ENAS shares in its macro search, with one operator per layer, as a computational graph."""

from __future__ import annotations

from collections.abc import Sequence

from archpredict.graph.builder import Builder

POOLED_AFTER = (1, 3)
"""Layers after which all that was computed is halved: a third and two thirds of six."""


class EnasWriter:
    """Writes the layers and remembers what each gave, at full size and pooled.

    Args:
        b: An empty builder.
        channels: Of everything.
    """

    def __init__(self, b: Builder, channels: int) -> None:
        self.b, self._channels = b, channels
        self._given: dict[tuple[int, int], int] = {}  # what point (0 the stem, i layer i - 1) gives after so many pools

    def network(self, layers: Sequence[tuple[str, Sequence[int]]], num_classes: int) -> Builder:
        """The whole network of ``(operator, points that are added)`` per layer."""
        b, pools = self.b, 0
        with b.scope("stem"):
            self._given[0, 0] = b.conv(b.input(), self._channels, 3, norm=True)
        for layer, (op, skips) in enumerate(layers):
            x, *terms = [self._point(point, pools) for point in (layer, *skips)]
            with b.scope(f"layer{layer}"), b.scope(op):
                x = self._operation(x, op)
            if layer:
                with b.scope(f"layer{layer}"):
                    x = b.batch_norm(b.add(*terms, x))
            self._given[layer + 1, pools] = x
            pools += layer in POOLED_AFTER
        return b.output(b.linear(b.global_avg_pool(self._point(len(layers), pools)), num_classes, bias=False))

    def _point(self, point: int, pools: int) -> int:
        """What a point gives after so many pools; each of them is made where it is first read."""
        if (point, pools) not in self._given:
            before = self._point(point, pools - 1)
            with self.b.scope(f"pool{pools - 1}"), self.b.scope(f"from{point}"):
                self._given[point, pools] = self._halved(before)
        return self._given[point, pools]

    def _halved(self, x: int) -> int:
        """Half the size: 1x1 convolutions with stride 2 on even and on odd places, side by side, then a batch norm."""
        b = self.b
        even = b.conv(x, self._channels // 2, 1, stride=2)
        odd = b.conv(b.shifted(x), self._channels - self._channels // 2, 1, stride=2)
        return b.batch_norm(b.concat(even, odd))

    def _operation(self, x: int, op: str) -> int:
        """A 1x1 convolution, then the operator; convolutions are followed by batch norm and ReLU."""
        b, kind, kernel = self.b, *_kind(op)
        x = b.relu(b.conv(x, self._channels, 1, norm=True))
        if kind == "avg_pool":
            return b.avg_pool(x, kernel)
        if kind == "max_pool":
            return b.max_pool(x, kernel)
        if kind == "sep_conv":
            x = b.conv(b.conv(x, self._channels, kernel, groups=self._channels), self._channels, 1, norm=True)
        else:
            x = b.conv(x, self._channels, kernel, norm=True)
        return b.relu(x)


def _kind(op: str) -> tuple[str, int]:
    kind, _, size = op.rpartition("_")
    return kind, int(size[0])
