"""Processes of this machine, and threads of this process; each result is handed out as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from archpredict.errors import UsageError, whole_number
from archpredict.executors._sending import packed
from archpredict.executors.base import Done, Executor, given_up
from archpredict.executors.processes.calls import Calls

__all__ = ["Local", "as_they_finish", "check_jobs"]

T = TypeVar("T")
R = TypeVar("R")

_NOTHING: Any = object()


class Local(Executor):
    """Runs a function in processes of this machine; with one job in this process, one item after another.

    A search that it is given to leaves it to the evaluator how evaluations run here: in threads, in processes that
    train networks, as programs. Each process computes on one thread. Where one dies, what it was at is run again in
    another; what was tried too often is given up, with the reasons.

    Args:
        jobs: Processes.
        retries: How often a call may be tried again after the death of its process.

    Raises:
        UsageError: ``jobs`` is below 1, or ``retries`` below 0.

    Example:
        >>> sorted(done.value for done in Local(jobs=2).each(lambda item: item**2, [1, 2, 3]))
        [1, 4, 9]
    """

    name = "local"
    runs_here = True

    def __init__(self, *, jobs: int = 1, retries: int = 3) -> None:
        self.jobs = check_jobs(jobs)
        self.retries = whole_number("retries, the further attempts after a death,", retries, 0)

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[Done[T, R]]:
        if self.jobs == 1:
            return (Done(item, function(item)) for item in items)
        calls = Calls(packed(function, "function"), self.jobs)
        return as_they_finish(lambda item: self._done(calls, item), items, self.jobs, stop=calls.close)

    def _done(self, calls: Calls, item: T) -> Done[T, R]:
        sent, reasons = packed(item, "item"), tuple[str, ...]()
        while True:
            value, why = calls(sent)
            if why is None:
                return Done(item, value, None, reasons)
            if len(reasons) == self.retries:
                return Done(item, None, given_up(why, len(reasons) + 1), reasons)
            reasons = (*reasons, why)


def check_jobs(jobs: int) -> int:
    """The number of evaluations at a time.

    Raises:
        UsageError: It is below 1.
    """
    if jobs < 1:
        raise UsageError(f"jobs is the number of evaluations at a time, at least 1; {jobs} was given")
    return jobs


def as_they_finish(function: Callable[[T], R], items: Iterable[T], jobs: int, stop: Callable[[], None]) -> Iterator[R]:
    """Yield ``function(item)`` of every item, at most ``jobs`` at a time, in the order of their ends.

    The next item is taken and started only after the caller has taken the result before it, so that what is finished
    and not yet recorded never grows beyond ``jobs``. Where the items are an iterator that has none, it is asked again
    after the next result: what to do next may depend on that.

    Args:
        function: Runs in a thread.
        items: What is left to do.
        jobs: Number of threads.
        stop: Called when the caller gives up or an exception ends it, to cut short what still runs.
    """
    queue = iter(items)
    pending: set[Future[R]] = set()
    pool = ThreadPoolExecutor(max_workers=jobs)

    def fill() -> None:
        while len(pending) < jobs and (item := next(queue, _NOTHING)) is not _NOTHING:
            pending.add(pool.submit(function, item))

    try:
        fill()
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                pending.remove(future)
                yield future.result()
                fill()
    finally:
        stop()
        pool.shutdown(wait=True, cancel_futures=True)
