"""What it costs to keep many workers busy: by the executor, and by the strategy that says what they do.

    python benchmarks/executors.py workers                       # 64 simulated workers of Ray, evaluations of a second
    python benchmarks/executors.py workers --executor local --workers 8 --evaluations 100
    OMP_NUM_THREADS=1 python benchmarks/executors.py strategies

``workers`` runs a search (``random`` on NAS-Bench-201, with a run directory) whose evaluations sleep. Ray is told
that this machine has as many cores as there are workers; their processes are started before the clock is. Two
searches: one with an evaluation for each worker, in which they import what evaluations need, and the one that is asked
for. Efficiency is what the workers slept by what they could have slept from the first ``ask`` to the last ``tell``; the
last evaluations of a search leave some of them without work, so that the most there can be is below 100 %, and printed
beside it. The overhead of an evaluation is what the program that searches has computed for it.

``strategies`` tells a strategy many results and then asks for, begins and tells one architecture after another, as with
evaluations side by side. Rounds in which predictors are fitted or controllers are trained are timed by themselves.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from archpredict.evaluators.base import Result
from archpredict.evaluators.function import FunctionEvaluator
from archpredict.executors.base import Executor
from archpredict.executors.local import Local
from archpredict.executors.ray import Ray
from archpredict.registry import names, resolve
from archpredict.runs.search import search
from archpredict.spaces.base import Architecture, load_space
from archpredict.strategies.base import Problem, Strategy
from archpredict.strategies.random import RandomSearch
from archpredict.strategies.rounds.base import RoundStrategy

STEPS = 20


def main() -> None:
    """Print the figures of one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    many = parts.add_parser("workers", help="efficiency of simulated workers")
    many.add_argument("--executor", choices=["ray", "local"], default="ray")
    many.add_argument("--workers", type=int, default=64)
    many.add_argument("--evaluations", type=int, default=1000)
    many.add_argument("--seconds", type=float, default=1.0, help="that an evaluation sleeps")
    each = parts.add_parser("strategies", help="seconds of ask and tell")
    each.add_argument("--space", default="darts")
    each.add_argument("--results", type=int, nargs="+", default=[100, 1000, 10_000])
    each.add_argument("--only", nargs="+", default=names("strategies"), metavar="NAME")
    each.add_argument("--most-fitted", type=int, default=1000, help="results from which on rounds are left out")
    options = parser.parse_args()
    for line in workers(options) if options.part == "workers" else strategies(options):
        print(line, flush=True)


# ---------------------------------------------------------------------- workers


@dataclass(frozen=True)
class Sleeping:
    """Labels that take a while."""

    seconds: float

    def __call__(self, architecture: Architecture) -> float:
        time.sleep(self.seconds)
        return float(sum(architecture.choices))


class Watched(RandomSearch):
    """Random search that keeps when it was first asked and last told, in seconds and in CPU seconds of its process."""

    name = "random"
    began: ClassVar[list[tuple[float, float]]] = []
    told: ClassVar[list[tuple[float, float]]] = []

    def ask(self, n: int) -> list[Architecture]:
        self.began.append((time.perf_counter(), time.process_time()))
        return super().ask(n)

    def tell(self, results: Sequence[Result]) -> None:
        super().tell(results)
        self.told.append((time.perf_counter(), time.process_time()))


def workers(options: argparse.Namespace) -> Iterator[str]:
    """What a search with sleeping workers took."""
    executor: Executor = Local()
    if options.executor == "ray":
        executor = _ray(options.workers)
        sizes = [done.value for done in executor.each(_size, range(options.workers))]
        yield f"{len(sizes)} worker processes, {np.median(np.array(sizes)):.0f} MB of memory each (median)"
    jobs = options.workers if options.executor == "local" else 1
    for count in (options.workers, options.evaluations):  # the first search finds processes that have imported nothing
        Watched.began.clear()
        Watched.told.clear()
        with tempfile.TemporaryDirectory() as folder:
            search(
                "nasbench201",
                FunctionEvaluator(Sleeping(options.seconds), jobs=jobs),
                strategy=Watched,
                budget=count,
                executor=executor,
                out=Path(folder) / "run",
            )
        (start, cpu_start), (end, cpu_end) = Watched.began[0], Watched.told[-1]
        room = options.workers * (end - start)
        most = count / (options.workers * math.ceil(count / options.workers))
        yield (
            f"{options.executor}, {options.workers} workers, {count:,} evaluations of {options.seconds:g} s: "
            f"{end - start:.2f} s, efficiency {100 * count * options.seconds / room:.1f} % (at most "
            f"{100 * most:.1f} %), an evaluation takes a worker {1000 * (room / count - options.seconds):.0f} ms more "
            f"than it sleeps, and the searching program {1000 * (cpu_end - cpu_start) / count:.1f} ms of CPU"
        )


