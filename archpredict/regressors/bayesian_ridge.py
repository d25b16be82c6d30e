"""Bayesian linear regression."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import BayesianRidge as SklearnBayesianRidge

from archpredict._typing import FloatArray
from archpredict.regressors.base import Arrays, Regressor, Values, check_arrays

__all__ = ["BayesianRidge"]


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
        pass

    def fit(self, x: FloatArray, y: FloatArray) -> None:
        model = SklearnBayesianRidge().fit(x, y)
        self._coefficients, self._intercept = np.asarray(model.coef_, dtype=np.float64), float(model.intercept_)
        self._center, self._covariance = x.mean(axis=0), np.asarray(model.sigma_, dtype=np.float64)
        self._noise = 1 / float(model.alpha_)

    def predict(self, x: FloatArray) -> FloatArray:
        prediction: FloatArray = x @ self._coefficients + self._intercept
        return prediction

    def std(self, x: FloatArray) -> FloatArray:
        centered = x - self._center
        variance = ((centered @ self._covariance) * centered).sum(axis=1)
        std: FloatArray = np.sqrt(np.maximum(variance, 0) + self._noise)
        return std

    def state(self) -> tuple[Values, Arrays]:
        arrays = {"coefficients": self._coefficients, "center": self._center, "covariance": self._covariance}
        return {"intercept": self._intercept, "noise": self._noise}, arrays

    def restore(self, values: Values, arrays: Arrays, columns: int) -> None:
        self._intercept, self._noise = float(values["intercept"]), float(values["noise"])
        if not (np.isfinite(self._intercept) and 0 <= self._noise < np.inf):
            raise ValueError(f"linear regression has a finite intercept and noise of at least 0, {values} is given")
        square = (columns, columns)
        check_arrays(arrays, {"coefficients": square[:1], "center": square[:1], "covariance": square})
        self._coefficients, self._center, self._covariance = (
            arrays[name].astype(np.float64) for name in ("coefficients", "center", "covariance")
        )
