"""The contract of strategies, as a test class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archpredict._typing import IntArray
from archpredict.errors import BudgetError
from archpredict.evaluators.base import Result
from archpredict.progress import Event
from archpredict.spaces.base import unique_rows
from archpredict.strategies.base import Problem, Recommendation, Strategy
from archpredict.testing._driving import StrategyFactory, drive, label, saved_and_read, summary
from archpredict.testing.asynchronous import AsynchronousContract
from archpredict.testing.objectives import ObjectivesContract
from archpredict.testing.toys import ToyEvaluator, ToySpace

__all__ = ["SHORT", "StrategyContract", "StrategyFactory", "drive", "structures", "toy_space_for"]

_QUICK_SUPERNET: Mapping[str, Any] = {
    "dataset": "archpredict.testing.toys:ToyImages",
    "training": {"epochs": 1, "batch_size": 16},
    "device": "cpu",
}

SHORT: Mapping[str, Mapping[str, Any]] = {
    "bananas": {
        "predictor": {"encoder": None, "sources": ("paths",), "training__epochs": 3, "regressors": None},
        "initial": 6,
        "batch": 4,
    },
    "ctnas": {
        "predictor": {"training__epochs": 3, "training__pretrain": 0, "ensemble": 1, "regressors": None},
        "rounds": 2,
        "iterations": 4,
        "samples": 8,
        "derive": 16,
    },
    "darts": {**_QUICK_SUPERNET, "learning_rate": 0.1},
    "enas": {**_QUICK_SUPERNET, "steps": 2, "derive": 10},
    "npenas": {
        "predictor": {"encoder": "gcn", "sources": (), "training__epochs": 3, "ensemble": 1, "regressors": None},
        "initial": 6,
        "batch": 4,
    },
    "predictor-guided": {
        "predictor": {"training__epochs": 3, "training__pretrain": 0, "ensemble": 2, "regressors": None},
        "rounds": 2,
    },
}
"""Options by the name of a strategy that keep a run short; strategies that are not here are short without any."""


def toy_space_for(strategy: type[Strategy]) -> ToySpace:
    """A toy space in which a strategy finds what it needs: with networks where it trains a supernet."""
    return ToySpace(networks=strategy.needs == "supernet")


class StrategyContract(AsynchronousContract, ObjectivesContract):
    """The contract of strategies: what every one keeps to, those for several objectives with several as well.

    A strategy's own tests derive from it and say how it is made; budgets are in evaluations::

        class TestMyStrategy(StrategyContract):
            @pytest.fixture
            def make_strategy(self):
                return functools.partial(MyStrategy, epochs=2)
    """

    @pytest.fixture
    def budget(self) -> int:
        """Evaluations of a run; override where the strategy needs more."""
        return 16

    @pytest.fixture
    def space(self) -> ToySpace:
        """Override where the strategy needs networks: ``ToySpace(networks=True)``."""
        return ToySpace()

    @pytest.fixture
    def problem(self, space: ToySpace, budget: int) -> Problem:
        return Problem(space, budget=budget)

    def test_asking_and_recommending_change_nothing(self, make_strategy: StrategyFactory, problem: Problem) -> None:
        strategy, reference = make_strategy(problem), make_strategy(problem)
        batch = math.ceil(problem.budget / 2)
        while architectures := strategy.ask(batch):
            strategy.recommend(3)
            assert strategy.ask(batch) == architectures
            assert reference.ask(batch) == architectures
            for each in (strategy, reference):
                each.tell(label(ToyEvaluator(), architectures))
        first, again = strategy.recommend(5), strategy.recommend(5)
        assert summary(first) == summary(again) == summary(reference.recommend(5))

    def test_the_same_seed_gives_the_same_run_whoever_watches(
        self, make_strategy: StrategyFactory, problem: Problem
    ) -> None:
        events: list[Event] = []
        watched, unwatched = (
            make_strategy(problem, seed=3, observer=events.append),
            make_strategy(problem, seed=3),
        )
        assert drive(watched, ToyEvaluator()) == drive(unwatched, ToyEvaluator())
        assert summary(watched.recommend(5)) == summary(unwatched.recommend(5))
        assert all(e.stage and e.done >= 1 and (e.total is None or e.done <= e.total) for e in events)

    def test_a_run_interrupted_anywhere_continues_as_if_nothing_had_happened(
        self, make_strategy: StrategyFactory, problem: Problem
    ) -> None:
        space, batch = problem.space, math.ceil(problem.budget / 3)
        strategy, evaluator = make_strategy(problem, seed=5), ToyEvaluator()
        checkpoints: list[tuple[Any, list[Result]]] = [(strategy.state_dict(), [])]
        while architectures := strategy.ask(batch):
            strategy.tell(label(evaluator, architectures))
            checkpoints.append((saved_and_read(strategy.state_dict()), list(strategy.results)))
        for state, results in checkpoints:
            told = [Result(space.from_text(str(r.architecture)), r.score, r.error) for r in results]
            resumed = make_strategy(problem, seed=5)
            resumed.load_state_dict(state, told)
            assert resumed.num_told == len(told)
            drive(resumed, evaluator, batch)
            assert [r.architecture for r in resumed.results] == [r.architecture for r in strategy.results]
            assert summary(resumed.recommend(5)) == summary(strategy.recommend(5))

    def test_a_run_goes_on_with_more_budget_and_continues_exactly_if_interrupted_there(
        self, make_strategy: StrategyFactory, problem: Problem
    ) -> None:
        larger, evaluator = replace(problem, budget=problem.budget + 12), ToyEvaluator()

        def continued(state: Any, results: Sequence[Result]) -> Strategy:
            strategy = make_strategy(larger, seed=4)
            strategy.load_state_dict(state, results)
            return strategy

        finished = make_strategy(problem, seed=4)
        drive(finished, evaluator, batch=5)
        before = list(finished.results)
        strategy = continued(saved_and_read(finished.state_dict()), before)
        assert strategy.results == before
        checkpoints = [(saved_and_read(strategy.state_dict()), list(strategy.results))]
        while batch := strategy.ask(5):
            assert strategy.ask(5) == batch
            strategy.tell(label(evaluator, batch, larger))
            checkpoints.append((saved_and_read(strategy.state_dict()), list(strategy.results)))
        assert strategy.num_told == finished.num_told + 12 == larger.budget
        assert len(set(strategy.seen)) == strategy.num_told, "isomorphic architectures were asked for twice"
        for state, results in checkpoints:
            resumed = continued(state, results)
            drive(resumed, evaluator, batch=5)
            assert [r.architecture for r in resumed.results] == [r.architecture for r in strategy.results]
            assert summary(resumed.recommend(5)) == summary(strategy.recommend(5))

    def test_what_it_knows_from_the_start_is_not_asked_for(
        self, make_strategy: StrategyFactory, problem: Problem
    ) -> None:
        space, evaluator = problem.space, ToyEvaluator()
        known = label(evaluator, space.architectures(structures(problem.budget)))
        strategy, again = (make_strategy(replace(problem, budget=2 * problem.budget), seed=7) for _ in range(2))
        strategy.know(known)
        assert strategy.results == known
        assert strategy.recommend(1)
        state = saved_and_read(strategy.state_dict())
        assert len(drive(strategy, evaluator, batch=5)) == 2 * problem.budget - len(known)
        assert len(set(strategy.seen)) == strategy.num_told, "what was known was asked for"
        again.load_state_dict(state, known)
        drive(again, evaluator, batch=5)
        assert [r.architecture for r in again.results] == [r.architecture for r in strategy.results]

    def test_an_unfinished_run_goes_on_with_more_budget(self, make_strategy: StrategyFactory, problem: Problem) -> None:
        unfinished, evaluator = make_strategy(problem, seed=6), ToyEvaluator()
        while unfinished.num_told < problem.budget // 2 and (batch := unfinished.ask(5)):
            unfinished.tell(label(evaluator, batch))
        strategy = make_strategy(replace(problem, budget=problem.budget + 12), seed=6)
        strategy.load_state_dict(saved_and_read(unfinished.state_dict()), unfinished.results)
        drive(strategy, evaluator, batch=5)
        assert strategy.num_told == problem.budget + 12
        assert len(set(strategy.seen)) == strategy.num_told, "isomorphic architectures were asked for twice"

    def test_never_asks_outside_the_space_or_over_the_budget_or_twice(
        self, make_strategy: StrategyFactory, problem: Problem
    ) -> None:
        strategy = make_strategy(problem, seed=1)
        asked = drive(strategy, ToyEvaluator(), batch=10 * problem.budget)
        assert 1 <= len(asked) <= problem.budget
        for architecture in asked:
            assert problem.space.validate(architecture.choices) == architecture.choices
        assert len({a.key for a in asked}) == len(asked), "isomorphic architectures were asked for twice"
        assert strategy.ask(1) == []

    @pytest.mark.parametrize("n", [-1, 0, 1, 3])
    def test_asks_for_no_more_than_it_is_allowed(
        self, make_strategy: StrategyFactory, problem: Problem, n: int
    ) -> None:
        strategy = make_strategy(problem)
        while batch := strategy.ask(math.ceil(problem.budget / 3)):
            assert len(strategy.ask(n)) <= max(n, 0)
            assert len(strategy.recommend(n)) <= max(n, 0)
            assert len(strategy.best_evaluated(n)) <= max(n, 0)
            strategy.tell(label(ToyEvaluator(), batch))

    def test_the_smallest_budget_is_enough_and_less_is_an_error(
        self, make_strategy: StrategyFactory, problem: Problem
    ) -> None:
        smallest = make_strategy(problem).min_budget
        strategy = make_strategy(Problem(problem.space, budget=smallest))
        assert len(drive(strategy, ToyEvaluator())) <= smallest
        assert strategy.recommend(1)
        if smallest > 1:
            with pytest.raises(BudgetError, match=f"at least {smallest} evaluations, {smallest - 1} was given"):
                make_strategy(Problem(problem.space, budget=smallest - 1))

    def test_recommends_nothing_before_it_is_told_anything(
        self, make_strategy: StrategyFactory, problem: Problem
    ) -> None:
        assert make_strategy(problem).recommend(3) == []

    def test_recommendations_are_distinct_sorted_and_true(
        self, make_strategy: StrategyFactory, problem: Problem
    ) -> None:
        strategy = make_strategy(problem, seed=2)
        drive(strategy, ToyEvaluator())
        for k in (1, 4, 1000):
            recommended = strategy.recommend(k)
            assert 1 <= len(recommended) <= k
            assert len({r.architecture.key for r in recommended}) == len(recommended)
            assert_true_and_sorted(strategy, recommended)

    def test_limits_hold_for_what_is_asked_and_what_is_recommended(
        self, make_strategy: StrategyFactory, space: ToySpace, budget: int
    ) -> None:
        median = float(np.median([space.cost(row)["params"] for row in space.enumerate().tolist()]))
        strategy = make_strategy(Problem(space, budget=budget, limits={"params": median}))
        asked = drive(strategy, ToyEvaluator())
        recommended = [r.architecture for r in strategy.recommend(10)]
        assert asked
        assert recommended
        assert all(a.cost["params"] <= median for a in [*asked, *recommended])

    @pytest.mark.parametrize("within_pool", [True, False])
    def test_only_the_pool_is_asked_for_and_the_rest_is_marked(
        self, make_strategy: StrategyFactory, space: ToySpace, budget: int, within_pool: bool
    ) -> None:
        pool = structures(4 * budget)
        problem = Problem(space, budget=budget, pool=pool, within_pool=within_pool)
        strategy = make_strategy(problem)
        asked = drive(strategy, ToyEvaluator())
        assert asked
        assert problem.can_label(np.array([a.choices for a in asked])).all()
        for recommendation in strategy.recommend(10):
            known = problem.can_label(np.array([recommendation.architecture.choices]))[0]
            assert known or not (within_pool or recommendation.evaluated)

    def test_a_pool_smaller_than_the_budget_ends_the_run_early(
        self, make_strategy: StrategyFactory, space: ToySpace, budget: int
    ) -> None:
        problem = Problem(space, budget=2 * budget, pool=structures(budget), within_pool=True)
        strategy = make_strategy(problem)
        assert 1 <= len(drive(strategy, ToyEvaluator())) <= budget
        assert strategy.recommend(1)

    def test_failed_evaluations_do_not_stop_a_run(self, make_strategy: StrategyFactory, problem: Problem) -> None:
        failing = frozenset(a.key for a in make_strategy(problem).ask(problem.budget)[::3])
        strategy = make_strategy(problem)
        asked = drive(strategy, ToyEvaluator(failing=failing))
        assert len({a.key for a in asked}) == len(asked), "a failed evaluation was asked for again"
        recommended = strategy.recommend(10)
        assert recommended
        assert not failing & {r.architecture.key for r in recommended}
        assert_true_and_sorted(strategy, recommended)

    def test_a_run_of_failures_ends_and_recommends_no_label(
        self, make_strategy: StrategyFactory, problem: Problem
    ) -> None:
        strategy = make_strategy(problem)
        everything = frozenset(a.key for a in problem.space.architectures(problem.space.enumerate()))
        drive(strategy, ToyEvaluator(failing=everything))
        assert not any(r.evaluated for r in strategy.recommend(10))

    def test_equal_labels_are_no_obstacle(self, make_strategy: StrategyFactory, problem: Problem) -> None:
        strategy = make_strategy(problem)
        drive(strategy, ToyEvaluator(constant=0.5))
        assert strategy.recommend(1)
        assert_true_and_sorted(strategy, strategy.recommend(10))


def structures(n: int) -> IntArray:
    """Choices of ``n`` architectures of the toy space, no two isomorphic."""
    space = ToySpace()
    rows = np.random.default_rng(0).permutation(space.enumerate())
    keys = np.array([list(bytes.fromhex(a.key)) for a in space.architectures(rows)])
    chosen: IntArray = rows[list(unique_rows(keys))[:n]]
    return chosen


def assert_true_and_sorted(strategy: Strategy, recommended: Sequence[Recommendation]) -> None:
    """Scores of evaluated recommendations are the labels told, best first; all scores are finite."""
    labels = {r.architecture: r.score for r in strategy.results}
    evaluated = [r for r in recommended if r.evaluated]
    for recommendation in evaluated:
        assert recommendation.score == labels[recommendation.architecture]
    scores = [r.score for r in evaluated if r.score is not None]
    assert scores == sorted(scores, reverse=True)
    assert all(r.score is None or math.isfinite(r.score) for r in recommended)
