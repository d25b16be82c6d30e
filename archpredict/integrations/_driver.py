"""Driver: a strategy that another tool's trials are told to and asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from archpredict.errors import UsageError
from archpredict.evaluators.base import Result
from archpredict.evaluators.objectives.objective import Objective
from archpredict.registry import resolve
from archpredict.registry.options import check_options, takes_any
from archpredict.spaces.base import Architecture, SearchSpace
from archpredict.strategies.base import Problem, Strategy

_REPEATS = 7
"""Stream of the draws among what is known already, once there is nothing new."""


def strategy_class(given: str | type[Strategy], options: Mapping[str, Any], num_objectives: int = 1) -> type[Strategy]:
    """The class of a strategy that can be driven so.

    Raises:
        UnknownNameError: There is no such strategy.
        UsageError: It does not work by labels, has other options, or one objective alone where there are several.
    """
    found: type[Strategy] = resolve("strategies", given, Strategy)
    if found.needs != "labels":
        raise UsageError(f"the strategy {found.name} needs a {found.needs}, trials give labels; take another strategy")
    if num_objectives > 1 and not found.several_objectives:
        raise UsageError(
            f"the strategy {found.name} has one objective, {num_objectives} were given; take one that weighs several, "
            "such as nsga2, predictor-guided, ctnas or random"
        )
    if not takes_any(found):  # else it checks the names itself
        check_options(f"the strategy {found.name}", options, found.options())
    return found


class Driver:
    """A strategy without an end: its budget doubles when it is used up, and what is known repeats when all is.

    Args:
        strategy: As :func:`strategy_class` gives it.
        space: What is searched.
        budget: Evaluations that the strategy plans with.
        objectives: Names and directions, at least one.
        seed: Of the strategy.
        options: Of the strategy.
        known: Results that are there before anything is asked for.
    """

    def __init__(
        self,
        strategy: type[Strategy],
        space: SearchSpace,
        *,
        budget: int,
        objectives: Sequence[Objective],
        seed: int,
        options: Mapping[str, Any],
        known: Sequence[Result] = (),
    ) -> None:
        self._class = strategy
        self._settings: dict[str, Any] = {"budget": budget, "objectives": objectives, "seed": seed, "options": options}
        while budget <= len(known):
            budget *= 2
        self.objectives = tuple(objectives)
        self.space = space
        self._problem = Problem(space, budget, objectives=self.objectives if len(self.objectives) > 1 else ())
        self.strategy: Strategy = self._made(self._problem)
        if known:
            self.strategy.know(known)

    def anew(self) -> Driver:
        """A driver of the same strategy that has been told nothing."""
        return Driver(self._class, self.space, **self._settings)

    def result(self, architecture: Architecture, values: Sequence[float] | None, why: str = "") -> Result:
        """A result in terms of the strategy: a score of which more is better, and the values where there are several.

        Args:
            architecture: What was evaluated.
            values: One for each objective, or None where the evaluation failed.
            why: It failed.
        """
        if values is None or not all(map(math.isfinite, values)):
            return Result(architecture, None, error=why or f"the trial gave no finite value but {values}")
        several = len(self.objectives) > 1
        named = {o.name: float(v) for o, v in zip(self.objectives, values, strict=True)} if several else {}
        return Result(architecture, self.objectives[0].sign * float(values[0]), values=named)

    def begin(self, architectures: Sequence[Architecture]) -> None:
        """Take note of what is being evaluated, as often as one likes; what is known or begun already is left out."""
        for architecture in architectures:
            if architecture.key not in self.strategy.seen:
                self.strategy.begin([architecture])

    def tell(self, results: Sequence[Result]) -> None:
        """Take results one after the other, whether they were asked for or not."""
        for result in results:
            self._grow_if_used_up(self.strategy.num_told)
            begun = {architecture.key: architecture for architecture in self.strategy.pending}
            architecture = begun.get(result.architecture.key, result.architecture)
            self.strategy.tell([replace(result, architecture=architecture)])

    def ask(self, turn: int) -> Architecture:
        """What to evaluate next, beside what was begun.

        Args:
            turn: A number that is another one each time, for the draws once nothing is new.
        """
        self._grow_if_used_up(self.strategy.num_asked)
        known = {*self.strategy.seen}
        for n in (1, self._problem.budget):  # of what it planned, some may have been told though it was not asked for
            found = next((a for a in self.strategy.ask(n) if a.key not in known), None)
            if found is not None:
                return found
        others = self._problem.sample(1, self.strategy.rng(), self.strategy.seen)
        return others[0] if others else self._repeated(turn)

    def _made(self, problem: Problem) -> Strategy:
        return self._class(problem, seed=self._settings["seed"], **self._settings["options"])

    def _repeated(self, turn: int) -> Architecture:
        rng = np.random.default_rng([self.strategy.seed, _REPEATS, turn])
        (architecture,) = self._problem.space.architectures(self._problem.space.sample(1, rng))
        return architecture

    def _grow_if_used_up(self, used: int) -> None:
        if used < self._problem.budget:
            return
        self._problem = replace(self._problem, budget=2 * self._problem.budget)
        grown = self._made(self._problem)
        grown.begin(self.strategy.pending)
        grown.load_state_dict(self.strategy.state_dict(), self.strategy.results)
        self.strategy = grown
