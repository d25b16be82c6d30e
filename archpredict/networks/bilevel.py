"""Bilevel training of a relaxed network: strengths of options on one split, weights on another."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from archpredict.images.base import Images
from archpredict.networks.batches import Augmentation, Batches
from archpredict.networks.fitting import Epoch
from archpredict.networks.optimizing import check_finite, sgd
from archpredict.networks.recipe import Recipe
from archpredict.networks.relaxed import RelaxedNetwork
from archpredict.progress import Observer, silent

__all__ = ["BilevelTraining", "first_order", "second_order"]

Batch = tuple[Tensor, Tensor]

_BETAS = (0.5, 0.999)
_DECAY = 1e-3


def first_order(network: RelaxedNetwork, validation: Batch) -> Tensor:
    """The gradient of the strengths with the weights as they are: equation 7 of DARTS with ``xi = 0``.

    Args:
        network: The network.
        validation: Images and labels.

    Returns:
        As long as ``network.strengths``.
    """
    (gradient,) = torch.autograd.grad(network.loss(validation), [network.strengths])
    return gradient


def second_order(
    network: RelaxedNetwork, training: Batch, validation: Batch, rate: float, length: float = 0.01
) -> Tensor:
    """The gradient of the strengths through one step of the weights: equations 7 and 8 of DARTS.

    With ``w' = w - xi grad_w L_train(w, a)`` it is ``grad_a L_val(w', a) - xi H grad_w' L_val(w', a)``, where the
    product with ``H = grad_a grad_w L_train(w, a)`` is a finite difference along ``grad_w' L_val``.

    Args:
        network: The network.
        training: Images and labels of the step.
        validation: Images and labels.
        rate: ``xi``, the learning rate of the weights.
        length: How far weights are moved to both sides; 0.01 is published (section 2.3 there). Within it ReLUs may
            change side; a smaller one is closer to the derivative where the precision allows it.

    Returns:
        As long as ``network.strengths``.
    """
    weights = network.weights
    step = torch.autograd.grad(network.loss(training), list(weights.values()))
    ahead = _moved(weights, step, -rate)
    for weight in ahead.values():
        weight.requires_grad_()
    direct, *along = torch.autograd.grad(network.loss(validation, ahead), [network.strengths, *ahead.values()])
    norm = float(torch.stack([part.norm() for part in along]).norm())
    if norm == 0:
        return direct
    small = length / norm
    after, before = (
        torch.autograd.grad(network.loss(training, _moved(weights, along, by)), [network.strengths])[0]
        for by in (small, -small)
    )
    return direct - rate * (after - before) / (2 * small)


def _moved(weights: dict[str, Tensor], along: list[Tensor] | tuple[Tensor, ...], by: float) -> dict[str, Tensor]:
    return {name: (weight + by * part).detach() for (name, weight), part in zip(weights.items(), along, strict=True)}


class BilevelTraining:
    """The training of a relaxed network: Algorithm 1 of DARTS (Liu et al. 2019, arXiv 1806.09055).

    Each step changes the strengths by Adam (betas 0.5 and 0.999, weight decay 1e-3) on a batch of the validation split,
    then the weights by the SGD of a recipe on a batch of the train split. Everything follows from the seed, also where
    a training goes on from the state of another. The step that second order looks ahead is equation 6 as it is, without
    the momentum and weight decay that the published code puts in.

    Args:
        network: Trained in place.
        images: Its ``train`` and ``validation`` splits are trained on.
        recipe: How weights are trained; drop-path is left out.
        order: 1 for the gradient of :func:`first_order`, 2 for that of :func:`second_order`.
        rate: Learning rate of the strengths.
        seed: Of the order of images, and of their augmentation.

    Example:
        >>> from archpredict.images.base import load_images
        >>> from archpredict.networks.form import Form
        >>> from archpredict.spaces import load_space
        >>> digits = load_images("digits")
        >>> form = Form.of(digits, {"channels": 2, "cells": 1})
        >>> network = RelaxedNetwork(load_space("nasbench201"), form)
        >>> training = BilevelTraining(network, digits, Recipe(epochs=1))
        >>> training.run()
        >>> bool(network.strengths.any()), len(training.epochs)
        (True, 1)
    """

    def __init__(
        self,
        network: RelaxedNetwork,
        images: Images,
        recipe: Recipe | None = None,
        *,
        order: int = 1,
        rate: float = 3e-4,
        seed: int = 0,
    ) -> None:
        self.network, self.recipe, self.order = network, recipe or Recipe(), order
        self.epochs: list[Epoch] = []
        flip = images.flips if self.recipe.flip is None else self.recipe.flip
        changes = Augmentation(crop=self.recipe.crop, flip=flip, cutout=self.recipe.cutout)
        size, device = self.recipe.batch_size, network.device
        self._training = Batches(images, batch_size=size, device=device, augmentation=changes, seed=seed)
        self._validation = Batches(images, "validation", batch_size=size, device=device, seed=seed)
        self._sgd = sgd(network.weights.values(), self.recipe)
        self._adam = torch.optim.Adam([network.strengths], lr=rate, betas=_BETAS, weight_decay=_DECAY)
        self._held: dict[str, Tensor] = {}  # momentum that was restored, until the next step

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return len(self.epochs)

    def run(self, observe: Observer = silent, *, until: int | None = None) -> None:
        """Train from where it is.

        Args:
            observe: Told of each epoch (``loss``, ``training accuracy``).
            until: Number of epochs after which to stop; None: those of the recipe.

        Raises:
            TrainingError: A loss is not finite.
        """
        last = self.recipe.epochs if until is None else min(until, self.recipe.epochs)
        for number in range(self.epoch, last):
            self.epochs.append(self._epoch(number))
            observe(self.epochs[-1].event("supernet epoch"))

    def _epoch(self, number: int) -> Epoch:
        start, figures = time.perf_counter(), list[Tensor]()
        done = number * len(self._training)
        validation = self._validation.endless(done)
        for step, batch in enumerate(self._training.epoch(number), start=done):
            rate = self.recipe.rate(step, len(self._training))
            self._strengthen(batch, next(validation), rate)
            figures.append(self._descend(batch, rate))
        check_finite([loss for loss, _ in figures], number, len(self._training) - 1)
        loss, accuracy = torch.stack(figures).mean(0).tolist()
        return Epoch(number + 1, self.recipe.epochs, loss, 100 * accuracy, time.perf_counter() - start)

    def _strengthen(self, training: Batch, validation: Batch, rate: float) -> None:
        if self.order == 1:
            self.network.strengths.grad = first_order(self.network, validation)
        else:
            self.network.strengths.grad = second_order(self.network, training, validation, rate)
        self._adam.step()

    def _descend(self, batch: Batch, rate: float) -> Tensor:
        """A step of the weights; the loss and the share of images that are right before it, ``(2,)``."""
        images, labels = batch
        scores = self.network.run(images)
        loss = torch.nn.functional.cross_entropy(scores, labels, label_smoothing=self.recipe.label_smoothing)
        names, weights = list(self.network.weights), list(self.network.weights.values())
        for name, weight, gradient in zip(names, weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient
            if name in self._held:  # which lies in memory as the gradient does, as it did before
                self._sgd.state[weight]["momentum_buffer"] = torch.empty_like(gradient).copy_(self._held.pop(name))
        if self.recipe.clip:
            torch.nn.utils.clip_grad_norm_(weights, self.recipe.clip)
        for group in self._sgd.param_groups:
            group["lr"] = rate
        self._sgd.step()
        return torch.stack([loss.detach(), (scores.detach().argmax(1) == labels).to(loss.dtype).mean()])

    # ------------------------------------------------------------------ going on

    def state_dict(self) -> dict[str, Any]:
        """What was learnt and the states of both optimisers, under ``tensors``; beside them JSON values."""
        network, adam = self.network, self._adam.state[self.network.strengths]
        momentum = {name: self._sgd.state[weight].get("momentum_buffer") for name, weight in network.weights.items()}
        tensors = {
            "strengths": network.strengths,
            **{f"weights/{name}": weight for name, weight in network.weights.items()},
            **{f"momentum/{name}": value for name, value in {**momentum, **self._held}.items() if value is not None},
            **{f"adam/{name}": value for name, value in adam.items()},
        }
        return {"tensors": tensors, "epochs": [asdict(epoch) for epoch in self.epochs]}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from :meth:`state_dict` of a training with the same arguments."""
        found: dict[str, dict[str, Tensor]] = {"weights": {}, "momentum": {}, "adam": {}}
        for key, value in state["tensors"].items():
            kind, _, name = key.partition("/")
            found.setdefault(kind, {})[name] = value
        self.network.strengths.copy_(found["strengths"][""])
        for name, weight in self.network.weights.items():
            weight.copy_(found["weights"][name])
        self._held = found["momentum"]
        self._sgd.state.clear()
        moments = {name: value.to(self.network.device) for name, value in found["adam"].items() if name != "step"}
        self._adam.state[self.network.strengths] = {**found["adam"], **moments}
        self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]
