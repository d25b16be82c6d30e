"""Plan: the configuration of a search, checked and put together before anything is started."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from archpredict.errors import BudgetError, UsageError, whole_number
from archpredict.evaluators.base import Evaluator, Result, as_evaluator
from archpredict.evaluators.objectives.measured import check_measured
from archpredict.evaluators.objectives.objective import Objective, as_objectives
from archpredict.evaluators.table import TableEvaluator
from archpredict.executors.base import Executor
from archpredict.executors.local import Local
from archpredict.progress import Observer, silent
from archpredict.registry import resolve
from archpredict.registry.arguments import describe
from archpredict.registry.options import check_options, options_of, takes_any
from archpredict.runs._executing import one_by_one, results_by
from archpredict.runs.known import KnownResults, Source, known_results
from archpredict.spaces import check_space
from archpredict.spaces.base import Architecture, SearchSpace, load_space
from archpredict.strategies.base import Problem, Strategy

if TYPE_CHECKING:
    from archpredict.tables.table import Table

_BLOCK = 1000

Labeller = Union[str, Evaluator, "Table", Callable[[Architecture], Any]]
"""What can label architectures: an Evaluator or the name of one, a Table, or a callable that returns a score."""


@dataclass(frozen=True)
class Plan:
    """A search that is checked and ready to run; made by :func:`plan`.

    ``budget`` is what was asked for; ``problem.budget`` is less where a table has fewer architectures. ``files`` are
    those that the strategy reads, by option, with the SHA-256 of their content. After ``hours`` of work nothing more is
    begun.
    """

    evaluator: Evaluator
    problem: Problem
    strategy: type[Strategy]
    seed: int
    budget: int
    hours: float | None = None
    keywords: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    known: KnownResults = field(default_factory=KnownResults)
    executor: Executor = field(default_factory=Local)

    @property
    def num_known(self) -> int:
        """Results that are known from the start; they are part of ``problem.budget`` and cost no evaluation."""
        return len(self.known.results)

    @property
    def side_by_side(self) -> bool:
        """Whether evaluations run side by side; else one after another, and the strategy is told them in batches."""
        return not self.executor.runs_here or self.evaluator.at_a_time > 1

    def results(self, architectures: Any) -> Iterator[list[Result]]:
        """Results of architectures as they come, those together that are there at once, from where evaluations run."""
        if self.executor.runs_here:
            return one_by_one(self.evaluator.evaluate(architectures))
        return results_by(self.executor, self.evaluator, architectures)

    def make_strategy(self, observer: Observer = silent, budget: int | None = None) -> Strategy:
        """A new strategy, of the budget that the run had before it grew, where one is given."""
        total = self.problem.budget if budget is None else budget + self.num_known
        problem = self.problem if total == self.problem.budget else replace(self.problem, budget=total)
        return self.strategy(problem, seed=self.seed, observer=observer, **self.keywords)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings: everything that decides the result, as JSON values; in a resumed run the budget may
        grow, and the hours may change.
        """
        settings = {
            "space": self.problem.space.name,
            "num_choices": list(self.problem.space.num_choices),
            "strategy": self.strategy.name,
            "options": dict(self.keywords),
            "seed": self.seed,
            "budget": self.problem.budget - self.num_known,
            "limits": {name: float(value) for name, value in self.problem.limits.items()},
            "within_table": self.problem.within_pool,
            "evaluator": self.evaluator.describe(),
        }
        if self.hours is not None:
            settings["hours"] = self.hours
        if self.problem.objectives:
            settings["objectives"] = [str(objective) for objective in self.problem.objectives]
        if self.known.sources:
            settings["start_from"] = list(self.known.sources)
        return dict(describe(settings | ({"files": dict(self.files)} if self.files else {})))


def plan(
    space: str | type[SearchSpace] | SearchSpace,
    evaluator: Labeller,
    *,
    strategy: str | type[Strategy] = "ctnas",
    budget: int | None = None,
    hours: float | None = None,
    seed: int = 0,
    limits: Mapping[str, float] | None = None,
    objectives: Sequence[str | Objective] = (),
    start_from: Source | Sequence[Source] = (),
    within_table: bool = False,
    device: str = "auto",
    preset: str | None = None,
    jobs: int = 1,
    executor: str | Executor = "local",
    executor_options: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    evaluator_options: Mapping[str, Any] | None = None,
) -> Plan:
    """Check what :func:`search` is given, without starting anything; arguments and errors as there."""
    seed = whole_number("the seed", seed, 0)
    loaded = load_space(space)
    check_space(loaded)
    found = _strategy(strategy)
    jobs = whole_number("jobs, the number of evaluations at a time,", jobs, 1)
    wanted = as_objectives(objectives)
    limits = {} if limits is None else limits
    names = _measured(loaded, wanted, limits)
    labeller = as_evaluator(
        evaluator, loaded, options=evaluator_options, seed=seed, device=device, jobs=jobs, measured=names
    )
    pool = labeller.pool()
    if within_table and pool is None and not isinstance(labeller, TableEvaluator):
        raise UsageError(
            f"`within_table` needs an evaluator with a table; {labeller.name} can label the whole space: leave it out"
        )
    asked = found.default_budget if budget is None else whole_number("the budget, a number of evaluations,", budget, 1)
    problem = Problem(loaded, asked, limits, pool, within_table, wanted, labeller.also_measures)
    check_measured(problem.names, labeller, problem.costs)
    if pool is not None:
        problem = _within_pool(problem, labeller, found)
    runs_on = load_executor(executor, executor_options)
    ready = Plan(labeller, problem, found, seed, asked, _hours(hours), _keywords(found, device, preset, options or {}))
    first = ready.make_strategy()  # what the strategy has to say against its problem, it says here
    if len(problem.limits_after) < len(problem.limits) and not problem.sample(1, np.random.default_rng(seed)):
        raise _nothing_allowed(problem)
    sources = [start_from] if isinstance(start_from, str | os.PathLike) else list(start_from)
    known = known_results(sources, problem, labeller.label_names)
    together = replace(problem, budget=problem.budget + len(known.results))
    return replace(
        ready, files=first.files, known=known, executor=runs_on, problem=together if known.results else problem
    )


