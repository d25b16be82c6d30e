"""REINFORCE: the update, what is drawn, the pool, the state (the strategy contract is tested elsewhere)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from archpredict.errors import UsageError
from archpredict.evaluators.base import Result
from archpredict.progress import Event
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem
from archpredict.strategies.reinforce import Reinforce
from archpredict.testing.strategies import drive, structures
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()


def make(budget: int = 60, **options: Any) -> Reinforce:
    return Reinforce(Problem(SPACE, budget), **options)


def probabilities(strategy: Reinforce, architectures: list[Architecture]) -> np.ndarray:
    rows = np.array([a.choices for a in architectures])
    with torch.no_grad():
        return strategy.controller.policy.log_probs(rows)[0].exp().numpy()


def test_the_update_is_adam_on_the_gradient_of_reinforce() -> None:
    strategy, reference = make(batch=3, entropy_weight=0.02), make(batch=3).controller.policy
    optimizer = torch.optim.Adam(reference.parameters(), lr=0.01)
    baseline = None
    told: list[float] = []
    for scores in ([1.0, 2.0, 6.0], [3.0, 0.0, 2.0]):
        asked = strategy.ask(3)
        strategy.tell([Result(a, y) for a, y in zip(asked, scores, strict=True)])
        told += scores
        mean = float(np.mean(scores))
        reward = (np.array(scores) - (mean if baseline is None else baseline)) / np.std(told)
        baseline = mean if baseline is None else 0.9 * baseline + 0.1 * mean
        log_prob, entropy = reference.log_probs(np.array([a.choices for a in asked]))
        loss = -(log_prob * torch.tensor(reward, dtype=torch.float32)).mean() - 0.02 * entropy.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for one, two in zip(strategy.controller.policy.parameters(), reference.parameters(), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


def test_what_has_a_better_label_than_the_average_gets_likelier() -> None:
    strategy = make(batch=2, entropy_weight=0.0)
    good, bad = strategy.ask(2)
    before = probabilities(strategy, [good, bad])
    strategy.tell([Result(good, 1.0), Result(bad, 0.0)])
    after = probabilities(strategy, [good, bad])
    assert after[0] > before[0]
    assert after[1] < before[1]


def test_the_scale_of_the_labels_does_not_matter() -> None:
    asked = []
    for scale, shift in ((1.0, 0.0), (100.0, -7.0)):
        strategy = make(40, seed=2)
        while batch := strategy.ask(40):
            labels = [r.score for r in ToyEvaluator().evaluate(batch)]
            strategy.tell([Result(a, scale * y + shift) for a, y in zip(batch, labels, strict=True)])
        asked.append(strategy.seen)
    assert asked[0][:5] == asked[1][:5]
    assert len(set(asked[0]) & set(asked[1])) >= 35  # rounding may part them late


def test_failures_and_equal_labels_teach_nothing() -> None:
    strategy = make(entropy_weight=0.0)
    before = strategy.state_dict()["weights"]
    for score in (None, 1.0, 1.0):
        [architecture] = strategy.ask(1)
        strategy.tell([Result(architecture, score, error=None if score is not None else "it failed")])
        np.testing.assert_array_equal(strategy.state_dict()["weights"], before)


def test_it_finds_more_than_chance_does() -> None:
    def late(**options: Any) -> float:
        runs = [make(50, seed=seed, **options) for seed in range(4)]
        for run in runs:
            drive(run, ToyEvaluator())
        return float(np.mean([r.score for run in runs for r in run.results[20:]]))

    assert late() > late(learning_rate=1e-9)


def test_in_a_pool_members_are_drawn_with_the_probabilities_of_the_policy() -> None:
    pool = structures(12)
    problem = Problem(SPACE, 10, pool=pool)
    members = SPACE.architectures(pool)
    strategy = Reinforce(problem)
    strategy.controller.policy.out.bias.data[:3] = torch.tensor([2.0, 0.0, -2.0])
    counts = dict.fromkeys((a.choices for a in members), 0)
    for seed in range(800):
        strategy.seed = seed
        [drawn] = strategy.ask(1)
        counts[drawn.choices] += 1
    expected = probabilities(strategy, members)
    # Four standard errors of a frequency over 800 draws are at most 0.071.
    np.testing.assert_allclose(np.array(list(counts.values())) / 800, expected / expected.sum(), atol=0.071)


def test_where_the_policy_draws_nothing_new_the_search_goes_on_at_random_to_the_last_architecture() -> None:
    everything = {a.key for a in SPACE.architectures(SPACE.enumerate())}
    strategy = make(len(everything) + 10, batch=25, learning_rate=0.1, entropy_weight=0.0)
    assert {a.key for a in drive(strategy, ToyEvaluator())} == everything


def test_a_batch_holds_distinct_architectures() -> None:
    asked = make(batch=8).ask(60)
    assert len({a.key for a in asked}) == len(asked) == 8


def test_progress_tells_reward_and_entropy() -> None:
    events: list[Event] = []
    drive(make(12, batch=4, observer=events.append), ToyEvaluator())
    assert [(e.stage, e.done, e.total) for e in events] == [("controller", done, 12) for done in (4, 8, 12)]
    assert events[0].values["reward"] == pytest.approx(0, abs=1e-9)
    assert events[0].values["entropy"] == pytest.approx(6 * np.log(3), rel=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch is an integer of at least 1, 0 was given"),
        ({"hidden": 0}, "hidden is an integer of at least 1, 0 was given"),
        ({"learning_rate": 0.0}, "learning_rate is a finite number above 0, 0.0 was given"),
        ({"entropy_weight": -1.0}, "entropy_weight is a finite number of at least 0, -1.0 was given"),
        ({"decay": 1.0}, "decay is a number of at least 0 and below 1, 1.0 was given"),
    ],
)
def test_numbers_out_of_range_are_refused_in_one_sentence(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(**options)
