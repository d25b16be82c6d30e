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
        self._center = x.mean(axis=0)
        centered = x - self._center
        # Fewer labels than columns span a space of as many dimensions, outside which nothing is learnt.
        basis = np.linalg.svd(centered, full_matrices=False)[2].T if len(x) < x.shape[1] else None
        model = SklearnBayesianRidge().fit(centered if basis is None else centered @ basis, y)
        found = np.asarray(model.coef_, dtype=np.float64)
        self._basis, self._coefficients = basis, found if basis is None else basis @ found
        self._intercept = float(model.intercept_) - float(self._center @ self._coefficients)
        self._covariance, self._noise = np.asarray(model.sigma_, dtype=np.float64), 1 / float(model.alpha_)
        self._prior = 1 / float(model.lambda_)

    def predict(self, x: FloatArray) -> FloatArray:
        prediction: FloatArray = x @ self._coefficients + self._intercept
        return prediction

    def std(self, x: FloatArray) -> FloatArray:
        centered = x - self._center
        within = centered if self._basis is None else centered @ self._basis
        variance = ((within @ self._covariance) * within).sum(axis=1)
        if self._basis is not None:
            variance += self._prior * np.maximum((centered**2).sum(axis=1) - (within**2).sum(axis=1), 0)
        std: FloatArray = np.sqrt(np.maximum(variance, 0) + self._noise)
        return std

    def state(self) -> tuple[Values, Arrays]:
        values = {"intercept": self._intercept, "noise": self._noise}
        arrays = {"coefficients": self._coefficients, "center": self._center, "covariance": self._covariance}
        if self._basis is None:
            return values, arrays
        return {**values, "prior": self._prior}, {**arrays, "basis": self._basis}

    def restore(self, values: Values, arrays: Arrays, columns: int) -> None:
        self._intercept, self._noise = float(values["intercept"]), float(values["noise"])
        self._prior = float(values["prior"]) if "basis" in arrays else 0.0
        if not (np.isfinite(self._intercept) and 0 <= self._noise < np.inf and 0 <= self._prior < np.inf):
            raise ValueError(
                f"linear regression has a finite intercept, and variances of noise and prior of at least 0; "
                f"{values} is given"
            )
        size = arrays["basis"].shape[-1:] if "basis" in arrays else (columns,)
        shapes = {"coefficients": (columns,), "center": (columns,), "covariance": (*size, *size)}
        check_arrays(arrays, {**shapes, "basis": (columns, *size)} if "basis" in arrays else shapes)
        self._coefficients, self._center, self._covariance = (arrays[name].astype(np.float64) for name in shapes)
        self._basis = arrays["basis"].astype(np.float64) if "basis" in arrays else None
