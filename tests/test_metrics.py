import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from archpredict import metrics
from archpredict.errors import UsageError

TRUE = [90.0, 94.0, 92.0, 93.0, 91.0]
PREDICTED = [5.0, 1.0, 4.0, 3.0, 2.0]  # order best first: 90, 92, 93, 91, 94

CORRELATIONS = [metrics.kendall_tau, metrics.spearman, metrics.pearson]
AT_K = [metrics.n_at_k, metrics.precision_at_k, metrics.regret, metrics.ndcg]

scores = hnp.arrays(np.float64, st.integers(2, 12), elements=st.integers(-4, 4).map(float))


def naive_tau_b(x, y):
    concordant = discordant = tied_x = tied_y = 0
    for i in range(len(x)):
        for j in range(i):
            sign = np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])
            concordant += sign > 0
            discordant += sign < 0
            tied_x += x[i] == x[j] and y[i] != y[j]
            tied_y += y[i] == y[j] and x[i] != x[j]
    root = math.sqrt((concordant + discordant + tied_x) * (concordant + discordant + tied_y))
    return (concordant - discordant) / root if root else math.nan


@settings(deadline=None)  # the first call imports scipy
@given(st.data())
def test_kendall_tau_is_the_textbook_definition_with_ties(data):
    x = data.draw(scores)
    y = data.draw(hnp.arrays(np.float64, len(x), elements=st.integers(-4, 4).map(float)))
    assert metrics.kendall_tau(x, y) == pytest.approx(naive_tau_b(x, y), nan_ok=True)


