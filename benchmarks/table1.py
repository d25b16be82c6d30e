"""The comparison of table 1 of CTNAS, whole: every strategy with labels under one budget, and one-shot methods.

    OMP_NUM_THREADS=1 python benchmarks/table1.py --runs table1.jsonl [--space nb201 nb101] [--minutes 30]

On NAS-Bench-201 validation accuracy is paid for and the CIFAR-10 test accuracy of the recommended cell is reported; on
the 20,001 labelled cells of NAS-Bench-101, which have no test accuracy, the validation accuracy that is paid for, and
nothing outside these cells is recommended. ``--space darts`` is DARTS by the embedded surrogate, and ``enas`` the
20,020 cells of ENAS's space whose accuracy with shared weights is known: there too what is paid for is reported. Prints
mean and standard deviation for budgets of 50, 100 and 150 evaluations, and a paired two-sided Wilcoxon test against
CTNAS on the seeds that both have.

One-shot methods (ENAS, DARTS of first and second order) train a supernet of NAS-Bench-201 and pay for what they derive
alone: for the first cell, which is the published method, and for ten, of which the best by validation accuracy is
taken. All train for the same epochs. The images are the digits of scikit-learn and not those of CIFAR-10, and the
networks narrow (4 channels, one cell per stage), so that a run takes a minute of CPU; the accuracies of what is derived
are those of the table, on CIFAR-10.

A run is a line of the file that ``--runs`` names, which goes on where it ended: ``--minutes`` stops after so many of
this process's CPU time, ``--table`` prints what there is. Strategies whose choices do not depend on the budget are run
once, and read after 50, 100 and 150 evaluations. Seeds 0 to 19 are for reporting; settings are chosen on others.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
from _protocols import Protocol, add_data_option, load_nb101_20k, load_nb201
from _searches import Estimated, Labels, paired, searched, strategy_of
from _spaces import labelled

from archpredict.evaluators.surrogate import SurrogateEvaluator
from archpredict.spaces.base import load_space
from archpredict.strategies.base import Problem

BUDGETS = (50, 100, 150)
IN_POOL = ("nb101", "enas")
"""Where a part of the space has labels."""


def _enas(folder: Path) -> Labels:
    cells = labelled("enas", folder)
    choices = np.array([architecture.choices for architecture in cells.architectures])
    percent = 100 * cells.labels
    return Labels(Protocol("enas", cells.about, cells.architectures[0].space, choices, percent, percent))


def _darts(folder: Path) -> Estimated:
    return Estimated(load_space("darts"), SurrogateEvaluator.load("darts-cifar10", "cpu"))


SPACES: Mapping[str, Callable[[Path], Labels | Estimated]] = {
    "nb201": lambda folder: Labels(load_nb201(folder)),
    "nb101": lambda folder: Labels(load_nb101_20k(folder)),
    "darts": _darts,
    "enas": _enas,
}


@dataclass(frozen=True)
class Method:
    """A row of the table.

    Args:
        options: Of the strategy's constructor.
        seeds: How many, at most.
        at_once: Whether one run of the largest budget holds those of the smaller ones.
        budgets: In evaluations, the largest last.
        spaces: Where it can search.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 20
    at_once: bool = True
    budgets: tuple[int, ...] = BUDGETS
    spaces: tuple[str, ...] = ("nb201", "nb101", "darts", "enas")


SUPERNET = {"network": {"channels": 4, "cells": 1}, "training": {"epochs": 25}, "dataset": "digits"}
ONE_SHOT = partial(Method, seeds=5, budgets=(1, 10), spaces=("nb201",))

METHODS = {
    "random": Method(),
    "evolution": Method(at_once=False),
    "local-search": Method(),
    "local-search, as in Algorithm 1": Method({"move": "best"}),
    "reinforce": Method(),
    "bananas": Method(),
    "npenas": Method(),
    "predictor-guided, preset regression-nas": Method({"preset": "regression-nas"}, at_once=False),
    "predictor-guided, preset renas": Method({"preset": "renas"}, at_once=False),
    "predictor-guided": Method(at_once=False),
    "ctnas, without transfer": Method({"transfer": False}, at_once=False),
    "ctnas": Method(at_once=False),
    "enas": ONE_SHOT(SUPERNET),
    "darts, first order": ONE_SHOT({**SUPERNET, "order": 1}),
    "darts, second order": ONE_SHOT({**SUPERNET, "order": 2}),
}
"""Strategy, a comma and what is different about it."""


