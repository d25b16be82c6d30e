"""Objectives as they are written, and the numbers of evaluations that they are read from."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.evaluators.base import Evaluator, Result, as_evaluator
from archpredict.evaluators.objectives.measured import check_measured, measured, values_of
from archpredict.evaluators.objectives.objective import Objective, as_objectives
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()
A = SPACE.architecture([1, 0, 2, 0, 1, 2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy", Objective("accuracy")),
        ("accuracy:max", Objective("accuracy", "max")),
        (" latency : min ", Objective("latency", "min")),
        ("latency:min:2e1", Objective("latency", "min", 20.0)),
        ("params:max:-1", Objective("params", "max", -1.0)),
        ("top5_score", Objective("top5_score")),
    ],
)
def test_an_objective_is_a_name_a_direction_and_a_reference(text: str, expected: Objective) -> None:
    assert Objective.parse(text) == expected
    assert Objective.parse(str(expected)) == expected
    assert expected.sign == (1 if expected.direction == "max" else -1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latency", "'latency' has no direction and may be a cost; write latency:min where less is better"),
        ("edgegpu_energy", "'edgegpu_energy' has no direction"),
        ("Val.Loss", r"'Val.Loss' has no direction"),
        ("accuracy:up", "'accuracy' has the direction 'up'; a direction is min or max, as in accuracy:min"),
        ("accuracy:", "'accuracy' has the direction ''"),
        ("", "an objective without a name"),
        (":min", "an objective without a name"),
        ("latency:min:fast", "'latency:min:fast' ends in 'fast'; its third part is a number"),
        ("latency:min:nan", "'latency' has the reference nan; a reference is a finite number"),
        ("latency:min:1:2", "'latency:min:1:2' is no objective; write name, name:min, or name:min:20"),
    ],
)
def test_what_is_no_objective_is_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        Objective.parse(text)
    assert "\n" not in str(caught.value)


def test_objectives_are_given_as_texts_as_objects_or_alone() -> None:
    two = (Objective("accuracy"), Objective("latency", "min"))
    assert as_objectives(["accuracy", Objective("latency", "min")]) == two
    assert as_objectives("accuracy") == two[:1]
    assert as_objectives(two[0]) == two[:1]
    assert as_objectives(()) == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["accuracy", "accuracy:min"], "the objective 'accuracy' was given twice"),
        ([3], "3 was given as an objective; expected a text such as latency:min, or an Objective"),
    ],
)
def test_objectives_that_make_no_sense_together_are_refused(given: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        as_objectives(given)


# -------------------------------------------------------------------------------------------------- numbers of a result


def test_a_cost_comes_from_the_space_the_label_from_the_score_and_the_rest_from_the_metadata() -> None:
    result = Result(A, 2.5, metadata={"latency": 3, "params": 1e9, "score": 7.0, "note": "x", "big": float("inf")})
    names = ["params", "latency", "accuracy", "note", "big", "other"]
    assert values_of(result, names, ("accuracy",)) == {"params": A.cost["params"], "latency": 3.0, "accuracy": 2.5}
    assert values_of(Result(A, 1.0, metadata={"latency": True}), ["latency"], ()) == {}


def test_the_score_of_a_search_is_that_of_its_first_objective_more_is_better() -> None:
    objectives = as_objectives(["latency:min", "score"])
    result = measured(Result(A, 2.5, metadata={"latency": 3.0}), objectives, ["latency", "score"], ("score",))
    assert (result.score, result.values) == (-3.0, {"latency": 3.0, "score": 2.5})
    limited = measured(Result(A, 2.5, metadata={"latency": 3.0}), (), ["latency"], ("score",))
    assert (limited.score, limited.values) == (2.5, {"latency": 3.0})


def test_a_result_that_lacks_a_number_is_a_failed_one_that_says_what_there_is() -> None:
    result = measured(Result(A, 2.5, metadata={"energy": 3.0}), as_objectives(["latency:min"]), ["latency"], ("score",))
    assert result.score is None
    assert result.error == "the evaluator gave no finite number 'latency' but only: score, energy"
    failed = Result(A, None, error="it broke")
    assert measured(failed, as_objectives(["latency:min"]), ["latency"], ("score",)) is failed


def test_names_that_nothing_gives_are_refused_before_anything_is_evaluated() -> None:
    check_measured(["score", "latency", "params"], ToyEvaluator(), ["params"])
    message = "nothing gives 'energy': the evaluator toy gives score, latency, the space computes params"
    with pytest.raises(UsageError, match=message):
        check_measured(["score", "energy"], ToyEvaluator(), ["params"])


def test_of_an_evaluator_that_cannot_tell_beforehand_every_name_is_taken() -> None:
    check_measured(["whatever"], as_evaluator(lambda a: 1.0, SPACE), [])


# -------------------------------------------------------------------------------------------------- evaluators


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = SPACE.enumerate()[:5]
    with open(tmp_path / "t.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["architecture", "accuracy", "latency"])
        for i, a in enumerate(SPACE.architectures(rows)):
            writer.writerow([str(a), 90 + i, 10 - i])
    return tmp_path / "t.csv"


def first(evaluator: Evaluator) -> Result:
    return next(iter(evaluator.evaluate(SPACE.architectures(SPACE.enumerate()[:1]))))


def test_a_table_gives_the_first_number_as_its_label_and_the_others_beside_it(table: Path) -> None:
    evaluator = as_evaluator("table", SPACE, options={"data": str(table)}, measured=["accuracy", "latency"])
    assert (evaluator.label_names, evaluator.also_measures) == (("accuracy", "score"), ("latency",))
    assert (first(evaluator).score, first(evaluator).metadata) == (90.0, {"latency": 10.0})
    assert evaluator.describe()["features"] == ["latency"]


def test_a_target_of_a_table_stays_its_label(table: Path) -> None:
    evaluator = as_evaluator(
        "table", SPACE, options={"data": str(table), "target": "latency"}, measured=["accuracy", "score"]
    )
    assert (evaluator.label_names, evaluator.also_measures) == (("latency", "score"), ("accuracy",))
    assert (first(evaluator).score, first(evaluator).metadata) == (10.0, {"accuracy": 90.0})


def test_a_table_without_several_numbers_is_described_as_it_always_was(table: Path) -> None:
    evaluator = as_evaluator("table", SPACE, options={"data": str(table), "target": "accuracy"})
    assert "features" not in evaluator.describe()
    assert first(evaluator).metadata == {}


def test_a_column_that_a_table_lacks_is_answered_with_those_it_has(table: Path) -> None:
    with pytest.raises(UsageError, match=r"energy.*latency") as caught:
        as_evaluator("table", SPACE, options={"data": str(table)}, measured=["accuracy", "energy"])
    assert "\n" not in str(caught.value)


def test_a_program_prints_several_numbers_of_which_the_first_is_its_label() -> None:
    code = "import json; print(json.dumps(dict(accuracy=91.5, latency=4.25)))"
    evaluator = as_evaluator(
        "command", SPACE, options={"command": f'{sys.executable} -c "{code}"'}, measured=["accuracy"]
    )
    assert evaluator.label_names == ("accuracy",)
    assert evaluator.also_measures is None
    assert (first(evaluator).score, first(evaluator).metadata) == (91.5, {"latency": 4.25})
    assert evaluator.describe()["target"] == "accuracy"


def test_a_program_that_prints_other_numbers_gives_a_failed_result() -> None:
    code = "import json; print(json.dumps(dict(latency=4.25)))"
    evaluator = as_evaluator(
        "command", SPACE, options={"command": f'{sys.executable} -c "{code}"'}, measured=["accuracy"]
    )
    assert first(evaluator).score is None
    assert first(evaluator).error == "the program gave no 'accuracy' but only: latency"


def test_a_function_returns_several_numbers_of_which_the_first_is_its_label() -> None:
    def label(architecture: Any) -> dict[str, Any]:
        return {"accuracy": np.float32(91.5), "latency": 4}

    evaluator = as_evaluator(label, SPACE, measured=["accuracy", "latency"])
    assert evaluator.label_names == ("accuracy",)
    assert (first(evaluator).score, json.loads(json.dumps(first(evaluator).metadata))) == (91.5, {"latency": 4})
