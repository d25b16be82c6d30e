"""Executor: where evaluations run (one file each)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

__all__ = ["Done", "Executor", "given_up"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Done(Generic[T, R]):
    """What became of one item.

    Args:
        item: What was to be done.
        value: What the function gave; None where it was given up.
        error: Why it was given up, in one sentence, else None.
        retries: Why it was tried again, once for each time.
        is_followed: Whether the next one is there already, so that both can be dealt with at once; no item is taken in
            between.
    """

    item: T
    value: R | None = None
    error: str | None = None
    retries: tuple[str, ...] = ()
    is_followed: bool = False


class Executor(ABC):
    """Runs a function on items, many at a time, somewhere.

    Nothing of what it runs is known to it: evaluations of architectures, trainings, files to read.
    """

    name: ClassVar[str]
    runs_here: ClassVar[bool] = False
    """Whether it is this machine, where an evaluator has its own threads and processes."""

    @abstractmethod
    def each(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[Done[T, R]]:
        """What becomes of every item, each as soon as it is known, in any order.

        An item is taken whenever there is room for one more, after the caller has taken the results before it; where
        the items are an iterator that has none, it is asked again after the next result. What the function raises ends
        it all, since it says that nothing can work; the death of a process or a machine does not.

        Args:
            function: Takes an item. It may run in another process: it and what it gives must be picklable then.
            items: What is to be done.

        Raises:
            EvaluationError: Nothing can be run there.
        """


def given_up(why: str, times: int) -> str:
    """Why something was given up after so many attempts.

    Example:
        >>> given_up("its process died", 4)
        'its process died, in the last of 4 attempts'
    """
    return f"{why}, in the last of {times} attempts" if times > 1 else why