def test_correlations_of_hand_computed_cases():
    assert metrics.kendall_tau([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    assert metrics.kendall_tau([1, 2, 2], [1, 2, 3]) == pytest.approx(2 / math.sqrt(6))
    assert metrics.spearman([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert metrics.pearson([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize(
    ("x", "y"),
    [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [4, 4, 4]), ([1], [2]), ([], []), ([1, math.nan, 2], [1, 2, 3])],
)
def test_correlations_that_are_not_defined_are_nan_without_a_warning(correlation, x, y):
    assert math.isnan(correlation(x, y))


def test_a_nearly_constant_input_gives_no_warning():
    assert -1 <= metrics.pearson([1.0, 1.0 + 1e-15, 1.0], [1.0, 2.0, 3.0]) <= 1


@pytest.mark.parametrize("metric", [*CORRELATIONS, *AT_K])
def test_lists_of_different_length_are_refused(metric):
    with pytest.raises(UsageError, match=r"two lists of one length, shapes \(2,\) and \(3,\) were given"):
        metric([1, 2], [1, 2, 3], *([1] if metric in AT_K else []))


@pytest.mark.parametrize(("k", "expected"), [(1, 5), (2, 3), (3, 2), (4, 2), (5, 1)])
def test_n_at_k_is_the_best_true_rank_in_the_predicted_top(k, expected):
    assert metrics.n_at_k(TRUE, PREDICTED, k) == expected


@pytest.mark.parametrize(("k", "expected"), [(1, 0), (2, 0), (3, 2 / 3), (4, 3 / 4), (5, 1)])
def test_precision_at_k_is_the_share_of_the_true_top_found(k, expected):
    assert metrics.precision_at_k(TRUE, PREDICTED, k) == pytest.approx(expected)


@pytest.mark.parametrize(("k", "expected"), [(1, 4), (2, 2), (3, 1), (5, 0)])
def test_regret_is_the_distance_to_the_best(k, expected):
    assert metrics.regret(TRUE, PREDICTED, k) == pytest.approx(expected)


def test_ndcg_of_a_hand_computed_case():
    # gains 0, 2, 1 of three; predicted order: gain 1, gain 2, gain 0
    expected = (1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3))
    assert metrics.ndcg([10, 30, 20], [0, 1, 2]) == pytest.approx(expected)
    assert metrics.ndcg([10, 30, 20], [0, 1, 2], k=1) == pytest.approx(1 / 2)
    assert math.isnan(metrics.ndcg([5, 5, 5], [0, 1, 2]))
    assert math.isnan(metrics.ndcg([], []))


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0]])
def test_a_constant_prediction_earns_nothing_in_any_order(order):
    true = np.array([1.0, 2.0, 3.0, 4.0])[order]
    assert metrics.n_at_k(true, np.zeros(4), 1) == 4
    assert metrics.precision_at_k(true, np.zeros(4), 2) == 0
    assert metrics.regret(true, np.zeros(4), 1) == 3


def test_true_ties_share_the_better_rank_and_all_count_as_top():
    assert metrics.n_at_k([3, 3, 1], [0, 1, 2], 2) == 1
    assert metrics.precision_at_k([3, 3, 1], [2, 1, 0], 1) == 1


@pytest.mark.parametrize("metric", AT_K)
@pytest.mark.parametrize("k", [0, 6, -1])
def test_k_out_of_range_is_refused(metric, k):
    with pytest.raises(UsageError, match=f"k must be 1 to the number of architectures, 5; {k} was given"):
        metric(TRUE, PREDICTED, k)


@pytest.mark.parametrize("metric", AT_K)
def test_a_nan_among_the_scores_gives_nan(metric):
    assert math.isnan(metric([1, 2, math.nan], [1, 2, 3], 1))
    assert math.isnan(metric([1, 2, 3], [1, math.nan, 3], 1))


@pytest.mark.parametrize("metric", [metrics.kendall_tau, metrics.spearman])
@settings(deadline=None)
@given(x=scores)
def test_rank_correlations_do_not_change_under_a_monotone_map(metric, x):
    y = np.arange(len(x), dtype=float)
    assert metric(x, y) == pytest.approx(metric(np.exp(x), 3 * y - 7), nan_ok=True)


@settings(deadline=None)
@given(x=scores, seed=st.integers(0, 100))
def test_a_perfect_prediction_is_perfect_in_every_figure(x, seed):
    k = 1 + seed % len(x)
    assert metrics.n_at_k(x, x, k) == 1
    assert metrics.precision_at_k(x, x, k) == 1
    assert metrics.regret(x, x, k) == 0
    assert x.min() == x.max() or metrics.ndcg(x, x, k) == pytest.approx(1)


def test_infinite_scores_leave_the_discounted_gain_undefined() -> None:
    assert math.isnan(metrics.ndcg([1, 2, math.inf], [1, 2, 3]))
    assert math.isnan(metrics.ndcg([1, 2, 3], [1, 2, math.inf]))


CALIBRATIONS = [metrics.coverage, metrics.calibration_error, metrics.gaussian_nll, metrics.error_correlation]


@pytest.mark.parametrize("metric", [metrics.kendall_tau, metrics.spearman])
@settings(deadline=None)
@given(data=st.data())
def test_ties_are_handled_as_scipy_does(metric, data):
    x = data.draw(scores)
    y = data.draw(hnp.arrays(np.float64, len(x), elements=st.integers(-2, 2).map(float)))
    if x.min() < x.max() and y.min() < y.max():
        theirs = {metrics.kendall_tau: stats.kendalltau, metrics.spearman: stats.spearmanr}[metric]
        assert metric(x, y) == pytest.approx(theirs(x, y)[0])


def test_coverage_of_a_hand_computed_case():
    # The central 68.27 % of a Gaussian lie within one standard deviation: errors of 0.5, 1, 1.5, 0 in that unit.
    true, predicted, std = [0.5, 12.0, -3.0, 7.0], [0.0, 10.0, 0.0, 7.0], [1.0, 2.0, 2.0, 0.0]
    assert metrics.coverage(true, predicted, std, 0.6828) == 0.75
    assert metrics.coverage(true, predicted, std, 0.6825) == 0.5
    assert metrics.coverage(true, predicted, std, 0.9) == 1


def test_calibration_error_of_a_hand_computed_case():
    # Cumulative probabilities 0.0228, 0.5, 0.5, 0.9772; at most 1/4: 1 of 4, 1/2: 3 of 4, 3/4: 3 of 4.
    error = metrics.calibration_error([-2.0, 0.0, 0.0, 2.0], [0.0] * 4, [1.0] * 4, num_levels=3)
    assert error == pytest.approx((0 + 1 / 4 + 0) / 3)


def test_calibration_error_is_small_for_the_right_std_and_large_for_a_wrong_one():
    rng = np.random.default_rng(0)
    predicted, std = rng.normal(size=4000), rng.uniform(0.5, 2, size=4000)
    true = predicted + std * rng.normal(size=4000)
    assert metrics.calibration_error(true, predicted, std) < 0.02
    assert metrics.coverage(true, predicted, std, 0.5) == pytest.approx(0.5, abs=0.03)
    assert metrics.calibration_error(true, predicted, std / 10) > 0.15
    assert metrics.calibration_error(true, predicted, std * 10) > 0.15
    assert metrics.calibration_error(true, predicted + 20, std) == pytest.approx(0.5)


def test_gaussian_nll_is_that_of_scipy():
    true, predicted, std = [1.0, 2.0, 5.0], [1.5, 2.0, 3.0], [0.5, 0.1, 4.0]
    assert metrics.gaussian_nll(true, predicted, std) == pytest.approx(-stats.norm(predicted, std).logpdf(true).mean())


def test_gaussian_nll_of_certainty_is_infinite_where_it_is_wrong():
    assert metrics.gaussian_nll([1.0, 2.0], [1.0, 3.0], [0.0, 0.0]) == math.inf
    assert metrics.gaussian_nll([1.0, 2.0], [1.0, 2.0], [0.0, 1.0]) == -math.inf


def test_gaussian_nll_is_least_for_the_size_of_the_error():
    errors = [metrics.gaussian_nll([3.0], [1.0], [std]) for std in (1.0, 1.9, 2.0, 2.1, 4.0)]
    assert min(errors) == errors[2]


def test_error_correlation_of_hand_computed_cases():
    assert metrics.error_correlation([1, 2, 3], [1, 1, 5], [0.1, 0.2, 0.3]) == pytest.approx(1)
    assert metrics.error_correlation([1, 2, 3], [1, 1, 5], [0.3, 0.2, 0.1]) == pytest.approx(-1)
    assert math.isnan(metrics.error_correlation([1, 2, 3], [1, 1, 5], [1, 1, 1]))


@pytest.mark.parametrize("metric", CALIBRATIONS)
def test_a_std_that_cannot_be_is_refused(metric):
    with pytest.raises(UsageError, match=r"a std is at least 0, -1 was given"):
        metric([1, 2], [1, 2], [1, -1])
    with pytest.raises(UsageError, match=r"each of the 2 predictions needs a std, an array of shape \(1,\) was given"):
        metric([1, 2], [1, 2], [1])
    with pytest.raises(UsageError, match=r"two lists of one length, shapes \(2,\) and \(1,\) were given"):
        metric([1, 2], [1], [1])


@pytest.mark.parametrize("metric", CALIBRATIONS)
def test_uncertainty_of_nothing_or_of_nan_is_nan(metric):
    assert math.isnan(metric([], [], []))
    assert math.isnan(metric([1, math.nan], [1, 2], [1, 1]))
    assert math.isnan(metric([1, 2], [1, 2], [1, math.nan]))


@pytest.mark.parametrize("level", [0, 1, -0.5, math.nan])
def test_a_level_that_is_no_share_is_refused(level):
    with pytest.raises(UsageError, match="the level of an interval is between 0 and 1"):
        metrics.coverage([1], [1], [1], level)


def test_at_least_one_level_is_compared():
    with pytest.raises(UsageError, match="at least 1 level is compared, num_levels=0 was given"):
        metrics.calibration_error([1], [1], [1], 0)
