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
from archpredict.strategies._children import BLOCK, BLOCKS, check_population, nearest_first, new_children
from archpredict.strategies.base import Problem, Strategy

__all__ = ["RegularizedEvolution"]


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
        batch: Children of one generation, where results are told batch by batch: how many can be evaluated at the same
            time once the population is full. Where they are told as they come, there are no generations.

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
        self.population = check_population(population, problem.budget, 5)
        self.tournament = max(1, self.population // 2) if tournament is None else tournament
        check_integer("tournament", self.tournament, 1)
        if self.tournament > self.population:
            raise UsageError(f"tournament is at most the population, {self.population}; {tournament} was given")
        check_integer("batch", batch, 1)
        self.batch = batch

    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.left)
        rng, members = self.rng(), self.members()
        missing = self.population - len(members) - len(self.pending)
        if missing > 0 or not members:
            return self.problem.sample(min(n, max(missing, 1)), rng, self.seen)
        return new_children(self.problem, min(n, self.batch), lambda: self._mutants(members, rng), self.seen, rng)

    def members(self) -> list[Result]:
        """The population, oldest first: the last ``P`` results that have a label."""
        return [r for r in self.results if r.score is not None][-self.population :]

    def _mutants(self, members: Sequence[Result], rng: np.random.Generator) -> Iterator[IntArray]:
        """Mutants of tournament winners; where there is a pool its members, what is nearest to one winner first."""
        pool = self.problem.pool
        if pool is not None:
            parent = winner(members, self.tournament, rng).architecture.choices
            yield from nearest_first(pool, np.array(parent), rng)
            return
        for _ in range(BLOCKS):
            winners = [winner(members, self.tournament, rng).architecture.choices for _ in range(BLOCK)]
            yield from self.problem.space.mutate(np.array(winners), rng)


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
