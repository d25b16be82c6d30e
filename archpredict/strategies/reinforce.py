"""REINFORCE: a controller rewarded by labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from archpredict.evaluators.base import Result
from archpredict.progress import Event, Observer, silent
from archpredict.registry.arguments import check_integer
from archpredict.runtime import few_threads
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem, State, Strategy
from archpredict.strategies.rounds.controller import POOL_CANDIDATES, Controller

__all__ = ["Reinforce"]


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
        self.batch = batch
        self.controller = Controller(
            problem,
            seed=seed,
            learning_rate=learning_rate,
            entropy_weight=entropy_weight,
            decay=decay,
            hidden=hidden,
        )

    # ------------------------------------------------------------------ asking

    def ask(self, n: int) -> list[Architecture]:
        n = max(0, min(n, self.batch, self.left))
        rng, known = self.rng(), set(self.seen)
        found: list[Architecture] = []
        told = {r.architecture.choices for r in self.results}
        with torch.no_grad(), few_threads(POOL_CANDIDATES):
            for architecture in self.controller.drawn(rng, told) if n else ():
                if architecture.key not in known:
                    known.add(architecture.key)
                    found.append(architecture)
                    if len(found) == n:
                        return found
        return [*found, *self.problem.sample(n - len(found), rng, sorted(known))]

    # ------------------------------------------------------------------ telling

    def tell(self, results: Sequence[Result]) -> None:
        super().tell(results)
        labelled = [(r.architecture.choices, r.score) for r in results if r.score is not None]
        if labelled:
            spread = float(np.std([r.score for r in self.results if r.score is not None]))
            with few_threads(len(labelled)):
                choices, labels = np.array([c for c, _ in labelled]), np.array([score for _, score in labelled])
                values = self.controller.update(choices, labels, spread)
            self.observer(Event("controller", min(self.num_told, self.problem.budget), self.problem.budget, values))

    # ------------------------------------------------------------------ state

    def state_dict(self) -> State:
        return self.controller.state_dict()

    def load_state_dict(self, state: State, results: Sequence[Result]) -> None:
        super().load_state_dict(state, results)
        self.controller.load_state_dict(state)
