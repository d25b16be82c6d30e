"""ENAS: a controller and the weights that all architectures share, trained in turn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import islice

import numpy as np
import torch

from archpredict._typing import FloatArray, IntArray
from archpredict.networks.batches import Batches
from archpredict.networks.rating import Ratings
from archpredict.networks.supernet import Supernet
from archpredict.networks.supernet_training import SupernetTraining
from archpredict.progress import Event, Observer, silent
from archpredict.registry.arguments import check_integer, check_share
from archpredict.spaces.base import Architecture
from archpredict.strategies._one_shot import OneShotStrategy, with_tensors
from archpredict.strategies.base import Problem, State
from archpredict.strategies.rounds.controller import Controller

__all__ = ["ENASSearch"]

_TEACHING, _DERIVING = 1, 2
"""Streams of randomness."""


class ENASSearch(OneShotStrategy):
    """Train a supernet and a controller in turn; have labelled what is best with the shared weights.

    Pham, Guan, Zoph, Le and Dean, "Efficient neural architecture search via parameter sharing", ICML 2018, arXiv
    1802.03268, section 2.2. In each epoch (1) the weights learn from the train split, in each step those of one
    architecture that the controller draws (equation 1 there with ``M = 1``); (2) the controller takes ``steps`` steps
    of REINFORCE, as in ``reinforce``, whose rewards are accuracies on batches of the validation split. At the end it
    draws ``derive`` architectures, which are asked for in the order of their accuracy on the validation split
    (section 2.3). It works in every space with ``network()``.

    Departures: networks are those of the space; a weight is shared by the rules of
    :class:`Supernet <archpredict.networks.supernet.Supernet>`; the controller waits until the weights tell
    architectures apart, else it may settle before; rewards are divided by their standard deviation so far; what is
    derived is ordered by all validation images with batch norms found anew, not by one batch. Published are
    2,000 controller steps of one architecture in each of 310 epochs, a learning rate of 3.5e-4 and an entropy weight
    of 1e-4.

    Args:
        problem: What is searched.
        seed: Source of all randomness.
        observer: Told about progress: stages ``supernet epoch`` (``loss``, ``training accuracy``) and ``controller``
            (``reward``: the mean accuracy in percent, ``entropy``).
        dataset: Images to train on, e.g. digits or cifar10:FOLDER.
        network: Options of the space's networks, e.g. ``{"channels": 4}``.
        training: How weights are trained, e.g. ``{"epochs": 50}``; see :class:`archpredict.networks.recipe.Recipe`.
        device: ``auto``, ``cpu`` or ``cuda``.
        warmup: Share of the epochs that weights alone are trained in, with architectures of the new controller.
        steps: Of the controller in each other epoch, at least 1.
        samples: Architectures in one of these steps.
        derive: Architectures that are drawn at the end, as far as there are so many.
        learning_rate: Of the controller's Adam.
        entropy_weight: Of the bonus for the entropy of the decisions, summed, at least 0.
        decay: Of the moving average of rewards, at least 0 and below 1.
        hidden: Width of the controller's LSTM cell.

    Raises:
        UsageError: The space defines no networks, or an option does not exist or is out of its range.

    Example:
        >>> short = {"network": {"channels": 2, "cells": 1}, "training": {"epochs": 1}, "steps": 2, "derive": 3}
        >>> enas = ENASSearch(Problem("nasbench201", budget=2), **short)
        >>> len(enas.ask(2)), enas.needs
        (2, 'supernet')
    """

    name = "enas"

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
        warmup: float = 0.2,
        steps: int = 20,
        samples: int = 4,
        derive: int = 100,
        learning_rate: float = 0.003,
        entropy_weight: float = 0.01,
        decay: float = 0.9,
        hidden: int = 64,
    ) -> None:
        super().__init__(
            problem, seed=seed, observer=observer, dataset=dataset, network=network, training=training, device=device
        )
        for option, value in {"steps": steps, "samples": samples, "derive": derive}.items():
            check_integer(option, value, 1)
        check_share("warmup", warmup)
        self.warmup, self.steps, self.samples, self.derive = warmup, steps, samples, derive
        self._controller = partial(
            Controller,
            problem,
            seed=seed,
            learning_rate=learning_rate,
            entropy_weight=entropy_weight,
            decay=decay,
            hidden=hidden,
        )
        self._controller()  # says what is wrong with its options

    def search(self) -> list[Architecture]:
        controller = self._controller()
        supernet = Supernet(self.problem.space, self.form, seed=self.seed, device=self.device)

        @torch.no_grad()
        def draw(n: int, rng: np.random.Generator) -> IntArray:
            return controller.policy.sample(n, rng)[0]

        training = SupernetTraining(supernet, self.images, self.recipe, draw=draw)
        rewards = _Rewards(supernet, self.batches("validation"), self.samples)

        def load(state: State) -> None:
            training.load_state_dict(with_tensors(state["training"]))
            controller.load_state_dict(state["controller"])
            rewards.go_on_after(state["rewards"].tolist())

        self.go_on(load)
        for epoch in range(training.epoch + 1, self.recipe.epochs + 1):
            training.run(until=epoch, observe=self.observer)
            if epoch > self.warmup * self.recipe.epochs:
                self._teach(controller, rewards, epoch)
            self.rest(
                lambda: {
                    "training": training.state_dict(),
                    "controller": controller.state_dict(),
                    "rewards": np.array(rewards.given),
                }
            )
        return self._derived_by(controller, supernet)

    def _teach(self, controller: Controller, rewards: _Rewards, epoch: int) -> None:
        """The controller's part of an epoch."""
        for step in range(self.steps):
            rng = np.random.default_rng([self.seed, _TEACHING, epoch, step])
            with torch.no_grad():
                choices = controller.policy.sample(self.samples, rng)[0]
            given = rewards.of(choices)
            values = controller.update(choices, given, rewards.spread)
        values["reward"] = 100 * float(np.mean(rewards.given[-self.steps * self.samples :]))
        self.observer(Event("controller", epoch, self.recipe.epochs, values))

    @torch.no_grad()
    def _derived_by(self, controller: Controller, supernet: Supernet) -> list[Architecture]:
        """What the controller draws, in the order of how good it is with the shared weights."""
        ratings = Ratings(supernet, self.images, batch_size=self.recipe.batch_size)
        drawn = list(islice(controller.drawn(np.random.default_rng([self.seed, _DERIVING])), self.derive))
        found = {architecture: ratings.of(architecture.choices) for architecture in drawn}
        return sorted(drawn, key=lambda a: (-found[a].accuracy, found[a].cross_entropy))


class _Rewards:
    """Accuracies, from 0 to 1, on one batch of the validation split after another.

    Args:
        supernet: Its weights are taken as they are when a reward is asked for.
        batches: Of the validation split.
        samples: How many rewards are asked for at a time.
    """

    def __init__(self, supernet: Supernet, batches: Batches, samples: int) -> None:
        self._supernet, self._all, self._samples = supernet, batches, samples
        self.go_on_after([])

    def go_on_after(self, given: list[float]) -> None:
        """Go on with the batch after those of the rewards that were given before."""
        self.given, self._batches = given, self._all.endless(len(given) // self._samples)

    @torch.no_grad()
    def of(self, choices: IntArray) -> FloatArray:
        """``(n,)`` rewards of ``(n, L)`` choices, all on one batch, whose means and variances batch norms take."""
        images, labels = next(self._batches)
        run, program = self._supernet.run, self._supernet.program
        right = [(run(program(row), images).argmax(1) == labels).float().mean() for row in choices.tolist()]
        found = torch.stack(right).tolist()
        self.given += found
        return np.array(found)

    @property
    def spread(self) -> float:
        """Standard deviation of all rewards so far."""
        return float(np.std(self.given))
