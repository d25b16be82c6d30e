"""CSV files with a header."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.columns import is_name_of_architectures
from archpredict.tables.formats.base import ABSENT, Format, Kind, Piece, Row, in_pieces
from archpredict.tables.reading.files import text_lines
from archpredict.tables.reading.writing import text_writer

__all__ = ["Csv"]


class Csv(Format):
    """CSV with a header, separated by commas, semicolons or tabs."""

    endings = (".csv",)
    also = (".tsv", ".tab", ".txt")
    writable = True

    def recognises(self, path: Path) -> bool:
        if not _stem(path).endswith(".txt"):
            return True
        try:
            header = "".join(_to_header(text_lines(path))[-1:])
            fields = next(csv.reader(header.splitlines()[:1], delimiter=_separator(header)), [])
        except (DataError, csv.Error):
            return False
        return len(fields) > 1 and any(map(is_name_of_architectures, fields))

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        fields = _fields(path)
        header = next(fields, None)
        if header is not None:
            for line, values in fields:
                yield Row(f"line {line}", dict(zip(header[1], values, strict=True)))

    def pieces(self, path: Path, size: int, observe: Observer = silent) -> Iterator[Piece]:
        fields = _fields(path)
        header = next(fields, None)
        if header is None:
            return
        for rows in in_pieces(fields, size):
            lines, values = zip(*rows, strict=True)
            columns = dict(zip(header[1], zip(*values, strict=True), strict=True))
            yield Piece(columns, lambda i, lines=lines: f"line {lines[i]}", len(rows))  # type: ignore[misc]

    def write(self, path: Path, columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
        with text_writer(path) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([_field(row.get(name)) for name in columns] for row in rows)

    def write_pieces(self, path: Path, columns: Mapping[str, Kind], pieces: Iterable[Piece]) -> None:
        with text_writer(path) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            for piece in pieces:
                absent = ("",) * piece.size
                writer.writerows(zip(*(_texts(piece.columns.get(name, absent)) for name in columns), strict=True))


def _fields(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of the line and the fields of the header, then those of each row."""
    lines = text_lines(path)
    begin = _to_header(lines)
    mark = _separator(begin[-1]) if begin else ","
    reader = csv.reader(chain(begin, lines), strict=True, delimiter=mark)
    columns: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{path}, line {line}: this is no row of a CSV file: {error}") from error
        if not fields or (columns is None and _is_before_header(mark.join(fields))):
            continue
        if mark == ";":
            fields = [_decimal(field) for field in fields]
        if columns is None:
            fields = columns = _header(path, line, fields)
        elif len(fields) != len(columns):
            raise DataError(
                f"{path}, line {line}: found {len(fields)} fields, expected {len(columns)}, one for each "
                f"column of the header (put a field that holds {_SEPARATORS[mark]} between double quotes)"
            )
        yield line, fields


_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def _stem(path: Path) -> str:
    return path.name.lower().removesuffix(".gz")


def _separator(header: str) -> str:
    """The mark between the columns of a header; a comma unless there are more columns with another one.

    Example:
        >>> _separator('arch;acc;"a, b"'), _separator("arch,acc")
        (';', ',')
    """
    line = "".join(header.splitlines()[:1])
    try:
        counts = {mark: len(next(csv.reader([line], delimiter=mark), [])) for mark in _SEPARATORS}
    except csv.Error:  # whoever reads the line tells of it
        return ","
    return max(_SEPARATORS, key=counts.__getitem__)


_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
"""A number as spreadsheets write it in languages in which semicolons separate columns."""
_BEFORE_HEADER = re.compile(r"sep=.|#[^,;\t]*", re.IGNORECASE)
"""What may stand before a header: the mark that spreadsheets note, or a comment."""


def _decimal(field: str) -> str:
    return field.replace(",", ".") if _DECIMAL_COMMA.fullmatch(field.strip()) else field


def _is_before_header(line: str) -> bool:
    return not line.strip() or _BEFORE_HEADER.fullmatch(line.strip()) is not None


def _to_header(lines: Iterator[str]) -> list[str]:
    """The lines up to the header."""
    begin = []
    for line in lines:
        begin.append(line)
        if not _is_before_header(line):
            break
    return begin


_WRITTEN_ALIKE = {str, float, int, type(None)}
"""Types that the csv module writes as :func:`_field` does, and faster."""


def _texts(values: Sequence[Any]) -> Iterable[Any]:
    return values if _WRITTEN_ALIKE.issuperset(map(type, values)) else map(_field, values)


def _field(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or value is ABSENT:
        return ""
    return repr(value) if isinstance(value, float) else json.dumps(value)


def _header(path: Path, line: int, fields: list[str]) -> list[str]:
    columns = [field.strip() for field in fields]
    if len(set(columns)) < len(columns):
        for name in columns:
            if name and columns.count(name) > 1:
                raise DataError(
                    f"{path}, line {line}: the column {name!r} occurs twice in the header; rename one of them"
                )
    return columns
