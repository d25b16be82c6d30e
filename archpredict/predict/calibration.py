"""Labels that are learnt from: checked, made normal for training, and back from scores to their scale."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.errors import DataError, UnknownNameError

__all__ = ["Calibration", "fit_deviation"]

_MAX_KNOTS = 17
_LEAST_NOISE = 1e-3
"""Smallest standard deviation to find for an error, as a share of the errors' root mean square."""


def check_labels(architectures: Sized, y: npt.ArrayLike) -> FloatArray:
    """Labels as an array of doubles.

    Raises:
        DataError: Not one for each architecture, fewer than 2, not finite, or all equal.
    """
    labels = np.asarray(y, dtype=np.float64)
    if labels.shape != (len(architectures),):
        raise DataError(
            f"{len(architectures)} architectures need as many labels, an array of shape {labels.shape} was given"
        )
    if len(labels) < 2:
        raise DataError(f"at least 2 labelled architectures are needed to learn a ranking, {len(labels)} was given")
    if not np.isfinite(labels).all():
        raise DataError(
            f"label {int(np.flatnonzero(~np.isfinite(labels))[0])} is not a finite number; remove or mend it"
        )
    if np.ptp(labels) == 0:
        raise DataError(f"all {len(labels)} labels are equal ({labels[0]:g}); there is no ranking to learn")
    return labels


Target = Literal["ranks", "values", "errors"]


def standardize(labels: FloatArray, target: Target = "ranks") -> FloatArray:
    """Standardised labels, which are learnt: numbers of mean 0 and standard deviation about 1.

    Args:
        labels: ``(n,)``, not all equal.
        target: ``ranks``: normal scores of their ranks, robust to outliers and scale. ``values``: the labels
            themselves, where differences between them mean something. ``errors``: of accuracies in percent the
            logarithms of what is missing to 100, so that a tenth less of the error counts alike everywhere.

    Raises:
        DataError: ``errors`` of labels that are not all below 100.

    Example:
        >>> standardize(np.array([10.0, 1000.0, 11.0])).round(2).tolist()
        [-0.97, 0.97, 0.0]
        >>> standardize(np.array([10.0, 1000.0, 11.0]), "values").round(2).tolist()
        [-0.71, 1.41, -0.71]
    """
    from scipy.stats import norm, rankdata

    if target not in ("ranks", "values", "errors"):
        raise UnknownNameError("target", target, ("errors", "ranks", "values"))
    if target == "errors":
        if labels.max() >= 100:
            raise DataError(
                f"the target errors takes accuracies below 100 percent, a label of {labels.max():g} was given; take "
                "the target values"
            )
        return standardize(-np.log(100 - labels), "values")
    if target == "values":
        return np.asarray((labels - labels.mean()) / labels.std())
    quantile = (rankdata(labels) - 0.5) / len(labels)
    scores: FloatArray = norm.ppf(quantile)
    return scores


