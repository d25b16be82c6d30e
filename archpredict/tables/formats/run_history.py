"""The history of a run of archpredict: every evaluation, whether it succeeded or failed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from archpredict.errors import DataError
from archpredict.progress import Observer, silent
from archpredict.tables.formats.base import Format, Row
from archpredict.tables.reading.files import MAX_LINES, is_folder, open_bytes

__all__ = ["RunHistory"]

_NAME = "history.db"
_COLUMNS = ("number", "architecture", "score", "error", "seconds", "time", "metadata")
_MAGIC = b"SQLite format 3\0"


class RunHistory(Format):
    """History of a run of a search (``history.db``, or the folder of the run).

    Each evaluation is a row, in the order they were asked for: ``number``, ``architecture``, ``score``, ``error``,
    ``seconds``, ``time`` and ``metadata``. A failed one has an error and no score.
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
                query = f"SELECT {', '.join(_COLUMNS)} FROM evaluations ORDER BY number LIMIT {MAX_LINES}"
                for values in db.execute(query):
                    yield Row(f"evaluation {values[0]}", dict(zip(_COLUMNS, values, strict=True)))
        except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
            raise DataError(f"{file} is no history of a run of archpredict, or is damaged: {error}") from error


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
