"""What cells cost on a device of which little is known: protocol ``hw-nas-bench``.

    python benchmarks/hw_nas_bench.py                     # latency
    python benchmarks/hw_nas_bench.py --metric energy

15,625 cells of NAS-Bench-201 on six devices. Each device in turn is held out: everything is known of the other five
(latency, and energy where it was measured), and 0, 10 or 20 random measurements of the sixth. Spearman's rank
correlation and mean absolute percentage error on all its other cells, mean over seeds 0 to 4; in brackets the error
over the cells that have a path from their input to their output: the others compute nothing, and take a thousandth of
the time on some devices.

* ``MACs``: multiply-adds; with measurements, times a factor, by least squares.
* ``layer-wise sum``: what an operator takes plus a constant, by least squares without negative costs on the same
  measurements. ``per edge``: the same with a cost for each operator on each edge.
* ``other devices``: ridge on the logarithms of the other devices' costs alone.
* ``archpredict``: ``DevicePredictor``. With 0 measurements, the mean of the other devices.

Settings of the predictor were chosen on seeds from 100 on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from _protocols import add_data_option

from archpredict.graph.operator_counts import operator_counts
from archpredict.metrics import spearman
from archpredict.predict.device_predictor import DevicePredictor, layer_wise_sum
from archpredict.predict.device_protocols import DeviceProtocol, load_hw_nas_bench
from archpredict.regressors.bayesian_ridge import BayesianRidge
from archpredict.spaces.nasbench201 import EDGES, OPERATORS

METRICS = ("latency", "energy")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--metric", choices=METRICS, default="latency")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    protocol = load_hw_nas_bench(options.data, options.metric)
    start = time.process_time()
    for n in protocol.train_sizes:
        _print(n, protocol.devices, _figures(protocol, n, options.seeds))
    print(f"CPU seconds: {time.process_time() - start:.0f}")


Method = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From rows and their costs to the costs of all."""


def _methods(protocol: DeviceProtocol, device: str) -> dict[str, Method]:
    one_hot = np.eye(len(OPERATORS))[protocol.choices][:, :, 1:]
    counts = operator_counts(protocol.choices, EDGES, len(OPERATORS))
    macs = protocol.space.costs(protocol.choices)["macs"]
    predictor = DevicePredictor(protocol.others(device), counts)

    def archpredict(rows: np.ndarray, costs: np.ndarray) -> np.ndarray:
        return predictor.fit(rows, costs).predict() if len(rows) else predictor.order()

    return {
        "MACs": lambda rows, costs: macs * (macs[rows] @ costs / (macs[rows] @ macs[rows]) if len(rows) else 1.0),
        "layer-wise sum": lambda rows, costs: layer_wise_sum(one_hot.sum(axis=1), rows, costs),
        "layer-wise sum per edge": lambda rows, costs: layer_wise_sum(one_hot.reshape(len(one_hot), -1), rows, costs),
        "other devices": lambda rows, costs: _others(predictor, rows, costs),
        "archpredict": archpredict,
    }


def _others(predictor: DevicePredictor, rows: np.ndarray, costs: np.ndarray) -> np.ndarray:
    x, y = predictor.logs, np.log(costs)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    model = BayesianRidge()
    model.fit(x[rows], (y - y.mean()) / y.std())
    return np.exp(model.predict(x) * y.std() + y.mean())


def _figures(protocol: DeviceProtocol, n: int, seeds: list[int]) -> dict[str, np.ndarray]:
    """``(D, S, 3)`` by method: rank correlation, error, error over the cells that compute something."""
    live = operator_counts(protocol.choices, EDGES, len(OPERATORS))[:, -(len(OPERATORS) - 1) :].any(axis=1)
    found: dict[str, list[list[tuple[float, float, float]]]] = {}
    for device in protocol.devices:
        target = protocol.target(device)
        for name, method in _methods(protocol, device).items():
            if n == 0 and name not in ("MACs", "archpredict"):
                continue
            runs = []
            for seed in seeds:
                rows, test = protocol.split(device, n, seed)
                said = method(rows, target[rows])[test]
                error = np.abs(said / target[test] - 1) if n else np.full(len(test), np.nan)
                runs.append((spearman(target[test], said), float(error.mean()), float(error[live[test]].mean())))
            found.setdefault(name, []).append(runs)
    return {name: np.array(runs) for name, runs in found.items()}


def _print(n: int, devices: tuple[str, ...], figures: dict[str, np.ndarray]) -> None:
    print(f"\n{n} measurements: Spearman, error (error of live cells)\n")
    print(f"| method | {' | '.join(devices)} | mean |")
    print("|---|" + "---|" * (len(devices) + 1))
    for name, runs in figures.items():
        by_device = runs.mean(axis=1)
        cells = [_cell(*row) for row in [*by_device, by_device.mean(axis=0)]]
        spread = runs[:, :, 0].mean(axis=0).std()
        print(f"| {name} | {' | '.join(cells)} ± {spread:.3f} |")


def _cell(correlation: float, error: float, live: float) -> str:
    return f"{correlation:.3f}" + (f", {100 * error:.0f} % ({100 * live:.0f} %)" if np.isfinite(error) else "")


if __name__ == "__main__":
    main()
