"""A budget in time: what runs is finished, nothing more is begun, and a run goes on when it is given more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from archpredict.errors import BudgetError
from archpredict.evaluators.base import Evaluator, Result
from archpredict.runs.directory import read_config
from archpredict.runs.history import History
from archpredict.runs.search import SearchResult, search
from archpredict.spaces.base import Architecture
from archpredict.testing.simulated import SimulatedWorkers
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()
HOUR = 3600.0


class Clock:
    """A clock that evaluations turn on."""

    def __init__(self) -> None:
        self.now = 1e6


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("archpredict.runs.history.time.perf_counter", lambda: clock.now)
    return clock


class AnHourEach(ToyEvaluator):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for result in super().evaluate(architectures):
            self.clock.now += HOUR
            yield result


class SideBySide(SimulatedWorkers):
    def __init__(self, clock: Clock) -> None:
        super().__init__(ToyEvaluator(), 3, lambda _: HOUR)
        self.real = clock

    def evaluate(self, architectures: Sequence[Architecture] | Iterator[Architecture]) -> Iterator[Result]:
        for result in super().evaluate(architectures):
            self.real.now = 1e6 + self.clock
            yield result


def run(evaluator: Evaluator, out: Path, **more: Any) -> SearchResult:
    options = {"predictor": "bayesian-ridge", "rounds": 2}
    given = {"strategy": "predictor-guided", "budget": 20, "seed": 1, "options": options, **more}
    return search(SPACE, evaluator, out=out, **given)


def recorded(out: Path) -> list[Result]:
    with History(out / "history.db") as history:
        return [arrival.result for arrival in history.arrivals(SPACE)]


def found(result: SearchResult) -> Any:
    return [(str(r.architecture), r.score) for r in result.top]


def test_a_run_that_is_given_its_time_in_parts_is_the_run_that_has_it_at_once(tmp_path: Path, clock: Clock) -> None:
    whole = run(AnHourEach(clock), tmp_path / "whole")
    first = run(AnHourEach(clock), tmp_path / "parts", hours=4.5)  # in the middle of a batch
    assert (first.queries, first.out_of_time) == (5, True)
    assert first.best.score == max(r.score for r in recorded(tmp_path / "parts") if r.score is not None)
    again = run(AnHourEach(clock), tmp_path / "parts", resume=True)
    assert (again.queries, found(again)) == (5, found(first)), "the time of a run is that of all its sessions"
    second = run(AnHourEach(clock), tmp_path / "parts", resume=True, hours=11)
    assert second.queries == 11
    assert read_config(tmp_path / "parts")["settings"]["hours"] == 11
    last = run(AnHourEach(clock), tmp_path / "parts", resume=True, hours=float("inf"))
    assert (last.queries, last.out_of_time) == (20, False)
    assert found(last) == found(whole)
    assert [r.architecture for r in recorded(tmp_path / "parts")] == [
        r.architecture for r in recorded(tmp_path / "whole")
    ]
    assert "hours" not in read_config(tmp_path / "parts")["settings"]


def test_what_runs_side_by_side_when_the_time_is_over_is_waited_for(tmp_path: Path, clock: Clock) -> None:
    result = run(SideBySide(clock), tmp_path, hours=2)
    assert result.queries == 3 + 3, "when the second hour is over, three have ended and three that were begun end"
    assert len({r.architecture.key for r in recorded(tmp_path)}) == result.queries
    assert run(SideBySide(clock), tmp_path, resume=True, hours=200).queries == 20


def test_the_budget_in_evaluations_holds_where_it_is_used_up_first(tmp_path: Path, clock: Clock) -> None:
    result = run(AnHourEach(clock), tmp_path, hours=100)
    assert (result.queries, result.out_of_time) == (20, False)


def test_there_is_always_one_evaluation(tmp_path: Path, clock: Clock) -> None:
    assert run(AnHourEach(clock), tmp_path, hours=1e-9).queries == 1


@pytest.mark.parametrize("hours", [0, -1.0, float("nan"), True, "3"])
def test_hours_that_are_none_are_refused(tmp_path: Path, hours: Any) -> None:
    with pytest.raises(BudgetError, match=r"hours, the budget in time, is a number above 0; .* was given"):
        run(ToyEvaluator(), tmp_path, hours=hours)
