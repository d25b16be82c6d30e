"""Baseline: extra-trees on graph statistics."""

from __future__ import annotations

from typing import Any

from archpredict.predictors.base import NamedPredictor


class ExtraTrees(NamedPredictor):
    """Extremely randomised trees on graph statistics."""

    name = "extra-trees"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {"ensemble": 0, "regressors": {"extra-trees": 1.0}}
