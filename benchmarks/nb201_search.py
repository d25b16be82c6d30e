"""Search on NAS-Bench-201: validation accuracy is paid for, CIFAR-10 test accuracy of the recommended cell is reported.

    OMP_NUM_THREADS=1 python benchmarks/nb201_search.py --budget 150 --seeds 20 --jobs 2

Every evaluation counts, labels and final checks together. Prints the mean test accuracy of CTNAS, its ablations
(baseline fixed or random; share r of predicted labels) and random search over the same seeds, and a paired one-sided
Wilcoxon test of CTNAS against each. The best test accuracy in the space is 94.37.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
from _protocols import Protocol, add_data_option, load_nb201

from archpredict.evaluators.base import Result
from archpredict.strategies.base import Problem
from archpredict.strategies.ctnas import CTNAS
from archpredict.strategies.random import RandomSearch

ABLATIONS: dict[str, dict[str, Any]] = {
    "ctnas": {},
    "ctnas, baseline fixed": {"baseline": "fixed"},
    "ctnas, baseline random": {"baseline": "random"},
    "ctnas, r = 0": {"share": 0.0},
    "ctnas, r = 0.3": {"share": 0.3},
    "ctnas, r = 0.8": {"share": 0.8},
    "ctnas, preset paper": {"preset": "paper"},
    "ctnas, preset repo": {"preset": "repo"},
}


@cache
def _protocol(folder: str) -> tuple[Protocol, dict[tuple[int, ...], int]]:
    protocol = load_nb201(Path(folder))
    return protocol, {tuple(row): i for i, row in enumerate(protocol.choices.tolist())}


def run(name: str, seed: int, budget: int, folder: str) -> dict[str, Any]:
    """One search; test accuracy of the recommended cell."""
    import torch

    torch.set_num_threads(1)
    protocol, rows = _protocol(folder)
    problem = Problem(protocol.space, budget)
    if name == "random":
        strategy: Any = RandomSearch(problem, seed=seed)
    else:
        strategy = CTNAS(problem, seed=seed, device="cpu", **ABLATIONS[name])
    start = time.perf_counter()
    while batch := strategy.ask(budget - strategy.num_told):
        strategy.tell([Result(a, float(protocol.train_labels[rows[a.choices]])) for a in batch])
    row = rows[strategy.recommend(1)[0].architecture.choices]
    return {
        "name": name,
        "seed": seed,
        "queries": strategy.num_told,
        "test": float(protocol.test_labels[row]),
        "valid": float(protocol.train_labels[row]),
        "seconds": time.perf_counter() - start,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--budget", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=["random", *ABLATIONS], choices=["random", *ABLATIONS])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run here too")
    options = parser.parse_args()
    tasks = [(name, seed, options.budget, str(options.data)) for name in options.only for seed in range(options.seeds)]
    with ProcessPoolExecutor(options.jobs) as pool:
        runs = list(pool.map(run, *zip(*tasks, strict=True)))
    print(f"nb201-c10 search, budget {options.budget} in all, seeds 0 to {options.seeds - 1}")
    results = {name: [r for r in runs if r["name"] == name] for name in options.only}
    for name, found in results.items():
        print(_line(name, found, results.get("ctnas")), flush=True)
    if options.json:
        options.json.write_text(json.dumps(runs, indent=1) + "\n")


def _line(name: str, found: list[dict[str, Any]], ctnas: list[dict[str, Any]] | None) -> str:
    from scipy.stats import wilcoxon

    test = np.array([r["test"] for r in found])
    seconds = np.median([r["seconds"] for r in found])
    line = f"{name:24s} test {test.mean():.3f} ± {test.std():.3f} (worst {test.min():.2f}), {seconds:.1f} s"
    if ctnas is None or name == "ctnas":
        return line
    difference = np.array([r["test"] for r in ctnas]) - test
    if not difference.any():
        return f"{line}; the same as ctnas on every seed"
    p = wilcoxon(difference, alternative="greater", zero_method="zsplit").pvalue
    return f"{line}; ctnas better by {difference.mean():+.3f}, p = {p:.2g}"


if __name__ == "__main__":
    main()
