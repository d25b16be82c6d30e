"""The pictures and the table of evaluations that a run leaves in ``report/``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from archpredict.backends import nothing_left_at_home
from archpredict.evaluators.base import Result
from archpredict.evaluators.objectives.objective import Objective
from archpredict.metrics.fronts import knee, on_front
from archpredict.runs.history import History, RecordedEvent, running_best
from archpredict.runs.volume import kept_values, volume
from archpredict.strategies.base import Problem

__all__ = ["write_report"]

CONTROLLER = "controller"
"""Stage of the events whose reward and entropy are drawn."""

TAU = "kendall_tau"
"""Value of any event that is drawn over the number of labels."""

_MOST_PANELS = 6

_COLUMNS = ("number", "architecture", "score", "best", "error", "seconds", "time", "metadata")


def write_report(history: History, folder: Path, problem: Problem | None = None) -> list[Path]:
    """Write ``history.csv`` and the pictures that the run has figures for.

    Args:
        history: The record of the run.
        folder: Made where it is missing.
        problem: What was searched; its front is drawn where it has several objectives.

    Returns:
        The files, of ``history.csv``, ``best_so_far.png``, ``front.png``, ``hypervolume.png``, ``training.png``,
        ``tau.png``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, events = history.rows(), history.events()
    files = [_write_csv(rows, folder / "history.csv")]
    with nothing_left_at_home():
        if problem is not None and len(problem.objectives) > 1:
            results = list(history.results(problem.space).values())
            files += [_draw_front(problem, results, folder / "front.png")]
            files += [_draw_volume(problem, results, folder / "hypervolume.png")]
        else:
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
    named = dict.fromkeys(name for row in rows for name in row["values"] if name not in _COLUMNS)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*_COLUMNS, *named], extrasaction="ignore")
        writer.writeheader()
        for row, best_so_far in zip(rows, best, strict=True):
            writer.writerow({**row["values"], **row, "best": "" if best_so_far != best_so_far else best_so_far})
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


def _draw_front(problem: Problem, results: Sequence[Result], path: Path) -> Path:
    """What was tried and the front, a panel for each pair of objectives."""
    values = kept_values(problem, results)
    values = values[np.isfinite(values).all(axis=1)]
    signs, names = [o.sign for o in problem.objectives], [o.name for o in problem.objectives]
    pairs = list(combinations(range(len(names)), 2))[:_MOST_PANELS]
    figure = new_figure()
    figure.set_size_inches(5.5 * len(pairs) if len(pairs) > 1 else 7, 4)
    front = values[on_front(values)]
    for axes, (i, j) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        axes.scatter(signs[j] * values[:, j], signs[i] * values[:, i], s=14, alpha=0.4, color="0.5", label="evaluated")
        order = np.argsort(front[:, j], kind="stable")
        across, up = signs[j] * front[order, j], signs[i] * front[order, i]
        axes.plot(across, up, "o", ms=4, color="C1", label="front")
        if len(names) == 2:  # what is dominated lies below the steps
            axes.plot(across, up, lw=1, color="C1", drawstyle="steps-pre")
        if len(front):
            at = knee(front)
            axes.plot(signs[j] * front[at, j], signs[i] * front[at, i], "D", ms=7, mfc="none", color="C3", label="knee")
        axes.set(xlabel=_with_direction(problem.objectives[j]), ylabel=_with_direction(problem.objectives[i]))
    figure.axes[0].legend(loc="best")
    figure.suptitle(f"Front of {len(front)} among {len(results)} evaluations")
    return save_figure(figure, path)


def _with_direction(objective: Objective) -> str:
    return f"{objective.name} ({'more' if objective.sign > 0 else 'less'} is better)"


def _draw_volume(problem: Problem, results: Sequence[Result], path: Path) -> Path:
    found = volume(problem, results)
    figure = new_figure()
    axes = figure.subplots()
    if found is not None:
        curve = found.over_evaluations
        axes.step(range(1, len(curve) + 1), curve, where="post", color="C1")
        point = ", ".join(f"{name} {value:.6g}" for name, value in found.reference.items())
        axes.set(xlabel="evaluations", ylabel="hypervolume", title=f"Hypervolume of the front (reference: {point})")
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
