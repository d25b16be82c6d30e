"""The pictures and the table of evaluations that a run leaves in ``report/``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archpredict.backends import nothing_left_at_home
from archpredict.runs.history import History, RecordedEvent, running_best

__all__ = ["write_report"]

CONTROLLER = "controller"
"""Stage of the events whose reward and entropy are drawn."""

TAU = "kendall_tau"
"""Value of any event that is drawn over the number of labels."""

_COLUMNS = ("number", "architecture", "score", "best", "error", "seconds", "time", "metadata")


def write_report(history: History, folder: Path) -> list[Path]:
    """Write ``history.csv`` and the pictures that the run has figures for.

    Args:
        history: The record of the run.
        folder: Made where it is missing.

    Returns:
        The files, of ``history.csv``, ``best_so_far.png``, ``training.png``, ``tau.png``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, events = history.rows(), history.events()
    files = [_write_csv(rows, folder / "history.csv")]
    with nothing_left_at_home():
        files.append(_draw_best(rows, folder / "best_so_far.png"))
        training = [e for e in events if e.event.stage == CONTROLLER and {"reward", "entropy"} & set(e.event.values)]
        if training:
            files.append(_draw_training(training, folder / "training.png"))
        taus = [e for e in events if TAU in e.event.values]
        if taus:
            files.append(_draw_tau(taus, folder / "tau.png"))
    return files


def _write_csv(rows: Sequence[dict[str, Any]], path: Path) -> Path:
    best = running_best(row["score"] for row in rows)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        for row, best_so_far in zip(rows, best, strict=True):
            writer.writerow({**row, "best": "" if best_so_far != best_so_far else best_so_far})
    return path


def _draw_best(rows: Sequence[dict[str, Any]], path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    numbers = [row["number"] + 1 for row in rows]
    scored = [(n, row["score"]) for n, row in zip(numbers, rows, strict=True) if row["score"] is not None]
    axes.scatter([n for n, _ in scored], [score for _, score in scored], s=14, alpha=0.6, label="evaluation")
    axes.step(numbers, running_best(row["score"] for row in rows), where="post", color="C1", label="best so far")
    failed = [n for n, row in zip(numbers, rows, strict=True) if row["score"] is None]
    if failed:  # at the foot of the axes, whatever the scores are
        axes.plot(
            failed,
            [0] * len(failed),
            "x",
            color="C3",
            transform=axes.get_xaxis_transform(),
            clip_on=False,
            label="failed",
        )
    axes.set(xlabel="evaluations", ylabel="score", title="Best score so far")
    axes.legend(loc="lower right")
    return save_figure(figure, path)


def _draw_training(events: Sequence[RecordedEvent], path: Path) -> Path:
    figure = new_figure()
    lower, upper = figure.subplots(2, 1, sharex=True)[::-1]
    for axes, name in ((upper, "reward"), (lower, "entropy")):
        points = [(i, e.event.values[name]) for i, e in enumerate(events, start=1) if name in e.event.values]
        axes.plot([i for i, _ in points], [value for _, value in points], color="C0" if name == "reward" else "C2")
        axes.set_ylabel(name)
        for i in _round_starts(events):
            axes.axvline(i, color="0.8", linewidth=0.8, zorder=0)
    upper.set_title("Training of the controller")
    lower.set_xlabel("iterations" + (" (lines: a new round)" if _round_starts(events) else ""))
    return save_figure(figure, path)


def _draw_tau(events: Sequence[RecordedEvent], path: Path) -> Path:
    """The last value of each number of labels, over that number."""
    last = {e.round: e.event.values[TAU] for e in events}
    figure = new_figure()
    axes = figure.subplots()
    axes.plot(list(last), list(last.values()), marker="o")
    axes.set(
        xlabel="labels", ylabel="Kendall's tau", title="Rank correlation of predictions with the labels that followed"
    )
    axes.xaxis.get_major_locator().set_params(integer=True)
    return save_figure(figure, path)


def _round_starts(events: Sequence[RecordedEvent]) -> list[float]:
    rounds = [e.round for e in events]
    return [i + 0.5 for i in range(1, len(rounds)) if rounds[i] != rounds[i - 1]]


def new_figure() -> Any:
    """A figure that belongs to no window and to no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(7, 4), dpi=120, layout="constrained")


def save_figure(figure: Any, path: Path) -> Path:
    """Write a picture, all axes in one style."""
    for axes in figure.axes:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)  # a Figure without pyplot draws PNGs with Agg
    return path
