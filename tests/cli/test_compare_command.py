"""``archpredict compare`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.predict.predictor import Predictor
from archpredict.spaces.base import Architecture, load_space


def test_json_has_the_probability_and_both_scores(cli: Any, model: Path, cells: list[Architecture]) -> None:
    a, b = str(cells[0]), str(cells[1])
    result = cli("compare", "--model", "model", a, b, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    shown = json.loads(result.stdout)
    predictor = Predictor.load("model")
    assert shown["probability"] == pytest.approx(predictor.compare(cells[0], cells[1]))
    assert shown["scores"] == pytest.approx(predictor.predict(cells[:2]).tolist())
    assert {name: shown[name] for name in ("model", "space", "architectures")} == {
        "model": "model", "space": "nasbench201", "architectures": [a, b],
    }  # fmt: skip


def test_the_other_order_has_the_other_probability(cli: Any, model: Path, cells: list[Architecture]) -> None:
    a, b = str(cells[0]), str(cells[1])
    p, q = (
        json.loads(cli("compare", "--model", "model", *pair, "--json").stdout)["probability"]
        for pair in ((a, b), (b, a))
    )
    assert p + q == pytest.approx(1)


def test_the_better_one_is_told_in_words(cli: Any, model: Path, cells: list[Architecture]) -> None:
    result = cli("compare", "--model", "model", str(cells[0]), str(cells[0]))
    assert "Probability that the first is better: 0.500" in result.stdout
    assert result.stdout.count(str(cells[0])) == 2


def test_a_shipped_predictor_is_known_by_name(cli: Any) -> None:
    space = load_space("darts")
    cell = space.format(space.sample(1, np.random.default_rng(0))[0].tolist())
    shown = json.loads(cli("compare", "--model", "darts-cifar10", cell, cell, "--json").stdout)
    assert shown["probability"] == pytest.approx(0.5)
    assert 80 < shown["scores"][0] < 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "model", "a", "b"), "'a' is no architecture of the space nasbench201: "),
        (("--model", "modle", "a", "b"), "unknown predictor 'modle'; choose from: darts-cifar10, imagenet."),
        (("--model", "model", "--space", "darts", "a", "b"), "was fitted on the space nasbench201, --space darts was"),
        (("--model", "model", "a"), "Missing argument 'ARCH'"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(cli: Any, model: Path, words: tuple[str, ...], message: str) -> None:
    assert message in cli.fails("compare", *words)


def test_a_model_that_reads_more_than_the_architecture_says_what(
    cli: Any, table: Path, cells: list[Architecture]
) -> None:
    small = ("--encoder", "gcn", "--epochs", "1", "--ensemble", "1", "--features", "proxy", "--quiet")
    cli("fit", "--space", "nasbench201", "--data", "cells.csv", "--target", "size", *small, "--out", "model")
    assert cli.fails("compare", "--model", "model", str(cells[0]), str(cells[1])) == (
        "Error: the model model also reads proxy, which two architectures alone do not tell; "
        "use archpredict predict with a table that has these columns"
    )
