"""A whole CTNAS search on the labelled NAS-Bench-101 cells: 423 labels in all, exploration and curriculum included.

    OMP_NUM_THREADS=1 python benchmarks/nb101_search.py [--presets default paper repo]

Prints seconds on one thread, architectures sampled by the controller, and the rank of the best labelled cell among the
20,001 labelled ones, beside random search. The published code takes about 316 s (its training and 10,000 controller
iterations; ``published_ctnas.py --search`` measures it).
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import torch
from _protocols import Protocol, add_data_option, load_nb101_20k
from _searches import Labels, searched

from archpredict.strategies.base import Problem, Strategy
from archpredict.strategies.ctnas import CTNAS
from archpredict.strategies.random import RandomSearch

BUDGET = 423


def report(name: str, strategy: Strategy, protocol: Protocol, seconds: float) -> None:
    best = max(r.score for r in strategy.results if r.score is not None)
    rank = int((protocol.train_labels > best).sum()) + 1
    sampled = ""
    if isinstance(strategy, CTNAS):
        s = strategy.settings
        sampled = f", {s.rounds * s.iterations * s.samples:,} architectures sampled in policy updates"
    print(
        f"{name:8s} {strategy.num_told} labels{sampled}: {seconds:.1f} s; best labelled {best:.3f} %, "
        f"rank {rank} of {len(protocol.train_labels):,}"
    )
    for r in strategy.recommend(3):
        mark = "labelled" if r.evaluated else "predicted, outside the table"
        print(f"    {r.score:.3f} ({mark}) {r.architecture}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--presets", nargs="+", default=["default"], choices=list(CTNAS.presets))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    torch.set_num_threads(1)
    protocol = load_nb101_20k(Path(options.data))
    labels = Labels(protocol)
    problem = Problem(protocol.space, BUDGET, pool=protocol.choices)
    problem.can_label(protocol.choices[:1])  # the keys of the table are the table's business, not the search's
    for seed in options.seeds:
        for name in ("random", *options.presets):
            start = time.perf_counter()
            strategy: Strategy
            if name == "random":
                strategy = RandomSearch(problem, seed=seed)
            else:
                strategy = CTNAS(problem, seed=seed, device="cpu", preset=name)
            searched(strategy, labels)
            report(name, strategy, protocol, time.perf_counter() - start)


if __name__ == "__main__":
    main()
