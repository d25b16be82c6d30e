"""``archpredict report-bug``: enough to reproduce, and nothing of the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from tests.cli.conftest import Commands


def test_versions_and_the_kind_of_machine_are_told(cli: Commands) -> None:
    found = json.loads(cli("report-bug", "--json").stdout)
    assert found["packages"]["torch"] == torch.__version__
    assert found["packages"]["numpy"] == np.__version__
    assert found["python"]
    assert "archpredict" in cli("report-bug").stdout


def test_of_a_run_only_what_the_package_knows_is_told(cli: Commands, table: Path) -> None:
    words = ("--space", "nasbench201", "--strategy", "random", "--data", str(table), "--target", "size")
    assert cli("search", *words, "--budget", "6", "--out", "secret-run", "--quiet").exit_code == 0
    text = cli("report-bug", "--run", "secret-run", "--json").stdout
    run = json.loads(text)["run"]
    assert (run["space"], run["strategy"], run["evaluator"], run["budget"]) == ("nasbench201", "random", "table", 6)
    assert (run["evaluations"], run["failed"]) == (6, 0)
    for own in ("secret", "cells", "size", str(Path.cwd())):
        assert own not in text


def test_a_class_of_ones_own_is_not_named(cli: Commands) -> None:
    Path("mine.py").write_text("from archpredict.testing.toys import ToyEvaluator as Secret, ToySpace as Hidden\n")
    words = ("--space", "mine.py:Hidden", "--strategy", "random", "--evaluator", "mine.py:Secret")
    assert cli("search", *words, "--budget", "6", "--out", "run", "--quiet").exit_code == 0
    text = cli("report-bug", "--run", "run").stdout
    assert "Hidden" not in text
    assert "Secret" not in text
    assert "mine" not in text


def test_what_is_no_run_is_said_in_a_sentence(cli: Commands) -> None:
    assert "there is no run" in cli.fails("report-bug", "--run", "nowhere")
