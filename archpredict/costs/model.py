"""SpeedModel: rooflines with coefficients, and what statistics add to them, for many settings at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from archpredict._typing import FloatArray, IntArray, freeze
from archpredict.costs.fitting import coefficients
from archpredict.costs.regimes import REGIMES
from archpredict.costs.residual import Residuals, Similarity, rounded

__all__ = ["Numbers", "SpeedModel"]

_OWN_NOISE = 1.0
"""Variance of what of a single setting's errors statistics do not tell, over that of what they do."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """What is read of ``G`` networks.

    Args:
        terms: ``(S, G, K)`` of :func:`archpredict.costs.roofline.roofline`, for each setting.
        statistics: ``(G, F)`` of :func:`archpredict.graph.network_statistics.network_statistics`.
    """

    terms: FloatArray
    statistics: FloatArray

    def rows(self, index: IntArray) -> Numbers:
        """Those of some of the networks."""
        return Numbers(self.terms[:, index], self.statistics[index])


@dataclass(frozen=True, eq=False)
class SpeedModel:
    """A model of logarithmic speeds: minus the logarithm of a weighed roofline, and a Gaussian process on its errors.

    Settings of a regime share a process; what is left of each setting's errors has one of its own.

    Args:
        similarity: To the ``n`` networks that it was fitted to.
        weights: ``(S, K)`` coefficients by setting. shared: ``(S, n)`` of the regime's process; own: ``(S, n)``.
        regime_weights: ``(R, K)`` coefficients of all settings of a regime together. regime_shared: ``(R, n)``.
    """

    similarity: Similarity
    weights: FloatArray
    shared: FloatArray
    own: FloatArray
    regime_weights: FloatArray
    regime_shared: FloatArray

    def __post_init__(self) -> None:
        freeze(self, "weights", "shared", "own", "regime_weights", "regime_shared")

    @classmethod
    def fit(cls, numbers: Numbers, speeds: FloatArray, regimes: Sequence[str]) -> SpeedModel:
        """From measured speeds.

        Args:
            numbers: Of the ``n`` networks.
            speeds: ``(S, n)`` per second; NaN where nothing was measured.
            regimes: ``S`` names.
        """
        similarity = Similarity.of(numbers.statistics)
        similar = similarity(numbers.statistics)
        count, terms = len(regimes), numbers.terms.shape[2]
        weights = np.zeros((count, terms))
        shared, own = np.zeros((2, count, len(similar)))
        regime_weights, regime_shared = np.zeros((len(REGIMES), terms)), np.zeros((len(REGIMES), len(similar)))
        for r, (name, regime) in enumerate(REGIMES.items()):
            places = [s for s in range(count) if regimes[s] == name]
            rows = [(s, np.isfinite(speeds[s])) for s in places]
            errors = np.full((len(places), len(similar)), np.nan)
            for i, (s, has) in enumerate(rows):
                weights[s] = coefficients(numbers.terms[s][has], 1 / speeds[s][has], regime.prior, regime.strengths)
                errors[i] = np.log(speeds[s]) + np.log(numbers.terms[s] @ weights[s])
            process = Residuals.of(similar, _mean(errors), regime.noise)
            expected = process(similar)
            for i, s in enumerate(places):
                shared[s] = process.weights
                own[s] = Residuals.of(similar, errors[i] - expected, _OWN_NOISE).weights
            regime_shared[r] = process.weights
            together = [numbers.terms[s][has] for s, has in rows]
            times = [1 / speeds[s][has] for s, has in rows]
            regime_weights[r] = (
                coefficients(np.concatenate(together), np.concatenate(times), regime.prior, regime.strengths)
                if places
                else regime.prior
            )
        arrays = (weights, shared, own, regime_weights, regime_shared)
        return cls(similarity, *map(rounded, arrays))

    def predict(self, setting: int, terms: FloatArray, similar: FloatArray) -> FloatArray:
        """Expected logarithms of speeds, ``(m,)``.

        Args:
            setting: Place of a setting that it was fitted to.
            terms: ``(m, K)`` in this setting.
            similar: ``(m, n)`` similarities to the known networks.
        """
        return np.asarray(self.physics(setting, terms) + similar @ (self.shared[setting] + self.own[setting]))

    def physics(self, setting: int, terms: FloatArray) -> FloatArray:
        """The same by the weighed roofline alone."""
        return np.asarray(-np.log(np.maximum(terms @ self.weights[setting], _SHORTEST)))

    def borrow(self, regime: str, terms: FloatArray, similar: FloatArray) -> FloatArray:
        """The same in a setting that nothing was measured in, from the others of its regime."""
        r = _PLACES[regime]
        roofline = -np.log(np.maximum(terms @ self.regime_weights[r], _SHORTEST))
        return np.asarray(roofline + similar @ self.regime_shared[r])


_SHORTEST = 1e-9
"""Seconds: a network without kernels is not infinitely fast."""
_PLACES: Mapping[str, int] = {name: place for place, name in enumerate(REGIMES)}


def _mean(errors: FloatArray) -> FloatArray:
    """``(n,)`` means over settings of those that are known; NaN where none is."""
    known = np.isfinite(errors)
    counts = known.sum(axis=0)
    sums = np.where(known, errors, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
