"""Table: labelled architectures of one space, read from a file that the user brings."""

from __future__ import annotations

import json
import math
import warnings
from array import array
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict.datasets._rows import Row, file_sha256, read_rows, shown
from archpredict.errors import DataError
from archpredict.spaces.base import Architecture, IntArray, SearchSpace

FloatArray = npt.NDArray[np.float64]

ARCHITECTURE = "architecture"
_PUBLISHED_NAMES = ("arch", "arch_str")
"""What published tables call the column; looked for where there is no ``architecture``."""


@dataclass(frozen=True, eq=False)
class Table:
    """Labelled architectures, one row for each.

    Args:
        space: The search space of the rows.
        choices: ``(R, L)`` choices, rows distinct.
        labels: ``(R,)`` finite labels, not all equal.
        path: The file.
        target: The column of the labels.
        column: The column of the architectures.
        sha256: Hexadecimal digest of the file's bytes.

    Example:
        >>> import tempfile
        >>> from archpredict.spaces import load_space
        >>> folder = tempfile.TemporaryDirectory()
        >>> file = Path(folder.name) / "two.csv"
        >>> _ = file.write_text('''architecture,accuracy
        ... |none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|,10.0
        ... |none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|,87.5
        ... ''')
        >>> table = Table.read(file, load_space("nasbench201"), "accuracy")
        >>> len(table), table.labels.tolist()
        (2, [10.0, 87.5])
        >>> folder.cleanup()
    """

    space: SearchSpace
    choices: IntArray
    labels: FloatArray
    path: Path
    target: str
    column: str
    sha256: str

    @classmethod
    def read(cls, path: str | Path, space: SearchSpace, target: str, *, column: str = ARCHITECTURE) -> Table:
        """Read a CSV or JSONL file (one JSON object per line), plain or gzip-compressed.

        Rows that name the same choices become one row, at the place of the first. Where their labels differ,
        the lower median is its label (a value that was measured, whatever the order of the file) and one
        warning says for how many architectures that was so. Isomorphic architectures with different choices
        keep their own rows.

        Args:
            path: The file, named ``*.csv``, ``*.csv.gz``, ``*.jsonl`` or ``*.jsonl.gz``.
            space: The space whose notation the architectures are in; a JSON value that is no text is handed
                to the space as JSON text.
            target: The column of the labels, higher is better.
            column: The column of the architectures. Where ``architecture`` is not there, ``arch`` or
                ``arch_str`` is taken.

        Raises:
            DataError: The file is missing or malformed (the message names file, line and column), has fewer
                than two architectures, or all labels are equal.
        """
        path = Path(path)
        digest = file_sha256(path)
        rows = read_rows(path)
        first = next(rows, None)
        if first is None:
            raise DataError(
                f"{path} has no rows; expected a header with {column!r} and {target!r}, then at least 2 rows"
            )
        column = _architecture_column(path, first, column)
        _check_target(path, first, target, column)

        flat, values = array("q"), array("d")
        for row in chain([first], rows):
            flat.extend(_choices(path, row, column, space))
            values.append(_label(path, row, target))
        choices = np.array(flat, dtype=np.int64).reshape(len(values), space.num_decisions)
        choices, labels, num_conflicts = _one_row_each(choices, np.array(values, dtype=np.float64))
        _check_usable(path, labels, target)
        if num_conflicts:
            warnings.warn(
                f"{path}: {num_conflicts} architectures have several rows with different values in "
                f"{target!r}; the lower median of each is used",
                stacklevel=2,
            )
        return cls(space, choices, labels, path, target, column, digest)

    def __len__(self) -> int:
        return len(self.labels)

    def lookup(self, architecture: Architecture) -> int | None:
        """The row of an architecture: that with its choices, else the first that is isomorphic, else None."""
        row = self._row_of_choices.get(architecture.choices)
        return self._row_of_key.get(architecture.key) if row is None else row

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The key of each row; equal for isomorphic rows. Decodes every row when first asked for."""
        return tuple(architecture.key for architecture in self.space.architectures(self.choices))

    @cached_property
    def _row_of_choices(self) -> dict[tuple[int, ...], int]:
        return {tuple(row): i for i, row in enumerate(self.choices.tolist())}

    @cached_property
    def _row_of_key(self) -> dict[str, int]:
        return {key: i for i, key in reversed(list(enumerate(self.keys)))}  # so that the first of equals stays


def _architecture_column(path: Path, first: Row, column: str) -> str:
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
    if any(_is_number(name) for name in columns):
        raise DataError(
            f"{path} has no header: it begins with {shown(columns)}, "
            f"expected the names of its columns, one of them {column!r}"
        )
    raise DataError(f"{path} has no column {column!r} for the architectures; its columns are: {_listed(columns)}")


def _check_target(path: Path, first: Row, target: str, column: str) -> None:
    if target in first.values:
        return
    numeric = [name for name, value in first.values.items() if name != column and _is_number(value)]
    close = get_close_matches(target, numeric, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    raise DataError(f"{path} has no column {target!r}; its columns of numbers are: {_listed(numeric)}.{guess}")


def _listed(names: list[str], most: int = 40) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(shown(name)[1:-1] for name in names[:most]) + more if names else "none"


def _choices(path: Path, row: Row, column: str, space: SearchSpace) -> tuple[int, ...]:
    value = _value(path, row, column)
    try:
        return space.parse(value if isinstance(value, str) else json.dumps(value))
    except ValueError as error:  # InvalidArchitectureError, and the plain ValueError of a user's own parser
        raise DataError(f"{path}, line {row.line}, column {column!r}: {error}") from error


def _label(path: Path, row: Row, target: str) -> float:
    value = _value(path, row, target)
    label = _number(value)
    if label is None:
        raise DataError(f"{path}, line {row.line}, column {target!r}: found {shown(value)}, expected a number")
    if not math.isfinite(label):
        raise DataError(
            f"{path}, line {row.line}, column {target!r}: found {shown(value)}, expected a finite number; "
            "remove rows without a label"
        )
    return label


def _value(path: Path, row: Row, column: str) -> Any:
    if column not in row.values:  # only JSONL: CSV rows have been counted
        raise DataError(f"{path}, line {row.line}: the object has no {column!r}; it has: {_listed(list(row.values))}")
    return row.values[column]


def _number(value: object) -> float | None:
    """A CSV field or a JSON number as a float; None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or (isinstance(value, str) and "_" in value):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:  # a JSON integer of more than 308 digits
        return math.inf


def _is_number(value: object) -> bool:
    return _number(value) is not None


def _one_row_each(choices: IntArray, labels: FloatArray) -> tuple[IntArray, FloatArray, int]:
    """Merge equal rows; also the number of merged rows whose labels differed."""
    tokens = np.ascontiguousarray(choices).view(np.dtype((np.void, choices.dtype.itemsize * choices.shape[1]))).ravel()
    _, first, group = np.unique(tokens, return_index=True, return_inverse=True)
    if len(first) == len(choices):
        return choices, labels, 0
    order = np.lexsort((labels, group))  # by group, then by label
    size = np.bincount(group)
    start = np.cumsum(size) - size
    lowest, median, highest = (
        labels[order[start]],
        labels[order[start + (size - 1) // 2]],
        labels[order[start + size - 1]],
    )
    place = np.argsort(first)
    return choices[first[place]], median[place], int((lowest != highest).sum())


def _check_usable(path: Path, labels: FloatArray, target: str) -> None:
    if len(labels) < 2:
        raise DataError(f"{path} has one architecture; expected at least 2 with different values in {target!r}")
    if (labels == labels[0]).all():
        raise DataError(f"{path}, column {target!r}: all {len(labels)} labels are {labels[0]:g}: nothing to learn from")
