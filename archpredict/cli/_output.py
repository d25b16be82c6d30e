"""What commands write: files that are checked before the work starts and appear when they are whole, CSV and JSON."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.tables.formats.base import Kind

Record = Mapping[str, Any]


def check_output(path: Path, *inputs: Path) -> None:
    """A table that can be written, and is none of the files that are read.

    Raises:
        UsageError: Its name has another ending, its folder is missing, it is no regular file, or it is an input.
    """
    from archpredict.tables.formats.base import format_to_write

    check_file(path, *inputs)
    format_to_write(path)


def check_file(path: Path, *inputs: Path) -> None:
    """A file that can be written, and is none of those that are read.

    Raises:
        UsageError: Its folder is missing, it is no regular file, or it is an input.
    """
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no regular file; give the name of a file to write")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} to write {path.name} into; make it first")
    if any(path.exists() and given.exists() and path.samefile(given) for given in inputs):
        raise UsageError(f"{path} is the file that is read; write to another one")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"the folder {path.parent} cannot be written to; choose another place for {path.name}")


def check_folder(path: Path) -> None:
    """A folder that is there, or can be made.

    Raises:
        UsageError: A file is in the way, or it cannot be written to.
    """
    there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise UsageError(f"{there} is no folder; choose another place for {path}")
    if not os.access(there, os.W_OK):
        raise UsageError(f"the folder {there} cannot be written to; choose another place for {path}")


def check_replaceable(path: Path, manifest: str, what: str, option: str) -> None:
    """A folder that can be made, or holds what is to be replaced: nothing else is overwritten.

    Args:
        path: The folder.
        manifest: Name of the file by which a folder is known to hold such a thing.
        what: What the thing is called.
        option: The flag that named the folder.

    Raises:
        UsageError: It is neither, or cannot be written to.
    """
    check_folder(path)
    if path.is_dir() and any(path.iterdir()) and not (path / manifest).is_file():
        raise UsageError(f"the folder {path} is not empty and holds no {what}; choose another one for {option}")


def write_table(path: Path, columns: Mapping[str, Kind], rows: Iterable[Record]) -> None:
    """Write rows in the format that the name says; what was there before stays until the new file is whole."""
    from archpredict.tables.formats.base import write_rows

    kinds = {} if ".csv" in path.suffixes else columns  # CSV is text: what was read stays as it was written
    write_rows(path, columns, (_values(row, kinds) for row in rows))


def print_csv(columns: Mapping[str, Kind], rows: Iterable[Record]) -> None:
    """Rows as CSV on stdout."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_table(path, columns, rows)
        with path.open(encoding="utf-8", newline="") as stream:
            while block := stream.read(1 << 20):
                click.echo(block, nl=False)


def write_json(path: Path, value: object) -> None:
    """A value as a JSON file, which is there when it is whole; numbers that are not finite become null."""
    from archpredict._files import write_atomically
    from archpredict.tables.reading.numbers import finite

    write_atomically(path, json.dumps(finite(value)).encode())


def print_json(value: object) -> None:
    """A value as JSON on stdout; numbers that are not finite become null, which is what JSON has for them."""
    from archpredict.tables.reading.numbers import finite

    click.echo(json.dumps(finite(value)))


def number_columns(rows: Sequence[Record]) -> dict[str, Kind]:
    """The columns of a table of figures, each once, in the order in which they first appear."""
    return dict.fromkeys((name for row in rows for name in row), "number")


def _values(row: Record, kinds: Mapping[str, Kind]) -> Record:
    """The row's values as its columns have them; None for numbers that are not finite."""
    from archpredict.tables.reading.numbers import as_kind, finite

    return {name: finite(as_kind(value, kinds[name]) if name in kinds else value) for name, value in row.items()}
