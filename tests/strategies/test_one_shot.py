"""One-shot strategies: a run that is killed while a supernet trains ends as one that never was, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.progress import Event
from archpredict.runs.history import History
from archpredict.runs.search import SearchResult, search
from archpredict.strategies.base import Problem
from archpredict.strategies.darts import DARTSSearch
from archpredict.strategies.enas import ENASSearch
from archpredict.testing.strategies import SHORT
from archpredict.testing.toys import ToyEvaluator, ToySpace

OneShot = type[ENASSearch] | type[DARTSSearch]
SPACE = ToySpace(networks=True)


class Killed(BaseException):
    """What nothing catches."""


class Watch:
    """Sees which epochs are trained, and ends the program in one of them."""

    def __init__(self, dies_in: int | None = None) -> None:
        self.dies_in, self.trained = dies_in, list[int]()

    def __call__(self, event: Event) -> None:
        if event.stage == "supernet epoch":
            self.trained.append(event.done)
            if event.done == self.dies_in:
                raise Killed


def run(kind: OneShot, options: dict[str, Any], out: Path, observer: Watch, resume: bool = False) -> SearchResult:
    options = {**SHORT[kind.name], "training": {"epochs": 4, "batch_size": 16}, **options}
    given: dict[str, Any] = {"strategy": kind, "budget": 4, "seed": 101, "options": options}
    return search(SPACE, ToyEvaluator(), **given, out=out, resume=resume, observer=observer)


def recorded(out: Path) -> list[Any]:
    with History(out / "history.db") as history:
        return [(told.event.stage, told.event.done, told.event.values) for told in history.events()]


@pytest.mark.parametrize(
    ("kind", "options"), [(ENASSearch, {"warmup": 0.3}), (DARTSSearch, {"order": 1}), (DARTSSearch, {"order": 2})]
)
def test_a_search_that_is_killed_in_two_epochs_ends_as_one_that_never_was(
    kind: OneShot, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[Any] = []
    rest = kind.rest

    def kept(self: Any, state: Any) -> None:
        rest(self, state)
        states.append(self.unfinished)

    monkeypatch.setattr(kind, "rest", kept)
    whole = run(kind, options, tmp_path / "whole", Watch())
    expected = states[-1]
    for dies_in, trained in ((2, [1, 2]), (4, [2, 3, 4])):
        watch = Watch(dies_in)
        with pytest.raises(Killed):
            run(kind, options, tmp_path / "killed", watch, resume=dies_in > 2)
        assert watch.trained == trained
    watch = Watch()
    resumed = run(kind, options, tmp_path / "killed", watch, resume=True)
    assert watch.trained == [4]
    assert_equal(states[-1], expected)
    assert [(r.architecture, r.score) for r in resumed.top] == [(r.architecture, r.score) for r in whole.top]
    assert recorded(tmp_path / "killed") == recorded(tmp_path / "whole")


@pytest.mark.parametrize("kind", [ENASSearch, DARTSSearch])
def test_what_another_version_left_unfinished_is_said_and_trained_again(kind: OneShot) -> None:
    whole, other = (kind(Problem(SPACE, 4), **SHORT[kind.name]) for _ in range(2))
    other.load_state_dict({"unfinished": {"training": {"tensors": {"weights": np.zeros(3)}, "epoch": 2}}}, [])
    with pytest.warns(RuntimeWarning, match="unfinished training of the supernet cannot be used .*; it begins again"):
        asked = other.ask(4)
    assert asked == whole.ask(4)
    assert other.state_dict().keys() == {"derived"}


def test_a_search_without_a_record_keeps_nothing_of_what_is_unfinished() -> None:
    strategy = ENASSearch(Problem(SPACE, 2), **SHORT["enas"])
    strategy.ask(1)
    assert strategy.save_now is None
    assert list(strategy.state_dict()) == ["derived"]


def assert_equal(found: Any, expected: Any) -> None:
    """The same to the last bit, but for how long it took."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            if name != "seconds":
                assert_equal(found[name], expected[name])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected, strict=True)
    else:
        assert found == expected
