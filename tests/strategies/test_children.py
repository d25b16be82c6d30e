"""BANANAS and NPENAS: what are children, and which are labelled (the strategy contract is tested elsewhere)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from archpredict.errors import BudgetError, UnknownNameError, UsageError
from archpredict.evaluators.base import Result
from archpredict.predict.predictor import Predictor
from archpredict.predict.presets import preset
from archpredict.spaces.base import Architecture
from archpredict.strategies.bananas import Bananas
from archpredict.strategies.base import Problem
from archpredict.strategies.npenas import NPENAS
from archpredict.strategies.rounds.children import ChildrenStrategy
from archpredict.testing.strategies import drive, structures, summary
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()
KINDS = pytest.mark.parametrize("kind", [Bananas, NPENAS])


def truth(architectures: Sequence[Architecture]) -> np.ndarray:
    return np.array([r.score for r in ToyEvaluator().evaluate(architectures)], dtype=float)


class Knowing(BaseEstimator):
    """Predicts the true labels, with one standard deviation for all; counts the labels that it was fitted to."""

    fitted: list[int]

    def __init__(self, std: float = 0.0) -> None:
        self.std = std

    def fit(self, architectures: Sequence[Architecture], y: Any, observer: Any = None) -> Knowing:
        type(self).fitted.append(len(architectures))
        np.testing.assert_allclose(truth(architectures), y)
        return self

    def predict(self, architectures: Sequence[Architecture]) -> np.ndarray:
        return truth(architectures)

    def predict_std(self, architectures: Sequence[Architecture]) -> np.ndarray:
        return np.full(len(architectures), self.std)


@pytest.fixture(autouse=True)
def _fresh_counts() -> None:
    Knowing.fitted = []


def told(kind: type[ChildrenStrategy], budget: int = 40, **options: Any) -> ChildrenStrategy:
    """A strategy that has been told its random labels."""
    strategy = kind(Problem(SPACE, budget), **{"predictor": Knowing(), "initial": 10, "batch": 5, **options})
    random = strategy.ask(budget)
    assert len(random) == 10
    strategy.tell([Result(a, float(y)) for a, y in zip(random, truth(random), strict=True)])
    return strategy


def neighbours(architecture: Architecture) -> list[Architecture]:
    return SPACE.architectures(SPACE.neighbours(architecture.choices))


@KINDS
def test_those_labelled_next_are_the_best_children_of_the_best(kind: type[ChildrenStrategy]) -> None:
    strategy = told(kind, parents=2, children=1000)
    parents = sorted(strategy.results, key=lambda r: -(r.score or 0.0))[:2]
    mutants = {a.key: a for r in parents for a in neighbours(r.architecture) if a.key not in strategy.seen}
    # Mutants also come by redrawing what a mask forbids; here no change of one choice does that to another.
    asked = strategy.ask(40)
    assert {a.key for a in asked} <= set(mutants)
    best = np.sort(truth(list(mutants.values())))[::-1][:5]
    np.testing.assert_allclose(np.sort(truth(asked))[::-1], best)


@KINDS
def test_each_round_fits_all_labels_so_far(kind: type[ChildrenStrategy]) -> None:
    drive(told(kind, budget=24), ToyEvaluator())
    assert Knowing.fitted == [10, 15, 20]


@KINDS
def test_children_in_a_pool_are_members_that_are_near_their_parents(kind: type[ChildrenStrategy]) -> None:
    pool = structures(80)
    problem = Problem(SPACE, 30, pool=pool)
    strategy = kind(problem, predictor=Knowing(), initial=10, batch=5, parents=1, children=5)
    random = strategy.ask(30)
    strategy.tell([Result(a, float(y)) for a, y in zip(random, truth(random), strict=True)])
    parent = np.array(max(strategy.results, key=lambda r: r.score or 0.0).architecture.choices)
    others = np.array([a.choices for a in SPACE.architectures(pool) if a.key not in strategy.seen])
    nearest = np.sort((others != parent).sum(axis=1))[:5]
    assert sorted(int((np.array(a.choices) != parent).sum()) for a in strategy.ask(30)) == nearest.tolist()


@KINDS
def test_where_no_mutant_is_new_the_search_goes_on_at_random_to_the_last_architecture(
    kind: type[ChildrenStrategy],
) -> None:
    everything = {a.key for a in SPACE.architectures(SPACE.enumerate())}
    strategy = kind(Problem(SPACE, len(everything) + 5), predictor=Knowing(), batch=60, parents=1)
    assert {a.key for a in drive(strategy, ToyEvaluator())} == everything


def test_thompson_sampling_is_greedy_without_doubt_and_a_draw_for_each_child_with_it() -> None:
    greedy = told(NPENAS).ask(40)
    assert [a.choices for a in told(Bananas).ask(40)] == [a.choices for a in greedy]
    doubting = [told(Bananas, predictor=Knowing(std=5.0), seed=seed).ask(40) for seed in (0, 0, 1)]
    assert doubting[0] == doubting[1]
    assert truth(doubting[0]).mean() < truth(greedy).mean()
    assert doubting[0] != doubting[2]


def test_the_merit_is_the_mean_and_the_standard_deviation_times_a_normal_number() -> None:
    strategy, children = told(Bananas), SPACE.architectures(structures(50))
    mean = truth(children)
    merit = strategy._merit(Knowing(std=2.0), children, mean, np.random.default_rng(7))
    np.testing.assert_allclose(merit, mean + 2.0 * np.random.default_rng(7).standard_normal(50))


def test_the_predictors_are_those_of_the_publications() -> None:
    assert Bananas(Problem(SPACE, 20)).new_predictor(3).get_params()["sources"] == ("paths",)
    assert NPENAS(Problem(SPACE, 20)).new_predictor(3).get_params()["head__hidden"] == 32
    predictor = preset("bananas").make(training__epochs=30).fit(SPACE.architectures(structures(120)), np.arange(120.0))
    assert len(predictor.ensemble_.models) == 5
    assert (predictor.predict_std(SPACE.architectures(structures(150))) > 0).all()


@pytest.mark.parametrize(("kind", "name"), [(Bananas, "bananas"), (NPENAS, "npenas")])
def test_it_finds_the_best_architecture_of_a_small_space(kind: type[ChildrenStrategy], name: str) -> None:
    strategy = kind(Problem(SPACE, 60), seed=1, predictor=preset(name).make(training__epochs=40))
    drive(strategy, ToyEvaluator())
    assert strategy.recommend(1)[0].score == pytest.approx(truth(SPACE.architectures(SPACE.enumerate())).max())


@KINDS
def test_a_queue_survives_a_checkpoint_without_another_fit(kind: type[ChildrenStrategy]) -> None:
    strategy = told(kind)
    resumed = kind(Problem(SPACE, 40), predictor=Knowing(), initial=10, batch=5)
    resumed.load_state_dict(strategy.state_dict(), strategy.results)
    assert resumed.ask(40) == strategy.ask(40)
    assert summary(resumed.recommend(5)) == summary(strategy.recommend(5))
    assert Knowing.fitted == [10]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"preset": "ours"}, UnknownNameError, "unknown preset 'ours'; choose from: default"),
        ({"rounds": 3}, UnknownNameError, "unknown option of bananas 'rounds'"),
        ({"parents": 0}, UsageError, "parents is an integer of at least 1, 0 was given"),
        ({"children": 1.5}, UsageError, "children is an integer of at least 1, 1.5 was given"),
        ({"batch": 0}, UsageError, "batch is an integer of at least 1, 0 was given"),
        ({"initial": "few"}, UsageError, "initial is an integer of at least 1, 'few' was given"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Bananas(Problem(SPACE, 40), **options)


def test_a_predictor_without_standard_deviations_and_a_budget_that_is_too_small_are_refused() -> None:
    alone = Predictor(encoder="gcn", sources=(), ensemble=1, regressors=None).set_params(training__epochs=1)
    with pytest.raises(UsageError, match=r"\(predict_std\) needs an ensemble"):
        told(Bananas, predictor=alone)
    with pytest.raises(BudgetError, match="npenas needs a budget of at least 8 evaluations, 3 was given"):
        NPENAS(Problem(SPACE, 3))
