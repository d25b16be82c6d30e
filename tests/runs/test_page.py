"""Pages of runs: every value is the record's, whatever the run was, and a run is the same with and without."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.evaluators.base import Result
from archpredict.pages.page import html
from archpredict.pages.parts import Gallery
from archpredict.progress import Event
from archpredict.runs import live
from archpredict.runs.comparing import comparison_page, curve_of, grouped, paired
from archpredict.runs.history import HISTORY, History
from archpredict.runs.live import LivePage
from archpredict.runs.page import run_page
from archpredict.runs.record import RunRecord, read_record, space_of
from archpredict.runs.search import search
from archpredict.spaces.base import Architecture, load_space
from archpredict.testing.toys import ToyEvaluator, ToySpace
from tests.pages.browser import opened

SPACE = load_space("nasbench201")


def label(architecture: Architecture) -> float:
    if architecture.choices[0] == 0:
        raise ValueError("</script><b>it broke")
    return architecture.cost["params"] / 1e4 + sum(architecture.choices)


def a_run(folder: Path, strategy: str = "random", seed: int = 0, budget: int = 12, **more: Any) -> RunRecord:
    search(SPACE, label, strategy=strategy, seed=seed, budget=budget, out=folder, **more)
    return read_record(folder)


def data_of(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.draw
def test_every_value_on_the_page_is_that_of_the_history(tmp_path: Path, chromium: Any) -> None:
    search(SPACE, label, strategy="random", budget=40, out=tmp_path / "run")
    with History(tmp_path / "run" / HISTORY) as history:
        rows = history.rows()
    assert any(row["error"] for row in rows)
    with opened(tmp_path / "run" / "report" / "index.html", chromium) as page:
        data = json.loads(page.locator("#data").text_content())
        columns = page.locator("table").first.locator("thead button").all_inner_texts()
        shown = [
            dict(zip(columns, row.locator("td").all_inner_texts(), strict=False))
            for row in page.locator("tbody").first.locator("tr").all()
        ]
        assert (
            page.locator(".cards dd").first.inner_text() == f"{max(r['score'] for r in rows if r['error'] is None):.7g}"
        )
    names = data["items"]["names"]
    for row, facts, notation in zip(rows, data["items"]["facts"], data["items"]["notations"], strict=True):
        told = dict(zip(names, facts, strict=True))
        assert (told["score"], told["error"], told["seconds"]) == (row["score"], row["error"], row["seconds"])
        assert notation == row["architecture"]
        assert {name: told[name] for name in ("params", "macs", "flops")} == SPACE.from_text(notation).cost
    for row, cells in zip(rows[:25], shown, strict=True):
        assert int(cells["number"]) == row["number"] + 1
        assert (
            cells["score"] == "–"
            if row["score"] is None
            else float(cells["score"].replace(",", "")) == pytest.approx(row["score"], rel=1e-6)
        )
        assert row["architecture"].startswith(cells["architecture"][:20])
    (scores, best, failed) = data["charts"][0]["traces"]
    assert scores["y"] == [row["score"] for row in rows if row["error"] is None]
    assert best["y"][-1] == max(scores["y"])
    assert failed["x"] == [row["number"] + 1 for row in rows if row["error"]]
    assert data["reload"] is None


def test_a_run_that_goes_on_reads_itself_again_and_says_so(tmp_path: Path) -> None:
    record = a_run(tmp_path / "run")
    (tmp_path / "run" / "best.json").unlink()
    page = run_page(read_record(tmp_path / "run"), SPACE)
    assert page.reload_seconds
    assert page.subtitle.endswith("the run goes on")
    assert run_page(record).reload_seconds is None


def test_the_best_are_drawn_each_architecture_once(tmp_path: Path) -> None:
    record = a_run(tmp_path / "run", budget=30)
    page = run_page(record, SPACE)
    (gallery,) = next(section.parts for section in page.sections if section.title == "Best architectures")
    assert isinstance(gallery, Gallery)
    best = sorted({e.notation: e.score for e in record.evaluations if e.score is not None}.values(), reverse=True)
    assert [record.evaluations[i].score for i in gallery.items] == best[:12]
    assert len({page.items[i].notation for i in gallery.items}) == 12


def test_what_the_controller_and_the_predictor_did_has_its_charts(tmp_path: Path) -> None:
    record = a_run(tmp_path / "run")
    with History(tmp_path / "run" / HISTORY) as history:
        for step in range(1, 5):
            values = {"reward": 0.5, "entropy": 1.0, "baseline": 0.2 * step, "share:a": 0.25, "share:b": 0.75}
            history.add_event(step // 2, Event("controller", step, 4, values))
        history.add_event(3, Event("judged", 8, 10, {"kendall_tau": 0.5}))
        history.flush()
    record = read_record(tmp_path / "run")
    sections = {section.title: section for section in run_page(record, SPACE).sections}
    titles = [part.title for part in sections["Controller"].parts]  # type: ignore[union-attr]
    assert titles == [
        "Reward of the controller", "Entropy of the controller", "Baselines as the curriculum raised them",
        "Share of each operator in what the controller draws",
    ]  # fmt: skip
    assert "Prediction" in sections
    assert "Failures" in sections


def test_several_objectives_have_fronts_and_a_hypervolume(tmp_path: Path) -> None:
    def two(architecture: Architecture) -> dict[str, float]:
        return {"accuracy": float(sum(architecture.choices)), "latency": float(architecture.choices[0] + 1)}

    found = search(
        SPACE, two, strategy="random", budget=15, objectives=["accuracy", "latency:min"], out=tmp_path / "run"
    )
    assert found.volume is not None
    data = data_of(html(run_page(read_record(tmp_path / "run"), SPACE)))
    evaluated, front = data["charts"][0]["traces"]
    assert sorted(zip(front["y"], front["x"], strict=True)) == sorted(
        (r.values["accuracy"], r.values["latency"]) for r in found.front
    )
    assert len(evaluated["x"]) + len(front["x"]) == 15
    assert data["charts"][1]["traces"][0]["y"] == list(found.volume.over_evaluations)


def test_a_space_that_only_the_record_names_is_not_loaded(tmp_path: Path) -> None:
    search(ToySpace, ToyEvaluator(), strategy="random", budget=5, out=tmp_path / "run")
    record = read_record(tmp_path / "run")
    assert space_of(record) is None
    assert len(run_page(record).items) == 5


@pytest.mark.draw
def test_a_page_that_fails_costs_a_warning_and_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*anything: object) -> None:
        raise RuntimeError("no templates")

    monkeypatch.setattr(live, "write_run_page", broken)
    with pytest.warns(RuntimeWarning, match="could not be written: no templates"):
        result = search(SPACE, label, strategy="random", budget=9, out=tmp_path / "run")
    assert result.queries == 9


def test_a_live_page_passes_events_on_and_is_written_when_it_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run(tmp_path / "run")
    seen: list[Event] = []
    written: list[Path] = []
    monkeypatch.setattr(live, "write_run_page", lambda record, space, path, again: written.append(path))
    clock = [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])
    page = LivePage(tmp_path / "run", tmp_path / "report", SPACE, seen.append)
    for at in (1.0, 11.0, 20.0, 45.0):
        clock[0] = at
        page(Event("label", 1))
        for thread in threading.enumerate():
            if thread.name == "page of a run":
                thread.join()
    assert len(seen) == 4
    assert written == [tmp_path / "report" / "index.html"] * 2


# ---------------------------------------------------------------------- several runs


def of(scores: Iterable[float]) -> dict[object, float]:
    return dict(enumerate(scores))


def test_the_paired_test_is_that_of_all_sign_changes() -> None:
    assert paired(of([2, 3, 4]), of([1, 1, 1]), ("a", "b")).p == 0.25
    assert paired(of([1, 1]), of([1, 1]), ("a", "b")).p == 1.0
    assert paired(of([1]), of([0]), ("a", "b")).p is None
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 1, 8), rng.normal(0.5, 1, 8)
    signs = np.array(np.meshgrid(*[[1, -1]] * 8)).reshape(8, -1)
    means = np.abs(((one - other)[:, None] * signs).mean(axis=0))
    expected = np.mean(means >= abs((one - other).mean()) - 1e-12)
    assert paired(of(one), of(other), ("a", "b")).p == pytest.approx(expected)
    with pytest.raises(UsageError, match="have no seed in common"):
        paired({0: 1.0}, {1: 1.0}, ("a", "b"))


def test_runs_are_grouped_by_strategy_and_have_mean_and_deviation(tmp_path: Path) -> None:
    records = [a_run(tmp_path / f"{s}{n}", s, n, 10) for s in ("random", "evolution") for n in (0, 1, 2)]
    assert {name: [r.seed for r in runs] for name, runs in grouped(records).items()} == {
        "random": [0, 1, 2], "evolution": [0, 1, 2],
    }  # fmt: skip
    numbers, mean, std = curve_of(records[:3], 1)
    best = [
        [max(e.score for e in r.evaluations[: n + 1] if e.score is not None) for r in records[:3]] for n in range(9, 10)
    ]
    assert numbers.tolist() == list(range(1, 11))
    assert mean[-1] == pytest.approx(np.mean(best[0]))
    assert std[-1] == pytest.approx(np.std(best[0], ddof=1))
    page = comparison_page(records, SPACE)
    assert [section.title for section in page.sections] == ["Comparison", "Pairs", "Runs"]
    assert len(page.items) == 60
    assert data_of(html(page))["sheets"][0]["rows"][0][:3] == ["random", "evolution", 3]


def test_runs_that_are_not_comparable_are_refused(tmp_path: Path) -> None:
    search(ToySpace, ToyEvaluator(), strategy="random", budget=5, out=tmp_path / "toy")
    with pytest.raises(UsageError, match="2 different settings of the space, so their scores are not comparable"):
        comparison_page([a_run(tmp_path / "other"), read_record(tmp_path / "toy")])


def test_a_run_without_evaluations_has_a_page(tmp_path: Path) -> None:
    a_run(tmp_path / "run")
    with History(tmp_path / "run" / HISTORY) as history:
        history.forget(0)
        history.record(0, Result(SPACE.architecture((0,) * 6), None, "it broke"))
    record = read_record(tmp_path / "run")
    assert html(run_page(record, SPACE))
    assert html(comparison_page([record, record], SPACE))
