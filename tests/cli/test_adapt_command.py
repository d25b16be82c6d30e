"""``archpredict adapt`` as a user meets it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from archpredict.costs.adapted import AdaptedCost
from tests.cli.conftest import write_onnx

WIDTHS = (8, 16, 24, 32, 48, 64)


@pytest.fixture
def models(cli: Any) -> None:
    Path("nets").mkdir()
    for width in WIDTHS:
        write_onnx(Path("nets") / f"net{width}.onnx", [width, width])
    rows = [f"net{width}.onnx,{1000 / width}" for width in WIDTHS[:4]]
    Path("speed.csv").write_text("\n".join(["model,samples_per_sec", *rows]))


def test_models_that_were_not_measured_get_estimates(cli: Any, models: None) -> None:
    result = cli("adapt", "nets", "--costs", "speed.csv", "--json", "--save", "mine.safetensors", "--out", "all.csv")
    assert result.exit_code == 0, result.stderr
    shown = json.loads(result.stdout)
    assert (shown["column"], shown["left_out"]["models"], shown["failed"]) == ("samples_per_sec", 4, [])
    by_name = {Path(row["model"]).stem: row for row in shown["estimates"]}
    assert by_name["net8"]["measured"] == 125.0
    assert by_name["net64"]["measured"] is None
    assert by_name["net64"]["low"] < by_name["net64"]["estimate"] < by_name["net64"]["high"]
    assert by_name["net64"]["estimate"] < by_name["net48"]["estimate"] < 125
    assert AdaptedCost.load("mine.safetensors").name == "samples_per_sec"
    with open("all.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(WIDTHS)


def test_a_table_says_how_far_estimates_are_off(cli: Any, models: None) -> None:
    result = cli("adapt", "nets", "--costs", "speed.csv")
    assert result.exit_code == 0, result.stderr
    assert "samples_per_sec, by 4 measured models" in result.stdout
    assert "The measured models, each by the others:" in result.stderr


def test_a_file_that_cannot_be_read_does_not_hold_the_others(cli: Any, models: None) -> None:
    Path("nets/broken.onnx").write_bytes(b"no model")
    result = cli("adapt", "nets", "--costs", "speed.csv", "--json")
    assert result.exit_code == 1
    shown = json.loads(result.stdout)
    assert len(shown["estimates"]) == len(WIDTHS)
    assert "broken.onnx" in shown["failed"][0]["model"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--column", "energy"), "has no column 'energy'"),
        (("--where", "batch_size"), "rows are chosen by COLUMN=VALUE"),
        (("--where", "samples_per_sec=7"), "has no row with samples_per_sec=7"),
        (("--out", "speed.csv"), "speed.csv"),
    ],
)
def test_what_is_asked_wrongly_gets_one_sentence(
    cli: Any, models: None, options: tuple[str, ...], sentence: str
) -> None:
    result = cli("adapt", "nets", "--costs", "speed.csv", *options)
    assert result.exit_code in (1, 2)
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_too_few_measured_models_are_told(cli: Any, models: None) -> None:
    Path("few.csv").write_text("model,latency\nnet8.onnx,1\nnett16.onnx,2\n")
    result = cli("adapt", "nets", "--costs", "few.csv")
    assert result.exit_code == 2
    assert "few.csv: 1 of the 2 labels name one of the models" in result.stderr.replace("\n", " ")
