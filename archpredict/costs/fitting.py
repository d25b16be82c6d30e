"""Coefficients of a roofline, from measured times: least squares of relative errors, no coefficient below 0."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from archpredict._typing import FloatArray

__all__ = ["coefficients"]

_ROUNDS = 3
_FAR = 0.3
"""Logarithmic error from which on a row counts less."""
_MOST_STEPS = 2000


def coefficients(terms: FloatArray, seconds: FloatArray, prior: FloatArray, strength: FloatArray) -> FloatArray:
    """Coefficients with which the terms add up to the times.

    ``min_{c >= 0} mean_i w_i² (terms_i · c / seconds_i - 1)² + Σ_k strength_k s_k (c_k - prior_k)²`` with ``s_k`` the
    root mean square of ``terms_ik / seconds_i``: a term that hardly shows keeps its prior. Weights are found anew a few
    times so that the error is that of logarithms, and large ones count in proportion instead of squared (Huber, 1964).

    Args:
        terms: ``(n, K)`` as :func:`archpredict.costs.roofline.roofline` gives them.
        seconds: ``(n,)`` measured, per sample.
        prior: ``(K,)``.
        strength: ``(K,)`` how much the prior counts.

    Returns:
        ``(K,)``.

    Example:
        >>> terms = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
        >>> coefficients(terms, terms @ [2.0, 3.0], np.ones(2), np.full(2, 1e-9)).round(3)
        array([2., 3.])
    """
    relative = terms / seconds[:, None]
    share = np.sqrt((relative**2).mean(axis=0))
    shows = np.flatnonzero(share > 1e-9)
    found: FloatArray = prior.copy()
    if not len(shows):
        return found
    relative = relative[:, shows]
    pull = np.sqrt(strength[shows] * len(seconds) * np.maximum(share[shows], 1e-3))
    weights = np.ones(len(seconds))
    for _ in range(_ROUNDS):
        left = np.vstack([relative * weights[:, None], np.diag(pull)])
        found[shows] = nnls(left, np.concatenate([weights, pull * prior[shows]]), maxiter=_MOST_STEPS)[0]
        weights = _weights(relative @ found[shows])
    return found


def _weights(ratio: FloatArray) -> FloatArray:
    """Weights that turn errors of ratios into those of their logarithms, large ones in proportion."""
    logarithm = np.abs(np.log(np.maximum(ratio, 0.05)))
    error = np.maximum(np.abs(ratio - 1), 1e-6)
    return np.asarray(np.sqrt(logarithm / error / np.maximum(1, logarithm / _FAR)))
