"""Gaussian process regression."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from archpredict.errors import DataError
from archpredict.regressors.base import FloatArray, Regressor

_CHUNK = 4096


class GaussianProcess(Regressor):
    """Gaussian process with a Matérn kernel of smoothness 5/2 and noise, by maximum marginal likelihood.

    Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, equations 2.25, 2.26 and 4.17:
    ``k(r) = a (1 + sqrt(5) r / l + 5 r² / (3 l²)) exp(-sqrt(5) r / l)`` plus noise on the diagonal. Of more than
    ``max_labels`` labels a random part is used: the cost grows with their cube.

    Args:
        seed: Chooses that part.
        max_labels: At most so many labels.

    Example:
        >>> x = np.linspace(-1, 1, 20)[:, None]
        >>> model = GaussianProcess()
        >>> model.fit(x, np.sin(3 * x[:, 0]))
        >>> bool(abs(model.predict(np.array([[0.5]]))[0] - np.sin(1.5)) < 0.05)
        True
    """

    name = "gaussian-process"

    def __init__(self, seed: int = 0, *, max_labels: int = 2000) -> None:
        self.seed = seed
        self.max_labels = max_labels

    def fit(self, x: FloatArray, y: FloatArray, found: dict[str, Any] | None = None) -> None:
        if len(y) > self.max_labels:
            kept = np.sort(np.random.default_rng(self.seed).permutation(len(y))[: self.max_labels])
            x, y = x[kept], y[kept]
        # The length scale grows with the square root of the number of columns, which are standardised.
        start = found or {"amplitude": 1.0, "length": float(np.sqrt(max(1, x.shape[1]))), "noise": 0.1}
        if not all(0 < start[name] < np.inf for name in ("amplitude", "length", "noise")):
            raise DataError(f"a Gaussian process has a positive amplitude, length and noise, {start} was given")
        kernel = ConstantKernel(start["amplitude"], (1e-3, 1e4)) * Matern(start["length"], (1e-2, 1e4), nu=2.5)
        kernel += WhiteKernel(start["noise"], (1e-5, 1e1))
        self._model = GaussianProcessRegressor(kernel, optimizer=None if found else "fmin_l_bfgs_b", normalize_y=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a parameter at its bound: the fit stands
            self._model.fit(x, y)

    def predict(self, x: FloatArray) -> FloatArray:
        parts = [self._model.predict(x[start : start + _CHUNK]) for start in range(0, len(x), _CHUNK)]
        return np.concatenate([np.zeros(0), *parts])

    def std(self, x: FloatArray) -> FloatArray:
        chunks = (x[start : start + _CHUNK] for start in range(0, len(x), _CHUNK))
        return np.concatenate([np.zeros(0), *(self._model.predict(chunk, return_std=True)[1] for chunk in chunks)])

    def found(self) -> dict[str, Any]:
        product, noise = self._model.kernel_.k1, self._model.kernel_.k2
        return {
            "amplitude": float(product.k1.constant_value),
            "length": float(product.k2.length_scale),
            "noise": float(noise.noise_level),
        }
