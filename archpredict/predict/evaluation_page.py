"""The page of an evaluation: figures, their spread, predictions, and what all of it is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archpredict._typing import FloatArray
from archpredict.pages.parts import Cards, Facts, Page, Part, Section, Sheet, Snippets, Text, Value
from archpredict.predict.leaderboard import split_digest
from archpredict.predict.protocols import Published
from archpredict.predict.trial_charts import (
    FIGURES,
    Outcome,
    facts_of,
    figure_sheet,
    tau_chart,
    trial_sheet,
    version_facts,
)
from archpredict.predict.validation import Trial, summarize, summarize_sizes

__all__ = ["Judgement", "evaluation_page", "figure_rows", "figures_page"]


_DIGITS = 12


@dataclass(frozen=True, eq=False)
class Judgement:
    """Trials of a predictor, and what they are of.

    Args:
        predictor: What the predictor is called.
        about: Protocol or table, in a line.
        trials: All of them.
        test_labels: ``(N,)`` labels by which predictions are judged.
        train_labels: ``(N,)`` labels that are learnt from.
        without: Trials without labels of other spaces.
        learnt_from: Sources of other labels, and those that were left out.
        published: Figures of others under the same protocol.
    """

    predictor: str
    about: str
    trials: Sequence[Trial]
    test_labels: FloatArray
    train_labels: FloatArray
    without: Sequence[Trial] = ()
    learnt_from: Mapping[str, Sequence[str]] = field(default_factory=dict)
    published: Sequence[Published] = ()


def evaluation_page(
    found: Judgement, source: Mapping[str, Any], settings: Mapping[str, Any], again: Mapping[str, str] | None = None
) -> Page:
    """The page of trials.

    Args:
        found: The trials.
        source: Where labels are from: files with their digests.
        settings: Of the predictor and the evaluation.
        again: Texts that repeat it, by what they do.
    """
    trials, folds = found.trials, any(trial.fold is not None for trial in found.trials)
    sizes = {max(t.n for t in trials): summarize(trials)} if folds else summarize_sizes(trials)
    without = summarize_sizes(found.without) if found.without else {}
    k = max(int(trial.figures["k"]) for trial in trials)
    rows = [(name, f"{s.mean['kendall_tau']:.4f} ± {s.std['kendall_tau']:.4f}") for name, s in _named(sizes)]
    seeds = {trial.seed for trial in trials}
    cards = Cards([*rows, ("trials", str(len(trials))), ("seeds", str(len(seeds)))])
    result: list[Part] = [cards, *tau_chart(sizes, without, found.published)]
    result.append(figure_sheet(f"Figures: mean and standard deviation of {len(trials)} trials", sizes, k))
    if without:
        result.append(figure_sheet("The same without labels of other spaces", without, k))
    others: list[list[Value]] = [[one.name, one.n, one.kendall_tau, one.source] for one in found.published]
    outcome = Outcome.of(trials, found.test_labels, found.train_labels)
    sections = [
        Section("Result", result),
        Section("Predictions", [Text("Of the first seed."), *outcome.charts("label")]),
        Section("Labels of other spaces", _transfer(found.learnt_from)),
        Section("Others", [Sheet("Figures of others", ["name", "labels", "tau", "source"], others)] if others else []),
        Section("Trials", _rows(trials, k)),
        *_ends(source, {"k": k, "seeds": sorted(seeds), **settings}, again),
    ]
    return _page(found.predictor, found.about, sections)


def figures_page(
    predictor: str,
    about: str,
    parts: Sequence[Part],
    source: Mapping[str, Any],
    settings: Mapping[str, Any],
    again: Mapping[str, str] | None = None,
) -> Page:
    """The page of figures that are no trials: those of a saved predictor, or of predictors of devices.

    Args:
        predictor: What was judged.
        about: By what, in a line.
        parts: The figures.
        source: As for :func:`evaluation_page`.
        settings: Likewise.
        again: Likewise.
    """
    return _page(predictor, about, [Section("Result", parts), *_ends(source, settings, again)])


def figure_rows(figures: Mapping[str, float]) -> list[list[Value]]:
    """Figures of one set of predictions by the names that tables have for them."""
    k = int(figures["k"])
    return [[heading.format(k=k), figures[name]] for name, heading in FIGURES.items() if name in figures]


def _page(title: str, subtitle: str, sections: Sequence[Section]) -> Page:
    return Page(title, subtitle, [section for section in sections if section.parts])


def _named(sizes: Mapping[int, Any]) -> list[tuple[str, Any]]:
    return [(f"tau, {n} labels", summary) for n, summary in sizes.items()]


def _rows(trials: Sequence[Trial], k: int) -> list[Part]:
    told = f"The last column begins the SHA-256 of the rows of a split; its first {_DIGITS} digits are shown."
    rows = [{**trial.row(), "split": split_digest(trial.split)[:_DIGITS]} for trial in trials]
    return [Text(told), trial_sheet(rows, k)]


def _transfer(others: Mapping[str, Sequence[str]]) -> list[Part]:
    if not others.get("sources"):
        return []
    left_out = f"; not from {', '.join(others['left_out'])}, whose labels say too much" if others["left_out"] else ""
    return [Text(f"It also learns from labels of {', '.join(others['sources'])}{left_out}.")]


def _ends(source: Mapping[str, Any], settings: Mapping[str, Any], again: Mapping[str, str] | None) -> list[Section]:
    return [
        Section("Sources", [Facts(facts_of(source))]),
        Section("Again", [Snippets(list(again.items()))] if again else []),
        Section("Settings and versions", [Facts([*facts_of(settings), *version_facts()])]),
    ]
