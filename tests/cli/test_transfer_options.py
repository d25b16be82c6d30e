"""What labels of other spaces say: the model that needs no label, and the flag that leaves them out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from archpredict.predict.predictor import Predictor
from archpredict.predict.universal import UniversalPredictor
from archpredict.spaces.base import Architecture

PROCESSES = ("--predictor", "gaussian-processes", "--quiet")


def test_cells_are_scored_without_a_label(cli: Any, table: Path, cells: list[Architecture]) -> None:
    words = ("predict", "--model", "universal", "--data", "cells.csv", "--out", "-", "--quiet")
    result = cli(*words, "--space", "nasbench201")
    scores = [float(row["score"]) for row in csv.DictReader(io.StringIO(result.stdout))]
    assert scores == pytest.approx(UniversalPredictor().predict(cells).tolist())
    assert "the model universal is of no space in particular; give --space" in cli.fails(*words)
    assert "the model universal gives scores and nothing else" in cli.fails("compare", "--model", "universal", "a", "b")


def test_a_fitted_predictor_names_what_it_has_learnt_from(cli: Any, table: Path) -> None:
    words = ("fit", "--space", "nasbench201", "--data", "cells.csv", "--target", "size", *PROCESSES)
    assert cli(*words, "--out", "with").exit_code == 0
    assert cli(*words, "--out", "without", "--no-transfer").exit_code == 0
    with_others, alone = Predictor.load("with"), Predictor.load("without")
    assert with_others.card_["transfer"]["left_out"] == ["nasbench201"]
    assert "darts" in with_others.transfer_["sources"]
    assert alone.card_["transfer"] == alone.transfer_ == {"sources": [], "left_out": []}


def test_cross_validation_names_it_too(cli: Any, table: Path) -> None:
    words = (
        "evaluate",
        "--space",
        "nasbench201",
        "--data",
        "cells.csv",
        "--target",
        "size",
        "--folds",
        "2",
        *PROCESSES,
    )
    assert json.loads(cli(*words, "--json").stdout)["transfer"]["left_out"] == ["nasbench201"]
    assert "too, not from nasbench201; --no-transfer leaves them out" in cli(*words).stderr
    assert json.loads(cli(*words, "--json", "--no-transfer").stdout)["transfer"]["sources"] == []


def test_a_search_keeps_it_in_its_record(cli: Any) -> None:
    words = ("search", "--space", "nasbench-macro", "--strategy", "predictor-guided", "--evaluator", "zero-cost:params")
    words = (*words, "--budget", "8", "--predictor", "bayesian-ridge", "--quiet")
    assert cli(*words, "--out", "with").exit_code == 0
    assert cli(*words, "--out", "without", "--no-transfer").exit_code == 0
    kept = [json.loads(Path(run, "config.json").read_text()) for run in ("with", "without")]
    assert kept[0]["other_labels"]["left_out"] == ["nasbench-macro"]
    assert kept[1]["other_labels"] == {"sources": [], "left_out": []}
    assert kept[1]["settings"]["options"]["transfer"] is False


def test_a_space_that_does_not_define_its_networks_says_what_is_still_possible(cli: Any, table: Path) -> None:
    toys = ("--space", "archpredict.testing.toys:ToySpace")
    Path("toys.csv").write_text('architecture\n"[1, 1, 1, 1, 1, 1]"\n')
    message = cli.fails("predict", "--model", "universal", *toys, "--data", "toys.csv", "--out", "x.csv")
    assert "the space toy does not define network(), by which universal compares it with others" in message
    assert "fit a predictor to labels of its architectures, which needs none" in message


def test_one_architecture_alone_has_a_score_as_the_space_is_what_it_is_held_against(
    cli: Any, cells: list[Architecture]
) -> None:
    Path("one.csv").write_text(f"architecture\n{cells[0]}\n")
    words = ("predict", "--model", "universal", "--space", "nasbench201", "--data", "one.csv", "--out", "-", "--quiet")
    score = float(cli(*words).stdout.splitlines()[1].rpartition(",")[2])
    assert score == pytest.approx(UniversalPredictor().predict(cells)[0])


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("divided", "is_said"), [(3, True), (0, False), (40, False)])
def test_labels_of_which_some_are_fractions_and_others_percent_are_named(
    cli: Any, cells: list[Architecture], divided: int, is_said: bool
) -> None:
    percent = [60 + 0.75 * i for i in range(40)]
    labels = [label / 100 if 10 <= i < 10 + divided else label for i, label in enumerate(percent)]
    if divided == 40:
        labels = [label / 100 for label in percent]
    Path("mixed.csv").write_text("\n".join(["architecture,y", *(f"{c},{y}" for c, y in zip(cells, labels))]))  # noqa: B905
    words = ("fit", "--space", "nasbench201", "--data", "mixed.csv", "--target", "y", "--out", "m", "--quiet")
    result = cli(*words, "--predictor", "bayesian-ridge")
    assert result.exit_code == 0
    assert ("3 of 40 values in 'y' are at most 1" in result.stderr) == is_said
