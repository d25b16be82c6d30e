"""Weights of predictors whose predictions form a mixture or a mean, found by how likely it makes held-out labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from archpredict._typing import FloatArray

__all__ = ["averaging_weights", "stacking_weights"]

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


def averaging_weights(
    predictions: npt.ArrayLike, target: npt.ArrayLike, prior: npt.ArrayLike, labels: float = 25.0
) -> FloatArray:
    """Weights ``(M,)`` of the mean of predictions under which held-out labels are likeliest, under a Dirichlet prior.

    Breiman, "Stacked regressions", Machine Learning 24, 1996: the mean is right up to normal errors, whose variance is
    found with the weights. A mixture would settle on the member that is best alone; a mean gains from members that err
    in different ways.

    Args:
        predictions: ``(M, n)`` of labels that the members have not seen.
        target: ``(n,)`` these labels.
        prior: ``(M,)`` weights above 0.
        labels: How many labels the prior counts for, above 0.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> target, errors = rng.normal(size=5000), rng.normal(size=(2, 5000))
        >>> averaging_weights([target + errors[0], target + errors[1]], target, [0.9, 0.1]).round(1).tolist()
        [0.5, 0.5]
    """
    said, y, share = (np.asarray(values, dtype=np.float64) for values in (predictions, target, prior))
    share = share / share.sum()
    least = 1e-9 * float(y @ y) + 1e-300

    def loss(logits: FloatArray) -> tuple[float, FloatArray]:
        weights = softmax(logits)
        error = y - weights @ said
        square = float(error @ error) + least
        slope = -len(y) * (said @ error) / square
        value = len(y) / 2 * np.log(square) - labels * float(share @ np.log(np.maximum(weights, 1e-300)))
        return float(value), weights * (slope - weights @ slope) - labels * (share - weights)

    return np.asarray(softmax(minimize(loss, np.log(share), jac=True, method="L-BFGS-B").x))
