"""Local search: climbing, local optima, new starts (the strategy contract is tested elsewhere)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archpredict.errors import UnknownNameError, UsageError
from archpredict.evaluators.base import Result
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem
from archpredict.strategies.local_search import LocalSearch
from archpredict.testing.strategies import drive, structures
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()


def score(architecture: Architecture) -> float:
    [result] = ToyEvaluator().evaluate([architecture])
    assert result.score is not None
    return result.score


def search(budget: int = 400, **options: Any) -> LocalSearch:
    strategy = LocalSearch(Problem(SPACE, budget), **options)
    drive(strategy, ToyEvaluator())
    return strategy


def neighbours(architecture: Architecture) -> list[Architecture]:
    return SPACE.architectures(SPACE.neighbours(architecture.choices))


def local_optima() -> set[str]:
    """Keys of the architectures of which no neighbour is better, by looking at the whole space."""
    everything = SPACE.architectures(SPACE.enumerate())
    return {a.key for a in everything if all(score(b) <= score(a) for b in neighbours(a))}


@pytest.mark.parametrize("move", ["best", "first"])
def test_it_stops_at_local_optima_and_nowhere_else(move: str) -> None:
    optima = local_optima()
    assert 1 <= len(optima) < 20
    for seed in range(5):
        strategy = search(100, seed=seed, move=move)
        assert strategy.optima
        assert {a.key for a in strategy.optima} <= optima


def test_a_budget_that_reaches_everything_finds_the_best() -> None:
    best = max(map(score, SPACE.architectures(SPACE.enumerate())))
    strategy = search(400)
    assert strategy.num_told == len({a.key for a in SPACE.architectures(SPACE.enumerate())})
    assert strategy.recommend(1)[0].score == best


@pytest.mark.parametrize("seed", range(5))
def test_the_steepest_climb_is_the_one_that_a_loop_over_the_table_finds(seed: int) -> None:
    strategy = LocalSearch(Problem(SPACE, 200), seed=seed, move="best")
    [place] = strategy.ask(200)
    strategy.tell([Result(place, score(place))])
    visited = [place]
    while not strategy.optima:
        around = strategy.ask(200)
        assert {a.key for a in around} <= {b.key for b in neighbours(place)}
        strategy.tell([Result(a, score(a)) for a in around])
        while any(score(b) > score(place) for b in neighbours(place)):
            place = max(neighbours(place), key=score)
            visited.append(place)
            if any(b.key not in strategy.seen for b in neighbours(place)):
                break
    assert score(strategy.optima[0]) == score(place)
    assert [score(a) for a in visited] == sorted({score(a) for a in visited})


def test_the_first_better_neighbour_is_the_next_place() -> None:
    climbs = 0
    for seed in range(5):
        strategy = LocalSearch(Problem(SPACE, 50), seed=seed)
        [place] = strategy.ask(50)
        strategy.tell([Result(place, score(place))])
        while not strategy.optima:
            [near] = strategy.ask(1)
            assert near.key in {b.key for b in neighbours(place)}
            strategy.tell([Result(near, score(near))])
            if score(near) > score(place):
                place, climbs = near, climbs + 1
        assert strategy.optima[0].key == place.key
    assert climbs >= 5


def test_a_start_is_the_best_of_so_many_that_have_a_label() -> None:
    strategy = LocalSearch(Problem(SPACE, 100), initial=4, move="best")
    first = strategy.ask(100)
    assert len(first) == 4
    strategy.tell([Result(first[0], None, error="it failed"), *(Result(a, score(a)) for a in first[1:])])
    [fourth] = strategy.ask(100)
    strategy.tell([Result(fourth, -100.0)])
    best = max(first[1:], key=score)
    assert {a.key for a in strategy.ask(100)} == {b.key for b in neighbours(best)} - set(strategy.seen) - {best.key}


def test_nothing_above_a_limit_is_a_neighbour() -> None:
    strategy = LocalSearch(Problem(SPACE, 60, limits={"params": 20.0}), initial=2)
    assert all(a.cost["params"] <= 20 for a in drive(strategy, ToyEvaluator()))


def test_neighbours_in_a_pool_are_its_nearest_members() -> None:
    pool = structures(60)
    strategy = LocalSearch(Problem(SPACE, 50, pool=pool), move="best")
    [place] = strategy.ask(50)
    strategy.tell([Result(place, score(place))])
    around = [sum(x != y for x, y in zip(a.choices, place.choices, strict=True)) for a in strategy.ask(50)]
    distances = np.sort((pool != np.array(place.choices)).sum(axis=1))[1:]
    assert len(around) == len(neighbours(place))
    assert sorted(around) == distances[: len(around)].tolist()


@pytest.mark.parametrize("move", ["best", "first"])
def test_results_alone_restore_a_run(move: str) -> None:
    whole = LocalSearch(Problem(SPACE, 60), seed=3, move=move)
    drive(whole, ToyEvaluator(), batch=1)
    for told in (0, 1, 17, 40):
        resumed = LocalSearch(Problem(SPACE, 60), seed=3, move=move)
        resumed.load_state_dict({}, whole.results[:told])
        drive(resumed, ToyEvaluator(), batch=1)
        assert resumed.seen == whole.seen
        assert resumed.optima == whole.optima


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"initial": 0}, UsageError, "initial is an integer of at least 1, 0 was given"),
        ({"move": "any"}, UnknownNameError, "unknown move 'any'; choose from: best, first"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LocalSearch(Problem(SPACE, 40), **options)
