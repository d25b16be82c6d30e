"""ENAS: what it prefers, what it asks for, what a resumed run does not do again (its contract is tested elsewhere)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from archpredict.errors import UnknownNameError, UsageError
from archpredict.evaluators.base import Result
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.progress import Event
from archpredict.spaces.base import Architecture, SearchSpace
from archpredict.strategies.base import Problem
from archpredict.strategies.enas import ENASSearch
from archpredict.testing.strategies import SHORT
from archpredict.testing.toys import ToySpace

SPACE = ToySpace(networks=True)
DATASET = "archpredict.testing.toys:ToyImages"


class Blind(SearchSpace):
    """Two places, at each of which the image goes on or is lost."""

    name = "blind"
    num_choices = (2, 2)

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        ops = ["pass" if choice else "lose" for choice in choices]
        return ArchGraph(("input", *ops, "output"), tuple((i, i + 1) for i in range(3)))

    def network(
        self,
        choices: Sequence[int],
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
    ) -> ArchGraph:
        b = Builder((image_channels, image_size, image_size))
        x = b.input()
        for choice in choices:
            x = x if choice else b.zeros(x)
        return b.output(b.linear(x, num_classes)).graph()


def short(space: SearchSpace = SPACE, budget: int = 6, **options: Any) -> ENASSearch:
    return ENASSearch(Problem(space, budget), **{**SHORT["enas"], **options})


def choices(strategy: ENASSearch, n: int = 6) -> list[tuple[int, ...]]:
    return [a.choices for a in strategy.ask(n)]


def test_what_can_see_the_image_is_preferred_by_the_controller_and_asked_for_first() -> None:
    events: list[Event] = []
    training = {"epochs": 8, "batch_size": 16}
    strategy = short(Blind(), 8, training=training, warmup=0.5, steps=20, samples=4, observer=events.append)
    assert choices(strategy, 1) == [(1, 1)]
    reward = [e.values["reward"] for e in events if e.stage == "controller"]
    entropy = [e.values["entropy"] for e in events if e.stage == "controller"]
    assert len(reward) == 4
    assert reward[0] + 10 < reward[-1]
    assert entropy[-1] < entropy[0]


def test_it_searches_once_and_a_resumed_run_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy, searches = short(), list[int]()
    search = ENASSearch.search

    def counted(self: ENASSearch) -> list[Architecture]:
        searches.append(self.seed)
        return search(self)

    monkeypatch.setattr(ENASSearch, "search", counted)
    first = strategy.ask(2)
    strategy.tell([Result(a, 1.0) for a in first])
    then = strategy.ask(4)
    assert len(searches) == 1
    resumed = short()
    resumed.load_state_dict(strategy.state_dict(), strategy.results)
    assert resumed.ask(4) == then
    assert len(searches) == 1


def test_the_search_follows_from_the_seed_and_not_from_budget_or_labels() -> None:
    strategy, other = short(seed=4), short(seed=5)
    assert choices(strategy) == choices(short(seed=4)) == choices(short(seed=4, budget=60))
    assert choices(strategy) != choices(other)


def test_what_it_derives_is_in_the_order_of_accuracy_and_random_ones_follow() -> None:
    strategy = short(budget=30, derive=4)
    derived = strategy.search()
    assert len(derived) <= 4
    asked = strategy.ask(30)
    distinct = list({a.key: a for a in reversed(derived)}.values())[::-1]
    assert len(asked) == 30
    assert {a.key for a in asked[: len(distinct)]} == {a.key for a in derived}


def test_rewards_are_accuracies_on_batches_of_the_validation_split(monkeypatch: pytest.MonkeyPatch) -> None:
    from archpredict.strategies import enas

    given: list[float] = []
    of = enas._Rewards.of
    monkeypatch.setattr(enas._Rewards, "of", lambda self, rows: _kept(given, of(self, rows)))
    short().ask(1)
    assert given
    assert all(np.isclose(16 * reward, round(16 * reward)) for reward in given)  # of batches of 16


def _kept(given: list[float], rewards: np.ndarray) -> np.ndarray:
    given.extend(rewards.tolist())
    return rewards


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is an integer of at least 1, 0 was given"),
        ({"samples": 1.5}, "samples is an integer of at least 1, 1.5 was given"),
        ({"decay": 1}, "decay is a number of at least 0 and below 1, 1 was given"),
        ({"training": {"epochs": 0}}, "training: epochs is a number above 0, 0 was given"),
        ({"network": {"cells": 1}}, "networks of the space toy have no option 'cells'; they have: channels"),
        ({"network": {"channels": 2.5}}, "network: channels is a whole number, 2.5 was given"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        short(**options)


def test_an_unknown_data_set_and_a_space_without_networks_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="data set 'digit'"):
        short(dataset="digit")
    with pytest.raises(UsageError, match="toy"):
        short(ToySpace())
