"""``--html``: commands that write a page beside what they print, and what they print stays."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

ON_CELLS = ("--data", "cells.csv", "--target", "size")
RIDGE = ("--predictor", "gaussian-process", "--space", "nasbench201", *ON_CELLS, "--quiet")
EVIL = "<script>alert(1)<b>.onnx"


def data_of(path: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', Path(path).read_text(), re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_ranking_has_a_page_with_what_is_printed_and_the_command(cli: Any, ranker: Path, onnx_writer: Any) -> None:
    for depth in (1, 3, 5):
        onnx_writer(f"models/net{depth}.onnx", [16] * depth)
    Path(f"models/{EVIL}").write_text("no model")
    words = ("rank", "models", "--predictor", "ranker", "--at-most", "params=1e9")
    with_page = cli(*words, "--html", "page.html", "--json")
    assert with_page.exit_code == 1
    assert json.loads(with_page.stdout) == json.loads(cli(*words, "--json").stdout)
    text, data = Path("page.html").read_text(), data_of("page.html")
    assert "<script>alert" not in text
    assert [row[1] for row in data["sheets"][0]["rows"]] == ["net5.onnx", "net3.onnx", "net1.onnx"]
    assert data["sheets"][1]["rows"][0][0] == f"models/{EVIL}"
    assert data["galleries"] == [[0, 1, 2]]
    assert shlex.join(["archpredict", *words, "--html", "page.html", "--json"]) in text


def test_an_evaluation_has_a_page(cli: Any, table: Path) -> None:
    result = cli("evaluate", *RIDGE, "--train-sizes", "10,20", "--seeds", "2", "--html", "page.html", "--json")
    assert result.exit_code == 0, result.stderr
    told, data = json.loads(result.stdout), data_of("page.html")
    assert [row[:2] for row in data["sheets"][1]["rows"]] == [[10, 0], [10, 1], [20, 0], [20, 1]]
    curve = data["charts"][0]["traces"][0]
    assert curve["y"] == [size["mean"]["kendall_tau"] for size in told["sizes"]]
    assert told["sha256"] in Path("page.html").read_text()


def test_a_fitted_predictor_has_a_page_and_so_has_its_evaluation(cli: Any, table: Path) -> None:
    result = cli("fit", *RIDGE, "--folds", "2", "--out", "model", "--html", "card.html", "--json")
    assert result.exit_code == 0, result.stderr
    card, text = json.loads(result.stdout), Path("card.html").read_text()
    assert card["data_sha256"] in text
    assert "archpredict fit --predictor gaussian-process" in text
    assert sorted(path.name for path in Path("model").iterdir() if path.suffix == ".html") == []
    result = cli("evaluate", "--model", "model", *ON_CELLS, "--html", "page.html", "--json")
    figures = dict(data_of("page.html")["sheets"][0]["rows"])
    assert figures["tau"] == json.loads(result.stdout)["kendall_tau"]


@pytest.mark.parametrize("words", [("rank", "x.onnx"), ("evaluate", *RIDGE), ("fit", *RIDGE, "--out", "m")])
def test_a_page_that_cannot_be_written_is_one_sentence_before_anything_is_done(
    cli: Any, table: Path, words: tuple[str, ...]
) -> None:
    assert "the page is an HTML file; a.pdf was given: give a name that ends in .html" in cli.fails(
        *words, "--html", "a.pdf"
    )
    assert "there is no folder no to write a.html into; make it first" in cli.fails(*words, "--html", "no/a.html")
