"""The front of accuracy and multiply-adds in the MobileNetV3 space by one search, beside searches under limits.

    OMP_NUM_THREADS=1 python benchmarks/once_for_all_front.py --seeds 3
    OMP_NUM_THREADS=1 python benchmarks/once_for_all_front.py --strategy ctnas --labels 1000

Scored by the published accuracy predictor of Once-for-All: percent of ImageNet images, top 1, as expected with shared
weights. One search with the objectives accuracy and multiply-adds, between 200 and 800 million; beside it one search
with the same strategy for each limit, which share as many labels. Prints the best accuracy under each limit, mean over
seeds, and what the one search is above the others, on average and at worst.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
from _protocols import add_data_option
from _side_by_side import add_executor_options, executor_of, side_by_side

from archpredict.evaluators.base import Result
from archpredict.evaluators.once_for_all import OnceForAllEvaluator
from archpredict.registry import resolve
from archpredict.spaces.mobilenetv3 import MobileNetV3
from archpredict.strategies.base import Problem, Strategy

LIMITS = tuple(m * 1_000_000 for m in (200, 300, 400, 500, 600, 700, 800))
FLOOR, REFERENCE = 70.0, 1_000_000_000
"""Reference point: accuracy far below the front, multiply-adds beyond the last limit, so that its end counts."""


def run(
    name: str, options: dict[str, Any], labels: int, seed: int, limit: float | None, file: Path
) -> tuple[np.ndarray, np.ndarray, float]:
    """One search: accuracy and multiply-adds of all that it evaluated, CPU seconds.

    The limit is None for the whole front.
    """
    import torch

    torch.set_num_threads(1)
    evaluator, space = OnceForAllEvaluator.load(file), MobileNetV3()
    if limit is None:
        objectives = [f"accuracy:max:{FLOOR}", f"macs:min:{REFERENCE}"]
        problem = Problem(space, labels, {"macs": float(LIMITS[-1])}, objectives=objectives)
    else:
        problem = Problem(space, labels, {"macs": limit})
    start = time.process_time()
    strategy = resolve("strategies", name, Strategy)(problem, seed=seed, **options)
    while batch := strategy.ask(labels - strategy.num_told):
        strategy.tell([_told(result, limit) for result in evaluator.evaluate(batch)])
    found = [r for r in strategy.results if r.score is not None]
    macs = space.costs(np.array([r.architecture.choices for r in found]))["macs"]
    return np.array([r.score for r in found]), macs, time.process_time() - start


def _told(result: Result, limit: float | None) -> Result:
    if limit is not None or result.score is None:
        return result
    values = {"accuracy": result.score, "macs": result.architecture.cost["macs"]}
    return Result(result.architecture, result.score, values=values)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--strategy", default="predictor-guided")
    parser.add_argument("--option", nargs="*", default=[], metavar="NAME=NUMBER", help="of the search for the front")
    parser.add_argument("--labels", type=int, default=300, help="of each search under a limit")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only-front", action="store_true", help="without the searches under limits")
    add_executor_options(parser)
    options = parser.parse_args()
    file = options.data / "once_for_all" / "mbv3_accuracy_predictor.npz"
    more = {name: float(v) if "." in v else int(v) for name, v in (pair.split("=") for pair in options.option)}
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    limits = () if options.only_front else LIMITS
    total = options.labels * len(LIMITS)
    common = (options.strategy, more, total), (options.strategy, {}, options.labels)
    whole = [(*common[0], seed, None, file) for seed in seeds]
    found = list(
        side_by_side(
            run,
            [*whole, *((*common[1], seed, float(limit), file) for limit in limits for seed in seeds)],
            executor_of(options),
        )
    )
    fronts, alone = found[: len(whole)], found[len(whole) :]
    one = np.array([[accuracy[macs <= limit].max() for accuracy, macs, _ in fronts] for limit in LIMITS])
    print(f"one search of {total} labels: {np.mean([s for *_, s in fronts]):.0f} CPU seconds")
    print("  " + " / ".join(f"{row.mean():.3f}" for row in one) + " %")
    if limits:
        best = np.array([accuracy.max() for accuracy, _, _ in alone]).reshape(len(LIMITS), -1)
        print(
            f"searches of {options.labels} labels under limits, each: {np.mean([s for *_, s in alone]):.0f} CPU seconds"
        )
        print("  " + " / ".join(f"{row.mean():.3f}" for row in best) + " %")
        above = one - best
        print(
            "  one search above them: "
            + " / ".join(f"{row.mean():+.3f}" for row in above)
            + f"; {above.min():+.3f} at worst"
        )


if __name__ == "__main__":
    main()
