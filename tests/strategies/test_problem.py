"""Problem: what can be drawn, labelled and allowed."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import BudgetError, UnknownNameError, UsageError
from archpredict.spaces.base import load_space
from archpredict.strategies.base import Problem
from archpredict.testing.strategies import structures
from archpredict.testing.toys import ToySpace


def test_allowed_is_what_keeps_every_limit() -> None:
    space = load_space("nasbench201")
    rows = space.sample(500, np.random.default_rng(0))
    limits = {"params": 0.8e6, "macs": 100e6}
    expected = [all(space.cost(row)[name] <= limit for name, limit in limits.items()) for row in rows.tolist()]
    problem = Problem(space, 10, limits)
    assert problem.is_allowed(rows).tolist() == expected
    assert 0 < sum(expected) < len(expected)
    assert problem.is_allowed(rows[:0]).tolist() == []
    assert Problem(space, 10).is_allowed(rows).all()


def test_a_pool_is_looked_through_to_its_end_however_few_are_wanted() -> None:
    few = structures(5)
    pool = np.concatenate([np.repeat(few[:4], 2000, axis=0), few[4:]])
    problem = Problem(ToySpace(), 10, pool=pool)
    seen = [a.key for a in problem.space.architectures(few[:4])]
    for seed in range(5):
        found = problem.sample(1, np.random.default_rng(seed), seen)
        assert [a.choices for a in found] == [tuple(few[4].tolist())]


def test_a_small_space_is_looked_through_to_its_last_structure() -> None:
    space = ToySpace()
    everything = {a.key for a in space.architectures(space.enumerate())}
    problem = Problem(space, 10)
    assert {a.key for a in problem.sample(10_000, np.random.default_rng(0))} == everything
    for missing in sorted(everything)[::60]:
        (found,) = problem.sample(1, np.random.default_rng(0), sorted(everything - {missing}))
        assert found.key == missing


@pytest.mark.parametrize("n", [0, -1])
def test_no_architecture_is_drawn_where_none_is_wanted(n: int) -> None:
    for problem in (Problem(ToySpace(), 10), Problem(ToySpace(), 10, pool=structures(5))):
        assert problem.sample(n, np.random.default_rng(0)) == []


def test_a_space_may_be_named() -> None:
    assert Problem("nasbench201", 10).space.name == "nasbench201"
    assert Problem(ToySpace, 10).space.name == "toy"
    with pytest.raises(UnknownNameError, match="unknown space 'nasbench102'"):
        Problem("nasbench102", 10)


def test_problems_with_pools_can_be_compared() -> None:
    problem = Problem(ToySpace(), 10, pool=structures(5))
    assert problem == problem
    assert problem != Problem(ToySpace(), 10, pool=structures(5))


@pytest.mark.parametrize("budget", [0, -3, 2.5, "10", True])
def test_a_budget_that_is_no_number_of_evaluations_is_refused(budget: object) -> None:
    with pytest.raises(BudgetError, match=f"the budget is a number of evaluations of at least 1, {budget!r} was given"):
        Problem(ToySpace(), budget)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"params": float("nan")}, "the limit of 'params' is a number, nan was given"),
        ({"params": "4e6"}, "the limit of 'params' is a number, '4e6' was given"),
        ({"weights": 3}, "the space toy has no cost 'weights' to limit; it computes: params"),
        (["params"], r"limits maps costs to numbers, e.g. {'params': 4e6}; \['params'\] was given"),
    ],
)
def test_a_limit_that_limits_nothing_is_refused(limits: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Problem(ToySpace(), 10, limits)
