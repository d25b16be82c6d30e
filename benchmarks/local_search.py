"""How many evaluations local search needs on NAS-Bench-201 until the best cell is among them.

    OMP_NUM_THREADS=1 python benchmarks/local_search.py [--seeds 100]

White, Nolen and Savani (arXiv 2005.02960, version 1) report 127 on average for CIFAR-100, by Algorithm 1: one random
start, all neighbours before a move. Here the label is the mean accuracy of all trainings on the images that the network
is selected by (validation) or judged by (test). Isomorphic cells count once, which they do not there.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from pathlib import Path
from typing import get_args

import numpy as np
from _protocols import add_data_option, load_nb201

from archpredict.evaluators.base import Result
from archpredict.strategies.base import Problem
from archpredict.strategies.local_search import LocalSearch, Move

COLUMNS = {
    "CIFAR-10, validation": "c10_nasntk_acc",
    "CIFAR-10, test": "c10_test",
    "CIFAR-100, validation": "c100_nasntk_acc",
    "CIFAR-100, test": "c100_test",
}


def needed(labels: dict[tuple[int, ...], float], problem: Problem, move: Move, seed: int) -> int:
    """Evaluations until the best label is found."""
    search, best = LocalSearch(problem, seed=seed, move=move), max(labels.values())
    while batch := search.ask(1):
        search.tell([Result(a, labels[a.choices]) for a in batch])
        if labels[batch[0].choices] == best:
            break
    return search.num_told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    options = parser.parse_args()
    protocol = load_nb201(Path(options.data))
    problem = Problem(protocol.space, budget=5000)
    with gzip.open(Path(options.data) / "nasbench201" / "nasbench201.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    for name, column in COLUMNS.items():
        labels = {protocol.space.parse(row["arch_str"]): float(row[column]) for row in rows}
        for move in get_args(Move):
            found = np.array([needed(labels, problem, move, seed) for seed in range(options.seeds)])
            print(
                f"{name:22s} move {move:5s} {found.mean():.1f} ± {found.std():.1f} evaluations, "
                f"median {np.median(found):.0f}, {len(found)} seeds",
                flush=True,
            )


if __name__ == "__main__":
    main()
