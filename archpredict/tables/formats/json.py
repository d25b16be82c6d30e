"""JSON documents that list architectures or rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.formats.base import ARCHITECTURE, Format, Row
from archpredict.tables.reading.files import shown
from archpredict.tables.reading.json_stream import elements, first_element

__all__ = ["Json"]


class Json(Format):
    """JSON list (or object) of rows, or of architectures without labels.

    An element that is an object is a row. A text or a list is an architecture; where the outermost value is an object,
    its keys are not kept.
    """

    endings = (".json",)
    also = (".txt",)
    fallback = True

    def recognises(self, path: Path) -> bool:
        return not path.name.lower().removesuffix(".gz").endswith(".txt") or isinstance(first_element(path), dict)

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        for where, value in elements(path):
            if isinstance(value, dict):
                yield Row(where, value)
            elif isinstance(value, str | list):
                yield Row(where, {ARCHITECTURE: value})
            else:
                raise DataError(
                    f"{path}, {where}: found {shown(value)}, expected an object with columns or an architecture"
                )
