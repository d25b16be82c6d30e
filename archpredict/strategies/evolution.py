"""Regularised evolution: mutate good architectures, forget old ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from archpredict._typing import IntArray
from archpredict.errors import UsageError
from archpredict.evaluators.base import Result
from archpredict.progress import Observer, silent
from archpredict.registry.arguments import check_integer
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem, Strategy

__all__ = ["RegularizedEvolution"]

_SMALLEST_POPULATION = 10
_BLOCK = 32
"""Mutants drawn at once, of which the first that is new is taken."""
_BLOCKS = 4


class RegularizedEvolution(Strategy):
    """Evolve a population: the winner of a tournament is mutated, its child is labelled, the oldest member leaves.

    Real, Aggarwal, Huang and Le, "Regularized evolution for image classifier architecture search", AAAI 2019,
    arXiv 1802.01548, Algorithm 1. The first ``P`` architectures are random. Then each step draws ``S`` members with
    replacement, mutates the one with the best label (:meth:`archpredict.SearchSpace.mutate`: one choice changes) and
    puts the child in the place of the oldest member, good or bad. The best of all that was labelled is recommended.

    Departures: nothing isomorphic to what was labelled is labelled again, but another mutant is drawn, and a random
    architecture where no mutant is new; a failed evaluation joins no population. Where only a pool can be labelled,
    a mutant is the new member of the pool that differs from its parent in the fewest choices.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Not told anything.
        population: ``P``, at least 2 and below the budget; a fifth of the budget, but 10 or more, if left out.
        tournament: ``S``, from 1 to ``population``; half of the population if left out.
        batch: Children of one generation: how many can be evaluated at the same time once the population is full.

    Raises:
        UsageError: A number that is out of its range.

    Example:
        >>> from archpredict.testing.toys import ToyEvaluator, ToySpace
        >>> strategy = RegularizedEvolution(Problem(ToySpace(), budget=60), seed=0)
        >>> while architectures := strategy.ask(60):
        ...     strategy.tell(list(ToyEvaluator().evaluate(architectures)))
        >>> strategy.num_told, strategy.recommend(1)[0].evaluated
        (60, True)
    """

    name = "evolution"
    default_budget = 200

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        observer: Observer = silent,
        population: int | None = None,
        tournament: int | None = None,
        batch: int = 1,
    ) -> None:
        super().__init__(problem, seed=seed, observer=observer)
        if population is not None:
            check_integer("population", population, 2)
            if population >= problem.budget:
                raise UsageError(f"population is below the budget, {problem.budget}; {population} was given")
        self.population = _default_population(problem.budget) if population is None else population
        self.tournament = max(1, self.population // 2) if tournament is None else tournament
        check_integer("tournament", self.tournament, 1)
        if self.tournament > self.population:
            raise UsageError(f"tournament is at most the population, {self.population}; {tournament} was given")
        check_integer("batch", batch, 1)
        self.batch = batch

    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.problem.budget - self.num_told)
        rng, members = self.rng(), self.members()
        missing = self.population - len(members)
        if missing > 0:
            return self.problem.sample(min(n, missing), rng, self.seen)
        seen, children = set(self.seen), list[Architecture]()
        for _ in range(min(n, self.batch)):
            child = next(self._new_mutants(members, seen, rng), None)
            found = [child] if child is not None else self.problem.sample(1, rng, sorted(seen))
            children += found
            seen.update(a.key for a in found)
        return children

    def members(self) -> list[Result]:
        """The population, oldest first: the last ``P`` results that have a label."""
        return [r for r in self.results if r.score is not None][-self.population :]

    def _new_mutants(
        self, members: Sequence[Result], seen: set[str], rng: np.random.Generator
    ) -> Iterator[Architecture]:
        """Mutants of tournament winners that can be labelled, keep the limits and are not seen yet."""
        rows = self._mutants_in_pool(members, rng) if self.problem.pool is not None else self._mutants(members, rng)
        for row in rows:
            (architecture,) = self.problem.space.architectures(row[None])
            if architecture.key not in seen and self.problem.is_allowed(row[None])[0]:
                yield architecture

    def _mutants(self, members: Sequence[Result], rng: np.random.Generator) -> Iterator[IntArray]:
        for _ in range(_BLOCKS):
            winners = [winner(members, self.tournament, rng).architecture.choices for _ in range(_BLOCK)]
            yield from self.problem.space.mutate(np.array(winners), rng)

    def _mutants_in_pool(self, members: Sequence[Result], rng: np.random.Generator) -> Iterator[IntArray]:
        """The pool, what differs from one winner in the fewest choices first, ties in random order."""
        pool = self.problem.pool
        assert pool is not None
        parent = np.array(winner(members, self.tournament, rng).architecture.choices)
        distance = (pool != parent).sum(axis=1) + rng.random(len(pool))
        for size in (_BLOCK, _BLOCK**2, len(pool)):  # sorting all of a large pool is seldom needed
            near = np.argpartition(distance, size - 1)[:size] if size < len(pool) else np.arange(len(pool))
            yield from pool[near[np.argsort(distance[near])]]


def winner(members: Sequence[Result], tournament: int, rng: np.random.Generator) -> Result:
    """The best labelled of ``tournament`` members that are drawn with replacement.

    Args:
        members: The population; all have a score.
        tournament: ``S``.
        rng: Source of randomness.
    """
    drawn = [members[i] for i in rng.integers(len(members), size=tournament)]
    best: Result = max(drawn, key=lambda r: -np.inf if r.score is None else r.score)
    return best


def _default_population(budget: int) -> int:
    """A fifth of the budget or 10, but no more than leaves half of the budget to evolution."""
    return max(2, min(max(_SMALLEST_POPULATION, budget // 5), budget // 2))
