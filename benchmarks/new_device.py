"""Costs on a device that nothing is known of, from a few models measured there: each device of the table in turn.

    OMP_NUM_THREADS=1 python benchmarks/new_device.py

A predictor of speed learns from the other devices' measurements of the 486 image classifiers; then 5, 10 and 20 models,
drawn at random, are measured in each setting of the device that was left out, and the speed of all others there is
estimated, with nothing said of the device (``archpredict.costs.adapted``). Settings with at least 300 models; Kendall's
tau-b, mean absolute percentage error, and how many speeds the 90 % intervals hold, means over seeds 0 to 4. With no
measured model, the device's peaks and the coefficients of its regime say it. ``ridge``: on the logarithms of four
costs, of the measured models alone. The other devices' measurements know the same models. What was chosen for this was
chosen on seeds 100 and 101.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
from _protocols import add_data_option
from _throughput import load_speeds
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from archpredict.costs.adapted import AdaptedCost
from archpredict.costs.elsewhere import Elsewhere
from archpredict.costs.model import Numbers, SpeedModel
from archpredict.costs.numbers import numbers_of
from archpredict.costs.regimes import regime_of
from archpredict.costs.settings import device
from archpredict.graph.network_statistics import NAMES
from archpredict.metrics import kendall_tau

FEWEST = 300
COSTS = [NAMES.index(name) for name in ("log params", "log macs", "log activations of layers", "log input size")]
Figures = tuple[float, float, float]


def figures(
    true: np.ndarray, said: np.ndarray, low: np.ndarray | None = None, high: np.ndarray | None = None
) -> Figures:
    """Kendall's tau-b, percentage error, and the share within the interval."""
    inside = float("nan") if low is None or high is None else float(np.mean((low <= true) & (true <= high)))
    return kendall_tau(true, said), float(100 * np.abs(said / true - 1).mean()), inside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--measured", type=int, nargs="+", default=[5, 10, 20])
    options = parser.parse_args()
    data = load_speeds(options.data)
    numbers, speeds, settings = numbers_of(data.graphs, data.table), data.table.speeds, data.table.settings
    regimes = [regime_of(setting, device(setting.device)).name for setting in settings]
    found: dict[tuple[str, str, int, str], list[Figures]] = defaultdict(list)
    for left_out in sorted({setting.device for setting in settings}):
        others = [s for s, setting in enumerate(settings) if setting.device != left_out]
        model = SpeedModel.fit(
            Numbers(numbers.terms[others], numbers.statistics), speeds[others], [regimes[s] for s in others]
        )
        similar = model.similarity(numbers.statistics)
        said = [model.predict(place, numbers.terms[s], similar) for place, s in enumerate(others)]
        known = Elsewhere(np.stack(said, axis=1), numbers.statistics)
        for s, setting in enumerate(settings):
            has = np.flatnonzero(np.isfinite(speeds[s]))
            if setting.device != left_out or len(has) < FEWEST:
                continue
            borrowed = np.exp(model.borrow(regimes[s], numbers.terms[s], similar))
            where = (left_out, regimes[s])
            found[*where, 0, "peaks and regime"].append(figures(speeds[s, has], borrowed[has]))
            for seed in options.seeds:
                order = np.random.default_rng(seed).permutation(has)
                for n in options.measured:
                    own, rest = order[:n], order[n:]
                    true = speeds[s, rest]
                    cost = AdaptedCost(known.rows(own), speeds[s, own], [regimes[i] for i in others], model.similarity)
                    ours = cost.of(known.rows(rest))
                    found[*where, n, "archpredict"].append(figures(true, ours.values, ours.low, ours.high))
                    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13)))
                    ridge.fit(numbers.statistics[own][:, COSTS], np.log(speeds[s, own]))
                    found[*where, n, "ridge"].append(
                        figures(true, np.exp(ridge.predict(numbers.statistics[rest][:, COSTS])))
                    )
    show(found)


def show(found: dict[tuple[str, str, int, str], list[Figures]]) -> None:
    """By device and regime, then means over devices of each kind."""
    for (name, regime, n, method), each in sorted(found.items()):
        tau, error, inside = np.mean(each, axis=0)
        print(f"{name:14} {regime:10} {n:3} measured  {method:18} {tau:.3f}  {error:6.1f} %  {inside:.3f} in 90 %")
    kinds: dict[tuple[str, int, str], list[Figures]] = defaultdict(list)
    for (_, regime, n, method), each in found.items():
        kinds["CPUs" if regime == "cpu" else "GPUs, training" if regime == "training" else "GPUs", n, method] += each
    for (kind, n, method), each in sorted(kinds.items()):
        tau, error, inside = np.mean(each, axis=0)
        print(f"all {kind:21} {n:3} measured  {method:18} {tau:.3f}  {error:6.1f} %  {inside:.3f} in 90 %")


if __name__ == "__main__":
    main()
