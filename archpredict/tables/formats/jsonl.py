"""JSON lines: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.spaces.notation.literals import read_at
from archpredict.tables.formats.base import Format, Kind, Row
from archpredict.tables.reading.files import shown, text_lines
from archpredict.tables.reading.writing import text_writer

__all__ = ["JsonLines"]


class JsonLines(Format):
    """JSON lines, one object per line."""

    endings = (".jsonl", ".ndjson")
    also = (".json", ".txt")
    writable = True

    def recognises(self, path: Path) -> bool:
        if path.name.lower().removesuffix(".gz").endswith(self.endings):
            return True
        try:
            lines = list(islice((text for text in text_lines(path) if text.strip()), 2))
            return len(lines) == 2 and all(isinstance(_value(text), dict) for text in lines)
        except (DataError, ValueError):
            return False

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        for line, text in enumerate(text_lines(path), start=1):
            if not text.strip():
                continue
            try:
                values = _value(text)
            except ValueError as error:
                found = shown(text.strip())
                raise DataError(f"{path}, line {line}: found {found}, expected one JSON object per line") from error
            if not isinstance(values, dict):
                raise DataError(f"{path}, line {line}: found {shown(values)}, expected one JSON object per line")
            yield Row(f"line {line}", values)

    def write(self, path: Path, columns: Mapping[str, Kind], rows: Iterable[Mapping[str, Any]]) -> None:
        with text_writer(path) as stream:
            for row in rows:
                present = {name: row[name] for name in columns if row.get(name) is not None}
                stream.write(json.dumps(present) + "\n")


def _value(text: str) -> Any:
    """The value of a line, as JSON or as Python prints it.

    Raises:
        ValueError: It is neither.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        value, end = read_at(text, 0)
    if text[end:].strip():
        raise ValueError("something stands behind it")
    return json.loads(json.dumps(value, default=str))
