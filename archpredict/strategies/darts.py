"""DARTS: strengths of options, trained by gradient beside the weights of a network that mixes them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import UsageError
from archpredict.networks.bilevel import BilevelTraining
from archpredict.networks.relaxed import RelaxedNetwork
from archpredict.progress import Observer, silent
from archpredict.registry.arguments import check_integer, check_positive
from archpredict.spaces.base import Architecture
from archpredict.strategies._one_shot import OneShotStrategy, with_tensors
from archpredict.strategies.base import Problem

__all__ = ["DARTSSearch"]

_CANDIDATES = 4096
"""The strongest architectures that are looked at for those that are legal, keep the limits and differ."""

Part = tuple[IntArray, FloatArray]


class DARTSSearch(OneShotStrategy):
    """Train all operators of a space at once, weighted by what gradients make of their strengths; take the strongest.

    Liu, Simonyan and Yang, "DARTS: differentiable architecture search", ICLR 2019, arXiv 1806.09055. Each decision is a
    mixture of its options (equation 2), whose strengths learn from the validation split while the weights learn from
    the train split (Algorithm 1). With ``order=1`` the weights are taken as they are; with ``order=2`` the gradient
    goes through one step of them (equations 7 and 8), which costs more. Asked for first is what takes the strongest
    option everywhere (section 2.4; in ``darts`` the two strongest edges into each node), then what comes next by the
    product of shares.

    It needs a space that writes ``relaxed_network()``: ``nasbench201`` and ``darts`` do.

    Departures: the step that is looked ahead is equation 6 without momentum and weight decay; batch norms have shifts;
    the strongest edges are found by products of shares, which comes to the same for the first architecture.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Told about progress: stage ``supernet epoch`` (``loss``, ``training accuracy``).
        dataset: Images to train on, e.g. digits or cifar10:FOLDER.
        network: Options of the space's networks, e.g. ``{"channels": 4}``.
        training: How weights are trained, e.g. ``{"epochs": 50}``; see :class:`archpredict.networks.recipe.Recipe`.
        device: ``auto``, ``cpu`` or ``cuda``.
        order: 1 or 2.
        derive: Architectures that are taken at the end, as far as there are so many.
        learning_rate: Of the strengths' Adam.

    Raises:
        UsageError: The space defines no relaxed network, or an option does not exist or is out of its range.

    Example:
        >>> short = {"network": {"channels": 2, "cells": 1}, "training": {"epochs": 1, "batch_size": 512}}
        >>> darts = DARTSSearch(Problem("nasbench201", budget=2), order=2, **short)
        >>> len(darts.ask(2)), darts.needs
        (2, 'supernet')
    """

    name = "darts"

    def __init__(
        self,
        problem: Problem,
        *,
        seed: int = 0,
        observer: Observer = silent,
        dataset: str = "digits",
        network: Mapping[str, float] | None = None,
        training: Mapping[str, float] | None = None,
        device: str = "auto",
        order: int = 1,
        derive: int = 100,
        learning_rate: float = 3e-4,
    ) -> None:
        super().__init__(
            problem, seed=seed, observer=observer, dataset=dataset, network=network, training=training, device=device
        )
        if order not in (1, 2):
            raise UsageError(f"order is 1 or 2, {order!r} was given")
        check_integer("derive", derive, 1)
        check_positive("learning_rate", learning_rate)
        self.form.check_relaxed(problem.space)
        self.order, self.derive, self.learning_rate = order, derive, learning_rate

    def search(self) -> list[Architecture]:
        space = self.problem.space
        network = RelaxedNetwork(space, self.form, seed=self.seed, device=self.device)
        training = BilevelTraining(
            network, self.images, self.recipe, order=self.order, rate=self.learning_rate, seed=self.seed
        )
        self.go_on(lambda state: training.load_state_dict(with_tensors(state["training"])))
        while training.epoch < self.recipe.epochs:
            training.run(self.observer, until=training.epoch + 1)
            self.rest(lambda: {"training": training.state_dict()})
        log_shares = [part.detach().cpu().double().numpy() for part in network.log_shares()]
        rows = strongest(space.derivations(log_shares), _CANDIDATES, self.problem.pool)
        rows = rows[space.is_valid(rows)]
        found: dict[str, Architecture] = {}
        for architecture in space.architectures(rows[self.problem.is_allowed(rows)]):
            found.setdefault(architecture.key, architecture)
            if len(found) == self.derive:
                break
        return list(found.values())


def strongest(parts: Sequence[Part], count: int, pool: IntArray | None = None) -> IntArray:
    """The choices with the largest sums of scores, best first.

    Args:
        parts: Options ``(M, l)`` of each run of choices, and their ``(M,)`` scores.
        count: How many, at most.
        pool: ``(R, L)`` choices to take them from; None: any.

    Returns:
        ``(n, L)``; of equal sums, in the order of the options.

    Example:
        >>> import numpy as np
        >>> parts = [(np.array([[0], [1]]), np.array([0.0, 2.0])), (np.array([[0], [1]]), np.array([1.0, 0.0]))]
        >>> strongest(parts, 3).tolist()
        [[1, 0], [1, 1], [0, 0]]
    """
    if pool is not None:
        return pool[np.argsort(-_sums(parts, pool), kind="stable")[:count]]
    rows, sums = np.zeros((1, 0), dtype=np.int64), np.zeros(1)
    for options, scores in parts:  # the best of a sum are made of the best of its beginnings
        together = (sums[:, None] + scores).ravel()
        order = np.argsort(-together, kind="stable")[:count]
        before, last = np.divmod(order, len(scores))
        rows, sums = np.hstack([rows[before], options[last]]), together[order]
    return rows


def _sums(parts: Sequence[Part], rows: IntArray) -> FloatArray:
    """Scores of given choices; what a part does not have is the last."""
    sums, start = np.zeros(len(rows)), 0
    for options, scores in parts:
        known = dict(zip(map(tuple, options.tolist()), scores.tolist(), strict=True))
        end = start + options.shape[1]
        sums += [known.get(tuple(row), -np.inf) for row in rows[:, start:end].tolist()]
        start = end
    return sums
