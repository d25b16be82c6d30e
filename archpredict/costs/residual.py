"""What statistics of networks tell of the errors of a roofline: a Gaussian process with a Laplacian kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from archpredict._typing import BoolArray, FloatArray, freeze

__all__ = ["Residuals", "Similarity", "rounded"]

_CONSTANT = 1e-6


def rounded(array: FloatArray) -> FloatArray:
    """The array in the numbers that single precision has, as it is saved."""
    return array.astype(np.float32).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Similarity:
    """Similarity of networks to ``n`` known ones: ``exp(-Σ_f |a_f - b_f| / length)`` of standardised numbers.

    Args:
        known: ``(n, F)`` standardised numbers.
        centre, scale: ``(F,)`` with which they were standardised.
        length: Median distance of the known ones.
    """

    known: FloatArray
    centre: FloatArray
    scale: FloatArray
    length: float

    def __post_init__(self) -> None:
        freeze(self, "known", "centre", "scale")

    @classmethod
    def of(cls, numbers: FloatArray) -> Similarity:
        """From the ``(n, F)`` numbers of the known networks."""
        centre, spread = rounded(numbers.mean(axis=0)), numbers.std(axis=0)
        scale = rounded(np.where(spread > _CONSTANT, spread, 1.0))
        known = rounded((numbers - centre) / scale)
        apart = cdist(known, known, "cityblock")
        return cls(known, centre, scale, max(float(np.median(apart)), 1e-9))

    def __call__(self, numbers: FloatArray) -> FloatArray:
        """``(m, n)`` similarities, from 0 to 1, of ``(m, F)`` numbers."""
        given = (numbers - self.centre) / self.scale
        return np.asarray(np.exp(-cdist(given, self.known, "cityblock") / self.length))


@dataclass(frozen=True, eq=False)
class Residuals:
    """Residuals as a Gaussian process sees them: means are sums of similarities (Rasmussen and Williams 2006, 2.25).

    Args:
        weights: ``(n,)`` of the known networks; 0 for those without a residual.
    """

    weights: FloatArray

    @classmethod
    def of(cls, similar: FloatArray, residuals: FloatArray, noise: float) -> Residuals:
        """From residuals of the known networks.

        Args:
            similar: ``(n, n)`` similarities.
            residuals: ``(n,)``, NaN where there is none.
            noise: Variance of the noise, over that of the process.
        """
        has: BoolArray = np.isfinite(residuals)
        weights = np.zeros(len(residuals))
        if has.any():
            kernel = similar[np.ix_(has, has)] + noise * np.eye(int(has.sum()))
            weights[has] = cho_solve(cho_factor(kernel), residuals[has])
        return cls(weights)

    def __call__(self, similar: FloatArray) -> FloatArray:
        """``(m,)`` expected residuals of networks with these ``(m, n)`` similarities to the known ones."""
        return np.asarray(similar @ self.weights)
