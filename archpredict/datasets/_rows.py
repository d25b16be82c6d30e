"""Rows of a CSV or JSONL file, plain or gzip-compressed, read line by line within bounds.

Nothing is skipped or repaired: the first thing that is not as expected raises a DataError with file and line.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archpredict.errors import DataError

MAX_LINE_BYTES = 1_000_000
MAX_LINES = 20_000_000

_GZIP_MAGIC = b"\x1f\x8b"
_FORMATS = "a name that ends in .csv, .csv.gz, .jsonl or .jsonl.gz"


@dataclass(frozen=True)
class Row:
    """One row: the line it begins on, counting from 1, and its values by column name."""

    line: int
    values: dict[str, Any]


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a table; the values of a CSV file are texts, those of a JSONL file what JSON says.

    Raises:
        DataError: The file cannot be read, or a line is not what the format says.
    """
    stem = path.name.lower().removesuffix(".gz")
    if stem.endswith(".csv"):
        return _csv_rows(path)
    if stem.endswith((".jsonl", ".ndjson")):
        return _jsonl_rows(path)
    raise DataError(f"the format of {path} is not known from its name; expected {_FORMATS}")


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes, as they lie on disk."""
    digest = hashlib.sha256()
    with _open_bytes(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def shown(value: object, limit: int = 60) -> str:
    """A value for an error message: on one line, without control characters, shortened."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _csv_rows(path: Path) -> Iterator[Row]:
    reader = csv.reader(_lines(path), strict=True)
    columns: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{path}, line {line}: this is no row of a CSV file: {error}") from error
        if not fields:  # a blank line
            continue
        if columns is None:
            columns = _header(path, line, fields)
        elif len(fields) == len(columns):
            yield Row(line, dict(zip(columns, fields, strict=True)))
        else:
            raise DataError(
                f"{path}, line {line}: found {len(fields)} fields, expected {len(columns)}, one for each "
                "column of the header (put a field that holds commas between double quotes)"
            )


def _header(path: Path, line: int, fields: list[str]) -> list[str]:
    columns = [field.strip() for field in fields]
    for name in columns:
        if name and columns.count(name) > 1:
            raise DataError(f"{path}, line {line}: the column {name!r} occurs twice in the header; rename one of them")
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        raise DataError(
            f"{path}, line {line}: the header has one column {shown(columns[0])}; separate columns by commas"
        )
    return columns


def _jsonl_rows(path: Path) -> Iterator[Row]:
    for line, text in enumerate(_lines(path), start=1):
        if not text.strip():
            continue
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            found = shown(text.strip())
            raise DataError(f"{path}, line {line}: found {found}, expected one JSON object per line") from error
        if not isinstance(values, dict):
            raise DataError(f"{path}, line {line}: found {shown(values)}, expected one JSON object per line")
        yield Row(line, values)


def _lines(path: Path) -> Iterator[str]:
    with _open_text_bytes(path) as stream:
        number = 0
        while True:
            number += 1
            raw = _read_line(path, number, stream)
            if not raw:
                return
            try:
                # Spreadsheets put a byte order mark before the first column's name.
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}, line {number}: byte {error.start + 1} is not UTF-8; save the table as UTF-8"
                ) from error


def _read_line(path: Path, number: int, stream: io.BufferedIOBase) -> bytes:
    try:
        raw = stream.readline(MAX_LINE_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}, line {number}: the gzip file is broken here ({error}); copy or make it again"
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(raw) > MAX_LINE_BYTES:
        raise DataError(f"{path}, line {number}: the line is longer than {MAX_LINE_BYTES:,} bytes; is this a table?")
    if raw and number > MAX_LINES:
        raise DataError(f"{path} has more than {MAX_LINES:,} lines, the most that is read")
    return raw


@contextmanager
def _open_text_bytes(path: Path) -> Iterator[io.BufferedIOBase]:
    """The file's bytes, decompressed where they are gzip, whatever the name says."""
    with _open_bytes(path) as stream:
        start = stream.peek(2)[:2]
        if not start:
            raise DataError(f"{path} is empty; expected a table with a header or one JSON object per line")
        if start == _GZIP_MAGIC:
            with gzip.GzipFile(fileobj=stream) as plain:
                yield plain
        elif path.name.lower().endswith(".gz"):
            raise DataError(f"{path} is no gzip file although its name ends in .gz; compress it or rename it")
        else:
            yield stream


@contextmanager
def _open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError(f"{path} is a folder; give the table's file, {_FORMATS}")
        if not stat.S_ISREG(mode):  # a pipe would have to be read twice, and could never end
            raise DataError(f"{path} is no regular file; save the table under {_FORMATS}")
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; give the path of a table, {_FORMATS}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{str(path)!r} is no file's path: {error}") from error
    with stream:
        yield stream
