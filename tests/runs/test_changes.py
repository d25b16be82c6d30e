"""A run whose budget has grown: what it asks for, what its record keeps, and what may not change."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from archpredict.errors import UsageError
from archpredict.evaluators.base import Result
from archpredict.registry import names, resolve
from archpredict.runs.directory import read_config
from archpredict.runs.history import History
from archpredict.runs.search import SearchResult, search
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Strategy
from archpredict.testing.strategies import SHORT, toy_space_for
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()


class Stopping(ToyEvaluator):
    """A toy evaluator whose process is interrupted when ``after`` results have been taken."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after
        self.asked: list[Architecture] = []

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for result in super().evaluate(architectures):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            self.asked.append(result.architecture)
            yield result


def settings_of(name: str) -> dict[str, Any]:
    strategy: type[Strategy] = resolve("strategies", name, Strategy)
    return {"strategy": strategy, "options": SHORT.get(name, {}), "seed": 2}


def outcome(result: SearchResult) -> dict[str, Any]:
    return {k: v for k, v in result.to_dict().items() if k not in ("seconds", "run_dir")}


def recorded(run: Path) -> list[Result]:
    with History(run / "history.db") as history:
        return list(history.results(SPACE).values())


@pytest.mark.parametrize("name", names("strategies"))
def test_a_run_of_16_goes_on_to_28_and_exactly_so_if_interrupted(tmp_path: Path, name: str) -> None:
    settings, space = settings_of(name), toy_space_for(resolve("strategies", name, Strategy))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    first = search(space, ToyEvaluator(), budget=16, out=whole, **settings)
    longer = search(space, more := Stopping(100), budget=28, out=whole, resume=True, **settings)
    assert (first.queries, longer.queries, len(more.asked)) == (16, 28, 12)
    assert len({r.architecture.key for r in recorded(whole)}) == 28

    search(space, ToyEvaluator(), budget=16, out=broken, **settings)
    kept = (broken / "best.json").read_text()
    with pytest.raises(KeyboardInterrupt):
        search(space, Stopping(7), budget=28, out=broken, resume=True, **settings)
    assert (broken / "best.json").read_text() == kept, "until the longer run ends, it says what it said"
    resumed = search(space, more := Stopping(100), out=broken, resume=True, **settings)
    assert outcome(resumed) == outcome(longer)
    assert len(more.asked) == 5
    assert [r.architecture for r in recorded(broken)] == [r.architecture for r in recorded(whole)]
    assert json.loads((broken / "best.json").read_text())["queries"] == 28


def test_a_run_that_grew_unfinished_is_learnt_again_from_its_record(tmp_path: Path) -> None:
    settings = settings_of("evolution")
    with pytest.raises(KeyboardInterrupt):
        search(SPACE, Stopping(13), budget=20, out=tmp_path, **settings)
    with pytest.raises(KeyboardInterrupt):
        search(SPACE, Stopping(17), budget=40, out=tmp_path, resume=True, **settings)
    (tmp_path / "checkpoint.safetensors").unlink()
    result = search(SPACE, more := Stopping(100), budget=50, out=tmp_path, resume=True, **settings)
    assert (result.queries, len(more.asked)) == (50, 20)
    config = read_config(tmp_path)
    assert config["changes"] == [
        {"evaluations": 13, "old": 20, "new": 40},
        {"evaluations": 30, "old": 40, "new": 50},
    ]
    assert config["settings"]["budget"] == 50


def test_a_longer_run_that_was_killed_before_its_result_was_written_writes_it(tmp_path: Path) -> None:
    settings = settings_of("random")
    search(SPACE, ToyEvaluator(), budget=16, out=tmp_path, **settings)
    shorter = (tmp_path / "best.json").read_text()
    longer = search(SPACE, ToyEvaluator(), budget=28, out=tmp_path, resume=True, **settings)
    (tmp_path / "best.json").write_text(shorter)
    assert outcome(search(SPACE, Stopping(0), out=tmp_path, resume=True, **settings)) == outcome(longer)
    assert json.loads((tmp_path / "best.json").read_text())["queries"] == 28


def test_a_budget_cannot_shrink_and_nothing_else_may_change(tmp_path: Path) -> None:
    settings = settings_of("random")
    search(SPACE, ToyEvaluator(), budget=16, out=tmp_path, **settings)
    with pytest.raises(UsageError, match="has a budget of 16 evaluations, 15 was given; the budget of a run can only"):
        search(SPACE, ToyEvaluator(), budget=15, out=tmp_path, resume=True, **settings)
    with pytest.raises(UsageError, match="another configuration: seed is 2 there and 3 now"):
        search(SPACE, ToyEvaluator(), budget=28, out=tmp_path, resume=True, **{**settings, "seed": 3})
    assert "changes" not in read_config(tmp_path)
