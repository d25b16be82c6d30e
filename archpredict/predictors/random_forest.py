"""Baseline: random-forest on graph statistics."""

from __future__ import annotations

from typing import Any

from archpredict.predictors.base import NamedPredictor


class RandomForest(NamedPredictor):
    """Random forest on graph statistics."""

    name = "random-forest"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {"ensemble": 0, "regressors": {"random-forest": 1.0}}
