"""Predictor-guided search: fit a predictor, search the space with it, evaluate what it likes best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.predict.presets import unfitted
from archpredict.progress import Event, Observer, silent
from archpredict.spaces.base import Architecture, Choices, SearchSpace
from archpredict.strategies.base import Problem
from archpredict.strategies.rounds.base import MIN_LABELS, Found, RoundStrategy
from archpredict.strategies.rounds.candidates import InnerSearch, Scored
from archpredict.strategies.rounds.guided_settings import PRESETS, PredictorGuidedSettings
from archpredict.strategies.rounds.merge import Candidate, distinct_first
from archpredict.strategies.rounds.outcomes import Outcomes, parents_of

__all__ = ["PredictorGuided", "PredictorGuidedSettings"]

_KEEP = 200
"""Predicted candidates remembered for recommendations."""
_UCB = 1.0
"""Standard deviations above the mean."""


class PredictorGuided(RoundStrategy[PredictorGuidedSettings]):
    """Rounds of fitting a predictor to all labels and evaluating what it ranks first.

    Ning, Zheng, Zhao, Wang and Yang, "A Generic Graph-based Neural Architecture Encoding Scheme for Predictor-based
    NAS" (GATES), ECCV 2020, arXiv 2004.01899, Algorithm 1. Label random architectures; then in each round fit a
    predictor to all labels, search the space with it alone (inner search), and evaluate the best that is new.

    Presets:
        * ``default``: ours. Each round evaluates the best of everything scored, and a fifth at random.
        * ``front``: takes the place of ``default`` where there are several objectives, or limits that only an
          evaluation can check: a predictor for each number, Gaussian processes where the space names none; each round
          evaluates what is expected to grow the hypervolume of the front most
          (:mod:`archpredict.strategies.rounds.outcomes`).
        * ``gates``: as published: few rounds of equal size, in which each architecture to evaluate is the best of an
          inner search of its own, here of a random part of what is scored.
        * ``general-purpose``: the search of Han, Mills et al., "A General-Purpose Transferable Predictor for Neural
          Architecture Search", SDM 2023, arXiv 2302.10835: a pre-trained predictor of whole networks is fine-tuned to
          all labels so far, an evolution by mutation and crossover of the best looks for what it likes, and the best
          of that is labelled, again and again. Give ``predictor=FineTuned("folder")`` one that has learnt from labelled
          families (:class:`archpredict.predict.fine_tuned.FineTuned`). Sizes of rounds and generations are ours.
        * ``regression-nas``, ``renas``: table 1 of CTNAS: random labels, one search with the predictor of this name
          (:mod:`archpredict.predict.presets`); a tenth of the budget is for what it finds, instead of nothing.

    Departures from the published code (walkerning/aw_nas): its inner simulated annealing is an evolution by tournaments
    here, started from the best labelled and run once for a round; nothing isomorphic to what was labelled is labelled
    again; among candidates that the predictor scores alike, one is evaluated before the others; labels that are fewer
    than four or all equal guide nothing, and the search goes on at random.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Told about progress: stages ``pre-training`` and ``training`` (value ``loss``), ``inner search``
            (``candidates`` scored, the best new one's ``expected`` score), and ``judged`` when labels arrive whose
            scores were predicted (``kendall_tau``, over all of them so far).
        device: For the predictor: ``auto`` (what the predictor was made with), ``cpu`` or ``cuda``.
        preset: One of the above.
        options: Settings that replace the preset's, e.g. ``inner="random", acquisition="ucb"``; see
            :class:`PredictorGuidedSettings`.

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
    several_objectives = True
    presets: ClassVar[dict[str, PredictorGuidedSettings]] = PRESETS

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
        if preset == "default" and not problem.is_plain:
            preset = "front"
        super().__init__(problem, seed=seed, observer=observer, device=device, preset=preset, **options)
        s = self.settings
        self._inner = InnerSearch(problem, s.inner, s.candidates, s.population)

    def new_predictor(self, seed: int) -> Any:
        if self.problem.is_plain or self.settings.predictor is not None or self._names_its_own:
            return super().new_predictor(seed)
        return unfitted("gaussian-processes").set_params(seed=seed, transfer=False)

    @property
    def _names_its_own(self) -> bool:
        return self.problem.space.predictor != SearchSpace.predictor

    def _round_starts(self, budget: int, known: int) -> list[int]:
        first = max(MIN_LABELS, round(self.settings.initial * budget), known)
        if self.settings.batch is not None:
            return list(range(first, max(budget, first + 1), self.settings.batch))
        return sorted({int(b) for b in np.linspace(first, budget, self.settings.rounds + 1)[:-1]})

    # ------------------------------------------------------------------ one round

    def _search(self, architectures: list[Architecture], labels: FloatArray, size: int) -> Found:
        if not self.problem.is_plain:
            return self._search_front(size)
        best_first = np.argsort(-labels, kind="stable")
        rng = self.rng(1)
        predictor = self.new_predictor(int(rng.integers(2**31)))
        predictor.fit([architectures[i] for i in best_first], labels[best_first], observer=self.observer)
        parents = np.array([architectures[i].choices for i in best_first], dtype=np.int64)

        def score(architectures: Sequence[Architecture]) -> tuple[FloatArray, FloatArray]:
            return self._merit(predictor, architectures, rng)

        scored = self._inner.run(score, parents, rng)
        explore = self._num_random(size, self.settings.explore)
        queue = self._with_random(self._to_evaluate(scored, size - explore, rng), explore, rng)
        candidates = self._to_recommend(scored)
        if candidates:
            values = {"candidates": float(len(scored.architectures)), "expected": candidates[0][1]}
            self.observer(Event("inner search", 1, 1, values))
        wanted = set(queue)
        expected = {a.choices: float(m) for a, m in zip(scored.architectures, scored.mean, strict=True)}
        return Found(queue, {c: score for c, score in expected.items() if c in wanted}, candidates)

    def _search_front(self, size: int) -> Found:
        """A round with several objectives, or limits that only an evaluation checks."""
        rng, scored_results = self.rng(1), [r for r in self.results if r.score is not None]
        seeds = {name: int(rng.integers(2**31)) for name in self.problem.names}
        outcomes = Outcomes(self.problem, lambda name: self.new_predictor(seeds[name]), self.observer)
        outcomes.fit(scored_results)
        expected = list[tuple[FloatArray, FloatArray]]()

        def score(architectures: Sequence[Architecture]) -> tuple[FloatArray, FloatArray]:
            expected.append(outcomes.expect(architectures))
            return outcomes.merit(*expected[-1]), outcomes.expected_score(expected[-1][0])

        def best_first(_: Scored) -> IntArray:
            return outcomes.best_first(*(np.concatenate([pair[i] for pair in expected]) for i in (0, 1)))

        scored = self._inner.run(score, parents_of(self.problem, scored_results), rng, best_first)
        explore = self._num_random(size, self.settings.explore)
        seen = set(self.seen)
        new = [i for i, a in enumerate(scored.architectures) if a.key not in seen and self.problem.is_labelable(a)]
        mean, std = (np.concatenate([pair[i] for pair in expected])[new] for i in (0, 1))
        chosen = outcomes.batch(mean, std, size - explore) if new else []
        queue = self._with_random([scored.architectures[new[i]].choices for i in chosen], size - len(chosen), rng)
        scores = outcomes.expected_score(mean[chosen]) if chosen else ()
        return Found(queue, {c: float(score) for c, score in zip(queue, scores, strict=False)})

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
        if size < 1:  # all of the round is random
            return []
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
