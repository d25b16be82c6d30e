"""NSGA-II: order, tournaments, children (the strategy contract is tested elsewhere)."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.evaluators.base import Result
from archpredict.metrics.fronts import hypervolume
from archpredict.strategies.base import Problem, Strategy
from archpredict.strategies.nsga2 import NSGA2, best_first
from archpredict.strategies.random import RandomSearch
from archpredict.testing.strategies import drive, structures
from archpredict.testing.toys import ToyEvaluator, ToySpace

TWO = ("score", "latency:min")


def results(*values: tuple[float, float]) -> list[Result]:
    """Results of distinct architectures with these scores and latencies."""
    architectures = ToySpace().architectures(structures(len(values)))
    return [
        Result(a, score, values={"score": score, "latency": latency})
        for a, (score, latency) in zip(architectures, values, strict=True)
    ]


def problem(budget: int = 40, **arguments) -> Problem:
    return Problem(ToySpace(), budget, objectives=TWO, **arguments)


def test_a_lower_rank_is_better_then_the_lonelier_and_of_equal_points_the_first() -> None:
    # (4, 4) is dominated once; of the front the ends come first, then (5, 3.5), which has more room than (3, 1.5)
    told = results((4, 4), (2, 1), (3, 1.5), (9, 9), (5, 3.5), (0, 20), (3, 1.5))
    assert best_first(problem(), told).tolist() == [1, 3, 4, 2, 6, 0, 5]


def test_what_keeps_a_limit_beats_what_does_not_and_less_beyond_it_is_better() -> None:
    limited = problem(limits={"latency": 3.0})
    told = results((9, 5), (1, 3), (9, 4), (0, 2.5), (99, 4.5))
    assert best_first(limited, told).tolist() == [1, 3, 2, 4, 0]


def test_violations_of_several_limits_add_up_in_units_of_the_largest_of_each() -> None:
    limited = Problem(ToySpace(), 9, {"a": 0.0, "b": 1e6}, objectives=["score"], measured=None)
    numbers = [(0.0, 4e6), (2.0, 1e6), (0.5, 2e6), (1.0, 2.5e6), (0.0, 0.0)]  # 1, 1, 0.25 + 1/3, 0.5 + 0.5, 0
    told = [
        Result(a, 0.0, values={"score": 0.0, "a": x, "b": y})
        for a, (x, y) in zip(ToySpace().architectures(structures(5)), numbers, strict=True)
    ]
    assert best_first(limited, told).tolist() == [4, 2, 0, 1, 3]


def test_with_one_objective_or_none_the_best_label_comes_first() -> None:
    told = results((1, 1), (3, 1), (2, 1))
    for objectives in ((), ("score",)):
        assert best_first(Problem(ToySpace(), 9, objectives=objectives), told).tolist() == [1, 2, 0]
    costs = [Result(r.architecture, -r.score, values={"latency": r.score}) for r in told]  # as a search tells them
    assert best_first(Problem(ToySpace(), 9, objectives=["latency:min"]), costs).tolist() == [0, 2, 1]


def test_the_population_is_random_until_it_is_full_and_then_the_best_of_all() -> None:
    told = results((0, 9), (9, 0.5), (8, 0.6), (1, 8), (7, 0.7), (2, 7))
    strategy = NSGA2(problem(), population=4)
    assert len(strategy.ask(40)) == 4
    strategy.tell([*told[:2], Result(told[2].architecture, None, error="it failed")])
    assert len(strategy.ask(40)) == 2
    strategy.tell(told[3:])
    assert strategy.members() == [told[1], told[4], told[5], told[3]]
    assert len(strategy.ask(40)) == 4


def test_parents_are_the_better_of_two_of_the_population() -> None:
    strategy = NSGA2(problem(), population=4)
    space, draws = strategy.problem.space, 4000
    parents = space.rows(structures(4))
    rng = np.random.default_rng(0)
    drawn = rng.integers(4, size=(draws, 2)).min(axis=1)
    expected = np.bincount(drawn, minlength=4) / draws
    np.testing.assert_allclose(expected, [7 / 16, 5 / 16, 3 / 16, 1 / 16], atol=0.03)
    children = strategy._children(parents, draws, np.random.default_rng(0))
    assert space.is_valid(children).all()
    distance = (children[:, None] != parents).sum(axis=2)
    assert distance[:, 0].mean() < distance[:, 3].mean()  # they take most after the best


def test_of_two_equal_parents_a_child_changes_each_choice_with_one_chance_in_its_length() -> None:
    strategy = NSGA2(problem(), population=2)
    parents = np.repeat(structures(1), 2, axis=0)
    children = strategy._children(parents, 4000, np.random.default_rng(1))
    changed = (children != parents[0]).sum(axis=1)
    assert changed.mean() == pytest.approx(1.0, abs=0.15)  # less where a choice changes twice
    assert 0.25 < (changed == 0).mean() < 0.45  # (1 - 1/6) ** 6 = 0.335


def test_a_generation_holds_distinct_new_children() -> None:
    strategy = NSGA2(problem(), population=10, batch=6)
    told = results(*[(float(i), float(i % 4)) for i in range(10)])
    strategy.tell(told)
    children = strategy.ask(40)
    assert len({a.key for a in children}) == len(children) == 6
    assert not {a.key for a in children} & {r.architecture.key for r in told}


def test_where_no_child_is_new_the_search_goes_on_to_the_last_architecture_and_ends() -> None:
    space = ToySpace()
    everything = {a.key for a in space.architectures(space.enumerate())}
    strategy = NSGA2(problem(len(everything) + 10), population=5, batch=20)
    assert {a.key for a in drive(strategy, ToyEvaluator())} == everything


def test_a_cost_that_the_space_computes_limits_what_is_asked_and_one_that_is_measured_only_what_is_recommended() -> (
    None
):
    strategy = NSGA2(problem(60, limits={"params": 12.0, "latency": 9.0}))
    asked = drive(strategy, ToyEvaluator())
    assert max(a.cost["params"] for a in asked) <= 12.0
    assert max(r.values["latency"] for r in strategy.results) > 9.0
    assert strategy.front()
    assert max(r.values["latency"] for r in strategy.front()) <= 9.0


def test_it_finds_more_of_the_front_than_random_search_with_the_same_budget() -> None:
    def volumes(kind: type[Strategy]) -> list[float]:
        found = []
        for seed in range(6):
            strategy = kind(problem(60), seed=seed)
            drive(strategy, ToyEvaluator())
            found.append(hypervolume(strategy.problem.oriented([r.values for r in strategy.front()]), [-1.0, -18.0]))
        return found

    assert np.mean(volumes(NSGA2)) > np.max(volumes(RandomSearch))


@pytest.mark.parametrize(("budget", "population"), [(1, 2), (10, 5), (40, 10), (200, 10), (1000, 50)])
def test_the_population_is_a_twentieth_of_the_budget_within_bounds(budget: int, population: int) -> None:
    strategy = NSGA2(problem(budget))
    assert (strategy.population, strategy.batch) == (population, population)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 1}, "population is an integer of at least 2, 1 was given"),
        ({"population": 40}, "population is below the budget, 40; 40 was given"),
        ({"batch": 0}, "batch is an integer of at least 1, 0 was given"),
    ],
)
def test_numbers_out_of_range_are_refused_in_one_sentence(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        NSGA2(problem(), **options)
