"""The inner search of predictor-guided search: candidates from the space, scored by a predictor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import UsageError
from archpredict.spaces.base import Architecture, Choices
from archpredict.strategies.base import Problem

Inner = Literal["auto", "all", "evolution", "random"]

SMALL_SPACE = 100_000
"""Vectors of choices up to which all architectures can be scored."""
_POOL_CANDIDATES = 20_000
"""How many of a larger pool are looked at each round."""
_TRIES = 4
"""Generations in a row without anything new after which an inner evolution ends."""


@dataclass(eq=False)
class Scored:
    """Candidates and what is expected of them.

    Args:
        architectures: ``n`` architectures that keep the limits, no two isomorphic.
        merit: ``(n,)`` what to evaluate them by, higher is better.
        mean: ``(n,)`` expected scores on the labels' scale.
    """

    architectures: list[Architecture] = field(default_factory=list)
    merit: FloatArray = field(default_factory=lambda: np.zeros(0))
    mean: FloatArray = field(default_factory=lambda: np.zeros(0))

    def add(self, architectures: Sequence[Architecture], merit: FloatArray, mean: FloatArray) -> None:
        self.architectures.extend(architectures)
        self.merit = np.concatenate([self.merit, merit])
        self.mean = np.concatenate([self.mean, mean])

    def rows(self, index: IntArray) -> IntArray:
        """Choices ``(len(index), L)`` of some of them."""
        return np.array([self.architectures[i].choices for i in index], dtype=np.int64)


Score = Callable[[Sequence[Architecture]], tuple[FloatArray, FloatArray]]
"""Merit and mean of architectures, ``(n,)`` each."""


Order = Callable[[Scored], IntArray]
"""Places of all that was scored, the best first."""


def _by_merit(scored: Scored) -> IntArray:
    return np.argsort(-scored.merit, kind="stable")


class InnerSearch:
    """Finds candidates that a predictor thinks well of.

    Args:
        problem: What is searched.
        kind: ``all`` architectures of a small space; ``evolution`` or ``random`` candidates; ``auto``: ``all`` where
            the space has at most 100,000 vectors of choices, else ``evolution``.
        candidates: How many to score in a round, except by ``all``.
        population: Members of a generation of the evolution.

    Raises:
        UsageError: The space is too large for ``all``.
    """

    def __init__(self, problem: Problem, kind: Inner, candidates: int, population: int) -> None:
        small = problem.space.num_vectors <= SMALL_SPACE
        if kind == "all" and not small:
            raise UsageError(
                f"inner='all' scores a whole space of at most {SMALL_SPACE:,} vectors of choices, and the space "
                f"{problem.space.name} has {problem.space.num_vectors:,}; use inner='evolution'"
            )
        self.kind = ("all" if small else "evolution") if kind == "auto" else kind
        self.problem, self.candidates, self.population = problem, candidates, population
        self._best_first: Order = _by_merit
        self._known: dict[Choices, Architecture] = {}  # so that graphs are decoded once in a run

    def run(self, score: Score, parents: IntArray, rng: np.random.Generator, best_first: Order | None = None) -> Scored:
        """Candidates of one round.

        Args:
            score: The predictor.
            parents: ``(P, L)`` where an evolution starts from, best first.
            rng: Source of all randomness.
            best_first: What an evolution breeds from: places of what was scored so far, the best first; by merit if
                left out.
        """
        self._best_first = best_first or _by_merit
        scored, tried = Scored(), set[Choices | str]()
        if self.problem.pool is not None:
            self._add(self._from_pool(self.problem.pool, rng), score, scored, tried)
            if self.problem.within_pool and len(self.problem.pool) <= SMALL_SPACE:
                return scored
        if self.kind == "all":
            self._add(self.problem.space.enumerate(), score, scored, tried)
        elif self.kind == "random":
            self._add(self.problem.space.sample(self.candidates, rng), score, scored, tried)
        else:
            self._evolve(score, parents, rng, scored, tried)
        return scored

    def _from_pool(self, pool: IntArray, rng: np.random.Generator) -> IntArray:
        if len(pool) <= SMALL_SPACE:
            return pool
        drawn: IntArray = pool[rng.choice(len(pool), size=_POOL_CANDIDATES, replace=False)]
        return drawn

    def _evolve(
        self, score: Score, parents: IntArray, rng: np.random.Generator, scored: Scored, tried: set[Choices | str]
    ) -> None:
        """Generations of children of the best so far, half of them crossed, all mutated."""
        space, size = self.problem.space, min(self.population, self.candidates)
        first = parents[: size // 2]
        left, idle = self.candidates, 0
        left -= self._add(np.concatenate([first, space.sample(size - len(first), rng)]), score, scored, tried)
        while left > 0 and idle < _TRIES and scored.architectures:
            elite = self._best_first(scored)[:size]
            # Of a sorted elite the smaller index is the better one: a tournament of two.
            a, b = (elite[rng.integers(len(elite), size=(size, 2)).min(axis=1)] for _ in range(2))
            crossed = space.crossover(scored.rows(a[: size // 2]), scored.rows(b[: size // 2]), rng)
            children = space.mutate(np.concatenate([crossed, scored.rows(a[size // 2 :])]), rng)
            new = self._add(rng.permutation(children)[:left], score, scored, tried)
            left, idle = left - new, 0 if new else idle + 1

    def _add(self, rows: IntArray, score: Score, scored: Scored, tried: set[Choices | str]) -> int:
        """Score what is new and keeps the limits; returns how many those are. ``tried`` holds choices and keys."""
        new = [c for c in dict.fromkeys(map(tuple, rows.tolist())) if c not in tried]
        tried.update(new)
        if self.problem.limits and new:
            allowed = self.problem.is_allowed(np.array(new, dtype=np.int64))
            new = [c for c, keeps in zip(new, allowed, strict=True) if keeps]
        distinct = {a.key: a for a in map(self._architecture, reversed(new)) if a.key not in tried}
        tried.update(distinct)
        if distinct:
            architectures = list(reversed(distinct.values()))
            scored.add(architectures, *score(architectures))
        return len(distinct)

    def _architecture(self, choices: Choices) -> Architecture:
        if choices not in self._known:
            self._known[choices] = Architecture(self.problem.space, choices)
        return self._known[choices]
