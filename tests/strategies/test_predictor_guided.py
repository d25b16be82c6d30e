"""Predictor-guided search: what it evaluates with a predictor that knows (the contract is tested elsewhere)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from archpredict.errors import BudgetError, UnknownNameError, UsageError
from archpredict.evaluators.base import Result
from archpredict.predict.fine_tuned import FineTuned
from archpredict.predict.parts import Part
from archpredict.predict.predictor import Predictor
from archpredict.predict.presets import preset
from archpredict.predict.training.training import Training
from archpredict.progress import Event
from archpredict.spaces.base import Architecture, SearchSpace, load_space
from archpredict.strategies.base import Problem
from archpredict.strategies.predictor_guided import PredictorGuided
from archpredict.strategies.random import RandomSearch
from archpredict.strategies.rounds.candidates import InnerSearch
from archpredict.strategies.rounds.merge import distinct_first
from archpredict.testing.strategies import drive, structures, summary
from archpredict.testing.toys import ToyEvaluator, ToySpace


def truth(architectures: Sequence[Architecture]) -> np.ndarray:
    return np.array([r.score for r in ToyEvaluator().evaluate(architectures)], dtype=float)


class Knowing(BaseEstimator):
    """Predicts the true labels, times ``sign``; counts what it was fitted to and what it was asked for."""

    fitted: list[int]
    asked: list[int]

    def __init__(self, sign: float = 1.0, seed: int = 0) -> None:
        self.sign = sign
        self.seed = seed

    def fit(self, architectures: Sequence[Architecture], y: Any, observer: Any = None) -> Knowing:
        type(self).fitted.append(len(architectures))
        np.testing.assert_allclose(truth(architectures), y)
        return self

    def predict(self, architectures: Sequence[Architecture]) -> np.ndarray:
        type(self).asked.append(len(architectures))
        return self.sign * truth(architectures)

    def predict_std(self, architectures: Sequence[Architecture]) -> np.ndarray:
        return -1.5 * self.sign * truth(architectures)


@pytest.fixture(autouse=True)
def _fresh_counts() -> None:
    Knowing.fitted, Knowing.asked = [], []


def everything() -> list[Architecture]:
    """One architecture of each structure of the toy space, best first."""
    found = ToySpace().architectures(structures(1000))
    return [found[i] for i in np.argsort(-truth(found), kind="stable")]


def ones(architectures: Sequence[Architecture]) -> np.ndarray:
    return np.array([sum(c == 1 for c in a.choices) for a in architectures], dtype=float)


class LargeSpace(SearchSpace):
    """A space that is too large to enumerate: thirty choices of ten."""

    name = "large"
    num_choices = (10,) * 30

    def decode(self, choices: Sequence[int]) -> Any:
        return load_space("nasbench201").decode([c % 5 for c in choices[:6]])


def guided(budget: int = 24, **options) -> PredictorGuided:
    options = {"predictor": Knowing(), "initial": 0.5, "explore": 0.0, "rounds": 2, **options}
    return PredictorGuided(Problem(ToySpace(), budget), **options)


def first_round(strategy: PredictorGuided) -> list[Architecture]:
    """What is evaluated in the first round, once the random ones are told."""
    random = strategy.ask(100)
    strategy.tell([Result(a, float(y)) for a, y in zip(random, truth(random), strict=True)])
    return strategy.ask(100)


def test_a_predictor_that_knows_the_truth_finds_the_best_at_once() -> None:
    strategy = guided()
    asked = first_round(strategy)
    unseen = [a for a in everything() if a.key not in set(strategy.seen)]
    assert len(strategy.results) == 12
    assert len(asked) == 6
    assert truth(asked).max() == truth(unseen).max()
    # Of architectures that the predictor cannot tell apart one comes first, so six different scores are evaluated.
    np.testing.assert_allclose(truth(asked), np.unique(truth(unseen).round(9))[::-1][:6])


def test_labels_alone_decide_where_the_predictor_is_wrong() -> None:
    strategy = guided(predictor=Knowing(sign=-1.0))
    asked = first_round(strategy)
    unseen = [a for a in everything() if a.key not in set(strategy.seen)]
    assert truth(asked).min() == truth(unseen).min()
    drive(strategy, ToyEvaluator())
    labels = [r.score for r in strategy.results]
    assert strategy.recommend(1)[0].score == max(labels)


def test_each_round_fits_all_labels_so_far_with_a_seed_of_its_own() -> None:
    strategy = guided(budget=32, initial=0.25, rounds=3)
    given = strategy.settings.predictor
    drive(strategy, ToyEvaluator())
    assert Knowing.fitted == [8, 16, 24]
    assert given.seed == 0
    assert strategy.new_predictor(7).seed == 7


def test_a_share_of_each_round_but_the_last_is_random() -> None:
    best, mixed = guided(budget=40), guided(budget=40, explore=0.4)
    greedy, explored = first_round(best), first_round(mixed)
    assert explored[:6] == greedy[:6]
    assert len({a.key for a in explored} | set(mixed.seen)) == 30
    assert truth(explored[6:]).mean() < truth(greedy[6:]).mean()
    mixed.tell([Result(a, float(y)) for a, y in zip(explored, truth(explored), strict=True)])
    unseen = [a for a in everything() if a.key not in set(mixed.seen)]
    np.testing.assert_allclose(truth(mixed.ask(40)), np.unique(truth(unseen).round(9))[::-1][:10])


def test_a_batch_size_takes_the_place_of_the_number_of_rounds() -> None:
    drive(guided(budget=20, initial=0.5, batch=4), ToyEvaluator())
    assert Knowing.fitted == [10, 14, 18]


def test_a_failed_evaluation_is_not_learnt_from() -> None:
    strategy = guided(budget=20)
    random = strategy.ask(20)
    failed = [Result(random[0], None, error="it failed")]
    strategy.tell([*failed, *(Result(a, float(y)) for a, y in zip(random[1:], truth(random[1:]), strict=True))])
    assert Knowing.fitted == [9]
    assert random[0].key not in {a.key for a in strategy.ask(20)}


def test_labels_that_are_all_equal_guide_nothing() -> None:
    strategy = guided(budget=20)
    drive(strategy, ToyEvaluator(constant=1.0))
    assert Knowing.fitted == []
    assert strategy.num_told == 20


def test_a_small_space_is_scored_as_a_whole_and_a_large_one_by_as_many_candidates_as_were_given() -> None:
    first_round(guided())
    assert Knowing.asked == [len(everything())]
    for kind in ("random", "evolution"):
        Knowing.asked = []
        first_round(guided(inner=kind, candidates=60, population=20))
        assert 40 <= sum(Knowing.asked) <= 60


def test_the_inner_evolution_climbs_where_random_candidates_do_not() -> None:
    problem, parents = Problem(LargeSpace(), 10), np.zeros((1, 30), dtype=np.int64)
    best = {}
    for kind in ("evolution", "random"):
        inner = InnerSearch(problem, kind, candidates=600, population=20)
        scored = inner.run(lambda a: (ones(a), ones(a)), parents, np.random.default_rng(0))
        best[kind] = scored.merit.max()
        assert len(scored.architectures) == len({a.key for a in scored.architectures}) <= 600
        np.testing.assert_array_equal(scored.mean, ones(scored.architectures))
    assert best["evolution"] >= 18
    assert best["random"] <= 10


def test_an_inner_evolution_keeps_the_limits_and_ends_where_nothing_is_new() -> None:
    problem = Problem(ToySpace(), 10, limits={"params": 10.0})
    inner = InnerSearch(problem, "evolution", candidates=5000, population=20)
    scored = inner.run(lambda a: (truth(a), truth(a)), structures(4), np.random.default_rng(0))
    assert scored.architectures
    assert all(a.cost["params"] <= 10 for a in scored.architectures)


def test_separate_parts_each_give_their_best_so_that_the_second_best_of_all_may_wait() -> None:
    separate = guided(budget=40, rounds=1, separate=True)
    spread = first_round(separate)
    unseen = [a for a in everything() if a.key not in set(separate.seen)]
    assert len({a.key for a in spread}) == len(spread) == 20
    assert truth(spread).max() == truth(unseen).max()
    assert truth(spread).mean() < truth(unseen[:20]).mean()


def test_a_round_that_is_random_as_a_whole_is_no_obstacle() -> None:
    strategy = guided(budget=24, batch=1, explore=0.9, separate=True)
    assert len(drive(strategy, ToyEvaluator())) == 24


def test_predictions_are_judged_by_the_labels_that_follow() -> None:
    for sign in (1.0, -1.0):
        events: list[Event] = []
        drive(guided(budget=24, predictor=Knowing(sign=sign), observer=events.append), ToyEvaluator())
        assert [e.values["kendall_tau"] for e in events if e.stage == "judged"] == pytest.approx([sign])


def test_the_upper_confidence_bound_is_the_mean_and_one_standard_deviation() -> None:
    asked = first_round(guided(acquisition="ucb"))  # its merit is the truth times -0.5
    strategy = guided(acquisition="mean", predictor=Knowing(sign=-1.0))
    assert asked == first_round(strategy)


def test_thompson_sampling_differs_from_the_mean_and_between_seeds_and_not_between_equal_seeds() -> None:
    asked = [first_round(guided(acquisition="thompson", seed=seed)) for seed in (0, 0, 1)]
    assert asked[0] == asked[1]
    assert asked[0] != asked[2]
    assert asked[0] != first_round(guided())


def test_an_acquisition_with_uncertainty_says_so_where_the_predictor_has_none() -> None:
    strategy = guided(acquisition="ucb", predictor=Predictor(training=Training(epochs=1), ensemble=1, regressors={}))
    with pytest.raises(UsageError, match=r"\(predict_std\) needs an ensemble"):
        first_round(strategy)


def test_a_real_predictor_finds_the_best_architecture_of_a_small_space() -> None:
    strategy = PredictorGuided(Problem(ToySpace(), 60), predictor=Predictor(training=Training(epochs=40)), rounds=3)
    drive(strategy, ToyEvaluator())
    assert strategy.recommend(1)[0].score == pytest.approx(truth(everything()[:1])[0])


def test_outside_a_partial_table_architectures_are_recommended_by_prediction_and_marked() -> None:
    problem = Problem(ToySpace(), 20, pool=structures(200)[100:160])
    open_end = PredictorGuided(problem, predictor=Knowing(), rounds=2)
    drive(open_end, ToyEvaluator())
    first = open_end.recommend(1)[0]
    assert not first.evaluated
    assert first.score == pytest.approx(truth(everything()[:1])[0])
    within = PredictorGuided(
        Problem(ToySpace(), 20, pool=problem.pool, within_pool=True), predictor=Knowing(), rounds=2
    )
    drive(within, ToyEvaluator())
    assert within.recommend(1)[0].evaluated
    assert all(problem.is_labelable(r.architecture) for r in within.recommend(50))


def test_what_the_predictor_cannot_tell_apart_comes_after_what_it_can() -> None:
    candidates = [((0,), 0.5), ((1,), 0.5), ((2,), 0.4), ((3,), 0.4)]
    assert distinct_first(candidates) == [((0,), 0.5), ((2,), 0.4), ((1,), 0.5), ((3,), 0.4)]


def test_progress_tells_how_many_candidates_were_scored_and_what_is_expected() -> None:
    events: list[Event] = []
    drive(guided(observer=events.append), ToyEvaluator())
    searches = [e for e in events if e.stage == "inner search"]
    assert [e.values["candidates"] for e in searches] == [243, 243]
    assert searches[0].values["expected"] >= searches[1].values["expected"]


def test_a_queue_survives_a_checkpoint_without_another_fit() -> None:
    strategy = guided()
    asked = first_round(strategy)
    fits = len(Knowing.fitted)
    resumed = guided()
    resumed.load_state_dict(strategy.state_dict(), strategy.results)
    assert resumed.ask(100) == asked
    assert summary(resumed.recommend(5)) == summary(strategy.recommend(5))
    assert len(Knowing.fitted) == fits


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"preset": "gate"},
            "unknown preset 'gate'; choose from: default, front, gates, general-purpose, regression-nas, renas. Did",
        ),
        ({"round": 3}, "unknown option of predictor-guided 'round'.*Did you mean 'rounds'"),
        ({"inner": "sa"}, "unknown inner search 'sa'; choose from: all, auto, evolution, random"),
        ({"acquisition": "ei"}, "unknown acquisition 'ei'; choose from: mean, thompson, ucb"),
        ({"rounds": 0}, "rounds is an integer of at least 1, 0 was given"),
        ({"rounds": "3"}, "rounds is an integer of at least 1, '3' was given"),
        ({"candidates": 1.5}, "candidates is an integer of at least 1, 1.5 was given"),
        ({"initial": float("nan")}, "initial is a number above 0 and below 1, nan was given"),
        ({"explore": -0.1}, "explore is a number of at least 0 and below 1, -0.1 was given"),
        ({"separate": "yes"}, "separate is True or False, 'yes' was given"),
        ({"batch": 0}, "batch is an integer of at least 1, 0 was given"),
        ({"population": 3}, "population is an integer of at least 4, 3 was given"),
        ({"initial": 1.0}, "initial is a number above 0 and below 1, 1.0 was given"),
        ({"explore": 1.0}, "explore is a number of at least 0 and below 1, 1.0 was given"),
        (
            {"predictor": 3},
            "the predictor is a name, an unfitted Predictor, or a mapping of its arguments; 3 was given",
        ),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(options: dict, message: str) -> None:
    expected = UnknownNameError if message.startswith("unknown") else UsageError
    with pytest.raises(expected, match=message):
        PredictorGuided(Problem(ToySpace(), 50), **options)


def test_a_space_that_is_too_large_to_score_as_a_whole_is_refused() -> None:
    with pytest.raises(UsageError, match=r"inner='all' scores a whole space of at most 100,000 vectors.*'evolution'"):
        PredictorGuided(Problem(LargeSpace(), 50), predictor=Knowing(), inner="all")
    with pytest.raises(BudgetError, match="predictor-guided needs a budget of at least 8 evaluations, 3 was given"):
        PredictorGuided(Problem(ToySpace(), 3))


def general(predictor: Any) -> PredictorGuided:
    space = load_space("nasbench201")
    sizes = {"rounds": 2, "candidates": 20, "population": 8}
    return PredictorGuided(Problem(space, 12), preset="general-purpose", predictor=predictor, **sizes)


def test_the_preset_general_purpose_begins_with_the_encoder_that_ships() -> None:
    assert general("general-purpose").settings.predictor == "general-purpose"
    strategy = general(preset("general-purpose").make(training__epochs=1, device="cpu"))
    strategy.tell([Result(a, a.cost["params"]) for a in strategy.ask(12)])
    assert len(strategy.ask(12)) == 4


@pytest.mark.parametrize("name", ["regression-nas", "renas"])
def test_the_baselines_of_table_1_label_at_random_and_search_once(name: str) -> None:
    strategy = PredictorGuided(Problem(ToySpace(), 40), preset=name)
    assert strategy.settings.predictor == name
    strategy = PredictorGuided(Problem(ToySpace(), 40), preset=name, predictor=Knowing(), candidates=200)
    random = strategy.ask(40)
    assert [a.choices for a in random] == [a.choices for a in RandomSearch(Problem(ToySpace(), 40)).ask(36)]
    strategy.tell([Result(a, float(y)) for a, y in zip(random, truth(random), strict=True)])
    assert Knowing.fitted == [36]
    found = strategy.ask(40)
    assert len(found) == 4
    assert truth(found).min() >= np.quantile(truth(everything()), 0.9)


def test_what_was_learnt_from_other_labels_is_fine_tuned_in_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    space = load_space("nasbench201")
    arguments = {"encoder": Part("comp-graph", dim=8, layers=1), "sources": (), "regressors": None, "ensemble": 1}
    small = Predictor().set_params(**arguments, training__epochs=6, training__pretrain=0, device="cpu")
    cells = space.architectures(space.sample(16, np.random.default_rng(5)))
    origin = small.fit(cells, [cell.cost["params"] for cell in cells])
    before, tuned = origin.predict(cells), list[int]()
    fine_tune = Predictor.fine_tune

    def counted(self: Predictor, architectures: Any, *arguments: Any, **options: Any) -> Predictor:
        tuned.append(len(architectures))
        np.testing.assert_array_equal(self.predict(cells), before)
        return fine_tune(self, architectures, *arguments, **options)

    monkeypatch.setattr(Predictor, "fine_tune", counted)
    strategy = general(FineTuned(origin))
    while asked := strategy.ask(12):
        strategy.tell([Result(a, a.cost["params"]) for a in asked])
    assert tuned == [4, 8]
