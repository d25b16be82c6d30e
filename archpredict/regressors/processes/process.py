"""One Gaussian process for many means and noises: its kernel matrix is decomposed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from archpredict._typing import FloatArray

__all__ = ["Posteriors", "Prior", "Process"]

_SLOPE, _SLOPE_VARIANCE = 0.7, 0.1
"""Prior of the factor on a mean, which has mean 0 and spread 1 where it comes from: normal, variance in units of the
process's own."""
_SHAPE, _RATE = 2.0, 1.0
"""Prior of the process's variance: inverse gamma, with mean 1 and the weight of four labels."""


@dataclass(frozen=True)
class Prior:
    """What is known before the labels, beside the kernel.

    Args:
        mean: Number of the column that is the mean, -1 for none.
        noise: Variance of the labels' noise, in units of the process's own.
    """

    mean: int
    noise: float


@dataclass(frozen=True, eq=False)
class Posteriors:
    """What ``C`` processes say of their ``n`` labels.

    Args:
        evidence: ``(C,)`` logarithms of marginal likelihoods, up to one constant.
        left_out: ``(C, n)`` predictions of each label by the others.
        variance: ``(C, n)`` their variances, noise included.
    """

    evidence: FloatArray
    left_out: FloatArray
    variance: FloatArray


class Process:
    """A Gaussian process with a kernel matrix, given labels, for any :class:`Prior`.

    ``y ~ N(b m, s (K + noise))``, with a normal prior on the factor ``b`` of the mean and an inverse gamma
    one on ``s``, both integrated out (Rasmussen and Williams 2006, sections 2.3, 2.7 and 5.4.2).

    Args:
        kernel: ``(n, n)`` matrix ``K``.
        y: ``(n,)`` labels.
        means: ``(n, M)`` columns that may be the mean.
    """

    def __init__(self, kernel: FloatArray, y: FloatArray, means: FloatArray) -> None:
        values, self._vectors = eigh(kernel, driver="evd", check_finite=False, overwrite_a=True)
        self._values = np.maximum(values, 0)
        self._y, self._means = y, means
        turned = self._vectors.T @ np.column_stack([y, means])
        self._label, self._mean = turned[:, 0], turned[:, 1:]

    def posteriors(self, priors: Sequence[Prior]) -> Posteriors:
        """Evidence, and leave-one-out predictions (equations 5.10 to 5.12), for each of ``C`` priors."""
        parts = [self._part(prior) for prior in priors]
        evidence = [-0.5 * p.log_det - (_SHAPE + len(self._y) / 2) * np.log(_RATE + p.square / 2) for p in parts]
        # Inverse covariances have these diagonals; a mean with a factor of its own takes a rank-one part away.
        weights = np.stack([p.weights for p in parts])
        across = np.stack([p.across for p in parts]) @ self._vectors.T
        factors = np.array([p.factor for p in parts])[:, None]
        diagonal = weights @ (self._vectors**2).T - factors * across**2
        solved = np.stack([p.solved for p in parts]) @ self._vectors.T
        scale = np.array([p.scale for p in parts])[:, None]
        return Posteriors(np.array(evidence), self._y - solved / diagonal, scale / diagonal)

    def predict(self, kernel: FloatArray, means: FloatArray, priors: Sequence[Prior]) -> tuple[FloatArray, FloatArray]:
        """Means and variances, noise included, of new labels, ``(C, G)`` each (equations 2.25, 2.26 and 2.41).

        Args:
            kernel: ``(G, n)`` of the kernel between the new and the labelled.
            means: ``(G, M)`` the columns that may be the mean.
            priors: ``C`` of them.
        """
        parts = [self._part(prior) for prior in priors]
        turned = kernel @ self._vectors
        given = np.stack([means[:, p.mean] if p.mean >= 0 else np.zeros(len(kernel)) for p in priors])
        slopes, solved, across = (
            np.array([p.slope for p in parts])[:, None],
            *(np.stack([getattr(p, name) for p in parts]) for name in ("solved", "across")),
        )
        mean = slopes * given + solved @ turned.T
        factors, scale, noise = (
            np.array(column)[:, None]
            for column in ([p.factor for p in parts], [p.scale for p in parts], [p.noise for p in priors])
        )
        explained = np.stack([p.weights for p in parts]) @ (turned**2).T
        unsure = factors * (given - across @ turned.T) ** 2
        return mean, scale * np.maximum(1 + noise - explained + unsure, noise)

    def _part(self, prior: Prior) -> _Part:
        weights = 1 / (self._values + prior.noise)
        mean = self._mean[:, prior.mean] if prior.mean >= 0 else np.zeros_like(weights)
        rest = self._label - _SLOPE * mean
        across = mean * weights
        inflation = 1 + _SLOPE_VARIANCE * (across @ mean)
        factor = _SLOPE_VARIANCE / inflation if prior.mean >= 0 else 0.0
        change = factor * (across @ rest)
        solved = rest * weights - change * across
        square = float(rest @ solved)
        scale = (_RATE + square / 2) / (_SHAPE + len(weights) / 2)
        log_det = float(np.log(inflation) - np.log(weights).sum())
        slope = _SLOPE + change if prior.mean >= 0 else 0.0
        return _Part(weights, across, factor, solved, square, scale, log_det, slope)


@dataclass(frozen=True, eq=False)
class _Part:
    """One prior's part, in the directions of the kernel's eigenvectors."""

    weights: FloatArray
    across: FloatArray
    factor: float
    solved: FloatArray
    square: float
    scale: float
    log_det: float
    slope: float
