"""A search with several objectives, and with limits that only an evaluation can check."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.errors import EvaluationError, UsageError
from archpredict.evaluators.base import Result
from archpredict.metrics.fronts import hypervolume, on_front
from archpredict.runs.history import History
from archpredict.runs.search import SearchResult, search
from archpredict.runs.volume import volume
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()
TWO = ("score", "latency:min")


class Unfinished(ToyEvaluator):
    """A toy evaluator whose process is interrupted when ``after`` results have been taken."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for result in super().evaluate(architectures):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            yield result


def outcome(result: SearchResult) -> dict[str, Any]:
    """Everything but how long it took and where."""
    return {k: v for k, v in result.to_dict().items() if k not in ("seconds", "run_dir")}


def recorded(out: Path) -> list[Result]:
    with History(out / "history.db") as history:
        return list(history.results(SPACE).values())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    out = tmp_path_factory.mktemp("whole") / "run"
    return search(SPACE, ToyEvaluator(), strategy="nsga2", budget=40, seed=1, objectives=TWO, out=out, top=4)


def test_the_front_is_what_nothing_that_was_evaluated_beats(run: SearchResult) -> None:
    assert run.run_dir is not None
    results = recorded(run.run_dir)
    values = np.array([[r.values["score"], -r.values["latency"]] for r in results])
    expected = {tuple(row) for row in values[on_front(values)].tolist()}
    assert {(r.values["score"], -r.values["latency"]) for r in run.front} == expected
    assert len(run.front) == len(expected)
    assert [r.score for r in run.front] == sorted((r.score for r in run.front), reverse=True)
    assert run.best is run.knee
    assert run.knee in run.front
    assert {str(r.architecture) for r in run.top} <= {str(r.architecture) for r in run.front}
    assert len(run.top) == min(4, len(run.front))


def test_the_record_holds_every_number_in_its_own_unit(run: SearchResult) -> None:
    assert run.run_dir is not None
    for result in recorded(run.run_dir):
        told = next(iter(ToyEvaluator().evaluate([result.architecture])))
        assert result.values == {"score": told.score, "latency": told.metadata["latency"]}
        assert result.score == told.score


def test_the_result_on_disk_holds_front_knee_and_hypervolume(run: SearchResult) -> None:
    assert run.run_dir is not None
    shown = json.loads((run.run_dir / "best.json").read_text())
    assert shown == run.to_dict()
    assert shown["objectives"] == ["score:max", "latency:min"]
    assert shown["best"] == shown["knee"]
    assert all(set(each["values"]) == {"score", "latency"} for each in [*shown["front"], *shown["top"]])
    found = shown["hypervolume"]
    results = recorded(run.run_dir)
    values = np.array([[r.values["score"], -r.values["latency"]] for r in results])
    worst = values.min(axis=0)
    assert found["reference"] == {"score": worst[0], "latency": -worst[1]}
    assert found["value"] == found["over_evaluations"][-1] == pytest.approx(hypervolume(values, worst))
    assert len(found["over_evaluations"]) == len(results) == 40
    assert found["over_evaluations"] == sorted(found["over_evaluations"])


def test_a_reference_that_is_given_is_taken() -> None:
    result = search(SPACE, ToyEvaluator(), strategy="random", budget=20, objectives=["score:max:-1", "latency:min:20"])
    assert result.volume is not None
    assert result.volume.reference == {"score": -1.0, "latency": 20.0}
    values = np.array([[r.values["score"], -r.values["latency"]] for r in result.front])
    assert result.volume.value == pytest.approx(hypervolume(values, [-1.0, -20.0]))