@dataclass(frozen=True, eq=False)
class Calibration:
    """A strictly increasing map, piecewise linear, so that predictions read as labels and keep their order.

    It matches quantiles: the training architecture with the k-th score is given the k-th label. Beyond the training
    scores it goes on with the slope of the outermost sixteenth, which is gentle where labels crowd (the good end, as a
    rule), and comes to an end at ``margin`` beyond the labels: ``margin (1 - exp(-step / margin))`` for a step.

    Args:
        scores: ``(K,)`` increasing scores.
        labels: ``(K,)`` increasing labels.
        margin: How far beyond the outermost labels predictions may come, above 0.

    Example:
        >>> calibration = Calibration.fit([0.0, 1.0, 3.0], [90.0, 91.0, 91.5])
        >>> calibration([-1.0, 0.5, 3.0, 5.0]).round(6).tolist()
        [89.0, 90.5, 91.5, 92.0]
        >>> Calibration.fit([0.0, 1.0, 3.0], [90.0, 91.0, 91.5], margin=0.5)([5.0, 500.0]).round(6).tolist()
        [91.81606, 92.0]
    """

    scores: FloatArray
    labels: FloatArray
    margin: float = np.inf

    @classmethod
    def fit(cls, scores: Any, labels: Any, margin: float = np.inf) -> Calibration:
        """Match the quantiles of ``(n,)`` training scores and ``(n,)`` labels, ``n`` at least 2."""
        at = np.linspace(0, 1, min(_MAX_KNOTS, len(scores)))
        return cls(_increasing(np.quantile(scores, at)), _increasing(np.quantile(labels, at)), margin)

    def __call__(self, scores: Any) -> FloatArray:
        """Labels that scores of any shape stand for."""
        s = np.asarray(scores, dtype=np.float64)
        x, y = self.scores, self.labels
        inside: FloatArray = np.interp(s, x, y)
        below = np.minimum(s - x[0], 0) * _end_slope(x, y)
        above = np.maximum(s - x[-1], 0) * _end_slope(-x[::-1], -y[::-1])
        mapped: FloatArray = inside - self._bounded(-below) + self._bounded(above)
        return mapped

    def spread(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        """What standard deviations of scores come to on the labels' scale, where the scores have these means."""
        spread: FloatArray = (self(mean + std) - self(mean - std)) / 2
        return spread

    def _bounded(self, step: FloatArray) -> FloatArray:
        """Steps beyond the labels, so that all stay below the margin."""
        return step if np.isinf(self.margin) else -self.margin * np.expm1(-step / self.margin)


def fit_deviation(std: npt.ArrayLike, error: npt.ArrayLike) -> tuple[float, float]:
    """The correction of standard deviations by errors on held-out labels: ``a`` and ``b``.

    ``a`` and ``b``, at least 0, for which the ``n`` errors are likeliest under normal distributions around 0 of
    variance ``(a std)² + b²``: ``b`` is what no member of an ensemble knows that it does not know, noise of the labels
    for instance.

    Args:
        std: ``(n,)`` standard deviations of predictions of architectures that were not trained on.
        error: ``(n,)`` predictions minus labels.

    Raises:
        DataError: Not as many of both, fewer than 2, numbers that are not finite, or a negative deviation.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> std = rng.uniform(0.1, 1, size=2000)
        >>> a, b = fit_deviation(std, rng.normal(size=2000) * np.hypot(2 * std, 0.5))
        >>> round(a, 1), round(b, 1)
        (2.0, 0.5)
    """
    from scipy.optimize import minimize

    s2, e2 = np.square(np.asarray(std, dtype=np.float64)), np.square(np.asarray(error, dtype=np.float64))
    if s2.shape != e2.shape or s2.ndim != 1 or len(s2) < 2:
        raise DataError(f"at least 2 deviations and as many errors are needed, {s2.shape} and {e2.shape} were given")
    if not np.isfinite([s2, e2]).all() or np.min(std) < 0:
        raise DataError("standard deviations and errors have to be finite, and deviations at least 0")
    if not e2.any():
        return 0.0, 0.0
    scale, unit = float(s2.mean()) or 1.0, float(e2.mean())
    s2, e2 = s2 / scale, e2 / unit

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        variance = weights[0] * s2 + weights[1]
        slope = (1 - e2 / variance) / (2 * variance * len(variance))
        return float((np.log(variance) + e2 / variance).mean() / 2), np.array([slope @ s2, slope.sum()])

    # Without a least variance, an error of 0 at a standard deviation of 0 would be infinitely likely.
    bounds = [(0.0, None), (_LEAST_NOISE**2, None)]
    starts = ([1.0, _LEAST_NOISE], [0.5, 0.5], [0.0, 1.0], _first_guess(s2, e2))
    found = min((minimize(loss, x0, jac=True, bounds=bounds) for x0 in starts), key=lambda result: float(result.fun))
    a2, b2 = found.x * unit
    return float(np.sqrt(a2 / scale)), float(np.sqrt(b2))


def _first_guess(s2: FloatArray, e2: FloatArray) -> list[float]:
    """The likeliest of some shares of noise in the variance, each with the factor on both that is likeliest for it."""
    shares = np.concatenate([np.geomspace(_LEAST_NOISE**2, 0.1, 12), np.linspace(0.15, 1, 18)])
    variance = (1 - shares[:, None]) * s2 + shares[:, None]
    factors = (e2 / variance).mean(axis=1)
    best = int(np.argmin(np.log(factors) + np.log(variance).mean(axis=1)))
    return [factors[best] * (1 - shares[best]), factors[best] * shares[best]]


def _end_slope(x: FloatArray, y: FloatArray) -> float:
    """Slope at the beginning, over a 32nd of the scores at least: equal scores would make it endless."""
    i = int(np.argmax(x - x[0] >= (x[-1] - x[0]) / 32))
    return float((y[i] - y[0]) / (x[i] - x[0]))


def _increasing(knots: FloatArray) -> FloatArray:
    """Equal knots moved apart by less than anything that matters and more than rounding can swallow."""
    step = max(1e-9 * float(np.ptp(knots)), 1e-12 * float(np.abs(knots).max()), 1e-30)
    apart: FloatArray = np.maximum.accumulate(knots) + step * np.arange(len(knots))
    return apart
