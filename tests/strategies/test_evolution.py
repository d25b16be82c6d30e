"""Regularised evolution: tournaments, ageing, mutants (the strategy contract is tested elsewhere)."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.evaluators.base import Result
from archpredict.strategies.base import Problem, Strategy
from archpredict.strategies.evolution import RegularizedEvolution, winner
from archpredict.strategies.random import RandomSearch
from archpredict.testing.strategies import drive, structures
from archpredict.testing.toys import ToyEvaluator, ToySpace


def labelled(n: int) -> list[Result]:
    """``n`` results of distinct architectures with labels 0, 1, 2, ..."""
    return [Result(a, float(i)) for i, a in enumerate(ToySpace().architectures(structures(n)))]


def told(results: list[Result], **arguments) -> RegularizedEvolution:
    strategy = RegularizedEvolution(Problem(ToySpace(), 40), **arguments)
    strategy.tell(results)
    return strategy


def distance(a, b) -> int:
    return sum(x != y for x, y in zip(a.choices, b.choices, strict=True))


def best_score() -> float:
    space = ToySpace()
    return max(r.score for r in ToyEvaluator().evaluate(space.architectures(space.enumerate())))


def test_the_winner_of_a_tournament_has_the_best_label_of_those_drawn() -> None:
    members = labelled(5)
    for seed in range(20):
        drawn = np.random.default_rng(seed).integers(5, size=3)
        assert winner(members, 3, np.random.default_rng(seed)).score == max(drawn)


def test_a_tournament_of_one_is_a_uniform_draw_and_a_large_one_always_finds_the_best() -> None:
    members, rng = labelled(4), np.random.default_rng(0)
    wins = np.bincount([int(winner(members, 1, rng).score) for _ in range(4000)], minlength=4)
    np.testing.assert_allclose(wins / 4000, 0.25, atol=0.03)  # 4 standard deviations
    assert {winner(members, 200, rng).score for _ in range(20)} == {3.0}


def test_the_child_is_the_winner_with_one_choice_changed() -> None:
    results = labelled(10)
    for seed in range(20):
        (child,) = told(results, seed=seed, population=10, tournament=10, batch=1).ask(1)
        mutants = [r for r in results if distance(child, r.architecture) == 1]
        assert mutants, "the child is no mutant of any member"
    strategy = told([*results[:1], Result(results[1].architecture, 100.0)], population=2, tournament=2)
    parents = [r.architecture for r in strategy.results]
    for seed in range(20):
        strategy.seed = seed
        strategy.tournament = 2
        (child,) = strategy.ask(1)
        assert min(distance(child, p) for p in parents) == 1


def test_only_the_best_member_has_children_when_the_tournament_never_misses_it() -> None:
    results = labelled(3)
    strategy = told(results, population=3, tournament=3)
    strategy.tournament = 500  # drawn with replacement: now the best is always among them
    for seed in range(20):
        strategy.seed = seed
        (child,) = strategy.ask(1)
        assert distance(child, results[2].architecture) == 1


def test_the_population_is_random_until_it_is_full_and_then_loses_its_oldest_member_good_or_bad() -> None:
    results = labelled(8)
    best_first = [Result(results[0].architecture, 1000.0), *results[1:]]
    strategy = RegularizedEvolution(Problem(ToySpace(), 40), population=5)
    assert len(strategy.ask(40)) == 5
    strategy.tell(best_first[:3])
    assert len(strategy.ask(40)) == 2
    strategy.tell(best_first[3:5])
    assert strategy.members() == best_first[:5]
    assert len(strategy.ask(40)) == 1
    strategy.tell(best_first[5:6])
    assert strategy.members() == best_first[1:6]
    assert strategy.recommend(1)[0].score == 1000.0


def test_failed_evaluations_are_no_members_and_are_made_up_for() -> None:
    results = labelled(5)
    failed = Result(results[0].architecture, None, error="it failed")
    strategy = told([failed, *results[1:]], population=5)
    assert strategy.members() == results[1:]
    assert len(strategy.ask(40)) == 1


def test_a_batch_holds_distinct_children() -> None:
    children = told(labelled(10), population=10, batch=6).ask(40)
    assert len({a.key for a in children}) == len(children) == 6
    assert not {a.key for a in children} & {r.architecture.key for r in labelled(10)}


def test_where_no_mutant_is_new_the_search_goes_on_at_random_to_the_last_architecture() -> None:
    space = ToySpace()
    everything = {a.key for a in space.architectures(space.enumerate())}
    strategy = RegularizedEvolution(Problem(space, len(everything) + 10), population=5, batch=20)
    assert {a.key for a in drive(strategy, ToyEvaluator())} == everything


def test_a_mutant_in_a_pool_is_its_nearest_new_member() -> None:
    pool = structures(60)
    problem = Problem(ToySpace(), 40, pool=pool)
    first = problem.space.architectures(pool[:2])
    strategy = RegularizedEvolution(problem, population=2, tournament=1)
    strategy.tell([Result(a, 1.0) for a in first])
    least = [min(distance(a, p) for a in problem.space.architectures(pool[2:])) for p in first]
    for seed in range(20):
        strategy.seed = seed
        (child,) = strategy.ask(1)
        assert any(distance(child, p) == d for p, d in zip(first, least, strict=True))


def test_it_finds_the_best_architecture_where_random_search_with_the_same_budget_misses_it() -> None:
    def found(kind: type[Strategy]) -> list[bool]:
        strategies = [kind(Problem(ToySpace(), 90), seed=seed) for seed in range(8)]
        for strategy in strategies:
            drive(strategy, ToyEvaluator())
        return [strategy.recommend(1)[0].score == pytest.approx(best_score()) for strategy in strategies]

    assert all(found(RegularizedEvolution))
    assert sum(found(RandomSearch)) <= 6


@pytest.mark.parametrize(("budget", "population"), [(1, 2), (10, 5), (20, 10), (50, 10), (200, 40)])
def test_the_population_is_a_fifth_of_the_budget_within_bounds(budget: int, population: int) -> None:
    strategy = RegularizedEvolution(Problem(ToySpace(), budget))
    assert (strategy.population, strategy.tournament) == (population, max(1, population // 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": 1}, "population is an integer of at least 2, 1 was given"),
        ({"population": 40}, "population is below the budget, 40; 40 was given"),
        ({"population": 9.5}, "population is an integer of at least 2, 9.5 was given"),
        ({"tournament": 0}, "tournament is an integer of at least 1, 0 was given"),
        ({"seed": -1}, "seed is an integer of at least 0, -1 was given"),
        ({"batch": "2"}, "batch is an integer of at least 1, '2' was given"),
        ({"population": 8, "tournament": 9}, "tournament is at most the population, 8; 9 was given"),
        ({"batch": 0}, "batch is an integer of at least 1, 0 was given"),
    ],
)
def test_numbers_out_of_range_are_refused_in_one_sentence(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RegularizedEvolution(Problem(ToySpace(), 40), **options)
