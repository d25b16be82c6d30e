"""CTNAS: contrastive neural architecture search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np

from archpredict.errors import UnknownNameError, UsageError
from archpredict.evaluators.base import Result
from archpredict.predict.presets import unfitted
from archpredict.progress import Event, Observer, silent
from archpredict.spaces.base import Architecture, Choices
from archpredict.strategies._contrastive import Round
from archpredict.strategies._prequential import Prequential
from archpredict.strategies._presets import PRESETS, Settings
from archpredict.strategies._recommend import Candidate, distinct_first, with_predicted
from archpredict.strategies.base import Problem, Recommendation, State, Strategy

_MIN_LABELS = 4
_COUNTS = (
    *("rounds", "iterations", "samples", "baseline_every", "baseline_samples"),
    *("explore_every", "explore_samples", "explore_epochs", "derive", "hidden"),
)


class CTNAS(Strategy):
    """Contrastive search: a comparator rewards a controller for beating a baseline that a curriculum raises.

    Chen, Guo et al., "Contrastive Neural Architecture Search with Neural Architecture Comparators", CVPR 2021,
    arXiv 2103.05471, Algorithms 1 to 3. Label ``M`` random architectures; train the comparator on all their pairs;
    train the controller by REINFORCE, with the probability of beating the baseline as reward and an entropy bonus;
    explore pairs with predicted labels; raise the baseline; derive the best architectures and evaluate them.

    Presets:
        * ``default``: ours. Labels, comparator and controller take turns in rounds, so that later labels are spent on
          what the comparator believes in; a better comparator (messages in both directions, soft targets); centred
          rewards and batches of samples.
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
        observer: Told about progress: stages ``pre-training``, ``comparator`` (value ``loss``), ``controller``
            (``reward``, ``entropy``), ``derive``, and ``judged`` when labels arrive whose scores were predicted
            (``kendall_tau``, over all of them so far).
        device: For comparator and controller: ``auto``, ``cpu`` or ``cuda``.
        preset: One of the above.
        options: Settings that replace the preset's, e.g. ``baseline="fixed", share=0.0`` for the paper's ablations, or
            ``predictor="gates"`` for another comparator; see ``archpredict.strategies._presets.Settings``.
    """

    name = "ctnas"
    min_budget = 8
    default_budget = 150
    presets: ClassVar[tuple[str, ...]] = tuple(PRESETS)
    test_options: ClassVar[dict[str, Any]] = {
        "predictor": {"epochs": 3, "ensemble": 1, "pretrain": 0, "regressors": None},
        "rounds": 2,
        "iterations": 4,
        "samples": 8,
        "derive": 16,
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
        if preset not in PRESETS:
            raise UnknownNameError("preset", preset, PRESETS)
        self.device = device
        self.settings = _with_options(PRESETS[preset], options)
        self._boundaries = self._plan()
        self._queue: list[Choices] = []
        self._derived: list[Candidate] = []
        self._baselines: list[Choices] = []
        self._judged = Prequential()

    def _plan(self) -> list[int]:
        """After how many results each round starts."""
        budget = self.problem.budget if self.problem.pool is None else min(self.problem.budget, len(self.problem.pool))
        s = self.settings
        if s.rounds == 1:
            return [max(_MIN_LABELS, budget - min(s.final, budget // 5))]
        first = max(_MIN_LABELS, round(s.first_share * budget))
        points = np.linspace(first, budget, s.rounds + 1)[:-1]
        return sorted({int(p) for p in points})

    def ask(self, n: int) -> list[Architecture]:
        n = min(n, self.problem.budget - self.num_told)
        if n <= 0:
            return []
        if self._queue:
            return [Architecture(self.problem.space, c) for c in self._queue[:n]]
        until = next((b for b in self._boundaries if b > self.num_told), self.problem.budget)
        return self.problem.sample(min(n, until - self.num_told), self.rng(), self.seen)

    def tell(self, results: Sequence[Result]) -> None:
        super().tell(results)
        self._judge(results)
        told = {r.architecture.choices for r in results}
        self._queue = [c for c in self._queue if c not in told]
        if not self._queue and self._boundaries[0] <= self.num_told < self.problem.budget:
            self._search()

    def _judge(self, results: Sequence[Result]) -> None:
        """Compare the labels of what was asked for with what was predicted for it."""
        asked = set(self._queue)
        new = self._judged.add({c: score for c, score in self._derived if c in asked}, results)
        if new and (tau := self._judged.tau) is not None:
            done, predicted = len(self._judged.pairs), self.problem.budget - self._boundaries[0]
            self.observer(Event("judged", done, max(done, predicted), {"kendall_tau": tau}))

    def _search(self) -> None:
        """One round; fills the queue up to the next one."""
        labelled = [(r.architecture, r.score) for r in self.results if r.score is not None]
        labels = np.array([score for _, score in labelled])
        if len(labels) < _MIN_LABELS or np.ptp(labels) == 0:
            return  # nothing to learn a ranking from yet: go on at random
        size = next((b for b in self._boundaries if b > self.num_told), self.problem.budget) - self.num_told
        derived = Round(
            self.problem,
            self.settings,
            [a for a, _ in labelled],
            labels,
            seen=self.seen,
            baselines=self._baselines,
            rng=self.rng(1),
            observer=self.observer,
            device=self.device,
            size=size,
        ).run()
        self._baselines = derived.baselines
        candidates = [(a.choices, score) for a, score in zip(derived.candidates, derived.scores, strict=True)]
        labelable = [c for c, can in zip(candidates, derived.labelable, strict=True) if can]
        self._queue = [choices for choices, _ in distinct_first(labelable)[:size]]
        self._derived = labelable if self.problem.within_pool else candidates

    def recommend(self, k: int) -> list[Recommendation]:
        """The best ``k``: labelled ones by their label, and what cannot be labelled by its predicted score.

        An architecture that could have been labelled comes, by its prediction, only after all that were.
        """
        return with_predicted(self.problem, super().recommend(k), self._derived, set(self.seen))[:k]

    def state_dict(self) -> State:
        return {
            "queue": [list(c) for c in self._queue],
            "derived": [[list(c), score] for c, score in self._derived],
            "baselines": [list(c) for c in self._baselines],
            "judged": [list(pair) for pair in self._judged.pairs],
        }

    def load_state_dict(self, state: State, results: Sequence[Result]) -> None:
        super().load_state_dict(state, results)
        self._queue = [tuple(c) for c in state["queue"]]
        self._derived = [(tuple(c), float(score)) for c, score in state["derived"]]
        self._baselines = [tuple(c) for c in state["baselines"]]
        self._judged = Prequential(state.get("judged", ()))  # runs of before it had held labels out instead


def _with_options(settings: Settings, options: Mapping[str, Any]) -> Settings:
    known = {f.name for f in fields(Settings)}
    for name in options:
        if name not in known:
            raise UnknownNameError("option of ctnas", name, known)
    changed = replace(settings, **options)
    given = options.get("predictor")
    if isinstance(given, Mapping) and isinstance(settings.predictor, Mapping):  # arguments on top of the preset's
        changed = replace(changed, predictor={**settings.predictor, **given})
    unfitted(changed.predictor)  # says what is wrong with it
    for name in _COUNTS:
        if getattr(changed, name) < 1:
            raise UsageError(f"{name} is a number of at least 1, {getattr(changed, name)} was given")
    if not 0 < changed.first_share <= 1:
        raise UsageError(f"first_share is above 0 and at most 1, {changed.first_share} was given")
    if not 0 <= changed.share < 1:
        raise UsageError(
            f"share is the part of pairs with predicted labels, at least 0 and below 1; {changed.share} was given"
        )
    if changed.baseline not in ("curriculum", "fixed", "random"):
        raise UnknownNameError("baseline", changed.baseline, ("curriculum", "fixed", "random"))
    if changed.confidence not in ("distance", "probability"):
        raise UnknownNameError("confidence", changed.confidence, ("distance", "probability"))
    return changed
