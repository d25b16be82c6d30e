"""Calibration: of labels, increasing everywhere and exact on the quantiles; of deviations, by likelihood."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from archpredict.errors import DataError
from archpredict.predict.calibration import Calibration, fit_deviation

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


# ---------------------------------------------------------------------- standard deviations


def likelihood(a: float, b: float, std: np.ndarray, error: np.ndarray) -> float:
    return float(norm.logpdf(error, scale=np.sqrt((a * std) ** 2 + b**2)).mean())


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.0), (3.0, 0.0), (0.0, 2.0), (0.5, 0.2), (2.0, 1.0)])
def test_deviations_that_are_wrong_by_a_factor_and_a_noise_are_mended(a: float, b: float) -> None:
    rng = np.random.default_rng(0)
    std = rng.uniform(0.2, 2, size=20_000)
    found_a, found_b = fit_deviation(std, rng.normal(size=20_000) * np.hypot(a * std, b))
    # The likelihood knows the square of a only, which errors that do not depend on the deviation tell less well.
    assert (found_a**2, found_b) == (pytest.approx(a**2, abs=0.15), pytest.approx(b, abs=0.05))


@given(st.integers(0, 1000), st.integers(2, 60))
def test_no_other_numbers_make_the_errors_likelier(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    std, error = rng.exponential(size=n), rng.standard_t(3, size=n)
    a, b = fit_deviation(std, error)
    best, rms = likelihood(a, b, std, error), np.sqrt(np.mean(error**2))
    for other_a, other_b in rng.uniform(0, 4, size=(30, 2)):
        assert likelihood(other_a, max(other_b, 1e-3) * rms, std, error) <= best + 1e-5


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_deviations_are_found_in_any_unit(unit: float) -> None:
    rng = np.random.default_rng(1)
    std, error = rng.uniform(1, 2, size=50), rng.normal(size=50)
    a, b = fit_deviation(std, error)
    assert fit_deviation(std * unit, error * unit) == pytest.approx((a, b * unit), rel=1e-3, abs=1e-3 * unit)
    assert fit_deviation(std * unit, error) == pytest.approx((a / unit, b), rel=1e-3, abs=1e-3)


def test_without_errors_or_deviations_there_is_still_an_answer() -> None:
    assert fit_deviation([1.0, 2.0], [0.0, 0.0]) == (0.0, 0.0)
    assert fit_deviation([0.0, 0.0], [3.0, -4.0])[1] == pytest.approx(np.sqrt(12.5), rel=1e-3)
    assert np.isfinite(fit_deviation([0.0, 1.0], [0.0, 1.0])).all()


def test_deviations_and_errors_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(DataError, match=r"as many errors are needed, \(2,\) and \(3,\) were given"):
        fit_deviation([1, 2], [1, 2, 3])
    with pytest.raises(DataError, match=r"at least 2 deviations and as many errors are needed"):
        fit_deviation([1], [1])
    with pytest.raises(DataError, match="have to be finite, and deviations at least 0"):
        fit_deviation([1, np.inf], [1, 2])
    with pytest.raises(DataError, match="have to be finite, and deviations at least 0"):
        fit_deviation([1, -1], [1, 2])
