"""Plan: what a search is given, checked and put together before anything is started."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

from archpredict.errors import UsageError
from archpredict.evaluators._convert import as_evaluator
from archpredict.evaluators.base import Evaluator
from archpredict.registry import resolve
from archpredict.spaces.base import Architecture, SearchSpace, load_space
from archpredict.strategies.base import Observer, Problem, Strategy, silent

if TYPE_CHECKING:
    from archpredict.datasets.table import Table

_SUPPLIED = {"problem", "seed", "observer"}
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

Labeller = Union[Evaluator, "Table", Callable[[Architecture], Any]]
"""What can label architectures: an Evaluator, a Table, or a callable that returns a score."""


@dataclass(frozen=True)
class Plan:
    """A search that is checked and ready to run; made by :func:`plan`."""

    evaluator: Evaluator
    problem: Problem
    strategy: type[Strategy]
    seed: int
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def make_strategy(self, observer: Observer = silent) -> Strategy:
        return self.strategy(self.problem, seed=self.seed, observer=observer, **self.keywords)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the result, as JSON values; a run is resumed only with equal ones."""
        settings = {
            "space": self.problem.space.name,
            "num_choices": list(self.problem.space.num_choices),
            "strategy": self.strategy.name,
            "options": dict(self.keywords),
            "seed": self.seed,
            "budget": self.problem.budget,
            "limits": dict(self.problem.limits),
            "within_table": self.problem.within_pool,
            "evaluator": self.evaluator.describe(),
        }
        return dict(json.loads(json.dumps(settings, default=repr)))


def plan(
    space: str | type[SearchSpace] | SearchSpace,
    evaluator: Labeller,
    *,
    strategy: str | type[Strategy] = "ctnas",
    budget: int | None = None,
    seed: int = 0,
    limits: Mapping[str, float] | None = None,
    within_table: bool = False,
    device: str = "auto",
    preset: str | None = None,
    jobs: int = 1,
    options: Mapping[str, Any] | None = None,
) -> Plan:
    """Check what :func:`search` is given, without starting anything; arguments and errors as there."""
    if seed < 0:
        raise UsageError(f"the seed is an integer of at least 0, {seed} was given")
    loaded = load_space(space)
    found: type[Strategy] = resolve("strategies", strategy, Strategy) if isinstance(strategy, str) else strategy
    labeller = as_evaluator(evaluator, loaded, jobs=jobs)
    pool = labeller.pool()
    if within_table and pool is None:
        raise UsageError(f"within_table needs an evaluator with a table; {labeller.name} can label the whole space: leave it out")
    problem = Problem(
        loaded, budget if budget is not None else found.default_budget, dict(limits or {}), pool, within_table
    )
    ready = Plan(labeller, problem, found, seed, _keywords(found, device, preset, options or {}))
    ready.make_strategy()  # what the strategy has to say against its problem, it says here
    return ready


def _keywords(strategy: type[Strategy], device: str, preset: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the strategy's constructor gets: the options, and device and preset where it takes them."""
    parameters = inspect.signature(strategy).parameters.values()
    accepted = sorted({p.name for p in parameters if p.kind in _BY_NAME} - _SUPPLIED)
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)  # it checks the names itself
    unknown = sorted(set(options) - set(accepted))
    if unknown and not takes_any:
        takes = f"its options are: {', '.join(accepted)}" if accepted else "it has no options"
        raise UsageError(f"the strategy {strategy.name} has no option {', '.join(map(repr, unknown))}; {takes}")
    if preset is not None and "preset" not in accepted:
        raise UsageError(f"the strategy {strategy.name} has no presets; leave out the preset {preset!r}")
    keywords = dict(options)
    if "device" in accepted:
        keywords.setdefault("device", device)
    if preset is not None:
        keywords["preset"] = preset
    return keywords
