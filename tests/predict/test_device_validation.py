"""Costs on devices that were held out, judged."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.executors.local import Local
from archpredict.graph.operator_counts import operator_counts
from archpredict.metrics import spearman
from archpredict.predict.device_predictor import DevicePredictor
from archpredict.predict.device_protocols import DeviceProtocol
from archpredict.predict.device_validation import DeviceTrial, evaluate_devices, summarize_devices
from archpredict.spaces.nasbench201 import EDGES, OPERATORS, NASBench201

PRICES = {"a": (0.1, 1.0, 5.0, 0.5), "b": (0.0, 2.0, 3.0, 1.0), "c": (0.2, 1.5, 8.0, 0.1)}


@pytest.fixture(scope="module")
def protocol() -> DeviceProtocol:
    """Three devices that take sums of operators."""
    space = NASBench201()
    choices = space.sample(200, np.random.default_rng(0))
    counts = operator_counts(choices, EDGES, len(OPERATORS))
    costs = {(name, "latency"): 1 + counts[:, :4] @ np.array(prices) for name, prices in PRICES.items()}
    connected = counts[:, -4:].any(axis=1)
    return DeviceProtocol("three", "sums", space, choices, counts, connected, costs)


@pytest.fixture(scope="module")
def trials(protocol: DeviceProtocol) -> list[DeviceTrial]:
    return evaluate_devices(protocol, (0, 8), (0, 1))


def test_devices_that_are_judged_side_by_side_give_the_same(
    protocol: DeviceProtocol, trials: list[DeviceTrial]
) -> None:
    assert evaluate_devices(protocol, (0, 8), (0, 1), executor=Local(jobs=2)) == trials


def test_every_method_is_judged_on_every_device_and_seed(trials: list[DeviceTrial]) -> None:
    methods = ("MACs", "layer-wise sum", "layer-wise sum per edge", "other devices", "archpredict")
    without = {("MACs", d, 0, s) for d in PRICES for s in (0, 1)} | {
        ("archpredict", d, 0, s) for d in PRICES for s in (0, 1)
    }
    expected = without | {(m, d, 8, s) for m in methods for d in PRICES for s in (0, 1)}
    found = [(t.method, t.device, t.n, t.seed) for t in trials]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_figures_are_those_of_the_predictor_on_what_it_has_not_seen(
    protocol: DeviceProtocol, trials: list[DeviceTrial]
) -> None:
    rows, test = protocol.split("b", 8, seed=1)
    target = protocol.target("b")
    said = DevicePredictor(protocol.others("b"), protocol.counts).fit(rows, target[rows]).estimates()
    (trial,) = (t for t in trials if (t.method, t.device, t.n, t.seed) == ("archpredict", "b", 8, 1))
    error = np.abs(said.values / target - 1)
    connected = np.intersect1d(test, np.flatnonzero(protocol.connected))
    inside = (said.low <= target) & (target <= said.high)
    expected = {
        "spearman": spearman(target[test], said.values[test]),
        "error_percent": 100 * error[test].mean(),
        "error_percent_connected": 100 * error[connected].mean(),
        "coverage_90": inside[test].mean(),
        "interval_factor": np.median(said.high[test] / said.values[test]),
    }
    assert trial.figures == pytest.approx(expected)


def test_a_sum_of_layers_is_found_by_a_sum_of_layers(trials: list[DeviceTrial]) -> None:
    summary = {row.method: row for row in summarize_devices(trials) if row.n == 8}
    assert summary["layer-wise sum"].mean["spearman"] > 0.99
    assert summary["archpredict"].mean["spearman"] > summary["other devices"].mean["spearman"]


def test_summaries_are_means_over_seeds_then_over_devices(trials: list[DeviceTrial]) -> None:
    summary = next(row for row in summarize_devices(trials) if (row.n, row.method) == (8, "MACs"))
    table = np.array(
        [
            [t.figures["spearman"] for t in trials if (t.n, t.method, t.device) == (8, "MACs", device)]
            for device in PRICES
        ]
    )
    assert [summary.devices[device]["spearman"] for device in PRICES] == pytest.approx(table.mean(axis=1).tolist())
    assert summary.mean["spearman"] == pytest.approx(table.mean())
    assert summary.std["spearman"] == pytest.approx(table.mean(axis=0).std())


@pytest.mark.parametrize("n", [1, -1, 199])
def test_numbers_of_measurements_that_cannot_be_are_refused(protocol: DeviceProtocol, n: int) -> None:
    with pytest.raises(UsageError, match=f"three: .*{n}"):
        evaluate_devices(protocol, (n,), (0,))
