"""The report: the figures the run has, and nothing that could cost a run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from archpredict.evaluators.base import Result
from archpredict.progress import Event
from archpredict.runs import report
from archpredict.runs.history import History
from archpredict.runs.report import write_report
from archpredict.runs.search import search
from archpredict.testing.toys import ToyEvaluator, ToySpace

pytestmark = pytest.mark.draw
SPACE = ToySpace()
PNG = b"\x89PNG"


def record(history: History, scores: list[float | None]) -> None:
    rows = SPACE.sample(len(scores), np.random.default_rng(0))
    for number, (architecture, score) in enumerate(zip(SPACE.architectures(rows), scores, strict=True)):
        history.record(number, Result(architecture, score, None if score is not None else "it broke"))


def test_evaluations_give_a_curve_and_a_table(tmp_path: Path) -> None:
    with History() as history:
        record(history, [None, 2.0, 1.0, 3.0])
        files = write_report(history, tmp_path / "report")
    assert [file.name for file in files] == ["history.csv", "best_so_far.png"]
    assert files[1].read_bytes().startswith(PNG)
    with open(files[0], newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["score"], row["best"], row["error"]) for row in rows] == [
        ("", "", "it broke"),
        ("2.0", "2.0", ""),
        ("1.0", "2.0", ""),
        ("3.0", "3.0", ""),
    ]
    assert all(SPACE.parse(row["architecture"]) for row in rows)


def test_training_and_tau_are_drawn_where_there_are_figures(tmp_path: Path) -> None:
    with History() as history:
        record(history, [1.0, 2.0])
        for round_ in (1, 2):
            history.add_event(round_, Event("comparator", 1, 1, {"kendall_tau": 0.5}))
            for step in (1, 2):
                history.add_event(round_, Event("controller", step, 2, {"reward": 0.5, "entropy": 1.0}))
        files = write_report(history, tmp_path)
    assert [f.name for f in files] == ["history.csv", "best_so_far.png", "training.png", "tau.png"]
    assert all(f.read_bytes().startswith(PNG) for f in files[1:])


def test_a_controller_that_reports_its_reward_alone_is_drawn(tmp_path: Path) -> None:
    with History() as history:
        record(history, [1.0])
        history.add_event(1, Event("controller", 1, 1, {"reward": 0.5}))
        assert (tmp_path / "training.png") in write_report(history, tmp_path)


def test_a_failing_picture_costs_a_warning_and_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*anything: object) -> Path:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(report, "_draw_best", broken)
    with pytest.warns(RuntimeWarning, match="could not be drawn: no fonts"):
        result = search(SPACE, ToyEvaluator(), strategy="random", budget=5, out=tmp_path / "run")
    assert result.queries == 5
    assert (tmp_path / "run" / "best.json").exists()
