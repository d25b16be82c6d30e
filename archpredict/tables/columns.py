"""Columns of a table: which one holds what, and its values with errors that say where."""

from __future__ import annotations

import json
import math
import re
from array import array
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import DataError
from archpredict.spaces.base import Choices, SearchSpace
from archpredict.spaces.notation.texts import TextReader
from archpredict.tables.formats.base import ABSENT, ARCHITECTURE, Piece, Row
from archpredict.tables.reading.files import shown
from archpredict.tables.reading.naslib import arch_string
from archpredict.tables.reading.numbers import number

_PUBLISHED_NAMES = ("arch", "arch_str")
"""What published tables call the column; looked for where there is no ``architecture``."""

_OTHER_NAMES = (
    *("arch_string", "architecture_str", "architecture_string", "architectures", "archs", "arch_repr", "arch_config"),
    *("genotype", "genotypes", "geno", "cell", "cells", "cell_str", "config", "configuration", "spec", "model_spec"),
    *("structure", "subnet", "subnet_config", "net", "network", "notation", "encoding", "choices", "sample"),
    *("op_indices", "key", "text", "candidate", "design"),
)
"""What else it may be called; taken where its first value is an architecture, of one such column alone."""

_NASLIB = "op_indices"
"""The column in which NASLib numbers operators in its own way."""

_FAILED = ("fail", "error", "crash", "killed")
_ERRORS = ("error", "exception", "failure", "traceback", "error_message")
_STATES = ("status", "state")


def named(columns: Iterable[str], name: str) -> str | None:
    """The column of a name: exactly so, else the only one that differs in case alone; else None.

    Example:
        >>> named(["Arch_Str", "ACC"], "acc"), named(["Acc", "ACC"], "acc"), named(["Acc", "acc"], "acc")
        ('ACC', None, 'acc')
    """
    found = [column for column in columns if column.casefold() == name.casefold()]
    return name if name in found else found[0] if len(found) == 1 else None


def _folded(name: str) -> str:
    return "_".join(re.split(r"[\s_-]+", name.strip().casefold()))


def is_name_of_architectures(column: str) -> bool:
    """Whether a column is called as columns of architectures are."""
    return _folded(column) in {ARCHITECTURE, *_PUBLISHED_NAMES, *_OTHER_NAMES}


def architecture_column(path: Path, first: Row, column: str, space: SearchSpace) -> str:
    """The column of the architectures.

    Args:
        path: The table.
        first: Its first row.
        column: What it is asked for as; ``architecture`` stands for every name that such columns have.
        space: The space of the architectures.

    Raises:
        DataError: There is none, or several may be it; the message names the nearest.
    """
    columns = list(first.values)
    exact = named(columns, column)
    if exact is not None:
        return exact
    found = _called_otherwise(first, _PUBLISHED_NAMES) if column == ARCHITECTURE else []
    if len(found) == 1:
        return found[0]
    others = _called_otherwise(first, _OTHER_NAMES) if column == ARCHITECTURE else []
    readable = [name for name in [*found, *others] if is_architecture(first, name, space)]
    if len(readable) == 1:
        return readable[0]
    if readable or found:
        names = [shown(name) for name in (readable or found)]
        raise DataError(
            f"{path} has no column {column!r} but both {' and '.join(names[:3])}; rename the one that holds the "
            f"architectures to {column!r}, or give its name as `column`"
        )
    several = _spread(first, space) if column == ARCHITECTURE else None
    if several is not None:
        return several
    if any(number(name) is not None for name in columns):
        raise DataError(
            f"{path} has no header: it begins with {shown(columns)}, "
            f"expected the names of its columns, one of them {column!r}"
        )
    near = others or get_close_matches(column, columns, n=2)
    hint = ""
    if near:
        nearest = " and ".join(map(shown, near[:2]))
        hint = f" ({nearest}: no architecture of the space {space.name} in {first.where})"
    raise DataError(
        f"{path} has no column {column!r} for the architectures; its columns are: {listed(columns)}{hint}; "
        "give its name as `column`"
    )


def _spread(first: Row, space: SearchSpace) -> str | None:
    """The columns that hold the parts of an architecture, such as ``matrix+ops``; None where there are none."""
    found = [column for name in space.attributes if (column := named(first.values, name)) is not None]
    joined = _JOINT.join(found)
    return joined if len(found) > 1 and is_architecture(first, joined, space) else None


_JOINT = "+"


def _called_otherwise(first: Row, names: Sequence[str]) -> list[str]:
    wanted = {_folded(name) for name in names}
    return [column for column in first.values if _folded(column) in wanted]


def is_architecture(row: Row, column: str, space: SearchSpace) -> bool:
    """Whether a row has an architecture of the space in a column."""
    try:
        parsed(Path(), row, column, space)
    except DataError:
        return False
    return True


def target_column(path: Path, first: Row, target: str, column: str) -> str:
    """The column of the labels.

    Raises:
        DataError: There is none; the message lists the columns of numbers.
    """
    found = named(first.values, target)
    if found is not None:
        return found
    numeric = [name for name, value in first.values.items() if name != column and number(value) is not None]
    close = get_close_matches(target, numeric, n=1) or [
        name for name in numeric if target.casefold() in name.casefold()
    ]
    guess = f" Did you mean {shown(close[0])}?" if close else ""
    raise DataError(f"{path} has no column {target!r}; its columns of numbers are: {listed(numeric)}.{guess}")