def load_executor(given: str | Executor, options: Mapping[str, Any] | None = None) -> Executor:
    """The executor that was given, as an object or by name with its options.

    Raises:
        UsageError: There is none of this name, or it has other options.

    Example:
        >>> load_executor("local", {"jobs": 2}).jobs
        2
    """
    if isinstance(given, Executor):
        return given
    found = resolve("executors", given, Executor)
    check_options(f"the executor {found.name}", options or {}, options_of(found))
    made: Executor = found(**(options or {}))
    return made


def _hours(given: Any) -> float | None:
    """The budget in time; None where there is none, as in ``math.inf``."""
    if given is None or given == math.inf:
        return None
    if isinstance(given, bool) or not isinstance(given, Real) or not float(given) > 0:
        raise BudgetError(f"hours, the budget in time, is a number above 0; {given!r} was given")
    return float(given)


def _measured(space: SearchSpace, objectives: Sequence[Objective], limits: Mapping[str, float]) -> list[str]:
    """Names of the numbers that the evaluator has to give: what is an objective or limited, and no cost of the space.

    Nothing where the score alone is wanted.
    """
    if not objectives and not limits:
        return []
    costs = space.cost(space.sample(1, np.random.default_rng(0))[0].tolist())
    wanted = dict.fromkeys([*(o.name for o in objectives), *(limits if isinstance(limits, Mapping) else ())])
    names = [name for name in wanted if name not in costs]
    if objectives and not any(o.name not in costs for o in objectives):
        raise UsageError(
            f"the space computes {', '.join(o.name for o in objectives)} without an evaluation, so there is nothing to "
            "search for; add an objective that an evaluation tells, such as accuracy"
        )
    return names if objectives else ["score", *names] if names else []


def _strategy(given: str | type[Strategy]) -> type[Strategy]:
    found: type[Strategy] = resolve("strategies", given, Strategy)
    return found


def _within_pool(problem: Problem, labeller: Evaluator, strategy: type[Strategy]) -> Problem:
    """The problem with no more budget than there are distinct architectures to spend it on."""
    assert problem.pool is not None
    keys: set[str] = set()
    for start in range(0, len(problem.pool), _BLOCK):
        rows = problem.pool[start : start + _BLOCK]
        keys.update(a.key for a in problem.space.architectures(rows[problem.is_allowed(rows)]))
        if len(keys) >= problem.budget:
            return problem
    if not keys:
        raise _nothing_allowed(problem)
    if len(keys) < strategy.min_budget <= problem.budget:
        within = " within the limits" if problem.limits else ""
        raise BudgetError(
            f"the strategy {strategy.name} needs at least {strategy.min_budget} evaluations, but the {labeller.name} "
            f"has only {len(keys)} distinct architectures{within} to evaluate; use the strategy random"
        )
    return replace(problem, budget=len(keys)) if len(keys) >= strategy.min_budget else problem


def _nothing_allowed(problem: Problem) -> UsageError:
    """The error where no architecture keeps the limits, with the least costs of some that do not."""
    rng = np.random.default_rng(0)
    rows = problem.space.sample(_BLOCK, rng) if problem.pool is None else problem.pool[:_BLOCK]
    costs = [problem.space.cost(row) for row in rows.tolist()]
    known = {name: value for name, value in problem.limits.items() if problem.is_known(name)}
    least = ", ".join(f"{name} {min(c[name] for c in costs):g}" for name in known)
    limits = ", ".join(f"{name} {value:g}" for name, value in known.items())
    return UsageError(
        f"no architecture of the space {problem.space.name} was found within the limits ({limits}); the least among "
        f"{len(rows):,} of them: {least}; raise the limits"
    )


def _keywords(strategy: type[Strategy], device: str, preset: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the strategy's constructor: the options, and device and preset where it takes them."""
    accepted = strategy.options()
    if not takes_any(strategy):  # else it checks the names itself
        check_options(f"the strategy {strategy.name}", options, accepted)
    if preset is not None and "preset" not in accepted:
        raise UsageError(f"the strategy {strategy.name} has no presets; leave out the preset {preset!r}")
    keywords = dict(options)
    if "device" in accepted:
        keywords.setdefault("device", device)
    if preset is not None:
        keywords["preset"] = preset
    return keywords
