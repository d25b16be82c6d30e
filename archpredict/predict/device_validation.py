"""How well costs on a device are told from other devices and a few measurements, beside simpler ways to tell them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import EvaluationError, UsageError
from archpredict.executors.base import Executor
from archpredict.executors.local import Local
from archpredict.metrics import spearman
from archpredict.predict.device_predictor import DevicePredictor, layer_wise_sum
from archpredict.predict.device_protocols import DeviceProtocol
from archpredict.progress import Event, Observer, silent
from archpredict.regressors.bayesian_ridge import BayesianRidge

__all__ = ["DeviceSummary", "DeviceTrial", "evaluate_devices", "summarize_devices"]

OWN = "archpredict"
"""What the predictor is called among the methods."""
_WITHOUT_MEASUREMENTS = ("MACs", OWN)

Method = Callable[[IntArray, FloatArray], FloatArray]
"""From rows and their costs to the costs of all."""


@dataclass(frozen=True)
class DeviceTrial:
    """A method that has learnt from some measurements of a device, and was judged by all others.

    Args:
        method: ``MACs`` (times a factor, by least squares), ``layer-wise sum`` and ``layer-wise sum per edge``
            (:func:`archpredict.predict.device_predictor.layer_wise_sum` of the same measurements), ``other devices``
            (ridge on the logarithms there) or ``archpredict``
            (:class:`archpredict.predict.device_predictor.DevicePredictor`).
        device: The one that was held out.
        n: Measurements it learnt from.
        seed: Of the split.
        figures: ``spearman``; ``error_percent``, the mean absolute error in percent, and ``error_percent_connected``,
            the same over cells with a path from input to output, which need measurements for a unit; of
            ``archpredict``, ``coverage_90``, the share of costs inside the 90 % intervals, and ``interval_factor``, the
            median factor from the cost to the interval's end.
    """

    method: str
    device: str
    n: int
    seed: int
    figures: Mapping[str, float]

    def row(self) -> dict[str, Any]:
        """The row of a table of trials."""
        return {"n": self.n, "seed": self.seed, "device": self.device, "method": self.method, **self.figures}


@dataclass(frozen=True)
class DeviceSummary:
    """A summary of trials of one method with as many measurements.

    Args:
        method: As in :class:`DeviceTrial`.
        n: Measurements.
        devices: Mean of each figure over seeds, by device.
        mean: Their mean over devices.
        std: Standard deviation over seeds of the mean over devices.
    """

    method: str
    n: int
    devices: Mapping[str, Mapping[str, float]]
    mean: Mapping[str, float]
    std: Mapping[str, float]


def evaluate_devices(
    protocol: DeviceProtocol,
    sizes: Sequence[int] | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    observer: Observer = silent,
    *,
    executor: Executor | None = None,
) -> list[DeviceTrial]:
    """Hold out each device in turn, and judge every method with each number of measurements and seed.

    Args:
        protocol: Devices and architectures.
        sizes: Numbers of measurements: 0, or 2 and more; those that the protocol is quoted for if left out.
        seeds: Of the splits.
        observer: Is told how many devices are done.
        executor: Where devices are judged, several at a time; one after another in this process if left out.

    Raises:
        UsageError: A number of measurements is 1 or negative, or leaves nothing to test on.
        EvaluationError: A device was given up by the executor.
    """
    sizes = protocol.train_sizes if sizes is None else sizes
    for n in sizes:
        if n == 1 or n < 0:
            raise UsageError(f"{protocol.name}: 0 or at least 2 measurements are learnt from, {n} was asked for")
    judge, found = _Judge(protocol, tuple(sizes), tuple(seeds)), dict[str, list[DeviceTrial]]()
    runs_on = Local() if executor is None else executor
    for done in runs_on.each(judge, protocol.devices):
        if done.value is None:
            raise EvaluationError(f"the device {done.item} was given up: {done.error}")
        found[done.item] = done.value
        observer(Event("devices", len(found), len(protocol.devices)))
    return [trial for device in protocol.devices for trial in found[device]]


@dataclass(frozen=True)
class _Judge:
    """All trials of one device."""

    protocol: DeviceProtocol
    sizes: tuple[int, ...]
    seeds: tuple[int, ...]

    def __call__(self, device: str) -> list[DeviceTrial]:
        predictor = DevicePredictor(self.protocol.others(device), self.protocol.counts)
        methods = _methods(self.protocol, predictor)
        each = ((n, seed) for n in self.sizes for seed in self.seeds)
        return [trial for n, seed in each for trial in _trials(self.protocol, device, n, seed, methods, predictor)]


def summarize_devices(trials: Sequence[DeviceTrial]) -> list[DeviceSummary]:
    """Means over seeds by method and number of measurements, in the order of the trials."""
    groups = dict.fromkeys((trial.n, trial.method) for trial in sorted(trials, key=lambda trial: trial.n))
    return [_summary([t for t in trials if (t.n, t.method) == group]) for group in groups]


def _summary(trials: Sequence[DeviceTrial]) -> DeviceSummary:
    names, seeds = list(trials[0].figures), dict.fromkeys(trial.seed for trial in trials)
    devices = dict.fromkeys(trial.device for trial in trials)
    values = {(t.device, t.seed): [t.figures[name] for name in names] for t in trials}
    table = np.array([[values[device, seed] for seed in seeds] for device in devices])  # (D, S, figures)
    by_device = {device: dict(zip(names, row, strict=True)) for device, row in zip(devices, _mean(table), strict=True)}
    by_seed = table.mean(axis=0)
    mean, std = (
        dict(zip(names, map(float, each), strict=True)) for each in (by_seed.mean(axis=0), by_seed.std(axis=0))
    )
    return DeviceSummary(trials[0].method, trials[0].n, by_device, mean, std)


def _mean(table: FloatArray) -> list[list[float]]:
    means: list[list[float]] = table.mean(axis=1).tolist()
    return means


def _methods(protocol: DeviceProtocol, predictor: DevicePredictor) -> dict[str, Method]:
    one_hot = np.eye(protocol.choices.max() + 1)[protocol.choices][:, :, 1:]  # nothing at all costs nothing
    edges, macs = one_hot.reshape(len(one_hot), -1), protocol.space.costs(protocol.choices)["macs"]
    return {
        "MACs": lambda rows, costs: macs * (macs[rows] @ costs / (macs[rows] @ macs[rows]) if len(rows) else 1.0),
        "layer-wise sum": lambda rows, costs: layer_wise_sum(one_hot.sum(axis=1), rows, costs),
        "layer-wise sum per edge": lambda rows, costs: layer_wise_sum(edges, rows, costs),
        "other devices": lambda rows, costs: _by_others(predictor.logs, rows, costs),
        OWN: lambda rows, costs: predictor.fit(rows, costs).predict() if len(rows) else predictor.order(),
    }


def _by_others(logs: FloatArray, rows: IntArray, costs: FloatArray) -> FloatArray:
    x, y = (logs - logs.mean(axis=0)) / logs.std(axis=0), np.log(costs)
    model = BayesianRidge()
    model.fit(x[rows], (y - y.mean()) / y.std())
    return np.asarray(np.exp(model.predict(x) * y.std() + y.mean()))


def _trials(
    protocol: DeviceProtocol,
    device: str,
    n: int,
    seed: int,
    methods: Mapping[str, Method],
    predictor: DevicePredictor,
) -> list[DeviceTrial]:
    rows, test = protocol.split(device, n, seed)
    target, found = protocol.target(device), []
    for name, method in methods.items():
        if n or name in _WITHOUT_MEASUREMENTS:
            figures = _figures(target[test], method(rows, target[rows])[test], protocol.connected[test], has_unit=n > 0)
            found.append(DeviceTrial(name, device, n, seed, figures))
    if n:
        own, said = found[-1], predictor.estimates()
        low, high = said.low[test], said.high[test]
        inside = float(np.mean((low <= target[test]) & (target[test] <= high)))
        more = {"coverage_90": inside, "interval_factor": float(np.median(high / said.values[test]))}
        found[-1] = DeviceTrial(own.method, device, n, seed, {**own.figures, **more})
    return found


def _figures(true: FloatArray, said: FloatArray, connected: Any, *, has_unit: bool) -> dict[str, float]:
    figures = {"spearman": spearman(true, said)}
    if has_unit:
        error = 100 * np.abs(said / true - 1)
        figures |= {"error_percent": float(error.mean()), "error_percent_connected": float(error[connected].mean())}
    return figures
