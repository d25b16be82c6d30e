"""Training of a supernet: which architectures each step trains, the loop, checkpoints and exact resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from archpredict.errors import UsageError
from archpredict.images.base import Images
from archpredict.networks import _checkpoints
from archpredict.networks.batches import Augmentation, Batches
from archpredict.networks.extremes import largest, smallest
from archpredict.networks.fitting import Epoch
from archpredict.networks.optimizing import check_finite, computing, half_type, seed_of, sgd, within_memory
from archpredict.networks.program import Program
from archpredict.networks.recipe import Recipe
from archpredict.networks.supernet import Supernet, joint, part
from archpredict.progress import Observer, silent
from archpredict.runtime import one_thread
from archpredict.spaces.base import Choices

__all__ = ["Sampling", "SupernetTraining"]

FORMAT = "archpredict-supernet-1"
_CHECK_EVERY = 50
"""Steps between two looks at the losses on an accelerator, where each look waits for all that was asked of it."""


@dataclass(frozen=True)
class Sampling:
    """The sampling of the architectures that a step trains.

    Without more it is one, drawn by the space (single-path one-shot with uniform sampling, Guo et al. 2019, arXiv
    1904.00420, section 3.2). The sandwich rule (Yu and Huang 2019, arXiv 1903.05134, section 3.1) trains the largest
    and the smallest one in each step too, so that all between these get better together; it is made for elastic spaces,
    where small networks are parts of large ones. The gradient of a step is the mean over its architectures (there it
    is the sum), so that a learning rate means the same for any number of them.

    Args:
        paths: Architectures that are drawn per step.
        sandwich: Whether the largest and the smallest one are trained in each step.
        distillation: Whether all but the largest learn what that one says of the images instead of the labels
            (in-place distillation, section 3.2 there).

    Raises:
        UsageError: No architecture is drawn, or the one to learn from is not trained.
    """

    paths: int = 1
    sandwich: bool = False
    distillation: bool = False

    def __post_init__(self) -> None:
        if self.paths < 1:
            raise UsageError(f"a step draws at least 1 architecture, {self.paths} were asked for")
        if self.distillation and not self.sandwich:
            raise UsageError("distillation learns from the largest architecture, which the sandwich rule alone trains")


class SupernetTraining:
    """The training of a supernet on the train split of a data set. What a step does not use stays as it is.

    The parts of the weights that the architectures of a step take, and nothing else, make a step of the recipe's SGD:
    what lies outside is neither drawn to zero by weight decay, nor does it drift on by its momentum, which waits until
    it is used again. Where architectures of one step take parts of different sizes, that is the box around all of
    them. With one architecture in the space this is what :class:`Fit <archpredict.networks.fitting.Fit>` does.

    Which images and architectures a step sees follows from the seed and the number of the step alone. So a training
    that goes on from a checkpoint gives the same weights as one that never stopped; on a CPU, with equally many
    threads, to the bit. Half precision and the lack of memory are dealt with as in ``Fit``.

    Args:
        supernet: Trained in place; its seed is that of everything random.
        images: Its ``train`` split is trained on.
        recipe: How.
        sampling: Which architectures.
        half: Whether to compute in half precision; None: on CUDA.
        draw: Draws ``(n, L)`` choices, given how many and a generator; None: the space does, uniformly.

    Raises:
        UsageError: The images are not of the supernet's form.

    Example:
        >>> from archpredict.images.base import load_images
        >>> from archpredict.networks.form import Form
        >>> from archpredict.spaces.base import load_space
        >>> form = Form(image_size=8, image_channels=1, options={"channels": 2, "cells": 1})
        >>> supernet = Supernet(load_space("nasbench201"), form)
        >>> training = SupernetTraining(supernet, load_images("digits"), Recipe(epochs=2))
        >>> training.run()
        >>> training.epochs[1].loss < training.epochs[0].loss
        True
    """

    def __init__(
        self,
        supernet: Supernet,
        images: Images,
        recipe: Recipe | None = None,
        sampling: Sampling | None = None,
        *,
        half: bool | None = None,
        draw: Callable[[int, np.random.Generator], npt.NDArray[np.int64]] | None = None,
    ) -> None:
        supernet.check_images(images)
        self.supernet, self.images = supernet, images
        self.recipe, self.sampling = recipe or Recipe(), sampling or Sampling()
        self.parts = 1
        self.epochs: list[Epoch] = []
        self.momentum: dict[str, Tensor] = {}
        flip = images.flips if self.recipe.flip is None else self.recipe.flip
        self.batches = Batches(
            images,
            "train",
            batch_size=self.recipe.batch_size,
            device=supernet.device,
            augmentation=Augmentation(crop=self.recipe.crop, flip=flip, cutout=self.recipe.cutout),
            seed=supernet.seed,
        )
        finders = (largest, smallest) if self.sampling.sandwich else ()
        self._draw = draw or supernet.space.sample
        self._ends = [find(supernet.space, supernet.form) for find in finders]
        self._half = half_type(supernet.device, half)
        self._scaler = torch.amp.GradScaler(supernet.device.type, enabled=self._half is torch.float16)

    # ------------------------------------------------------------------ running

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return len(self.epochs)

    def run(
        self,
        until: int | None = None,
        *,
        checkpoint: Path | None = None,
        about: Mapping[str, Any] | None = None,
        observe: Observer = silent,
        reproducible: bool = False,
    ) -> None:
        """Train from where it is.

        Args:
            until: Number of epochs after which to stop; None: those of the recipe.
            checkpoint: File that is there from before the first step on, and replaced after each epoch.
            about: What else the checkpoint is to know, as JSON.
            observe: Told of each epoch (``loss``, ``training accuracy``), when its checkpoint is there.
            reproducible: Compute with one thread on a CPU, so that the weights depend on the seed alone.

        Raises:
            TrainingError: A loss is not finite, or there is no memory for two images; the checkpoint of the epoch
                before stays.
        """
        last = self.recipe.epochs if until is None else min(until, self.recipe.epochs)
        if checkpoint is not None and not self.epochs:
            self.save(checkpoint, about)
        while self.epoch < last:
            with one_thread() if reproducible else nullcontext():
                self.epochs.append(self._epoch(self.epoch))
            if checkpoint is not None:
                self.save(checkpoint, about)
            observe(self.epochs[-1].event("supernet epoch"))

    def _epoch(self, number: int) -> Epoch:
        start = time.perf_counter()
        generator = torch.Generator().manual_seed(seed_of(self.supernet.seed, number, "drop-path"))
        sums = torch.zeros(2, device=self.supernet.device)
        losses: list[Tensor] = []
        images = 0
        for step, (x, y) in enumerate(self.batches.epoch(number)):
            figures = self.step(number, step, x, y, generator)
            sums += figures
            losses.append(figures[0])
            images += len(y)
            if self.supernet.device.type == "cpu" or len(losses) == _CHECK_EVERY:
                check_finite(losses, number, step)
                losses = []
        check_finite(losses, number, len(self.batches) - 1)
        loss, right = (sums / images).tolist()
        return Epoch(number + 1, self.recipe.epochs, loss, 100 * right, time.perf_counter() - start)

    # ------------------------------------------------------------------ one step

    def choices_of(self, number: int) -> list[Choices]:
        """The architectures of a step: the largest and the smallest one where these are trained, then those drawn.

        Args:
            number: Of the step, counted from 0 over all epochs.
        """
        rng = np.random.default_rng([self.supernet.seed, number])
        drawn = self._draw(self.sampling.paths, rng).tolist()
        return [*self._ends, *map(tuple, drawn)]

    def step(self, epoch: int, step: int, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Train the architectures of a step on a batch.

        Args:
            epoch: Counted from 0.
            step: In the epoch, counted from 0.
            x: ``(B, C, H, W)`` images.
            y: ``(B,)`` labels.
            generator: Of what drop-path leaves out.

        Returns:
            Sum of the losses and number of images that are right before the step, means over the architectures.
        """
        number = epoch * len(self.batches) + step
        programs = [self.supernet.program(choices) for choices in self.choices_of(number)]
        self.supernet.grow(programs)
        leaves = self._leaves(programs)

        forward = partial(self.supernet.run, drop_path=self.recipe.drop_path_in(epoch), generator=generator)

        def gradients(parts: int) -> Tensor:
            for leaf in leaves.values():
                leaf.grad = None
            pieces = zip(x.tensor_split(parts), y.tensor_split(parts), strict=True)
            return torch.stack([self._gradients(forward, programs, leaves, *piece) for piece in pieces]).sum(0)

        figures, self.parts = within_memory(gradients, self.parts, len(y), f"in step {step + 1} of epoch {epoch + 1}")
        self._descend(leaves, self.recipe.rate(number, len(self.batches)))
        return figures

    def _leaves(self, programs: Sequence[Program]) -> dict[str, Tensor]:
        """The parts of the store that a step trains, sharing its memory, with gradients of their own size."""
        shapes: dict[str, list[tuple[int, ...]]] = {}
        for program in programs:
            for name, shape in program.shapes.items():
                shapes.setdefault(name, []).append(shape)
        weights = self.supernet.weights
        return {name: part(weights[name].detach(), joint(found)).requires_grad_() for name, found in shapes.items()}

    def _gradients(
        self,
        forward: Callable[..., Tensor],
        programs: Sequence[Program],
        leaves: Mapping[str, Tensor],
        x: Tensor,
        y: Tensor,
    ) -> Tensor:
        """Gradients of the mean loss, one architecture after another: memory holds what one of them needs."""
        figures, target = torch.zeros(2, device=x.device), y
        for program in programs:
            tensors = {name: part(leaves[name], shape) for name, shape in program.shapes.items()}
            with computing(x.device, self._half):
                scores = forward(program, x, tensors=tensors).float()
            smoothing = self.recipe.label_smoothing if target is y else 0.0
            loss = F.cross_entropy(scores, target, label_smoothing=smoothing, reduction="sum")
            scaled: Tensor = self._scaler.scale(loss / (self.batches.batch_size * len(programs)))
            scaled.backward()  # type: ignore[no-untyped-call]
            if self.sampling.distillation and target is y:
                target = scores.detach().softmax(1)
            figures += torch.stack([loss.detach(), (scores.detach().argmax(1) == y).sum().to(loss.dtype)])
        return figures / len(programs)

    def _descend(self, leaves: Mapping[str, Tensor], rate: float) -> None:
        """A step of an optimiser that knows these leaves alone; their momentum is kept from the last step they made."""
        optimizer = sgd(leaves.values(), self.recipe)
        for group in optimizer.param_groups:
            group["lr"] = rate
        for name, leaf in leaves.items():
            optimizer.state[leaf]["momentum_buffer"] = part(self._momentum(name), leaf.shape)
        self._scaler.unscale_(optimizer)
        if self.recipe.clip:
            torch.nn.utils.clip_grad_norm_(leaves.values(), self.recipe.clip)
        self._scaler.step(optimizer)
        self._scaler.update()

    def _momentum(self, name: str) -> Tensor:
        """The momentum of a weight, with zeros where the weight has grown."""
        weight, held = self.supernet.weights[name].detach(), self.momentum.get(name)
        if held is None or held.shape != weight.shape:
            grown = torch.zeros_like(weight)
            if held is not None:
                part(grown, held.shape).copy_(held)
            self.momentum[name] = grown
        return self.momentum[name]

    # ------------------------------------------------------------------ checkpoints

    def save(self, path: Path, about: Mapping[str, Any] | None = None) -> None:
        """Write a checkpoint: weights, momentum while there are epochs left, and what they belong to."""
        state = self.state_dict()
        tensors = state.pop("tensors")
        _checkpoints.write(path, FORMAT, tensors, {**(about or {}), "belongs_to": self.belongs_to(), **state})

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            DataError: It is missing or damaged.
            UsageError: It is of another space, form, data set, recipe or seed; the message says which.
        """
        tensors, about = _checkpoints.read(path, FORMAT)
        for what, mine in self.belongs_to().items():
            if about["belongs_to"].get(what) != mine:
                raise UsageError(
                    f"the checkpoint {path} is of another {what}: {about['belongs_to'].get(what)} there and {mine} "
                    "now; go on with what it was started with"
                )
        self.load_state_dict({**about, "tensors": tensors})

    def state_dict(self) -> dict[str, Any]:
        """Weights, and momentum while there are epochs left, under ``tensors``; beside them JSON values."""
        tensors = {f"weights/{name}": value for name, value in self.supernet.weights.items()}
        if self.epoch < self.recipe.epochs:
            tensors.update({f"momentum/{name}": value for name, value in self.momentum.items()})
        return {
            "tensors": tensors,
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "parts": self.parts,
            "scaler": self._scaler.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from :meth:`state_dict`; its tensors become those of the training."""
        parts = {"weights": self.supernet.weights, "momentum": self.momentum}
        for held in parts.values():
            held.clear()
        for key, value in state["tensors"].items():
            kind, _, name = key.partition("/")
            parts[kind][name] = value.to(self.supernet.device).requires_grad_(kind == "weights")
        self.epochs = [Epoch(**epoch) for epoch in state["epochs"]]
        self.parts = int(state["parts"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])

    def belongs_to(self) -> dict[str, Any]:
        """The description of what decides the weights, as JSON."""
        return {
            **self.supernet.describe(),
            "data set": self.images.describe(),
            "recipe": self.recipe.describe(),
            "sampling": asdict(self.sampling),
        }
