"""History: the durable record of a run, one SQLite file."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from archpredict.errors import RunDirectoryError
from archpredict.evaluators.base import Result
from archpredict.progress import Event
from archpredict.spaces.base import Architecture, SearchSpace

__all__ = ["Arrival", "Ask", "History", "RecordedEvent", "Tally", "running_best"]

HISTORY = "history.db"
"""Name of the file in the directory of a run."""

_VERSION = 3
_SCHEMA = """
CREATE TABLE evaluations (
    number INTEGER PRIMARY KEY, choices TEXT NOT NULL, architecture TEXT NOT NULL, key TEXT NOT NULL,
    score REAL, error TEXT, seconds REAL NOT NULL, metadata TEXT NOT NULL, time REAL NOT NULL,
    "values" TEXT NOT NULL DEFAULT '{}', told INTEGER);
CREATE TABLE asks (number INTEGER PRIMARY KEY, choices TEXT NOT NULL, told INTEGER NOT NULL);
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY, round INTEGER NOT NULL, stage TEXT NOT NULL, step INTEGER NOT NULL,
    total INTEGER NOT NULL, "values" TEXT NOT NULL);
CREATE TABLE sessions (number INTEGER PRIMARY KEY, started REAL NOT NULL, seconds REAL NOT NULL);
"""
_FROM_1 = """
BEGIN; ALTER TABLE evaluations ADD COLUMN "values" TEXT NOT NULL DEFAULT '{}'; PRAGMA user_version = 2; COMMIT;
"""
"""Makes a history of format 1, which had no objectives, one of format 2."""
_FROM_2 = """
BEGIN; ALTER TABLE evaluations ADD COLUMN told INTEGER;
CREATE TABLE asks (number INTEGER PRIMARY KEY, choices TEXT NOT NULL, told INTEGER NOT NULL);
PRAGMA user_version = 3; COMMIT;
"""
"""Makes a history of format 2, whose evaluations all came in batches, one of format 3."""
_TABLES = {"evaluations", "events", "sessions"}
_BUFFERED_EVENTS = 500
_MOST = 2**63 - 1
"""The largest number that SQLite has."""
_FULL = "full"
PATIENCE = 600.0
"""Seconds for which a program that holds the history locked is waited for."""
_BUSY_SECONDS = 0.5
"""Seconds that SQLite waits by itself, in which no signal is dealt with."""


@dataclass(frozen=True)
class RecordedEvent:
    """An event and the number of results the strategy had been told when it came (its round)."""

    round: int
    event: Event


@dataclass(frozen=True)
class Tally:
    """Number of evaluations, of those among them that failed, and the best score.

    Example:
        >>> Tally(3, 3).all_failed, Tally().all_failed
        (True, False)
    """

    count: int = 0
    failed: int = 0
    best: float = -math.inf

    @property
    def all_failed(self) -> bool:
        """Whether there are evaluations, and none gave a score."""
        return 0 < self.count == self.failed

    def with_result(self, result: Result) -> Tally:
        """The tally with one evaluation more."""
        if result.score is None:
            return Tally(self.count + 1, self.failed + 1, self.best)
        return Tally(self.count + 1, self.failed, max(self.best, result.score))


@dataclass(frozen=True)
class Ask:
    """An architecture that was asked for while others were pending.

    Args:
        number: Which one it is of all that were asked for.
        architecture: What was asked for.
        told: How many results the strategy had been told.
    """

    number: int
    architecture: Architecture
    told: int


@dataclass(frozen=True)
class Arrival:
    """A result that is recorded.

    Args:
        number: Which one of all that were asked for it is the result of.
        result: The result.
        in_batch: Whether the strategy is told it together with its batch, in the order of numbers, and not at once.
    """

    number: int
    result: Result
    in_batch: bool


class History:
    """The record of a run: every evaluation and every event.

    Evaluations are told in batches, in the order of their numbers, or as they come. Of the latter the record has when
    they were asked for (:class:`Ask`) and in which order they came: all that a strategy's state follows from.

    An evaluation is on the disk (SQLite's write-ahead log, ``synchronous=FULL``) when :meth:`record` returns.
    Events are buffered and written with the next evaluation or checkpoint: whoever resumes from before them
    produces them again.

    Args:
        path: The file, made where it is missing; ``":memory:"`` keeps the record in memory.

    Raises:
        RunDirectoryError: The file is corrupt, is no history, or cannot be written.

    Example:
        >>> with History(":memory:") as history:
        ...     len(history)
        0
    """

    def __init__(self, path: str | os.PathLike[str] = ":memory:") -> None:
        self.path = str(path)
        self._started = time.perf_counter()
        self._buffer: list[RecordedEvent] = []
        self._asked: list[Ask] = []
        with self._errors():
            if self.path == ":memory:":
                self._db = _connect(self.path)
                _make_tables(self._db)
            else:
                _create(Path(self.path))
                self._db = _connect(self.path)
                self._check()
        self._num_events = int(self._scalar("SELECT COALESCE(MAX(sequence) + 1, 0) FROM events"))
        self._session = int(self._scalar("SELECT COALESCE(MAX(number) + 1, 0) FROM sessions"))
        with self._transaction() as db:
            db.execute("INSERT INTO sessions VALUES (?, ?, 0)", (self._session, time.time()))

    # ------------------------------------------------------------------ evaluations

    def record(self, number: int, result: Result, told: int | None = None) -> None:
        """Keep the result of the ``number``-th evaluation asked for, replacing an earlier one.

        Args:
            number: From 0.
            result: The result.
            told: How many results the strategy has been told before it, where it is told as it comes.
        """
        self.record_all([(number, result, told)])

    def record_all(self, results: Sequence[tuple[int, Result, int | None]]) -> None:
        """Keep several results, each with what :meth:`record` takes: all of them or, where that fails, none."""
        now = time.time()
        rows = [
            (
                number,
                json.dumps(list(result.architecture.choices)),
                str(result.architecture),
                result.architecture.key,
                result.score,
                result.error,
                result.seconds,
                json.dumps(dict(result.metadata)),
                now,
                json.dumps(dict(result.values)),
                told,
            )
            for number, result, told in results
        ]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._write_pending(db)

    def results(self, space: SearchSpace, start: int = 0, stop: int = _MOST) -> dict[int, Result]:
        """Recorded results by number, those from ``start`` to before ``stop``."""
        columns = 'number, choices, score, error, seconds, metadata, "values"'
        query = f"SELECT {columns} FROM evaluations WHERE number >= ? AND number < ? ORDER BY number"
        results = {}
        for number, *row in self._rows(query, start, stop):
            try:
                results[number] = _result(space, *row)
            except (ValueError, TypeError, AttributeError) as wrong:
                raise self._corrupt(f"evaluation {number} cannot be read: {wrong}") from wrong
        return results

    def ask(self, ask: Ask) -> None:
        """Keep what is asked for while other results are pending; it is on the disk before the next result is.

        What was asked for after the last result follows from the results before it.
        """
        self._asked.append(ask)

    def asks(self, space: SearchSpace) -> list[Ask]:
        """What was asked for while other results were pending, in that order."""
        if self._asked:
            self.flush()
        try:
            return [
                Ask(number, space.architecture(json.loads(choices)), int(told))
                for number, choices, told in self._rows("SELECT number, choices, told FROM asks ORDER BY number")
            ]
        except (ValueError, TypeError) as wrong:
            raise self._corrupt(f"what was asked for cannot be read: {wrong}") from wrong

    def arrivals(self, space: SearchSpace) -> list[Arrival]:
        """Recorded results in the order in which the strategy is told them."""
        results = self.results(space)
        rows = self._rows("SELECT number, told IS NULL FROM evaluations ORDER BY COALESCE(told, number)")
        return [Arrival(number, results[number], bool(in_batch)) for number, in_batch in rows]

    def tally(self) -> Tally:
        """The tally of the evaluations that are recorded."""
        count, scores, best = self._rows("SELECT COUNT(*), COUNT(score), MAX(score) FROM evaluations")[0]
        return Tally(int(count), int(count - scores), -math.inf if best is None else float(best))

    def forget(self, start: int) -> None:
        """Drop the evaluations that are told from the ``start``-th on, because they are made again."""
        with self._transaction() as db:
            db.execute("DELETE FROM evaluations WHERE COALESCE(told, number) >= ?", (start,))
            db.execute("DELETE FROM asks WHERE told > ?", (start,))

    def rows(self) -> list[dict[str, Any]]:
        """All evaluations as plain values, in the order they were asked for."""
        columns = ("number", "architecture", "score", "error", "seconds", "time", "metadata", "values")
        query = f"""SELECT {", ".join(f'"{name}"' for name in columns)} FROM evaluations ORDER BY number"""
        rows = [dict(zip(columns, row, strict=True)) for row in self._rows(query)]
        return [{**row, "values": json.loads(row["values"])} for row in rows]

    def __len__(self) -> int:
        return int(self._scalar("SELECT COUNT(*) FROM evaluations"))

    # ------------------------------------------------------------------ events

    @property
    def num_events(self) -> int:
        """Events recorded so far; a checkpoint keeps it and hands it to :meth:`truncate_events`."""
        return self._num_events + len(self._buffer)

    def add_event(self, round_: int, event: Event) -> None:
        """Keep an event; it is written with the next evaluation or :meth:`flush`."""
        self._buffer.append(RecordedEvent(round_, event))
        if len(self._buffer) >= _BUFFERED_EVENTS:
            self.flush()

    def truncate_events(self, count: int) -> None:
        """Forget all but the first ``count`` events, because what follows is done again."""
        self._buffer.clear()
        with self._transaction() as db:
            db.execute("DELETE FROM events WHERE sequence >= ?", (count,))
        self._num_events = min(self._num_events, count)

    def events(self) -> list[RecordedEvent]:
        """All events in the order they came."""
        query = 'SELECT round, stage, step, total, "values" FROM events ORDER BY sequence'
        written = [
            RecordedEvent(round_, Event(stage, done, total or None, json.loads(values)))
            for round_, stage, done, total, values in self._rows(query)
        ]
        return written + self._buffer

    # ------------------------------------------------------------------ time, writing, closing

    @property
    def seconds(self) -> float:
        """Time worked on the run, over all its sessions."""
        before = float(self._scalar("SELECT COALESCE(SUM(seconds), 0) FROM sessions WHERE number < ?", self._session))
        return before + time.perf_counter() - self._started

    def flush(self) -> None:
        """Write buffered events, what was asked for, and the time worked."""
        with self._transaction() as db:
            self._write_pending(db)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _write_pending(self, db: sqlite3.Connection) -> None:
        asked = [(ask.number, json.dumps(list(ask.architecture.choices)), ask.told) for ask in self._asked]
        db.executemany("INSERT OR REPLACE INTO asks VALUES (?, ?, ?)", asked)
        rows = [
            (self._num_events + i, r.round, r.event.stage, r.event.done, r.event.total or 0, _values(r.event))
            for i, r in enumerate(self._buffer)
        ]
        db.executemany("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?)", rows)
        worked = time.perf_counter() - self._started
        db.execute("UPDATE sessions SET seconds = ? WHERE number = ?", (worked, self._session))
        self._num_events += len(rows)
        self._buffer.clear()
        self._asked.clear()

    def _check(self) -> None:
        state = self._scalar("PRAGMA quick_check")
        version = self._scalar("PRAGMA user_version")
        tables = {row[0] for row in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if state != "ok":
            raise self._corrupt(str(state).splitlines()[0])
        if missing := sorted(_TABLES - tables):
            raise self._corrupt(f"it lacks the tables {', '.join(missing)}")
        if version in (1, 2):
            with self._errors():
                self._db.executescript(_FROM_1 + _FROM_2 if version == 1 else _FROM_2)
        elif version != _VERSION:
            raise self._corrupt(f"it has the format {version}, this version of archpredict reads format {_VERSION}")

    def _corrupt(self, why: str) -> RunDirectoryError:
        return RunDirectoryError(
            f"the history {self.path} is corrupt or not a history of archpredict ({why}); restore it from a "
            "copy, or start a new run in another directory"
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that has begun: once no other program holds the lock, nothing in it has to wait."""
        with self._errors(), self._db:
            self._begin()
            yield self._db

    def _begin(self) -> None:
        given_up = time.monotonic() + PATIENCE
        while True:
            try:
                self._db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= given_up:
                    raise
            else:
                return

    def _rows(self, query: str, *values: Any) -> Sequence[Any]:
        with self._errors():
            return self._db.execute(query, values).fetchall()

    def _scalar(self, query: str, *values: Any) -> Any:
        return self._rows(query, *values)[0][0]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if _FULL in str(error):
                raise disk_full(Path(self.path).parent) from error
            raise RunDirectoryError(
                f"the history {self.path} cannot be read or written ({error}); check the directory and its "
                "permissions, then resume; what was evaluated before is kept"
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._corrupt(str(error)) from error


def read_results(folder: Path, space: SearchSpace) -> list[Result]:
    """The results of the run in a folder, which may go on meanwhile: nothing is changed or locked.

    Raises:
        RunDirectoryError: They cannot be read.
    """
    path = folder / HISTORY
    query = 'SELECT choices, score, error, seconds, metadata, "values" FROM evaluations ORDER BY number'
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return [_result(space, *row) for row in db.execute(query)]
    except (sqlite3.Error, ValueError, TypeError, AttributeError) as error:
        raise RunDirectoryError(
            f"the results of the run in {folder} cannot be read ({error}); restore {path.name} from a copy, or leave "
            "the run out"
        ) from error


def _result(
    space: SearchSpace, choices: str, score: Any, error: Any, seconds: Any, metadata: str, values: str
) -> Result:
    known = {str(name): float(value) for name, value in json.loads(values).items()}
    architecture = space.architecture(json.loads(choices))
    score = None if score is None else float(score)
    return Result(architecture, score, error, float(seconds), dict(json.loads(metadata)), known)


def disk_full(directory: Path) -> RunDirectoryError:
    """The error for a disk without space."""
    return RunDirectoryError(
        f"the disk that holds {directory} is full; what was evaluated so far is kept: free some space, then "
        f"go on with `out={str(directory)!r}, resume=True`"
    )


def running_best(scores: Iterable[float | None]) -> list[float]:
    """The best score so far at each evaluation; NaN before the first success.

    Example:
        >>> running_best([1.0, None, 3.0, 2.0])
        [1.0, 1.0, 3.0, 3.0]
    """
    best, curve = float("nan"), []
    for score in scores:
        if score is not None and not score <= best:
            best = score
        curve.append(best)
    return curve


def _connect(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


def _make_tables(db: sqlite3.Connection) -> None:
    db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")


def _create(path: Path) -> None:
    """Make the file complete under another name first, so that one without tables is always a corrupt one."""
    if path.exists():
        return
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    db = sqlite3.connect(unfinished)
    try:
        _make_tables(db)
    finally:
        db.close()
    os.replace(unfinished, path)


def _values(event: Event) -> str:
    return json.dumps({name: float(value) for name, value in event.values.items()})
