"""RoundStrategy: rounds in which a predictor learns from all labels so far and says what to label next."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, Generic

import numpy as np

from archpredict._typing import FloatArray
from archpredict.evaluators.base import Result
from archpredict.predict.presets import unfitted
from archpredict.predict.transfer.shipped import transfer_sha256
from archpredict.progress import Event, Observer, silent
from archpredict.registry.options import Option, options_of, takes_any
from archpredict.spaces.base import Architecture, Choices
from archpredict.strategies.base import Problem, Recommendation, State, Strategy
from archpredict.strategies.rounds.merge import Candidate, with_predicted
from archpredict.strategies.rounds.prequential import Prequential
from archpredict.strategies.rounds.settings import RoundSettings, S, with_options
from archpredict.strategies.rounds.zero_shot import check_useful, zero_shot_order, zero_shot_sources

MIN_LABELS = 4
"""Labels below which there is nothing to learn a ranking from."""


@dataclass
class Found:
    """The findings of one round.

    Args:
        queue: What to label next, in this order, no more than was asked for.
        expected: Predicted scores of the architectures in the queue, as far as there are any.
        candidates: The best unlabelled architectures that may be recommended, with their predicted scores, best first.
    """

    queue: list[Choices] = field(default_factory=list)
    expected: Mapping[Choices, float] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)


class RoundStrategy(Strategy, Generic[S]):
    """Labels first, then rounds: learn from all labels, search without any, label what was found.

    Of the first labels the first half is of what labels of other spaces expect most of
    (:func:`archpredict.strategies.rounds.zero_shot.zero_shot_order`), where settings and space allow it; the others are
    of random architectures. A subclass says at how many labels its rounds start, and what a round's search is.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Told about progress; a stage ``judged`` when labels arrive whose scores were predicted
            (``kendall_tau``: how well all predictions so far order the labels that came after them).
        device: For the predictor: ``auto`` (what the predictor was made with), ``cpu`` or ``cuda``.
        preset: Name of the settings to start from.
        options: Settings that replace the preset's.

    Raises:
        UsageError: An option that does not exist or is out of its range, or does not fit the predictor or the space.
    """

    min_budget = 8
    default_budget = 150
    presets: ClassVar[Mapping[str, RoundSettings]]

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        observer: Observer = silent,
        device: str = "auto",
        preset: str = "default",
        **options: Any,
    ) -> None:
        super().__init__(problem, seed=seed, observer=observer)
        presets: Mapping[str, Any] = self.presets
        self.device = device
        self.settings: S = with_options(self.name, presets, preset, options)
        check_useful(self.settings.transfer, problem.space)
        self._starts = self._planned(0)
        self._queue: list[Choices] = []
        self._expected: dict[Choices, float] = {}
        self._candidates: list[Candidate] = []
        self._judged = Prequential()
        self.new_predictor(0)  # what is wrong with it is said before anything is labelled

    @classmethod
    def options(cls) -> dict[str, Option]:
        settings = type(next(iter(cls.presets.values())))
        named = super().options()
        return named | (options_of(settings) if takes_any(cls) else {})

    # ------------------------------------------------------------------ what a subclass says

    @abstractmethod
    def _round_starts(self, budget: int, known: int) -> list[int]:
        """After how many results each round starts, in increasing order, none before ``known``.

        Args:
            budget: No more than can be labelled.
            known: Results that are there already where the rounds are planned; 0 in a run from its start.
        """

    @abstractmethod
    def _search(self, architectures: list[Architecture], labels: FloatArray, size: int) -> Found:
        """The search of one round.

        Args:
            architectures: ``n`` labelled architectures, in the order in which they were told.
            labels: ``(n,)`` their labels, not all equal.
            size: How many are to be labelled until the next round.
        """

    # ------------------------------------------------------------------ asking and telling

    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.left)
        if queue := self._to_begin():
            return [Architecture(self.problem.space, c) for c in queue[: max(n, 0)]]
        n = min(n, self._next_start() - self.num_asked)
        expected = self._expected_most(n)
        return [*expected, *self.problem.sample(n - len(expected), self.rng(), self._keys_with(expected))]

    def tell(self, results: Sequence[Result]) -> None:
        super().tell(results)
        self._judge(results)
        told = {r.architecture.choices for r in results}
        self._queue = [c for c in self._queue if c not in told]
        self._start_if_due()

    def know(self, results: Sequence[Result]) -> None:
        self._starts = self._planned(len(results))
        super().know(results)

    def _start_if_due(self) -> None:
        """Start a round where all of the last one have begun: it learns from the labels that are there."""
        if not self._to_begin() and self._starts[0] <= self.num_asked < self.problem.budget:
            self._start_round()

    def _to_begin(self) -> list[Choices]:
        """The queue without what is pending."""
        return [c for c in self._queue if c not in self._pending]

    def _planned(self, known: int) -> list[int]:
        pool = self.problem.budget if self.problem.pool is None else len(self.problem.pool)
        return self._round_starts(max(min(self.problem.budget, pool), known), known)

    def _expected_most(self, n: int) -> list[Architecture]:
        """Up to ``n`` of the order that the search starts with, as long as it does."""
        if not self.settings.transfer or self.num_asked >= self._starts[0] or not self.problem.is_plain:
            return []
        seen = set(self.seen)
        new = (a for a in self._order if a.key not in seen)
        return list(islice(new, max(0, n)))

    @cached_property
    def _order(self) -> list[Architecture]:
        """What the search starts with, which follows from problem and seed."""
        count = self._starts[0] // 2
        order = zero_shot_order(self.problem, count, self.seed, self.observer, self.settings.transfer)
        return [Architecture(self.problem.space, choices) for choices in order]

    @property
    def other_labels(self) -> dict[str, list[str]]:
        return zero_shot_sources(self.problem.space, self.settings.transfer)

    @property
    def files(self) -> dict[str, str]:
        own, predictors = self.settings.transfer, self.new_predictor(0).get_params(deep=False).get("transfer", False)
        given = {"transfer": own} if own is not True else {"predictor.transfer": predictors}
        found = {name: transfer_sha256(value) for name, value in given.items()}
        return {name: digest for name, digest in found.items() if digest is not None}

    def _keys_with(self, more: Sequence[Architecture]) -> list[str]:
        return [*self.seen, *(architecture.key for architecture in more)]

    def _next_start(self) -> int:
        return next((start for start in self._starts if start > self.num_asked), self.problem.budget)

    def _start_round(self) -> None:
        """Search, and fill the queue up to the next round."""
        labelled = [(r.architecture, r.score) for r in self.results if r.score is not None]
        labels = np.array([score for _, score in labelled])
        if len(labels) < MIN_LABELS or (self.problem.is_plain and np.ptp(labels) == 0):
            return  # nothing to learn a ranking from yet: go on at random
        found = self._search([a for a, _ in labelled], labels, self._next_start() - self.num_asked)
        self._queue, self._candidates = found.queue, found.candidates
        waiting = {c: self._expected[c] for c in self._pending if c in self._expected}
        self._expected = waiting | {c: found.expected[c] for c in found.queue if c in found.expected}

    def _num_random(self, size: int, share: float) -> int:
        """How many of a round's labels are of random architectures: a share, and of the last one's none."""
        is_last = self.num_asked + size >= self.problem.budget  # of which nothing more is learnt
        return 0 if is_last else round(share * size)

    def _with_random(self, queue: list[Choices], count: int, rng: np.random.Generator) -> list[Choices]:
        """The queue, and behind it ``count`` random architectures that are new."""
        if not count:
            return queue
        seen = [*self.seen, *(Architecture(self.problem.space, c).key for c in queue)]
        return [*queue, *(a.choices for a in self.problem.sample(count, rng, seen))]

    def _judge(self, results: Sequence[Result]) -> None:
        """Compare the labels of what was asked for with what was predicted for it."""
        new = self._judged.add(self._expected, results)
        if new and (tau := self._judged.tau) is not None:
            done, predicted = len(self._judged.pairs), self.problem.budget - self._starts[0]
            self.observer(Event("judged", done, max(done, predicted), {"kendall_tau": tau}))

    def new_predictor(self, seed: int) -> Any:
        """An unfitted predictor, that of the settings or of the space.

        Args:
            seed: Its own.
        """
        given = self.settings.predictor
        predictor = unfitted(self.problem.space.predictor if given is None else given)
        wanted: dict[str, Any] = {"seed": seed} if self.device == "auto" else {"seed": seed, "device": self.device}
        if self.settings.transfer is not True:  # else the predictor has its own say
            wanted["transfer"] = self.settings.transfer
        known = predictor.get_params(deep=False)
        return predictor.set_params(**{name: value for name, value in wanted.items() if name in known})

    # ------------------------------------------------------------------ results and state

    def recommend(self, k: int) -> list[Recommendation]:
        """The best ``k``: labelled ones by their label, and what cannot be labelled by its predicted score.

        An architecture that could have been labelled comes, by its prediction, only after all that were.
        """
        if not self.problem.is_plain:
            return self.best_evaluated(k)
        return with_predicted(self.problem, self.best_evaluated(k), self._candidates, set(self.seen))[: max(k, 0)]

    def state_dict(self) -> State:
        return {
            "budget": self.problem.budget,
            "starts": list(self._starts),
            "queue": [list(c) for c in self._queue],
            "expected": [self._expected.get(c) for c in self._queue],
            "waiting": [[list(c), self._expected[c]] for c in self._pending if c in self._expected],
            "derived": [[list(c), score] for c, score in self._candidates],
            "judged": [list(pair) for pair in self._judged.pairs],
        }

    def load_state_dict(self, state: State, results: Sequence[Result]) -> None:
        """Restore the state; where it is of a smaller budget, plan rounds from here on, and start the first if due."""
        super().load_state_dict(state, results)
        self._queue = [tuple(c) for c in state["queue"]]
        self._candidates = [(tuple(c), float(score)) for c, score in state["derived"]]
        # Before predictions were judged, states had neither of these two.
        expected = state.get("expected", [None] * len(self._queue))
        self._expected = {c: float(e) for c, e in zip(self._queue, expected, strict=True) if e is not None}
        self._expected |= {tuple(c): float(e) for c, e in state.get("waiting", ())}
        self._judged = Prequential(state.get("judged", ()))
        # Before budgets could grow, states had neither of these two.
        self._starts = list(state.get("starts", self._starts))
        if state.get("budget", self.problem.budget) < self.problem.budget:
            self._starts = self._planned(self.num_asked)
            self._start_if_due()
