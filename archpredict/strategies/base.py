"""Strategy: a search strategy, which asks for architectures and is told results.

The contract, which ``archpredict.testing`` checks for every strategy:

* ``ask`` changes nothing: asked twice, it answers the same. State changes only in ``tell``.
* All randomness derives from ``seed`` and what has been told, so equal seeds and results give equal runs.
* ``load_state_dict(state_dict())`` on a new strategy of the same problem and seed continues as if nothing happened.
* Nothing outside the space, above a limit, or over the budget is asked for; nothing above a limit is recommended.

A worked example of one run with a budget of 100::

    strategy = RandomSearch(problem, seed=0)
    while architectures := strategy.ask(problem.budget - strategy.num_told):
        strategy.tell([label(a) for a in architectures])   # all of them, in the order asked
    best = strategy.recommend(1)[0]
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from archpredict._typing import BoolArray, IntArray, freeze
from archpredict.errors import BudgetError, UsageError, integer
from archpredict.evaluators.base import Result
from archpredict.progress import Observer, silent
from archpredict.registry.arguments import check_integer
from archpredict.registry.options import Option, options_of
from archpredict.spaces.base import Architecture, Choices, SearchSpace, load_space

__all__ = ["Problem", "Recommendation", "State", "Strategy"]

State = dict[str, Any]
"""State of a strategy: JSON-serialisable values and NumPy arrays, nested in dicts only."""

_SUPPLIED = ("problem", "seed", "observer")
"""Arguments of the constructor that are no options."""
_SAMPLING_ROUNDS = 200
_BLOCK = 4096
_SMALL_SPACE = 100_000
"""Vectors of choices up to which a space is looked through where random draws no longer find anything new."""
_FEW_ROUNDS = 8


@dataclass(frozen=True)
class Recommendation:
    """A recommended architecture, and what it is expected to score.

    Args:
        architecture: The architecture.
        score: Its label where ``evaluated``; otherwise what the strategy's predictor expects, on the label's scale
            where the strategy can tell, else None.
        evaluated: Whether the score is a label.
    """

    architecture: Architecture
    score: float | None
    evaluated: bool


@dataclass(frozen=True, eq=False)
class Problem:
    """A search problem: the space, what can be labelled, limits on costs, and the budget of evaluations.

    Args:
        space: The search space; a name, a reference or a class are loaded.
        budget: Number of evaluations in all, at least 1.
        limits: Largest allowed value per cost that ``space.cost`` computes, e.g. ``{"params": 4e6}``.
        pool: ``(R, L)`` choices that alone can be labelled (a table that holds part of the space); None: all can.
        within_pool: Recommend only what is in the pool.

    Raises:
        BudgetError: The budget is no integer of at least 1.
        UsageError: No such space; a limit of a cost that the space does not compute, or that is no number.

    Example:
        >>> Problem("nasbench201", budget=10).space.num_choices
        (5, 5, 5, 5, 5, 5)
    """

    space: SearchSpace
    budget: int
    limits: Mapping[str, float] = field(default_factory=dict)
    pool: IntArray | None = None
    within_pool: bool = False

    if TYPE_CHECKING:

        def __init__(
            self,
            space: str | type[SearchSpace] | SearchSpace,
            budget: int,
            limits: Mapping[str, float] = ...,
            pool: IntArray | None = ...,
            within_pool: bool = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "space", load_space(self.space))
        budget = integer(self.budget)
        if budget is None or budget < 1:
            raise BudgetError(f"the budget is a number of evaluations of at least 1, {self.budget!r} was given")
        object.__setattr__(self, "budget", budget)
        if self.pool is not None:
            object.__setattr__(self, "pool", self.space.rows(self.pool))
            freeze(self, "pool")
        self._check_limits()

    def _check_limits(self) -> None:
        if not isinstance(self.limits, Mapping):
            raise UsageError(f"limits maps costs to numbers, e.g. {{'params': 4e6}}; {self.limits!r} was given")
        costs = self.space.cost(self.space.sample(1, np.random.default_rng(0))[0].tolist()) if self.limits else {}
        limits: Mapping[str, Any] = self.limits
        for name, value in limits.items():
            if name not in costs:
                computed = f"it computes: {', '.join(sorted(costs))}" if costs else "it computes no costs"
                raise UsageError(f"the space {self.space.name} has no cost {name!r} to limit; {computed}")
            if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
                raise UsageError(f"the limit of {name!r} is a number, {value!r} was given")

    def is_allowed(self, choices: IntArray) -> BoolArray:
        """Mask ``(B,)`` of the rows of ``(B, L)`` that keep all limits."""
        if not self.limits:
            return np.ones(len(choices), dtype=bool)
        costs = self.space.costs(choices)
        allowed: BoolArray = np.all([costs[name] <= limit for name, limit in self.limits.items()], axis=0)
        return allowed

    def can_label(self, choices: IntArray) -> BoolArray:
        """Mask ``(B,)`` of the rows of ``(B, L)`` that the evaluator can label (isomorphic ones count)."""
        return np.array([self.is_labelable(a) for a in self.space.architectures(choices)], dtype=bool)

    def is_labelable(self, architecture: Architecture) -> bool:
        """Whether the evaluator can label it (or one that is isomorphic to it)."""
        return self.pool is None or architecture.key in self._pool_keys

    def sample(self, n: int, rng: np.random.Generator, seen: Sequence[str] = ()) -> list[Architecture]:
        """Up to ``n`` random architectures that can be labelled and keep the limits, no two isomorphic.

        Args:
            n: How many; fewer come back only where no more can be found, none for less than 1.
            rng: Source of randomness.
            seen: Keys of architectures to leave out.
        """
        known, found, tried = set(seen), list[Architecture](), set[Choices]()
        if n < 1:
            return found
        for rows in self._candidates(min(max(2 * n, 16), _BLOCK), rng):
            for architecture in self.space.architectures(rows[self.is_allowed(rows)]):
                if architecture.choices in tried:  # a look at the choices is cheap, a key is not
                    continue
                tried.add(architecture.choices)
                if architecture.key not in known:
                    known.add(architecture.key)
                    found.append(architecture)
                    if len(found) == n:
                        return found
        return found

    def _candidates(self, size: int, rng: np.random.Generator) -> Iterator[IntArray]:
        """Blocks of random rows to choose from: of the pool, or of the space, a small one to its last row."""
        if self.pool is not None:
            yield from _blocks(self.pool, size, rng)
            return
        small = self.space.num_vectors <= _SMALL_SPACE
        for _ in range(_FEW_ROUNDS if small else _SAMPLING_ROUNDS):
            yield self.space.sample(size, rng)
        if small:
            yield from _blocks(self.space.enumerate(), size, rng)

    @property
    def _pool_keys(self) -> frozenset[str]:
        cached = self.__dict__.get("_keys")
        if cached is None:
            assert self.pool is not None
            cached = frozenset(a.key for a in self.space.architectures(self.pool))
            object.__setattr__(self, "_keys", cached)
        return cached


def _blocks(rows: IntArray, size: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """All rows in random order, ``size`` at a time."""
    order = rng.permutation(len(rows))
    for start in range(0, len(rows), size):
        yield rows[order[start : start + size]]


class Strategy(ABC):
    """A search strategy: asks for architectures to evaluate, is told the results, recommends the best.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Called with progress; must not change anything.
    """

    name: ClassVar[str]
    min_budget: ClassVar[int] = 1
    default_budget: ClassVar[int] = 100

    def __init__(self, problem: Problem, *, seed: int = 0, observer: Observer = silent) -> None:
        if problem.budget < self.min_budget:
            raise BudgetError(
                f"the strategy {self.name} needs a budget of at least {self.min_budget} evaluations, "
                f"{problem.budget} was given"
            )
        check_integer("seed", seed, 0)
        self.problem = problem
        self.seed = seed
        self.observer = observer
        self.results: list[Result] = []

    @classmethod
    def options(cls) -> dict[str, Option]:
        """Options by name: what the constructor can be given beyond problem, seed and observer."""
        return options_of(cls, leave_out=_SUPPLIED)

    @property
    def other_labels(self) -> dict[str, list[str]]:
        """Names of other spaces whose labels it learns from, ``sources``, and of those that are ``left_out``."""
        return {"sources": [], "left_out": []}

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of the files that it reads, by the options that name them: another content is another run."""
        return {}

    @property
    def num_told(self) -> int:
        return len(self.results)

    @property
    def seen(self) -> list[str]:
        """Keys of everything told, failures included."""
        return [r.architecture.key for r in self.results]

    @abstractmethod
    def ask(self, n: int) -> list[Architecture]:
        """Up to ``n`` architectures to evaluate next, none isomorphic to one already told; empty when done."""

    def tell(self, results: Sequence[Result]) -> None:
        """Take the results of everything last asked for, in that order."""
        self.results.extend(results)

    def recommend(self, k: int) -> list[Recommendation]:
        """The best ``k`` architectures to use, best first: those evaluated, where a strategy predicts nothing."""
        return self.best_evaluated(k)

    def best_evaluated(self, k: int) -> list[Recommendation]:
        """The best ``k`` architectures that have a label, best first; fewer where there are fewer."""
        scored = [(r.score, r.architecture) for r in self.results if r.score is not None]
        scored.sort(key=lambda pair: -pair[0])
        return [Recommendation(architecture, score, evaluated=True) for score, architecture in scored[: max(k, 0)]]

    def rng(self, *stream: int) -> np.random.Generator:
        """A generator that depends on the seed, on how much has been told, and on ``stream``."""
        return np.random.default_rng([self.seed, self.num_told, *stream])

    def state_dict(self) -> State:
        """The state: everything that :meth:`tell` has learnt beyond the results themselves."""
        return {}

    def load_state_dict(self, state: State, results: Sequence[Result]) -> None:
        """Restore :meth:`state_dict` as it was after ``results`` had been told."""
        self.results = list(results)
