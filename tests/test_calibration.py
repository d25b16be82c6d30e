"""Calibration: increasing everywhere, exact on the quantiles, sensible beyond them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.calibration import Calibration

floats = st.floats(-1e6, 1e6)
pairs = st.lists(st.tuples(floats, floats), min_size=2, max_size=60)


@given(pairs, st.lists(floats, min_size=2, max_size=20))
def test_it_never_turns_a_ranking_round(data: list[tuple[float, float]], queries: list[float]) -> None:
    scores, labels = zip(*data, strict=True)
    mapped = Calibration.fit(scores, labels)(sorted(queries))
    assert np.isfinite(mapped).all()
    assert (np.diff(mapped) >= -1e-6 * np.abs(mapped).max(initial=1)).all()


def test_distinct_scores_stay_distinct_where_all_labels_between_them_are_equal() -> None:
    calibration = Calibration.fit([0.0, 1.0, 2.0, 3.0], [5.0, 7.0, 7.0, 9.0])
    assert (np.diff(calibration(np.linspace(-1, 4, 50))) > 0).all()


def test_the_best_training_score_reads_as_the_best_training_label() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=200)
    labels = np.exp(scores)  # any increasing relation is recovered at the quantiles
    calibration = Calibration.fit(scores, labels)
    assert abs(calibration(scores.max()) - labels.max()) < 1e-6
    assert abs(calibration(np.median(scores)) - np.median(labels)) < 1e-6


def test_a_long_tail_of_bad_labels_does_not_inflate_what_lies_beyond_the_best() -> None:
    scores = np.linspace(-2, 2, 200)
    labels = 94 - np.exp(-3 * scores)  # like benchmark accuracies: crowded at the top, a long tail below
    beyond = Calibration.fit(scores, labels)(3.0)
    assert labels.max() < beyond < labels.max() + 0.1


def test_equal_scores_at_an_end_do_not_send_predictions_beyond_it_to_infinity() -> None:
    calibration = Calibration.fit([0, 0, 1, 2, 2], [1, 2, 3, 4, 5])
    assert calibration([2.1])[0] == pytest.approx(5.2, abs=1e-6)
    assert calibration([-0.1])[0] == pytest.approx(0.8, abs=1e-6)
