"""Cross-fitting: what the parts of an ensemble say of labels that they have not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from archpredict._typing import BoolArray, FloatArray
from archpredict.predict.ensemble.builder import EnsembleBuilder
from archpredict.predict.ensemble.session import TrainingSession, run_together
from archpredict.predict.ensemble.weighing import HeldOut
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.training.training import Training
from archpredict.progress import Event, Observer, silent
from archpredict.spaces.base import SearchSpace

__all__ = ["cross_fit"]

_LEAST_LABELS = 10


def cross_fit(
    builder: EnsembleBuilder,
    spec: InputSpec,
    device: torch.device,
    space: SearchSpace | None,
    inputs: Inputs,
    labels: FloatArray,
    observer: Observer,
) -> HeldOut | None:
    """Predictions of each half of the labels by parts that have learnt from the other half.

    Parts are a network, where there are any, and each regressor. The halves are alike: of every two labels that are
    neighbours in order, each gets one.

    Args:
        builder: What the ensemble is made of.
        spec: What is read.
        device: Where networks are trained.
        space: For pre-training.
        inputs: ``n`` labelled architectures.
        labels: ``(n,)``.
        observer: Told when a half is done, stage ``cross-fitting``.

    Returns:
        None where nothing can be told: of fewer than ten labels, or of halves with equal labels.
    """
    first = _half(labels, int(builder.seed))
    if len(labels) < _LEAST_LABELS or min(np.ptp(labels[first]), np.ptp(labels[~first])) == 0:
        return None
    networks = min(1, builder.ensemble)
    half = replace(builder, ensemble=networks, training=_without_early_stop(builder.training))
    parts = networks + len(builder.choices)
    scores, stds = np.zeros((parts, len(labels))), np.zeros((parts, len(labels)))
    sessions = []
    for learnt in (first, ~first):
        ensemble = half.build(spec, device)
        half.pretrain(ensemble, space, silent)
        known = inputs[np.flatnonzero(learnt)], labels[learnt]
        sessions.append(TrainingSession(ensemble, *known, half.training, int(half.seed)))
    run_together(sessions)
    for i, learnt in enumerate((first, ~first)):
        ensemble = sessions[i].ensemble
        said = ensemble.member_predictions(inputs[np.flatnonzero(~learnt)])
        scores[:, ~learnt] = ensemble.standardized(said.scores)
        stds[:, ~learnt] = said.stds / ensemble.scale[:, None]
        observer(Event("cross-fitting", i + 1, 2, {}))
    return HeldOut(scores, stds)


def _half(labels: FloatArray, seed: int) -> BoolArray:
    """``(n,)`` which labels are in the first half."""
    order = np.argsort(labels, kind="stable")
    first = np.zeros(len(labels), dtype=np.bool_)
    pairs = order[: len(order) // 2 * 2].reshape(-1, 2)
    first[pairs[np.arange(len(pairs)), np.random.default_rng([seed, 2]).integers(2, size=len(pairs))]] = True
    return first


def _without_early_stop(training: Training) -> Training:
    """Half of the labels may be too few to keep a share of them aside."""
    return replace(training, held_out=0.0)
