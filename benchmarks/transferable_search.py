"""Searches of the general-purpose transferable predictor beside searches from nothing, at equal queries.

    OMP_NUM_THREADS=1 python benchmarks/transferable_search.py --targets nasbench201 --seeds 20
    OMP_NUM_THREADS=1 python benchmarks/transferable_search.py --targets once-for-all --only transfer random --seeds 3

Han, Mills et al., arXiv 2302.10835: 94.37 on NAS-Bench-201 at 90 queries; on all of NAS-Bench-101 (here a table of
20,001 of its cells) the second best at 700; over 94.8 on NAS-Bench-301 (here the embedded surrogate of DARTS). Runs:

* ``transfer``: the strategy ``predictor-guided`` with the preset ``general-purpose`` and a predictor that has learnt
  from labels of other spaces (never the target's), fine-tuned in every round as long as the others are trained;
* ``encoder``: the same with the pre-trained encoder alone; ``nothing``: the same with random initial weights;
* ``guided``, ``evolution``, ``random``: the strategies with their defaults.

Printed: the best label at the end (on NAS-Bench-201 the test accuracy of the cell with the best validation accuracy),
and on tables the number of queries until the best cell was among those labelled (``-`` where it never was). Seeds 0 to
19 are for reporting. On NAS-Bench-101 every round scores the whole table: a quarter of an hour for a search.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
import torch
from _protocols import Protocol, add_data_option, load_nb101_20k, load_nb201
from _spaces import labelled

from archpredict.evaluators.base import Result
from archpredict.evaluators.once_for_all import OnceForAllEvaluator
from archpredict.evaluators.surrogate import SurrogateEvaluator
from archpredict.predict.families import pooled
from archpredict.predict.fine_tuned import FineTuned
from archpredict.predict.presets import preset
from archpredict.predict.pretraining.pretrained_encoder import PretrainedEncoder
from archpredict.registry import resolve
from archpredict.spaces.base import Architecture, load_space
from archpredict.strategies.base import Problem, Strategy

SOURCES: Mapping[str, tuple[str, ...]] = {
    "nasbench201": ("nasbench101", "darts", "enas"),
    "nasbench101": ("nasbench201", "darts", "enas"),
    "once-for-all": ("nasbench101", "nasbench201", "darts"),
    "darts": ("nasbench101", "nasbench201", "enas"),
}
"""Spaces whose labels are learnt from, by target."""
BUDGETS = {"nasbench201": 90, "nasbench101": 150, "once-for-all": 100, "darts": 100}
PLAIN = ("evolution", "random")
RUNS = ("transfer", "encoder", "nothing", "guided", *PLAIN)


@dataclass(frozen=True, eq=False)
class Target:
    """A target of the searches.

    Args:
        problem: What is searched.
        label: What is paid for.
        judge: What is reported of an architecture.
        best: The best of what is reported, on tables.
    """

    problem: Problem
    label: Callable[[Sequence[Architecture]], Sequence[float]]
    judge: Callable[[Architecture], float]
    best: float | None = None


def target(name: str, data: Path) -> Target:
    """A target by its name."""
    budget = BUDGETS[name]
    if name in ("nasbench201", "nasbench101"):
        protocol = (load_nb201 if name == "nasbench201" else load_nb101_20k)(data)
        row = _rows(protocol)
        pool = None if name == "nasbench201" else protocol.choices
        return Target(
            Problem(protocol.space, budget, {}, pool, pool is not None),
            lambda asked: [float(protocol.train_labels[row(a)]) for a in asked],
            lambda a: float(protocol.test_labels[row(a)]),
            float(np.max(protocol.test_labels)),
        )
    space, limits = load_space("darts" if name == "darts" else "mobilenetv3"), {}
    evaluator: Any = None
    if name == "once-for-all":
        evaluator = OnceForAllEvaluator.load(data / "once_for_all" / "mbv3_accuracy_predictor.npz")
        limits = {"macs": 600e6}
    else:
        evaluator = SurrogateEvaluator.load("darts-cifar10", "cpu")

    def label(asked: Sequence[Architecture]) -> list[float]:
        return [float(result.score) for result in evaluator.evaluate(asked)]

    return Target(Problem(space, budget, limits), label, lambda a: label([a])[0])


def _rows(protocol: Protocol) -> Callable[[Architecture], int]:
    """The row of a table that has an architecture, or one that is isomorphic to it."""
    by_choices = {tuple(choices): i for i, choices in enumerate(protocol.choices.tolist())}

    @cache
    def by_key() -> dict[str, int]:
        return {a.key: i for i, a in enumerate(protocol.architectures)}

    def row(architecture: Architecture) -> int:
        found = by_choices.get(architecture.choices)
        return by_key()[architecture.key] if found is None else found

    return row


def transferred(name: str, labels: int, epochs: int, data: Path, place: Path) -> FineTuned:
    """The named predictor, trained on labels of other spaces."""
    families = []
    for source in SOURCES[name]:
        every = labelled(source, data)
        drawn = every.rows(np.random.default_rng(0).permutation(len(every.labels))[:labels])
        families.append((drawn.architectures, drawn.labels))
    start = time.process_time()
    preset("general-purpose").make(training__epochs=epochs, device="cpu").fit(*pooled(families)).save(place)
    own = preset("general-purpose").make().training
    print(f"{name}: {labels} labels each of {', '.join(SOURCES[name])}, {time.process_time() - start:.0f} CPU s")
    return FineTuned(place, epochs=own.epochs, learning_rate=own.learning_rate)


def strategy(run: str, aim: Target, seed: int, origin: FineTuned | None) -> Strategy:
    """The strategy of a run, at its beginning."""
    kind: Callable[..., Strategy] = resolve("strategies", "predictor-guided" if run not in PLAIN else run, Strategy)
    if run in (*PLAIN, "guided"):
        return kind(aim.problem, seed=seed)
    part = PretrainedEncoder.load("networks").part
    predictors = {
        "transfer": origin,
        "encoder": "general-purpose",
        "nothing": preset("general-purpose").make(encoder=part),
    }
    return kind(aim.problem, seed=seed, preset="general-purpose", predictor=predictors[run])


def search(run: str, aim: Target, seed: int, origin: FineTuned | None) -> tuple[float, int | None]:
    """What was found, and at which query the best of a table was labelled."""
    made, found = strategy(run, aim, seed, origin), None
    while asked := made.ask(aim.problem.budget - made.num_told):
        if aim.best is not None and found is None:
            hits = [i for i, a in enumerate(asked, made.num_told + 1) if aim.judge(a) >= aim.best]
            found = hits[0] if hits else None
        made.tell([Result(a, y) for a, y in zip(asked, aim.label(asked), strict=True)])
    return aim.judge(made.recommend(1)[0].architecture), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--targets", nargs="+", default=list(SOURCES), choices=list(SOURCES))
    parser.add_argument("--only", nargs="+", default=list(RUNS), choices=RUNS)
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--labels", type=int, default=1000, help="of each other space")
    parser.add_argument("--epochs", type=int, default=10, help="on these")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for name in options.targets:
        aim = target(name, options.data)
        with tempfile.TemporaryDirectory() as folder:
            origin = None
            if "transfer" in options.only:
                origin = transferred(name, options.labels, options.epochs, options.data, Path(folder))
            print(f"{name}: budget {aim.problem.budget}, seeds {seeds[0]} to {seeds[-1]}", flush=True)
            for run in options.only:
                start = time.process_time()
                results = [search(run, aim, seed, origin) for seed in seeds]
                found, at = np.array([r[0] for r in results]), [r[1] for r in results]
                queries = "" if aim.best is None else f"; best after {', '.join(str(q or '-') for q in at)}"
                print(
                    f"{run:10s} {found.mean():.3f} ± {found.std():.3f} (worst {found.min():.3f}){queries}; "
                    f"{(time.process_time() - start) / len(seeds):.1f} CPU s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
