"""Tables for the commands that fit and use predictors: labels and features, or architectures alone."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import DataError, UsageError
from archpredict.tables.columns import architecture_column, listed, parsed, value_of
from archpredict.tables.formats._files import shown
from archpredict.tables.formats._numbers import joined, kind_of, number
from archpredict.tables.formats.base import ARCHITECTURE, Kind, Row, read_rows
from archpredict.tables.isomorphic import duplicates
from archpredict.tables.table import Table

if TYPE_CHECKING:
    from archpredict.spaces.base import Architecture, SearchSpace


@dataclass(frozen=True, eq=False)
class Labelled:
    """A table of labelled architectures and further columns of numbers, one value per row of the table."""

    table: Table
    architectures: list[Architecture]
    features: dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Rows as they stand in a file, with their architectures and the features that were asked for."""

    rows: list[Row]
    architectures: list[Architecture]
    features: dict[str, FloatArray]


def column_names(text: str | None) -> list[str]:
    """The names in ``COL,COL``, each once."""
    return list(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def read_labelled(path: Path, space: SearchSpace, target: str, features: Sequence[str] = ()) -> Labelled:
    """Labels and features; says where isomorphic architectures disagree in their labels."""
    if target in features:
        raise UsageError(f"{target!r} is the --target; a predictor that reads it as a feature would learn nothing else")
    table = Table.read(path, space, target)
    architectures = space.architectures(table.choices)
    _warn_of_isomorphic(table, architectures)
    return Labelled(table, architectures, _features_of(table, features))


def read_unlabelled(path: Path, space: SearchSpace, features: Sequence[str] = ()) -> Unlabelled:
    """All rows in their order."""
    rows = list(read_rows(path))
    if not rows:
        raise DataError(f"{path} has no rows; expected a header with {ARCHITECTURE!r}, then at least 1 row")
    column = architecture_column(path, rows[0], ARCHITECTURE)
    _check_features(path, rows[0], features)
    architectures: dict[tuple[int, ...], Architecture] = {}
    found = []
    for row in rows:
        choices = parsed(path, row, column, space)
        if choices not in architectures:  # repeated rows share one object, whose graph is made once
            architectures[choices] = space.architecture(choices)
        found.append(architectures[choices])
    return Unlabelled(rows, found, _numbers(path, rows, features))


def check_new_columns(data: Unlabelled, path: Path, names: Sequence[str]) -> None:
    """Columns that are to be added are not there yet.

    Raises:
        UsageError: One is.
    """
    for name in names:
        if any(name in row.values for row in data.rows):
            raise UsageError(f"{path} has a column {name!r} already; rename it, so that nothing is overwritten")


def extended(data: Unlabelled, added: Mapping[str, FloatArray]) -> tuple[dict[str, Kind], list[dict[str, Any]]]:
    """The columns and rows of a file with further columns at the right."""
    kinds: dict[str, Kind | None] = {}
    for row in data.rows:
        for name, value in row.values.items():
            kinds[name] = joined(kinds.get(name), kind_of(value))
    columns: dict[str, Kind] = {name: kind or "text" for name, kind in kinds.items()}
    numbers = zip(*(values.tolist() for values in added.values()), strict=True)
    rows = [{**row.values, **dict(zip(added, new, strict=True))} for row, new in zip(data.rows, numbers, strict=True)]
    return {**columns, **dict.fromkeys(added, "number")}, rows


def _features_of(table: Table, names: Sequence[str]) -> dict[str, FloatArray]:
    """The features of each row of the table: those of its first row in the file."""
    if not names:
        return {}
    firsts: dict[tuple[int, ...], Row] = {}
    for row in read_rows(table.path):
        if not firsts:
            _check_features(table.path, row, names)
        firsts.setdefault(parsed(table.path, row, table.column, table.space), row)
    return _numbers(table.path, [firsts[tuple(choices)] for choices in table.choices.tolist()], names)


def _numbers(path: Path, rows: Sequence[Row], names: Sequence[str]) -> dict[str, FloatArray]:
    return {name: np.array([_number(path, row, name) for row in rows], dtype=np.float64) for name in names}


def _number(path: Path, row: Row, name: str) -> float:
    value = value_of(path, row, name)
    found = number(value)
    if found is None or not math.isfinite(found):
        raise DataError(
            f"{path}, {row.where}, column {name!r}: found {shown(value)}, expected a finite number; "
            "a feature needs one in every row"
        )
    return found


def _check_features(path: Path, first: Row, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in first.values]
    if missing:
        raise DataError(
            f"{path} has no column {missing[0]!r}, which the predictor reads as a feature; "
            f"its columns are: {listed(list(first.values))}"
        )


def _warn_of_isomorphic(table: Table, architectures: Sequence[Architecture]) -> None:
    found = duplicates([architecture.key for architecture in architectures], table.labels)
    if found.num_conflicts:
        warnings.warn(
            f"{table.path}: {found.num_conflicts} architectures have several isomorphic rows with different values in "
            f"{table.target!r}, up to {found.largest_spread:.4g} apart; all rows are kept",
            stacklevel=2,
        )
