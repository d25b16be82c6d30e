"""Training: its options, a model of one encoder and one head, and the trainer of one model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.encoders.base import Encoder
from archpredict.errors import UsageError
from archpredict.graph.batch import GraphBatch, batched
from archpredict.heads.base import Head
from archpredict.metrics import kendall_tau
from archpredict.predict.calibration import Target
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.optimizer import Adam, Flat, Leaves
from archpredict.progress import Event, Observer, silent
from archpredict.registry.arguments import (
    check_choice,
    check_integer,
    check_not_negative,
    check_positive,
    check_share,
)
from archpredict.runtime import Dropout, few_threads, owned, seeded

__all__ = ["PseudoPairs", "Training"]

CHUNK = 1024
"""Architectures encoded at once: few enough to stay in the processor's caches."""

_NODES = 32_768
"""Nodes encoded at once, where architectures are large: these bound the memory."""

_CHOICES = {"optimizer": ("adamw", "adam"), "schedule": ("cosine", "constant"), "target": ("ranks", "values")}


@dataclass(frozen=True, repr=False)
class Training:
    """How the networks of a predictor are made and trained: optimiser, schedule, sizes, pre-training, target.

    It never changes; :meth:`Predictor.set_params <archpredict.predict.predictor.Predictor.set_params>` with names such
    as ``training__epochs``, or :func:`dataclasses.replace`, make another one. Two are equal if all values are.

    Args:
        epochs: Passes over the labelled architectures.
        batch_size: Architectures per step, about: an epoch is cut into batches of equal size. Pairs are formed within
            a batch, so that no batch has fewer than two architectures.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled for ``adamw``, added to the gradient for ``adam``.
        optimizer: ``adamw`` or ``adam``.
        betas: Moment decay rates.
        schedule: ``cosine`` to zero after 5 % of warm-up, or ``constant``.
        held_out: Share of the labelled architectures kept aside for early stopping: the weights of the epoch with the
            best Kendall's tau on them are kept. 0 trains on all of them to the end.
        patience: With ``held_out``, stop after so many epochs without a better tau.
        pretrain: Steps for which encoders first learn to tell the statistics of random architectures of the space
            (:mod:`archpredict.predict.pretraining`); 0 for none. Bare graphs name no space, and choices no graph:
            there it is left out.
        target: What is learnt: ``ranks`` of the labels, as normal scores, or their ``values``.
        side_width: Units of the layer that takes in the numbers beside the graph.
        side_dropout: Share of these numbers dropped while training; if left out 0.3, and more where there are many, so
            that about 130 are left.

    Raises:
        UsageError: A value out of its range or of a wrong type.

    Example:
        >>> Training(epochs=30, target="values")
        Training(epochs=30, target='values')
        >>> Training(learning_rate=-1.0)
        Traceback (most recent call last):
        archpredict.errors.UsageError: learning_rate is a finite number above 0, -1.0 was given
    """

    epochs: int = 120
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    optimizer: Literal["adamw", "adam"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: Literal["cosine", "constant"] = "cosine"
    held_out: float = 0.0
    patience: int = 20
    pretrain: int = 400
    target: Target = "ranks"
    side_width: int = 64
    side_dropout: float | None = None

    def __post_init__(self) -> None:
        for name, least in {"epochs": 1, "batch_size": 1, "patience": 1, "pretrain": 0, "side_width": 1}.items():
            check_integer(name, getattr(self, name), least)
        check_positive("learning_rate", self.learning_rate)
        check_not_negative("weight_decay", self.weight_decay)
        check_share("held_out", self.held_out)
        if self.side_dropout is not None:
            check_share("side_dropout", self.side_dropout)
        for name, choices in _CHOICES.items():
            check_choice(name, getattr(self, name), choices)
        if not isinstance(self.betas, (tuple, list)) or len(self.betas) != 2:
            raise UsageError(f"betas are two numbers of at least 0 and below 1, {self.betas!r} was given")
        for i, beta in enumerate(self.betas):
            check_share(f"betas[{i}]", beta)
        object.__setattr__(self, "betas", tuple(self.betas))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All values by name, as scikit-learn asks for them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __sklearn_clone__(self) -> Training:
        return self

    def __repr__(self) -> str:
        changed = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"Training({', '.join(changed)})"


@dataclass(frozen=True, eq=False)
class PseudoPairs:
    """Pairs of unlabelled architectures with predicted labels (data exploration).

    Args:
        inputs: The architectures.
        first, second: ``(P,)`` indices into ``inputs``.
        target: ``(P,)`` probability that the first is better.
    """

    inputs: Inputs
    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    target: npt.NDArray[np.float32]


class Model(nn.Module):
    """An encoder, numbers beside the graph, and a head that reads both.

    ``z = [encoder(graph) ; relu(W dropout(side))]``; either part may be missing.

    Args:
        encoder: None reads the numbers alone.
        head: On ``z``.
        side: ``(F, width)`` of the layer that takes the numbers in, None without.
        dropout: Share of the numbers dropped while training.
    """

    def __init__(
        self, encoder: Encoder | None, head: Head, side: nn.Linear | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.encoder, self.head, self.side = encoder, head, side
        self.dropout = Dropout(dropout)
        self.out_features = (encoder.out_features if encoder else 0) + (side.out_features if side else 0)

    def forward(self, batch: GraphBatch | None, side: Tensor | None) -> Tensor:
        """``(B, D)`` encodings."""
        parts = []
        if self.encoder is not None and batch is not None:
            parts.append(self.encoder(batch))
        if self.side is not None and side is not None:
            parts.append(F.relu(self.side(self.dropout(side))))
        return torch.cat(parts, dim=1)


@torch.no_grad()
def encode(models: Sequence[Model], spec: InputSpec, inputs: Inputs, device: torch.device) -> list[Tensor]:
    """``(G, D)`` encodings by each model in evaluation mode, then the numbers beside the graph, ``(G, F)``.

    Each architecture is batched, and its numbers computed, once for all models.
    """
    parts: list[list[Tensor]] = [[] for _ in range(len(models) + 1)]
    for chunk in _chunks(inputs):
        with few_threads(len(chunk.graphs.op)):
            side = _tensor(spec.side(chunk), device)
            batch = batched(chunk.graphs, device) if any(m.encoder is not None for m in models) and len(chunk) else None
            for model, encodings in zip(models, parts[:-1], strict=True):
                model.eval()
                empty = torch.zeros(0, model.out_features, device=device)
                encodings.append(model(batch, side) if len(chunk) else empty)
            parts[-1].append(torch.zeros(len(chunk), 0, device=device) if side is None else side)
    return [torch.cat(encodings) for encodings in parts]


def _chunks(inputs: Inputs) -> Iterator[Inputs]:
    """Pieces to encode at once, one at least, none of which is empty unless all are."""
    start, nodes = 0, inputs.graphs.node_start
    while True:
        enough = int(np.searchsorted(nodes, nodes[start] + _NODES, side="right")) - 1
        end = min(start + CHUNK, max(start + 1, enough))
        yield inputs[start:end]
        if end >= len(inputs):
            return
        start = end


def _tensor(values: npt.NDArray[np.float32] | None, device: torch.device) -> Tensor | None:
    return None if values is None else owned(values, device)


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
        self.model, self.spec, self.training, self.seed, self.device = model, spec, training, seed, device
        held = round(training.held_out * len(inputs))
        order = np.random.default_rng([seed, 0]).permutation(len(inputs)) if held else np.arange(len(inputs))
        if training.held_out > 0 and (held < 2 or len(inputs) - held < 2):
            raise UsageError(
                f"held_out={training.held_out} of {len(inputs)} labels leaves {held} to stop by and "
                f"{len(inputs) - held} to train on; both must be at least 2"
            )
        self._held, kept = order[:held], order[held:]
        self._inputs, self._y = inputs, np.asarray(y, dtype=np.float32)
        self.inputs = inputs if not held else inputs[kept]
        if model.encoder is not None:
            _ = self.inputs.graphs.levels  # found once here, and taken along by every mini-batch
        self.side = _tensor(spec.side(self.inputs), device)
        self.y = torch.as_tensor(self._y[kept]).to(device)
        self._dropouts = dropouts(model)
        flat = Flat([model])
        self.optimizer = self.adam(flat.values[0], flat.gradients[0], flat.leaves[0])
        self.epochs_done = 0
        self.steps_done = 0
        self.num_batches = max(1, min(round(len(kept) / training.batch_size), len(kept) // 2))

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
        batch = batched(self.inputs.graphs[index], self.device) if self.model.encoder is not None else None
        z = self.model(batch, None if self.side is None else self.side[rows])
        return self.model.head.loss(z, self.y[rows])

    def _pseudo_loss(self, pseudo: PseudoPairs, size: int, rng: np.random.Generator) -> Tensor:
        chosen = rng.choice(len(pseudo.target), size=size, replace=size > len(pseudo.target))
        used, place = np.unique(np.concatenate([pseudo.first[chosen], pseudo.second[chosen]]), return_inverse=True)
        inputs = pseudo.inputs[used]
        batch = batched(inputs.graphs, self.device) if self.model.encoder is not None else None
        z = self.model(batch, _tensor(self.spec.side(inputs), self.device))[torch.from_numpy(place).to(self.device)]
        target = torch.from_numpy(pseudo.target[chosen]).to(self.device)
        return self.model.head.pair_loss(z[:size], z[size:], target)

    def order(self, rng: np.random.Generator | None = None) -> list[npt.NDArray[np.int64]]:
        """The mini-batches of the next epoch."""
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
