"""GATES with its published loss."""

from __future__ import annotations

from typing import Any

from archpredict.predictors._published import ALONE
from archpredict.predictors.base import NamedPredictor


class GATES(NamedPredictor):
    """GATES: gated message passing with the pairwise hinge loss that it publishes.

    Ning et al., ECCV 2020, arXiv 2004.01899. Encoder, loss (margin 0.1, random pairs, at most four times as many as
    architectures) and Adam at 1e-3 are as published; the schedule is ours, 300 epochs in batches of 128 with a cosine
    decay, because the published 50 to 80 epochs in batches of 512 are not enough for few labels.
    """

    name = "gates"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {
            "encoder": "gates",
            "head": "pairwise",
            "head_options": {"loss": "hinge", "pairs": "random", "target": "hard", "hidden": 200},
            "optimizer": "adam",
            "learning_rate": 1e-3,
            "weight_decay": 0.0,
            "batch_size": 128,
            "epochs": 300,
            **ALONE,
        }
