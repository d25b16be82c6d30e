"""Charts and tables of trials: what pages about predictors are made of."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict import metrics
from archpredict._typing import FloatArray
from archpredict.backends import versions
from archpredict.pages.charts import chart, line, points
from archpredict.pages.parts import Chart, Sheet, Value
from archpredict.predict.protocols import Published
from archpredict.predict.validation import Summary, Trial, first_shown

__all__ = ["FIGURES", "Outcome", "facts_of", "figure_sheet", "tau_chart", "trial_sheet", "version_facts"]

FIGURES = {
    "kendall_tau": "tau",
    "spearman": "Spearman",
    "pearson": "Pearson",
    "n_at_k": "N@{k}",
    "precision_at_k": "P@{k}",
    "ndcg": "NDCG@{k}",
    "regret": "regret@{k}",
    "coverage_90": "in 90 %",
    "calibration_error": "calibration error",
    "nll": "NLL",
    "error_correlation": "error~std",
    "seconds": "training s",
}
"""Figures and what they are called in tables; ``k`` is said beside them."""
_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_MOST_POINTS = 5000
_PACKAGES = ("archpredict", "torch", "numpy", "scikit-learn", "scipy")


class Outcome:
    """Predictions beside what they should have been.

    Args:
        true: ``(n,)`` labels that the order is judged by.
        predicted: ``(n,)`` predictions.
        learnt: ``(n,)`` labels of the kind that was learnt from, which intervals are for.
        std: ``(n,)`` predicted standard deviations; None where there are none.
    """

    def __init__(
        self, true: npt.ArrayLike, predicted: npt.ArrayLike, learnt: npt.ArrayLike, std: npt.ArrayLike | None
    ) -> None:
        self._true, self._predicted, self._learnt = (np.asarray(given, float) for given in (true, predicted, learnt))
        self._std: FloatArray | None = None if std is None else np.asarray(std, float)

    @classmethod
    def of(cls, trials: Sequence[Trial], test_labels: FloatArray, train_labels: FloatArray) -> Outcome:
        """That of the first seed: all its folds, or its largest number of labels."""
        shown = first_shown(trials)
        rows = np.concatenate([trial.split.test for trial in shown])
        predicted = np.concatenate([trial.predicted for trial in shown])
        stds = [trial.std for trial in shown if trial.std is not None]
        std = np.concatenate(stds) if len(stds) == len(shown) else None
        return cls(test_labels[rows], predicted, train_labels[rows], std)

    def charts(self, label: str) -> list[Chart]:
        """Labels over predictions and, where there are intervals, how many labels lie in them.

        Args:
            label: What labels are called.
        """
        n, x, y = len(self._true), self._predicted[:_MOST_POINTS], self._true[:_MOST_POINTS]
        ends = [float(min(x.min(), y.min())), float(max(x.max(), y.max()))]
        tau = metrics.kendall_tau(self._true, self._predicted)
        which = f"{len(x):,} of {n:,} held-out labels" if len(x) < n else f"{n:,} held-out labels"
        traces = [points("architecture", x.tolist(), y.tolist(), 0, size=5), line("equal", ends, ends, 5, dash="dot")]
        title = f"{which} over predictions, tau {tau:.3f}"
        found = [chart(title, traces, "predicted", label, "Labels over predictions.")]
        return found if self._std is None else [*found, self._coverage(self._std)]

    def _coverage(self, std: FloatArray) -> Chart:
        held = [metrics.coverage(self._learnt, self._predicted, std, level) for level in _LEVELS]
        curve = {**line("held", _LEVELS, held, 0), "mode": "lines+markers"}
        ideal = line("ideal", [_LEVELS[0], 1], [_LEVELS[0], 1], 5, dash="dot")
        title = f"Share of labels inside of predicted intervals: {held[_LEVELS.index(0.9)]:.1%} in those of 90 %"
        axis = {"tickformat": ".0%"}
        found = chart(title, [curve, ideal], "interval", "labels inside", "Coverage of predicted intervals.")
        axes = {name: {**found.layout[name], **axis} for name in ("xaxis", "yaxis")}
        return Chart(found.title, found.traces, {**found.layout, **axes}, found.about)


def tau_chart(
    sizes: Mapping[int, Summary], without: Mapping[int, Summary], published: Sequence[Published]
) -> list[Chart]:
    """Kendall's tau over the number of labels, where there are several: with and without transfer, and that of others.

    Args:
        sizes: Summaries by number of labels.
        without: Those without transfer.
        published: Figures of others.
    """
    if len(sizes) < 2:
        return []
    own = _tau("this predictor", sizes, 0)
    traces = [own, *([_tau("without transfer", without, 1, "dash")] if without else [])]
    for i, name in enumerate(dict.fromkeys(one.name for one in published), start=2):
        found = [(one.n, one.kendall_tau) for one in published if one.name == name]
        curve = line(name, [n for n, _ in found], [tau for _, tau in found], i, dash="dot")
        traces.append({**curve, "mode": "lines+markers"})
    title = "Kendall's tau over the number of labels: mean and standard deviation"
    found_chart = chart(title, traces, "labels", "Kendall's tau", title)
    across = {**found_chart.layout["xaxis"], "type": "log", "tickvals": list(sizes), "ticktext": [*map(str, sizes)]}
    return [Chart(found_chart.title, found_chart.traces, {**found_chart.layout, "xaxis": across}, title)]


def _tau(name: str, sizes: Mapping[int, Summary], colour: int, dash: str = "solid") -> dict[str, Any]:
    mean, std = ([getattr(s, what)["kendall_tau"] for s in sizes.values()] for what in ("mean", "std"))
    curve = line(name, list(sizes), mean, colour, dash=dash)
    return {**curve, "mode": "lines+markers", "error_y": {"type": "data", "array": std, "thickness": 1.5}}


def figure_sheet(title: str, sizes: Mapping[int, Summary], k: int) -> Sheet:
    """Mean and standard deviation of each figure, for each number of labels.

    Args:
        title: Above it.
        sizes: Summaries by number of labels; one alone needs no number.
        k: How many of the predicted best were looked at.
    """
    first = next(iter(sizes.values()))
    names = [name for name in FIGURES if name in first.mean]
    heads = [
        text
        for n in sizes
        for text in ((f"n = {n}" if len(sizes) > 1 else "mean"), f"± ({n})" if len(sizes) > 1 else "±")
    ]
    rows: list[list[Value]] = [
        [FIGURES[name].format(k=k), *(_rounded(v) for s in sizes.values() for v in (s.mean[name], s.std[name]))]
        for name in names
    ]
    return Sheet(title, ["figure", *heads], rows)


def trial_sheet(rows: Sequence[Mapping[str, Value]], k: int = 0, title: str = "Trials") -> Sheet:
    """A row for each trial, figures under the names that tables have for them.

    Args:
        rows: Numbers and texts by name; what is empty in all of them is left out.
        k: How many of the predicted best were looked at.
        title: Above it.
    """
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "k"]
    names = [name for name in names if any(row.get(name) is not None for row in rows)]
    heads = [FIGURES.get(name, name.replace("_", " ")).format(k=k) for name in names]
    return Sheet(title, heads, [[_rounded(row.get(name)) for name in names] for row in rows])


def _rounded(value: Value) -> Value:
    return float(f"{value:.5g}") if isinstance(value, float) and math.isfinite(value) else value


def facts_of(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and values as texts, those of mappings after the name of the mapping; what says nothing is left out.

    Example:
        >>> facts_of({"rows": 3, "data": {"sha256": "ab"}, "none": None, "range": [0.1 + 0.2, 1.0]})
        [('rows', '3'), ('data: sha256', 'ab'), ('range', '0.3, 1')]
    """
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        shown = name if name.startswith("-") else name.replace("_", " ")
        if isinstance(value, Mapping):
            found += [(f"{shown}: {inner}", text) for inner, text in facts_of(value)]
        elif isinstance(value, list | tuple):
            found += [(shown, ", ".join(map(_text, value)))] if value else []
        elif value not in (None, ""):
            found.append((shown, _text(value)))
    return found


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def version_facts() -> list[tuple[str, str]]:
    """Versions of what figures depend on."""
    found = [(f"version of {name}", text) for name, text in versions(*_PACKAGES).items() if text is not None]
    return [*found, ("version of Python", platform.python_version())]
