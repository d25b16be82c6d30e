"""Baseline: gaussian-process on graph statistics."""

from __future__ import annotations

from typing import Any

from archpredict.predictors.base import NamedPredictor


class GaussianProcess(NamedPredictor):
    """Gaussian process with a Matérn 5/2 kernel on graph statistics."""

    name = "gaussian-process"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {"ensemble": 0, "regressors": {"gaussian-process": 1.0}}
