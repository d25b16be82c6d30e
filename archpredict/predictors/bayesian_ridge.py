"""Baseline: bayesian-ridge on graph statistics."""

from __future__ import annotations

from typing import Any

from archpredict.predictors.base import NamedPredictor


class BayesianRidge(NamedPredictor):
    """Bayesian linear regression on graph statistics."""

    name = "bayesian-ridge"

    @classmethod
    def arguments(cls) -> dict[str, Any]:
        return {"ensemble": 0, "regressors": {"bayesian-ridge": 1.0}}
