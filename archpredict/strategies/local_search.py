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
    there would be in the space. While the last neighbours are being labelled, random architectures are, which are the
    next starts.

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
        self._begun_as_start: dict[Choices, bool] = {}  # or else as a neighbour
        self._forget()

    def _forget(self) -> None:
        """As before anything was told."""
        self.optima: list[Architecture] = []
        self._labels: dict[str, float] = {}
        self._starts: list[Architecture] = []
        self._next_starts: list[Architecture] = []
        self._place: Architecture | None = None
        self._nearby: list[Architecture] = []

    def ask(self, n: int) -> list[Architecture]:
        n = max(0, min(n, self.left))
        if self._place is not None:
            seen = {*self._labels, *(a.key for a in self.pending)}
            if near := [a for a in self._nearby if a.key not in seen]:
                return near[:n]
        missing = self.initial - len(self._starts) - len(self.pending)
        return self.problem.sample(min(n, max(missing, 1)), self.rng(), self.seen)

    def begin(self, architectures: Sequence[Architecture]) -> None:
        super().begin(architectures)
        nearby = set() if self._place is None else {a.key for a in self._nearby}
        self._begun_as_start.update((a.choices, a.key not in nearby) for a in architectures)

    def tell(self, results: Sequence[Result]) -> None:
        super().tell(results)
        for result in results:
            self._learn(result)

    def state_dict(self) -> State:
        return {"begun": [[list(choices), is_start] for choices, is_start in self._begun_as_start.items()]}

    def load_state_dict(self, state: State, results: Sequence[Result]) -> None:
        """Restore what it was after ``results`` had been told, from these and from which of them were starts."""
        super().load_state_dict(state, results)
        self._begun_as_start = {tuple(choices): bool(is_start) for choices, is_start in state.get("begun", ())}
        self._forget()
        for result in results:
            self._learn(result)

    # ------------------------------------------------------------------ climbing

    def _learn(self, result: Result) -> None:
        architecture = result.architecture
        self._labels[architecture.key] = -math.inf if result.score is None else result.score
        # Where nothing is begun, what is told at no place is a start, and what is told at one a neighbour.
        as_start = self._begun_as_start.get(architecture.choices, self._place is None) and result.score is not None
        if as_start:
            (self._starts if self._place is None else self._next_starts).append(architecture)
        if self._place is None:
            self._start()
        self._climb()

    def _start(self) -> None:
        if len(self._starts) == self.initial:
            self._go_to(max(self._starts, key=self._label))

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
                self._place = None
                self._starts, self._next_starts = self._next_starts[: self.initial], self._next_starts[self.initial :]
                self._start()

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
