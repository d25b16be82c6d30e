"""Evaluations by an executor."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace

from archpredict.errors import EvaluationError
from archpredict.evaluators.base import Evaluator, Result
from archpredict.executors.base import Done, Executor
from archpredict.spaces.base import Architecture


@dataclass(frozen=True)
class Single:
    """One evaluation, as an executor runs it.

    Args:
        evaluator: Labels.
    """

    evaluator: Evaluator

    def __call__(self, architecture: Architecture) -> Result:
        result = next(iter(self.evaluator.evaluate([architecture])), None)
        if result is None:
            raise EvaluationError(f"the evaluator {self.evaluator.name} gave no result; it must yield one for each")
        return result


def one_by_one(results: Iterator[Result]) -> Iterator[list[Result]]:
    """Results of an evaluator as they come."""
    try:
        for result in results:
            yield [result]
    finally:
        if isinstance(results, Generator):
            results.close()


def results_by(
    executor: Executor, evaluator: Evaluator, architectures: Iterable[Architecture]
) -> Iterator[list[Result]]:
    """Results as they come, those together that are there at once.

    What an executor gave up is a failed evaluation, and its retries are in the metadata.
    """
    together: list[Result] = []
    for done in executor.each(Single(evaluator), architectures):
        together.append(_result(done))
        if not done.is_followed:
            yield together
            together = []


def _result(done: Done[Architecture, Result]) -> Result:
    retries = {"retries": list(done.retries)} if done.retries else {}
    if done.value is None:
        return Result(done.item, None, done.error or "the executor gave no result", metadata=retries)
    # The architecture is the one that was sent: one that came back from another process has a space of its own.
    return replace(done.value, architecture=done.item, metadata={**done.value.metadata, **retries})
