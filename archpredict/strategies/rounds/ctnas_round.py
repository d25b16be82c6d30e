"""One round of CTNAS: train the comparator, let the controller search against it, derive candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from archpredict._typing import FloatArray, IntArray
from archpredict.predict.inputs import Inputs
from archpredict.predict.predictor import Predictor
from archpredict.predict.training.optimizer import Adam, Flat
from archpredict.predict.training.training import PseudoPairs
from archpredict.progress import Event, Observer
from archpredict.runtime import few_threads, seeded
from archpredict.spaces.base import Architecture, Choices
from archpredict.strategies.base import Problem
from archpredict.strategies.rounds.ctnas_pairs import confident_pairs, mean_win_rate
from archpredict.strategies.rounds.ctnas_settings import CTNASSettings
from archpredict.strategies.rounds.policy import Policy

_POOL_CANDIDATES = 5000
_KEEP = 200
"""Predicted candidates remembered for recommendations."""
_PARENTS = 10


@dataclass
class Derived:
    """The outcome of a round, which it hands on.

    Args:
        candidates: The best unseen architectures that keep the limits, no two isomorphic, best first.
        scores: What the comparator expects of each, on the labels' scale.
        labelable: Whether each can be labelled.
        baselines: All baselines so far.
    """

    candidates: list[Architecture]
    scores: list[float]
    labelable: list[bool]
    baselines: list[Choices]


class Round:
    """Algorithm 1 of CTNAS on one set of labelled architectures.

    Args:
        problem: What is searched.
        settings: How.
        predictor: The comparator, unfitted.
        labelled: Architectures with labels.
        labels: ``(n,)`` their labels.
        seen: Keys of all that need no evaluation any more.
        baselines: Baselines of earlier rounds.
        rng: Source of all randomness.
        observer: Told about progress.
        size: How many that can be labelled are to be labelled next.
    """

    def __init__(
        self,
        problem: Problem,
        settings: CTNASSettings,
        predictor: Predictor,
        labelled: Sequence[Architecture],
        labels: FloatArray,
        *,
        seen: Sequence[str],
        baselines: Sequence[Choices],
        rng: np.random.Generator,
        observer: Observer,
        size: int = 10,
    ) -> None:
        self.size = size
        self.problem, self.settings, self.observer, self.rng = problem, settings, observer, rng
        self.space = problem.space
        self.labelled, self.labels, self.seen = list(labelled), labels, frozenset(seen)
        self.baselines = list(baselines)
        self.predictor = self._with_dummies(predictor) if settings.dummies else predictor
        self.sampled: dict[Choices, None] = {}  # every architecture the policy has drawn, in order
        self._known: dict[Choices, Architecture] = {}  # decoded once
        self._rewards: dict[Choices, float] = {}  # probabilities of beating the present baseline
        self._pseudo: PseudoPairs | None = None
        self._drawn: IntArray = np.zeros((0, problem.space.num_decisions), dtype=np.int64)

    def run(self) -> Derived:
        """The whole round."""
        self._train_comparator()
        with few_threads(self.settings.samples):
            self._train_controller()
        return self._derive()

    # ------------------------------------------------------------------ comparator

    def _with_dummies(self, predictor: Predictor) -> Predictor:
        """The comparator with as many node slots as the largest labelled architecture has."""
        slots = max(a.graph.on_nodes.cells.count(c) for a in self.labelled for c in set(a.graph.on_nodes.cells))
        predictor.set_params(encoder__slots=slots)
        return predictor

    def _train_comparator(self) -> None:
        self._session = self.predictor.fit_session(self.labelled, self.labels, observer=self.observer)

    def _explore(self, policy: Policy, samples: int) -> None:
        """Algorithm 3: train the comparator on labelled pairs and on confident pairs of sampled architectures."""
        s = self.settings
        with torch.no_grad():
            rows, _, _ = self._sample(policy, samples)
        inputs = self._pack(rows)
        if s.confidence == "distance":  # the paper: the surest among all pairs
            partner, keep = None, samples
        else:  # the published code: the better half of one random pairing
            partner, keep = self.rng.permutation(samples), samples // 2
        first, second, target = confident_pairs(self._compare(inputs), keep, s.confidence, partner)
        self._pseudo = _join(self._pseudo, PseudoPairs(inputs, first, second, target))
        self._session.refine(self._pseudo, share=s.share, epochs=s.explore_epochs, slow_down=s.explore_rate)

    # ------------------------------------------------------------------ controller

    def _train_controller(self) -> None:
        s = self.settings
        with seeded(int(self.rng.integers(2**31))):
            policy = Policy(self.space, hidden=s.hidden).to(self.predictor.ensemble_.device)
        flat = Flat([policy])
        optimizer = Adam(
            *(flat.values[0], flat.gradients[0], flat.leaves[0]),
            rate=s.learning_rate,
            betas=s.betas,
            weight_decay=s.weight_decay,
            decoupled=False,
        )
        self._policy = policy
        baseline = self._first_baseline(policy)
        strength = self._strength(baseline)
        for step in range(s.iterations):
            explored = s.explore_samples if step else s.explore_first
            if s.share > 0 and explored and step % s.explore_every == 0:
                self._explore(policy, explored)
                baseline = baseline[0], self._opponent(baseline[0])
                strength = self._strength(baseline)
            reward, entropy = self._update_policy(policy, optimizer, baseline[1])
            if step % s.baseline_every == (0 if s.baseline_first else s.baseline_every - 1):
                baseline = self._next_baseline(policy, baseline[0])
                strength = self._strength(baseline)
            if step % max(1, s.iterations // 200) == 0 or step == s.iterations - 1:
                values = {"reward": reward, "entropy": entropy, "baseline": strength, **self._shares()}
                self._tell("controller", step + 1, s.iterations, **values)
        if s.share > 0:  # exploration has moved the comparator: put its scores on the labels' scale again
            self._session.rescale()

    def _update_policy(self, policy: Policy, optimizer: Adam, baseline: list[Tensor]) -> tuple[float, float]:
        """REINFORCE with the probability of beating the baseline as reward; returns mean reward and entropy."""
        s = self.settings
        rows, log_prob, entropy = self._sample(policy, s.samples)
        self._drawn = rows
        reward = self._win_rates(rows, baseline)
        if self.problem.limits:
            reward = np.where(self.problem.is_allowed(rows), reward, 0.0)
        advantage = (reward - reward.mean()) / (reward.std() + 1e-6) if s.center else reward
        weight = torch.as_tensor(advantage, dtype=torch.float32).to(log_prob.device)
        loss = -(log_prob * weight).mean() - s.entropy_weight * entropy.mean()
        optimizer.minimize(loss)
        return float(reward.mean()), float(entropy.detach().mean())

    def _first_baseline(self, policy: Policy) -> tuple[Choices, list[Tensor]]:
        """The last round's baseline, or one drawn from the fresh policy (Algorithm 1, line 4)."""
        if self.baselines and self.settings.baseline != "random":
            choices = self.baselines[-1]
        else:
            choices = self._draw(policy, 1)[0]
            self.baselines.append(choices)
        return choices, self._opponent(choices)

    def _next_baseline(self, policy: Policy, current: Choices) -> tuple[Choices, list[Tensor]]:
        """Algorithm 2, or one of its ablations."""
        s = self.settings
        chosen = current
        if s.baseline == "random":
            chosen = self._draw(policy, 1)[0]
        elif s.baseline == "curriculum":
            past = self.baselines if s.remember else []
            candidates = list(dict.fromkeys([*past, *self._draw(policy, s.baseline_samples)]))
            inputs = self._pack(np.array(candidates))
            chosen = candidates[int(mean_win_rate(self._compare(inputs)).argmax())]
        if chosen in self.baselines:
            self.baselines.remove(chosen)
        self.baselines.append(chosen)
        return chosen, self._opponent(chosen)

    def _strength(self, baseline: tuple[Choices, list[Tensor]]) -> float:
        """The share of the labelled architectures that the baseline is expected to beat."""
        won = self.predictor.compare_encoded(baseline[1], self.predictor.encode(self.predictor.pack(self.labelled)))
        return float(won.mean())

    def _shares(self) -> dict[str, float]:
        """The share of each operator in what the policy drew last, as values of an event."""
        counts: Counter[str] = Counter()
        for row in map(tuple, self._drawn.tolist()):
            counts.update(self._known[row].graph.operations)
        return {f"share:{op}": count / counts.total() for op, count in sorted(counts.items())}

    def _opponent(self, choices: Choices) -> list[Tensor]:
        """The encoding of the baseline from here on; what was known of the one before, or by other weights, is void."""
        self._rewards.clear()
        return self.predictor.encode(self._pack(np.array([choices])))

    def _win_rates(self, rows: IntArray, baseline: list[Tensor]) -> FloatArray:
        """``(n,)`` probabilities of beating the baseline; a policy that converges draws the same again and again."""
        drawn = list(map(tuple, rows.tolist()))
        new = [choices for choices in dict.fromkeys(drawn) if choices not in self._rewards]
        if new:
            encoded = self.predictor.encode(self._pack(np.array(new)))
            won = self.predictor.compare_encoded(encoded, baseline)[:, 0]
            self._rewards.update(zip(new, won.tolist(), strict=True))
        return np.array([self._rewards[choices] for choices in drawn])

    @torch.no_grad()
    def _draw(self, policy: Policy, n: int) -> list[Choices]:
        """``n`` samples of which those that break a limit are left out, where any keeps them."""
        rows, _, _ = self._sample(policy, n)
        kept = rows[self.problem.is_allowed(rows)]
        return [tuple(row) for row in (kept if len(kept) else rows).tolist()]

    def _sample(self, policy: Policy, n: int) -> tuple[IntArray, Tensor, Tensor]:
        rows, log_prob, entropy = policy.sample(n, self.rng)
        self.sampled.update(dict.fromkeys(map(tuple, rows.tolist())))
        return rows, log_prob, entropy

    # ------------------------------------------------------------------ derivation

    def _derive(self) -> Derived:
        """Rank what the trained policy draws, and by the settings more, by the comparator."""
        s = self.settings
        with torch.no_grad(), few_threads(s.derive):
            drawn, _, _ = self._policy.sample(s.derive, self.rng)
        found = dict.fromkeys(map(tuple, drawn.tolist()))
        if s.local:
            found.update(self.sampled)
            best = np.argsort(-self.labels, kind="stable")[:_PARENTS]
            near = [self.space.mutate(np.array([self.labelled[i].choices] * 16), self.rng) for i in best]
            found.update(dict.fromkeys(map(tuple, np.concatenate(near).tolist())))
        if s.random_candidates:
            found.update(dict.fromkeys(map(tuple, self.space.sample(s.random_candidates, self.rng).tolist())))
        if self.problem.pool is not None:
            pool = self.rng.permutation(self.problem.pool)[:_POOL_CANDIDATES]
            found.update(dict.fromkeys(map(tuple, pool.tolist())))
        found.update(dict.fromkeys(self.baselines))
        derived = self._best_unseen(list(found))
        if sum(derived.labelable) < self.size:  # a policy that has converged draws few that are new
            derived = self._best_unseen(list(found | self.sampled))
        if derived.candidates:
            self._tell("derive", len(derived.candidates), len(derived.candidates))
        return derived

    def _best_unseen(self, found: list[Choices]) -> Derived:
        """The best of them by the comparator, without what breaks a limit, needs no evaluation, or comes twice."""
        rows = np.array(found, dtype=np.int64)
        rows = rows[self.problem.is_allowed(rows)]
        scores = self.predictor.predict(self._pack(rows)) if len(rows) else np.zeros(0)
        derived, known = Derived([], [], [], self.baselines), set(self.seen)
        wanted = _KEEP + 4 * self.size  # some are twins to the comparator
        for i in np.argsort(-scores, kind="stable"):
            architecture = Architecture(self.space, tuple(rows[i].tolist()))
            if architecture.key in known:
                continue
            known.add(architecture.key)
            derived.candidates.append(architecture)
            derived.scores.append(float(scores[i]))
            derived.labelable.append(self.problem.is_labelable(architecture))
            if len(derived.candidates) >= wanted and sum(derived.labelable) >= wanted:
                break
        return derived

    # ------------------------------------------------------------------ plumbing

    def _pack(self, rows: IntArray) -> Inputs:
        architectures = []
        for row in map(tuple, rows.tolist()):
            architecture = self._known.get(row)
            if architecture is None:
                architecture = self._known[row] = Architecture(self.space, row)
            architectures.append(architecture)
        return self.predictor.pack(architectures)

    def _compare(self, inputs: Inputs) -> FloatArray:
        z = self.predictor.encode(inputs)
        return self.predictor.compare_encoded(z, z)

    def _tell(self, stage: str, step: int, total: int, **values: float) -> None:
        self.observer(Event(stage, step, total, values))


def _join(old: PseudoPairs | None, new: PseudoPairs) -> PseudoPairs:
    """All pairs explored so far (``D`` of Algorithm 1)."""
    if old is None:
        return new
    shift = len(old.inputs)
    return PseudoPairs(
        Inputs.concat([old.inputs, new.inputs]),
        np.concatenate([old.first, new.first + shift]),
        np.concatenate([old.second, new.second + shift]),
        np.concatenate([old.target, new.target]),
    )