@pytest.mark.parametrize("strategy", ["random", "nsga2"])
@pytest.mark.parametrize("after", [0, 3, 11, 24])
def test_a_run_interrupted_anywhere_gives_the_same_result_when_resumed(
    tmp_path: Path, strategy: str, after: int
) -> None:
    def go(evaluator: ToyEvaluator, out: Path, resume: bool = False) -> SearchResult:
        limits = {"latency": 14.0}
        return search(
            SPACE, evaluator, strategy=strategy, budget=25, objectives=TWO, limits=limits, out=out, resume=resume
        )

    whole = go(ToyEvaluator(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        go(Unfinished(after), tmp_path / "run")
    assert outcome(go(ToyEvaluator(), tmp_path / "run", resume=True)) == outcome(whole)
    assert recorded(tmp_path / "run") == recorded(tmp_path / "whole")


def test_a_run_is_not_resumed_with_other_objectives(tmp_path: Path) -> None:
    search(SPACE, ToyEvaluator(), strategy="random", budget=5, objectives=TWO, out=tmp_path / "run")
    with pytest.raises(UsageError, match="latency:min"):
        search(
            SPACE, ToyEvaluator(), strategy="random", budget=5, objectives=["score", "latency:max"],
            out=tmp_path / "run", resume=True,
        )  # fmt: skip


@pytest.mark.draw
def test_the_report_has_the_front_the_hypervolume_and_a_column_for_each_number(tmp_path: Path) -> None:
    for objectives in (TWO, ("score", "latency:min", "params:min")):
        out = tmp_path / str(len(objectives))
        search(SPACE, ToyEvaluator(), strategy="random", budget=12, objectives=objectives, out=out)
        files = {file.name for file in (out / "report").iterdir()}
        assert files == {"index.html", "history.csv", "front.png", "hypervolume.png"}
        assert (out / "report" / "front.png").read_bytes().startswith(b"\x89PNG")
        with open(out / "report" / "history.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        results = recorded(out)
        assert [float(row["latency"]) for row in rows] == [r.values["latency"] for r in results]
        assert [float(row["score"]) for row in rows] == [r.score for r in results]
        assert ("params" in rows[0]) == (len(objectives) == 3)


def test_a_result_that_lacks_a_number_is_a_failed_evaluation() -> None:
    with pytest.raises(UsageError, match="nothing gives 'energy'"):
        search(SPACE, ToyEvaluator(), strategy="random", budget=9, objectives=["score", "energy:min"])

    def label(architecture: Architecture) -> dict[str, float]:
        told = next(iter(ToyEvaluator().evaluate([architecture])))
        assert told.score is not None
        more = {"latency": told.metadata["latency"]} if architecture.choices[3] else {"energy": 1.0}
        return {"score": told.score, **more}

    result = search(SPACE, label, strategy="random", budget=30, objectives=TWO)
    assert 0 < result.failed < 30
    assert all(r.architecture.choices[3] for r in result.front)


# -------------------------------------------------------------------------------------------------- limits


def test_a_limit_on_what_is_measured_holds_for_the_front_and_not_for_what_is_tried() -> None:
    result = search(SPACE, ToyEvaluator(), strategy="random", budget=30, objectives=TWO, limits={"latency": 9.0})
    assert 0 < len(result.front) < 30
    assert max(r.values["latency"] for r in [*result.front, *result.top]) <= 9.0


def test_of_an_objective_that_is_maximised_a_limit_is_the_smallest_value() -> None:
    result = search(SPACE, ToyEvaluator(), strategy="random", budget=30, objectives=TWO, limits={"score": 2.0})
    assert min(r.values["score"] for r in result.front) >= 2.0


def test_one_objective_may_have_a_limit_on_another_number() -> None:
    result = search(SPACE, ToyEvaluator(), strategy="nsga2", budget=40, limits={"latency": 9.0})
    assert result.best.values["latency"] <= 9.0
    assert (result.front, result.volume, result.objectives) == ((), None, ())
    assert result.best.score == max(r.score for r in result.top if r.score is not None)


def test_a_limit_on_a_cost_of_the_space_holds_before_anything_is_evaluated(tmp_path: Path) -> None:
    search(
        SPACE,
        ToyEvaluator(),
        strategy="nsga2",
        budget=30,
        objectives=TWO,
        limits={"params": 12.0},
        out=tmp_path / "run",
    )
    assert max(r.architecture.cost["params"] for r in recorded(tmp_path / "run")) <= 12.0


def test_where_nothing_keeps_the_limits_one_sentence_tells_what_came_nearest_and_the_record_stays(
    tmp_path: Path,
) -> None:
    with pytest.raises(EvaluationError, match=r"none of the 20 .*latency 0\.1, where the smallest was") as caught:
        search(
            SPACE, ToyEvaluator(), strategy="nsga2", budget=20, objectives=TWO, limits={"latency": 0.1},
            out=tmp_path / "run",
        )  # fmt: skip
    assert "\n" not in str(caught.value)
    results = recorded(tmp_path / "run")
    assert len(results) == 20
    nearest = min(r.values["latency"] for r in results)
    assert f"smallest was {nearest:g}" in str(caught.value)
    assert str(caught.value).endswith("what was evaluated is kept in the record")
    with pytest.raises(EvaluationError, match=r"or search longer$"):
        search(SPACE, ToyEvaluator(), strategy="random", budget=5, objectives=TWO, limits={"latency": 0.1})


def test_an_objective_that_is_equal_everywhere_is_pointed_out() -> None:
    with pytest.warns(RuntimeWarning, match=r"all 10 values of the objective 'score' are 0.5.*not weighed by it"):
        search(SPACE, ToyEvaluator(constant=0.5), strategy="random", budget=10, objectives=TWO)


# -------------------------------------------------------------------------------------------------- what does not fit


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"objectives": ["latency"]}, "'latency' has no direction"),
        ({"objectives": ["score", "latency:down"]}, "has the direction 'down'"),
        ({"objectives": ["score", "score:min"]}, "'score' was given twice"),
        ({"objectives": ["params:min"]}, "computes params without an evaluation, so there is nothing to search for"),
        ({"objectives": ["score", "energy:min"]}, "nothing gives 'energy'"),
        ({"limits": {"energy": 3.0}}, "has no cost 'energy' to limit"),
        ({"objectives": TWO, "limits": {"latency": "fast"}}, "the limit of 'latency' is a number, 'fast' was given"),
        ({"objectives": TWO, "limits": {"params": -1.0}}, r"no architecture of the space toy .*within the limits"),
        ({"objectives": TWO, "strategy": "evolution"}, "the strategy evolution has one objective"),
        ({"limits": {"latency": 9.0}, "strategy": "evolution"}, "the strategy evolution has one objective"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence_before_anything_is_evaluated(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        search(SPACE, ToyEvaluator(), **{"strategy": "random", "budget": 10, "out": tmp_path / "run", **given})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


# -------------------------------------------------------------------------------------------------- volume, old records


def test_the_volume_counts_neither_failures_nor_what_is_beyond_a_limit() -> None:
    problem = Problem(SPACE, 9, {"latency": 5.0}, objectives=["score:max:0", "latency:min:10"])
    told = [(1.0, 4.0), None, (9.0, 6.0), (2.0, 5.0)]
    results = [
        Result(a, None if v is None else v[0], values={} if v is None else {"score": v[0], "latency": v[1]})
        for a, v in zip(SPACE.architectures(SPACE.enumerate()[:4]), told, strict=True)
    ]
    found = volume(problem, results)
    assert found is not None
    assert list(found.over_evaluations) == [6.0, 6.0, 6.0, 11.0]
    assert volume(problem, results[1:2]) is None


def test_a_record_of_before_there_were_objectives_is_read_and_goes_on(tmp_path: Path) -> None:
    def go(resume: bool = False, budget: int = 12) -> SearchResult:
        return search(SPACE, ToyEvaluator(), strategy="random", budget=budget, out=tmp_path / "run", resume=resume)

    whole = go()
    path = tmp_path / "run" / "history.db"
    with sqlite3.connect(path) as db:  # as the first format was
        db.execute('ALTER TABLE evaluations DROP COLUMN "values"')
        db.execute("ALTER TABLE evaluations DROP COLUMN told")
        db.execute("DROP TABLE asks")
        db.execute("DELETE FROM evaluations WHERE number >= 7")
        db.execute("PRAGMA user_version = 1")
    db.close()
    for file in ("best.json", *(p.name for p in (tmp_path / "run").glob("checkpoint*"))):
        (tmp_path / "run" / file).unlink()
    assert outcome(go(resume=True)) == outcome(whole)
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
        assert {row[0] for row in db.execute('SELECT "values" FROM evaluations')} == {"{}"}
    db.close()
