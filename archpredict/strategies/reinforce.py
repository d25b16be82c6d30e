"""REINFORCE: a controller rewarded by labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from archpredict._typing import FloatArray, IntArray
from archpredict.evaluators.base import Result
from archpredict.predict.training.optimizer import Adam, Flat
from archpredict.progress import Event, Observer, silent
from archpredict.registry.arguments import check_integer, check_not_negative, check_positive, check_share
from archpredict.runtime import few_threads, seeded
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem, State, Strategy
from archpredict.strategies.rounds.policy import Policy

__all__ = ["Reinforce"]

_BLOCK, _BLOCKS = 64, 4
"""Architectures that the controller draws at once, and how often it tries until one is new."""
_POOL_CANDIDATES = 1024
"""How many of a larger pool are looked at each time."""


class Reinforce(Strategy):
    """Let a controller draw architectures, and make those likelier whose labels are above the average so far.

    Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017, arXiv 1611.01578, equation 2 and
    section 3.2, by the rule of Williams, 1992: ``grad = mean_k (R_k - b) grad log p(a_k)``, where ``R`` are the labels
    and ``b`` is a moving average of those before. The controller is an LSTM that makes the space's choices one after
    another, that of ``ctnas``. Dong and Yang, "NAS-Bench-201", ICLR 2020, arXiv 2001.00326, use the rule with one
    architecture at a time, Adam and a decay of 0.9, as here.

    Departures: an entropy bonus keeps the controller from settling at once; rewards are divided by the standard
    deviation of all labels so far, so that their scale does not matter; nothing isomorphic to what was labelled is
    labelled again, but drawn again, and where nothing new is drawn, an architecture is random; a failed evaluation and
    what breaks a limit teach nothing. Where only a pool can be labelled, the controller draws among its members, with
    the probabilities that it gives them.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Told about progress: stage ``controller`` (``reward``, ``entropy``).
        batch: Architectures per update, at least 1: how many can be evaluated at the same time.
        learning_rate: Of Adam.
        entropy_weight: Of the bonus for the entropy of the decisions, summed, at least 0.
        decay: Of the moving average ``b``, at least 0 and below 1.
        hidden: Width of the LSTM cell.

    Raises:
        UsageError: A number that is out of its range.

    Example:
        >>> from archpredict.testing.toys import ToyEvaluator, ToySpace
        >>> search = Reinforce(Problem(ToySpace(), budget=60), seed=0)
        >>> while architectures := search.ask(60):
        ...     search.tell(list(ToyEvaluator().evaluate(architectures)))
        >>> search.num_told, search.recommend(1)[0].evaluated
        (60, True)
    """

    name = "reinforce"
    default_budget = 200

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        observer: Observer = silent,
        batch: int = 1,
        learning_rate: float = 0.01,
        entropy_weight: float = 0.01,
        decay: float = 0.9,
        hidden: int = 64,
    ) -> None:
        super().__init__(problem, seed=seed, observer=observer)
        check_integer("batch", batch, 1)
        check_integer("hidden", hidden, 1)
        check_positive("learning_rate", learning_rate)
        check_not_negative("entropy_weight", entropy_weight)
        check_share("decay", decay)
        self.batch, self.entropy_weight, self.decay = batch, entropy_weight, decay
        with seeded(seed):
            self.policy = Policy(problem.space, hidden=hidden)
        flat = Flat([self.policy])
        self._adam = Adam(flat.values[0], flat.gradients[0], flat.leaves[0], rate=learning_rate, weight_decay=0.0)
        self._baseline: float | None = None

    # ------------------------------------------------------------------ asking

    def ask(self, n: int) -> list[Architecture]:
        n = max(0, min(n, self.batch, self.left))
        rng, known = self.rng(), set(self.seen)
        found: list[Architecture] = []
        with torch.no_grad(), few_threads(_POOL_CANDIDATES):
            for architecture in self._drawn(rng) if n else ():
                if architecture.key not in known:
                    known.add(architecture.key)
                    found.append(architecture)
                    if len(found) == n:
                        return found
        return [*found, *self.problem.sample(n - len(found), rng, sorted(known))]

    def _drawn(self, rng: np.random.Generator) -> Iterator[Architecture]:
        """What the controller draws, without what breaks a limit or cannot be labelled."""
        pool, tried = self.problem.pool, {r.architecture.choices for r in self.results}
        for rows in self._blocks(rng) if pool is None else [self._of_pool(pool, rng)]:
            for architecture in self.problem.space.architectures(rows[self.problem.is_allowed(rows)]):
                if architecture.choices not in tried:  # a look at the choices is cheap, a key is not
                    tried.add(architecture.choices)
                    yield architecture

    def _blocks(self, rng: np.random.Generator) -> Iterator[IntArray]:
        for _ in range(_BLOCKS):
            rows, _, _ = self.policy.sample(_BLOCK, rng)
            yield rows

    def _of_pool(self, pool: IntArray, rng: np.random.Generator) -> IntArray:
        """Members of the pool in an order drawn without replacement, with the controller's probabilities."""
        if len(pool) > _POOL_CANDIDATES:
            pool = pool[rng.choice(len(pool), size=_POOL_CANDIDATES, replace=False)]
        log_prob, _ = self.policy.log_probs(pool)
        # The largest of log-probabilities with Gumbel noise is a draw with these probabilities (Gumbel, 1954).
        drawn: IntArray = pool[np.argsort(-(log_prob.numpy() + rng.gumbel(size=len(pool))), kind="stable")]
        return drawn

    # ------------------------------------------------------------------ telling

    def tell(self, results: Sequence[Result]) -> None:
        super().tell(results)
        labelled = [(r.architecture.choices, r.score) for r in results if r.score is not None]
        if labelled:
            with few_threads(len(labelled)):
                self._update(np.array([c for c, _ in labelled]), np.array([score for _, score in labelled]))

    def _update(self, choices: IntArray, labels: FloatArray) -> None:
        """One step of REINFORCE on ``(n, L)`` choices and their ``(n,)`` labels."""
        baseline = float(labels.mean()) if self._baseline is None else self._baseline
        spread = float(np.std([r.score for r in self.results if r.score is not None]))
        reward = (labels - baseline) / spread if spread > 0 else np.zeros(len(labels))
        log_prob, entropy = self.policy.log_probs(choices)
        weight = torch.from_numpy(reward.astype(np.float32))
        self._adam.minimize(-(log_prob * weight).mean() - self.entropy_weight * entropy.mean())
        self._baseline = self.decay * baseline + (1 - self.decay) * float(labels.mean())
        values = {"reward": float(reward.mean()), "entropy": float(entropy.detach().mean())}
        self.observer(Event("controller", min(self.num_told, self.problem.budget), self.problem.budget, values))

    # ------------------------------------------------------------------ state

    def state_dict(self) -> State:
        adam = self._adam
        arrays = {"weights": adam.values, "mean": adam.mean, "square": adam.square}
        copied = {name: tensor.detach().numpy().copy() for name, tensor in arrays.items()}
        return {**copied, "steps": adam.steps, "baseline": self._baseline}

    def load_state_dict(self, state: State, results: Sequence[Result]) -> None:
        super().load_state_dict(state, results)
        adam = self._adam
        for name, tensor in {"weights": adam.values, "mean": adam.mean, "square": adam.square}.items():
            tensor.copy_(torch.from_numpy(np.array(state[name], dtype=np.float32)))
        adam.steps, self._baseline = int(state["steps"]), state["baseline"]
