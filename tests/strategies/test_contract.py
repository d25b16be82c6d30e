"""Every strategy there is keeps the contract; a new one is tested without being named here."""

from __future__ import annotations

import functools

import pytest

from archpredict.registry import names, resolve
from archpredict.strategies.base import Strategy
from archpredict.testing.strategies import SHORT, StrategyContract, StrategyFactory, toy_space_for
from archpredict.testing.toys import ToySpace


class TestEveryStrategy(StrategyContract):
    @pytest.fixture(params=names("strategies"))
    def strategy_class(self, request: pytest.FixtureRequest) -> type[Strategy]:
        found: type[Strategy] = resolve("strategies", request.param, Strategy)
        return found

    @pytest.fixture
    def space(self, strategy_class: type[Strategy]) -> ToySpace:
        return toy_space_for(strategy_class)

    @pytest.fixture
    def make_strategy(self, strategy_class: type[Strategy]) -> StrategyFactory:
        return functools.partial(strategy_class, **SHORT.get(strategy_class.name, {}))

    @pytest.fixture
    def budget(self, strategy_class: type[Strategy]) -> int:
        return max(16, strategy_class.min_budget)
