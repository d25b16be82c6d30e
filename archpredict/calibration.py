"""Labels that are learnt from: checked, made normal for training, and back from scores to their scale."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict.errors import DataError

FloatArray = npt.NDArray[np.float64]

_MAX_KNOTS = 17


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


def standardize(labels: FloatArray) -> FloatArray:
    """Labels as normal scores of their ranks: mean 0, standard deviation about 1, robust to outliers and scale.

    Example:
        >>> standardize(np.array([10.0, 1000.0, 11.0])).round(2).tolist()
        [-0.97, 0.97, 0.0]
    """
    from scipy.stats import norm, rankdata

    quantile = (rankdata(labels) - 0.5) / len(labels)
    scores: FloatArray = norm.ppf(quantile)
    return scores


@dataclass(frozen=True)
class Calibration:
    """A strictly increasing, piecewise linear map, so that predictions read as labels and keep their order.

    It matches quantiles: the training architecture with the k-th score is given the k-th label. Beyond the training
    scores it goes on with the slope of the outermost sixteenth, which is gentle where labels crowd (the good end, as a
    rule).

    Args:
        scores: ``(K,)`` increasing scores.
        labels: ``(K,)`` increasing labels.

    Example:
        >>> calibration = Calibration.fit([0.0, 1.0, 3.0], [90.0, 91.0, 91.5])
        >>> calibration([-1.0, 0.5, 3.0, 5.0]).round(6).tolist()
        [89.0, 90.5, 91.5, 92.0]
    """

    scores: FloatArray
    labels: FloatArray

    @classmethod
    def fit(cls, scores: Any, labels: Any) -> Calibration:
        """Match the quantiles of ``(n,)`` training scores and ``(n,)`` labels, ``n`` at least 2."""
        at = np.linspace(0, 1, min(_MAX_KNOTS, len(scores)))
        return cls(_increasing(np.quantile(scores, at)), _increasing(np.quantile(labels, at)))

    def __call__(self, scores: Any) -> FloatArray:
        """Labels that scores of any shape stand for."""
        s = np.asarray(scores, dtype=np.float64)
        x, y = self.scores, self.labels
        inside: FloatArray = np.interp(s, x, y)
        below = np.minimum(s - x[0], 0) * _end_slope(x, y)
        above = np.maximum(s - x[-1], 0) * _end_slope(-x[::-1], -y[::-1])
        mapped: FloatArray = inside + below + above
        return mapped


def _end_slope(x: FloatArray, y: FloatArray) -> float:
    """Slope at the beginning, over a 32nd of the scores at least: equal scores would make it endless."""
    i = int(np.argmax(x - x[0] >= (x[-1] - x[0]) / 32))
    return float((y[i] - y[0]) / (x[i] - x[0]))


def _increasing(knots: FloatArray) -> FloatArray:
    """Equal knots moved apart by less than anything that matters and more than rounding can swallow."""
    step = max(1e-9 * float(np.ptp(knots)), 1e-12 * float(np.abs(knots).max()), 1e-30)
    apart: FloatArray = np.maximum.accumulate(knots) + step * np.arange(len(knots))
    return apart
