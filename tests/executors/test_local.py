"""Threads of this process, one interface with the processes of a cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from archpredict.errors import UsageError
from archpredict.executors.base import Done
from archpredict.executors.local import Local, as_they_finish


def test_what_is_done_comes_with_what_it_was_done_to() -> None:
    done = list(Local(jobs=2).each(lambda item: item**2, range(5)))
    assert sorted(done, key=lambda d: d.item) == [Done(i, i**2) for i in range(5)]


def test_an_iterator_that_has_nothing_now_is_asked_again_after_the_next_result() -> None:
    class Growing(Iterator[int]):
        """Has one item more for each result that was taken."""

        room, given = 2, 0

        def __next__(self) -> int:
            if self.given == self.room:
                raise StopIteration
            self.given += 1
            return self.given

    items, most = Growing(), 7
    taken = []
    for result in as_they_finish(lambda item: item, items, 3, stop=lambda: None):
        taken.append(result)
        items.room = min(items.room + 1, most)
    assert sorted(taken) == list(range(1, most + 1))


def test_no_jobs_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1; 0 was given"):
        Local(jobs=0)
