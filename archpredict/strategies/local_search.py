"""Local search: from an architecture to a better neighbour, until none is better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal, get_args

import numpy as np

from archpredict._typing import IntArray
from archpredict.evaluators.base import Result
from archpredict.progress import Observer, silent
from archpredict.registry.arguments import check_choice, check_integer
from archpredict.spaces.base import Architecture, Choices
from archpredict.strategies._children import nearest_first
from archpredict.strategies.base import Problem, State, Strategy

__all__ = ["LocalSearch"]

Move = Literal["best", "first"]


class LocalSearch(Strategy):
    """Climb: label the neighbours of an architecture, move to a better one, and start anew where none is better.

    White, Nolen and Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021, arXiv 2005.02960,
    Algorithm 1. A start is the best of ``initial`` random architectures. Then neighbours, which differ in one choice
    (:meth:`archpredict.SearchSpace.neighbours`), are labelled in random order, and the first that is better is the next
    place. Where none is better, the place is a local optimum, and the search starts anew. Algorithm 1 starts from one
    architecture and labels all neighbours before it moves to the best, ``move="best"``; the published code (naszilla)
    starts from the best of 10 and moves to the first.

    Departures: what was labelled before, or is isomorphic to it, counts with its label and is not labelled again. Where
    only a pool can be labelled, the neighbours are those members of it that differ in the fewest choices, as many as
    there would be in the space.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Not told anything.
        initial: Random architectures of which the best is a start, at least 1.
        move: When to leave a place for a better one: ``first``, as soon as a neighbour is better; ``best``, once all
            are labelled, for the best of them.

    Attributes:
        optima: The local optima that were found, in that order.

    Raises:
        UsageError: A value that is out of its range.

    Example:
        >>> from archpredict.testing.toys import ToyEvaluator, ToySpace
        >>> search = LocalSearch(Problem(ToySpace(), budget=60), seed=0)
        >>> while architectures := search.ask(60):
        ...     search.tell(list(ToyEvaluator().evaluate(architectures)))
        >>> search.num_told, search.recommend(1)[0].evaluated
        (60, True)
    """

    name = "local-search"
    default_budget = 200

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        observer: Observer = silent,
        initial: int = 1,
        move: Move = "first",
    ) -> None:
        super().__init__(problem, seed=seed, observer=observer)
        check_integer("initial", initial, 1)
        check_choice("move", move, get_args(Move))
        self.initial, self.move = initial, move
        self._known: dict[Choices, Architecture] = {}  # so that graphs are decoded once
        self._begin()

    def _begin(self) -> None:
        """As before anything was told."""
        self.optima: list[Architecture] = []
        self._labels: dict[str, float] = {}
        self._starts: list[Architecture] = []
        self._place: Architecture | None = None
        self._nearby: list[Architecture] = []

    def ask(self, n: int) -> list[Architecture]:
        n = max(0, min(n, self.problem.budget - self.num_told))
        if self._place is not None:
            return [a for a in self._nearby if a.key not in self._labels][:n]
        return self.problem.sample(min(n, self.initial - len(self._starts)), self.rng(), self.seen)

    def tell(self, results: Sequence[Result]) -> None:
        super().tell(results)
        for result in results:
            self._learn(result)

    def load_state_dict(self, state: State, results: Sequence[Result]) -> None:
        """Restore what it was after ``results`` had been told, from these alone."""
        super().load_state_dict(state, results)
        self._begin()
        for result in results:
            self._learn(result)

    # ------------------------------------------------------------------ climbing

    def _learn(self, result: Result) -> None:
        architecture = result.architecture
        self._labels[architecture.key] = -math.inf if result.score is None else result.score
        if self._place is None:
            self._starts += [architecture] if result.score is not None else []
            if len(self._starts) == self.initial:
                self._go_to(max(self._starts, key=self._label))
        self._climb()

    def _climb(self) -> None:
        """Move as far as labels tell where to."""
        while self._place is not None:
            known = [a for a in self._nearby if a.key in self._labels]
            best = max(known, key=self._label, default=self._place)
            better = self._label(best) > self._label(self._place)
            if len(known) < len(self._nearby) and not (better and self.move == "first"):
                return
            if better:
                self._go_to(best)
            else:
                self.optima.append(self._place)
                self._place, self._starts = None, []

    def _label(self, architecture: Architecture) -> float:
        return self._labels[architecture.key]

    def _go_to(self, place: Architecture) -> None:
        rng = np.random.default_rng([self.seed, len(self._labels)])
        rows = self.problem.space.neighbours(place.choices)
        pool = self.problem.pool
        near = iter(rng.permutation(rows)) if pool is None else nearest_first(pool, np.array(place.choices), rng)
        self._place = place
        self._nearby = list(islice(self._distinct(near, place), len(rows)))

    def _distinct(self, rows: Iterator[IntArray], place: Architecture) -> Iterator[Architecture]:
        """Those that keep the limits, none isomorphic to another or to the place."""
        found = {place.key}
        for row in rows:
            choices: Choices = tuple(row.tolist())
            architecture = self._known.setdefault(choices, Architecture(self.problem.space, choices))
            if architecture.key not in found and self.problem.is_allowed(row[None])[0]:
                found.add(architecture.key)
                yield architecture
