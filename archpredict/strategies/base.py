"""Strategy: a search strategy, which asks for architectures and is told results.

The contract, which ``archpredict.testing`` checks for every strategy:

* ``ask`` changes nothing: asked twice, it answers the same. State changes only in ``tell``.
* All randomness derives from ``seed`` and what has been told, so equal seeds and results give equal runs.
* ``load_state_dict(state_dict())`` on a new strategy of the same problem and seed continues as if nothing happened.
* On a new strategy whose problem has a larger budget it continues with what that budget leaves, finished or not.
* ``know`` before the first ``ask`` gives it results that nobody asked for; they are part of the problem's budget.
* ``begin`` says what is being evaluated. It counts as asked for until its result is told: nothing isomorphic to it is
  asked for, and it is part of the budget. Results are told in any order, some perhaps never; what is asked for
  meanwhile is a function of the results that were told, in their order, and of what has begun.
* Nothing outside the space, above a limit, or over the budget is asked for; nothing above a limit is recommended.
* An ``ask`` that takes long may call ``save_now``, where that is set, whenever ``state_dict`` holds how far it is; a
  strategy that loads such a state goes on from there, to the same answer.

A worked example of one run with a budget of 100::

    strategy = RandomSearch(problem, seed=0)
    while architectures := strategy.ask(problem.budget - strategy.num_told):
        strategy.tell([label(a) for a in architectures])   # all of them, in the order asked
    best = strategy.recommend(1)[0]

The same with workers that are never to wait for each other::

    while True:
        while workers.free and (architectures := strategy.ask(1)):
            strategy.begin(architectures)
            workers.start(architectures)
        if not strategy.pending:
            break
        strategy.tell([workers.next_result()])             # of any that was begun
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from archpredict._typing import BoolArray, FloatArray, IntArray, freeze
from archpredict.errors import BudgetError, UsageError, integer
from archpredict.evaluators.base import SCORE, Result
from archpredict.evaluators.objectives.objective import Objective, as_objectives
from archpredict.metrics.fronts import contributions, on_front
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
_WAITING = 2**31
"""Marks, in a seed, that the number of pending results follows."""


@dataclass(frozen=True)
class Recommendation:
    """A recommended architecture, and what it is expected to score.

    Args:
        architecture: The architecture.
        score: Its label where ``evaluated``; otherwise what the strategy's predictor expects, on the label's scale
            where the strategy can tell, else None.
        evaluated: Whether the score is a label.
        values: Objectives and limited numbers by name, in their own units, where a search has such.
    """

    architecture: Architecture
    score: float | None
    evaluated: bool
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Problem:
    """A search problem: the space, what can be labelled, limits on costs, and the budget of evaluations.

    Args:
        space: The search space; a name, a reference or a class are loaded.
        budget: Number of evaluations in all, at least 1.
        limits: Largest allowed value per cost that ``space.cost`` computes, e.g. ``{"params": 4e6}``; or of another
            number of an evaluation, which only that can tell. Of an objective that is maximised it is the smallest.
        pool: ``(R, L)`` choices that alone can be labelled (a table that holds part of the space); None: all can.
        within_pool: Recommend only what is in the pool.
        objectives: What is to be good, as objects or texts such as ``latency:min``; none: the score of the evaluator.
        measured: Names that may be limited though the space does not compute them; the objectives may in any case.
            None: whatever is named.

    Raises:
        BudgetError: The budget is no integer of at least 1.
        UsageError: No such space; a limit of a cost that the space does not compute, or that is no number; an objective
            without direction, or two of one name.

    Example:
        >>> Problem("nasbench201", budget=10).space.num_choices
        (5, 5, 5, 5, 5, 5)
        >>> two = Problem("nasbench201", 10, {"latency": 5.0}, objectives=["accuracy", "latency:min"])
        >>> two.names, two.is_known("latency")
        (('accuracy', 'latency'), False)
    """

    space: SearchSpace
    budget: int
    limits: Mapping[str, float] = field(default_factory=dict)
    pool: IntArray | None = None
    within_pool: bool = False
    objectives: Sequence[Objective] = ()
    measured: Sequence[str] | None = ()

    if TYPE_CHECKING:

        def __init__(
            self,
            space: str | type[SearchSpace] | SearchSpace,
            budget: int,
            limits: Mapping[str, float] = ...,
            pool: IntArray | None = ...,
            within_pool: bool = ...,
            objectives: Sequence[str | Objective] = ...,
            measured: Sequence[str] | None = ...,
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
        object.__setattr__(self, "objectives", as_objectives(self.objectives))
        self._check_limits()
        if self.limits_after and not self.objectives:  # the score, which is told among the other numbers then
            object.__setattr__(self, "objectives", (Objective(SCORE),))

    # ------------------------------------------------------------------ objectives and limits

    @cached_property
    def costs(self) -> frozenset[str]:
        """Names of the costs that the space computes."""
        return frozenset(self.space.cost(self.space.sample(1, np.random.default_rng(0))[0].tolist()))

    def is_known(self, name: str) -> bool:
        """Whether a number is known without an evaluation."""
        return name in self.costs

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the numbers that every evaluation must give: the objectives, and what is limited beside them."""
        return tuple(dict.fromkeys([*(o.name for o in self.objectives), *self.limits_after]))

    @cached_property
    def limits_after(self) -> dict[str, float]:
        """The limits that only an evaluation can check."""
        return {name: limit for name, limit in self.limits.items() if not self.is_known(name)}

    @property
    def is_plain(self) -> bool:
        """Whether one number is to be good and all limits are known without an evaluation."""
        return len(self.objectives) < 2 and not self.limits_after

    def sign(self, name: str) -> int:
        """What a number is multiplied with so that more is better; what is only limited is to be small."""
        return next((o.sign for o in self.objectives if o.name == name), -1)

    def keeps_limits(self, values: Mapping[str, float]) -> bool:
        """Whether the numbers of an evaluation keep the limits that only it can check."""
        return all(self.sign(n) * values[n] >= self.sign(n) * limit for n, limit in self.limits_after.items())

    def oriented(self, values: Sequence[Mapping[str, float]]) -> FloatArray:
        """Objectives of evaluations such that more is better.

        Args:
            values: Numbers by name of ``n`` evaluations.

        Returns:
            ``(n, m)``, one column for each objective.
        """
        rows = [[o.sign * v[o.name] for o in self.objectives] for v in values]
        return np.array(rows, dtype=np.float64).reshape(len(values), len(self.objectives))

    def reference(self, values: FloatArray) -> FloatArray:
        """The reference point of hypervolumes: of each objective what was given, else the worst value that is known.

        Args:
            values: ``(n, m)`` as from :meth:`oriented`, ``n`` at least 1.

        Returns:
            ``(m,)``, more is better.
        """
        worst = values.min(axis=0)
        given = [worst[i] if o.reference is None else o.sign * o.reference for i, o in enumerate(self.objectives)]
        return np.array(given, dtype=np.float64)

    def _check_limits(self) -> None:
        if not isinstance(self.limits, Mapping):
            raise UsageError(f"limits maps costs to numbers, e.g. {{'params': 4e6}}; {self.limits!r} was given")
        limits: Mapping[str, Any] = self.limits
        costs = self.costs if limits else ()
        others = None if self.measured is None else {*self.measured, *(o.name for o in self.objectives)}
        for name, value in limits.items():
            if name not in costs and others is not None and name not in others:
                computed = f"it computes: {', '.join(sorted(costs))}" if costs else "it computes no costs"
                raise UsageError(f"the space {self.space.name} has no cost {name!r} to limit; {computed}")
            if isinstance(value, bool) or not isinstance(value, Real) or math.isnan(value):
                raise UsageError(f"the limit of {name!r} is a number, {value!r} was given")

    def is_allowed(self, choices: IntArray) -> BoolArray:
        """Mask ``(B,)`` of the rows of ``(B, L)`` that keep all limits that are known without an evaluation."""
        known = {name: limit for name, limit in self.limits.items() if self.is_known(name)}
        if not known:
            return np.ones(len(choices), dtype=bool)
        costs, signs = self.space.costs(choices), {name: self.sign(name) for name in known}
        allowed: BoolArray = np.all([signs[n] * costs[n] >= signs[n] * limit for n, limit in known.items()], axis=0)
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
    needs: ClassVar[str] = "labels"
    """What it searches by: ``labels`` of an evaluator, or the weights of a ``supernet`` that it trains itself."""
    several_objectives: ClassVar[bool] = False
    """Whether it deals with several objectives, and with limits that only an evaluation can check."""

    def __init__(self, problem: Problem, *, seed: int = 0, observer: Observer = silent) -> None:
        if problem.budget < self.min_budget:
            raise BudgetError(
                f"the strategy {self.name} needs a budget of at least {self.min_budget} evaluations, "
                f"{problem.budget} was given"
            )
        if not problem.is_plain and not self.several_objectives:
            raise UsageError(
                f"the strategy {self.name} has one objective and limits that the space computes "
                f"({', '.join(sorted(problem.costs)) or 'none here'}); take one that weighs several, such as "
                "predictor-guided, nsga2, ctnas or random"
            )
        check_integer("seed", seed, 0)
        self.problem = problem
        self.seed = seed
        self.observer = observer
        self.results: list[Result] = []
        self.save_now: Callable[[], object] | None = None
        """Saves the state in the middle of a long ``ask``, where there is a record of the run; set by who runs it."""
        self._pending: dict[Choices, Architecture] = {}

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
    def pending(self) -> list[Architecture]:
        """What was begun and has no result yet, in the order begun."""
        return list(self._pending.values())

    @property
    def num_asked(self) -> int:
        """How many are told or pending."""
        return len(self.results) + len(self._pending)

    @property
    def left(self) -> int:
        """What the budget leaves to ask for."""
        return self.problem.budget - self.num_asked

    @property
    def seen(self) -> list[str]:
        """Keys of everything told, failures included, and of everything pending."""
        return [*(r.architecture.key for r in self.results), *(a.key for a in self._pending.values())]

    @abstractmethod
    def ask(self, n: int) -> list[Architecture]:
        """Up to ``n`` architectures to evaluate next, none isomorphic to one told or pending.

        Empty when done, or when nothing can be said before a pending result is told.
        """

    def begin(self, architectures: Sequence[Architecture]) -> None:
        """Take note that what was asked for is being evaluated, so that more can be asked for meanwhile.

        Where everything that is asked for is told before the next ``ask``, it need not be called. What was pending
        where a state was saved is begun before that state is loaded.
        """
        self._pending.update((a.choices, a) for a in architectures)

    def tell(self, results: Sequence[Result]) -> None:
        """Take results of what was asked for: of all in the order asked, or of what was begun, as they come."""
        for result in results:
            self._pending.pop(result.architecture.choices, None)
        self.results.extend(results)

    def know(self, results: Sequence[Result]) -> None:
        """Take results that nobody asked for, before the first ask; they are part of the problem's budget."""
        self.tell(results)

    def recommend(self, k: int) -> list[Recommendation]:
        """The best ``k`` architectures to use, best first: those evaluated, where a strategy predicts nothing."""
        return self.best_evaluated(k)

    def best_evaluated(self, k: int) -> list[Recommendation]:
        """The best ``k`` architectures that have a label and keep the limits, best first; fewer where there are fewer.

        Of several objectives these are members of the front, those that add most to its hypervolume, in the order of
        the first objective.
        """
        if len(self.problem.objectives) > 1:
            return thinned(self.problem, self.front(), k)
        scored = [_recommended(r) for r in self.feasible()]
        return sorted(scored, key=lambda r: -np.inf if r.score is None else -r.score)[: max(k, 0)]

    def feasible(self) -> list[Result]:
        """Results that have a score and keep the limits, in the order told."""
        return [r for r in self.results if r.score is not None and self.problem.keeps_limits(r.values)]

    def front(self) -> list[Recommendation]:
        """What was evaluated, keeps the limits and is beaten in all objectives by nothing: best in the first one first.

        One architecture for each point of the front. Without objectives it is empty.
        """
        if not self.problem.objectives:
            return []
        found = self.feasible()
        values = self.problem.oriented([r.values for r in found])
        first: dict[tuple[float, ...], Result] = {}
        for i in np.flatnonzero(on_front(values)).tolist():
            first.setdefault(tuple(values[i].tolist()), found[i])
        return [_recommended(first[point]) for point in sorted(first, reverse=True)]

    def rng(self, *stream: int) -> np.random.Generator:
        """A generator that depends on the seed, on how much has been told and is pending, and on ``stream``."""
        waiting = [_WAITING, len(self._pending)] if self._pending else []
        return np.random.default_rng([self.seed, self.num_told, *stream, *waiting])

    def state_dict(self) -> State:
        """The state: everything that :meth:`tell` has learnt beyond the results themselves."""
        return {}

    def load_state_dict(self, state: State, results: Sequence[Result]) -> None:
        """Restore :meth:`state_dict` as it was after ``results`` had been told, maybe under a smaller budget."""
        self.results = list(results)


def thinned(problem: Problem, front: Sequence[Recommendation], k: int) -> list[Recommendation]:
    """The ``k`` members of a front without which most of its hypervolume were lost, in their order; ends always count.

    Args:
        problem: With the objectives.
        front: As :meth:`Strategy.front` gives it.
        k: How many at most.
    """
    kept = list(front)
    while len(kept) > max(k, 0):
        values = problem.oriented([r.values for r in kept])
        lost = contributions(values, values.min(axis=0) - 1e-9 * (1 + np.abs(values).max(axis=0)))
        lost[(values == values.max(axis=0)).any(axis=1) & (len(kept) > len(problem.objectives))] = np.inf
        del kept[int(np.argmin(lost))]
    return kept


def _recommended(result: Result) -> Recommendation:
    return Recommendation(result.architecture, result.score, evaluated=True, values=result.values)
