"""Gaussian process regression."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    ConstantKernel,
    Hyperparameter,
    Kernel,
    Matern,
    NormalizedKernelMixin,
    StationaryKernelMixin,
    WhiteKernel,
)

from archpredict._typing import FloatArray
from archpredict.errors import UnknownNameError, UsageError
from archpredict.regressors.base import Arrays, Regressor, Values, check_arrays, sampled_rows

__all__ = ["GaussianProcess"]

_CHUNK = 4096
_LENGTHS = (1e-2, 1e6)
_FOUND = ("amplitude", "length", "noise")


class GaussianProcess(Regressor):
    """Gaussian process with noise, whose kernel is found by maximum marginal likelihood.

    Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, equations 2.25, 2.26 and 4.17. The kernel
    is Matérn's of smoothness 5/2, ``k(r) = a (1 + sqrt(5) r / l + 5 r² / (3 l²)) exp(-sqrt(5) r / l)`` of the Euclidean
    distance, or the Laplacian, ``k(r) = a exp(-r / l)`` of the sum of absolute differences, which is rougher and takes
    columns one by one; plus noise on the diagonal. Of more than ``max_labels`` labels a random part is used: the cost
    grows with their cube.

    A Gaussian process predicts from its training set, so that this is what it is saved as, unlike other regressors:
    whoever gets the file can read the numbers and the ranks of the labels.

    Args:
        seed: Chooses that part.
        max_labels: At most so many labels.
        kernel: ``matern`` or ``laplacian``.
        relevance: What a column counts for in distances: ``equal``, or ``correlation`` for the absolute value of
            Spearman's rank correlation with the labels that it is fitted on. With hundreds of columns, most of which
            say little of the label, that keeps these from drowning the few that say much.
        length: Of the kernel, in units of the number of columns (its square root for ``matern``); found if left out.
        noise: Variance of the labels' noise, where the labels' own is 1; found if left out. With both given nothing
            is searched for: the likelihood of labels that are not normally distributed may lead astray.

    Raises:
        UnknownNameError: Another kernel, another relevance.
        UsageError: Only one of length and noise is given, or one is not above 0.

    Example:
        >>> x = np.linspace(-1, 1, 20)[:, None]
        >>> model = GaussianProcess()
        >>> model.fit(x, np.sin(3 * x[:, 0]))
        >>> bool(abs(model.predict(np.array([[0.5]]))[0] - np.sin(1.5)) < 0.05)
        True
    """

    name = "gaussian-process"

    def __init__(
        self,
        seed: int = 0,
        *,
        max_labels: int = 2000,
        kernel: Literal["matern", "laplacian"] = "matern",
        relevance: Literal["equal", "correlation"] = "equal",
        length: float | None = None,
        noise: float | None = None,
    ) -> None:
        if kernel not in ("matern", "laplacian"):
            raise UnknownNameError("kernel", kernel, ("laplacian", "matern"))
        if relevance not in ("equal", "correlation"):
            raise UnknownNameError("relevance", relevance, ("correlation", "equal"))
        self.seed = seed
        self.max_labels = max_labels
        self.kernel = kernel
        self.relevance = relevance
        if (length is None) != (noise is None) or min(length or 1, noise or 1) <= 0 or 0 in (length, noise):
            raise UsageError(f"give a length and a noise above 0, or neither; {length} and {noise} were given")
        self.length = length
        self.noise = noise

    def fit(self, x: FloatArray, y: FloatArray) -> None:
        kept = sampled_rows(len(y), self.max_labels, self.seed)
        x, y = x[kept], y[kept]
        self._weights = _correlations(x, y) if self.relevance == "correlation" else np.ones(x.shape[1])
        # Distances grow with the number of columns, which are standardised, or with its square root.
        unit = float(max(1, x.shape[1])) ** (0.5 if self.kernel == "matern" else 1.0)
        if self.length is None or self.noise is None:
            self._condition(x, y, (1.0, unit, 0.1), "fmin_l_bfgs_b")
        else:
            self._condition(x, y, (1.0, self.length * unit, self.noise))

    def _condition(
        self, x: FloatArray, y: FloatArray, kernel: tuple[float, float, float], optimizer: str | None = None
    ) -> None:
        """The process given the labels, with a kernel of this amplitude, length and noise, or the best from there."""
        amplitude, length, noise = kernel
        shape = Matern(length, _LENGTHS, nu=2.5) if self.kernel == "matern" else Laplacian(length, _LENGTHS)
        whole = ConstantKernel(amplitude, (1e-3, 1e4)) * shape + WhiteKernel(noise, (1e-5, 1e1))
        self._model = GaussianProcessRegressor(whole, optimizer=optimizer, normalize_y=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a parameter at its bound: the fit stands
            self._model.fit(x * self._weights, y)
        self._x = x

    def predict(self, x: FloatArray) -> FloatArray:
        parts = [self._model.predict(x[start : start + _CHUNK] * self._weights) for start in range(0, len(x), _CHUNK)]
        return np.concatenate([np.zeros(0), *parts])

    def std(self, x: FloatArray) -> FloatArray:
        chunks = (x[start : start + _CHUNK] * self._weights for start in range(0, len(x), _CHUNK))
        return np.concatenate([np.zeros(0), *(self._model.predict(chunk, return_std=True)[1] for chunk in chunks)])

    def state(self) -> tuple[Values, Arrays]:
        product, noise = self._model.kernel_.k1, self._model.kernel_.k2
        found = (product.k1.constant_value, product.k2.length_scale, noise.noise_level)
        x, y = self._x, self._model.y_train_
        single = x.astype(np.float32)  # the numbers of a predictor are
        arrays = {"x": single if (single == x).all() else x, "y": y}
        if self.relevance == "correlation":
            arrays["relevance"] = self._weights
        return dict(zip(_FOUND, map(float, found), strict=True)), arrays

    def restore(self, values: Values, arrays: Arrays, columns: int) -> None:
        kernel = tuple(values[name] for name in _FOUND)
        if not all(isinstance(value, float) and 0 < value < np.inf for value in kernel):
            raise ValueError(f"a Gaussian process has a positive amplitude, length and noise, {dict(values)} is given")
        labels = len(arrays["y"])
        shapes: dict[str, tuple[int, ...]] = {"x": (labels, columns), "y": (labels,)}
        if self.relevance == "correlation":
            shapes["relevance"] = (columns,)
        check_arrays(arrays, shapes)
        self._weights = arrays["relevance"] if self.relevance == "correlation" else np.ones(columns)
        if not 0 < labels <= self.max_labels:
            raise ValueError(f"a Gaussian process on {labels} labels is given, its max_labels is {self.max_labels}")
        self._condition(arrays["x"].astype(np.float64), arrays["y"].astype(np.float64), kernel)


def _correlations(x: FloatArray, y: FloatArray) -> FloatArray:
    """``(F,)`` absolute rank correlations of the columns with the labels, scaled to a mean of 1; 0 if constant."""
    ranks, target = rankdata(x, axis=0), rankdata(y)
    ranks, target = ranks - ranks.mean(axis=0), target - target.mean()
    spread = np.sqrt((ranks**2).sum(axis=0) * (target @ target))
    found = np.abs(np.divide(ranks.T @ target, spread, out=np.zeros_like(spread), where=spread > 0))
    return np.asarray(found / found.mean()) if found.any() else np.ones_like(found)


class Laplacian(StationaryKernelMixin, NormalizedKernelMixin, Kernel):  # type: ignore[misc]
    """``exp(-|x - y|₁ / l)``, as a kernel of scikit-learn."""

    def __init__(self, length_scale: float = 1.0, length_scale_bounds: tuple[float, float] = (1e-5, 1e5)) -> None:
        self.length_scale = length_scale
        self.length_scale_bounds = length_scale_bounds

    @property
    def hyperparameter_length_scale(self) -> Hyperparameter:
        """Found by scikit-learn under this name."""
        return Hyperparameter("length_scale", "numeric", self.length_scale_bounds)

    def __call__(self, X: FloatArray, Y: FloatArray | None = None, eval_gradient: bool = False) -> Any:
        """``(n, m)``, and its derivative by the logarithm of the length, ``(n, n, 1)``."""
        distance = cdist(X, X if Y is None else Y, "cityblock") / self.length_scale
        value = np.exp(-distance)
        return (value, (value * distance)[:, :, None]) if eval_gradient else value
