"""Pages of evaluations and of fitted predictors: their figures are those of the trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict import metrics
from archpredict.pages.page import html, write_page
from archpredict.pages.parts import Cards, Chart, Facts, Page, Sheet, Text
from archpredict.predict.card_page import card_page
from archpredict.predict.cards import fitted_card
from archpredict.predict.evaluation_page import Judgement, evaluation_page
from archpredict.predict.leaderboard import split_digest
from archpredict.predict.predictor import Predictor
from archpredict.predict.protocols import Published, hold_out
from archpredict.predict.validation import Trial, evaluate_predictions, summarize
from archpredict.spaces.base import load_space
from tests.pages.browser import opened, violations

EVIL = "</script><script>document.title='broken'</script><b>"
LABELS = np.random.default_rng(0).normal(90, 2, 60)


def a_trial(n: int, seed: int, fold: int | None = None) -> Trial:
    split = hold_out(60, n, seed)
    predicted = LABELS[split.test] + np.random.default_rng(seed).normal(0, 20 / n, len(split.test))
    std = np.full(len(predicted), 20 / n)
    figures = evaluate_predictions(LABELS[split.test], predicted, std)
    return Trial(n, seed, fold, figures, 0.5, split, predicted, std)


TRIALS = [a_trial(n, seed) for n in (10, 20) for seed in (0, 1, 2)]


def an_evaluation(**more: Any) -> Page:
    given: dict[str, Any] = {"without": TRIALS, "published": [Published(EVIL, 10, 0.5, EVIL)], **more}
    others = {"sources": [EVIL], "left_out": []}
    found = Judgement(EVIL, "a protocol", TRIALS, LABELS, LABELS, learnt_from=others, **given)
    return evaluation_page(found, {"data": EVIL, "sha256": "ab"}, {"--space": EVIL}, {"repeat it": EVIL})


def parts(page: Page, kind: type) -> list[Any]:
    return [part for section in page.sections for part in section.parts if isinstance(part, kind)]


def test_the_figures_are_those_of_the_trials() -> None:
    page = an_evaluation()
    figures, without, others, trials = parts(page, Sheet)
    few = summarize(TRIALS[:3])
    assert figures.columns == ["figure", "n = 10", "± (10)", "n = 20", "± (20)"]
    name, mean, std, *_ = figures.rows[0]
    assert (name, mean, std) == (
        "tau", pytest.approx(few.mean["kendall_tau"], rel=1e-4), pytest.approx(few.std["kendall_tau"], rel=1e-4),
    )  # fmt: skip
    assert without.rows[:5] == figures.rows[:5]
    assert others.rows == [[EVIL, 10, 0.5, EVIL]]
    assert [row[-1] for row in trials.rows] == [split_digest(trial.split)[:12] for trial in TRIALS]
    rows = dict(parts(page, Facts)[0].rows)
    assert (rows["data"], rows["sha256"]) == (EVIL, "ab")


def test_tau_is_drawn_over_labels_with_its_spread_and_that_of_others() -> None:
    curve = parts(an_evaluation(), Chart)[0]
    own, without, other = curve.traces
    assert own["x"] == [10, 20]
    assert own["y"] == [summarize(TRIALS[:3]).mean["kendall_tau"], summarize(TRIALS[3:]).mean["kendall_tau"]]
    assert own["error_y"]["array"][0] == summarize(TRIALS[:3]).std["kendall_tau"]
    assert without["y"] == own["y"]
    assert other["y"] == [0.5]


def test_predictions_are_those_of_the_first_seed_and_most_labels() -> None:
    trial = TRIALS[3]
    scatter, coverage = parts(an_evaluation(), Chart)[1:]
    assert scatter.traces[0]["x"] == trial.predicted.tolist()
    assert scatter.traces[0]["y"] == LABELS[trial.split.test].tolist()
    held = metrics.coverage(LABELS[trial.split.test], trial.predicted, np.full(40, 1.0), 0.9)
    assert coverage.traces[0]["y"][4] == held


def test_folds_are_pooled() -> None:
    trials = [a_trial(40, 0, fold) for fold in range(3)]
    page = evaluation_page(Judgement("a", "b", trials, LABELS, LABELS), {}, {})
    assert len(parts(page, Chart)[0].traces[0]["x"]) == 60
    assert parts(page, Sheet)[0].columns == ["figure", "mean", "±"]


@pytest.mark.parametrize("folds", [0, 3])
def test_a_card_tells_of_labels_and_of_held_out_figures(folds: int) -> None:
    space = load_space("nasbench201")
    cells = space.architectures(space.sample(60, np.random.default_rng(0)))
    ridge = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, LABELS)
    trials = [a_trial(40, 0, fold) for fold in range(folds)]
    summary = summarize(trials) if trials else None
    about = {"labels": EVIL, "data_sha256": "ab"}
    card = fitted_card(ridge, LABELS, name=EVIL, about=about, seconds=1.0, folds=folds or None, summary=summary)
    page = card_page(card, LABELS, {"ensemble": 0}, trials, {"fit it again": EVIL})
    counts = next(chart for chart in parts(page, Chart) if chart.title == "Distribution of the labels").traces[0]
    assert sum(counts["y"]) == 60
    assert ("data sha256", "ab") in parts(page, Facts)[0].rows
    told = " ".join(part.text for part in parts(page, Text))
    assert ("not cross-validated" in told) == (folds == 0)
    if summary is not None:
        tau = f"{summary.mean['kendall_tau']:.4f} ± {summary.std['kendall_tau']:.4f}"
        assert parts(page, Cards)[0].rows[0] == ("tau on held-out labels", tau)
    text = html(page)
    assert "<b>" not in text
    assert "<script>document" not in text


@pytest.mark.draw
def test_the_page_works_in_a_browser(tmp_path: Path, chromium: Any) -> None:
    path = write_page(an_evaluation(), tmp_path / "page.html")
    with opened(path, chromium, color_scheme="light", viewport={"width": 390, "height": 800}) as page:
        assert page.title() == EVIL
        assert page.locator(".chart .main-svg").count() > 0
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
