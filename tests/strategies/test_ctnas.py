"""CTNAS: its presets, ablations, baselines and recommendations (the strategy contract is tested elsewhere)."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import BudgetError, UnknownNameError, UsageError
from archpredict.strategies._contrastive import Round
from archpredict.strategies._presets import PRESETS
from archpredict.strategies.base import Event, Problem
from archpredict.strategies.ctnas import CTNAS
from archpredict.testing.toys import ToyEvaluator, ToySpace

SMALL = {"predictor": {"epochs": 20}, "rounds": 2, "iterations": 20, "samples": 16, "derive": 32}
TINY = {"predictor": {"epochs": 2}, "iterations": 3, "derive": 8, "baseline_every": 2, "explore_every": 2}


def run(problem: Problem, **arguments) -> tuple[CTNAS, list[Event]]:
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
def test_every_preset_runs_with_every_ablation(preset: str, options: dict) -> None:
    strategy, events = run(Problem(ToySpace(), 20), preset=preset, **{**TINY, **options})
    assert strategy.num_told == 20
    assert {"comparator", "controller", "derive"} <= {e.stage for e in events}
    assert len(strategy.recommend(5)) == 5


def test_the_published_presets_label_everything_but_the_final_checks_at_random() -> None:
    strategy = CTNAS(Problem(ToySpace(), 100), preset="paper", device="cpu")
    assert len(strategy.ask(100)) == 90
    assert len(CTNAS(Problem(ToySpace(), 20), preset="repo", device="cpu").ask(100)) == 16


def test_progress_tells_reward_entropy_and_tau_on_held_out_labels() -> None:
    _, events = run(Problem(ToySpace(), 60), **SMALL, held_out=0.4)
    controller = [e for e in events if e.stage == "controller"]
    assert all(0 <= e.values["reward"] <= 1 and e.values["entropy"] >= 0 for e in controller)
    assert controller[-1].step == controller[-1].total == SMALL["iterations"]
    taus = [e.values["kendall_tau"] for e in events if "kendall_tau" in e.values]
    assert taus
    assert all(-1 <= tau <= 1 for tau in taus)


def make_round(**options) -> Round:
    space = ToySpace()
    labelled = Problem(space, 30).sample(30, np.random.default_rng(0))
    labels = np.array([r.score for r in ToyEvaluator().evaluate(labelled)], dtype=float)
    strategy = CTNAS(Problem(space, 40), device="cpu", **{**SMALL, **options})
    return Round(
        strategy.problem,
        strategy.settings,
        labelled,
        labels,
        seen=[a.key for a in labelled],
        baselines=[],
        rng=np.random.default_rng(1),
        observer=lambda event: None,
        device="cpu",
    )


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


def test_the_policy_learns_to_beat_the_baseline() -> None:
    rewards = []
    search = make_round(share=0.0, baseline="fixed", iterations=60)
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
        match=r"unknown preset 'papr'; choose from: default, paper, repo. Did you mean 'paper'",
    ):
        CTNAS(problem, preset="papr")
    with pytest.raises(UnknownNameError, match=r"unknown option of ctnas 'iteration'.*Did you mean 'iterations'"):
        CTNAS(problem, iteration=3)
    with pytest.raises(UsageError, match=r"at least 0 and below 1; 1.0 was given"):
        CTNAS(problem, share=1.0)
    with pytest.raises(UnknownNameError, match="unknown baseline 'best'; choose from: curriculum, fixed, random"):
        CTNAS(problem, baseline="best")
    with pytest.raises(BudgetError, match="the strategy ctnas needs a budget of at least 8 evaluations, 3 was given"):
        CTNAS(Problem(ToySpace(), 3))
