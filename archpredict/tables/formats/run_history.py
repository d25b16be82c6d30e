"""The history of a run of archpredict: every evaluation, whether it succeeded or failed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.formats.base import Format, Row
from archpredict.tables.reading.files import MAX_LINES, is_folder, open_bytes

__all__ = ["RunHistory"]

_NAME = "history.db"
_COLUMNS = ("number", "architecture", "score", "error", "seconds", "time", "metadata")
_VALUES = '"values"'
_MOST_NAMES = 100
_MAGIC = b"SQLite format 3\0"


class RunHistory(Format):
    """History of a run of a search (``history.db``, or the folder of the run).

    Each evaluation is a row, in the order they were asked for: ``number``, ``architecture``, ``score``, ``error``,
    ``seconds``, ``time`` and ``metadata``, and a column for each objective and limited number, where the search had
    such. A failed one has an error and no score.
    """

    endings = (".db",)
    folders = True

    def recognises(self, path: Path) -> bool:
        return (path / _NAME).is_file() if is_folder(path) else True

    def rows(self, path: Path, observe: Observer = silent) -> Iterator[Row]:
        file = path / _NAME if is_folder(path) else path
        with open_bytes(file) as stream:
            if stream.read(len(_MAGIC)) != _MAGIC:
                raise DataError(f"{file} is no history of a run of archpredict: it is no SQLite file")
        try:
            with closing(_opened(file)) as db:
                names = _names(db)
                columns = ", ".join([*_COLUMNS, *([_VALUES] if names else [])])
                for values in db.execute(f"SELECT {columns} FROM evaluations ORDER BY number LIMIT {MAX_LINES}"):
                    more = dict.fromkeys(names) | (_numbers(values[-1]) if names else {})
                    yield Row(f"evaluation {values[0]}", {**more, **dict(zip(_COLUMNS, values, strict=False))})
        except (
            sqlite3.Error,
            OverflowError,
            ValueError,
            RecursionError,
        ) as error:  # UnicodeDecodeError is a ValueError
            told = " ".join(str(error).split())
            raise DataError(f"{file} is no history of a run of archpredict, or is damaged: {told}") from error


def _names(db: sqlite3.Connection) -> list[str]:
    """Names of the objectives and limited numbers; none in a run without any, and before there were such."""
    if "values" not in {row[1] for row in db.execute("PRAGMA table_info(evaluations)")}:
        return []
    texts = db.execute(f"SELECT DISTINCT {_VALUES} FROM evaluations LIMIT {MAX_LINES}")
    return list(dict.fromkeys(name for (text,) in texts for name in _numbers(text)))[:_MOST_NAMES]


def _numbers(text: Any) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"the numbers of an evaluation are {found!r:.40}")
    return found


def _opened(file: Path) -> sqlite3.Connection:
    """The file, for reading alone; where its folder cannot be written, as one that nobody changes."""
    place = f"file:{quote(str(file.absolute()))}?mode=ro"
    db = sqlite3.connect(place, uri=True)
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        db.close()
        return sqlite3.connect(f"{place}&immutable=1", uri=True)
    return db
