"""Search in the MobileNetV3 space under 600 million multiply-adds, labelled by the published Once-for-All predictor.

    OMP_NUM_THREADS=1 python benchmarks/once_for_all.py --seeds 5
    OMP_NUM_THREADS=1 python benchmarks/once_for_all.py --only "ctnas, long" random --seeds 5

The protocol of CTNAS's ImageNet experiment with a surrogate for the shared weights: 1,000 random labels, then one
search with the comparator, whose ten best are labelled (``one round``). Beside it, for the same 1,010 labels: CTNAS
with its default of five rounds and with the 20 of its preset ``long``, predictor-guided search, evolution, random
search, and the best of each run's first 1,000 labels, which in ``random`` and ``one round`` are random. The space
names the predictor ``choices`` for comparators; ``mlp`` is a network on the choices, as in the published code, and
``graph`` the default of other spaces, which takes minutes a run. Everything is scored by that predictor: percent of
ImageNet images, top 1, as expected with shared weights.
"""

from __future__ import annotations

import argparse
import os
import time
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
from _protocols import add_data_option
from _side_by_side import add_executor_options, executor_of, side_by_side

from archpredict.evaluators.once_for_all import OnceForAllEvaluator
from archpredict.registry import resolve
from archpredict.spaces.mobilenetv3 import MobileNetV3
from archpredict.strategies.base import Problem, Strategy

FINAL = 10
ONE_ROUND = {"rounds": 1, "final": FINAL}
MLP = {"predictor": {"encoder": "mlp", "sources": ("choices",), "training__pretrain": 0}}

RUNS: dict[str, dict[str, Any]] = {
    "random": {},
    "evolution": {},
    "predictor-guided": {},
    "ctnas, one round": ONE_ROUND,
    "ctnas": {},
    "ctnas, long": {"preset": "long"},
    "ctnas, mlp, one round": {**MLP, **ONE_ROUND},
    "ctnas, mlp": MLP,
    "ctnas, graph, one round": {"predictor": "default", **ONE_ROUND},
}
"""Strategy, a comma and what is different about it; options of its constructor."""


def run(name: str, seed: int, labels: int, limit: float, file: str) -> dict[str, Any]:
    """One search; what it found, and the best of its first labels."""
    import torch

    torch.set_num_threads(1)
    evaluator = OnceForAllEvaluator.load(file)
    problem = Problem(MobileNetV3(), labels + FINAL, {"macs": limit})
    figures: dict[str, float] = {}

    def observe(event: Any) -> None:
        figures.update({k: v for k, v in event.values.items() if k in ("kendall_tau", "reward", "entropy")})

    strategy = resolve("strategies", name.split(",")[0], Strategy)(problem, seed=seed, observer=observe, **RUNS[name])
    start = time.perf_counter()
    while batch := strategy.ask(problem.budget - strategy.num_told):
        strategy.tell(list(evaluator.evaluate(batch)))
    best = strategy.recommend(1)[0]
    return {
        "score": best.score,
        "first": max(r.score for r in strategy.results[:labels] if r.score is not None),
        "macs": best.architecture.cost["macs"] / 1e6,
        "tau": figures.get("kendall_tau", float("nan")),
        "seconds": time.perf_counter() - start,
        "architecture": str(best.architecture),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--labels", type=int, default=1000, help="random ones, before the last ten")
    parser.add_argument("--limit", type=float, default=600e6, help="multiply-adds")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    add_executor_options(parser)
    parser.add_argument("--only", nargs="+", default=list(RUNS), choices=list(RUNS), metavar="RUN")
    options = parser.parse_args()
    file = str(Path(options.data) / "once_for_all" / "mbv3_accuracy_predictor.npz")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    print(f"macs <= {options.limit:g}, {options.labels} + {FINAL} labels, seeds {seeds[0]} to {seeds[-1]}")
    tasks = [(name, seed, options.labels, options.limit, file) for name in options.only for seed in seeds]
    found = side_by_side(run, tasks, executor_of(options))
    for name in options.only:
        print(_line(name, list(islice(found, len(seeds))), options.labels), flush=True)


def _line(name: str, runs: list[dict[str, Any]], labels: int) -> str:
    score, first, macs, tau, seconds = (
        np.array([r[key] for r in runs]) for key in ("score", "first", "macs", "tau", "seconds")
    )
    best = max(runs, key=lambda r: r["score"])
    return (
        f"{name:26s} found {score.mean():.3f} ± {score.std():.3f} (worst {score.min():.3f}), "
        f"best of its first {labels} {first.mean():.3f} ± {first.std():.3f}, {macs.mean():.0f} M macs, "
        f"held-out tau {tau.mean():.3f}, {np.median(seconds):.0f} s\n{'':26s} {best['architecture']}"
    )


if __name__ == "__main__":
    main()
