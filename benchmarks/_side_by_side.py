"""Runs of a script several at a time, through the interface that searches and validations have."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from archpredict.executors.base import Executor
from archpredict.executors.local import Local
from archpredict.executors.ray import Ray

R = TypeVar("R")


def add_executor_options(parser: argparse.ArgumentParser, jobs: int = 1) -> None:
    """``--jobs``, ``--executor`` and ``--ray-address``."""
    parser.add_argument("--jobs", type=int, default=jobs, help="processes of --executor local")
    parser.add_argument("--executor", choices=["local", "ray"], default="local")
    parser.add_argument("--ray-address", metavar="HOST:PORT", help="if left out, Ray is started here")


def executor_of(options: argparse.Namespace) -> Executor:
    """What the options say."""
    return Ray(address=options.ray_address) if options.executor == "ray" else Local(jobs=options.jobs)


def side_by_side(
    function: Callable[..., R], tasks: Iterable[tuple[Any, ...]], executor: Executor, common: tuple[Any, ...] = ()
) -> Iterator[R]:
    """``function(*common, *task)`` of each task, in their order, each as soon as those before it are known.

    Args:
        function: Of a module or of the script itself.
        tasks: Arguments.
        executor: Where they run.
        common: Arguments of all, which are sent once.

    Raises:
        SystemExit: One was given up.
    """
    waiting: dict[int, Any] = {}
    given = 0
    for done in executor.each(_Task(_importable(function), common), enumerate(tasks)):
        if done.error is not None:
            raise SystemExit(f"{done.item[1]}: {done.error}")
        waiting[done.item[0]] = done.value
        while given in waiting:
            yield waiting.pop(given)
            given += 1


class _Task:
    def __init__(self, function: Callable[..., Any], common: tuple[Any, ...]) -> None:
        self._function, self._common = function, common

    def __call__(self, item: tuple[int, tuple[Any, ...]]) -> Any:
        return self._function(*self._common, *item[1])


def _importable(function: Callable[..., R]) -> Callable[..., R]:
    """The function as other processes import it: what it keeps in caches stays with each of them."""
    if function.__module__ != "__main__":
        return function
    found: Callable[..., R] = getattr(importlib.import_module(Path(sys.argv[0]).stem), function.__name__)
    return found
