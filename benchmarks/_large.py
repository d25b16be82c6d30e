"""Commands with large inputs: how long they take, and how much memory they and their processes hold at most."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_EVERY = 0.1
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Args:
        seconds: From its start to its end.
        cpu: Seconds of all cores, processes that it started included.
        main: Peak of its own resident memory, in MB.
        tree: Peak of the sum over it and all processes below it, sampled ten times a second, in MB.
        said: Last line that it said.
        code: Exit code.
    """

    seconds: float
    cpu: float
    main: float
    tree: float
    said: str
    code: int

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s ({self.cpu:.1f} CPU s), {self.main:.0f} MB, {self.tree:.0f} MB with all processes"


def archpredict(words: Sequence[str | Path], folder: Path) -> Cost:
    """Run the command line in a folder."""
    return run([sys.executable, "-m", "archpredict", *map(str, words)], folder)


def run(command: Sequence[str], folder: Path) -> Cost:
    """Run a command in a folder; what it prints goes into ``out.txt`` and ``err.txt`` there."""
    start = time.perf_counter()
    before = os.times()
    with (folder / "out.txt").open("wb") as out, (folder / "err.txt").open("wb") as err:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err)
        main = tree = 0
        while process.poll() is None:
            sizes = _sizes(process.pid)
            main, tree = max(main, sizes.get(process.pid, 0)), max(tree, sum(sizes.values()))
            time.sleep(_EVERY)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    lines = (folder / "err.txt").read_text(encoding="utf-8").splitlines()
    mb = _PAGE / 1e6
    return Cost(time.perf_counter() - start, cpu, main * mb, tree * mb, lines[-1] if lines else "", process.returncode)


def _sizes(root: int) -> dict[int, int]:
    """Resident pages of a process and of all below it."""
    parents, sizes = {}, {}
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
                sizes[int(place.name)] = int((place / "statm").read_text().split()[1])
            except (OSError, IndexError):
                continue
    found = {root}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {child: sizes[child] for child in found if child in sizes}
