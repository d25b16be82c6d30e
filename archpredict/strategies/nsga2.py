"""NSGA-II: evolution towards the whole front of several objectives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.evaluators.base import Result
from archpredict.metrics.fronts import crowding_distance, front_ranks
from archpredict.progress import Observer, silent
from archpredict.registry.arguments import check_integer
from archpredict.spaces.base import Architecture
from archpredict.strategies._children import BLOCK, BLOCKS, check_population, nearest_first, new_children
from archpredict.strategies.base import Problem, Strategy

__all__ = ["NSGA2", "best_first"]

_CROSSED = 0.9


class NSGA2(Strategy):
    """Evolve a population towards the front: what fewer beat comes first, then what stands more alone.

    Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE
    Transactions on Evolutionary Computation 6 (2), 2002, sections III and VI. The first ``P`` architectures are random.
    Then each generation has parents that win tournaments of two: by the rank of non-dominated sorting
    (:func:`archpredict.metrics.fronts.front_ranks`), then by the crowding distance. With probability 0.9 a child takes
    each choice from one of two parents, else all from the first; then each of its ``L`` choices changes with
    probability ``1 / L``. What keeps the limits that only an evaluation can check is better than all that does not, of
    which the one that is less beyond them is better. The ``P`` best are the parents of the next generation.

    Departures: the ``P`` best are those of everything evaluated, not of the last two generations alone, since where
    evaluations are dear nothing is forgotten. Nothing isomorphic to what was evaluated is evaluated again, but another
    child is drawn, and a random architecture where none is new. A failed evaluation joins no population. Where only a
    pool can be labelled, a child is the new member of the pool that differs from it in the fewest choices. With one
    objective it is a genetic algorithm with the best label first.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Not told anything.
        population: ``P``, at least 2 and below the budget; a twentieth of the budget, but 10 or more, if left out.
        batch: Children of one generation, which can be evaluated at the same time; ``P`` if left out. Where results are
            told as they come, each child has parents of all that is known then.

    Raises:
        UsageError: A number that is out of its range.

    Example:
        >>> from archpredict.evaluators.objectives.measured import measured
        >>> from archpredict.testing.toys import ToyEvaluator, ToySpace
        >>> problem = Problem(ToySpace(), budget=60, objectives=["score", "latency:min"])
        >>> strategy = NSGA2(problem, seed=0)
        >>> while architectures := strategy.ask(60):
        ...     results = ToyEvaluator().evaluate(architectures)
        ...     strategy.tell([measured(r, problem.objectives, problem.names, ("score",)) for r in results])
        >>> strategy.num_told, len(strategy.front()) > 3
        (60, True)
    """

    name = "nsga2"
    default_budget = 200
    several_objectives = True

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        observer: Observer = silent,
        population: int | None = None,
        batch: int | None = None,
    ) -> None:
        super().__init__(problem, seed=seed, observer=observer)
        self.population = check_population(population, problem.budget, 20)
        self.batch = self.population if batch is None else batch
        check_integer("batch", self.batch, 1)

    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.left)
        rng, members = self.rng(), self.members()
        missing = self.population - len(members) - len(self.pending)
        if missing > 0 or not members:
            return self.problem.sample(min(n, max(missing, 1)), rng, self.seen)
        parents = np.array([member.architecture.choices for member in members])
        return new_children(self.problem, min(n, self.batch), lambda: self._candidates(parents, rng), self.seen, rng)

    def members(self) -> list[Result]:
        """The population, best first: the ``P`` best of all results that have a label."""
        scored = [r for r in self.results if r.score is not None]
        return [scored[i] for i in best_first(self.problem, scored)[: self.population]]

    def _candidates(self, parents: IntArray, rng: np.random.Generator) -> Iterator[IntArray]:
        """Rows for one child, to be tried in this order."""
        if self.problem.pool is not None:
            yield from nearest_first(self.problem.pool, self._children(parents, 1, rng)[0], rng)
            return
        for _ in range(BLOCKS):
            yield from self._children(parents, BLOCK, rng)

    def _children(self, parents: IntArray, n: int, rng: np.random.Generator) -> IntArray:
        """``(n, L)`` children of ``(P, L)`` parents, best first: crossed, mutated."""
        space = self.problem.space
        one, other = (parents[rng.integers(len(parents), size=(n, 2)).min(axis=1)] for _ in range(2))
        children = np.where(rng.random((n, 1)) < _CROSSED, space.crossover(one, other, rng), one)
        times = rng.binomial(children.shape[1], 1 / children.shape[1], size=n)
        for i in range(times.max()):
            children[times > i] = space.mutate(children[times > i], rng)
        return children


def best_first(problem: Problem, results: Sequence[Result]) -> IntArray:
    """The order of results by constraint domination, rank and crowding distance, of equal ones the older first.

    Args:
        problem: With objectives and limits.
        results: ``n`` that have a score.

    Returns:
        ``(n,)`` places.
    """
    beyond = _beyond(problem, results)
    kept = beyond == 0
    values = np.array([r.score for r in results], dtype=np.float64)[:, None]
    if len(problem.objectives) > 1:
        values = problem.oriented([r.values for r in results])
    rank, alone = np.zeros(len(results), dtype=np.int64), np.zeros(len(results))
    rank[kept] = front_ranks(values[kept])
    if values.shape[1] > 1:  # the members of a front are alike in one number
        by_rank = np.flatnonzero(kept)[np.argsort(rank[kept], kind="stable")]
        for front in np.split(by_rank, np.flatnonzero(np.diff(rank[by_rank])) + 1):
            alone[front] = crowding_distance(values[front])
    return np.lexsort([-alone, rank, beyond])


def _beyond(problem: Problem, results: Sequence[Result]) -> FloatArray:
    """``(n,)``: how far results are beyond the limits that only an evaluation can check; 0 where they keep them.

    What several limits add is made comparable by the largest violation of each.
    """
    total = np.zeros(len(results))
    for name, limit in problem.limits_after.items():
        over = np.array([max(0.0, problem.sign(name) * (limit - r.values[name])) for r in results])
        total += over / max(over.max(initial=0.0), np.finfo(np.float64).tiny)
    return total
