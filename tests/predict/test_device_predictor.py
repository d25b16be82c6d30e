"""What architectures cost on a device is predicted from other devices and a few measurements."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save

from archpredict._files import read_tensors
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
        ([0], [1.0], DataError, "1 costs of 1 architectures were given; expected one each, of 2 to 2,000"),
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


def test_what_a_compiler_leaves_out_is_told_by_the_device_that_this_one_resembles():
    counts, others, third = devices(400)
    nothing = np.arange(400) >= 380  # cost next to nothing on one of the others, and here
    others = {"a": np.where(nothing, 1e-3 * others["a"], others["a"]), "b": others["b"], "c": third}
    true = 2 * others["a"] * np.exp(0.03 * np.random.default_rng(0).normal(size=400))
    said = DevicePredictor(others, counts).fit(np.arange(20), true[:20]).predict()
    assert np.abs(said[nothing] / true[nothing] - 1).mean() < 0.1
    assert np.abs(said[~nothing] / true[~nothing] - 1).mean() < 0.1


@pytest.mark.parametrize("n", [10, 20, 30])
def test_intervals_hold_nine_in_ten(n):
    inside = []
    for seed in range(20):
        counts, others, costs = devices(300, seed)
        true = costs * np.exp(0.1 * np.random.default_rng([seed, 1]).normal(size=300))
        said = DevicePredictor(others, counts).fit(np.arange(n), true[:n]).estimates()
        inside.append(np.mean((said.low <= true)[n:] & (true <= said.high)[n:]))
        assert np.all((said.low < said.values) & (said.values < said.high))
    assert 0.85 < np.mean(inside) < 0.95


@pytest.mark.parametrize("measured", [0, 12])
def test_a_file_says_the_same(tmp_path, measured):
    counts, others, costs = devices()
    gaps = {**others, "a": np.where(np.arange(200) % 5, others["a"], np.nan)}
    predictor = DevicePredictor(gaps, counts)
    if measured:
        predictor.fit(np.arange(measured), costs[:measured])
    predictor.save(tmp_path / "devices.safetensors")
    again = DevicePredictor.load(tmp_path / "devices.safetensors")
    np.testing.assert_array_equal(again.order(), predictor.order())
    if measured:
        for name in ("values", "low", "high"):
            np.testing.assert_array_equal(getattr(again.estimates(), name), getattr(predictor.estimates(), name))
    else:
        with pytest.raises(NotFittedError):
            again.predict()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("numbers", np.ones((3, 1))),
        ("numbers", np.full((200, 3), np.inf)),
        ("others", np.ones(5)),
        ("others", -np.ones((200, 2))),
        ("rows", np.arange(12) + 500),
        ("rows", np.ones(12)),
        ("costs", np.full(12, 1e308)),
        ("costs", np.zeros(12)),
    ],
)
def test_a_file_whose_numbers_cannot_be_is_refused(tmp_path, name, value):
    counts, others, costs = devices()
    path = tmp_path / "devices.safetensors"
    DevicePredictor(others, counts).fit(np.arange(12), costs[:12]).save(path)
    told, arrays = read_tensors(path, "np")
    path.write_bytes(save({**arrays, name: value}, told))
    with pytest.raises(DataError, match=r"devices.safetensors holds no predictor of devices: .*; save it again"):
        DevicePredictor.load(path)


def test_a_file_of_something_else_or_none_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        DevicePredictor.load(tmp_path / "none.safetensors")
    (tmp_path / "other.safetensors").write_bytes(save({"a": np.ones(2)}, {}))
    with pytest.raises(DataError, match="it is a file of something else"):
        DevicePredictor.load(tmp_path / "other.safetensors")
