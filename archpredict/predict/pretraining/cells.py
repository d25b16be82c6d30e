"""Pre-training an encoder on unlabelled architectures: it learns to tell their statistics from their graphs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from archpredict.encoders.base import Encoder
from archpredict.graph.batch import batched
from archpredict.predict.inputs import InputSpec
from archpredict.predict.pretraining.pretrained_weights import Weights, fingerprint, keep_weights, read_weights
from archpredict.predict.training.encoder_training import EncoderTraining
from archpredict.progress import Event, Observer, silent
from archpredict.runtime import seeded
from archpredict.spaces.base import SearchSpace

_SAMPLES = 4096
_BATCH = 128
_EVERY = 20
"""Steps from one event to the next."""
_SEED = 0

_known: dict[str, Weights | None] = {}


def pretrained(
    make: Callable[[], Encoder],
    space: SearchSpace,
    spec: InputSpec,
    steps: int,
    *,
    key: object = None,
    persistent: bool = False,
    observer: Observer = silent,
) -> Weights | None:
    """Weights of an encoder that tells graph statistics of architectures drawn from the space.

    The targets are the standardised :class:`~archpredict.graph.statistics.Statistics`, costs included, of 4,096 random
    architectures; the loss is the mean squared error of a linear layer on the encoding. No label is used, so that
    this depends on nothing but the space and the encoder: for the spaces that come with the package the weights do
    too, others are kept on disk (:func:`archpredict._files.cache_folder`). Spaces are told apart by what they are, not
    by the object.

    Args:
        make: Makes the untrained encoder.
        space: Where architectures are drawn from.
        spec: What the predictor reads; form and vocabulary are taken from it.
        steps: Mini-batches of 128 architectures.
        key: What tells this encoder from others in the same space.
        persistent: Whether ``key`` means the same encoder in every process, so that weights may be read and kept.
        observer: Told now and then, and at the end, stage ``pre-training`` with its steps and ``loss``; of weights
            that are known already, nothing.

    Returns:
        The encoder's state, None where its number of cells is not that of the space's architectures.
    """
    mark = fingerprint(space, spec, steps, key)
    if mark not in _known:
        found = read_weights(mark, make) if persistent else None
        if found is None:
            found = _train(make, space, spec, steps, observer)
            if persistent and found is not None:
                keep_weights(mark, found)
        _known[mark] = found
    return _known[mark]


def forget() -> None:
    """Drop what this process remembers."""
    _known.clear()


def _train(
    make: Callable[[], Encoder], space: SearchSpace, spec: InputSpec, steps: int, observer: Observer
) -> Weights | None:
    rng = np.random.default_rng(_SEED)
    rows = np.unique(space.sample(_SAMPLES, rng), axis=0)
    own, inputs = InputSpec.fit(
        space.architectures(rows), form=spec.form, sources=("statistics",), vocabulary=spec.vocabulary
    )
    if own.num_cells != spec.num_cells:
        return None
    targets = torch.from_numpy(np.asarray(own.side(inputs)))
    with seeded(_SEED):
        encoder = make().train()
        training = EncoderTraining(encoder, nn.Linear(encoder.out_features, targets.shape[1]), steps)
        while training.done < steps:
            index = rng.integers(0, len(inputs), _BATCH)
            wanted = targets[torch.from_numpy(index)]
            loss = training.step(batched(inputs.graphs[index]), partial(F.mse_loss, target=wanted))
            if training.done % _EVERY == 0 or training.done == steps:
                observer(Event("pre-training", training.done, steps, {"loss": loss}))
    return training.weights
