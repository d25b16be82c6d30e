"""What architectures cost on a device is predicted from other devices and a few measurements."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import DataError, NotFittedError, UsageError
from archpredict.metrics import spearman
from archpredict.predict.device_predictor import DevicePredictor, layer_wise_sum


def devices(total=200, seed=0):
    """Numbers of layers, two devices with costs of their own for each, and a third one that is to be predicted."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, (total, 3)).astype(float)
    costs = [1 + counts @ weights for weights in ([5, 1, 0.2], [3, 0.5, 1], [4, 2, 0.1])]
    return counts, {"a": costs[0], "b": costs[1]}, costs[2]


def test_a_cost_that_is_a_sum_over_layers_is_found_from_ten_measurements():
    counts, others, costs = devices()
    said = DevicePredictor(others, counts).fit(np.arange(10), costs[:10]).predict()
    assert spearman(costs[10:], said[10:]) > 0.99
    assert np.median(np.abs(said / costs - 1)) < 0.05


def test_without_a_measurement_the_order_is_the_mean_of_the_standardised_logarithms():
    counts, others, _ = devices()
    logs = [np.log(costs) for costs in others.values()]
    expected = np.mean([(log - log.mean()) / log.std() for log in logs], axis=0)
    predictor = DevicePredictor(others, counts)
    np.testing.assert_allclose(predictor.order(), expected)
    with pytest.raises(NotFittedError, match="fit measurements first, or ask for the order"):
        predictor.predict()


def test_the_unit_of_the_measurements_is_that_of_the_predictions():
    counts, others, costs = devices()
    in_ms = DevicePredictor(others, counts).fit(np.arange(10), costs[:10]).predict()
    in_us = DevicePredictor(others, counts).fit(np.arange(10), 1000 * costs[:10]).predict()
    np.testing.assert_allclose(in_us, 1000 * in_ms, rtol=1e-6)


def test_the_order_of_measurements_and_devices_is_no_matter():
    counts, others, costs = devices()
    rows = np.arange(10)
    said = DevicePredictor(others, counts).fit(rows, costs[rows]).predict()
    again = DevicePredictor(dict(reversed(others.items())), counts).fit(rows[::-1], costs[rows[::-1]]).predict()
    np.testing.assert_allclose(again, said, rtol=1e-6)


def test_gaps_of_other_devices_are_filled_from_the_numbers():
    counts, others, costs = devices()
    whole = DevicePredictor(others, counts).fit(np.arange(10), costs[:10]).predict()
    gaps = {**others, "a": np.where(np.arange(200) % 5, others["a"], np.nan)}
    predictor = DevicePredictor(gaps, counts).fit(np.arange(10), costs[:10])
    assert np.isfinite(predictor.logs).all()
    assert spearman(whole, predictor.predict()) > 0.98


def test_predictions_are_positive_also_where_a_sum_would_not_be():
    counts, others, costs = devices()
    tiny = {name: np.where(np.arange(200) >= 190, 1e-3, values) for name, values in others.items()}
    said = DevicePredictor(tiny, counts).fit(np.arange(10), costs[:10]).predict()
    assert (said > 0).all()
    assert said[190:].max() < costs[:10].min()


def test_equal_measurements_are_predicted_everywhere():
    counts, others, _ = devices()
    np.testing.assert_allclose(DevicePredictor(others, counts).fit([0, 1], [2.5, 2.5]).predict(), 2.5)


@pytest.mark.parametrize(
    ("rows", "costs", "error", "message"),
    [
        ([0], [1.0], DataError, "1 costs of 1 architectures were given; expected one each, of at least 2"),
        ([0, 1], [1.0], DataError, "1 costs of 2 architectures"),
        ([0, 1], [1.0, 0.0], DataError, "measured costs must be positive and finite, got 0 to 1"),
        ([0, 1], [1.0, np.nan], DataError, "measured costs must be positive and finite"),
        ([0, 200], [1.0, 2.0], UsageError, "rows must be from 0 to 199, got 0 to 200"),
        ([3, 3], [1.0, 2.0], UsageError, "an architecture is given twice"),
        ([0.5, 1], [1.0, 2.0], UsageError, "rows must be a list of numbers of architectures"),
    ],
)
def test_measurements_that_cannot_be_are_refused(rows, costs, error, message):
    counts, others, _ = devices()
    with pytest.raises(error, match=message):
        DevicePredictor(others, counts).fit(rows, costs)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({}, "no device was given"),
        ({"a": np.ones(3)}, r"the costs on a have shape \(3,\); expected one for each of 4 architectures"),
        ({"a": np.array([1.0, 2.0, -1.0, 3.0])}, "the costs on a must be positive"),
        ({"a": np.full(4, np.nan)}, "the costs on a must be positive, at least 2 of them"),
    ],
)
def test_other_devices_that_say_nothing_are_refused(others, message):
    with pytest.raises(DataError, match=message):
        DevicePredictor(others, np.ones((4, 1)))


def test_a_layer_wise_sum_by_hand():
    # A constant of 3, and 2 for the first layer, 0.5 for the second: 3 + 2 * 4 + 0.5 * 2.
    counts = [[1, 0], [0, 1], [2, 0], [4, 2]]
    np.testing.assert_allclose(layer_wise_sum(counts, [0, 1, 2], [5.0, 3.5, 7.0]), [5, 3.5, 7, 12])


def test_no_layer_of_a_sum_costs_less_than_nothing():
    counts = np.array([[0.0], [1.0], [2.0]])
    np.testing.assert_allclose(layer_wise_sum(counts, [0, 1, 2], [3.0, 2.0, 1.0]), [2, 2, 2])
