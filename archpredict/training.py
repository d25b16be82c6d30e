"""How a model of one encoder and one head is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from archpredict.batch import batched
from archpredict.encoders.base import Encoder
from archpredict.errors import UnknownNameError, UsageError
from archpredict.heads.base import Head
from archpredict.packed import PackedGraphs

_CHUNK = 2048
"""Architectures encoded at once: few enough to stay in the processor's caches."""


_WORTH_SHARING = 20_000
"""Nodes in a step from which a second thread is worth its waiting."""


@dataclass(frozen=True)
class Recipe:
    """Optimiser, schedule and sizes of a training.

    Args:
        epochs: Passes over the labelled architectures.
        batch_size: Architectures per step, about: an epoch is cut into batches of equal size. Pairs are formed within
            a batch, so that no batch has fewer than two architectures.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled for ``adamw``, added to the gradient for ``adam``.
        optimizer: ``adamw`` or ``adam``.
        betas: Moment decay rates.
        schedule: ``cosine`` to zero after 5 % of warm-up, or ``constant``.

    Raises:
        UsageError: A number of epochs or a batch size below 1, an unknown optimiser or schedule.
    """

    epochs: int = 120
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    optimizer: Literal["adamw", "adam"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: Literal["cosine", "constant"] = "cosine"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is a number of at least 1, {getattr(self, name)} was given")
        if self.optimizer not in ("adamw", "adam"):
            raise UnknownNameError("optimizer", self.optimizer, ("adamw", "adam"))
        if self.schedule not in ("cosine", "constant"):
            raise UnknownNameError("schedule", self.schedule, ("cosine", "constant"))


@dataclass(frozen=True)
class PseudoPairs:
    """Pairs of unlabelled architectures with predicted labels (data exploration).

    Args:
        packed: The architectures.
        first, second: ``(P,)`` indices into ``packed``.
        target: ``(P,)`` probability that the first is better.
    """

    packed: PackedGraphs
    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    target: npt.NDArray[np.float32]


class Model(nn.Module):
    """An encoder with its head."""

    def __init__(self, encoder: Encoder, head: Head) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head


@torch.no_grad()
def encode(models: Sequence[Model], packed: PackedGraphs, device: torch.device) -> list[Tensor]:
    """``(G, D)`` encodings by each model in evaluation mode; each architecture is batched once for all models."""
    parts: list[list[Tensor]] = [[torch.zeros(0, m.encoder.out_features, device=device)] for m in models]
    with few_threads(len(packed.op)):
        for start in range(0, len(packed), _CHUNK):
            batch = batched(packed[start : start + _CHUNK], device)
            for model, encodings in zip(models, parts, strict=True):
                model.eval()
                encodings.append(model.encoder(batch))
    return [torch.cat(encodings) for encodings in parts]


@contextmanager
def few_threads(nodes: int) -> Iterator[None]:
    """Work on one thread where tensors of ``nodes`` rows are too small to share out.

    For cells a second thread gains nothing, and where other processes keep the cores busy its waiting costs a multiple
    of the work itself.
    """
    before = torch.get_num_threads()
    if nodes > _WORTH_SHARING or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(*seed: int) -> Iterator[None]:
    """Run with torch's random numbers on the CPU set by ``seed``, and leave the global generators as they were."""
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would set the generators of CUDA devices too; nothing here draws from those.
        torch.default_generator.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        yield


class Trainer:
    """Trains one model, in one go or a few epochs at a time.

    Args:
        model: Trained in place.
        packed: ``n`` labelled architectures.
        y: ``(n,)`` labels.
        recipe: How.
        seed: Order of mini-batches, pairs and dropout.
        device: Where the model is.
    """

    def __init__(
        self,
        model: Model,
        packed: PackedGraphs,
        y: npt.NDArray[np.floating[Any]],
        recipe: Recipe,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        self.model, self.packed, self.recipe, self.seed, self.device = model, packed, recipe, seed, device
        self.y = torch.as_tensor(np.asarray(y, dtype=np.float32)).to(device)
        kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[recipe.optimizer]
        self.optimizer = kind(
            model.parameters(), lr=recipe.learning_rate, betas=recipe.betas, weight_decay=recipe.weight_decay
        )
        self.epochs_done = 0
        self._step = 0
        self.num_batches = max(1, min(round(len(packed) / recipe.batch_size), len(packed) // 2))

    def fit(self, observe: Callable[[int, float], None] | None = None) -> None:
        """All epochs of the recipe."""
        for epoch in range(self.recipe.epochs):
            loss = self.epoch()
            if observe is not None:
                observe(epoch + 1, loss)

    def epoch(self, pseudo: PseudoPairs | None = None, share: float = 0.0) -> float:
        """One pass over the labelled architectures; returns the mean loss.

        Args:
            pseudo: Pairs with predicted labels to mix in.
            share: Their share ``r`` of a step's loss, below 1 (CTNAS, section 6.3: of its pairs, which is the same
                where the head compares each architecture with one other).
        """
        rng = np.random.default_rng([self.seed, self.epochs_done])
        losses = []
        with seeded(self.seed, self.epochs_done), few_threads(len(self.packed.op) // self.num_batches):
            self.model.train()
            for index in np.array_split(rng.permutation(len(self.packed)), self.num_batches):
                loss = self._loss(index)
                if pseudo is not None and share > 0 and len(pseudo.target):
                    size = max(1, round(len(index) * share / (1 - share)))
                    loss = (1 - share) * loss + share * self._pseudo_loss(pseudo, size, rng)
                self._set_rate()
                self.optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
                losses.append(loss.detach())
        self.epochs_done += 1
        return float(torch.stack(losses).mean())

    def _loss(self, index: npt.NDArray[np.int64]) -> Tensor:
        z = self.model.encoder(batched(self.packed[index], self.device))
        return self.model.head.loss(z, self.y[torch.from_numpy(index).to(self.device)])

    def _pseudo_loss(self, pseudo: PseudoPairs, size: int, rng: np.random.Generator) -> Tensor:
        chosen = rng.choice(len(pseudo.target), size=size, replace=size > len(pseudo.target))
        used, place = np.unique(np.concatenate([pseudo.first[chosen], pseudo.second[chosen]]), return_inverse=True)
        z = self.model.encoder(batched(pseudo.packed[used], self.device))[torch.from_numpy(place).to(self.device)]
        target = torch.from_numpy(pseudo.target[chosen]).to(self.device)
        return self.model.head.pair_loss(z[:size], z[size:], target)

    def _set_rate(self) -> None:
        if self.recipe.schedule == "constant":
            return
        total = max(1, self.recipe.epochs * self.num_batches)
        step = min(self._step, total - 1)
        warmup = max(1, round(0.05 * total))
        factor = min(1.0, (step + 1) / warmup) * 0.5 * (1 + np.cos(np.pi * step / total))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * factor
        self._step += 1
