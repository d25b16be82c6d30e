"""``archpredict explain`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from archpredict.explanations.changes import changes, differences
from archpredict.onnx.modules import exported
from archpredict.predict.predictor import Predictor
from archpredict.spaces.base import Architecture


@pytest.fixture
def files(cli: Any) -> list[str]:
    for name, width in (("small", 8), ("large", 32)):
        layers = nn.Conv2d(3, width, 3, stride=2), nn.ReLU(), nn.Conv2d(width, 2 * width, 3), nn.ReLU()
        module = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 1000))
        Path(f"{name}.onnx").write_bytes(exported(module.eval(), (torch.zeros(1, 3, 64, 64),)))
    return ["small.onnx", "large.onnx"]


def test_the_changes_of_a_cell(cli: Any, model: Path, cells: list[Architecture]) -> None:
    result = cli("explain", "--model", "model", str(cells[0]), "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    shown, found = json.loads(result.stdout), changes(Predictor.load("model"), cells[0])
    assert [step["gain"] for step in shown["changes"]] == pytest.approx([step.gain for step in found.steps])
    assert shown["changes"][0]["architecture"] == str(found.steps[0].architecture)
    told = cli("explain", "--model", "model", str(cells[0]), "--top", "3").stdout
    assert found.steps[2].what in told
    assert f"{len(found.steps) - 3} more with --top {len(found.steps)}" in told


@pytest.mark.parametrize("name", ["out.svg", "out.html"])
def test_changes_are_drawn_on_the_cell(cli: Any, model: Path, cells: list[Architecture], name: str) -> None:
    assert f"Drawn: {name}" in cli("explain", "--model", "model", str(cells[0]), "--out", name).stdout
    text = Path(name).read_text(encoding="utf-8")
    for step in changes(Predictor.load("model"), cells[0]).steps:
        assert step.at is not None
        assert f"{step.at.after} {step.gain:+.3g} ± {step.std:.2g}" in text
    two = cli("explain", "--model", "model", *map(str, cells[:2]), "--out", name, "--json")
    text = Path(name).read_text(encoding="utf-8")
    for each in json.loads(two.stdout)["differences"]:
        assert f"{each['after']} {each['gain']:+.3g}" in text


def test_what_makes_one_of_two_better(cli: Any, model: Path, cells: list[Architecture]) -> None:
    a, b = str(cells[0]), str(cells[1])
    shown = json.loads(cli("explain", "--model", "model", a, b, "--json").stdout)
    found = differences(Predictor.load("model"), cells[0], cells[1])
    assert [each["gain"] for each in shown["differences"]] == pytest.approx([each.gain for each in found])
    assert sum(each.gain for each in found) == pytest.approx(shown["scores"][0] - shown["scores"][1])
    assert "second → first" in cli("explain", "--model", "model", a, b).stdout


def test_what_a_model_s_score_is_made_of(cli: Any, files: list[str]) -> None:
    Path("labels.csv").write_text("model,score\nsmall,70\nlarge.onnx,75\n")
    known = ("--known", ".", "--labels", "labels.csv")
    shown = json.loads(cli("explain", files[1], *known, "--json").stdout)
    assert sum(part["gain"] for part in shown["contributions"]) == pytest.approx(shown["score"] - shown["reference"])
    assert [each["model"] for each in shown["nearest"]] == ["large.onnx", "small.onnx"]
    two = json.loads(cli("explain", files[1], files[0], "--json").stdout)
    assert two["score"] == pytest.approx(shown["score"])
    assert sum(part["gain"] for part in two["contributions"]) == pytest.approx(two["score"] - two["reference"])
    told = cli("explain", files[1], *known).stdout
    assert "Gains add up to the difference" in told
    assert "most like it" in told


def test_what_is_wrong_is_said(cli: Any, model: Path, files: list[str]) -> None:
    cell = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert "--model is missing" in cli.fails("explain", cell)
    assert "two of one kind" in cli.fails("explain", cell, "small.onnx", "--model", "model")
    assert "go together" in cli.fails("explain", "small.onnx", "--known", ".")
    assert "of ONNX models" in cli.fails("explain", cell, "--model", "model", "--known", ".", "--labels", "labels.csv")
    assert "archpredict draw" in cli.fails("explain", "small.onnx", "--out", "a.svg")
    assert ".svg, .png or .html" in cli.fails("explain", cell, "--model", "model", "--out", "a.txt")
    assert "Both are one architecture" in cli("explain", cell, cell, "--model", "model").stdout
    assert "'x' is no architecture" in cli.fails("explain", "x", "--model", "model")
    assert "read statistics and no graph" in cli.fails("explain", "small.onnx", "--model", "model")
