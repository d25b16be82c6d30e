"""Fit: the training of one network, with checkpoints from which it goes on exactly."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Container
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from archpredict.errors import TrainingError, UsageError
from archpredict.images.base import Images
from archpredict.networks import _checkpoints
from archpredict.networks.batches import Augmentation, Batches, accuracy
from archpredict.networks.network import Network
from archpredict.networks.optimizing import ADVICE, check_finite, computing, half_type, seed_of, sgd, within_memory
from archpredict.networks.recipe import Recipe
from archpredict.progress import Event, Observer, silent

__all__ = ["Epoch", "Fit"]

_FORMAT = "archpredict-fit-1"
_CHECK_EVERY = 50
"""Steps between two looks at the losses on an accelerator, where each look waits for all that was asked of it."""


@dataclass(frozen=True)
class Epoch:
    """An epoch of a training, and how it went.

    Args:
        number: Counted from 1.
        epochs: How many there are to be.
        loss: Mean over the images, as it was trained on.
        accuracy: Of the images as they were trained on, in percent.
        seconds: Wall time.
    """

    number: int
    epochs: int
    loss: float
    accuracy: float
    seconds: float

    def event(self, stage: str) -> Event:
        """The epoch as progress."""
        return Event(stage, self.number, self.epochs, {"loss": self.loss, "training accuracy": self.accuracy})


class Fit:
    """The training of a network on the train split of a data set.

    Nothing random comes from torch's global state: the order of the images, their augmentation and what drop-path
    leaves out follow from the seed and the number of the epoch. So a training that goes on from a checkpoint gives the
    same network as one that never stopped; on a CPU, with equally many threads, to the bit.

    On CUDA, products are computed in half precision: bfloat16 where the hardware has it, else float16 with a scaled
    loss. Where memory runs out, the step is done again in twice as many parts, whose gradients are added up: the batch
    of the recipe stays, but batch norms see the parts (:attr:`parts`).

    Args:
        network: Is trained in place, and moved to the device.
        images: Its ``train`` split is trained on.
        recipe: How.
        seed: Of order, augmentation and drop-path; that of the initial weights is the network's.
        device: ``cpu``, ``cuda``, ``cuda:1``.
        half: Whether to compute in half precision; None: on CUDA.

    Example:
        >>> from archpredict.images.base import load_images
        >>> from archpredict.networks.form import Form
        >>> from archpredict.networks.network import build
        >>> from archpredict.spaces import load_space
        >>> form = Form(image_size=8, image_channels=1, options={"channels": 4, "cells": 1})
        >>> network = build(form.graph(load_space("nasbench201"), (3, 1, 3, 1, 1, 3)))
        >>> fit = Fit(network, load_images("digits"), Recipe(epochs=2))
        >>> fit.run()
        >>> fit.accuracy("validation") > 60
        True
    """

    def __init__(
        self,
        network: Network,
        images: Images,
        recipe: Recipe | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
        half: bool | None = None,
    ) -> None:
        network.program.check_scores()
        self.device = torch.device(device)
        self.recipe, self.images, self.seed = recipe or Recipe(), images, seed
        self.parts = 1
        self.epochs: list[Epoch] = []
        self.network = network.to(self.device)
        for parameter in network.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        flip = images.flips if self.recipe.flip is None else self.recipe.flip
        self.batches = Batches(
            images,
            "train",
            batch_size=self.recipe.batch_size,
            device=self.device,
            augmentation=Augmentation(crop=self.recipe.crop, flip=flip, cutout=self.recipe.cutout),
            seed=seed,
        )
        self.optimizer = sgd(network.parameters(), self.recipe)
        self._half = half_type(self.device, half)
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=self._half is torch.float16)

    # ------------------------------------------------------------------ running

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return len(self.epochs)

    def run(self, until: int | None = None, *, checkpoint: Path | None = None, observe: Observer = silent) -> None:
        """Train from where it is.

        Args:
            until: Number of epochs after which to stop; None: those of the recipe.
            checkpoint: File that is replaced after each epoch.
            observe: Told of each epoch (``loss``, ``training accuracy``), when its checkpoint is there.

        Raises:
            TrainingError: A loss is not finite, or there is no memory for a single image.
        """
        last = self.recipe.epochs if until is None else min(until, self.recipe.epochs)
        while self.epoch < last:
            self.epochs.append(self._epoch(self.epoch))
            if checkpoint is not None:
                self.save(checkpoint)
            observe(self.epochs[-1].event("epoch"))

    def accuracy(self, split: str = "validation") -> float:
        """Top-1 accuracy of the network on a split in percent, as it is now.

        Raises:
            TrainingError: Its scores are not finite.
        """
        batches = Batches(
            self.images, split, batch_size=max(256, self.recipe.batch_size), device=self.device, shuffle=False
        )
        self.network.eval()
        return accuracy(self._checked_scores, batches)

    def _checked_scores(self, images: Tensor) -> Tensor:
        with computing(self.device, self._half):
            scores: Tensor = self.network(images)
        if not torch.isfinite(scores).all():
            raise TrainingError(f"the trained network gives scores that are not finite; {ADVICE}")
        return scores

    def _epoch(self, number: int) -> Epoch:
        start, network = time.perf_counter(), self.network
        network.train()
        network.drop_path = self.recipe.drop_path_in(number)
        network.generator = torch.Generator().manual_seed(seed_of(self.seed, number, "drop-path"))
        sums = torch.zeros(2, device=self.device)
        losses: list[Tensor] = []
        images = 0
        for step, (x, y) in enumerate(self.batches.epoch(number)):
            rate = self.recipe.rate(number * len(self.batches) + step, len(self.batches))
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            figures = self._step(x, y, f"in step {step + 1} of epoch {number + 1}")
            sums += figures
            losses.append(figures[0])
            images += len(y)
            if self.device.type == "cpu" or len(losses) == _CHECK_EVERY:
                check_finite(losses, number, step)
                losses = []
        check_finite(losses, number, len(self.batches) - 1)
        loss, right = (sums / images).tolist()
        return Epoch(number + 1, self.recipe.epochs, loss, 100 * right, time.perf_counter() - start)

    # ------------------------------------------------------------------ one step

    def _step(self, x: Tensor, y: Tensor, where: str) -> Tensor:
        """Sum of the losses and number of images that are right, before the step."""
        figures, self.parts = within_memory(partial(self._gradients, x, y), self.parts, len(y), where)
        self._scaler.unscale_(self.optimizer)
        if self.recipe.clip:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        return figures

    def _gradients(self, x: Tensor, y: Tensor, parts: int) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        figures = torch.zeros(2, device=self.device)
        for part, target in zip(x.tensor_split(parts), y.tensor_split(parts), strict=True):
            with computing(self.device, self._half):
                scores = self.network(part)
            loss = F.cross_entropy(scores.float(), target, label_smoothing=self.recipe.label_smoothing, reduction="sum")
            scaled: Tensor = self._scaler.scale(loss / len(y))
            scaled.backward()  # type: ignore[no-untyped-call]
            figures += torch.stack([loss.detach(), (scores.detach().argmax(1) == target).sum().to(loss.dtype)])
        return figures

    # ------------------------------------------------------------------ checkpoints

    def save(self, path: Path) -> None:
        """Write a checkpoint: weights, running averages, momentum and what they belong to."""
        about = {
            "belongs_to": self._belongs_to(),
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "parts": self.parts,
            "scaler": self._scaler.state_dict(),
        }
        _checkpoints.write(path, _FORMAT, self._tensors(), about)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            DataError: It is missing or damaged.
            UsageError: It is of another network, data set, recipe or seed; the message says which.
        """
        tensors, about = _checkpoints.read(path, _FORMAT)
        for what, mine in self._belongs_to().items():
            theirs = about["belongs_to"].get(what)
            if theirs != mine:
                raise UsageError(_differs(path, what, theirs, mine))
        with torch.no_grad():
            for name, value in self._tensors(tensors).items():
                value.copy_(tensors[name])
        self.epochs = [Epoch(**epoch) for epoch in about["epochs"]]
        self.parts = int(about["parts"])
        if about["scaler"]:
            self._scaler.load_state_dict(about["scaler"])

    def _tensors(self, known: Container[str] = ()) -> dict[str, Tensor]:
        """All that a training changes, by name; there is momentum after the first step that has a gradient.

        Args:
            known: Names of which momentum is made where there is none yet.
        """
        found = {f"network/{name}": value for name, value in self.network.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            key, state = f"momentum/{name}", self.optimizer.state[parameter]
            if key in known:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            if state.get("momentum_buffer") is not None:
                found[key] = state["momentum_buffer"]
        return found

    def _belongs_to(self) -> dict[str, Any]:
        graph = self.network.graph
        return {
            "network": hashlib.sha256(graph.to_json().encode()).hexdigest(),
            "data set": self.images.sha256,
            "recipe": self.recipe.describe(),
            "seed": self.seed,
        }


def _differs(path: Path, what: str, theirs: Any, mine: Any) -> str:
    if isinstance(theirs, dict) and isinstance(mine, dict):
        names = [name for name in mine if theirs.get(name) != mine[name]]
        shown = ", ".join(f"{name} {theirs.get(name)} there and {mine[name]} now" for name in names)
        return f"the checkpoint {path} was trained by another {what}: {shown}; go on with the one it was started with"
    return f"the checkpoint {path} is of another {what}; go on with the one it was started with"
