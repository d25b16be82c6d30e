"""The part of the contract of strategies that several objectives and limits after evaluation are for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.evaluators.base import Result
from archpredict.strategies.base import Problem, Recommendation, Strategy
from archpredict.testing._driving import StrategyFactory, drive, label, saved_and_read, summary
from archpredict.testing.toys import ToyEvaluator, ToySpace

__all__ = ["ObjectivesContract"]

_OBJECTIVES = {
    "two": ["score", "latency:min"],
    "three and a limit": ["score", "latency:min", "params:min"],
    "one and a limit": ["score"],
}
_LIMIT = 12.0
"""Of the latency, which is above it for about half of the toy space."""


class ObjectivesContract:
    """What a strategy for several objectives keeps to with two, with three, and with a limit on what is measured.

    Part of :class:`archpredict.testing.strategies.StrategyContract`. A strategy that is not for several refuses them.
    """

    @pytest.fixture(params=list(_OBJECTIVES))
    def several(
        self, request: pytest.FixtureRequest, make_strategy: StrategyFactory, space: ToySpace, budget: int
    ) -> Problem:
        """A problem with several objectives; skips what does not weigh them."""
        if not make_strategy(Problem(space, budget)).several_objectives:
            pytest.skip("it weighs one objective")
        limits = {"latency": _LIMIT} if "limit" in request.param else {}
        return Problem(space, budget, limits, objectives=_OBJECTIVES[request.param], measured=["latency"])

    def test_what_does_not_weigh_several_objectives_says_so(
        self, make_strategy: StrategyFactory, space: ToySpace, budget: int
    ) -> None:
        if make_strategy(Problem(space, budget)).several_objectives:
            return
        for more in ({"objectives": ["score", "latency:min"]}, {"limits": {"latency": _LIMIT}, "measured": None}):
            with pytest.raises(UsageError, match=r"has one objective.*; take one that weighs several"):
                make_strategy(Problem(space, budget, **more))

    def test_of_several_objectives_the_same_seed_gives_the_same_run(
        self, make_strategy: StrategyFactory, several: Problem
    ) -> None:
        strategy, again = make_strategy(several, seed=3), make_strategy(several, seed=3)
        batch, asked = math.ceil(several.budget / 2), set[str]()
        while architectures := strategy.ask(batch):
            strategy.recommend(3)
            assert strategy.ask(batch) == architectures == again.ask(batch)
            asked |= {a.key for a in architectures}
            for each in (strategy, again):
                each.tell(label(ToyEvaluator(), architectures, several))
        assert len(asked) == strategy.num_told <= several.budget, "isomorphic architectures were asked for twice"
        assert summary(strategy.recommend(5)) == summary(again.recommend(5))

    def test_of_several_objectives_an_interrupted_run_continues_as_if_nothing_had_happened(
        self, make_strategy: StrategyFactory, several: Problem
    ) -> None:
        batch = math.ceil(several.budget / 3)
        strategy = make_strategy(several, seed=5)
        checkpoints = [(strategy.state_dict(), list[Result]())]
        while architectures := strategy.ask(batch):
            strategy.tell(label(ToyEvaluator(), architectures, several))
            checkpoints.append((saved_and_read(strategy.state_dict()), list(strategy.results)))
        for state, results in checkpoints[1:]:
            resumed = make_strategy(several, seed=5)
            resumed.load_state_dict(state, results)
            drive(resumed, ToyEvaluator(), batch)
            assert [r.architecture for r in resumed.results] == [r.architecture for r in strategy.results]
            assert summary(resumed.recommend(5)) == summary(strategy.recommend(5))

    def test_of_several_objectives_what_is_recommended_is_of_the_front_and_keeps_the_limits(
        self, make_strategy: StrategyFactory, several: Problem
    ) -> None:
        strategy = make_strategy(several, seed=2)
        drive(strategy, ToyEvaluator())
        for k in (1, 3, 1000):
            recommended = strategy.recommend(k)
            assert 1 <= len(recommended) <= k
            assert_of_the_front(strategy, recommended)

    def test_of_several_objectives_failed_evaluations_do_not_stop_a_run(
        self, make_strategy: StrategyFactory, several: Problem
    ) -> None:
        failing = frozenset(a.key for a in make_strategy(several).ask(several.budget)[::3])
        strategy = make_strategy(several)
        asked = drive(strategy, ToyEvaluator(failing=failing))
        assert len({a.key for a in asked}) == len(asked), "a failed evaluation was asked for again"
        assert not failing & {r.architecture.key for r in strategy.recommend(10)}
        assert_of_the_front(strategy, strategy.recommend(10))

    def test_of_several_objectives_one_with_equal_values_is_no_obstacle(
        self, make_strategy: StrategyFactory, several: Problem
    ) -> None:
        strategy = make_strategy(several)
        drive(strategy, ToyEvaluator(constant=0.5))
        assert strategy.recommend(1)
        assert_of_the_front(strategy, strategy.recommend(10))

    def test_a_limit_that_nothing_keeps_does_not_stop_a_run_and_nothing_is_recommended(
        self, make_strategy: StrategyFactory, several: Problem
    ) -> None:
        objectives = [str(o) for o in several.objectives]
        hard = Problem(several.space, several.budget, {"latency": -1.0}, objectives=objectives, measured=["latency"])
        strategy = make_strategy(hard)
        drive(strategy, ToyEvaluator())
        assert strategy.num_told
        assert not [r for r in strategy.recommend(10) if r.evaluated]


def assert_of_the_front(strategy: Strategy, recommended: Sequence[Recommendation]) -> None:
    """What was evaluated is true, keeps the limits, and is beaten by nothing else that does.

    With one objective it need not be of the front, but is in the order of its label.
    """
    problem = strategy.problem
    kept = [r for r in strategy.results if r.score is not None and problem.keeps_limits(r.values)]
    told = {r.architecture: r for r in kept}
    evaluated = [r for r in recommended if r.evaluated]
    assert len({r.architecture.key for r in recommended}) == len(recommended)
    for recommendation in evaluated:
        result = told[recommendation.architecture]
        assert (recommendation.score, recommendation.values) == (result.score, result.values)
    scores = [r.score for r in evaluated if r.score is not None]
    assert scores == sorted(scores, reverse=True)
    if len(problem.objectives) > 1 and evaluated:
        values = problem.oriented([r.values for r in evaluated])
        best = problem.oriented([r.values for r in kept])
        beaten = [bool(((best >= point).all(axis=1) & (best > point).any(axis=1)).any()) for point in best]
        best = best[~np.array(beaten)]
        assert (values[:, None] == best).all(axis=2).any(axis=1).all(), "it recommends what is not of the front"
        assert len(np.unique(values, axis=0)) == len(values), "it recommends one point twice"
