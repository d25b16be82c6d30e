"""Ratings: how good architectures are with the weights of a supernet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from archpredict.errors import TrainingError, UsageError
from archpredict.images.base import Images
from archpredict.networks.batches import Batches, accuracy
from archpredict.networks.supernet import Supernet

__all__ = ["Rating", "Ratings"]


@dataclass(frozen=True)
class Rating:
    """A rating on the validation split.

    Args:
        accuracy: In percent.
        cross_entropy: Mean over the images.
        untrained_weights: Of the architecture, how many no step of the training took.
    """

    accuracy: float
    cross_entropy: float
    untrained_weights: int


class Ratings:
    """Ratings of architectures with the weights that a supernet has.

    Before each, the means and variances of the batch norms are found anew on images of the train split (Guo et al.
    2019, arXiv 1904.00420, section 3.4). A rating depends on the architecture and the weights alone.

    Args:
        supernet: Its weights are taken as they are when a rating is asked for.
        images: The data set.
        batch_size: Of the images that batch norms are found on: as in training.
        calibration: How many images these are, at most one epoch of them.

    Raises:
        UsageError: There are none.

    Example:
        >>> from archpredict.images.base import load_images
        >>> from archpredict.networks.form import Form
        >>> digits = load_images("digits")
        >>> supernet = Supernet("nasbench201", Form.of(digits, {"channels": 2, "cells": 1}))
        >>> rating = Ratings(supernet, digits, batch_size=64).of((3, 3, 3, 3, 3, 3))
        >>> 0 <= rating.accuracy <= 100, rating.untrained_weights == supernet.missing(supernet.program((3,) * 6))
        (True, True)
    """

    def __init__(self, supernet: Supernet, images: Images, *, batch_size: int, calibration: int = 2048) -> None:
        if calibration < 1:
            raise UsageError(f"batch norms are found on at least 1 image, {calibration} were asked for")
        self.supernet = supernet
        self._calibration = Batches(images, batch_size=batch_size, device=supernet.device, seed=supernet.seed)
        self.calibration_batches = min(len(self._calibration), math.ceil(calibration / self._calibration.batch_size))
        """Batches that batch norms are found on."""
        self._validation = Batches(
            images, "validation", batch_size=max(256, batch_size), device=supernet.device, shuffle=False
        )

    @torch.no_grad()
    def of(self, choices: Sequence[int]) -> Rating:
        """The rating of an architecture.

        Raises:
            UsageError: The image is too small for it.
            TrainingError: Its scores are not finite.
        """
        supernet = self.supernet
        program = supernet.program(choices)
        tensors = supernet.tensors(program)
        statistics = supernet.recalibrated(program, self._calibration, self.calibration_batches)
        kept: list[Tensor] = []

        def forward(images: Tensor) -> Tensor:
            scores = supernet.run(program, images, tensors=tensors, statistics=statistics)
            if not torch.isfinite(scores).all():
                raise TrainingError("the network gives scores that are not finite with the weights of the supernet")
            kept.append(scores)
            return scores

        score = accuracy(forward, self._validation)
        labels = torch.cat([labels for _, labels in self._validation.plain()])
        loss = float(functional.cross_entropy(torch.cat(kept), labels))
        return Rating(score, loss, supernet.missing(program))
