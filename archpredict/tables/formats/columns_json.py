"""JSON documents that hold a table in other ways than as a list: by column, or below a name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.columns import is_name_of_architectures
from archpredict.tables.formats.base import Format, Row
from archpredict.tables.reading.json_stream import first_key, small_object

__all__ = ["ColumnsJson"]

_MAX_CHARACTERS = 50_000_000
_CELL = ("matrix", "module_adjacency")


class ColumnsJson(Format):
    """JSON object of columns, or of a list of rows below a name, as pandas and others write them.

    A column is a list, or an object by number of the row. ``{"columns": [...], "data": [[...], ...]}`` is read too, and
    an object of which one value is a list of rows, such as ``{"results": [{"arch": ..., "accuracy": ...}, ...]}``.
    """

    endings = (".json",)
    also = (".txt",)

    def recognises(self, path: Path) -> bool:
        return self._rows(path) is not None

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        found = self._rows(path)
        if found is None:
            raise DataError(f"{path} is no JSON object of columns, one of them with architectures")
        for number, values in enumerate(found, start=1):
            yield Row(f"row {number}", values)

    def _rows(self, path: Path) -> list[dict[str, Any]] | None:
        if first_key(path) is None:
            return None
        document = small_object(path, _MAX_CHARACTERS)
        return None if document is None else _below_a_name(document) or _by_column(document)


def _has_architectures(names: Any) -> bool:
    return any(isinstance(name, str) and (is_name_of_architectures(name) or name in _CELL) for name in names)


def _below_a_name(document: dict[str, Any]) -> list[dict[str, Any]] | None:
    lists = [value for value in document.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(lists) != 1 or not _has_architectures(lists[0][0]) or not all(isinstance(row, dict) for row in lists[0]):
        return None
    return lists[0]


def _by_column(document: dict[str, Any]) -> list[dict[str, Any]] | None:
    columns, data = document.get("columns"), document.get("data")
    if isinstance(columns, list) and isinstance(data, list) and _has_architectures(columns):
        if all(isinstance(row, list) and len(row) == len(columns) for row in data):
            return [dict(zip(map(str, columns), row, strict=True)) for row in data]
        return None
    if not _has_architectures(document):
        return None
    values = list(document.values())
    if all(isinstance(column, dict) and column.keys() == values[0].keys() for column in values):
        values = [list(column.values()) for column in values]
    if not all(isinstance(column, list) and len(column) == len(values[0]) for column in values):
        return None
    return [dict(zip(document, row, strict=True)) for row in zip(*values, strict=True)]
