"""Samplers of one Optuna study on NAS-Bench-201: TPE, random, and strategies of this library.

    OMP_NUM_THREADS=1 python benchmarks/optuna_samplers.py --budget 100 --seeds 20
    OMP_NUM_THREADS=1 python benchmarks/optuna_samplers.py --only tpe evolution npenas

Every sampler drives the same study: six categorical parameters with five values, validation accuracy is the value of a
trial, and the CIFAR-10 test accuracy of the study's best trial is reported; the best in the space is 94.37. Prints mean
and standard deviation over the seeds, the worst seed, distinct cells, seconds of a study, and what each is ahead of
TPE, with the p-value of a two-sided Wilcoxon test of pairs. "categorical" strategies see six parameters without a
meaning, as TPE does; the others know that these are a cell. Strategies of this library begin with nothing that they
know of other spaces.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
import optuna
from _protocols import add_data_option, load_nb201
from _searches import Labels, paired

from archpredict.integrations.optuna import StrategySampler, suggest_architecture

SPACE = "nasbench201"
_PLAIN = {"transfer": False}


def _strategy(name: str, space: bool = True, **options: Any) -> Callable[[int, int], Any]:
    def make(seed: int, budget: int) -> StrategySampler:
        where = {"space": SPACE} if space else {}
        return StrategySampler(name, seed=seed, budget=budget, options=options, **where)  # type: ignore[arg-type]

    return make


SAMPLERS: dict[str, Callable[[int, int], Any]] = {
    "random": lambda seed, budget: optuna.samplers.RandomSampler(seed),
    "tpe": lambda seed, budget: optuna.samplers.TPESampler(seed=seed),
    "evolution": _strategy("evolution"),
    "evolution, categorical": _strategy("evolution", space=False),
    "local-search": _strategy("local-search"),
    "predictor-guided, categorical": _strategy("predictor-guided", space=False),
    "npenas": _strategy("npenas", **_PLAIN),
    "predictor-guided": _strategy("predictor-guided", **_PLAIN, predictor="extra-trees"),
    "predictor-guided, default": _strategy("predictor-guided", **_PLAIN),
    "ctnas": _strategy("ctnas", **_PLAIN),
}


def run(name: str, seed: int, budget: int, labels: Labels) -> dict[str, float]:
    """One study; test accuracy of its best trial."""

    def objective(trial: optuna.Trial) -> float:
        architecture = suggest_architecture(trial, labels.protocol.space)
        return float(labels.protocol.train_labels[labels.row(architecture)])

    start = time.perf_counter()
    study = optuna.create_study(direction="maximize", sampler=SAMPLERS[name](seed, budget))
    study.optimize(objective, n_trials=budget)
    best = labels.protocol.space.from_text(study.best_trial.user_attrs["architecture"])
    distinct = len({labels.protocol.space.from_text(t.user_attrs["architecture"]).key for t in study.trials})
    return {"test": labels.test(best), "seconds": time.perf_counter() - start, "distinct": distinct}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    import torch

    torch.set_num_threads(1)
    labels = Labels(load_nb201(Path(arguments.data)))
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    print(f"nb201-c10, Optuna {optuna.__version__}, {arguments.budget} trials, seeds {seeds[0]} to {seeds[-1]}")
    tpe: np.ndarray | None = None
    for name in arguments.only:
        runs = [run(name, seed, arguments.budget, labels) for seed in seeds]
        test, seconds, distinct = (np.array([r[key] for r in runs]) for key in ("test", "seconds", "distinct"))
        tpe = test if name == "tpe" else tpe
        against = "" if tpe is None or name == "tpe" else f"; against tpe {paired(test, tpe)}"
        print(
            f"{name:30} test {test.mean():.3f} ± {test.std(ddof=1):.3f} (worst {test.min():.2f}), "
            f"{distinct.mean():.0f} distinct, {seconds.mean():.1f} s{against}",
            flush=True,
        )


if __name__ == "__main__":
    main()
