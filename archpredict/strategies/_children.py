"""Children of what was evaluated that are new and can be evaluated: what strategies with a population share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from archpredict._typing import IntArray
from archpredict.errors import UsageError
from archpredict.registry.arguments import check_integer
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem

BLOCK = 32
"""Children drawn at once, of which the first that is new is taken."""
BLOCKS = 4

_SMALLEST_POPULATION = 10


def check_population(population: int | None, budget: int, part: int) -> int:
    """The size of a population: as given, else a part of the budget.

    Args:
        population: As given.
        budget: Evaluations in all.
        part: It is the budget over this, but 10 or more, and no more than leaves half of the budget to evolution.

    Raises:
        UsageError: It is no integer from 2 to below the budget.
    """
    if population is None:
        return max(2, min(max(_SMALLEST_POPULATION, budget // part), budget // 2))
    check_integer("population", population, 2)
    if population >= budget:
        raise UsageError(f"population is below the budget, {budget}; {population} was given")
    return population


def new_children(
    problem: Problem, n: int, draw: Callable[[], Iterable[IntArray]], seen: Iterable[str], rng: np.random.Generator
) -> list[Architecture]:
    """Up to ``n`` children that keep the limits, none isomorphic to another one or to what is seen.

    Args:
        problem: What is searched.
        n: How many; fewer come back only where no more can be found.
        draw: Gives candidates for one child, ``(L,)`` legal choices each, of which the first that is new is taken;
            where none is, a random architecture is.
        seen: Keys of what is left out.
        rng: Source of randomness.
    """
    known, children = set(seen), list[Architecture]()
    for _ in range(n):
        child = next(_new_ones(problem, draw(), known), None)
        found = [child] if child is not None else problem.sample(1, rng, sorted(known))
        if not found:  # nothing is left
            break
        children += found
        known.add(found[0].key)
    return children


def _new_ones(problem: Problem, rows: Iterable[IntArray], seen: set[str]) -> Iterator[Architecture]:
    for row in rows:
        (architecture,) = problem.space.architectures(row[None])
        if architecture.key not in seen and problem.is_allowed(row[None])[0]:
            yield architecture


def nearest_first(pool: IntArray, choices: IntArray, rng: np.random.Generator) -> Iterator[IntArray]:
    """The rows of a pool, those that differ in the fewest choices first, ties in random order.

    Args:
        pool: ``(R, L)``.
        choices: ``(L,)``.
        rng: Source of randomness.
    """
    distance = (pool != choices).sum(axis=1) + rng.random(len(pool))
    for size in (BLOCK, BLOCK**2, len(pool)):  # sorting all of a large pool is seldom needed
        near = np.argpartition(distance, size - 1)[:size] if size < len(pool) else np.arange(len(pool))
        yield from pool[near[np.argsort(distance[near])]]
