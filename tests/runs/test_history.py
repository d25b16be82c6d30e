"""The record of a run: exact, durable, and plain about what is wrong with a file."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archpredict.runs.history
from archpredict.errors import RunDirectoryError
from archpredict.evaluators.base import Result
from archpredict.progress import Event
from archpredict.runs.history import History, Tally, running_best
from archpredict.testing.toys import ToySpace

SPACE = ToySpace()
A = SPACE.architecture([1, 0, 2, 0, 1, 2])
B = SPACE.architecture([2, 2, 2, 0, 0, 0])

finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(st.none() | st.booleans() | finite | st.text(), lambda v: st.lists(v, max_size=3))


@given(score=finite, seconds=st.floats(0, 1e9), metadata=st.dictionaries(st.text(), json_values, max_size=3))
def test_a_result_comes_back_as_it_went_in(score: float, seconds: float, metadata: dict[str, object]) -> None:
    results = [Result(A, score, seconds=seconds, metadata=metadata), Result(B, None, "it broke", seconds)]
    with History() as history:
        for number, result in enumerate(results):
            history.record(number, result)
        assert history.results(SPACE) == dict(enumerate(results))


def test_an_evaluation_is_in_the_file_when_record_returns(tmp_path: Path) -> None:
    with History(tmp_path / "history.db") as history:
        for number in range(3):
            history.record(number, Result(A, 1.0))
            other = sqlite3.connect(tmp_path / "history.db")
            assert other.execute("SELECT COUNT(*) FROM evaluations").fetchone() == (number + 1,)
            other.close()
        settings = [history._scalar(f"PRAGMA {name}") for name in ("journal_mode", "synchronous")]
        assert settings == ["wal", 2], "2 is FULL"


def test_a_second_result_of_the_same_number_replaces_the_first() -> None:
    with History() as history:
        history.record(0, Result(A, None, "it broke"))
        history.record(0, Result(A, 2.0))
        assert history.results(SPACE) == {0: Result(A, 2.0)}
        assert len(history) == 1


@given(scores=st.lists(st.none() | finite, max_size=8), start=st.integers(0, 9), stop=st.integers(0, 9))
def test_a_tally_counts_what_the_record_holds(scores: list[float | None], start: int, stop: int) -> None:
    results = [Result(A, score, None if score is not None else "it broke") for score in scores]
    counted = Tally()
    with History() as history:
        for number, result in enumerate(results):
            history.record(number, result)
            counted = counted.with_result(result)
        assert history.tally() == counted
        assert counted.count == len(scores)
        assert counted.all_failed is (bool(scores) and not any(score is not None for score in scores))
        assert history.results(SPACE, start, stop) == {i: results[i] for i in range(start, min(stop, len(results)))}
        history.forget(start)
        assert history.results(SPACE) == dict(enumerate(results[:start]))


def test_events_come_back_in_order_and_those_done_again_are_forgotten(tmp_path: Path) -> None:
    events = [Event("comparator", i, 4, {"loss": 1 / i}) for i in range(1, 5)]
    with History(tmp_path / "history.db") as history:
        for event in events[:3]:
            history.add_event(10, event)
        history.flush()
        history.add_event(10, events[3])
        assert history.num_events == 4
    with History(tmp_path / "history.db") as history:
        assert history.num_events == 3, "what was only in memory is gone, and will be produced again"
        history.truncate_events(1)
        for event in events[1:]:
            history.add_event(20, event)
        assert [e.event for e in history.events()] == events
        assert [e.round for e in history.events()] == [10, 20, 20, 20]


def test_many_events_are_written_without_being_asked(tmp_path: Path) -> None:
    with History(tmp_path / "history.db") as history:
        for step in range(1, 502):
            history.add_event(0, Event("controller", step, 501))
    with History(tmp_path / "history.db") as history:
        assert history.num_events == 500


def test_time_worked_adds_up_over_sessions(tmp_path: Path) -> None:
    for _ in range(2):
        with History(tmp_path / "history.db") as history:
            history.flush()
    with sqlite3.connect(tmp_path / "history.db") as db:
        db.execute("UPDATE sessions SET seconds = 100")
    db.close()
    with History(tmp_path / "history.db") as history:
        assert 200 <= history.seconds < 300


def test_a_file_that_is_no_database_is_called_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_text("this is not SQLite, and long enough that it would have a header if it were" * 20)
    with pytest.raises(RunDirectoryError, match=r"history\.db is corrupt .*not a database.*start a new run"):
        History(path)


def test_a_database_of_something_else_is_called_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE evaluations (number INTEGER)")
    db.close()
    with pytest.raises(RunDirectoryError, match="it lacks the tables events, sessions"):
        History(path)


def test_another_version_of_the_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    History(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(RunDirectoryError, match="it has the format 7, this version of archpredict reads format 3"):
        History(path)


def test_damage_inside_the_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with History(path) as history:
        for number in range(200):
            history.record(number, Result(A, 1.0, metadata={"filler": "x" * 500}))
    content = bytearray(path.read_bytes())
    content[4096 * 8 : 4096 * 20] = b"\xff" * (4096 * 12)
    path.write_bytes(content)
    with pytest.raises(RunDirectoryError, match="corrupt"):
        History(path)


def test_a_half_made_file_of_a_killed_process_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "history.db.new").write_bytes(b"half a")
    with History(tmp_path / "history.db") as history:
        history.record(0, Result(A, 1.0))


def test_a_full_disk_is_said_in_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    recorded = 0
    with History(path) as history:
        history._db.execute("PRAGMA max_page_count = 20")  # what SQLite reports then is what a full disk gives

        def fill() -> None:
            nonlocal recorded
            for number in range(10_000):
                history.record(number, Result(A, 1.0, metadata={"filler": "x" * 500}))
                recorded = number + 1

        with pytest.raises(RunDirectoryError, match=r"the disk that holds .* is full.*resume=True"):
            fill()
    with History(path) as history:
        assert list(history.results(SPACE)) == list(range(recorded))
    assert recorded > 0


def test_the_running_best_skips_failures() -> None:
    curve = running_best([None, 2.0, None, 1.0, 3.0])
    assert curve[1:] == [2.0, 2.0, 2.0, 3.0]
    assert curve[0] != curve[0]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("choices = 'abc'", "Expecting value"),
        ("choices = '[9, 9, 9, 9, 9, 9]'", "choice 0 of the space toy is 0 to"),
        ("metadata = '{'", "Expecting property name"),
        ("score = 'high'", "could not convert string to float: 'high'"),
    ],
)
def test_an_evaluation_that_cannot_be_read_makes_the_history_corrupt(tmp_path: Path, damage: str, why: str) -> None:
    with History(tmp_path / "history.db") as history:
        for number in range(3):
            history.record(number, Result(A, 1.0))
        with history._transaction() as db:
            db.execute(f"UPDATE evaluations SET {damage} WHERE number = 2")
        with pytest.raises(RunDirectoryError, match=rf"is corrupt .*\(evaluation 2 cannot be read: {re.escape(why)}"):
            history.results(SPACE)


def locked(path: Path, seconds: float) -> threading.Thread:
    """A thread that is another program which holds a history locked."""
    holds = threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            holds.set()
            time.sleep(seconds)
            other.execute("COMMIT")

    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait()
    return thread


def test_another_program_that_holds_the_lock_delays_a_run_and_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archpredict.runs.history, "_BUSY_SECONDS", 0.01)
    with History(tmp_path / "history.db") as history:
        other = locked(tmp_path / "history.db", seconds=0.3)
        history.record(0, Result(A, 1.0))  # well beyond what SQLite waits by itself
        other.join()
        assert len(history) == 1
        monkeypatch.setattr(archpredict.runs.history, "PATIENCE", 0.0)
        other = locked(tmp_path / "history.db", seconds=0.3)
        with pytest.raises(RunDirectoryError, match=r"cannot be read or written \(database is locked\)"):
            history.record(1, Result(B, 1.0))
        other.join()
        history.record(1, Result(B, 1.0))
    with History(tmp_path / "history.db") as history:
        assert len(history) == 2


def test_many_programs_read_a_history_while_it_is_written(tmp_path: Path) -> None:
    path, counts = tmp_path / "history.db", list[list[int]]()
    with History(path) as history, closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as still:
        still.execute("BEGIN")
        assert still.execute("SELECT COUNT(*) FROM evaluations").fetchone() == (0,)  # from now on it sees this alone
        for number in range(5):
            history.record(number, Result(A, 1.0))
            with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(path)) as two:
                counts.append([db.execute("SELECT COUNT(*) FROM evaluations").fetchone()[0] for db in (one, two)])
        assert still.execute("SELECT COUNT(*) FROM evaluations").fetchone() == (0,)
    assert counts == [[n, n] for n in range(1, 6)]
