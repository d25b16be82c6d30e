"""A space small enough to enumerate and a deterministic labeller, for tests of strategies and evaluators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from archpredict._typing import BoolArray, IntArray
from archpredict.evaluators.base import Evaluator, Result
from archpredict.graph.arch_graph import ArchGraph
from archpredict.spaces.base import Architecture, SearchSpace

__all__ = ["ToyEvaluator", "ToySpace"]

_BRANCH_OPS = ("none", "conv", "pool")
_CHAIN_OPS = ("skip", "conv", "pool")
_PARAMS = {"none": 0.0, "skip": 0.0, "pool": 1.0, "conv": 9.0}
_LATENCY = (0.5, 3.0, 2.5)
"""Of nothing, a convolution, pooling."""


class ToySpace(SearchSpace):
    """A small search space: three parallel branches, not all of them ``none``, then a chain of three operations.

    702 legal vectors, of which only 243 differ in structure (branches have no order): what a test needs to
    see that masks, isomorphism and costs are respected.

    Example:
        >>> space = ToySpace()
        >>> len(space.enumerate())
        702
        >>> space.from_text("[1, 0, 2, 0, 0, 0]").key == space.from_text("[2, 1, 0, 0, 0, 0]").key
        True
    """

    name = "toy"
    num_choices = (3, 3, 3, 3, 3, 3)

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
