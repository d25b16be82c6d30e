"""Predictor-guided search: fit a predictor, search the space with it, evaluate what it likes best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from archpredict._typing import FloatArray
from archpredict.evaluators.base import Result
from archpredict.predict.predictor import Predictor
from archpredict.predict.presets import unfitted
from archpredict.progress import Event, Observer, silent
from archpredict.spaces.base import Architecture, Choices
from archpredict.strategies._guidance import PRESETS, with_options
from archpredict.strategies._inner import InnerSearch, Scored
from archpredict.strategies._recommend import Candidate, distinct_first, with_predicted
from archpredict.strategies.base import Problem, Recommendation, State, Strategy

_MIN_LABELS = 4
_KEEP = 200
"""Predicted candidates remembered for recommendations."""
_UCB = 1.0
"""Standard deviations above the mean."""


class PredictorGuided(Strategy):
    """Rounds of fitting a predictor to all labels and evaluating what it ranks first.

    Ning, Zheng, Zhao, Wang and Yang, "A Generic Graph-based Neural Architecture Encoding Scheme for Predictor-based
    NAS" (GATES), ECCV 2020, arXiv 2004.01899, Algorithm 1. Label random architectures; then in each round fit a
    predictor to all labels, search the space with it alone (inner search), and evaluate the best that is new.

    Presets:
        * ``default``: ours. Each round evaluates the best of everything scored, and a fifth at random.
        * ``gates``: as published: few rounds of equal size, in which each architecture to evaluate is the best of an
          inner search of its own, here of a random part of what is scored.

    Departures from the published code (walkerning/aw_nas): its inner simulated annealing is an evolution by tournaments
    here, started from the best labelled and run once for a round; nothing isomorphic to what was labelled is labelled
    again; among candidates that the predictor scores alike, one is evaluated before the others; labels that are fewer
    than four or all equal guide nothing, and the search goes on at random.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Told about progress: stages ``predictor`` (value ``loss``) and ``inner search`` (``candidates``
            scored, the best new one's ``expected`` score).
        device: For the predictor: ``auto`` (what the predictor was made with), ``cpu`` or ``cuda``.
        preset: One of the above.
        options: Settings that replace the preset's, e.g. ``inner="random", acquisition="ucb"``; see
            ``archpredict.strategies._guidance.Settings``.

    Raises:
        UsageError: An option that does not exist or is out of its range, or does not fit the predictor or the space.

    Example:
        >>> from archpredict.testing.toys import ToyEvaluator, ToySpace
        >>> guided = PredictorGuided(Problem(ToySpace(), budget=24), predictor="extra-trees", rounds=2)
        >>> while architectures := guided.ask(24):
        ...     guided.tell(list(ToyEvaluator().evaluate(architectures)))
        >>> guided.num_told, guided.recommend(1)[0].evaluated
        (24, True)
    """

    name = "predictor-guided"
    min_budget = 8
    default_budget = 150
    presets: ClassVar[tuple[str, ...]] = tuple(PRESETS)
    test_options: ClassVar[dict[str, Any]] = {
        "predictor": Predictor(epochs=3, ensemble=1, pretrain=0, regressors={}),
        "rounds": 2,
    }

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
        self.device = device
        self.settings = with_options(preset, options)
        s = self.settings
        self._inner = InnerSearch(problem, s.inner, s.candidates, s.population)
        self._boundaries = self._plan()
        self._queue: list[Choices] = []
        self._derived: list[Candidate] = []
        self._new_predictor(0)  # what is wrong with it is said before anything is evaluated

    def _plan(self) -> list[int]:
        """After how many results each round starts."""
        budget = self.problem.budget if self.problem.pool is None else min(self.problem.budget, len(self.problem.pool))
        first = max(_MIN_LABELS, round(self.settings.initial * budget))
        if self.settings.batch is not None:
            return list(range(first, max(budget, first + 1), self.settings.batch))
        return sorted({int(b) for b in np.linspace(first, budget, self.settings.rounds + 1)[:-1]})

    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.problem.budget - self.num_told)
        if n <= 0:
            return []
        if self._queue:
            return [Architecture(self.problem.space, c) for c in self._queue[:n]]
        return self.problem.sample(min(n, self._next_boundary() - self.num_told), self.rng(), self.seen)

    def _next_boundary(self) -> int:
        return next((b for b in self._boundaries if b > self.num_told), self.problem.budget)

    def tell(self, results: Sequence[Result]) -> None:
        super().tell(results)
        told = {r.architecture.choices for r in results}
        self._queue = [c for c in self._queue if c not in told]
        if not self._queue and self._boundaries[0] <= self.num_told < self.problem.budget:
            self._search()

    # ------------------------------------------------------------------ one round

    def _search(self) -> None:
        """Fit a predictor and fill the queue up to the next round."""
        labelled = sorted(((r.score, r.architecture) for r in self.results if r.score is not None), key=lambda p: -p[0])
        labels = np.array([score for score, _ in labelled])
        if len(labels) < _MIN_LABELS or np.ptp(labels) == 0:
            return  # nothing to learn a ranking from yet: go on at random
        rng = self.rng(1)
        predictor = self._new_predictor(int(rng.integers(2**31)))
        predictor.fit([a for _, a in labelled], labels, observe=self._observe_loss)
        parents = np.array([a.choices for _, a in labelled], dtype=np.int64)

        def score(architectures: Sequence[Architecture]) -> tuple[FloatArray, FloatArray]:
            return self._merit(predictor, architectures, rng)

        scored = self._inner.run(score, parents, rng)
        until = self._next_boundary()
        size = until - self.num_told
        explore = round(self.settings.explore * size) if until < self.problem.budget else 0  # learnt from no more
        self._queue = self._to_evaluate(scored, size - explore, rng)
        seen = [*self.seen, *(Architecture(self.problem.space, c).key for c in self._queue)]
        self._queue += [a.choices for a in self.problem.sample(explore, rng, seen)] if explore else []
        self._derived = self._to_recommend(scored)
        if self._derived:
            values = {"candidates": float(len(scored.architectures)), "expected": self._derived[0][1]}
            self.observer(Event("inner search", 1, 1, values))

    def _new_predictor(self, seed: int) -> Any:
        """An unfitted predictor of its own seed."""
        given = self.settings.predictor
        made = unfitted(self.problem.space.predictor if given is None else given)
        wanted = {"seed": seed} if self.device == "auto" else {"seed": seed, "device": self.device}
        known = made.get_params(deep=False)
        return made.set_params(**{name: value for name, value in wanted.items() if name in known})

    def _observe_loss(self, done: int, total: int, loss: float) -> None:
        if done:  # nothing is done yet while encoders are pre-trained
            self.observer(Event("predictor", done, total, {"loss": loss}))

    def _merit(
        self, predictor: Any, architectures: Sequence[Architecture], rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """What to choose the architectures by, and their expected scores."""
        mean: FloatArray = predictor.predict(architectures)
        if self.settings.acquisition == "mean":
            return mean, mean
        std: FloatArray = predictor.predict_std(architectures)
        scale = _UCB if self.settings.acquisition == "ucb" else rng.standard_normal(len(mean))
        return mean + scale * std, mean

    def _to_evaluate(self, scored: Scored, size: int, rng: np.random.Generator) -> list[Choices]:
        """The ``size`` best new ones that can be labelled, or the best new one of each of ``size`` random parts."""
        parts = [np.arange(len(scored.architectures))]
        if self.settings.separate:
            parts = np.array_split(rng.permutation(len(scored.architectures)), size)
        known, chosen = set(self.seen), list[Choices]()
        for part in parts:
            order = part[np.argsort(-scored.merit[part], kind="stable")]
            wanted = 1 if self.settings.separate else 4 * size  # some are twins to the predictor
            best = self._new(scored, order, scored.merit, known, wanted, labelable=True)
            chosen += [choices for choices, _ in distinct_first(best)]
        return chosen[:size]

    def _to_recommend(self, scored: Scored) -> list[Candidate]:
        """The best by their expected score."""
        order = np.argsort(-scored.mean, kind="stable")
        return self._new(scored, order, scored.mean, set(self.seen), _KEEP, labelable=self.problem.within_pool)

    def _new(
        self, scored: Scored, order: Iterable[int], value: FloatArray, known: set[str], wanted: int, *, labelable: bool
    ) -> list[Candidate]:
        """Up to ``wanted`` in this order, none isomorphic to a known one, whose keys join the known ones."""
        found: list[Candidate] = []
        for i in order:
            architecture = scored.architectures[i]
            if architecture.key in known or (labelable and not self.problem.is_labelable(architecture)):
                continue
            known.add(architecture.key)
            found.append((architecture.choices, float(value[i])))
            if len(found) == wanted:
                break
        return found

    # ------------------------------------------------------------------ results and state

    def recommend(self, k: int) -> list[Recommendation]:
        """The best ``k``: labelled ones by their label, and what cannot be labelled by its predicted score.

        An architecture that could have been labelled comes, by its prediction, only after all that were.
        """
        return with_predicted(self.problem, super().recommend(k), self._derived, set(self.seen))[:k]

    def state_dict(self) -> State:
        return {"queue": [list(c) for c in self._queue], "derived": [[list(c), score] for c, score in self._derived]}

    def load_state_dict(self, state: State, results: Sequence[Result]) -> None:
        super().load_state_dict(state, results)
        self._queue = [tuple(c) for c in state["queue"]]
        self._derived = [(tuple(c), float(score)) for c, score in state["derived"]]
