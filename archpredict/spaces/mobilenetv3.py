"""MobileNetV3 of Once-for-All: five stages with elastic depth, kernels and expansions, and the resolution."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from itertools import product
from typing import Any

import numpy as np

from archpredict._typing import BoolArray, FloatArray, IntArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder, width_of
from archpredict.graph.packed import PackedGraphs
from archpredict.spaces._mobilenetv3_network import (
    DEPTHS,
    EXPANSIONS,
    KERNELS,
    MAX_DEPTH,
    RESOLUTIONS,
    STAGES,
    STEM,
    STRIDES,
    MobileNetV3Writer,
    Subnet,
    halved_from,
    scaled,
)
from archpredict.spaces._mobilenetv3_notation import ATTRIBUTES, subnet_of, write
from archpredict.spaces.base import Choices, Ordered, SearchSpace
from archpredict.spaces.costs.mobilenetv3 import COSTS, layer_costs, skeleton_costs

__all__ = ["DEPTHS", "EXPANSIONS", "KERNELS", "MAX_DEPTH", "RESOLUTIONS", "STAGES", "MobileNetV3", "Subnet"]

_PER_STAGE = 1 + 2 * MAX_DEPTH
_STAGE_CHOICES = (len(DEPTHS), *(len(KERNELS), len(EXPANSIONS)) * MAX_DEPTH)
_SLOTS = np.arange(MAX_DEPTH)
_DEPTHS = np.array(DEPTHS)

_LINE = re.compile(
    rf"r[0-9]{{1,4}}(?: \|(?: k[0-9]e[0-9]){{{min(DEPTHS)},{MAX_DEPTH}}}){{{len(STAGES)}}}",
)
_NO_LAYERS = ("",) * MAX_DEPTH


class MobileNetV3(SearchSpace):
    """The MobileNetV3 space of Once-for-All: 46 choices, 8 · (3⁴ + 3⁶ + 3⁸)⁵ or about 1.7e20 architectures.

    Cai, Gan, Wang, Zhang and Han, "Once-for-all: train one network and specialize it for efficient deployment", ICLR
    2020, arXiv 1908.09791, section 3.2; CTNAS (Chen, Guo et al. 2021, arXiv 2103.05471) searches it for ImageNet.
    First comes the resolution (112 to 224 in steps of 16, those that the published accuracy predictor knows); then for
    each of five stages its depth (2 to 4 layers), and for each of four slots the kernel (3, 5, 7) and the expansion (3,
    4, 6) of a layer. Of a slot beyond the depth only option 0 is legal, so no two vectors name one architecture.

    Networks have the width multiplier 1.2 of the published ``ofa_mbv3_d234_e346_k357_w1.2``.

    Example:
        >>> space = MobileNetV3()
        >>> text = "r160 | k3e3 k5e6 | k3e4 k3e3 k7e6 | k3e3 k3e3 | k5e6 k3e3 | k3e6 k3e6 k3e6 k3e6"
        >>> choices = space.parse(text)
        >>> choices[:10]
        (3, 0, 0, 0, 1, 2, 0, 0, 0, 0)
        >>> space.format(choices) == text
        True
        >>> space.decode(choices).ops[:3]
        ('input_160', 'mb3_e3', 'mb5_e6')
    """

    name = "mobilenetv3"
    predictor = "choices"
    num_choices = (len(RESOLUTIONS), *_STAGE_CHOICES * len(STAGES))
    notation = (
        "r224 | k3e6 k5e4 | k7e3 ... of a resolution (112 to 224 in steps of 16) and five stages of 2 to 4 layers, "
        'kernel 3, 5 or 7, expansion 3, 4 or 6; or {"ks": [20 kernels], "e": [20 expansions], "d": [5 depths], '
        '"r": [224]}'
    )
    attributes = ATTRIBUTES

    @property
    def operators(self) -> tuple[str, ...]:
        """All that :meth:`decode` writes; a label depends on two choices, so samples need not show them all."""
        inputs = (f"input_{resolution}" for resolution in RESOLUTIONS)
        layers = (_label(kernel, expansion) for kernel, expansion in product(KERNELS, EXPANSIONS))
        return tuple(sorted((*inputs, *layers, "output")))

    @property
    def ordered(self) -> Ordered:
        """Resolution, depths, kernels and expansions are all numbers."""
        resolution, *stage = (tuple(map(float, of)) for of in (RESOLUTIONS, DEPTHS, *(KERNELS, EXPANSIONS) * MAX_DEPTH))
        return (resolution, *stage * len(STAGES))

    def mask(self, prefix: IntArray) -> BoolArray:
        """Slots beyond the depth of their stage have one option."""
        t = prefix.shape[1]
        legal = np.ones((len(prefix), self.num_choices[t]), dtype=bool)
        stage, place = divmod(t - 1, _PER_STAGE)
        if t and place:  # neither the resolution nor a depth
            unused = _DEPTHS[prefix[:, 1 + stage * _PER_STAGE]] <= (place - 1) // 2
            legal[unused, 1:] = False
        return legal

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        """A chain of layers, each stage a cell; the resolution is the label of the input."""
        subnet = self.subnet(choices)
        ops, cells = [f"input_{subnet.resolution}"], [0]
        for s, stage in enumerate(subnet.stages):
            ops += [_label(kernel, expansion) for kernel, expansion in stage]
            cells += [s] * len(stage)
        n = len(ops)
        return ArchGraph((*ops, "output"), tuple((i, i + 1) for i in range(n)), cells=(*cells, len(STAGES) - 1))

    def pack(self, choices: IntArray) -> PackedGraphs:
        """As :meth:`decode`: one chain each."""
        number = {label: i + 1 for i, label in enumerate(self.operators)}
        rows = self.rows(choices)
        stages = rows[:, 1:].reshape(len(rows), len(STAGES), _PER_STAGE)
        layers = np.array([[number[_label(kernel, expansion)] for expansion in EXPANSIONS] for kernel in KERNELS])
        inputs = np.array([number[f"input_{resolution}"] for resolution in RESOLUTIONS])[rows[:, 0]]
        slots = (len(rows), len(STAGES) * MAX_DEPTH)
        op = np.column_stack(
            [inputs, layers[stages[..., 1::2], stages[..., 2::2]].reshape(slots), np.full(len(rows), number["output"])]
        )
        is_layer = (_DEPTHS[stages[..., :1]] > _SLOTS).reshape(slots)
        there = np.pad(is_layer, ((0, 0), (1, 1)), constant_values=True)
        cell = np.broadcast_to([0, *np.repeat(np.arange(len(STAGES)), MAX_DEPTH), len(STAGES) - 1], op.shape)
        sizes = there.sum(axis=1)
        source = np.arange(int((sizes - 1).sum())) - np.repeat(np.cumsum(sizes - 1) - (sizes - 1), sizes - 1)
        edges = (source, source + 1, np.zeros_like(source))
        return PackedGraphs.from_lists(self.operators, (op[there], cell[there]), sizes, edges, sizes - 1, len(STAGES))

    def subnet(self, choices: Sequence[int]) -> Subnet:
        """Resolution, and kernel and expansion of each layer that there is."""
        stages = []
        for start in range(1, len(choices), _PER_STAGE):
            depth = DEPTHS[choices[start]]
            slots = choices[start + 1 : start + 1 + 2 * depth]
            stages.append(tuple((KERNELS[k], EXPANSIONS[e]) for k, e in zip(slots[::2], slots[1::2], strict=True)))
        return Subnet(RESOLUTIONS[choices[0]], tuple(stages))

    def read(self, value: Any) -> Choices:
        """Choices from :meth:`format`'s line, or from a configuration with the keys that Once-for-All's own code has.

        There ``d`` has 5 numbers or is one; ``ks`` and ``e`` have 20 numbers each, of which those of unused slots do
        not matter, or those of used slots alone, or are one number; ``r``, or ``image_size``, may be a number or a list
        of one.

        Raises:
            ValueError: It is in neither notation, or a number is outside the space.
        """
        subnet = subnet_of(value)
        choices = [_option("the resolution", subnet.resolution, RESOLUTIONS)]
        for s, stage in enumerate(subnet.stages):
            choices.append(_option(f"the depth of stage {s}", len(stage), DEPTHS))
            for i, (kernel, expansion) in enumerate(stage):
                where = f"layer {i} of stage {s}"
                choices.append(_option(f"the kernel of {where}", kernel, KERNELS))
                choices.append(_option(f"the expansion of {where}", expansion, EXPANSIONS))
            choices += [0] * 2 * (MAX_DEPTH - len(stage))
        return tuple(choices)

    @property
    def fragment_choices(self) -> tuple[tuple[int, ...], ...]:
        found: list[tuple[int, ...]] = [(0,)]
        for depth in range(1, len(self.num_choices), _PER_STAGE):
            found += [(depth,), *((at, at + 1) for at in range(depth + 1, depth + _PER_STAGE, 2))]
        return tuple(found)

    def fragments(self, text: str) -> Sequence[Hashable] | None:
        """The resolution, then of each stage the number of its layers and, slot by slot, these."""
        if _LINE.fullmatch(text) is None:
            return None
        resolution, *stages = text.split(" | ")
        found: list[Hashable] = [resolution]
        for stage in stages:
            layers = stage.split(" ")
            found += [len(layers), *layers, *_NO_LAYERS[len(layers) :]]
        return found

    def format(self, choices: Sequence[int]) -> str:
        """One line; stages are set apart by bars, and a layer is its kernel and expansion."""
        return write(self.subnet(choices))

    def cost(self, choices: Sequence[int]) -> dict[str, float]:
        """Costs of the ImageNet network: 1,000 classes, images of the architecture's own resolution.

        Returns:
            ``params``, with two per channel for a batch norm; ``macs``: multiply-adds of all convolutions, those of
            squeeze-and-excitation among them, and of the classifier.

        Example:
            >>> space = MobileNetV3()
            >>> space.cost(space.parse("r224" + 5 * " | k7e6 k7e6 k7e6 k7e6"))
            {'params': 10701632.0, 'macs': 843101040.0}
        """
        return {name: float(values[0]) for name, values in self.costs(np.array([choices])).items()}

    def costs(self, choices: IntArray) -> dict[str, FloatArray]:
        """Costs of ``(B, 46)`` choices at once: one look-up per slot."""
        rows = self.rows(choices)
        resolution = rows[:, 0]
        stages = rows[:, 1:].reshape(-1, len(STAGES), _PER_STAGE)
        used = _DEPTHS[stages[..., :1]] > _SLOTS  # (B, 5, 4)
        slots = np.arange(len(STAGES) * MAX_DEPTH).reshape(1, len(STAGES), MAX_DEPTH)
        layers = layer_costs()[resolution[:, None, None], slots, stages[..., 1::2], stages[..., 2::2]]
        totals = skeleton_costs()[resolution] + (layers * used[..., None]).sum(axis=(1, 2))
        return dict(zip(COSTS, totals.T.astype(np.float64), strict=True))

    def network(
        self,
        choices: Sequence[int],
        *,
        num_classes: int = 10,
        image_size: int | None = None,
        image_channels: int = 3,
        channels: int | None = None,
    ) -> ArchGraph:
        """The network: stem, first layer, five stages, and a head of three layers.

        Args:
            choices: A legal vector.
            num_classes: As for every space; :meth:`cost` is for 1,000.
            image_size: None for images of the architecture's own resolution. If given, every architecture takes images
                of this size, scales them to ``resolution / 224`` of it, in whole pixels, and below 128 pixels halves
                them less often: stem and first stages have stride 1 so that of the five halvings four are left at 64
                pixels, three at 32, two at 16, and one at 8.
            image_channels: As for every space.
            channels: Of the stem, 24 as published. Other widths are in proportion, rounded to multiples of the
                largest common divisor of this number and 8, as published to multiples of 8.

        Example:
            >>> from archpredict.graph.operators import total
            >>> space = MobileNetV3()
            >>> choices = space.parse("r160" + 5 * " | k3e6 k5e3")
            >>> total(space.network(choices, num_classes=1000), "macs") == space.cost(choices)["macs"]
            True
        """
        subnet = self.subnet(choices)
        size = subnet.resolution if image_size is None else image_size
        strides = STRIDES if image_size is None else halved_from(image_size)
        b = Builder((image_channels, size, size))
        x = b.input()
        if image_size is not None:
            x = b.resize(x, scaled(image_size, subnet.resolution))
        writer = MobileNetV3Writer(b, width_of(channels, STEM))
        return writer.network(x, subnet, strides, num_classes).graph()


def _option(what: str, value: int, options: tuple[int, ...]) -> int:
    if value not in options:
        raise ValueError(f"{what} is {value}, not one of {', '.join(map(str, options))}")
    return options.index(value)


def _label(kernel: int, expansion: int) -> str:
    return f"mb{kernel}_e{expansion}"
