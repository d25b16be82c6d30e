"""What the scripts share that compare searches in a table: one search, its curve, and paired tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from _protocols import Protocol

from archpredict.evaluators.base import Evaluator, Result
from archpredict.registry import resolve
from archpredict.spaces.base import Architecture, SearchSpace
from archpredict.strategies.base import Problem, Strategy

__all__ = ["Estimated", "Labels", "paired", "searched", "strategy_of"]

Numbers = npt.NDArray[np.float64]


@dataclass(eq=False)
class Labels:
    """The labels of a protocol by architecture; an architecture that is no row has those of its isomorphic twin.

    Args:
        protocol: The table.
    """

    protocol: Protocol

    def __post_init__(self) -> None:
        self._rows = {tuple(row): i for i, row in enumerate(self.protocol.choices.tolist())}
        self._keys: dict[str, int] = {}

    def row(self, architecture: Architecture) -> int:
        row = self._rows.get(architecture.choices)
        if row is not None:
            return row
        if not self._keys:
            everything = self.protocol.space.architectures(self.protocol.choices)
            self._keys = {a.key: i for i, a in enumerate(everything)}
        return self._keys[architecture.key]

    def results(self, architectures: Sequence[Architecture]) -> list[Result]:
        """What the search is told: the labels that it pays for."""
        return [Result(a, float(self.protocol.train_labels[self.row(a)])) for a in architectures]

    def test(self, architecture: Architecture) -> float:
        """What is reported of what it finds."""
        return float(self.protocol.test_labels[self.row(architecture)])


@dataclass(eq=False)
class Estimated:
    """Labels of a space of which every architecture has one: what is paid for is what is reported.

    Args:
        space: The space.
        evaluator: Gives the labels.
    """

    space: SearchSpace
    evaluator: Evaluator

    def results(self, architectures: Sequence[Architecture]) -> list[Result]:
        """What the search is told."""
        return list(self.evaluator.evaluate(architectures))

    def test(self, architecture: Architecture) -> float:
        """What is reported of what it finds."""
        (result,) = self.results([architecture])
        return float(result.score or 0.0)


def strategy_of(name: str, problem: Problem, seed: int, options: Mapping[str, Any]) -> Strategy:
    """The strategy that a run's name begins with: ``ctnas, preset paper`` is one of ``ctnas``."""
    found: Strategy = resolve("strategies", name.split(",")[0], Strategy)(problem, seed=seed, **options)
    return found


def searched(strategy: Strategy, labels: Labels | Estimated) -> Strategy:
    """The strategy after its whole budget."""
    while batch := strategy.ask(strategy.problem.budget - strategy.num_told):
        strategy.tell(labels.results(batch))
    return strategy


def paired(ours: Numbers, theirs: Numbers) -> str:
    """Mean difference and p-value of a two-sided Wilcoxon test of pairs."""
    from scipy.stats import wilcoxon

    difference = ours - theirs
    if not difference.any():
        return f"the same on all {len(difference)} seeds"
    p = wilcoxon(difference, zero_method="zsplit").pvalue
    return f"{difference.mean():+.3f}, p = {p:.2g}, {len(difference)} seeds"
