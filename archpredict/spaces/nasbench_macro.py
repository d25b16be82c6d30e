"""NAS-Bench-Macro: a chain of eight blocks in three stages, each block the identity or one of two bottlenecks."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder, width_of
from archpredict.graph.operators import total
from archpredict.spaces._plain import wholes
from archpredict.spaces.base import Choices, SearchSpace

__all__ = ["BLOCKS", "NASBenchMacro"]

BLOCKS = ("identity", "mb3_e3", "mb5_e6")
"""The published order, by kernel and expansion; choices are indices into it."""
STAGES = (2, 3, 3)
"""Blocks of each stage. The first of a stage halves the image and doubles the channels."""

_PUBLISHED_NAMES = (("id", "ir_3x3_t3", "ir_5x5_t6"), ("identity", "mb3_k3", "mb6_k5"), BLOCKS)
"""What the benchmark's code, its description and :data:`BLOCKS` call the blocks; ``mb3`` there is an expansion."""
_RESHAPED = "conv_1x1"
"""What stands in the place of an identity that would have to change the shape."""
_FRONT = re.compile(r".*[=:]")
"""``arch =``, and what else stands before the architecture."""
_DIGITS = re.compile(r"[0-9]+")
_SEPARATORS = re.compile(r"[\s,;|]+")
_STEM = 32
_HEAD = 40
"""Channels before the classifier per channel of the stem: 1,280 of 32."""


class NASBenchMacro(SearchSpace):
    """The chains of NAS-Bench-Macro: 8 choices of 3, so 3⁸ = 6,561 vectors, all legal, of 3,969 architectures.

    Su, Huang, Li, You, Wang, Qian, Zhang and Xu, "Prioritized architecture sampling with Monto-Carlo tree search", CVPR
    2021, arXiv 2103.11922, section 5. Three stages of two, three and three blocks, each the identity or an inverted
    bottleneck: kernel 3 and expansion 3, or kernel 5 and expansion 6. The first block of a stage has stride 2; an
    identity in its place is a 1x1 convolution. Elsewhere an identity is nothing, so chains that differ only in the
    places of identities within a stage are one architecture: their graphs are isomorphic and their networks equal, and
    the benchmark gives them one training.

    Example:
        >>> space = NASBenchMacro()
        >>> space.parse("02012100")
        (0, 2, 0, 1, 2, 1, 0, 0)
        >>> space.architecture(space.parse("02012100")).key == space.architecture(space.parse("02021100")).key
        False
        >>> space.decode(space.parse("02012100")).ops
        ('input', 'conv_1x1', 'mb5_e6', 'conv_1x1', 'mb3_e3', 'mb5_e6', 'mb3_e3', 'output')
    """

    name = "nasbench-macro"
    num_choices = (len(BLOCKS),) * sum(STAGES)
    notation = "eight digits 0 (identity), 1 (kernel 3, expansion 3) or 2 (kernel 5, expansion 6), e.g. 02012100"

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        """A chain of the blocks that there are, each stage a cell."""
        ops, cells = ["input"], [0]
        for s, (first, *others) in enumerate(_stages(choices)):
            ops += [BLOCKS[first] if first else _RESHAPED, *(BLOCKS[block] for block in others)]
            cells += [s] * (1 + len(others))
        n = len(ops)
        return ArchGraph((*ops, "output"), tuple((i, i + 1) for i in range(n)), cells=(*cells, len(STAGES) - 1))

    def read(self, value: Any) -> Choices:
        """Choices from eight digits, as a text or a number, or from eight names of blocks.

        Names are those of the benchmark's code (``id``, ``ir_3x3_t3``, ``ir_5x5_t6``) or of its description
        (``Identity``, ``MB3_K3``, ``MB6_K5``). A number has lost the zeros at its front; a text must have them.

        Raises:
            ValueError: It is neither.
        """
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if type(value) is int and value >= 0:
            value = f"{value:0{self.num_decisions}d}"
        if isinstance(value, str):
            words = _SEPARATORS.split(_FRONT.sub("", value).strip("[]() "))
            value = [*words[0]] if len(words) == 1 and _DIGITS.fullmatch(words[0]) else words
        if not isinstance(value, list) or not value:
            raise ValueError("it does not parse")
        blocks = [_number(block) for block in value]
        if len(blocks) != self.num_decisions:
            raise ValueError(
                f"it has {len(blocks)} blocks instead of {self.num_decisions} (zeros at the front must not be left out)"
            )
        return self.validate(blocks)

    def format(self, choices: Sequence[int]) -> str:
        """Eight digits."""
        return "".join(map(str, self._whole(choices)))

    def cost(self, choices: Sequence[int]) -> dict[str, float]:
        """Costs of the CIFAR-10 network, as the benchmark has them.

        Returns:
            ``params``, with two per channel for a batch norm; ``macs``: multiply-adds of the convolutions and the
            classifier, which the benchmark calls FLOPs.

        Example:
            >>> NASBenchMacro().cost((0,) * 8)
            {'params': 387882.0, 'macs': 7713280.0}
        """
        return {name: float(values[0]) for name, values in self.costs(np.array([choices])).items()}

    def costs(self, choices: IntArray) -> dict[str, FloatArray]:
        """Costs of ``(B, 8)`` choices at once: one look-up per block."""
        skeleton, blocks = _costs()
        totals = skeleton + blocks[np.arange(self.num_decisions), self.rows(choices)].sum(axis=1)
        return dict(zip(("params", "macs"), totals.T, strict=True))

    def network(
        self,
        choices: Sequence[int],
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
    ) -> ArchGraph:
        """The network of the benchmark: a 3x3 stem, the blocks, a 1x1 convolution, global pooling and a classifier.

        Args:
            choices: Eight blocks.
            num_classes: As for every space.
            image_size: As for every space.
            image_channels: As for every space.
            channels: Of the stem, 32 in the benchmark; all other widths are in proportion.

        Example:
            >>> from archpredict.graph.operators import total
            >>> space = NASBenchMacro()
            >>> total(space.network((2,) * 8), "macs") == space.cost((2,) * 8)["macs"]
            True
        """
        b = Builder((image_channels, image_size, image_size))
        stem = width = width_of(channels, _STEM)
        x = b.relu(b.conv(b.input(), stem, 3, norm=True))
        for s, stage in enumerate(_stages(choices)):
            width *= 2
            for i, block in enumerate(stage):
                with b.scope(f"stage{s}"), b.scope(f"block{i}"), b.scope(BLOCKS[block]):
                    x = _bottleneck(b, x, block, width, 1 if i else 2)
        x = b.relu(b.conv(x, _HEAD * stem, 1, norm=True))
        return b.output(b.linear(b.global_avg_pool(x), num_classes)).graph()


