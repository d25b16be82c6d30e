"""Baseline: hist-gradient-boosting on graph statistics."""

from __future__ import annotations

from typing import Any

from archpredict.predictors.base import NamedPredictor


class HistGradientBoosting(NamedPredictor):
    """Histogram gradient boosting on graph statistics."""

    name = "hist-gradient-boosting"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {"ensemble": 0, "regressors": {"hist-gradient-boosting": 1.0}}
