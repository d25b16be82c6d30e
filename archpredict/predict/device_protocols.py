"""Evaluation protocols of what architectures cost on a device, where others have been measured on all of them.

They are no :class:`~archpredict.predict.protocols.Protocol`, which has one column to learn from, is judged by a ranking
alone, and needs two labels at least: here each device in turn is held out, what the others say is given, and no label
is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archpredict._typing import BoolArray, FloatArray, IntArray
from archpredict.errors import DataError, UnknownNameError, UsageError
from archpredict.graph.operator_counts import operator_counts
from archpredict.predict.protocols import HoldOut
from archpredict.spaces.base import SearchSpace
from archpredict.spaces.nasbench201 import EDGES, OPERATORS, NASBench201
from archpredict.tables.formats.base import ARCHITECTURE, read_rows

__all__ = ["DeviceProtocol", "device_protocol_names", "load_device_protocol", "load_hw_nas_bench"]

METRICS = ("latency", "energy")
DEVICES = ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")


@dataclass(frozen=True, eq=False)
class DeviceProtocol:
    """A protocol that holds out one device after the other.

    Args:
        name: What the figures quote.
        description: Devices and architectures, in one line.
        space: The search space.
        choices: ``(N, L)``; of each the first is no operator at all.
        counts: ``(N, F)`` numbers of operators, as :func:`archpredict.graph.operator_counts.operator_counts` has them.
        connected: ``(N,)`` whether there is a path from input to output.
        costs: ``(N,)`` by device and metric; not a number where an architecture was not measured.
        metric: The one that is predicted.
        train_sizes: Numbers of measurements of the held-out device that figures are quoted for.
    """

    name: str
    description: str
    space: SearchSpace
    choices: IntArray
    counts: FloatArray
    connected: BoolArray
    costs: Mapping[tuple[str, str], FloatArray]
    metric: str = "latency"
    train_sizes: tuple[int, ...] = (0, 10, 20)

    @property
    def devices(self) -> tuple[str, ...]:
        """Devices on which the metric was measured."""
        return tuple(device for device, metric in self.costs if metric == self.metric)

    def target(self, device: str) -> FloatArray:
        """``(N,)`` costs on a device.

        Raises:
            UnknownNameError: The metric was not measured there.
        """
        if device not in self.devices:
            raise UnknownNameError("device", device, self.devices)
        return self.costs[device, self.metric]

    def others(self, device: str) -> dict[str, FloatArray]:
        """``(N,)`` by ``device_metric``: all that the other devices say, and nothing of this one."""
        return {f"{other}_{metric}": costs for (other, metric), costs in self.costs.items() if other != device}

    def split(self, device: str, n: int, seed: int) -> HoldOut:
        """The first ``n`` measured rows of the permutation of ``default_rng(seed)``, and all other measured rows.

        Raises:
            UsageError: ``n`` is negative, or leaves fewer than 2 rows to test on.
        """
        target = self.target(device)
        order = np.random.default_rng(seed).permutation(len(target))
        measured = order[np.isfinite(target[order])]
        if not 0 <= n <= len(measured) - 2:
            raise UsageError(
                f"{self.name}: {n} measurements of {device} were asked for, expected 0 to {len(measured) - 2}"
            )
        return HoldOut(measured[:n], measured[n:])


def load_hw_nas_bench(folder: str | Path, metric: str = "latency") -> DeviceProtocol:
    """The protocol ``hw-nas-bench``: six devices on which the cells of NAS-Bench-201 were run, for CIFAR-10.

    Li et al., "HW-NAS-Bench: hardware-aware neural architecture search benchmark", 2021, arXiv 2103.10584. 15,625
    cells; everything of five devices is known, and 0, 10 or 20 measurements of the sixth; Spearman's rank correlation
    and the mean absolute percentage error on its other cells, mean over seeds 0 to 4. The Edge TPU was measured on
    10,926 cells.

    Args:
        folder: Where the benchmark tables are, with the sub-folder ``nasbench201``.
        metric: ``latency`` (six devices), or ``energy`` (three).

    Raises:
        UnknownNameError: Another metric.
        DataError: The table is not in the folder, or is not what it should be.
    """
    if metric not in METRICS:
        raise UnknownNameError("metric", metric, METRICS)
    path, space = Path(folder) / "nasbench201" / "hw_nas_bench.npz", NASBench201()
    rows = [row.values for row in read_rows(path)]
    choices = np.array([space.parse(row[ARCHITECTURE]) for row in rows], dtype=np.int64)
    names = {(device, kind): f"{device}_{kind}" for device in DEVICES for kind in METRICS}
    costs = {
        key: np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)
        for key, name in names.items()
        if rows and name in rows[0]
    }
    missing = [device for device in DEVICES if (device, "latency") not in costs]
    if missing:
        raise DataError(f"{path} has no column {missing[0]}_latency, which the protocol hw-nas-bench needs")
    counts = operator_counts(choices, EDGES, len(OPERATORS))
    return DeviceProtocol(
        name="hw-nas-bench",
        description=f"15,625 cells of NAS-Bench-201, {metric} on a device by that on others and a few measurements",
        space=space,
        choices=choices,
        counts=counts,
        connected=counts[:, -(len(OPERATORS) - 1) :].max(axis=1) > 0,
        costs=costs,
        metric=metric,
    )


_LOADERS: Mapping[str, Callable[[str | Path, str], DeviceProtocol]] = {"hw-nas-bench": load_hw_nas_bench}


def device_protocol_names() -> list[str]:
    """Names that :func:`load_device_protocol` knows."""
    return sorted(_LOADERS)


def load_device_protocol(name: str, folder: str | Path, metric: str = "latency") -> DeviceProtocol:
    """The protocol of a name.

    Args:
        name: One of :func:`device_protocol_names`.
        folder: Where the benchmark tables are.
        metric: What is predicted.

    Raises:
        UnknownNameError: There is no such protocol or metric.
        DataError: Its table is not in the folder, or is not what it should be.
    """
    if name not in _LOADERS:
        raise UnknownNameError("protocol", name, _LOADERS)
    return _LOADERS[name](folder, metric)
