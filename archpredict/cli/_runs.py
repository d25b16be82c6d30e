"""Where commands that run for long leave their record."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def run_directory(named: Path | None, name: str) -> Iterator[Path]:
    """The run directory that was named, or the first free ``runs/NAME-1``; that one goes again if nothing began."""
    if named is not None:
        yield named
        return
    from archpredict.runs.directory import disk_errors

    parent = Path("runs")
    with disk_errors(parent):
        parent.mkdir(exist_ok=True)
        out = next(path for n in itertools.count(1) if _made(path := parent / f"{name}-{n}"))
    try:
        yield out
    finally:
        if not any(out.iterdir()):
            out.rmdir()


def _made(directory: Path) -> bool:
    """Whether the directory is new; making it also claims it against another process."""
    try:
        directory.mkdir()
    except FileExistsError:
        return False
    return True
