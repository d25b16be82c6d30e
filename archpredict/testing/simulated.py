"""Workers on a clock that is not real: evaluations that take hours, over in milliseconds."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archpredict.evaluators.base import Evaluator, Result
from archpredict.spaces.base import Architecture

__all__ = ["SimulatedWorkers", "Span"]


@dataclass(frozen=True)
class Span:
    """When one evaluation began and ended, in seconds of the simulated clock."""

    begun: float
    ended: float


@dataclass
class SimulatedWorkers(Evaluator):
    """Gives the labels of another evaluator as workers would who evaluate side by side.

    Each evaluation takes the time that it is said to take, on a clock that jumps from one end to the next; results come
    in the order of their ends. What a strategy needs to think takes no time on this clock.

    Args:
        evaluator: Labels architectures.
        workers: How many there are, at least 1.
        seconds: How long the evaluation of an architecture takes.
        as_they_come: Whether the strategy is told each result as it comes; else it is told in batches, and all workers
            wait for the last of each.

    Attributes:
        clock: The time now.
        spans: One for each evaluation that has ended, in that order.

    Example:
        >>> from archpredict.testing.toys import ToyEvaluator, ToySpace
        >>> workers = SimulatedWorkers(ToyEvaluator(), 2, lambda architecture: 1.0 + architecture.choices[0])
        >>> architectures = [ToySpace().architecture([first, 1, 1, 0, 0, 0]) for first in (2, 0, 1)]
        >>> [result.architecture.choices[0] for result in workers.evaluate(architectures)]
        [0, 2, 1]
        >>> workers.clock, workers.busy
        (3.0, 1.0)
    """

    evaluator: Evaluator
    workers: int
    seconds: Callable[[Architecture], float]
    as_they_come: bool = True
    clock: float = 0.0
    spans: list[Span] = field(default_factory=list)

    name = "simulated-workers"

    def evaluate(self, architectures: Sequence[Architecture] | Iterator[Architecture]) -> Iterator[Result]:
        queue, running = iter(architectures), list[tuple[float, int, float, Architecture]]()
        count = 0
        while True:
            while len(running) < self.workers and (architecture := next(queue, None)) is not None:
                heapq.heappush(running, (self.clock + self.seconds(architecture), count, self.clock, architecture))
                count += 1
            if not running:
                return
            self.clock, _, begun, architecture = heapq.heappop(running)
            self.spans.append(Span(begun, self.clock))
            for result in self.evaluator.evaluate([architecture]):
                yield replace(result, seconds=self.clock - begun)

    @property
    def at_a_time(self) -> int:
        return self.workers if self.as_they_come else 1

    @property
    def label_names(self) -> tuple[str, ...]:
        return self.evaluator.label_names

    @property
    def also_measures(self) -> tuple[str, ...] | None:
        return self.evaluator.also_measures

    def describe(self) -> dict[str, Any]:
        return self.evaluator.describe()

    @property
    def busy(self) -> float:
        """Share of the workers' time between the first begin and the last in which they evaluated; 1 if it is none.

        The last begin is when the last architecture was asked for: after it there is nothing to do for who is free.
        """
        first, last = min(s.begun for s in self.spans), max(s.begun for s in self.spans)
        worked = sum(min(span.ended, last) - span.begun for span in self.spans)
        return worked / (self.workers * (last - first)) if last > first else 1.0
