"""The part of the contract of strategies that evaluations side by side are for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archpredict.evaluators.base import Result
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem, Strategy
from archpredict.testing._driving import StrategyFactory, label, saved_and_read, summary
from archpredict.testing.toys import ToyEvaluator

__all__ = ["AsynchronousContract", "SideBySideRun", "run_side_by_side"]

_WORKERS = 4


@dataclass(eq=False)
class SideBySideRun:
    """What happened in a run: asks and tells in their order, and the states between them.

    Args:
        strategy: As it is at the end.
        log: What was asked for (an architecture) or told (a result), in this order.
        states: After each tell the state, how long the log was, and what was pending.
        lost: What was begun and never told.
    """

    strategy: Strategy
    log: list[Architecture | Result] = field(default_factory=list)
    states: list[tuple[Any, int, list[Architecture]]] = field(default_factory=list)
    lost: list[Architecture] = field(default_factory=list)

    @property
    def asked(self) -> list[Architecture]:
        return [each for each in self.log if isinstance(each, Architecture)]


def run_side_by_side(
    strategy: Strategy, seed: int, workers: int = _WORKERS, loses: Callable[[Architecture], bool] = lambda _: False
) -> SideBySideRun:
    """SideBySideRun a strategy with workers that end in random order.

    Args:
        strategy: Fresh, or restored with what is pending begun.
        seed: Of the order.
        workers: How many evaluate at a time.
        loses: Whether the result of an architecture never comes; its worker goes on with something else.
    """
    run, rng = SideBySideRun(strategy), np.random.default_rng(seed)
    running = strategy.pending
    while True:
        while len(running) < workers and (asked := strategy.ask(1)):
            assert strategy.ask(1) == asked, "asking changed something"
            assert not {a.key for a in asked} & set(strategy.seen), "what was told or is pending was asked for"
            strategy.begin(asked)
            run.log += asked
            (run.lost if loses(asked[0]) else running).extend(asked)
            assert strategy.num_asked <= strategy.problem.budget, "the strategy asks for more than its budget"
        if not running:
            return run
        (result,) = label(ToyEvaluator(), [running.pop(int(rng.integers(len(running))))], strategy.problem)
        strategy.tell([result])
        run.log.append(result)
        run.states.append((saved_and_read(strategy.state_dict()), len(run.log), strategy.pending))


def replayed(strategy: Strategy, log: list[Architecture | Result]) -> Strategy:
    """A strategy after what happened in another run."""
    for each in log:
        if isinstance(each, Architecture):
            strategy.begin([each])
        else:
            strategy.tell([each])
    return strategy


class AsynchronousContract:
    """What a strategy keeps to whose results come one by one, in any order, some of them never.

    Part of :class:`archpredict.testing.strategies.StrategyContract`.
    """

    def test_results_may_be_told_in_any_order_and_the_run_follows_from_it(
        self, make_strategy: StrategyFactory, problem: Problem
    ) -> None:
        run = run_side_by_side(make_strategy(problem, seed=3), 4)
        told = [r.architecture for r in run.strategy.results]
        assert len(told) == problem.budget, "workers were left without anything to do"
        assert {a.choices for a in told} == {a.choices for a in run.asked}
        assert told != run.asked, "results came in the order asked, which shows nothing"
        assert len({a.key for a in told}) == len(told), "isomorphic architectures were asked for twice"
        for architecture in told:
            assert problem.space.validate(architecture.choices) == architecture.choices
        assert run.strategy.pending == run.strategy.ask(1) == []
        recommended, labels = run.strategy.recommend(5), {r.architecture: r.score for r in run.strategy.results}
        assert recommended
        assert all(r.score == labels[r.architecture] for r in recommended if r.evaluated)
        told_again = replayed(make_strategy(problem, seed=3), run.log)
        assert summary(told_again.recommend(5)) == summary(recommended)

    def test_there_is_something_to_do_while_results_are_pending(
        self, make_strategy: StrategyFactory, problem: Problem
    ) -> None:
        strategy = make_strategy(problem)
        for _ in range(problem.budget // 2):
            asked = strategy.ask(1)
            assert len(asked) == 1, "it waits for a result"
            strategy.begin(asked)
        assert len({a.key for a in strategy.pending}) == problem.budget // 2 == strategy.num_asked

    def test_a_run_side_by_side_is_continued_exactly(self, make_strategy: StrategyFactory, problem: Problem) -> None:
        run = run_side_by_side(make_strategy(problem, seed=5), 6)
        for state, length, pending in (run.states[1], run.states[len(run.states) // 2]):
            resumed = make_strategy(problem, seed=5)
            resumed.begin(pending)
            resumed.load_state_dict(state, [each for each in run.log[:length] if isinstance(each, Result)])
            assert {a.choices for a in resumed.pending} == {a.choices for a in pending}
            for each in run.log[length:]:
                if isinstance(each, Architecture):
                    assert resumed.ask(1) == [each]
                    resumed.begin([each])
                else:
                    resumed.tell([each])
            assert summary(resumed.recommend(5)) == summary(run.strategy.recommend(5))

    def test_results_that_never_come_do_not_stop_a_run(self, make_strategy: StrategyFactory, problem: Problem) -> None:
        strategy = make_strategy(problem, seed=7)
        first = {a.key for a in strategy.ask(3)}
        run = run_side_by_side(strategy, 8, loses=lambda a: a.key in first or sum(a.choices) % 7 == 0)
        assert run.lost
        assert len(run.asked) == problem.budget
        assert {a.choices for a in strategy.pending} == {a.choices for a in run.lost}
        assert strategy.recommend(3)