@cache
def _labels(space: str, folder: str) -> Labels | Estimated:
    return SPACES[space](Path(folder))


@cache
def _problem(space: str, budget: int, folder: str) -> Problem:
    """A problem that all seeds share, and with it the keys of its pool."""
    labels = _labels(space, folder)
    if isinstance(labels, Estimated):
        return Problem(labels.space, budget)
    if space in IN_POOL:
        return Problem(labels.protocol.space, budget, pool=labels.protocol.choices, within_pool=True)
    return Problem(labels.protocol.space, budget)


def runs(space: str, name: str, seed: int, budget: int, folder: str) -> Iterator[dict[str, Any]]:
    """The results of one search: one, or one for each smaller budget too."""
    labels, start = _labels(space, folder), time.process_time()
    strategy = searched(strategy_of(name, _problem(space, budget, folder), seed, METHODS[name].options), labels)
    seconds = time.process_time() - start
    method = METHODS[name]
    for budget_of_row in [b for b in method.budgets if b <= budget] if method.at_once else [budget]:
        told = strategy.results[:budget_of_row]
        best = max(told, key=lambda r: -np.inf if r.score is None else r.score).architecture
        if budget_of_row == budget:
            best = strategy.recommend(1)[0].architecture
        row = {"space": space, "name": name, "budget": budget_of_row, "seed": seed, "test": labels.test(best)}
        yield {**row, "seconds": seconds, "queries": len(told)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--runs", type=Path, required=True, metavar="FILE", help="a line for each run")
    parser.add_argument("--space", nargs="+", default=["nb201", "nb101"], choices=list(SPACES))
    parser.add_argument("--budget", type=int, nargs="+", default=list(BUDGETS), choices=BUDGETS)
    parser.add_argument("--seeds", type=int, default=20, help="how many, where a method has no fewer")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=np.inf, help="of CPU time")
    parser.add_argument("--only", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="NAME")
    parser.add_argument("--table", action="store_true", help="run nothing")
    options = parser.parse_args()
    done = [json.loads(line) for line in options.runs.read_text().splitlines()] if options.runs.exists() else []
    if not options.table:
        import torch

        torch.set_num_threads(1)
        _run(options, done)
    for space in options.space:
        _print(space, options.only, [row for row in done if row["space"] == space])


def _run(options: argparse.Namespace, done: list[dict[str, Any]]) -> None:
    known = {(row["space"], row["name"], row["budget"], row["seed"]) for row in done}
    with options.runs.open("a") as file:
        for space, name, seed, budget in _tasks(options):
            if (space, name, budget, seed) in known:
                continue
            if time.process_time() > 60 * options.minutes:
                return
            for row in runs(space, name, seed, budget, str(options.data)):
                done.append(row)
                file.write(json.dumps(row) + "\n")
            file.flush()


def _tasks(options: argparse.Namespace) -> Iterator[tuple[str, str, int, int]]:
    """Seed by seed, so that all methods have about as many where the time does not last."""
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for space in options.space:
            for name in options.only:
                method = METHODS[name]
                if seed - options.first_seed < method.seeds and space in method.spaces:
                    for budget in method.budgets[-1:] if method.at_once else options.budget:
                        yield space, name, seed, budget


def _print(space: str, names: list[str], rows: list[dict[str, Any]]) -> None:
    for budget in sorted({row["budget"] for row in rows if row["name"] in names}):
        found = {
            name: {row["seed"]: row for row in rows if (row["name"], row["budget"]) == (name, budget)} for name in names
        }
        print(f"{space}, budget {budget}")
        for name, by_seed in found.items():
            if by_seed:
                print(_line(name, by_seed, found.get("ctnas", {})), flush=True)


def _line(name: str, by_seed: Mapping[int, dict[str, Any]], ctnas: Mapping[int, dict[str, Any]]) -> str:
    test = np.array([row["test"] for row in by_seed.values()])
    seconds = np.median([row["seconds"] for row in by_seed.values()])
    line = f"{name:40s} {test.mean():.3f} ± {test.std():.3f} ({len(test)} seeds, {seconds:.1f} s)"
    common = sorted(by_seed.keys() & ctnas.keys())
    if name == "ctnas" or not common:
        return line
    of_ctnas, its = (np.array([rows[seed]["test"] for seed in common]) for rows in (ctnas, by_seed))
    return f"{line}; ctnas {paired(of_ctnas, its)}"


if __name__ == "__main__":
    main()
