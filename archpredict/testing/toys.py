"""A space small enough to enumerate, a deterministic labeller and a few images, for tests of strategies and others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import BoolArray, IntArray
from archpredict.evaluators.base import Evaluator, Result
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder, width_of
from archpredict.graph.mixtures import mixture
from archpredict.images.base import Images, ImageSet, Split
from archpredict.spaces.base import Architecture, SearchSpace

__all__ = ["ToyEvaluator", "ToyImages", "ToySpace", "toy_space_with_networks"]

_BRANCH_OPS = ("none", "conv", "pool")
_CHAIN_OPS = ("skip", "conv", "pool")
_PARAMS = {"none": 0.0, "skip": 0.0, "pool": 1.0, "conv": 9.0}
_LATENCY = (0.5, 3.0, 2.5)
"""Of nothing, a convolution, pooling."""


class ToySpace(SearchSpace):
    """A small search space: three parallel branches, not all of them ``none``, then a chain of three operations.

    702 legal vectors, of which only 243 differ in structure (branches have no order): what a test needs to
    see that masks, isomorphism and costs are respected.

    Args:
        networks: Whether architectures have networks too.

    Example:
        >>> space = ToySpace()
        >>> len(space.enumerate())
        702
        >>> space.from_text("[1, 0, 2, 0, 0, 0]").key == space.from_text("[2, 1, 0, 0, 0, 0]").key
        True
    """

    name = "toy"
    num_choices = (3, 3, 3, 3, 3, 3)

    def __init__(self, networks: bool = False) -> None:
        self.networks = networks

    @property
    def defines_networks(self) -> bool:
        return self.networks

    def mask(self, prefix: IntArray) -> BoolArray:
        legal = super().mask(prefix)
        if prefix.shape[1] == 2:
            legal[(prefix == 0).all(axis=1), 0] = False
        return legal

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        branches = [_BRANCH_OPS[c] for c in choices[:3] if c]
        chain = [_CHAIN_OPS[c] for c in choices[3:]]
        first = len(branches) + 1
        edges = [(0, i) for i in range(1, first)] + [(i, first) for i in range(1, first)]
        edges += [(i, i + 1) for i in range(first, first + len(chain))]
        return ArchGraph(("input", *branches, *chain, "output"), tuple(edges))

    def cost(self, choices: Sequence[int]) -> dict[str, float]:
        return {"params": sum(_PARAMS[label] for label in _labels(choices))}

    def network(
        self,
        choices: Sequence[int],
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
    ) -> ArchGraph:
        """Convolutions of 3x3 and averages of 3x3; a branch is a part of a sum."""
        if not self.networks:
            return super().network(choices)
        b = Builder((image_channels, image_size, image_size))
        x = b.conv(b.input(), width_of(channels, 2), 3, norm=True)
        x = b.add(*(_operation(b, x, i, op) for i, op in enumerate(_labels(choices)[:3]) if op != "none"))
        for i, op in enumerate(_labels(choices)[3:], 3):
            x = _operation(b, x, i, op)
        return b.output(b.linear(b.global_avg_pool(b.relu(x)), num_classes)).graph()

    @property
    def defines_relaxed_network(self) -> bool:
        return self.networks

    def relaxed_network(
        self,
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
    ) -> ArchGraph:
        """The same with all operations at each place."""
        if not self.networks:
            return super().relaxed_network()
        b = Builder((image_channels, image_size, image_size))
        x = b.conv(b.input(), width_of(channels, 2), 3, norm=True)
        x = b.add(*(_mixed(b, x, i, _BRANCH_OPS) for i in range(3)))
        for i in range(3, 6):
            x = _mixed(b, x, i, _CHAIN_OPS)
        return b.output(b.linear(b.global_avg_pool(b.relu(x)), num_classes)).graph()


def toy_space_with_networks() -> ToySpace:
    """The space with networks, named ``archpredict.testing.toys:toy_space_with_networks``."""
    return ToySpace(networks=True)


class ToyImages(ImageSet):
    """32 grey images of 4x4 pixels for training and 16 for validation, bright on one half: the class says which.

    Example:
        >>> ToyImages().load(None).train.images.shape
        (32, 1, 4, 4)
    """

    name = "toy"

    def load(self, path: Path | None) -> Images:
        """The images; there is no path."""
        rng = np.random.default_rng(0)
        train, validation, test = (_halves(count, rng) for count in (32, 16, 16))
        return Images(self.name, train, validation, test, num_classes=2, flips=False)


def _halves(count: int, rng: np.random.Generator) -> Split:
    labels = np.arange(count) % 2
    images = rng.integers(0, 128, size=(count, 1, 4, 4), dtype=np.uint8)
    images[labels == 0, :, :, :2] += 128
    images[labels == 1, :, :, 2:] += 128
    return Split(images, labels)


def _mixed(b: Builder, x: int, place: int, ops: Sequence[str]) -> int:
    return mixture(b, place, [None if op == "none" else _operation(b, x, place, op) for op in ops])


def _operation(b: Builder, x: int, place: int, op: str) -> int:
    with b.scope(place):
        if op == "conv":
            return b.conv(b.relu(x), b.channels(x), 3, norm=True)
        return b.avg_pool(x, 3) if op == "pool" else x


def _labels(choices: Sequence[int]) -> list[str]:
    return [_BRANCH_OPS[c] for c in choices[:3]] + [_CHAIN_OPS[c] for c in choices[3:]]


class ToyEvaluator(Evaluator):
    """An evaluator of :class:`ToySpace`: convolutions help, early ones more; pooling helps in one branch only.

    Beside the score it tells a ``latency``, which operations add up to.

    Args:
        failing: Keys of architectures whose evaluation fails.
        constant: The one score that everything gets, or None for the real labels.
    """

    name = "toy"

    def __init__(self, failing: frozenset[str] = frozenset(), constant: float | None = None) -> None:
        self.failing = failing
        self.constant = constant

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for architecture in architectures:
            if architecture.key in self.failing:
                yield Result(architecture, None, error="this one fails")
            else:
                seconds = sum(_LATENCY[c % len(_LATENCY)] for c in architecture.choices)
                yield Result(architecture, self._score(architecture.choices), metadata={"latency": seconds})

    def describe(self) -> dict[str, Any]:
        return {
            "evaluator": self.name,
            "labels": "made-up scores of a toy space",
            "failing": sorted(self.failing),
            "constant": self.constant,
        }

    @property
    def also_measures(self) -> tuple[str, ...]:
        return ("latency",)

    def _score(self, choices: Sequence[int]) -> float:
        if self.constant is not None:
            return self.constant
        branches, chain = np.array(choices[:3]), np.array(choices[3:])
        convolutions = np.sum(branches == 1)
        pooled = np.any(branches == 2)
        return float(convolutions + 0.5 * pooled + np.dot(chain == 1, [0.8, 0.4, 0.2]) - 0.3 * np.sum(chain == 2))
