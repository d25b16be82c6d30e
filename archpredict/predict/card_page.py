"""The page of a predictor that was fitted: its card, the labels it has learnt from, and how it did on held-out ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict.pages.charts import chart, histogram
from archpredict.pages.parts import Cards, Facts, Page, Part, Section, Snippets, Text
from archpredict.predict.trial_charts import Outcome, facts_of, figure_sheet, trial_sheet, version_facts
from archpredict.predict.validation import Trial, summarize

__all__ = ["card_page"]

_ELSEWHERE = ("predictor", "cross_validation")


def card_page(
    card: Mapping[str, Any],
    labels: npt.ArrayLike,
    settings: Mapping[str, Any],
    trials: Sequence[Trial] = (),
    again: Mapping[str, str] | None = None,
) -> Page:
    """The page of a card (:func:`archpredict.predict.cards.fitted_card`).

    Args:
        card: The card.
        labels: ``(n,)`` what was learnt from.
        settings: Of the predictor.
        trials: Of a cross-validation, if there was one.
        again: Texts that fit it again, by what they do.
    """
    numbers = np.asarray(labels, dtype=np.float64)
    sections = [
        Section("Result", _result(card, numbers, trials)),
        Section("What it was learnt from", _learnt(card, numbers)),
        Section("Trials", [trial_sheet([trial.row() for trial in trials], _k(trials))] if trials else []),
        Section("Again", [Snippets(list(again.items()))] if again else []),
        Section("Settings and versions", [Facts([*facts_of(settings), *version_facts()])]),
    ]
    title = str(card.get("predictor") or "A fitted predictor")
    meaning = str(card.get("meaning") or card.get("labels") or "the label that it was fitted to")
    return Page(title, f"A score is {meaning}; higher is better.", [one for one in sections if one.parts])


def _result(card: Mapping[str, Any], labels: np.ndarray, trials: Sequence[Trial]) -> list[Part]:
    rows = [("labels", f"{len(labels):,}"), ("fitted in", f"{card['seconds']:.1f} s")]
    if "held_out_error" in card:
        rows.append(("error on held-out labels", f"{card['held_out_error']:.4g}"))
    low, high = card["range"]
    told = Text(f"Its labels are from {low:.4g} to {high:.4g}: of scores beyond, believe the order alone.")
    if not trials:
        missing = "It was not cross-validated, so nothing is known of how it ranks what it has not seen."
        return [Cards(rows), told, Text(missing)]
    summary = summarize(trials)
    tau = f"{summary.mean['kendall_tau']:.4f} ± {summary.std['kendall_tau']:.4f}"
    if "coverage_90" in summary.mean:
        rows.append(("labels inside of 90 % intervals", f"{summary.mean['coverage_90']:.1%}"))
    figures = figure_sheet(f"Figures: {card['protocol']}", {trials[0].n: summary}, _k(trials))
    charts = Outcome.of(trials, labels, labels).charts("label")
    return [Cards([("tau on held-out labels", tau), *rows]), told, *charts, figures]


def _k(trials: Sequence[Trial]) -> int:
    return max(int(trial.figures["k"]) for trial in trials)


def _learnt(card: Mapping[str, Any], labels: np.ndarray) -> list[Part]:
    counts = histogram("labels", labels.tolist(), 0)
    about = f"How many of {len(labels):,} labels lie where."
    told = {name: value for name, value in card.items() if name not in _ELSEWHERE}
    return [chart("Distribution of the labels", [counts], "label", "architectures", about), Facts(facts_of(told))]
