"""Labels that a search knows from its start: of earlier runs, and of tables."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from archpredict.errors import DataError, UsageError
from archpredict.evaluators.base import SCORE, Result
from archpredict.evaluators.objectives.measured import measured
from archpredict.runs.directory import is_run, read_config
from archpredict.runs.history import read_results
from archpredict.strategies.base import Problem
from archpredict.tables.columns import architecture_column, failure, label_of, named, parsed, target_column
from archpredict.tables.formats.base import ARCHITECTURE, read_rows
from archpredict.tables.reading.numbers import number

__all__ = ["KnownResults", "Source", "known_results"]

Source = str | os.PathLike[str]
"""The directory of a run, or the file of a table."""


@dataclass(frozen=True)
class KnownResults:
    """Results that are known from the start.

    Args:
        results: No two of isomorphic architectures, failed ones included.
        sources: What is recorded of each source: its ``name``, how many ``results`` it has, and their ``sha256``.
    """

    results: tuple[Result, ...] = ()
    sources: tuple[dict[str, Any], ...] = ()


def known_results(sources: Sequence[Source], problem: Problem, label_names: Sequence[str]) -> KnownResults:
    """Read what is known of a problem.

    Of isomorphic architectures the first result counts; where another source has another score for one, a warning says
    for how many and by how much. What breaks a limit is left out.

    Args:
        sources: Directories of runs, and tables in whose column of the first of ``label_names`` the labels are, or in
            that of the first objective.
        problem: What is searched.
        label_names: What the evaluator calls its label.

    Raises:
        UsageError: A source is of another space, or has nothing that can be used.
        DataError: A table that is missing, malformed, or without the column.
        RunDirectoryError: A run that is corrupt.
    """
    found: dict[str, tuple[int, Result]] = {}
    kept, apart = [], list[float]()
    for i, source in enumerate(map(Path, sources)):
        read = _of_run(source, problem) if is_run(source) else _of_table(source, problem, label_names)
        results = [measured(r, problem.objectives, problem.names, (*label_names, SCORE)) for r in read]
        if not any(r.score is not None for r in results):
            raise UsageError(
                f"nothing in {source} can be used to start from: it has no result with the numbers that are searched "
                f"for ({', '.join(problem.names) or SCORE}); leave it out of `start_from`"
            )
        for result in filter(lambda r: _is_wanted(r, problem), results):
            of, first = found.setdefault(result.architecture.key, (i, result))
            if of != i and first.score is not None and result.score is not None and first.score != result.score:
                apart.append(abs(first.score - result.score))
        kept.append({"name": source.name, "results": len(results), "sha256": _digest(results)})
    if apart:
        warnings.warn(
            f"the sources of `start_from` disagree about {len(apart)} architectures, by up to {max(apart):.4g} and by "
            f"{sum(apart) / len(apart):.4g} on average; what the first of them says is taken",
            RuntimeWarning,
            stacklevel=4,
        )
    return KnownResults(tuple(result for _, result in found.values()), tuple(kept))


def _is_wanted(result: Result, problem: Problem) -> bool:
    """Whether it keeps the limits that need no evaluation, and may be recommended."""
    row = problem.space.rows([result.architecture.choices])
    within = not problem.within_pool or problem.is_labelable(result.architecture)
    return within and bool(problem.is_allowed(row)[0])


def _of_run(path: Path, problem: Problem) -> list[Result]:
    settings, space = read_config(path)["settings"], problem.space
    if (settings.get("space"), settings.get("num_choices")) != (space.name, list(space.num_choices)):
        raise UsageError(
            f"the run in {path} is of the space {settings.get('space')}, the search is in {space.name}; start from "
            "runs of the same space"
        )
    theirs = settings.get("objectives") or []
    if theirs and not problem.objectives and not str(theirs[0]).startswith(f"{SCORE}:max"):
        raise UsageError(
            f"the run in {path} has the objectives {', '.join(map(str, theirs))}, the search has one score; give "
            "`objectives` that it has, or leave it out of `start_from`"
        )
    return [replace(r, metadata={**r.metadata, **r.values}) for r in read_results(path, space)]


def _of_table(path: Path, problem: Problem, label_names: Sequence[str]) -> Iterator[Result]:
    rows = read_rows(path)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path} has no rows, so nothing is known to start from; leave it out of `start_from`")
    wanted = [*(o.name for o in problem.objectives[:1]), *label_names, SCORE]
    column = architecture_column(path, first, ARCHITECTURE, problem.space)
    target = target_column(path, first, next((n for n in wanted if named(first.values, n)), wanted[0]), column)
    more = {name: found for name in problem.names if (found := named(first.values, name)) is not None}
    for row in chain([first], rows):
        architecture = problem.space.architecture(parsed(path, row, column, problem.space))
        why = failure(row, target)
        if why is not None:
            yield Result(architecture, None, error=why)
            continue
        values = {name: number(row.values.get(column)) for name, column in more.items()}
        yield Result(architecture, label_of(path, row, target), metadata=values)


def _digest(results: Sequence[Result]) -> str:
    lines = (json.dumps([list(r.architecture.choices), r.score, r.error, dict(r.values)]) for r in results)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
