"""Searches side by side and batch by batch: how busy the workers are, and what the search finds.

    OMP_NUM_THREADS=1 python benchmarks/asynchronous.py [--strategies evolution random] [--seeds 20]

The cells of NAS-Bench-201 with their labels for CIFAR-10. An evaluation takes a log-normal time (sigma 1), the same for
the same cell and seed. The workers are simulated: the clock jumps from the end of one evaluation to the next, and what
a strategy needs to think takes no time on it, as where evaluations take hours. `busy` is the share of the workers' time
between the first and the last ask in which they evaluate; `found` is the test accuracy of what is recommended after the
same number of evaluations, and `difference` is that of side by side over batch by batch, with a paired test (Wilcoxon)
over seeds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from _protocols import add_data_option, load_nb201
from _searches import Labels, paired

from archpredict.evaluators.function import FunctionEvaluator
from archpredict.registry import names
from archpredict.runs.search import search
from archpredict.spaces.base import Architecture
from archpredict.testing.simulated import SimulatedWorkers


def run(labels: Labels, name: str, seed: int, budget: int, workers: int, as_they_come: bool) -> tuple[float, float]:
    """Share of busy workers, and the test accuracy of the recommended cell."""

    def seconds(architecture: Architecture) -> float:
        return float(np.random.default_rng([seed, *architecture.choices]).lognormal())

    table = FunctionEvaluator(lambda architecture: labels.results([architecture])[0].score or 0.0)
    simulated = SimulatedWorkers(table, workers, seconds, as_they_come=as_they_come)
    found = search(labels.protocol.space, simulated, strategy=name, budget=budget, seed=seed)
    return simulated.busy, labels.test(found.best.architecture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--strategies", nargs="+", default=names("strategies"), help="which; all if left out")
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them")
    parser.add_argument("--budget", type=int, default=100, help="evaluations of a search")
    parser.add_argument("--workers", type=int, default=8, help="simulated workers")
    options = parser.parse_args()
    labels = Labels(load_nb201(Path(options.data)))
    print(f"{options.budget} evaluations, {options.workers} workers, {options.seeds} seeds")
    for name in options.strategies:
        begun, rows = time.perf_counter(), []
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            both = (run(labels, name, seed, options.budget, options.workers, mode) for mode in (True, False))
            rows.append([*next(both), *next(both)])
        busy, found, busy_in_batches, found_in_batches = np.array(rows).T
        print(
            f"{name:17s} busy {busy.mean():6.1%} (least {busy.min():.1%}), in batches {busy_in_batches.mean():5.1%}; "
            f"found {found.mean():.2f} ± {found.std():.2f}, in batches {found_in_batches.mean():.2f} ± "
            f"{found_in_batches.std():.2f}; difference {paired(found, found_in_batches)}; "
            f"{time.perf_counter() - begun:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
