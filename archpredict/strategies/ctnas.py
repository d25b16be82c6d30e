"""CTNAS: contrastive neural architecture search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import UsageError
from archpredict.evaluators.base import Result
from archpredict.predict.predictor import Predictor
from archpredict.progress import Observer, silent
from archpredict.spaces.base import Architecture, Choices, SearchSpace
from archpredict.strategies.base import Problem, State
from archpredict.strategies.rounds.base import MIN_LABELS, Found, RoundStrategy
from archpredict.strategies.rounds.ctnas_round import Round
from archpredict.strategies.rounds.ctnas_settings import PRESETS, CTNASSettings
from archpredict.strategies.rounds.merge import distinct_first
from archpredict.strategies.rounds.one_order import one_label

__all__ = ["CTNAS", "CTNASSettings"]

_SOONER, _LEAST_SIDE_BY_SIDE = 0.6, 24
"""Evaluations side by side: after which part of the first labels rounds begin, and after how many at least."""


class CTNAS(RoundStrategy[CTNASSettings]):
    """Contrastive search: a comparator rewards a controller for beating a baseline that a curriculum raises.

    Chen, Guo et al., "Contrastive Neural Architecture Search with Neural Architecture Comparators", CVPR 2021,
    arXiv 2103.05471, Algorithms 1 to 3. Label ``M`` random architectures; train the comparator on all their pairs;
    train the controller by REINFORCE, with the probability of beating the baseline as reward and an entropy bonus;
    explore pairs with predicted labels; raise the baseline; derive the best architectures and evaluate them.

    Presets:
        * ``default``: ours. Labels, comparator and controller take turns in rounds, so that later labels are spent on
          what the comparator believes in, and a fifth of them on random architectures; a better comparator (messages in
          both directions, soft targets); centred rewards and batches of samples. With evaluations side by side rounds
          begin sooner, after three fifths of the first labels, but not before 24 of them where there are as many.
        * ``front``: the same without random ones, for several objectives, where it is the default.
        * ``long``: the same in 20 rounds after a tenth of the labels, for budgets of about a thousand.
        * ``paper``: as published: two-layer GCN, all pairs, pseudo-labels by confidence, curriculum over all past
          baselines and samples, 10,000 single samples.
        * ``repo``: as in the published code (chenyaofo/CTNAS): four layers with residual, one permutation of pairs,
          pseudo-labels by top probability, baseline from the current ten samples.

    Where both depart from their model on purpose: the policy is ours, one for every space; pairs of equal labels count
    1/2; pairs are formed within batches of about 256 architectures; and the best derived architectures are labelled for
    real at the end (``final`` of the budget), of which the best label wins, while the published code stops at what the
    comparator prefers. The paper states neither the comparator's training, which is taken from the code, nor how often
    it explores and updates the baseline: here every 100 policy updates, with 100 samples.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Told about progress: stages ``pre-training`` and ``training`` (value ``loss``), ``controller``
            (``reward``, ``entropy``, ``baseline``: the share of labelled architectures that the baseline is expected
            to beat, and ``share:`` of each operator in what was drawn), ``derive``, and ``judged`` when labels arrive
            whose scores were predicted (``kendall_tau``, over all of them so far).
        device: For comparator and controller: ``auto`` (what the predictor was made with), ``cpu`` or ``cuda``.
        preset: One of the above.
        options: Settings that replace the preset's, e.g. ``baseline="fixed", share=0.0`` for the paper's ablations, or
            ``predictor="gates"`` for another comparator; see :class:`CTNASSettings`.

    Raises:
        UsageError: An option that does not exist or is out of its range, or a predictor that cannot compare.

    Example:
        >>> from archpredict.testing.toys import ToyEvaluator, ToySpace
        >>> search = CTNAS(Problem(ToySpace(), budget=20), predictor="bayesian-ridge", rounds=1, iterations=5)
        >>> while architectures := search.ask(20):
        ...     search.tell(list(ToyEvaluator().evaluate(architectures)))
        >>> search.num_told, search.recommend(1)[0].evaluated
        (20, True)
    """

    name = "ctnas"
    several_objectives = True
    presets: ClassVar[dict[str, CTNASSettings]] = PRESETS
    _is_side_by_side = False  # here, as the constructor of the base plans the rounds

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
        self._baselines: list[Choices] = []

    def begin(self, architectures: Sequence[Architecture]) -> None:
        if self._pending and not self._is_side_by_side:
            self._is_side_by_side = True
            if self.num_asked < self._starts[0]:
                self._starts = self._planned(self.num_asked)
        super().begin(architectures)

    def new_predictor(self, seed: int) -> Predictor:
        predictor = super().new_predictor(seed)
        if not isinstance(predictor, Predictor):
            raise UsageError(
                f"ctnas compares architectures, which a Predictor can, {type(predictor).__name__} was given; take the "
                "strategy predictor-guided, or a Predictor"
            )
        if self.settings.predictor is None and self.problem.space.predictor == SearchSpace.predictor:
            predictor.set_params(training__epochs=self.settings.epochs)
        return predictor

    def _round_starts(self, budget: int, known: int) -> list[int]:
        s = self.settings
        if s.rounds == 1:
            return [max(MIN_LABELS, budget - min(s.final, budget // 5), known)]
        first = max(MIN_LABELS, round(s.first_share * budget))
        if self._is_side_by_side:  # where a round knows but a part of what the one before it asked for
            first = max(min(first, _LEAST_SIDE_BY_SIDE), round(_SOONER * first))
        first = max(first, known)
        return sorted({int(start) for start in np.linspace(first, budget, s.rounds + 1)[:-1]})

    def _search(self, architectures: list[Architecture], labels: FloatArray, size: int) -> Found:
        rng, baselines = self.rng(1), self._baselines
        explore = self._num_random(size, self.settings.random_share)
        if not self.problem.is_plain:
            labels = one_label(
                self.problem, [r for r in self.results if r.score is not None], self.settings.several, rng
            )
            baselines = baselines if self.settings.several == "dominance" else []  # those of another order mean nothing
        derived = Round(
            self.problem,
            self.settings,
            self.new_predictor(int(rng.integers(2**31))),
            architectures,
            labels,
            seen=self.seen,
            baselines=baselines,
            rng=rng,
            observer=self.observer,
            size=size - explore,
        ).run()
        self._baselines = derived.baselines
        candidates = [(a.choices, score) for a, score in zip(derived.candidates, derived.scores, strict=True)]
        labelable = [c for c, can in zip(candidates, derived.labelable, strict=True) if can]
        best = [choices for choices, _ in distinct_first(labelable)[: size - explore]]
        queue = self._with_random(best, explore, rng)
        if not self.problem.is_plain:  # scores of an order that holds for a round
            return Found(queue)
        return Found(queue, dict(candidates), labelable if self.problem.within_pool else candidates)

    def state_dict(self) -> State:
        own = {"baselines": [list(c) for c in self._baselines], "side_by_side": self._is_side_by_side}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state: State, results: Sequence[Result]) -> None:
        self._baselines = [tuple(c) for c in state["baselines"]]  # first, because restoring may start a round
        self._is_side_by_side = bool(state.get("side_by_side", False))
        super().load_state_dict(state, results)