def _ray(workers: int) -> Executor:
    """Ray with so many cores, each of which has a process that has imported what it needs."""
    import ray

    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    executor = Ray()
    seen: set[int] = set()
    while len(seen) < workers:  # processes start one by one, and those that are there take what there is
        seen |= {done.value for done in executor.each(_there, range(workers)) if done.value is not None}
    return executor


def _there(_: int) -> int:
    import archpredict.evaluators.base  # noqa: F401

    time.sleep(2)
    return os.getpid()


def _size(_: int) -> float:
    """MB that the process of a worker has in memory for itself."""
    time.sleep(2)
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1000


# ---------------------------------------------------------------------- strategies


@dataclass
class Spent:
    """CPU seconds of ask and tell, without those of rounds."""

    ask: list[float] = field(default_factory=list)
    tell: list[float] = field(default_factory=list)
    rounds: list[float] = field(default_factory=list)


def strategies(options: argparse.Namespace) -> Iterator[str]:
    """Milliseconds of ask and tell by strategy and number of results."""
    space = load_space(options.space)
    rng = np.random.default_rng(0)
    problem = Problem(space, max(options.results) + 10 * STEPS)
    drawn = problem.sample(problem.budget, rng)
    results = [Result(a, float(rng.normal())) for a in drawn]
    yield "| strategy | results | ask, ms | tell, ms | slowest, ms | rounds | a round, s |"
    yield "|---|---|---|---|---|---|---|"
    for name in options.only:
        kind = resolve("strategies", name, Strategy)
        if kind.needs != "labels":
            continue
        for count in options.results:
            spent = _spent(kind, Problem(space, count + 10 * STEPS), results[:count], count <= options.most_fitted)
            ask, tell = 1000 * np.array(spent.ask), 1000 * np.array(spent.tell)
            rounds = f"{len(spent.rounds)} | {np.mean(spent.rounds):.1f}" if spent.rounds else "0 | "
            yield (
                f"| {name} | {count:,} | {np.median(ask):.1f} | {np.median(tell):.1f} "
                f"| {max(ask.max(), tell.max()):.1f} | {rounds} |"
            )


def _spent(kind: type[Strategy], problem: Problem, results: Sequence[Result], fits: bool) -> Spent:
    """What the calls take after these results."""
    spent, rng = Spent(), np.random.default_rng(1)
    with _timed_rounds(spent.rounds, fits):
        strategy = kind(problem, seed=0)
        strategy.know(results)
        for _ in range(STEPS):
            begin, rounds = time.process_time(), sum(spent.rounds)
            asked = strategy.ask(1)
            strategy.begin(asked)
            middle, between = time.process_time(), sum(spent.rounds)
            strategy.tell([Result(a, float(rng.normal())) for a in asked])
            spent.ask.append(middle - begin - (between - rounds))
            spent.tell.append(time.process_time() - middle - (sum(spent.rounds) - between))
    return spent


@contextmanager
def _timed_rounds(seconds: list[float], fits: bool) -> Iterator[None]:
    """Rounds are timed, or left out."""
    start_round = RoundStrategy._start_round

    def timed(self: RoundStrategy[Any]) -> None:
        if fits:
            start = time.process_time()
            start_round(self)
            seconds.append(time.process_time() - start)

    RoundStrategy._start_round = timed  # type: ignore[method-assign]
    try:
        yield
    finally:
        RoundStrategy._start_round = start_round  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
