"""The comparator of CTNAS."""

from __future__ import annotations

from typing import Any

from archpredict.predictors._published import ALONE, PUBLISHED_GCN, PUBLISHED_TRAINING
from archpredict.predictors.base import NamedPredictor


class NAC(NamedPredictor):
    """NAC: the neural architecture comparator of CTNAS, as in its published code.

    Chen, Guo et al., CVPR 2021, arXiv 2103.05471. Four graph convolutions, a linear layer on the concatenation of two
    architectures, one random pairing of a batch per step, 1,000 epochs. (On NAS-Bench-101 the published code averages
    over 7 node slots: ``encoder_options={..., "slots": 7}``.)
    """

    name = "nac"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {
            **PUBLISHED_TRAINING,
            "encoder": "gcn",
            "encoder_options": PUBLISHED_GCN,
            "head": "comparator",
            "head_options": {"form": "linear", "pairs": "permutation"},
            **ALONE,
        }
