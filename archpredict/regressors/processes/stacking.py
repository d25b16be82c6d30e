"""Weights of predictors whose predictions form a mixture, found by how likely held-out labels are under it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from archpredict._typing import FloatArray

__all__ = ["stacking_weights"]

_STEPS, _ENOUGH = 1000, 1e-7


def stacking_weights(densities: npt.ArrayLike, prior: npt.ArrayLike, labels: float = 25.0) -> FloatArray:
    """Stacking weights ``(M,)`` of a mixture of predictive distributions, under a Dirichlet prior.

    Yao, Vehtari, Simpson and Gelman, "Using stacking to average Bayesian predictive distributions", Bayesian Analysis
    13, 2018, equation 4, with a prior as if so many labels had been seen that came from the members by their prior
    weights: what the labels do not tell apart keeps these. Found by expectation maximisation.

    Args:
        densities: ``(M, n)`` logarithms of the densities that each member gives labels that it has not seen.
        prior: ``(M,)`` weights from 0 on, not all 0; a member without prior weight gets none.
        labels: How many the prior counts for, above 0.

    Example:
        >>> right, wrong = np.full(75, 0.0), np.full(75, -20.0)
        >>> stacking_weights([right, wrong], [0.5, 0.5]).round(3).tolist()
        [0.875, 0.125]
    """
    log, share = np.asarray(densities, dtype=np.float64), np.asarray(prior, dtype=np.float64)
    weights = share = share / share.sum()
    total = log.shape[1] + labels
    with np.errstate(divide="ignore"):  # the logarithm of no weight
        for _ in range(_STEPS):
            joint = log + np.log(weights)[:, None]
            before, weights = weights, (np.exp(joint - logsumexp(joint, axis=0)).sum(axis=1) + labels * share) / total
            if np.abs(weights - before).max() < _ENOUGH:
                break
    return np.asarray(weights / weights.sum())
