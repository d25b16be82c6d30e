"""Columns of a table: which one holds what, and its values with errors that say where."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import DataError
from archpredict.spaces.base import Choices, SearchSpace
from archpredict.tables.formats.base import ARCHITECTURE, Row
from archpredict.tables.reading.files import shown
from archpredict.tables.reading.numbers import number

_PUBLISHED_NAMES = ("arch", "arch_str")
"""What published tables call the column; looked for where there is no ``architecture``."""


def architecture_column(path: Path, first: Row, column: str) -> str:
    """The column of the architectures.

    Raises:
        DataError: There is none; the message lists those there are.
    """
    columns = list(first.values)
    if column in columns:
        return column
    published = [name for name in _PUBLISHED_NAMES if name in columns and column == ARCHITECTURE]
    if len(published) == 1:
        return published[0]
    if published:
        raise DataError(
            f"{path} has no column {column!r} but both {' and '.join(map(repr, published))}; "
            f"rename the one that holds the architectures to {column!r}"
        )
    if any(number(name) is not None for name in columns):
        raise DataError(
            f"{path} has no header: it begins with {shown(columns)}, "
            f"expected the names of its columns, one of them {column!r}"
        )
    raise DataError(f"{path} has no column {column!r} for the architectures; its columns are: {listed(columns)}")


def check_target(path: Path, first: Row, target: str, column: str) -> None:
    """See that there is a column of labels.

    Raises:
        DataError: There is not; the message lists the columns of numbers.
    """
    if target in first.values:
        return
    numeric = [name for name, value in first.values.items() if name != column and number(value) is not None]
    close = get_close_matches(target, numeric, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    raise DataError(f"{path} has no column {target!r}; its columns of numbers are: {listed(numeric)}.{guess}")


def parsed(path: Path, row: Row, column: str, space: SearchSpace) -> Choices:
    """The choices of a row's architecture.

    Raises:
        DataError: The row has none, or it is not in the space.
    """
    value = value_of(path, row, column)
    try:
        return space.parse(value if isinstance(value, str) else json.dumps(value))
    except ValueError as error:  # InvalidArchitectureError, and the plain ValueError of a user's own parser
        raise DataError(f"{path}, {row.where}, column {column!r}: {error}") from error


def label_of(path: Path, row: Row, column: str) -> float:
    """The number that a row has in a column.

    Raises:
        DataError: It has none, or one that is not finite.
    """
    value = value_of(path, row, column)
    label = number(value)
    if label is None:
        raise DataError(f"{path}, {row.where}, column {column!r}: found {shown(value)}, expected a number")
    if not math.isfinite(label):
        raise DataError(
            f"{path}, {row.where}, column {column!r}: found {shown(value)}, expected a finite number; "
            "remove rows without a label"
        )
    return label


class Columns:
    """Columns of numbers, collected row by row while a table is read.

    Args:
        path: The table.
        first: Its first row.
        names: The columns.

    Raises:
        DataError: There is no such column.
    """

    def __init__(self, path: Path, first: Row, names: Sequence[str]) -> None:
        missing = [name for name in names if name not in first.values]
        if missing:
            raise DataError(
                f"{path} has no column {missing[0]!r}, which the predictor reads as a feature; "
                f"its columns are: {listed(list(first.values))}"
            )
        self._path = path
        self._numbers = {name: array("d") for name in names}
        self._wrong: dict[tuple[int, str], str] = {}

    def add(self, row: Row) -> None:
        """The next row."""
        for name, numbers in self._numbers.items():
            value = value_of(self._path, row, name)
            found = number(value)
            if found is None or not math.isfinite(found):
                self._wrong[len(numbers), name] = f"{row.where}, column {name!r}: found {shown(value)}"
                found = math.nan
            numbers.append(found)

    def at(self, rows: IntArray) -> dict[str, FloatArray]:
        """The numbers of some rows, in this order.

        Raises:
            DataError: One of them is missing or not finite; the message names the first.
        """
        found = {name: np.array(numbers, dtype=np.float64)[rows] for name, numbers in self._numbers.items()}
        wanted = set(rows.tolist()) if self._wrong else set()
        for (row, _), what in self._wrong.items():
            if row in wanted:
                raise DataError(f"{self._path}, {what}, expected a finite number; a feature needs one in every row")
        return found


def value_of(path: Path, row: Row, column: str) -> Any:
    """The value of a row in a column.

    Raises:
        DataError: It has no such column.
    """
    if column not in row.values:  # only JSON: CSV rows have been counted
        raise DataError(f"{path}, {row.where}: the object has no {column!r}; it has: {listed(list(row.values))}")
    return row.values[column]


def listed(names: Sequence[str], most: int = 40) -> str:
    """Names for a message."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(shown(name)[1:-1] for name in names[:most]) + more if names else "none"
