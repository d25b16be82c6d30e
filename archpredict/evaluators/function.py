"""Labels from a Python function."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, SupportsFloat

from archpredict.errors import UsageError
from archpredict.evaluators._score import BadScoreError, read_score, short
from archpredict.evaluators.base import SCORE, Evaluator, Result
from archpredict.executors.local import as_they_finish, check_jobs
from archpredict.registry.arguments import describe
from archpredict.spaces.base import Architecture, SearchSpace

__all__ = ["FunctionEvaluator"]

Function = Callable[[Architecture], SupportsFloat | Mapping[str, Any]]


class FunctionEvaluator(Evaluator):
    """Calls a function with each architecture.

    An exception of the function, or a score that is no finite number, becomes a failed result.

    Args:
        function: Takes an Architecture; returns its score, higher is better, or a mapping with the entry ``target``,
            whose other entries become the result's metadata (as far as JSON can hold them, else as text).
        target: Which entry of a mapping is the score.
        jobs: Calls at a time, in threads. A running call cannot be cut short: with ``jobs=1`` it runs in the
            calling thread, where Ctrl-C reaches it; with more, leaving waits for the calls that have begun.

    Raises:
        UsageError: ``jobs`` is below 1.

    Example:
        >>> import numpy as np
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> evaluator = FunctionEvaluator(lambda architecture: architecture.choices.count(3))
        >>> next(evaluator.evaluate([space.architecture([3, 3, 0, 0, 0, 0])])).score
        2.0
    """

    name = "function"

    def __init__(self, function: Function, *, target: str = SCORE, jobs: int = 1) -> None:
        self.function = function
        self.target = target
        self.jobs = check_jobs(jobs)

    @classmethod
    def for_space(cls, space: str | SearchSpace, /) -> FunctionEvaluator:
        """Always an error, as a function has no name to be found by."""
        raise UsageError(
            "the evaluator function has no other name than the function itself: give that as the evaluator; where only "
            "texts can be given, give a program with the evaluator command, or a class as path/to/file.py:Class"
        )

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        if self.jobs == 1:
            yield from map(self._call, architectures)
        else:
            yield from as_they_finish(self._call, architectures, self.jobs, stop=lambda: None)

    def describe(self) -> dict[str, Any]:
        function = self.function
        module = getattr(function, "__module__", None) or type(function).__module__
        name = f"{module}.{getattr(function, '__qualname__', type(function).__qualname__)}"
        return {
            "evaluator": self.name,
            "labels": f"what the Python function {name} returns",
            "function": describe(function),
            **({} if self.target == SCORE else {"target": self.target}),
        }

    @property
    def at_a_time(self) -> int:
        return self.jobs

    @property
    def label_names(self) -> tuple[str, ...]:
        return (self.target,)

    def _call(self, architecture: Architecture) -> Result:
        start = time.perf_counter()
        score, error, metadata = None, None, dict[str, Any]()
        try:
            score, metadata = read_score(self.function(architecture), self.target)
        except BadScoreError as bad:
            error = f"the function {bad}"
        except Exception as raised:
            error = f"the function raised {type(raised).__name__}: {short(str(raised))}"
        return Result(architecture, score, error, time.perf_counter() - start, metadata)
