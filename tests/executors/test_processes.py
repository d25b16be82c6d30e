"""Processes that answer side by side: what one of them does ends nothing else."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from archpredict.executors.processes.pool import Pool

ADDING = ("archpredict.executors.processes.pool", {"add": 1})


def test_a_process_that_dies_is_an_answer_that_says_so_and_the_others_go_on() -> None:
    with Pool(*ADDING, jobs=1) as pool:
        assert pool.submit({"to": 1}).result() == {"sum": 2}
        assert pool.submit({}).result() == {"error": "its process exited with code 1 and said: KeyError: 'to'"}
        assert pool.submit({"to": 2}).result() == {"sum": 3}


def test_one_that_takes_too_long_is_killed() -> None:
    with Pool("archpredict.testing.slow_worker", {}, jobs=1, seconds=0.2) as pool:
        assert pool.submit({"sleep": 60}).result() == {"error": "it took longer than 0.2 s, and its process was killed"}
        assert pool.submit({"sleep": 0}).result() == {"slept": 0}


def test_what_one_caller_stops_is_not_what_another_has_asked() -> None:
    mine, yours = threading.Event(), threading.Event()
    with Pool("archpredict.testing.slow_worker", {}, jobs=2) as pool, ThreadPoolExecutor(2) as threads:
        slow = threads.submit(pool.ask, {"sleep": 60}, mine)
        quick = threads.submit(pool.ask, {"sleep": 0.5}, yours)
        while len(pool._busy) < 2:
            time.sleep(0.01)
        pool.stop(mine)
        assert "was killed" in slow.result()["error"]
        assert pool.ask({"sleep": 0}, mine) == {"error": "it was interrupted"}
        assert quick.result() == {"slept": 0.5}


def test_one_that_died_while_it_was_idle_is_not_asked() -> None:
    with Pool(*ADDING, jobs=1) as pool:
        assert pool.ask({"to": 1}) == {"sum": 2}
        (idle,) = pool._idle
        idle.process.kill()
        idle.process.wait()
        assert pool.ask({"to": 2}) == {"sum": 3}


def test_closing_waits_for_nobody() -> None:
    start = time.monotonic()
    with Pool("archpredict.testing.slow_worker", {}, jobs=1) as pool:
        asked = [pool.submit({"sleep": 60}), pool.submit({"sleep": 60})]
    assert asked[0].done() or asked[0].cancelled()
    assert time.monotonic() - start < 50


def test_a_worker_that_cannot_be_set_up_is_an_answer_that_says_so() -> None:
    with Pool("archpredict.executors.processes.pool", {}, jobs=1) as pool:
        assert pool.submit({"to": 1}).result() == {"error": "its process exited with code 1 and said: KeyError: 'add'"}
