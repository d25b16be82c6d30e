"""CTNAS: its presets, ablations, baselines and recommendations (the strategy contract is tested elsewhere)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from archpredict._typing import BoolArray, IntArray
from archpredict.errors import BudgetError, UnknownNameError, UsageError
from archpredict.metrics import kendall_tau
from archpredict.predict.parts import Part
from archpredict.progress import Event
from archpredict.strategies.base import Problem
from archpredict.strategies.ctnas import CTNAS
from archpredict.strategies.rounds.ctnas_round import Round
from archpredict.strategies.rounds.ctnas_settings import PRESETS
from archpredict.testing.strategies import drive, label, saved_and_read
from archpredict.testing.toys import ToyEvaluator, ToySpace

ALONE: dict[str, Any] = {"sources": (), "ensemble": 1, "regressors": None}
SMALL: dict[str, Any] = {
    "predictor": {**ALONE, "encoder": Part("gcn", dim=32, layers=2), "training__epochs": 20},
    "rounds": 2,
    "iterations": 20,
    "samples": 16,
    "derive": 32,
}
SHORT: dict[str, Any] = {
    "predictor": {**ALONE, "training__epochs": 1},
    "iterations": 3,
    "explore_every": 2,
    "baseline_every": 2,
    "derive": 8,
}
TINY: dict[str, Any] = {**SHORT, "predictor": {**ALONE, "training__epochs": 2}}


def run(problem: Problem, **arguments: Any) -> tuple[CTNAS, list[Event]]:
    events: list[Event] = []
    strategy = CTNAS(problem, observer=events.append, device="cpu", **arguments)
    while batch := strategy.ask(problem.budget - strategy.num_told):
        results = {r.architecture: r for r in ToyEvaluator().evaluate(batch)}
        strategy.tell([results[a] for a in batch])
    return strategy, events


def best_score(space: ToySpace) -> float:
    return max(r.score for r in ToyEvaluator().evaluate(space.architectures(space.enumerate())) if r.score is not None)


def test_it_finds_the_best_architecture_of_a_small_space() -> None:
    strategy, _ = run(Problem(ToySpace(), 60), **SMALL)
    assert strategy.recommend(1)[0].score == pytest.approx(best_score(ToySpace()))


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("options", [{}, {"baseline": "fixed"}, {"baseline": "random"}, {"share": 0.0}, {"share": 0.8}])
def test_every_preset_runs_with_every_ablation(preset: str, options: dict[str, Any]) -> None:
    few = {"rounds": min(PRESETS[preset].rounds, 2)}
    strategy, events = run(Problem(ToySpace(), 20), preset=preset, **{**TINY, **few, **options})
    assert strategy.num_told == 20
    assert {"training", "controller", "derive"} <= {e.stage for e in events}
    assert len(strategy.recommend(5)) == 5


def test_the_published_presets_label_everything_but_the_final_checks_at_random() -> None:
    strategy = CTNAS(Problem(ToySpace(), 100), preset="paper", device="cpu")
    assert len(strategy.ask(100)) == 90
    assert len(CTNAS(Problem(ToySpace(), 20), preset="repo", device="cpu").ask(100)) == 16


def test_progress_tells_reward_and_entropy() -> None:
    _, events = run(Problem(ToySpace(), 60), **SMALL)
    controller = [e for e in events if e.stage == "controller"]
    assert all(0 <= e.values["reward"] <= 1 and e.values["entropy"] >= 0 for e in controller)
    assert controller[-1].done == controller[-1].total == SMALL["iterations"]


@pytest.mark.parametrize(
    ("budget", "options", "alone", "beside"),
    [
        (60, {}, [24, 42], [24, 42]),
        (100, {}, [40, 70], [24, 62]),
        (20, {}, [8, 14], [8, 14]),
        (250, {}, [100, 175], [60, 155]),
        (100, {"rounds": 1}, [90], [90]),  # the search of the publication
    ],
)
def test_side_by_side_rounds_begin_sooner(
    budget: int, options: dict[str, Any], alone: list[int], beside: list[int]
) -> None:
    def starts(at_a_time: int) -> list[int]:
        strategy = CTNAS(Problem(ToySpace(), budget), device="cpu", **{**TINY, "rounds": 2, **options})
        for architecture in strategy.ask(2)[:at_a_time]:
            strategy.begin([architecture])
        again = CTNAS(Problem(ToySpace(), budget), device="cpu", **{**TINY, "rounds": 2, **options})
        again.load_state_dict(saved_and_read(strategy.state_dict()), [])
        assert again.state_dict() == strategy.state_dict()
        found: list[int] = strategy.state_dict()["starts"]
        return found

    assert (starts(1), starts(2)) == (alone, beside)


def test_predictions_are_judged_by_the_labels_that_arrive_after_them() -> None:
    events: list[Event] = []
    strategy = CTNAS(Problem(ToySpace(), 60), observer=events.append, device="cpu", **SMALL, random_share=0.0)
    random = round(strategy.settings.first_share * 60)
    labels, predictions, taus = [], [], []
    while batch := strategy.ask(7):
        expected = {tuple(c): score for c, score in strategy.state_dict()["derived"]}
        results = label(ToyEvaluator(), batch)
        if strategy.num_told >= random:
            labels += [r.score for r in results]
            predictions += [expected[a.choices] for a in batch]
            taus += [kendall_tau(labels, predictions)] if len(labels) >= 8 else []
        strategy.tell(results)
    assert [e.values["kendall_tau"] for e in events if e.stage == "judged"] == pytest.approx(taus)
    assert len(taus) >= 4


def test_a_run_that_is_resumed_judges_as_if_it_had_not_been_interrupted() -> None:
    problem, whole, resumed = Problem(ToySpace(), 40), list[Event](), list[Event]()
    strategy = CTNAS(problem, observer=whole.append, device="cpu", **TINY, rounds=2)
    other = CTNAS(problem, observer=resumed.append, device="cpu", **TINY, rounds=2)
    before = None
    while batch := strategy.ask(10):
        strategy.tell(label(ToyEvaluator(), batch))
        if before is None and strategy.num_told >= 20:  # some predictions are judged, some are waiting
            other.load_state_dict(saved_and_read(strategy.state_dict()), list(strategy.results))
            before = len(whole)
    drive(other, ToyEvaluator(), 10)
    assert resumed == whole[before:]
    assert [e.stage for e in resumed].count("judged") >= 2


def test_a_state_of_before_predictions_were_judged_is_read() -> None:
    strategy = CTNAS(Problem(ToySpace(), 20), device="cpu", **TINY)
    state = strategy.state_dict()
    del state["judged"]
    strategy.load_state_dict(state, [])
    assert len(drive(strategy, ToyEvaluator())) == 20


def make_round(**options: Any) -> Round:
    space = ToySpace()
    labelled = Problem(space, 30).sample(30, np.random.default_rng(0))
    labels = np.array([r.score for r in ToyEvaluator().evaluate(labelled)], dtype=float)
    strategy = CTNAS(Problem(space, 40), device="cpu", **(options if "preset" in options else {**SMALL, **options}))
    return Round(
        strategy.problem,
        strategy.settings,
        strategy.new_predictor(0),
        labelled,
        labels,
        seen=[a.key for a in labelled],
        baselines=[],
        rng=np.random.default_rng(1),
        observer=lambda event: None,
    )


def watched(monkeypatch: pytest.MonkeyPatch, search: Round, method: str, look: Callable[[], Any]) -> list[Any]:
    """What ``look`` sees after each call of a method of the round."""
    seen: list[Any] = []
    original = getattr(search, method)

    def watching(*arguments: Any) -> Any:
        result = original(*arguments)
        seen.append(look())
        return result

    monkeypatch.setattr(search, method, watching)
    return seen


def test_the_curriculum_never_lowers_the_baseline_while_the_comparator_stands_still() -> None:
    search = make_round(share=0.0, baseline_every=2)
    search.run()
    strength = search.predictor.predict(search._pack(np.array(search.baselines)))
    assert len(strength) > 1
    assert (np.diff(strength) >= -1e-5).all()  # isomorphic baselines differ by rounding


def test_a_fixed_baseline_stays_and_a_random_one_changes() -> None:
    fixed, random = make_round(baseline="fixed"), make_round(baseline="random", baseline_every=1)
    fixed.run()
    random.run()
    assert len(fixed.baselines) == 1
    assert len(random.baselines) > 1


def test_derived_candidates_are_unseen_distinct_and_ordered_by_expected_score() -> None:
    search = make_round()
    derived = search.run()
    keys = [a.key for a in derived.candidates]
    assert len(set(keys)) == len(keys)
    assert not set(keys) & search.seen
    assert derived.scores == sorted(derived.scores, reverse=True)


def test_the_fixed_baseline_stays_in_later_rounds_too() -> None:
    strategy, _ = run(Problem(ToySpace(), 30), **{**TINY, "rounds": 3, "baseline": "fixed"})
    assert len(strategy._baselines) == 1


@pytest.mark.parametrize(
    ("preset", "first", "later"), [("repo", (512, 256), (200, 100)), ("paper", (100, 100), (100, 100))]
)
def test_the_published_presets_explore_as_published(
    preset: str, first: tuple[int, int], later: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    search = make_round(preset=preset, **SHORT)
    explored = watched(monkeypatch, search, "_explore", lambda: search._pseudo)
    search.run()
    sizes = [(len(pseudo.inputs), len(pseudo.target)) for pseudo in explored]
    assert sizes == [first, (first[0] + later[0], first[1] + later[1])]


@pytest.mark.parametrize(("preset", "expected"), [("paper", [1, 3]), ("repo", [1, 3]), ("default", [2])])
def test_the_published_presets_raise_the_baseline_after_the_first_update_and_ours_does_not(
    preset: str, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    search = make_round(preset=preset, **SHORT, share=0.0)
    updates = watched(monkeypatch, search, "_update_policy", lambda: None)
    raised_after = watched(monkeypatch, search, "_next_baseline", lambda: len(updates))
    search.run()
    assert raised_after == expected


class Branches(ToySpace):
    """The toy space without its chain, of which 9 architectures differ."""

    def mask(self, prefix: IntArray) -> BoolArray:
        legal = super().mask(prefix)
        if prefix.shape[1] >= 3:
            legal[:, 1:] = False
        return legal


def test_a_space_that_is_labelled_to_the_end_ends_the_run() -> None:
    space = Branches()
    distinct = len({a.key for a in space.architectures(space.enumerate())})
    strategy, _ = run(Problem(space, distinct + 20), **{**TINY, "rounds": 2})
    assert strategy.num_told == distinct
    assert strategy.recommend(1)[0].score == pytest.approx(best_score(space))


def test_the_policy_learns_to_beat_the_baseline() -> None:
    rewards: list[float | None] = []
    search = make_round(share=0.0, baseline="fixed", iterations=60)
    search.baselines = [
        search.labelled[int(np.argsort(search.labels)[-5])].choices
    ]  # one that few samples beat at first
    search.observer = lambda event: rewards.append(event.values.get("reward"))
    search.run()
    seen = [r for r in rewards if r is not None]
    assert np.mean(seen[-5:]) > np.mean(seen[:5]) + 0.1


def test_outside_a_partial_table_architectures_are_recommended_by_prediction_and_marked() -> None:
    space = ToySpace()
    pool = space.sample(60, np.random.default_rng(0))
    open_end, _ = run(Problem(space, 30, pool=pool), **SMALL)
    within, _ = run(Problem(space, 30, pool=pool, within_pool=True), **SMALL)
    problem = Problem(space, 30, pool=pool)
    for recommendation in open_end.recommend(20):
        labelled = problem.can_label(np.array([recommendation.architecture.choices]))[0]
        assert recommendation.evaluated or not labelled or recommendation.score is not None
    assert any(not r.evaluated for r in open_end.recommend(20))
    assert all(problem.can_label(np.array([r.architecture.choices]))[0] for r in within.recommend(20))


def test_wrong_options_are_refused_in_one_sentence() -> None:
    problem = Problem(ToySpace(), 50)
    with pytest.raises(
        UnknownNameError,
        match=r"unknown preset 'papr'; choose from: default, front, long, paper, repo. Did you mean 'paper'",
    ):
        CTNAS(problem, preset="papr")
    with pytest.raises(UnknownNameError, match=r"unknown option of ctnas 'iteration'.*Did you mean 'iterations'"):
        CTNAS(problem, iteration=3)
    with pytest.raises(UsageError, match=r"share is a number of at least 0 and below 1, 1.0 was given"):
        CTNAS(problem, share=1.0)
    with pytest.raises(UnknownNameError, match="unknown baseline 'best'; choose from: curriculum, fixed, random"):
        CTNAS(problem, baseline="best")
    with pytest.raises(UnknownNameError, match="unknown confidence 'high'; choose from: distance, probability"):
        CTNAS(problem, confidence="high")
    with pytest.raises(UnknownNameError, match=r"unknown argument of Predictor 'training__epoch'.*'training__epochs'"):
        CTNAS(problem, predictor={"training__epoch": 3})
    with pytest.raises(UsageError, match="rounds is an integer of at least 1, 0 was given"):
        CTNAS(problem, rounds=0)
    with pytest.raises(UsageError, match=r"first_share is a number above 0 and at most 1, 2.0 was given"):
        CTNAS(problem, first_share=2.0)
    with pytest.raises(BudgetError, match="the strategy ctnas needs a budget of at least 8 evaluations, 3 was given"):
        CTNAS(Problem(ToySpace(), 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"final": -5}, "final is an integer of at least 1, -5 was given"),
        ({"rounds": "3"}, "rounds is an integer of at least 1, '3' was given"),
        ({"rounds": True}, "rounds is an integer of at least 1, True was given"),
        ({"iterations": 2.5}, "iterations is an integer of at least 1, 2.5 was given"),
        ({"explore_first": -1}, "explore_first is an integer of at least 0, -1 was given"),
        ({"learning_rate": 0}, "learning_rate is a finite number above 0, 0 was given"),
        ({"explore_rate": float("inf")}, "explore_rate is a finite number above 0, inf was given"),
        ({"entropy_weight": float("nan")}, "entropy_weight is a finite number of at least 0, nan was given"),
        ({"first_share": 0}, "first_share is a number above 0 and at most 1, 0 was given"),
        ({"share": float("nan")}, "share is a number of at least 0 and below 1, nan was given"),
        ({"share": "half"}, "share is a number of at least 0 and below 1, 'half' was given"),
        ({"center": 1}, "center is True or False, 1 was given"),
        ({"betas": 0.9}, "betas are two numbers of at least 0 and below 1, 0.9 was given"),
        ({"betas": (0.9, 1.0)}, "each of betas is a number of at least 0 and below 1, 1.0 was given"),
        ({"baseline": None}, "unknown baseline 'None'"),
        ({"predictor": 3}, "the predictor is a name, an unfitted Predictor, or a mapping of its arguments; 3 was"),
        (
            {"predictor": LinearRegression()},
            "a Predictor can, LinearRegression was given; take the strategy predictor-",
        ),
        ({"held_out": -1.0}, "unknown option of ctnas 'held_out'"),
    ],
)
def test_options_out_of_their_range_are_refused_in_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CTNAS(Problem(ToySpace(), 50), **options)


_PRINTS_A_RUN = """
import torch
torch.set_num_threads(1)
from archpredict.strategies.base import Problem
from archpredict.strategies.ctnas import CTNAS
from archpredict.testing.strategies import SHORT, drive, summary
from archpredict.testing.toys import ToyEvaluator, ToySpace
strategy = CTNAS(Problem(ToySpace(), 24), seed=2**33, device="cpu", **SHORT["ctnas"])
print([a.choices for a in drive(strategy, ToyEvaluator())], summary(strategy.recommend(10)))
"""


@pytest.mark.slow
def test_the_order_in_which_python_hashes_texts_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    exec(_PRINTS_A_RUN, {})
    here = capsys.readouterr().out
    other = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    there = subprocess.run(
        [sys.executable, "-c", _PRINTS_A_RUN],
        env={**os.environ, "PYTHONHASHSEED": other},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert here == there
    assert here.startswith("[(")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_whole_search_on_cuda_finds_what_it_finds_on_the_cpu(preset: str) -> None:
    options = {**TINY, "predictor": {**ALONE, "training__epochs": 20}, "iterations": 10, "rounds": 2}
    asked, found = [], list[float]()
    for device in ("cpu", "cuda"):
        strategy = CTNAS(Problem(ToySpace(), 40), seed=1, device=device, preset=preset, **options)
        asked.append(drive(strategy, ToyEvaluator()))
        found.append(strategy.recommend(1)[0].score or 0.0)
    first = round(0.3 * 40)
    assert asked[0][:first] == asked[1][:first]
    # Rounding may change which of nearly equal candidates are labelled, and the order of few of them.
    assert len(set(asked[0]) & set(asked[1])) >= 0.8 * len(asked[0])
    assert found[1] == pytest.approx(found[0], abs=0.05 * abs(found[0]))


def test_the_default_comparator_alone_is_trained_for_the_epochs_of_the_settings() -> None:
    class OfItsOwn(ToySpace):
        predictor = "nac"

    assert CTNAS(Problem(ToySpace(), 20), epochs=7).new_predictor(0).training.epochs == 7
    assert CTNAS(Problem(OfItsOwn(), 20), epochs=7).new_predictor(0).training.epochs == 1000
    given = {"training__epochs": 9}
    assert CTNAS(Problem(ToySpace(), 20), epochs=7, predictor=given).new_predictor(0).training.epochs == 9
