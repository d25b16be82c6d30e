"""Processes of this machine, one interface with those of a cluster."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from archpredict.errors import EvaluationError, MissingDependencyError, UsageError
from archpredict.executors.base import Done
from archpredict.executors.local import Local, as_they_finish
from archpredict.registry import resolve
from archpredict.spaces.base import SearchSpace


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_is_done_comes_with_what_it_was_done_to(jobs: int) -> None:
    done = list(Local(jobs=jobs).each(lambda item: item**2, range(5)))
    assert sorted(done, key=lambda d: d.item) == [Done(i, i**2) for i in range(5)]


def test_one_job_is_this_process_and_several_are_others() -> None:
    assert {done.value for done in Local().each(lambda _: os.getpid(), range(3))} == {os.getpid()}
    pids = {done.value for done in Local(jobs=2).each(lambda _: os.getpid(), range(3))}
    assert os.getpid() not in pids
    assert len(pids) <= 2


def test_what_a_process_was_at_when_it_died_is_done_by_another(tmp_path: Path) -> None:
    died = tmp_path / "died"

    def dies_once(item: int) -> int:
        try:
            died.touch(exist_ok=False)
        except FileExistsError:
            return item
        os.kill(os.getpid(), signal.SIGKILL)
        return -1

    done = list(Local(jobs=2).each(dies_once, range(4)))
    assert sorted(d.value or 0 for d in done) == [0, 1, 2, 3]
    killed = "its process was killed, as systems do when memory runs out"
    assert [d.retries for d in done if d.retries] == [(killed,)]


def test_what_kills_every_process_is_given_up_with_the_reason() -> None:
    def dies(item: int) -> int:
        if item:
            os._exit(7)
        return item

    done = {d.item: d for d in Local(jobs=2, retries=1).each(dies, [0, 1])}
    why = "its process exited with code 7 without an answer"
    assert done[0] == Done(0, 0)
    assert done[1] == Done(1, None, f"{why}, in the last of 2 attempts", (why,))


def _odd() -> Callable[[], Exception]:
    """Makes an exception of a class that no other process can import, and that cannot be made of its message."""

    class OddError(Exception):
        def __init__(self, a: int, b: int) -> None:
            super().__init__(f"{a} and {b}")

    return lambda: OddError(1, 2)


def _raises(error: Callable[[], Exception]) -> Callable[[int], int]:
    def function(_: int) -> int:
        raise error()

    return function


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (lambda: MissingDependencyError("timm is not there"), MissingDependencyError, r"^timm is not there$"),
        (lambda: KeyError("sep_conv"), KeyError, "sep_conv"),
        (_odd(), EvaluationError, "OddError: 1 and 2"),
    ],
)
def test_what_the_function_raises_ends_it_all(error: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        list(Local(jobs=2).each(_raises(error), range(3)))


def test_a_function_that_cannot_be_sent_is_told_so() -> None:
    lock = threading.Lock()
    with pytest.raises(EvaluationError, match=r"the function cannot be sent to other processes.*cannot pickle"):
        list(Local(jobs=2).each(lambda _: lock.locked(), range(3)))


def test_classes_of_files_come_along(tmp_path: Path) -> None:
    file = tmp_path / "my_toy_space.py"
    file.write_text(
        "from archpredict.testing.toys import ToySpace\n"
        "class MySpace(ToySpace):\n    def twice(self):\n        return 2 * len(self.num_choices)\n"
    )
    space = resolve("spaces", f"{file}:MySpace", SearchSpace)()
    done = list(Local(jobs=2).each(lambda factor: factor * space.twice(), [1, 2]))
    assert sorted(d.value for d in done if d.value) == [space.twice(), 2 * space.twice()]


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
    with pytest.raises(UsageError, match="at least 0, -1 was given"):
        Local(retries=-1)
