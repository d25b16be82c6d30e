"""A score beyond the labels that a surrogate has learnt from says so; others are what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.evaluators.surrogate import SurrogateEvaluator
from archpredict.predict.cards import fitted_card
from archpredict.predict.predictor import Predictor
from archpredict.runs.search import search
from archpredict.spaces.base import load_space
from archpredict.testing.toys import ToyEvaluator, ToySpace


class Constant:
    """Expects one score of everything, or a little more of what comes later."""

    def __init__(self, score: float) -> None:
        self.score = score

    def predict(self, architectures: Any) -> Any:
        return np.array([self.score + 1e-3 * sum(a.choices) for a in architectures])


def surrogate(score: float, card: Any = None) -> SurrogateEvaluator:
    return SurrogateEvaluator(Constant(score), "mine", card=card, label_range=(90.0, 94.5))


@pytest.mark.parametrize(("score", "where"), [(95.4, "beyond"), (94.5, "at the end of"), (90.0, "at the end of")])
def test_a_score_at_or_beyond_the_end_of_the_labels_says_so(score: float, where: str) -> None:
    told = surrogate(0, {"cross_validation": {"mine": {"kendall_tau": 0.8}}, "held_out_error": 0.25}).believed(score)
    assert told == (
        f"The score {score:g} is {where} what mine has learnt from, labels from 90 to 94.5: believe the order, not the "
        "value; Kendall's tau with held-out labels 0.800; error on held-out labels 0.25"
    )


def test_a_score_among_the_labels_and_one_of_no_known_labels_say_nothing() -> None:
    assert surrogate(0).believed(93.0) is None
    assert SurrogateEvaluator(Constant(0), "mine").believed(1e9) is None
    assert ToyEvaluator().believed(1e9) is None


def test_the_result_of_a_search_says_it_and_its_json_too() -> None:
    beyond, among = (search(ToySpace, surrogate(score), strategy="random", budget=4) for score in (99.0, 92.0))
    assert beyond.believed is not None
    assert "believe the order, not the value" in beyond.believed
    assert beyond.to_dict()["believed"] == beyond.believed
    assert "believed" not in among.to_dict()


@pytest.mark.cross_fit
def test_a_fitted_predictor_knows_its_held_out_error_which_its_card_and_its_evaluator_tell(tmp_path: Path) -> None:
    space = load_space("nasbench201")
    cells = space.architectures(np.unique(space.sample(40, np.random.default_rng(0)), axis=0))
    labels = [float(sum(c in (2, 3) for c in cell.choices)) for cell in cells]
    regressors = {"bayesian-ridge": 1.0, "extra-trees": 1.0}
    fitted = Predictor(None, ensemble=0, regressors=regressors, transfer=False).fit(cells, labels)
    error = fitted.held_out_error_
    assert error is not None
    assert 0 < error < np.std(labels)
    card = fitted_card(fitted, labels, name="two", about={}, seconds=0.0)
    assert card["held_out_error"] == pytest.approx(error, abs=1e-6)
    fitted.save(tmp_path / "two", card)
    told = SurrogateEvaluator.load(tmp_path / "two").believed(max(labels) + 1)
    assert told is not None
    assert f"error on held-out labels {error:.3g}" in told


def test_a_predictor_whose_parts_were_not_weighed_knows_none() -> None:
    cells = load_space("nasbench201").architectures(np.eye(6, dtype=int))
    ridge = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, range(6))
    assert ridge.held_out_error_ is None
    assert "held_out_error" not in fitted_card(ridge, range(6), name="ridge", about={}, seconds=0.0)
