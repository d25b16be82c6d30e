"""The README of a saved predictor: the hub's front matter, a page, and texts of strangers in both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from archpredict.predict.cards import fitted_card
from archpredict.predict.model_card import model_card
from archpredict.predict.predictor import Predictor
from archpredict.predict.storage import StoredPredictor
from archpredict.spaces.nasbench201 import NASBench201

CELLS = NASBench201().architectures(np.eye(6, dtype=int))
_TAGS = {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "pre", "code", "ul", "li"}


def parts(page: str) -> tuple[dict[str, Any], str]:
    """The front matter as YAML reads it, and the rest as Markdown shows it."""
    start, front, body = page.split("---\n", 2)
    assert not start
    html: str = MarkdownIt("commonmark").enable("table").render(body)
    return yaml.safe_load(front), html


@pytest.fixture
def ridge() -> Predictor:
    return Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(CELLS, range(6))


def test_the_card_says_what_it_is_learnt_from_how_good_it_is_and_how_to_load_it(
    ridge: Predictor, tmp_path: Path
) -> None:
    about = {"labels": "accuracy of cells.csv", "data": "cells.csv", "license": "Apache-2.0"}
    card = fitted_card(ridge, range(6), name="ridge", about=about, seconds=0.1)
    figures = {"cross_validation": {"parameters": {"kendall_tau": 0.5}, "ridge": {"kendall_tau": 0.7, "spearman": 0.8}}}
    ridge.save(tmp_path, {**card, **figures})
    front, html = parts((tmp_path / "README.md").read_text(encoding="utf-8"))
    assert (front["library_name"], front["license"], front["metrics"]) == (
        "archpredict",
        "apache-2.0",
        ["kendall_tau", "spearmanr"],
    )
    assert "nasbench201" in front["tags"]
    (model,) = front["model-index"]
    assert [metric["value"] for metric in model["results"][0]["metrics"]] == [0.7, 0.8]
    assert "<td>accuracy of cells.csv</td>" in html
    assert "<td>parameters</td>\n<td>0.5</td>\n<td></td>" in html
    assert "Predictor.load(" in html
    assert "Its labels are from 0 to 5" in html


def test_a_card_with_nothing_on_it_is_a_page_too() -> None:
    front, html = parts(model_card(StoredPredictor({}, {}, {}, {})))
    assert front.keys() == {"library_name", "pipeline_tag", "tags"}
    assert "No cross-validation has been kept" in html
    assert "archpredict.rank(" in html


@given(st.text(), st.text(), st.floats())
@example("---", "---\nlicense: mit\n---", 1e-9)
@example("a\n---\n# b", "x | y \\| `z` <script>alert(1)</script> [l](javascript:a)", float("nan"))
@example('" : {', "&amp; ![i](u) *b* _c_ $d$ ~~e~~", float("inf"))
def test_texts_of_strangers_break_neither_the_front_matter_nor_the_page(name: str, text: str, figure: float) -> None:
    card = {
        "predictor": name,
        "labels": text,
        "data": text,
        "license": text,
        "not_for": text,
        text: {name: [text]},
        "cross_validation": {text: {text: text}, name: {"kendall_tau": figure, name: text}},
    }
    front, html = parts(model_card(StoredPredictor({}, {}, card, {})))
    assert front.keys() <= {"library_name", "pipeline_tag", "tags", "license", "license_name", "metrics", "model-index"}
    assert front["library_name"] == "archpredict"
    assert set(re.findall(r"<(\w+)", html)) <= _TAGS
    assert (html.count("<h1>"), html.count("<h2>"), html.count("<table>"), html.count("<pre>")) == (1, 4, 2, 1)


def test_a_readme_of_someones_own_stays_and_ours_is_replaced(ridge: Predictor, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    ridge.save(tmp_path, {"labels": "first"})
    ridge.save(tmp_path, {"labels": "second"})
    assert "second" in readme.read_text()
    for own in ("my notes\n", readme.read_text().replace("# Written by", "# Once written by")):
        readme.write_text(own)
        ridge.save(tmp_path, {"labels": "third"})
        assert readme.read_text() == own
    assert Predictor.load(tmp_path).card_ == {"labels": "third"}


def test_a_predictor_is_read_whatever_its_readme_says(ridge: Predictor, tmp_path: Path) -> None:
    ridge.save(tmp_path)
    (tmp_path / "README.md").write_bytes(b"\xff\x00---")
    assert Predictor.load(tmp_path).predict(CELLS).tolist() == ridge.predict(CELLS).tolist()
    (tmp_path / "README.md").unlink()
    Predictor.load(tmp_path)
