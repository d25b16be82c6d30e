"""Pictures of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archpredict.backends import nothing_left_at_home
from archpredict.errors import writing
from archpredict.runs.report import new_figure, save_figure

if TYPE_CHECKING:
    from archpredict.predict.protocols import Published
    from archpredict.predict.validation import Summary


def draw_predicted(true: np.ndarray, predicted: np.ndarray, label: str, title: str, folder: Path) -> Path:
    """Predictions over true labels, ``predicted.png``."""
    with nothing_left_at_home():
        drawing = new_figure()
        axes = drawing.subplots()
        axes.scatter(true, predicted, s=8, alpha=0.4, linewidths=0, rasterized=True)
        low, high = _limits(true)
        axes.plot([low, high], [low, high], color="0.5", linewidth=0.8, zorder=0)
        axes.set(xlabel=label, ylabel="predicted", title=title, xlim=(low, high), ylim=(low, high))
        outside = int(((true < low) | (predicted < low) | (predicted > high)).sum())
        if outside:
            axes.text(0.01, 0.98, f"{outside:,} of {len(true):,} outside", transform=axes.transAxes, va="top")
        return _saved(drawing, folder / "predicted.png")


def draw_curve(sizes: Mapping[int, Summary], published: Sequence[Published], title: str, folder: Path) -> Path:
    """Kendall's tau over the number of labels, with the figures of others dashed, ``learning_curve.png``."""
    with nothing_left_at_home():
        drawing = new_figure()
        axes = drawing.subplots()
        for i, name in enumerate(dict.fromkeys(p.name for p in published), start=1):
            points = [(p.n, p.kendall_tau) for p in published if p.name == name]
            axes.plot(*zip(*points, strict=True), "--", marker=".", color=f"C{i}", linewidth=1, alpha=0.8, label=name)
        mean = [summary.mean["kendall_tau"] for summary in sizes.values()]
        std = [summary.std["kendall_tau"] for summary in sizes.values()]
        axes.errorbar(list(sizes), mean, std, marker="o", capsize=3, color="C0", label="this predictor", zorder=3)
        axes.set(xscale="log", xlabel="labels", ylabel="Kendall's tau", title=title)
        ticks = sorted({*sizes, *(p.n for p in published if not sizes)})
        axes.set_xticks(ticks, list(map(str, ticks)))
        axes.minorticks_off()
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        return _saved(drawing, folder / "learning_curve.png")


def _limits(true: np.ndarray) -> tuple[float, float]:
    """The range of the labels without the worst twentieth: failed trainings lie far below what is of interest."""
    low, high = float(np.quantile(true, 0.05)), float(true.max())
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _saved(drawing: object, path: Path) -> Path:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return save_figure(drawing, path)
