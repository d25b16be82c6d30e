"""Rows of labelled architectures, whatever the file's format.

A format is one file in ``archpredict/tables/formats``: a class derived from :class:`Format` that says which names it
goes by and yields rows. Other distributions join through the entry-point group ``archpredict.tables.formats``.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from archpredict.errors import DataError, UsageError, writing
from archpredict.progress import Observer, silent
from archpredict.registry import names, resolve
from archpredict.tables.reading.files import is_folder

__all__ = ["Format", "Piece", "Row", "format_of", "format_to_write", "read_rows", "write_rows"]

ARCHITECTURE = "architecture"
"""The column of the architectures where a format has no name of its own for it."""

OBSERVE_EVERY = 100
"""Rows from one event to the next."""

Kind = Literal["integer", "number", "text", "value"]
"""What a column holds; ``value``: texts and whatever else JSON has."""

_KIND = "tables.formats"


@dataclass(frozen=True)
class Row:
    """A row of a table: where it is, such as ``"line 3"`` or ``"record 17"``, and its values by column name."""

    where: str
    values: Mapping[str, Any]


ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT"})()
"""Stands in a column for what a row does not have, which is another thing than having nothing there."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Rows that follow each other, by column: what is gone through without a loop over rows.

    Args:
        columns: Values by name, ``n`` each; :data:`ABSENT` where a row has no such column.
        where: The place of a row, counted within the piece, as :attr:`Row.where` has it.
        size: ``n``.
        rows: The rows where it was made of these.
    """

    columns: Mapping[str, Sequence[Any]]
    where: Callable[[int], str]
    size: int
    rows: Sequence[Row] | None = None

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Piece:
        """The piece of some rows."""
        names = dict.fromkeys(name for row in rows for name in row.values)
        columns = {name: [row.values.get(name, ABSENT) for row in rows] for name in names}
        return cls(columns, lambda i: rows[i].where, len(rows), rows)

    def row(self, i: int) -> Row:
        """One of the rows."""
        if self.rows is not None:
            return self.rows[i]
        values = {name: column[i] for name, column in self.columns.items()}
        return Row(self.where(i), {name: value for name, value in values.items() if value is not ABSENT})


class Format(ABC):
    """A file format of tables: how one kind of file holds rows.

    The first line of the docstring describes it to users.
    """

    endings: ClassVar[tuple[str, ...]]
    """What names end in, without ``.gz``; the first is the usual one."""

    also: ClassVar[tuple[str, ...]] = ()
    """What names of files end in that are read too where their content is recognised."""

    folders: ClassVar[bool] = False
    """Whether a folder of such files is read as one table."""

    fallback: ClassVar[bool] = False
    """Whether it takes what no other format of the same ending recognises."""

    writable: ClassVar[bool] = False

    def recognises(self, path: Path) -> bool:
        """Whether this is the file's format; asked where several formats share an ending."""
        return True

    @abstractmethod
    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        """The rows in the order of the file, read as they are asked for.

        Args:
            path: The file; plain or gzip-compressed.
            observe: Told of the rows read by a format that must read many before it can yield the first.

        Raises:
            DataError: The file is not what the format says; the message names file and place.
        """

    def write(self, path: Path, columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
        """Write a table; gzip-compressed where the path ends in ``.gz``.

        Args:
            path: The file to make.
            columns: What each column holds, in order.
            rows: Values by column; a missing value is absent or None.
        """
        raise UsageError(f"{self.endings[0]} files of this format are only read; convert to {writable_endings()}")

    # ------------------------------------------------------------------ large tables: a format may know a quicker way

    def pieces(self, path: Path, size: int, observe: Observer = silent) -> Iterator[Piece]:
        """The rows ``size`` at a time; before an error come those that stand before it.

        Args:
            path: As for :meth:`rows`.
            size: How many rows a piece has, the last one maybe fewer.
            observe: As for :meth:`rows`.

        Raises:
            DataError: As for :meth:`rows`.
        """
        return map(Piece.of, in_pieces(self.rows(path, observe), size))

    def count(self, path: Path) -> int | None:
        """How many rows there are, where the file says so before they are read; else None."""
        return None

    def kinds(self, path: Path) -> Mapping[str, Kind] | None:
        """What each column holds, where the file says so before its rows are read; else None."""
        return None

    def write_pieces(self, path: Path, columns: Mapping[str, Kind], pieces: Iterable[Piece]) -> None:
        """Write a table that comes in pieces, as :meth:`write` does."""
        self.write(path, columns, (piece.row(i).values for piece in pieces for i in range(piece.size)))


_Item = TypeVar("_Item")


def in_pieces(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """What is read one after another, ``size`` at a time; what comes before an error comes before it here too.

    Example:
        >>> list(in_pieces(range(5), 2))
        [[0, 1], [2, 3], [4]]
    """
    rest = iter(items)
    wrong: DataError | None = None
    while wrong is None:
        piece: list[_Item] = []
        try:
            for item in islice(rest, size):
                piece.append(item)
        except DataError as error:
            wrong = error
        if piece:
            yield piece
        if len(piece) < size and wrong is None:
            return
    raise wrong


def read_rows(path: str | Path, observe: Observer = silent) -> Iterator[Row]:
    r"""The rows of a table in any format.

    Raises:
        DataError: The file is missing, of no known format, or not what its format says.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "two.csv"
        ...     _ = file.write_text("architecture,accuracy\nA,1\nB,2\n")
        ...     [(row.where, dict(row.values)) for row in read_rows(file)][1]
        ('line 3', {'architecture': 'B', 'accuracy': '2'})
    """
    return format_of(path)[1].rows(Path(path), observe)


def format_of(path: str | Path) -> tuple[str, Format]:
    """Name and reader of an existing file's format, found from its name, and from its content where names agree.

    Raises:
        DataError: The file does not exist, or its format is not known.
    """
    path = Path(path)
    folder = is_folder(path)
    known = [(name, form) for name, form in _formats() if form.folders] if folder else _by_name(path, read=True)
    for name, form in known:
        if len(known) == 1 and not folder:
            return name, form
        if form.recognises(path):
            return name, form
    if folder:
        raise DataError(f"{path} is a folder; give the table's file, or a folder of NAS-Bench-301 results, or of a run")
    if known:
        raise DataError(f"{path} is of no format that is known of files {known[0][1].endings[0]}")
    raise DataError(f"the format of {path} is not known from its name; expected a name that ends in {_endings()}")


def format_to_write(path: str | Path) -> Format:
    """The format that a new file's name asks for.

    Raises:
        UsageError: No format that can be written has this ending.
    """
    for _, form in _by_name(Path(path)):
        if form.writable:
            return form
    raise UsageError(f"a table cannot be written as {Path(path).name}; give a name that ends in {writable_endings()}")


def write_rows(path: Path, columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows in the format that the name says; what was there before stays until the new file is whole.

    Args:
        path: The file, which is replaced.
        columns: Their names, and what they hold.
        rows: Values by column.

    Raises:
        UsageError: No table can be written under this name.
        RunError: The file cannot be written.
    """
    with _replacing(path) as part:
        format_to_write(path).write(part, columns, rows)


def write_pieces(path: Path, columns: Mapping[str, Kind], pieces: Iterable[Piece]) -> None:
    """The same of rows that come in pieces, of which no more than one is held at a time."""
    with _replacing(path) as part:
        format_to_write(path).write_pieces(part, columns, pieces)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with writing(path):
            yield part
            part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def writable_endings() -> str:
    """What names of files to write end in, for messages."""
    return _endings(writable=True)


def _formats() -> list[tuple[str, Format]]:
    formats = [(name, resolve(_KIND, name, Format)()) for name in names(_KIND)]
    return sorted(formats, key=lambda pair: pair[1].fallback)


def _by_name(path: Path, read: bool = False) -> list[tuple[str, Format]]:
    stem = path.name.lower().removesuffix(".gz")
    known = [(name, form) for name, form in _formats() if stem.endswith(form.endings + (form.also if read else ()))]
    return sorted(known, key=lambda pair: pair[1].fallback and stem.endswith(pair[1].endings))


def _endings(writable: bool = False) -> str:
    found = sorted({form.endings[0] for _, form in _formats() if form.writable or not writable})
    return f"{', '.join(found[:-1])} or {found[-1]} (text may be gzip-compressed, e.g. .csv.gz)"
