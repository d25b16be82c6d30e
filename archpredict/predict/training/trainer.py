"""Trainer: one model and its training, in one go or a few epochs at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch, batched
from archpredict.graph.packed import PackedGraphs
from archpredict.metrics import kendall_tau
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.training.model import Model, as_tensor, encode, shared_part
from archpredict.predict.training.optimizer import Adam, Flat, Leaves
from archpredict.predict.training.training import PseudoPairs, Training
from archpredict.progress import Event, Observer, silent
from archpredict.runtime import Dropout, few_threads, seeded


def trained(done: int, total: int, loss: float) -> Event:
    """The event after an epoch; a loss that is not a number is not told."""
    return Event("training", done, total, {} if math.isnan(loss) else {"loss": loss})


def dropouts(model: nn.Module) -> list[Dropout]:
    """The places of a model where units are dropped."""
    return [module for module in model.modules() if isinstance(module, Dropout)]


def draw_from(places: Sequence[Dropout], generators: Sequence[np.random.Generator]) -> None:
    """Let dropout draw from these generators, one for each member."""
    for place in places:
        place.generators = generators


class GraphBatches:
    """Batches of labelled graphs, of which the last one is kept: a small training set is one batch in every epoch.

    Args:
        graphs: All of them.
        device: Where batches go.
    """

    def __init__(self, graphs: PackedGraphs, device: torch.device) -> None:
        self._graphs, self._device = graphs, device
        self._last: tuple[npt.NDArray[np.int64], GraphBatch] | None = None

    def of(self, index: npt.NDArray[np.int64]) -> GraphBatch:
        """The graphs of these numbers."""
        if self._last is None or not np.array_equal(self._last[0], index):
            self._last = index, batched(self._graphs[index], self._device)
        return self._last[1]


class Trainer:
    """Trains one model, in one go or a few epochs at a time.

    Args:
        model: Trained in place.
        spec: What it reads.
        inputs: ``n`` labelled architectures.
        y: ``(n,)`` labels.
        training: How.
        seed: Order of mini-batches, pairs and dropout, and what is held out.
        device: Where the model is.
    """

    def __init__(
        self,
        model: Model,
        spec: InputSpec,
        inputs: Inputs,
        y: npt.NDArray[np.floating[Any]],
        training: Training,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        self.model, self.spec, self.seed, self.device = model, spec, seed, device
        held = round(training.held_out * len(inputs))
        order = np.random.default_rng([seed, 0]).permutation(len(inputs)) if held else np.arange(len(inputs))
        if training.held_out > 0 and (held < 2 or len(inputs) - held < 2):
            raise UsageError(
                f"held_out={training.held_out} of {len(inputs)} labels leaves {held} to stop by and "
                f"{len(inputs) - held} to train on; both must be at least 2"
            )
        self._held, kept = order[:held], order[held:]
        self.training, self.num_batches = training.of_labels(len(kept)), training.num_batches(len(kept))
        self._inputs, self._y = inputs, np.asarray(y, dtype=np.float32)
        self.inputs = inputs if not held else inputs[kept]
        if model.encoder is not None:
            _ = self.inputs.graphs.levels  # found once here, and taken along by every mini-batch
        self.batches = GraphBatches(self.inputs.graphs, device)
        self.side = shared_part(as_tensor(spec.side(self.inputs), device), spec)
        self.y = torch.as_tensor(self._y[kept]).to(device)
        self._dropouts = dropouts(model)
        flat = Flat([model])
        self.optimizer = self.adam(flat.values[0], flat.gradients[0], flat.leaves[0])
        self.epochs_done = 0
        self.steps_done = 0

    def adam(self, values: Tensor, gradients: Tensor, leaves: Leaves) -> Adam:
        """The optimiser that is asked for, of these values."""
        how = self.training
        return Adam(
            values,
            gradients,
            leaves,
            rate=how.learning_rate,
            betas=how.betas,
            weight_decay=how.weight_decay,
            decoupled=how.optimizer == "adamw",
        )

    @property
    def epochs(self) -> int:
        """How many epochs :meth:`fit` takes at most."""
        return self.training.epochs

    @property
    def has_held_out(self) -> bool:
        """Whether a share of the labels is kept aside to stop by."""
        return len(self._held) > 0

    def fit(self, observer: Observer = silent) -> None:
        """All epochs of the training, or until the held-out tau stops rising.

        Args:
            observer: Told after each epoch, and of all epochs where it stops early.
        """
        best, best_epoch, best_weights = -np.inf, 0, None
        for epoch in range(1, self.training.epochs + 1):
            loss = self.epoch()
            observer(trained(epoch, self.epochs, loss))
            if not len(self._held):
                continue
            tau = self._held_out_tau()
            if tau > best or best_weights is None:
                best, best_epoch = tau, epoch
                best_weights = {name: value.clone() for name, value in self.model.state_dict().items()}
            elif epoch - best_epoch >= self.training.patience:
                if epoch < self.epochs:
                    observer(trained(self.epochs, self.epochs, loss))
                break
        if best_weights is not None:
            self.model.load_state_dict(best_weights)

    @torch.no_grad()
    def _held_out_tau(self) -> float:
        held = self._inputs[self._held]
        z = encode([self.model], self.spec, held, self.device)[0]
        tau = kendall_tau(self._y[self._held], self.model.head.score(z).cpu().numpy())
        return tau if np.isfinite(tau) else -1.0

    def epoch(self, pseudo: PseudoPairs | None = None, share: float = 0.0) -> float:
        """One pass over the labelled architectures; returns the mean loss.

        Args:
            pseudo: Pairs with predicted labels to mix in.
            share: Their share ``r`` of a step's loss, below 1 (CTNAS, section 6.3: of its pairs, which is the same
                where the head compares each architecture with one other).
        """
        rng, losses = self._rng(), []
        draw_from(self._dropouts, [self.generator()])
        with seeded(self.seed, self.epochs_done), few_threads(len(self.inputs.graphs.op) // self.num_batches):
            self.model.train()
            for index in self.order(rng):
                loss = self._loss(index)
                if pseudo is not None and share > 0 and len(pseudo.target):
                    size = max(1, round(len(index) * share / (1 - share)))
                    loss = (1 - share) * loss + share * self._pseudo_loss(pseudo, size, rng)
                self.optimizer.rate = self.next_rate()
                self.optimizer.minimize(loss)
                losses.append(loss.detach())
        self.epochs_done += 1
        return float(torch.stack(losses).mean())

    def slow_down(self, factor: float) -> None:
        """Go on at a constant rate, ``factor`` times the training's."""
        self.training = replace(self.training, schedule="constant")
        self.optimizer.rate = self.training.learning_rate * factor

    def _loss(self, index: npt.NDArray[np.int64]) -> Tensor:
        rows = torch.from_numpy(index).to(self.device)
        batch = self.batches.of(index) if self.model.encoder is not None else None
        z = self.model(batch, None if self.side is None else self.side[rows])
        return self.model.head.loss(z, self.y[rows])

    def _pseudo_loss(self, pseudo: PseudoPairs, size: int, rng: np.random.Generator) -> Tensor:
        chosen = rng.choice(len(pseudo.target), size=size, replace=size > len(pseudo.target))
        used, place = np.unique(np.concatenate([pseudo.first[chosen], pseudo.second[chosen]]), return_inverse=True)
        inputs = pseudo.inputs[used]
        batch = batched(inputs.graphs, self.device) if self.model.encoder is not None else None
        side = shared_part(as_tensor(self.spec.side(inputs), self.device), self.spec)
        z = self.model(batch, side)[torch.from_numpy(place).to(self.device)]
        target = torch.from_numpy(pseudo.target[chosen]).to(self.device)
        return self.model.head.pair_loss(z[:size], z[size:], target)

    def order(self, rng: np.random.Generator | None = None) -> list[npt.NDArray[np.int64]]:
        """The mini-batches of the next epoch; where there is one, always in the same order."""
        if self.num_batches == 1:
            return [np.arange(len(self.inputs))]
        shuffled = (rng or self._rng()).permutation(len(self.inputs))
        return list(np.array_split(shuffled, self.num_batches))

    def generator(self) -> np.random.Generator:
        """What the next epoch's dropout draws from."""
        return np.random.default_rng([self.seed, self.epochs_done, 1])

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.epochs_done])

    def next_rate(self) -> float:
        """Learning rate of the next step."""
        if self.training.schedule == "constant":
            return self.optimizer.rate
        total = max(1, self.training.epochs * self.num_batches)
        step = min(self.steps_done, total - 1)
        warmup = max(1, round(0.05 * total))
        factor = min(1.0, (step + 1) / warmup) * 0.5 * (1 + np.cos(np.pi * step / total))
        self.steps_done += 1
        return float(self.training.learning_rate * factor)
