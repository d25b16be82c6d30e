"""ReNAS."""

from __future__ import annotations

from typing import Any

from archpredict.predictors._published import ALONE
from archpredict.predictors.base import NamedPredictor


class ReNAS(NamedPredictor):
    """ReNAS: a convolutional network on feature tensors with a pairwise ranking loss.

    Xu et al., CVPR 2021, arXiv 1910.01523; see :class:`archpredict.encoders.renas.ReNAS` for the tensors.
    """

    name = "renas"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {
            "encoder": "renas",
            "head": "pairwise",
            "head_options": {"loss": "hinge", "target": "hard", "hidden": 200},
            "optimizer": "adam",
            "learning_rate": 1e-3,
            "weight_decay": 5e-4,
            "batch_size": 256,
            "epochs": 300,
            **ALONE,
        }