def _stages(choices: Sequence[int]) -> list[list[int]]:
    """The blocks of each stage without identities that do nothing."""
    blocks = iter(choices)
    stages = [[next(blocks) for _ in range(length)] for length in STAGES]
    return [[first, *filter(None, others)] for first, *others in stages]


def _bottleneck(b: Builder, x: int, block: int, width: int, stride: int) -> int:
    """An inverted bottleneck with a ReLU behind its first two convolutions; of an identity the 1x1 convolution."""
    if not block:
        return b.conv(x, width, 1, stride=stride, norm=True)
    kernel, expansion = ((3, 3), (5, 6))[block - 1]
    wide = expansion * b.channels(x)
    with b.scope("expand"):
        y = b.relu(b.conv(x, wide, 1, norm=True))
    y = b.relu(b.conv(y, wide, kernel, stride=stride, groups=wide, norm=True))
    with b.scope("project"):
        y = b.conv(y, width, 1, norm=True)
    return b.add(y, x) if stride == 1 else y


def _number(written: Any) -> int:
    """The number of a block that is written as a name or a digit; anything else is left to be refused."""
    numbers = wholes([written])
    if numbers is not None:
        return numbers[0]
    for names in _PUBLISHED_NAMES:
        if isinstance(written, str) and written.lower() in names:
            return names.index(written.lower())
    raise ValueError(f"{reprlib.repr(written)} is none of the blocks {', '.join(_PUBLISHED_NAMES[0])}")


@cache
def _costs() -> tuple[FloatArray, FloatArray]:
    """``(2,)`` params and macs of the network of identities, and ``(8, 3, 2)`` what each block adds to them.

    Costs add up: what a block gives has the same shape whatever it is.
    """
    space, identities = NASBenchMacro(), (0,) * sum(STAGES)
    skeleton = _counted(space.network(identities))
    blocks = np.zeros((len(identities), len(BLOCKS), len(skeleton)))
    for place in range(len(identities)):
        for block in range(1, len(BLOCKS)):
            changed = (*identities[:place], block, *identities[place + 1 :])
            blocks[place, block] = _counted(space.network(changed)) - skeleton
    return skeleton, blocks


def _counted(graph: ArchGraph) -> FloatArray:
    """Params and macs; every convolution has a batch norm, whose scale is folded into its weights."""
    scales = graph.attrs["weight"][np.array(graph.ops) == "conv", 0].sum()
    return np.array([total(graph, "params") + scales, total(graph, "macs")])
