"""Search on NAS-Bench-201: validation accuracy is paid for, CIFAR-10 test accuracy of the recommended cell is reported.

    OMP_NUM_THREADS=1 python benchmarks/nb201_search.py --budget 50 100 150 --seeds 20 --jobs 2
    OMP_NUM_THREADS=1 python benchmarks/nb201_search.py --budget 100 --only evolution predictor-guided ctnas

Every evaluation counts, labels and final checks together. Prints, for each budget, the mean test accuracy of CTNAS, its
ablations (baseline fixed or random; share r of predicted labels), the other strategies and their ablations over the
same seeds, and a paired one-sided Wilcoxon test of CTNAS against each. The best test accuracy in the space is 94.37.
Seeds 0 to 19 are for reporting; settings are chosen on others (``--first-seed 100 --seeds 10``).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
from _protocols import add_data_option, load_nb201
from _searches import Labels, searched, strategy_of
from _side_by_side import add_executor_options, executor_of, side_by_side

from archpredict.strategies.base import Problem

RUNS: dict[str, dict[str, Any]] = {
    "random": {},
    "evolution": {},
    "predictor-guided": {},
    "predictor-guided, preset gates": {"preset": "gates"},
    "predictor-guided, inner random": {"inner": "random"},
    "predictor-guided, inner evolution": {"inner": "evolution"},
    "predictor-guided, ucb": {"acquisition": "ucb"},
    "predictor-guided, thompson": {"acquisition": "thompson"},
    "ctnas": {},
    "ctnas, baseline fixed": {"baseline": "fixed"},
    "ctnas, baseline random": {"baseline": "random"},
    "ctnas, r = 0": {"share": 0.0},
    "ctnas, r = 0.3": {"share": 0.3},
    "ctnas, r = 0.8": {"share": 0.8},
    "ctnas, preset paper": {"preset": "paper"},
    "ctnas, preset repo": {"preset": "repo"},
}
"""Strategy, a comma and what is different about it; options of its constructor."""


@cache
def _labels(folder: str) -> Labels:
    return Labels(load_nb201(Path(folder)))


def run(name: str, seed: int, budget: int, folder: str) -> dict[str, Any]:
    """One search; test accuracy of the recommended cell."""
    import torch

    torch.set_num_threads(1)
    labels = _labels(folder)
    problem = Problem(labels.protocol.space, budget)
    start = time.perf_counter()
    strategy = searched(strategy_of(name, problem, seed, RUNS[name]), labels)
    found = strategy.recommend(1)[0].architecture
    return {
        "name": name,
        "budget": budget,
        "seed": seed,
        "queries": strategy.num_told,
        "test": labels.test(found),
        "valid": labels.results([found])[0].score,
        "seconds": time.perf_counter() - start,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--budget", type=int, nargs="+", default=[150])
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    add_executor_options(parser)
    parser.add_argument(
        "--only", nargs="+", default=list(RUNS), choices=list(RUNS), metavar="RUN", help=", ".join(RUNS)
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run here too")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    runs: list[dict[str, Any]] = []
    tasks = [(name, seed, b, str(options.data)) for b in options.budget for name in options.only for seed in seeds]
    found = side_by_side(run, tasks, executor_of(options))
    for budget in options.budget:
        of_budget = list(islice(found, len(options.only) * len(seeds)))
        _print(budget, seeds, options.only, of_budget)
        runs += of_budget
    if options.json:
        options.json.write_text(json.dumps(runs, indent=1) + "\n")


def _print(budget: int, seeds: range, names: list[str], runs: list[dict[str, Any]]) -> None:
    print(f"nb201-c10 search, budget {budget} in all, seeds {seeds[0]} to {seeds[-1]}")
    results = {name: [r for r in runs if r["name"] == name] for name in names}
    for name, found in results.items():
        print(_line(name, found, results.get("ctnas")), flush=True)


def _line(name: str, found: list[dict[str, Any]], ctnas: list[dict[str, Any]] | None) -> str:
    from scipy.stats import wilcoxon

    test = np.array([r["test"] for r in found])
    seconds = np.median([r["seconds"] for r in found])
    line = f"{name:33s} test {test.mean():.3f} ± {test.std():.3f} (worst {test.min():.2f}), {seconds:.1f} s"
    if ctnas is None or name == "ctnas":
        return line
    difference = np.array([r["test"] for r in ctnas]) - test
    if not difference.any():
        return f"{line}; the same as ctnas on every seed"
    p = wilcoxon(difference, alternative="greater", zero_method="zsplit").pvalue
    return f"{line}; ctnas better by {difference.mean():+.3f}, p = {p:.2g}"


if __name__ == "__main__":
    main()
