"""Search with few evaluations: are the default strategies ever behind evolution?

    OMP_NUM_THREADS=1 python benchmarks/few_evaluations.py --jobs 2
    OMP_NUM_THREADS=1 python benchmarks/few_evaluations.py --spaces channel-counts --budgets 60 --seeds 5

Spaces and labels are those of ``_written_spaces.py``, which define no networks, so nothing is transferred; and
NAS-Bench-201, whose validation accuracy is paid for and whose test accuracy is reported. Prints the label of the
recommended architecture, mean and deviation over seeds; the mean difference to evolution over the same seeds, and the
p-value of a paired two-sided Wilcoxon test; CPU seconds of a search. A search divides its budget among its rounds, so
each budget is a run of its own.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice, product
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
from _protocols import add_data_option, load_nb201
from _side_by_side import add_executor_options, executor_of, side_by_side
from _written_spaces import WRITTEN, made_up_label
from scipy.stats import wilcoxon

from archpredict.evaluators.base import Result
from archpredict.registry import resolve
from archpredict.spaces.base import Choices, SearchSpace
from archpredict.strategies.base import Problem, Strategy

SPACES = (*(space.name for space in WRITTEN), "nasbench201")
STRATEGIES = ("evolution", "random", "predictor-guided", "ctnas")

Label = Callable[[Choices], float]


@cache
def labelled(name: str, data: Path) -> tuple[SearchSpace, Label, Label]:
    """A space, the label that a search pays for, and the one that is reported."""
    if name == "nasbench201":
        protocol = load_nb201(data)
        row = {tuple(choices): i for i, choices in enumerate(protocol.choices.tolist())}
        return (
            protocol.space,
            lambda choices: float(protocol.train_labels[row[choices]]),
            lambda choices: float(protocol.test_labels[row[choices]]),
        )
    kind = next(kind for kind in WRITTEN if kind.name == name)
    label = partial(made_up_label, kind)
    return kind(), label, label


def run(strategy_name: str, name: str, data: Path, budget: int, seed: int) -> tuple[float, float]:
    """One search: label of the recommended architecture, CPU seconds."""
    import torch

    torch.set_num_threads(1)
    space, paid, reported = labelled(name, data)
    start = time.process_time()
    strategy = resolve("strategies", strategy_name, Strategy)(Problem(space, budget), seed=seed)
    while batch := strategy.ask(budget - strategy.num_told):
        strategy.tell([Result(a, paid(a.choices)) for a in batch])
    return reported(strategy.recommend(1)[0].architecture.choices), time.process_time() - start


def lines(options: argparse.Namespace) -> Iterator[str]:
    """A line for each space, budget and strategy."""
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    names = ("evolution", *(name for name in options.only if name != "evolution"))
    parts = product(options.spaces, options.budgets)
    tasks = [(name, space, options.data, n, seed) for space, n in parts for name in names for seed in seeds]
    results = side_by_side(run, tasks, executor_of(options))
    for space, budget in product(options.spaces, options.budgets):
        found = {}
        for name in names:
            labels, seconds = np.array(list(islice(results, len(seeds)))).T
            found[name] = labels
            line = f"{space} {budget} evaluations | {name} {labels.mean():.3f} ± {labels.std():.3f}"
            if name != "evolution":
                ahead = labels - found["evolution"]
                p = wilcoxon(ahead).pvalue if ahead.any() else 1.0
                line += f" | ahead by {ahead.mean():+.3f}, p = {p:.3g}"
            yield f"{line} | {seconds.mean():.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--spaces", nargs="+", default=SPACES, choices=SPACES)
    parser.add_argument("--budgets", type=int, nargs="+", default=[30, 60, 100])
    parser.add_argument("--only", nargs="+", default=list(STRATEGIES), choices=list(STRATEGIES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    add_executor_options(parser)
    for line in lines(parser.parse_args()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
