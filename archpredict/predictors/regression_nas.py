"""The regression baseline of CTNAS."""

from __future__ import annotations

from typing import Any

from archpredict.predictors._published import ALONE, PUBLISHED_GCN, PUBLISHED_TRAINING
from archpredict.predictors.base import NamedPredictor


class RegressionNAS(NamedPredictor):
    """RegressionNAS: the encoder of CTNAS's comparator with a regression head (mean squared error).

    The baseline of Chen, Guo et al., CVPR 2021, arXiv 2103.05471, table 1, which predicts the accuracy instead of
    comparing. Encoder and training are those of their published comparator; the publication does not give others.
    """

    name = "regression-nas"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {**PUBLISHED_TRAINING, "encoder": "gcn", "encoder_options": PUBLISHED_GCN, "head": "regression", **ALONE}
