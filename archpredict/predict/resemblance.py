"""Which of several devices an unknown one resembles, and what follows for all architectures: in logarithms of costs."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import softmax

from archpredict._typing import FloatArray, IntArray

__all__ = ["by_resemblance"]

_SLOPE, _DEVIATIONS, _FREE = 0.01, 0.1, 4.0
"""Variances, in those of noise: of a slope by the own standardised logarithm, of how all others differ from it,
and of all together where no device is taken for a mean."""
_SHAPE, _SCALE = 2.0, 0.1
"""Of the inverse gamma distribution of the variance of noise."""


def by_resemblance(
    logs: FloatArray, rows: IntArray, measured: FloatArray, at: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Logarithms of costs on a device, from those on others and a few measurements.

    A Gaussian process for each other device, whose mean is the logarithm there plus a constant of which nothing is
    known beforehand (Rasmussen and Williams 2006, section 2.7), and which learns how the unknown device differs
    from it; and one whose mean is a constant. They are averaged by marginal likelihood, with the variance of noise
    integrated out. A device on which some networks cost next to nothing, because its compiler leaves them out, is told
    from the others by this, and what it leaves out follows; a regression on all devices is torn between them.

    Args:
        logs: ``(N, D)`` logarithms of costs on ``D`` other devices.
        rows: ``(n,)`` which architectures were measured.
        measured: ``(n,)`` logarithms of what they cost.
        at: ``(m,)`` which architectures are asked for.

    Returns:
        ``(m,)`` means, and ``(m,)`` standard deviations of what would be measured.

    Example:
        >>> logs = np.log([[1.0, 5.0], [2.0, 1.0], [3.0, 7.0], [4.0, 1.0], [0.001, 6.0]])
        >>> mean, std = by_resemblance(logs, np.arange(4), np.log([10.0, 20.0, 30.0, 40.0]), np.array([4]))
        >>> bool(0.005 < np.exp(mean[0]) < 0.05)
        True
    """
    standard = (logs - logs.mean(axis=0)) / np.where(logs.std(axis=0) > 0, logs.std(axis=0), 1.0)
    devices = logs.shape[1]
    found = [_process(np.zeros(len(logs)), standard * np.sqrt(_FREE / devices), rows, measured, at)]
    for own in range(devices):
        apart = logs - logs[:, [own]]
        apart = (apart - apart.mean(axis=0)) * np.sqrt(_DEVIATIONS / devices)
        columns = np.concatenate([np.sqrt(_SLOPE) * standard[:, [own]], apart], axis=1)
        found.append(_process(logs[:, own], columns, rows, measured, at))
    means, variances, evidence = (np.array(each) for each in zip(*found, strict=True))
    weights = softmax(evidence)
    mean = weights @ means
    return mean, np.sqrt(np.maximum(weights @ (variances + means**2) - mean**2, 0.0))


def _process(
    centre: FloatArray, columns: FloatArray, rows: IntArray, measured: FloatArray, at: IntArray
) -> tuple[FloatArray, FloatArray, float]:
    """``(m,)`` means and variances of a process that is linear in columns, and the logarithm of its evidence."""
    known, asked, ones = columns[rows], columns[at], np.ones(len(rows))
    factor = cho_factor(known @ known.T + np.eye(len(rows)), lower=True)
    certainty = float(ones @ cho_solve(factor, ones))  # of the constant
    error = measured - centre[rows]
    constant = float(ones @ cho_solve(factor, error)) / certainty
    error = error - constant
    square, shape = _SCALE + float(error @ cho_solve(factor, error)) / 2, _SHAPE + (len(rows) - 1) / 2
    evidence = -shape * np.log(square) - float(np.log(np.diag(factor[0])).sum()) - np.log(certainty) / 2
    across = asked @ known.T
    back = cho_solve(factor, across.T)
    spread = (asked**2).sum(axis=1) + 1 - np.einsum("ij,ji->i", across, back)
    spread = spread + (1 - ones @ back) ** 2 / certainty
    mean = centre[at] + constant + across @ cho_solve(factor, error)
    return mean, square / (shape - 1) * np.maximum(spread, 1.0), float(evidence)
