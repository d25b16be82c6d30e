"""Somebody has decided what becomes of each operator of ONNX, and the documentation says what."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

from onnx import defs

from archpredict.graph.operators import OPERATORS
from archpredict.onnx.operators_table import NOT_OF_NETWORKS, operators_table

DOCS = Path(__file__).resolve().parents[2] / "docs"
TABLE = operators_table()


def _generator() -> Any:
    spec = importlib.util.spec_from_file_location("make_operators", DOCS / "make_operators.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_somebody_has_decided_about_each_operator_of_all_versions() -> None:
    known = {("" if s.domain == "ai.onnx" else s.domain, s.name) for s in defs.get_all_schemas_with_history()}
    assert sorted(known - TABLE.keys()) == [], "give these a rule, write them out, or say that no network has them"


def test_what_no_network_contains_has_no_rule() -> None:
    left = [operator for operators in NOT_OF_NETWORKS.values() for operator in operators]
    assert len(left) == len({*left})
    assert {*left} == {operator for operator, becomes in TABLE.items() if becomes == "unknown"}


def test_an_operator_becomes_a_label_or_a_few_words() -> None:
    words = ("written out", "walked through", "computed", "left out", "unknown")
    for operator, becomes in TABLE.items():
        labels = re.split(r", | or | and ", becomes)
        assert {*labels} <= {*OPERATORS} or becomes.startswith(words), operator


def test_the_page_is_what_the_tables_say() -> None:
    generator = _generator()
    assert generator.PAGE.read_text(encoding="utf-8") == generator.page(TABLE), "run 'make operators'"
