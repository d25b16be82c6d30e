"""Labels that a search knows from its start."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from archpredict.errors import DataError, UsageError
from archpredict.registry import names, resolve
from archpredict.runs.directory import read_config
from archpredict.runs.history import History
from archpredict.runs.search import SearchResult, search
from archpredict.strategies.base import Strategy
from archpredict.testing.strategies import SHORT, toy_space_for
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20 evaluations, two of which failed."""
    out = tmp_path_factory.mktemp("earlier") / "run"
    settings: dict[str, Any] = {"strategy": "random", "budget": 20, "seed": 1}
    search(SPACE, ToyEvaluator(), out=out.with_name("whole"), **settings)
    with History(out.with_name("whole") / "history.db") as history:
        failing = frozenset(r.architecture.key for r in list(history.results(SPACE).values())[3:5])
    search(SPACE, ToyEvaluator(failing=failing), out=out, **settings)
    return out


def keys(run: Path) -> list[str]:
    with History(run / "history.db") as history:
        return [r.architecture.key for r in history.results(SPACE).values()]


def outcome(result: SearchResult) -> dict[str, Any]:
    return {k: v for k, v in result.to_dict().items() if k not in ("seconds", "run_dir")}


@pytest.mark.parametrize("name", names("strategies"))
def test_what_is_known_costs_no_budget_and_is_not_asked_for(tmp_path: Path, earlier: Path, name: str) -> None:
    strategy: type[Strategy] = resolve("strategies", name, Strategy)
    settings: dict[str, Any] = {"strategy": strategy, "options": SHORT.get(name, {}), "start_from": [earlier]}
    space = toy_space_for(strategy)
    result = search(space, ToyEvaluator(), budget=12, out=tmp_path / "run", **settings)
    assert (result.queries, result.failed) == (12, 0)
    asked = keys(tmp_path / "run")
    assert len({*asked, *keys(earlier)}) == 32
    assert result.best.score is not None
    with History(earlier / "history.db") as history:
        known = [r.score for r in history.results(SPACE).values() if r.score is not None]
    assert result.best_evaluated is not None
    assert result.best_evaluated.score is not None
    assert result.best_evaluated.score >= max(known), "the best that is known may be recommended"
    longer = search(space, ToyEvaluator(), budget=16, out=tmp_path / "run", resume=True, **settings)
    assert longer.queries == 16
    (tmp_path / "run" / "checkpoint.safetensors").unlink()
    again = search(space, ToyEvaluator(), budget=17, out=tmp_path / "run", resume=True, **settings)
    assert again.queries == 17
    assert len({*keys(tmp_path / "run"), *keys(earlier)}) == 37


@pytest.mark.parametrize("name", ["nsga2", "predictor-guided"])
def test_with_several_objectives_the_known_front_is_gone_on_from(tmp_path: Path, name: str) -> None:
    settings: dict[str, Any] = {"objectives": ["score", "latency:min:20"], "budget": 12}
    first = search(SPACE, ToyEvaluator(), strategy="random", out=tmp_path / "first", **settings)
    options = SHORT.get(name, {})
    start = [tmp_path / "first"]
    result = search(SPACE, ToyEvaluator(), strategy=name, options=options, start_from=start, **settings)
    assert result.queries == 12
    values = [[r.values["score"], -r.values["latency"]] for r in result.front]
    for member in first.front:  # is on the front still, or beaten by another
        mine = (member.values["score"], -member.values["latency"])
        assert any(score >= mine[0] and latency >= mine[1] for score, latency in values)


def test_the_table_of_a_run_is_known_as_the_run_is(tmp_path: Path, earlier: Path) -> None:
    settings: dict[str, Any] = {"strategy": "evolution", "budget": 12}
    of_run = search(SPACE, ToyEvaluator(), start_from=earlier, out=tmp_path / "a", **settings)
    of_table = search(SPACE, ToyEvaluator(), start_from=earlier / "report" / "history.csv", **settings)
    assert outcome(of_run) == outcome(of_table)
    (kept,) = read_config(tmp_path / "a")["settings"]["start_from"]
    assert (kept["name"], kept["results"], len(kept["sha256"])) == ("run", 20, 64)
    with pytest.raises(UsageError, match="another configuration: start_from is"):
        search(SPACE, ToyEvaluator(), out=tmp_path / "a", resume=True, **settings)


def test_of_two_sources_that_disagree_the_first_counts_and_a_warning_says_by_how_much(
    tmp_path: Path, earlier: Path
) -> None:
    with open(earlier / "report" / "history.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["score"]]
    other = tmp_path / "other.csv"
    lines = [f'"{row["architecture"]}",{float(row["score"]) + 0.5 * (i < 2) * (i + 1)}' for i, row in enumerate(rows)]
    other.write_text("\n".join(["architecture,score", *lines]))
    settings: dict[str, Any] = {"strategy": "evolution", "budget": 12}
    with pytest.warns(RuntimeWarning, match=r"disagree about 2 architectures, by up to 1 and by 0\.75 on average"):
        both = search(SPACE, ToyEvaluator(), start_from=[earlier, other], **settings)
    assert outcome(both) == outcome(search(SPACE, ToyEvaluator(), start_from=[earlier], **settings))


def test_a_source_that_does_not_fit_is_one_sentence(tmp_path: Path, earlier: Path) -> None:
    with pytest.raises(UsageError, match=r"is of the space toy, the search is in nasbench201; start from runs of"):
        search("nasbench201", lambda a: 1.0, strategy="random", budget=4, start_from=earlier)
    with pytest.raises(DataError, match="missing"):
        search(SPACE, ToyEvaluator(), strategy="random", budget=4, start_from=tmp_path / "missing.csv")
    table = tmp_path / "table.csv"
    text = str(SPACE.architectures(SPACE.enumerate()[:1])[0])
    table.write_text(f'architecture,loss\n"{text}",3\n')
    with pytest.raises(DataError, match="has no column 'score'"):
        search(SPACE, ToyEvaluator(), strategy="random", budget=4, start_from=table)
    table.write_text(f'architecture,score,error\n"{text}",,broken\n')
    with pytest.raises(UsageError, match=r"nothing in .*table\.csv can be used to start from"):
        search(SPACE, ToyEvaluator(), strategy="random", budget=4, start_from=table)


def test_what_is_known_and_breaks_a_limit_is_not_recommended(earlier: Path) -> None:
    costs = [a.cost["params"] for a in SPACE.architectures(SPACE.enumerate())]
    limit = sorted(costs)[len(costs) // 2]
    result = search(
        SPACE, ToyEvaluator(), strategy="random", budget=6, limits={"params": limit}, start_from=earlier, top=50
    )
    assert result.queries == 6
    assert all(r.architecture.cost["params"] <= limit for r in result.top)
