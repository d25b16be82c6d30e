"""Controller: a policy that is rewarded, with its optimiser, its baseline and its state."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import torch

from archpredict._typing import FloatArray, IntArray
from archpredict.predict.training.optimizer import Adam, Flat
from archpredict.registry.arguments import check_integer, check_not_negative, check_positive, check_share
from archpredict.runtime import seeded
from archpredict.spaces.base import Architecture, Choices
from archpredict.strategies.base import Problem, State
from archpredict.strategies.rounds.policy import Policy

_BLOCK, _BLOCKS = 64, 4
"""Architectures that the controller draws at once, and how often."""
POOL_CANDIDATES = 1024
"""How many of a larger pool are looked at each time."""


class Controller:
    """A policy that makes likelier what is rewarded above the average so far.

    The rule of Williams, 1992, ``grad = mean_k (R_k - b) grad log p(a_k)`` with a moving average ``b``, a bonus for
    the entropy of the decisions, and Adam.

    Args:
        problem: What is searched.
        seed: Of the policy's weights.
        learning_rate: Of Adam.
        entropy_weight: Of the bonus for the entropy of the decisions, summed, at least 0.
        decay: Of the moving average ``b``, at least 0 and below 1.
        hidden: Width of the policy.

    Raises:
        UsageError: A number that is out of its range.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int,
        learning_rate: float,
        entropy_weight: float,
        decay: float,
        hidden: int,
    ) -> None:
        check_integer("hidden", hidden, 1)
        check_positive("learning_rate", learning_rate)
        check_not_negative("entropy_weight", entropy_weight)
        check_share("decay", decay)
        self.problem, self.entropy_weight, self.decay = problem, entropy_weight, decay
        with seeded(seed):
            self.policy = Policy(problem.space, hidden=hidden)
        flat = Flat([self.policy])
        self._adam = Adam(flat.values[0], flat.gradients[0], flat.leaves[0], rate=learning_rate, weight_decay=0.0)
        self._baseline: float | None = None

    def drawn(self, rng: np.random.Generator, without: Collection[Choices] = ()) -> Iterator[Architecture]:
        """What the controller draws, each once, without what breaks a limit or lies outside the pool.

        Args:
            rng: Source of randomness.
            without: Choices that are left out.
        """
        pool, tried = self.problem.pool, {*without}
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
        if len(pool) > POOL_CANDIDATES:
            pool = pool[rng.choice(len(pool), size=POOL_CANDIDATES, replace=False)]
        log_prob, _ = self.policy.log_probs(pool)
        # The largest of log-probabilities with Gumbel noise is a draw with these probabilities (Gumbel, 1954).
        drawn: IntArray = pool[np.argsort(-(log_prob.numpy() + rng.gumbel(size=len(pool))), kind="stable")]
        return drawn

    def update(self, choices: IntArray, rewards: FloatArray, spread: float) -> dict[str, float]:
        """One step.

        Args:
            choices: ``(n, L)`` of what was rewarded.
            rewards: ``(n,)``.
            spread: What differences of rewards are measured by, e.g. their standard deviation so far; where it is 0,
                rewards teach nothing.

        Returns:
            Means of the rewards above the baseline in units of ``spread``, and of the ``entropy``.
        """
        baseline = float(rewards.mean()) if self._baseline is None else self._baseline
        advantage = (rewards - baseline) / spread if spread > 0 else np.zeros(len(rewards))
        log_prob, entropy = self.policy.log_probs(choices)
        weight = torch.from_numpy(advantage.astype(np.float32))
        self._adam.minimize(-(log_prob * weight).mean() - self.entropy_weight * entropy.mean())
        self._baseline = self.decay * baseline + (1 - self.decay) * float(rewards.mean())
        return {"reward": float(advantage.mean()), "entropy": float(entropy.detach().mean())}

    def state_dict(self) -> State:
        """The state, as that of a strategy."""
        adam = self._adam
        arrays = {"weights": adam.values, "mean": adam.mean, "square": adam.square}
        copied = {name: tensor.detach().numpy().copy() for name, tensor in arrays.items()}
        return {**copied, "steps": adam.steps, "baseline": self._baseline}

    def load_state_dict(self, state: State) -> None:
        """Restore :meth:`state_dict`."""
        adam = self._adam
        for name, tensor in {"weights": adam.values, "mean": adam.mean, "square": adam.square}.items():
            tensor.copy_(torch.from_numpy(np.array(state[name], dtype=np.float32)))
        adam.steps, self._baseline = int(state["steps"]), state["baseline"]
