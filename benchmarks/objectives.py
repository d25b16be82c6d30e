"""Search with several objectives in NAS-Bench-201 on the devices of HW-NAS-Bench.

    OMP_NUM_THREADS=1 python benchmarks/objectives.py --seeds 20
    OMP_NUM_THREADS=1 python benchmarks/objectives.py --only predictor-guided --problems edgegpu --budgets 100

Accuracy (CIFAR-10, test, mean of seeds) and latency on three devices, then accuracy, latency and energy. All 15,625
cells are known, and so is the true front. Isomorphic cells are one network that was measured several times: they get
the mean, so that a lucky measurement of one of them is no architecture of its own.

Prints the share of the front's hypervolume that a search has found after as many evaluations, mean and deviation over
seeds; the mean difference to pymoo's own NSGA-II over the same seeds with the p-value of a paired two-sided Wilcoxon
test; CPU seconds of a search. A strategy that plans with its budget is run anew for every budget.

The reference point is stated beside each problem: the worst accuracy and cost on the true front, a tenth of its extent
further away. ``--floor 90`` counts only what lies above this accuracy, where it is harder.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
from _protocols import add_data_option, load_nb201
from _pymoo import pymoo_nsga2
from _side_by_side import add_executor_options, executor_of, side_by_side
from scipy.stats import wilcoxon

from archpredict.evaluators.base import Result
from archpredict.metrics.fronts import hypervolume, on_front, running_hypervolume
from archpredict.predict.device_protocols import load_hw_nas_bench
from archpredict.registry import resolve
from archpredict.spaces.base import SearchSpace
from archpredict.strategies.base import Problem, Strategy

PROBLEMS = {
    "edgegpu": ("edgegpu_latency",),
    "raspi4": ("raspi4_latency",),
    "fpga": ("fpga_latency",),
    "edgegpu-energy": ("edgegpu_latency", "edgegpu_energy"),
}
STRATEGIES = ("random", "nsga2", "predictor-guided", "ctnas")
PEER = "pymoo nsga2"
ANYTIME = ("random", "nsga2", PEER)
"""Do the same whatever the budget is: one run gives all figures. Their population is that of the largest."""


class World:
    """What is known of all cells: choices, accuracy, costs; and the front of a problem."""

    def __init__(self, data: Path, problem: str, floor: float | None) -> None:
        devices, accuracy = load_hw_nas_bench(data), load_nb201(data)
        label = dict(zip(map(tuple, accuracy.choices.tolist()), accuracy.test_labels.tolist(), strict=True))
        self.space: SearchSpace = devices.space
        self.names = ("accuracy", *PROBLEMS[problem])
        rows = [tuple(row) for row in devices.choices.tolist()]
        costs = [devices.costs[_pair(name)] for name in self.names[1:]]
        values = np.column_stack([[label[row] for row in rows], *(-cost for cost in costs)])  # more is better
        self.values = _of_classes(values, [a.key for a in self.space.architectures(devices.choices)])
        self.row = {row: i for i, row in enumerate(rows)}
        front = self.values[on_front(self.values)]
        if floor is not None:
            front = front[front[:, 0] >= floor]
        self.reference = front.min(axis=0) - 0.1 * np.ptp(front, axis=0)
        if floor is not None:
            self.reference[0] = floor
        self.front, self.volume = front, hypervolume(self.values, self.reference)

    def rows(self, choices: np.ndarray) -> np.ndarray:
        return self.values[[self.row[tuple(row)] for row in choices.tolist()]]

    def objectives(self, *, told: bool) -> list[str]:
        """As the strategies are given them; with the reference point, or without."""
        ends = [f":{s * r!r}" if told else "" for s, r in zip(self.signs, self.reference.tolist(), strict=True)]
        return [f"{n}:{'max' if s > 0 else 'min'}{end}" for n, s, end in zip(self.names, self.signs, ends, strict=True)]

    @property
    def signs(self) -> list[int]:
        return [1] + [-1] * (len(self.names) - 1)


def _of_classes(values: np.ndarray, keys: list[str]) -> np.ndarray:
    """The mean over isomorphic cells, which are one network measured several times, for each of them."""
    _, group, count = np.unique(keys, return_inverse=True, return_counts=True)
    return np.column_stack([np.bincount(group, column) / count for column in values.T])[group]


def _pair(name: str) -> tuple[str, str]:
    device, _, metric = name.partition("_")
    return device, metric


@cache
def world(data: Path, problem: str, floor: float | None) -> World:
    return World(data, problem, floor)


def run(
    data: Path, problem: str, floor: float | None, told: bool, name: str, options: str, budget: int, seed: int
) -> tuple[list[float], float]:
    """One search: the share of the hypervolume after each evaluation, CPU seconds."""
    import torch

    torch.set_num_threads(1)
    known, start = world(data, problem, floor), time.process_time()
    if name == PEER:
        values = known.rows(pymoo_nsga2(known.space, known.rows, budget, seed=seed))
    else:
        values = np.array(_search(known, name, json.loads(options), budget, seed, told))
    share = running_hypervolume(values, known.reference) / known.volume
    return [*share, *[share[-1]] * (budget - len(share))], time.process_time() - start


def _search(
    known: World, name: str, options: dict[str, object], budget: int, seed: int, told: bool
) -> list[np.ndarray]:
    given = Problem(known.space, budget, objectives=known.objectives(told=told))
    strategy = resolve("strategies", name, Strategy)(given, seed=seed, **options)
    found = list[np.ndarray]()
    while batch := strategy.ask(budget - strategy.num_told):
        rows = known.rows(np.array([a.choices for a in batch]))
        found += list(rows)
        strategy.tell([Result(a, row[0], values=_values(known, row)) for a, row in zip(batch, rows, strict=True)])
    return found


def _values(known: World, row: np.ndarray) -> dict[str, float]:
    return {name: float(sign * value) for name, sign, value in zip(known.names, known.signs, row, strict=True)}


def lines(options: argparse.Namespace) -> Iterator[str]:
    """A line for each problem, budget and strategy."""
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    names = [name for name in (PEER, *STRATEGIES) if name == PEER or name in options.only]
    largest = max(options.budgets)
    executor = executor_of(options)
    for problem in options.problems:
        known = world(options.data, problem, options.floor)
        point = [f"{n} {s * r:.4g}" for n, s, r in zip(known.names, known.signs, known.reference, strict=True)]
        yield f"{problem}: {len(known.front)} cells on the front; reference {', '.join(point)}"
        curves: dict[tuple[str, int], tuple[np.ndarray, float]] = {}
        for name in names:
            for budget in (largest,) if name in ANYTIME else options.budgets:
                common = (options.data, problem, options.floor, options.told, name, options.options, budget)
                found = list(side_by_side(run, [(*common, seed) for seed in seeds], executor))
                shares, seconds = np.array([s for s, _ in found]), float(np.mean([t for _, t in found]))
                for size in options.budgets if name in ANYTIME else (budget,):
                    curves[name, size] = (shares[:, size - 1], seconds)
        for size in options.budgets:
            for name in names:
                yield _line(name, size, *curves[name, size], curves[PEER, size][0])


def _line(name: str, size: int, shares: np.ndarray, seconds: float, peer: np.ndarray) -> str:
    line = f"  {size} evaluations | {name} {100 * shares.mean():.2f} ± {100 * shares.std():.2f} %"
    if name != PEER:
        p = wilcoxon(shares, peer).pvalue if len(shares) > 1 and (shares != peer).any() else float("nan")
        line += f" | to {PEER} {100 * (shares - peer).mean():+.2f}, p = {p:.3g}"
    return f"{line} | {seconds:.0f} s"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--only", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--budgets", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--floor", type=float, help="accuracy below which nothing counts")
    parser.add_argument("--told", action="store_true", help="strategies are told the reference point")
    parser.add_argument("--options", default="{}", help="options of the strategies of --only, as JSON")
    add_executor_options(parser)
    options = parser.parse_args()
    for line in lines(options):
        print(line, flush=True)


if __name__ == "__main__":
    main()
