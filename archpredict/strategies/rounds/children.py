"""Rounds in which mutants of the best labelled architectures are the candidates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.predict.transfer.shipped import Transfer
from archpredict.registry.arguments import check_integer
from archpredict.spaces.base import Architecture, Choices
from archpredict.strategies._children import nearest_first
from archpredict.strategies.rounds.base import MIN_LABELS, Found, RoundStrategy
from archpredict.strategies.rounds.settings import RoundSettings

_PASSES = 50
"""How often each parent is mutated at most while there are too few children."""


@dataclass(frozen=True)
class ChildrenSettings(RoundSettings):
    """Settings of strategies that choose among children of the best.

    Args:
        predictor: Fitted anew in each round: the name of a predictor, or an unfitted one, of which copies are fitted;
            None: the one that the space names.
        transfer: Start with what labels of other search spaces expect most of, and learn from these labels too.
        initial: Random architectures that are labelled first, at most half of the budget.
        batch: Architectures to evaluate in each round.
        parents: The best labelled architectures that have children.
        children: How many candidates there are in a round.
    """

    transfer: Transfer = False
    initial: int = 10
    batch: int = 10
    parents: int = 10
    children: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("initial", "batch", "parents", "children"):
            check_integer(name, getattr(self, name), 1)


class ChildrenStrategy(RoundStrategy[ChildrenSettings]):
    """Random labels first; then rounds: fit a predictor, mutate the best, label the children that it likes best.

    Where only a pool can be labelled, the children are its members that differ from their parents in the fewest
    choices. A subclass says by what children are chosen.
    """

    def _round_starts(self, budget: int, known: int) -> list[int]:
        first = max(MIN_LABELS, min(self.settings.initial, budget // 2), known)
        return list(range(first, max(budget, first + 1), self.settings.batch))

    @abstractmethod
    def _merit(
        self, predictor: Any, architectures: Sequence[Architecture], mean: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """``(n,)`` what to choose ``n`` children by, higher is better.

        Args:
            predictor: Fitted to all labels.
            architectures: The children.
            mean: ``(n,)`` their predicted scores.
            rng: Source of randomness.
        """

    def _search(self, architectures: list[Architecture], labels: FloatArray, size: int) -> Found:
        rng = self.rng(1)
        predictor = self.new_predictor(int(rng.integers(2**31)))
        predictor.fit(architectures, labels, observer=self.observer)
        best_first = np.argsort(-labels, kind="stable")[: self.settings.parents]
        children = self._children([architectures[i].choices for i in best_first], rng)
        if not children:
            return Found()
        mean: FloatArray = predictor.predict(children)
        order = np.argsort(-self._merit(predictor, children, mean, rng), kind="stable")[:size]
        return Found([children[i].choices for i in order], {children[i].choices: float(mean[i]) for i in order})

    def _children(self, parents: Sequence[Choices], rng: np.random.Generator) -> list[Architecture]:
        """New architectures that can be labelled and keep the limits, no two isomorphic, parent by parent."""
        pool = self.problem.pool
        rows = self._mutants(parents, rng) if pool is None else self._near(pool, parents, rng)
        return list(islice(self._new(rows), self.settings.children))

    def _new(self, rows: Iterator[IntArray]) -> Iterator[Architecture]:
        known, tried = set(self.seen), {r.architecture.choices for r in self.results}
        for row in rows:
            architecture = Architecture(self.problem.space, tuple(row.tolist()))
            if architecture.choices in tried:  # a look at the choices is cheap, a key is not
                continue
            tried.add(architecture.choices)
            if architecture.key not in known and self.problem.is_allowed(row[None])[0]:
                known.add(architecture.key)
                yield architecture

    def _mutants(self, parents: Sequence[Choices], rng: np.random.Generator) -> Iterator[IntArray]:
        for _ in range(_PASSES):
            yield from self.problem.space.mutate(np.array(parents, dtype=np.int64), rng)

    def _near(self, pool: IntArray, parents: Sequence[Choices], rng: np.random.Generator) -> Iterator[IntArray]:
        """Of each parent in turn its next nearest member of the pool."""
        near = [nearest_first(pool, np.array(parent), rng) for parent in parents]
        for together in zip(*near, strict=True):
            yield from together
