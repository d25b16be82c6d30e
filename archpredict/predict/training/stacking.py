"""Members of an ensemble trained as one model, whose weights begin with a dimension of members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.graph.batch import GraphBatch
from archpredict.graph.packed import PackedGraphs
from archpredict.predict.training.model import Model
from archpredict.predict.training.optimizer import Flat
from archpredict.predict.training.trainer import GraphBatches, Trainer, draw_from, dropouts, trained
from archpredict.progress import Event, Observer
from archpredict.runtime import few_threads, linear


def fit_all(trainers: Sequence[Trainer], observer: Observer) -> None:
    """Train all members, as one model where they can be stacked; each learns what it would learn alone.

    Args:
        trainers: Of members alike; their training sets may differ.
        observer: Told after each epoch, stage ``training``; epochs of all members count together.
    """
    if _stackable(trainers):
        _Stack(trainers).fit(observer)
        return
    total = sum(trainer.epochs for trainer in trainers)
    for i, trainer in enumerate(trainers):

        def report(event: Event, before: int = sum(t.epochs for t in trainers[:i])) -> None:
            observer(replace(event, done=before + event.done, total=total))

        trainer.fit(report)


def _stackable(trainers: Sequence[Trainer]) -> bool:
    """Whether encoder and head work with stacked weights, and nothing stops a member before the others."""
    return len({len(trainer.inputs) for trainer in trainers}) == 1 < len(trainers) and all(
        trainer.device.type == "cpu"
        and not trainer.has_held_out
        and trainer.model.head.stackable
        # A class that is derived from a stackable one has to say so itself.
        and (trainer.model.encoder is None or type(trainer.model.encoder).__dict__.get("stackable", False))
        for trainer in trainers
    )


class _Stack:
    """Trainers whose models share one storage, one batch and one optimiser.

    Args:
        trainers: Of training sets of one size.
    """

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        self._trainers = trainers
        first = trainers[0]
        self._flat = Flat([trainer.model for trainer in trainers])
        parameters = self._flat.stacked()
        self._optimizer = first.adam(self._flat.values, self._flat.gradients, self._flat.stacked_leaves(parameters))
        self._model = _stacked(first.model, parameters)
        self._dropouts = dropouts(self._model)
        self._batches, self._side, self._y = first.batches, first.side, first.y
        self._begin = [0] * len(trainers)
        if any(trainer.inputs is not first.inputs for trainer in trainers):
            self._join()

    def _join(self) -> None:
        """Lay the members' training sets end to end."""
        graphs = PackedGraphs.concat([trainer.inputs.graphs for trainer in self._trainers])
        if self._model.encoder is not None:
            _ = graphs.levels  # found once, as for a training set
        self._batches = GraphBatches(graphs, self._trainers[0].device)
        sides = [trainer.side for trainer in self._trainers if trainer.side is not None]
        self._side = torch.cat(sides) if sides else None
        self._y = torch.cat([trainer.y for trainer in self._trainers])
        self._begin = [i * len(trainer.inputs) for i, trainer in enumerate(self._trainers)]

    def fit(self, observer: Observer) -> None:
        """All epochs."""
        members, epochs = len(self._trainers), self._trainers[0].epochs
        for epoch in range(1, epochs + 1):
            observer(trained(epoch * members, epochs * members, self._epoch()))
        for i, trainer in enumerate(self._trainers):
            trainer.optimizer = self._optimizer.row(i, self._flat.leaves[i])

    def _epoch(self) -> float:
        first, losses = self._trainers[0], []
        orders = [trainer.order() for trainer in self._trainers]
        draw_from(self._dropouts, [trainer.generator() for trainer in self._trainers])
        with few_threads(len(first.inputs.graphs.op) // first.num_batches * len(orders)):
            self._model.train()
            for indices in zip(*orders, strict=True):
                loss = self._loss(np.concatenate([begin + i for begin, i in zip(self._begin, indices, strict=True)]))
                self._optimizer.rate = first.next_rate()
                self._optimizer.minimize(loss.sum())
                losses.append(loss.detach())
        for trainer in self._trainers:
            trainer.epochs_done += 1
        for trainer in self._trainers[1:]:
            trainer.steps_done = first.steps_done
        return float(torch.stack(losses).mean())

    def _loss(self, index: np.ndarray) -> Tensor:
        """``(M,)`` losses of the members, each on its part of ``index``."""
        members = len(self._trainers)
        batch = self._batches.of(index) if self._model.encoder is not None else None
        rows = torch.from_numpy(index)
        side = None if self._side is None else self._side[rows].view(members, -1, self._side.shape[1])
        z = _encoded(self._model, members, batch, side)
        return self._model.head.loss(z, self._y[rows].view(members, -1))


def _stacked(model: Model, parameters: Mapping[str, nn.Parameter]) -> Model:
    """A model like this one with all members' weights."""
    stacked = deepcopy(model)
    for name, parameter in parameters.items():
        path, _, leaf = name.rpartition(".")
        setattr(stacked.get_submodule(path), leaf, parameter)
    return stacked


def _encoded(model: Model, members: int, batch: GraphBatch | None, side: Tensor | None) -> Tensor:
    """``(M, B, D)`` encodings by a stacked model."""
    parts = []
    if model.encoder is not None and batch is not None:
        parts.append(model.encoder(batch).view(members, -1, model.encoder.out_features))
    if model.side is not None and side is not None:
        parts.append(F.relu(linear(model.dropout(side), model.side)))
    return torch.cat(parts, dim=-1)
