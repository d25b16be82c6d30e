"""Bayesian linear regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import BayesianRidge as SklearnBayesianRidge

from archpredict.regressors.base import FloatArray, Regressor


class BayesianRidge(Regressor):
    """Linear regression whose penalty and noise are found by maximum marginal likelihood.

    MacKay, "Bayesian interpolation", Neural Computation 4, 1992; Tipping, "Sparse Bayesian learning and the relevance
    vector machine", JMLR 1, 2001.

    Args:
        seed: Not used; nothing is random.

    Example:
        >>> x = np.linspace(-1, 1, 20)[:, None]
        >>> model = BayesianRidge()
        >>> model.fit(x, 2 * x[:, 0])
        >>> round(float(model.predict(np.array([[0.5]]))[0]), 3)
        1.0
    """

    name = "bayesian-ridge"

    def __init__(self, seed: int = 0) -> None:
        self._model = SklearnBayesianRidge()

    def fit(self, x: FloatArray, y: FloatArray, found: dict[str, Any] | None = None) -> None:
        self._model.fit(x, y)

    def predict(self, x: FloatArray) -> FloatArray:
        return np.asarray(self._model.predict(x), dtype=np.float64) if len(x) else np.zeros(0)

    def std(self, x: FloatArray) -> FloatArray:
        return np.asarray(self._model.predict(x, return_std=True)[1]) if len(x) else np.zeros(0)
