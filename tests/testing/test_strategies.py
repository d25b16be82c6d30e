"""The strategy contract finds each way of breaking it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from archpredict.evaluators.base import Result
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem, Recommendation, Strategy
from archpredict.testing.strategies import StrategyContract
from archpredict.testing.toys import ToySpace


class _Sound(Strategy):
    name = "sound"

    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.problem.budget - self.num_told)
        return self.problem.sample(n, self.rng(), self.seen) if n > 0 else []


class _AsksDifferentlyEachTime(_Sound):
    def ask(self, n: int) -> list[Architecture]:
        self.seed += 1
        return super().ask(n)


class _Overspends(_Sound):
    def ask(self, n: int) -> list[Architecture]:
        return self.problem.sample(n, self.rng(), self.seen) if self.num_told < self.problem.budget else []


class _RepeatsItself(_Sound):
    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.problem.budget - self.num_told)
        return self.problem.sample(1, np.random.default_rng(0)) * n


class _ForgetsOnResume(_Sound):
    rounds = 0

    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.problem.budget - self.num_told)
        return self.problem.sample(n, self.rng(self.rounds), self.seen) if n > 0 else []

    def tell(self, results: Sequence[Result]) -> None:
        super().tell(results)
        self.rounds += 1


class _IgnoresLimits(_Sound):
    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.problem.budget - self.num_told)
        free = Problem(self.problem.space, self.problem.budget)
        return free.sample(n, self.rng(), self.seen) if n > 0 else []


class _RecommendsTheWorst(_Sound):
    def recommend(self, k: int) -> list[Recommendation]:
        return super().recommend(len(self.results))[::-1][:k]


_PROBLEM = Problem(ToySpace(), budget=12)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (_AsksDifferentlyEachTime, "test_asking_and_recommending_change_nothing"),
        (_Overspends, "test_never_asks_outside_the_space_or_over_the_budget_or_twice"),
        (_RepeatsItself, "test_never_asks_outside_the_space_or_over_the_budget_or_twice"),
        (_ForgetsOnResume, "test_a_run_interrupted_anywhere_continues_as_if_nothing_had_happened"),
        (_RecommendsTheWorst, "test_recommendations_are_distinct_sorted_and_true"),
    ],
)
def test_a_broken_strategy_fails_the_check_meant_for_it(broken: type[Strategy], check: str) -> None:
    getattr(StrategyContract(), check)(_Sound, _PROBLEM)
    with pytest.raises(AssertionError):
        getattr(StrategyContract(), check)(broken, _PROBLEM)


def test_ignoring_a_limit_or_the_pool_is_found() -> None:
    contract = StrategyContract()
    with pytest.raises(AssertionError):
        contract.test_limits_hold_for_what_is_asked_and_what_is_recommended(_IgnoresLimits, ToySpace(), 12)
    with pytest.raises(AssertionError):
        contract.test_only_the_pool_is_asked_for_and_the_rest_is_marked(_IgnoresLimits, ToySpace(), 12, False)
