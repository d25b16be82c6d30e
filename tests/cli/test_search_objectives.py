"""``archpredict search`` with several objectives, as a user meets it."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from archpredict.metrics.fronts import on_front
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()
TOY = ("search", "--space", "archpredict.testing.toys:ToySpace", "--budget", "15")
TWO = ("--objective", "accuracy", "--objective", "latency:min")

PROGRAM = """
import json, sys
from archpredict.testing.toys import ToyEvaluator, ToySpace
architecture = ToySpace().from_text(sys.argv[1])
result = next(iter(ToyEvaluator().evaluate([architecture])))
print(json.dumps({"accuracy": result.score, **result.metadata}))
"""


@pytest.fixture
def data(cli: Any) -> Path:
    """``t.csv``: every architecture of the toy space with two numbers and a text."""
    with open("t.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["architecture", "accuracy", "latency", "note"])
        for result in ToyEvaluator().evaluate(SPACE.architectures(SPACE.enumerate())):
            writer.writerow([str(result.architecture), result.score, result.metadata["latency"], "none"])
    return Path("t.csv")


def shown(cli: Any, *words: str) -> dict[str, Any]:
    result = cli(*TOY, *words, "--json", "--quiet")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_two_columns_of_a_table_give_a_front(cli: Any, data: Path) -> None:
    found = shown(cli, "--strategy", "nsga2", "--data", "t.csv", *TWO)
    assert found["objectives"] == ["accuracy:max", "latency:min"]
    values = [[each["values"]["accuracy"], -each["values"]["latency"]] for each in found["front"]]
    assert len(values) >= 2
    assert on_front(values).all()
    assert found["best"] == found["knee"]
    assert len(found["hypervolume"]["over_evaluations"]) == 15
    assert json.loads(Path(found["run_dir"], "best.json").read_text()) == found
    with open(Path(found["run_dir"], "report", "history.csv"), newline="") as file:
        assert {"accuracy", "latency"} <= set(next(csv.DictReader(file)))


def test_a_target_alone_means_what_it_meant(cli: Any, data: Path) -> None:
    found = shown(cli, "--strategy", "random", "--data", "t.csv", "--target", "accuracy")
    assert not {"objectives", "front", "knee", "hypervolume"} & set(found)
    assert all(list(each) == ["architecture", "score", "evaluated", "costs"] for each in found["top"])


def test_a_target_may_stand_beside_objectives_that_name_it_or_others(cli: Any, data: Path) -> None:
    same = shown(cli, "--strategy", "random", "--data", "t.csv", "--target", "accuracy", *TWO)
    other = shown(cli, "--strategy", "random", "--data", "t.csv", *TWO)
    assert same["front"] == other["front"]
    found = shown(cli, "--strategy", "random", "--data", "t.csv", "--target", "accuracy", "--objective", "score",
                  "--objective", "latency:min")  # fmt: skip
    assert [each["values"]["score"] for each in found["front"]] == [e["values"]["accuracy"] for e in other["front"]]


def test_a_program_that_prints_several_numbers_gives_a_front(cli: Any) -> None:
    Path("program.py").write_text(PROGRAM)
    command = f"{sys.executable} program.py {{architecture}}"
    found = shown(cli, "--strategy", "random", "--command", command, *TWO, "--budget", "4")
    told = {str(r.architecture): r for r in ToyEvaluator().evaluate(SPACE.architectures(SPACE.enumerate()))}
    for each in found["front"]:
        result = told[each["architecture"]]
        assert each["values"] == {"accuracy": result.score, **result.metadata}


def test_a_cost_of_the_space_is_an_objective_beside_a_column(cli: Any, data: Path) -> None:
    found = shown(
        cli, "--strategy", "random", "--data", "t.csv", "--objective", "accuracy", "--objective", "params:min"
    )
    assert all(each["values"]["params"] == each["costs"]["params"] for each in found["front"])


def test_a_run_is_resumed_with_its_objectives(cli: Any, data: Path) -> None:
    whole = shown(cli, "--strategy", "nsga2", "--data", "t.csv", *TWO, "--limit", "latency=14", "--out", "run")
    Path("run/best.json").unlink()
    again = json.loads(cli("search", "--resume", "run", "--json", "--quiet").stdout)
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--objective", "accuracy", "--objective", "latency"], "the objective 'latency' has no direction"),
        (["--objective", "accuracy:best"], "a direction is min or max, as in accuracy:min"),
        (["--objective", "accuracy", "--objective", "latency:min:soon"], "its third part is a number"),
        (["--objective", "accuracy", "--objective", "energy:min"], "energy"),
        (["--objective", "accuracy", "--objective", "note:min"], "note"),
        (["--objective", "accuracy", "--objective", "accuracy:min"], "the objective 'accuracy' was given twice"),
        (["--objective", "params:min"], "there is nothing to search for; add an objective that an evaluation tells"),
        ([*TWO, "--limit", "params=-1"], "was found within the limits (params -1); the least among"),
        ([*TWO, "--strategy", "evolution"], "the strategy evolution has one objective"),
        (["--target", "accuracy", "--limit", "latency=3", "--strategy", "evolution"], "the strategy evolution has one"),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_exit_code_2(
    cli: Any, data: Path, words: list[str], message: str
) -> None:
    line = cli.fails(*TOY, "--strategy", "random", "--data", "t.csv", *words, "--out", "run", "--quiet")
    assert line.startswith("Error: ")
    assert message in line
    assert not Path("run").exists()


def test_a_limit_that_nothing_keeps_is_one_sentence_and_exit_code_1_and_the_record_stays(cli: Any, data: Path) -> None:
    words = ("--data", "t.csv", *TWO, "--limit", "latency=0.1", "--out", "run", "--quiet")
    result = cli(*TOY, "--strategy", "random", *words)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "none of the 15 architectures that were evaluated keeps the limits (latency 0.1" in line
    assert Path("run/history.db").is_file()
