"""Several evaluations at a time in threads, each result handed out as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from archpredict.errors import UsageError

T = TypeVar("T")
R = TypeVar("R")


def check_jobs(jobs: int) -> int:
    if jobs < 1:
        raise UsageError(f"jobs is the number of evaluations at a time, at least 1; {jobs} was given")
    return jobs


def as_they_finish(function: Callable[[T], R], items: Iterable[T], jobs: int, stop: Callable[[], None]) -> Iterator[R]:
    """Yield ``function(item)`` of every item, at most ``jobs`` at a time, in the order of their ends.

    The next item is started only after the caller has taken the results before it, so that what is finished
    and not yet recorded never grows beyond ``jobs``.

    Args:
        function: Runs in a thread.
        items: What is left to do.
        jobs: Number of threads.
        stop: Called when the caller gives up or an exception ends it, to cut short what still runs.
    """
    queue = iter(items)
    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        pending = {pool.submit(function, item) for item in islice(queue, jobs)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
            pending |= {pool.submit(function, item) for item in islice(queue, len(done))}
    finally:
        stop()
        pool.shutdown(wait=True, cancel_futures=True)
