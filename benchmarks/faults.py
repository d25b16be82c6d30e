"""A hundred kills at random moments: of the searching program, of what evaluates for it, of machines.

    python benchmarks/faults.py                               # 50 under each executor
    python benchmarks/faults.py --executors local --kills 20 --seed 7

Searches of 40 evaluations, two at a time, each of which takes a fifth of a second, are killed at and taken up again
until they are at their end, one after another until there have been so many kills. The strategy asks for the same
architectures in whatever order results come, so that the end can be compared with that of a search which nothing
befell. Under ``local`` evaluations are programs, and the end of the machine is that of the searching program with all
that it has started. Under ``ray`` there is a cluster of simulated machines on this one, each with one core: killed are
the searching program, processes of workers, and machines, in whose place others come. A quarter of the moments is
counted from the start of a program, while it takes up what is there, the others from its first evaluation.

Counted are kills by kind; results that were recorded once and are not there later, or are others; evaluations that
began after their result had been recorded; and searches that end otherwise than the undisturbed one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from archpredict.evaluators.base import Evaluator
from archpredict.evaluators.command import CommandEvaluator
from archpredict.evaluators.function import FunctionEvaluator
from archpredict.executors.base import Executor
from archpredict.executors.local import Local
from archpredict.runs.history import HISTORY
from archpredict.runs.search import search
from archpredict.spaces.base import Architecture, load_space
from archpredict.strategies.base import Strategy

SPACE, BUDGET, SECONDS = "nasbench201", 40, 0.2
AT_A_TIME, RETRIES = 2, 1000
KINDS = ("driver", "worker", "node")
LONGEST, LOOK, AT_ONCE = 2.5, 0.02, 0.25
"""Seconds between two kills at most; seconds between two looks; share of programs that are killed as they start."""
Row = tuple[tuple[int, ...], float | None, float]
"""Choices, score, and when it was recorded."""


class Fixed(Strategy):
    """Asks for the same architectures in whatever order results come."""

    name = "fixed"

    def ask(self, n: int) -> list[Architecture]:
        seen = set(self.seen)
        all_of_them = self.problem.sample(self.problem.budget, np.random.default_rng(self.seed))
        return [a for a in all_of_them if a.key not in seen][: max(0, min(n, self.left))]


@dataclass(frozen=True)
class Slow:
    """A label that takes a while, and a line in a file when it begins."""

    log: Path
    seconds: float = SECONDS

    def __call__(self, architecture: Architecture) -> float:
        with self.log.open("a") as file:
            file.write(f"{time.time()} {json.dumps(architecture.choices)}\n")
        time.sleep(self.seconds)
        return label(architecture)


def label(architecture: Architecture) -> float:
    """What is found out about it."""
    return float(sum(architecture.choices))


def program(log: Path) -> str:
    """The same as a program."""
    total = '$(( $(echo "$ARCHPREDICT_CHOICES" | tr -d "[] " | tr , +) ))'
    begun = f'echo "$(date +%s.%N) $ARCHPREDICT_CHOICES" >> {shlex.quote(str(log))}'
    return shlex.join(["sh", "-c", f"{begun}; sleep {SECONDS}; echo {total}"])


# ---------------------------------------------------------------------- the program that is killed


def drive(options: argparse.Namespace) -> None:
    """Search from where the record ends."""
    log = options.drive.with_suffix(".log")
    evaluator: Evaluator = CommandEvaluator(program(log), retries=RETRIES, jobs=AT_A_TIME)
    executor: Executor = Local()
    if options.ray_address:
        from archpredict.executors.ray import Ray

        evaluator, executor = FunctionEvaluator(Slow(log)), Ray(address=options.ray_address, retries=RETRIES)
    found(options.drive, options.seed, evaluator, executor)


def found(out: Path | None, seed: int, evaluator: Evaluator, executor: Executor) -> list[tuple[str, float | None]]:
    """What a search recommends; what scores alike stands in the order of arrival, which is another every time."""
    resume = out is not None and (out / HISTORY).exists()
    result = search(
        SPACE,
        evaluator,
        strategy=Fixed,
        budget=BUDGET,
        seed=seed,
        out=out,
        resume=resume,
        executor=executor,
        top=BUDGET,
    )
    return sorted((str(r.architecture), r.score) for r in result.top)


# ---------------------------------------------------------------------- what befalls it


@dataclass
class Counts:
    """What happened."""

    kills: Counter[str] = field(default_factory=Counter)
    searches: int = 0
    told: int = 0
    lost: int = 0
    twice: int = 0
    others: int = 0
    broken: int = 0

    def __str__(self) -> str:
        kills = ", ".join(f"{kind} {self.kills[kind]}" for kind in KINDS)
        return (
            f"{self.kills.total()} kills ({kills}); {self.searches} searches, {self.told} results told, "
            f"{self.lost} lost, {self.twice} evaluated after they were told, {self.others} searches with another end, "
            f"{self.broken} that ended by themselves without one"
        )


@dataclass
class Place:
    """Where searches run.

    Args:
        address: Of the cluster; empty on this machine.
        kill_node: Ends a machine, and lets another one come.
    """

    address: str
    kill_node: Callable[[random.Random, subprocess.Popen[bytes]], None]

    def start(self, out: Path, seed: int) -> subprocess.Popen[bytes]:
        words = [sys.executable, __file__, "--drive", str(out), "--seed", str(seed), "--ray-address", self.address]
        with out.with_suffix(".err").open("ab") as said:
            return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=said)

    def workers(self, driver: subprocess.Popen[bytes]) -> list[int]:
        """Processes that evaluate."""
        if self.address:
            return [pid for pid, name in below(os.getpid()) if name.startswith("ray::_call")]
        return [pid for pid, name in below(driver.pid) if name.startswith("sh")]


def below(root: int) -> list[tuple[int, str]]:
    """Processes below one, with their command lines."""
    parents: dict[int, int] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with suppress(OSError, IndexError):
                parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
    known = {root}
    while more := {pid for pid, parent in parents.items() if parent in known} - known:
        known |= more
    lines: list[tuple[int, str]] = []
    for pid in sorted(known - {root}):
        with suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            lines.append((pid, line))
    return lines


def faults(place: Place, kills: int, seed: int, folder: Path) -> Counts:
    """Searches one after another, until there have been so many kills and the last one is at its end."""
    counts, rng = Counts(), random.Random(seed)
    while counts.kills.total() < kills:
        one_search(place, kills, counts, rng, folder / f"run{counts.searches}", seed + counts.searches)
        counts.searches += 1
    return counts


def one_search(place: Place, kills: int, counts: Counts, rng: random.Random, out: Path, seed: int) -> None:
    """A search until it is at its end, however often it is killed."""
    known: dict[int, Row] = {}
    driver, at_once = place.start(out, seed), rng.random() < AT_ONCE
    begun = _begun(out)
    while driver.poll() is None:
        if counts.kills.total() == kills:
            driver.wait()
            break
        if not at_once and _begun(out) == begun:
            time.sleep(LOOK)
            continue
        with suppress(subprocess.TimeoutExpired):
            driver.wait(rng.uniform(0.0, LONGEST))
            break
        kind = rng.choice(KINDS)
        if not _kill(kind, place, driver, rng):
            continue
        counts.kills[kind] += 1
        if kind == "driver" or (kind == "node" and not place.address):
            driver.wait()
            known = _checked(out, known, counts)
            driver, at_once = place.start(out, seed), rng.random() < AT_ONCE
            begun = _begun(out)
    known = _checked(out, known, counts)
    if driver.returncode:
        counts.broken += 1
        print(out.with_suffix(".err").read_text()[-2000:], file=sys.stderr)
        return
    counts.told += len(known)
    counts.twice += _evaluated_again(out, known)
    space = load_space(SPACE)
    end = sorted((str(space.architecture(choices)), score) for choices, score, _ in known.values())
    counts.others += end != found(None, seed, FunctionEvaluator(label), Local())


def _begun(out: Path) -> int:
    """Bytes of what tells of evaluations that have begun."""
    log = out.with_suffix(".log")
    return log.stat().st_size if log.exists() else 0


def _kill(kind: str, place: Place, driver: subprocess.Popen[bytes], rng: random.Random) -> bool:
    """Whether there was something to kill."""
    if kind == "driver":
        driver.kill()
    elif kind == "node":
        place.kill_node(rng, driver)
    else:
        there = place.workers(driver)
        if not there:
            return False
        with suppress(ProcessLookupError):
            os.kill(rng.choice(there), signal.SIGKILL)
            return True
        return False
    return True


def _checked(out: Path, known: dict[int, Row], counts: Counts) -> dict[int, Row]:
    """What is recorded now; whatever was recorded before has to be there."""
    if not (out / HISTORY).exists():
        counts.lost += len(known)
        return {}
    with closing(sqlite3.connect(f"{(out / HISTORY).as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT number, choices, score, time FROM evaluations").fetchall()
    now = {number: (tuple(json.loads(choices)), score, when) for number, choices, score, when in rows}
    counts.lost += sum(now.get(number) != row for number, row in known.items())
    return now


def _evaluated_again(out: Path, known: dict[int, Row]) -> int:
    told = {choices: when for choices, _, when in known.values()}
    lines = (line.split(" ", 1) for line in out.with_suffix(".log").read_text().splitlines())
    return sum(float(begun) > told[tuple(json.loads(choices))] for begun, choices in lines)


# ---------------------------------------------------------------------- places


@contextmanager
def local() -> Iterator[Place]:
    def kill_all(rng: random.Random, driver: subprocess.Popen[bytes]) -> None:
        there = [pid for pid, _ in below(driver.pid)]
        driver.kill()
        for pid in there:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    yield Place("", kill_all)


@contextmanager
def ray() -> Iterator[Place]:
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(AT_A_TIME)]

    def kill_one(rng: random.Random, driver: subprocess.Popen[bytes]) -> None:
        cluster.remove_node(nodes.pop(rng.randrange(len(nodes))), allow_graceful=False)
        nodes.append(cluster.add_node(num_cpus=1))

    try:
        yield Place(cluster.address, kill_one)
    finally:
        cluster.shutdown()


PLACES = {"local": local, "ray": ray}


def main() -> None:
    """Print the counts under each executor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executors", nargs="+", choices=list(PLACES), default=list(PLACES))
    parser.add_argument("--kills", type=int, default=50, help="under each executor")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ray-address", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive is not None:
        drive(options)
        return
    for name in options.executors:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, PLACES[name]() as place:
            print(f"{name}: {faults(place, options.kills, options.seed, Path(folder))}", end="", flush=True)
        print(f"; {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