def parsed(path: Path, row: Row, column: str, space: SearchSpace) -> Choices:
    """The choices of a row's architecture.

    Raises:
        DataError: The row has none, or it is not in the space.
    """
    value = value_of(path, row, column)
    try:
        return _parse(value, column, space)
    except ValueError as error:  # InvalidArchitectureError, and the plain ValueError of a user's own parser
        raise DataError(f"{path}, {row.where}, column {column!r}: {error}") from error


class Parsed:
    """As :func:`parsed`, for the rows of a table piece by piece: what rows have in common is read once.

    Args:
        path: The table.
        column: The column of the architectures.
        space: Their space.
    """

    def __init__(self, path: Path, column: str, space: SearchSpace) -> None:
        self._path, self._column, self._reader = path, column, TextReader(space)

    def __call__(self, piece: Piece) -> tuple[IntArray, dict[int, DataError]]:
        """``(n, L)`` choices of the rows of a piece; of those without an architecture why there is none."""
        values: Sequence[Any] = piece.columns.get(self._column, ())
        wrong: dict[int, DataError] = {}
        if not values or ABSENT in values:
            values = [self._value(piece, i, wrong) for i in range(piece.size)]
        texts = list(values) if {str}.issuperset(map(type, values)) else list(map(as_text, values))
        if _folded(self._column) == _NASLIB:
            texts = [notation(text, self._column) for text in texts]
        rows, unread = self._reader.read(texts)
        for i, error in unread.items():
            if i not in wrong:
                wrong[i] = DataError(f"{self._path}, {piece.where(i)}, column {self._column!r}: {error}")
                wrong[i].__cause__ = error
        return rows, wrong

    def _value(self, piece: Piece, i: int, wrong: dict[int, DataError]) -> Any:
        try:
            return value_of(self._path, piece.row(i), self._column)
        except DataError as error:
            wrong[i] = error
            return ""


def _parse(value: Any, column: str, space: SearchSpace) -> Choices:
    return space.parse(notation(as_text(value), column))


def as_text(value: Any) -> str:
    """A value of a column of architectures as a text."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def notation(text: str, column: str) -> str:
    """The text of a column of architectures in a notation of the space."""
    return (arch_string(text) or text) if _folded(column) == _NASLIB else text


def failure(row: Row, target: str) -> str | None:
    """Why a row has no label, where it says that its evaluation failed; None where it has one or does not say.

    Example:
        >>> failure(Row("line 3", {"score": "", "error": "out of memory"}), "score")
        'out of memory'
    """
    if not _is_missing(row.values.get(target)):
        return None
    for name, told in row.values.items():
        if isinstance(told, str) and told.strip():
            if _folded(name) in _ERRORS:
                return told.strip()
            if _folded(name) in _STATES and told.strip().casefold().startswith(_FAILED):
                return told.strip()
    return None


def failures(piece: Piece, target: str) -> dict[int, str]:
    """:func:`failure` of the rows of a piece that have failed, by their number."""
    values = piece.columns.get(target, (None,) * piece.size)
    found = {
        i: failure(piece.row(i), target) for i, value in enumerate(values) if value is ABSENT or _is_missing(value)
    }
    return {i: why for i, why in found.items() if why is not None}


def _is_missing(value: Any) -> bool:
    return bool(value is None or (isinstance(value, str) and not value.strip()) or value != value)


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


def labels_of(piece: Piece, column: str) -> FloatArray:
    """``(n,)`` the numbers that the rows of a piece have in a column; not a number where :func:`label_of` fails."""
    values = map(number, piece.columns.get(column, (None,) * piece.size))
    labels = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    labels[~np.isfinite(labels)] = math.nan
    return labels


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
        found = {name: named(first.values, name) for name in names}
        missing = [name for name, column in found.items() if column is None]
        if missing:
            raise DataError(
                f"{path} has no column {missing[0]!r}, which the predictor reads as a feature; "
                f"its columns are: {listed(list(first.values))}"
            )
        self._path, self._columns = path, {name: column or name for name, column in found.items()}
        self._numbers = {name: array("d") for name in names}
        self._wrong: dict[tuple[int, str], str] = {}

    def add(self, row: Row) -> None:
        """The next row."""
        for name, numbers in self._numbers.items():
            value = value_of(self._path, row, self._columns[name])
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
    parts = column.split(_JOINT)
    if column not in row.values and len(parts) > 1 and all(part in row.values for part in parts):
        return {part: row.values[part] for part in parts}
    if column not in row.values:  # only JSON: CSV rows have been counted
        raise DataError(f"{path}, {row.where}: the object has no {column!r}; it has: {listed(list(row.values))}")
    return row.values[column]


def listed(names: Sequence[str]) -> str:
    """Names for a message: as many as a line holds."""
    found: list[str] = []
    for name in names:
        found.append(shown(name, _SHOWN_NAME)[1:-1])
        if sum(map(len, found)) > _SHOWN or len(found) >= _MOST_NAMES:
            break
    more = f" and {len(names) - len(found):,} more" if len(names) > len(found) else ""
    return ", ".join(found) + more if names else "none"


_SHOWN, _SHOWN_NAME, _MOST_NAMES = 160, 30, 12
"""Characters of all names in a message, and of one of them; how many names."""
