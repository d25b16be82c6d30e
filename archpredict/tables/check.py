"""What a table holds and what is wrong with it, found in one reading."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import DataError
from archpredict.progress import Event, Observer, silent
from archpredict.spaces.base import SearchSpace, load_space
from archpredict.tables.columns import Parsed, architecture_column, failures, named, target_column
from archpredict.tables.formats.base import ABSENT, ARCHITECTURE, OBSERVE_EVERY, Kind, Piece, format_of
from archpredict.tables.isomorphic import Duplicates, duplicates, graph_keys, numbered
from archpredict.tables.reading.files import file_sha256
from archpredict.tables.reading.numbers import joined, kind_of, number

__all__ = ["Column", "Survey", "TableProblem", "problems", "survey"]

_EXAMPLES = 3
_MAX_COLUMNS = 1_000
_PIECE = 8192
"""Rows that are taken in at a time."""


@dataclass
class Column:
    """A column of a table: its values; those that are no numbers count as not a number.

    Args:
        kind: What it holds; None while every value is missing.
        numbers: One per row of the table.
        missing: Rows without a value.
    """

    kind: Kind | None = None
    numbers: array[float] = field(default_factory=lambda: array("d"))
    missing: int = 0

    @property
    def range(self) -> tuple[float, float] | None:
        """The lowest and the highest finite number, None where there is none."""
        values = np.array(self.numbers)
        values = values[np.isfinite(values)]
        return (float(values.min()), float(values.max())) if len(values) else None

    def add(self, row: int, values: Sequence[Any]) -> None:
        """The values of rows from this one on; rows before it that were not added have none."""
        self.pad(row)
        kinds = [None if value is ABSENT else kind_of(value) for value in values]
        for kind in set(kinds):
            self.kind = joined(self.kind, kind)
        self.missing += kinds.count(None)
        self.numbers.extend([math.nan if (found := number(value)) is None else found for value in values])

    def pad(self, rows: int) -> None:
        """Note that the rows up to ``rows`` have no value here."""
        absent = rows - len(self.numbers)
        if absent > 0:
            self.missing += absent
            self.numbers.extend([math.nan] * absent)


@dataclass(frozen=True)
class TableProblem:
    """A problem of a table.

    Args:
        name: What kind of problem, e.g. ``"labels-not-finite"``.
        count: How many rows or architectures it concerns.
        message: One sentence.
    """

    name: str
    count: int
    message: str


class Survey:
    """The contents of a table; made by :func:`survey`."""

    def __init__(self, path: Path, space: SearchSpace, form: str, description: str) -> None:
        self.path, self.space, self.format, self.description = path, space, form, description
        self.column = ""
        self.target: str | None = None
        self.columns: dict[str, Column] = {}
        self.num_rows = 0
        self.unreadable: list[str] = []
        self.num_unreadable = 0
        self.stopped: str | None = None
        self._choices: list[IntArray] = []
        self._rows = array("q")
        self._failed: set[int] = set()
        self._wheres: list[str] = []

    @cached_property
    def _parsed(self) -> Parsed:
        return Parsed(self.path, self.column, self.space)

    @cached_property
    def sha256(self) -> str:
        return file_sha256(self.path)

    @cached_property
    def choices(self) -> IntArray:
        """``(V, L)`` choices of the rows whose architecture was read."""
        none = np.zeros((0, self.space.num_decisions), dtype=np.int64)
        return np.concatenate([none, *self._choices])

    @cached_property
    def tokens(self) -> IntArray:
        """``(V,)`` numbers from 0 on, equal for equal rows of :attr:`choices`."""
        return numbered(self.choices)

    def keys(self, observe: Observer = silent) -> IntArray:
        """``(V,)`` numbers from 0 on, equal for isomorphic rows of :attr:`choices`; calculated once.

        Args:
            observe: Told of the architectures done, every hundred of them.
        """
        if self._keys is None:
            first = np.zeros(self.num_distinct, dtype=np.int64)
            first[self.tokens[::-1]] = np.arange(len(self.tokens))[::-1]
            ends = np.append(first, len(self.tokens))  # by then all before are compared
            before = 0

            def tell(done: int) -> None:
                nonlocal before
                _tell(observe, "architectures compared", before, int(ends[done]), len(self.tokens))
                before = int(ends[done])

            self._keys = numbered(graph_keys(self.space, self.choices[first], tell))[self.tokens]
        return self._keys

    _keys: IntArray | None = None

    @property
    def num_distinct(self) -> int:
        """How many rows of :attr:`choices` are different."""
        return int(self.tokens.max(initial=-1)) + 1

    @property
    def num_classes(self) -> int:
        """How many of them there are when isomorphic ones count as one."""
        return int(self.keys().max(initial=-1)) + 1

    def labels(self, name: str) -> FloatArray:
        """The numbers of a column for the rows of :attr:`choices`; not a number where there is none."""
        numbers: FloatArray = np.array(self.columns[name].numbers)
        return numbers[np.array(self._rows, dtype=np.int64)]

    @property
    def num_failed(self) -> int:
        """Rows that say that their evaluation has failed, and so have no label."""
        return len(self._failed)

    def has_failed(self, i: int) -> bool:
        """Whether a row of :attr:`choices` is one of these."""
        return self._rows[i] in self._failed

    def where(self, i: int) -> str:
        """The place of a row of :attr:`choices`."""
        return self._wheres[i]

    def repeated(self, target: str | None = None) -> Duplicates:
        """Rows with equal choices."""
        return duplicates(self.tokens, None if target is None else self.labels(target))

    def isomorphic(self, target: str | None = None) -> Duplicates:
        """Rows with isomorphic architectures, equal ones included."""
        return duplicates(self.keys(), None if target is None else self.labels(target))

    def add(self, piece: Piece) -> None:
        """Take rows in.

        Raises:
            DataError: One has more columns than there may be; those before it are taken in.
        """
        wrong = self._too_many_columns(piece)
        if wrong is not None:
            where = piece.where(wrong)
            piece = Piece.of([piece.row(i) for i in range(wrong)])
        for name, values in piece.columns.items():
            if name != self.column:
                self.columns.setdefault(name, Column()).add(self.num_rows, values)
        if self.target is not None:
            self._failed.update(self.num_rows + i for i in failures(piece, self.target))
        choices, unread = self._parsed(piece)
        read = [i for i in range(piece.size) if i not in unread]
        self._choices.append(choices[read])
        self._rows.extend([self.num_rows + i for i in read])
        self._wheres += map(piece.where, read)
        self.num_unreadable += len(unread)
        for i in sorted(unread)[: _EXAMPLES - len(self.unreadable)]:
            self.unreadable.append(str(unread[i]).removeprefix(f"{self.path}, "))
        self.num_rows += piece.size
        if wrong is not None:
            raise DataError(f"{self.path}, {where}: there are more than {_MAX_COLUMNS:,} columns")

    def _too_many_columns(self, piece: Piece) -> int | None:
        """The first row of a piece with more columns than there may be."""
        if len(self.columns.keys() | piece.columns.keys()) <= _MAX_COLUMNS:
            return None
        names = set(self.columns)
        for i in range(piece.size):
            names |= piece.row(i).values.keys()
            if len(names) > _MAX_COLUMNS:
                return i
        return None


def survey(
    path: str | Path,
    space: str | type[SearchSpace] | SearchSpace,
    target: str | None = None,
    *,
    column: str = ARCHITECTURE,
    observe: Observer = silent,
) -> Survey:
    r"""Read a table to its end, whatever its rows hold.

    Args:
        path: The file.
        space: The space of its architectures, or its name.
        target: A column of labels that must be there.
        column: The column of the architectures.
        observe: Told of the rows read, every hundred of them.

    Raises:
        DataError: There is no such file, its format is not known, or not even its first row can be read.

    Example:
        >>> import tempfile
        >>> from archpredict.spaces.base import load_space
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "two.csv")
        ...     _ = file.write_text("architecture,accuracy\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,10\nA,5\n")
        ...     found = survey(file, load_space("nasbench201"))
        >>> found.num_rows, found.num_unreadable, found.columns["accuracy"].range
        (2, 1, (5.0, 10.0))
    """
    path, space = Path(path), load_space(space)
    name, form = format_of(path)
    pieces = form.pieces(path, _PIECE, observe)
    begin = next(pieces, None)
    if begin is None:
        raise DataError(f"{path} has no rows")
    first = begin.row(0)
    found = Survey(path, space, name, (type(form).__doc__ or "").partition("\n")[0].replace("``", ""))
    found.column = architecture_column(path, first, column, space)
    if len(first.values) > _MAX_COLUMNS:
        raise DataError(
            f"{path} has {len(first.values):,} columns, more than {_MAX_COLUMNS:,}, the most that can be looked at; "
            "is this a table of architectures?"
        )
    if target is not None:
        found.target = target_column(path, first, target, found.column)
    try:
        for piece in chain([begin], pieces):
            before = found.num_rows
            found.add(piece)
            _tell(observe, "rows read", before, found.num_rows)
    except DataError as error:
        found.stopped = str(error)
    for values in found.columns.values():
        values.pad(found.num_rows)
    return found


def _tell(observe: Observer, stage: str, before: int, now: int, total: int | None = None) -> None:
    """Every hundred that is done."""
    for done in range(before // OBSERVE_EVERY + 1, now // OBSERVE_EVERY + 1):
        observe(Event(stage, done * OBSERVE_EVERY, total))


def problems(found: Survey, target: str | None = None) -> list[TableProblem]:
    """Problems of a table, the gravest first.

    Args:
        found: The table.
        target: The column of labels; without it only architectures are checked.
    """
    target = None if target is None else named(found.columns, target) or target
    checks: list[Callable[[Survey], TableProblem | None]] = [_stopped, _unreadable, _too_few]
    if target is not None:
        checks += [
            lambda found: _not_finite(found, target),
            lambda found: _all_equal(found, target),
            lambda found: _conflicts(found, target, isomorphic=False),
            lambda found: _conflicts(found, target, isomorphic=True),
        ]
    return [problem for check in checks if (problem := check(found)) is not None]


def _stopped(found: Survey) -> TableProblem | None:
    if found.stopped is None:
        return None
    return TableProblem("broken-file", 1, f"reading stopped after {found.num_rows:,} rows: {found.stopped}")


def _unreadable(found: Survey) -> TableProblem | None:
    if not found.num_unreadable:
        return None
    more = found.num_unreadable - len(found.unreadable)
    rest = f"; and {more:,} more" if more else ""
    return TableProblem(
        "unreadable-architectures",
        found.num_unreadable,
        f"{found.num_unreadable:,} of {found.num_rows:,} rows hold no architecture of the space {found.space.name}: "
        f"{'; '.join(found.unreadable)}{rest}",
    )


def _too_few(found: Survey) -> TableProblem | None:
    distinct = found.num_distinct
    if distinct >= 2:
        return None
    return TableProblem("too-few", distinct, f"there are {distinct} distinct architectures; at least 2 are needed")


def _not_finite(found: Survey, target: str) -> TableProblem | None:
    labels = found.labels(target)
    wrong = [i for i in np.flatnonzero(~np.isfinite(labels)).tolist() if not found.has_failed(i)]
    if not wrong:
        return None
    places = [f"{found.where(i)} ({labels[i]:g})" for i in wrong[:_EXAMPLES]]
    places = [place.replace("(nan)", "(missing or not a number)") for place in places]
    rest = f" and {len(wrong) - _EXAMPLES:,} more" if len(wrong) > _EXAMPLES else ""
    return TableProblem(
        "labels-not-finite",
        len(wrong),
        f"{len(wrong):,} labels in {target!r} are no finite numbers: {', '.join(places)}{rest}",
    )


def _all_equal(found: Survey, target: str) -> TableProblem | None:
    labels = found.labels(target)
    labels = labels[np.isfinite(labels)]
    if len(labels) < 2 or (labels != labels[0]).any():
        return None
    message = f"all {len(labels):,} labels in {target!r} are {labels[0]:g}: nothing to learn from"
    return TableProblem("labels-all-equal", len(labels), message)


def _conflicts(found: Survey, target: str, isomorphic: bool) -> TableProblem | None:
    same = found.isomorphic(target) if isomorphic else found.repeated(target)
    if isomorphic and same.num_conflicts and same == found.repeated(target):
        return None  # told already
    if not same.num_conflicts:
        return None
    places = [found.where(i) for i in same.widest[:_EXAMPLES]]
    rest = f" and {len(same.widest) - _EXAMPLES:,} more" if len(same.widest) > _EXAMPLES else ""
    what = "isomorphic" if isomorphic else "equal"
    return TableProblem(
        "isomorphic-with-different-labels" if isomorphic else "repeated-with-different-labels",
        same.num_conflicts,
        f"rows with {what} architectures differ in {target!r} in {same.num_conflicts:,} of {same.num_classes:,} "
        f"classes, by {same.mean_spread:.4g} in the mean and {same.largest_spread:.4g} at most "
        f"({', '.join(places)}{rest})",
    )
