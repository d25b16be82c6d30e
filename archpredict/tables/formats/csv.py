"""CSV files with a header."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.formats.base import Format, Kind, Row
from archpredict.tables.reading.files import shown, text_lines
from archpredict.tables.reading.writing import text_writer

__all__ = ["Csv"]


class Csv(Format):
    """CSV with a header, separated by commas."""

    endings = (".csv",)
    writable = True

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        reader = csv.reader(text_lines(path), strict=True)
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
                yield Row(f"line {line}", dict(zip(columns, fields, strict=True)))
            else:
                raise DataError(
                    f"{path}, line {line}: found {len(fields)} fields, expected {len(columns)}, one for each "
                    "column of the header (put a field that holds commas between double quotes)"
                )

    def write(self, path: Path, columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
        with text_writer(path) as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([_field(row.get(name)) for name in columns] for row in rows)


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, float) else json.dumps(value)


def _header(path: Path, line: int, fields: list[str]) -> list[str]:
    columns = [field.strip() for field in fields]
    if len(set(columns)) < len(columns):
        for name in columns:
            if name and columns.count(name) > 1:
                raise DataError(
                    f"{path}, line {line}: the column {name!r} occurs twice in the header; rename one of them"
                )
    if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
        raise DataError(
            f"{path}, line {line}: the header has one column {shown(columns[0])}; separate columns by commas"
        )
    return columns
