"""Weighing: how much each member of an ensemble counts and how far it errs, found on labels it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.predict.calibration import Calibration
from archpredict.regressors.processes.stacking import averaging_weights

__all__ = ["HeldOut", "Weighing"]

_PSEUDO_LABELS = 8.0
"""Labels that the weights given count for."""
_LEAST_SLOPE = 0.05
_LEAST_VARIANCE = 1e-4
"""Of errors, where the labels' own is about 1."""
_LEVEL, _QUANTILE = 0.9, 1.6448536269514722
"""What share of new labels an interval is to hold, and how many standard deviations of a normal one that is."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Predictions of ``n`` labels by ``P`` parts that have not seen them.

    Args:
        scores: ``(P, n)``, standardised as on the part's training set.
        stds: ``(P, n)`` what each knows of its own uncertainty, on the same scale, 0 where nothing.
    """

    scores: FloatArray
    stds: FloatArray


@dataclass(frozen=True, eq=False)
class Weighing:
    """Weights and errors of the ``M`` members of an ensemble.

    Member ``m`` says that the standardised label is normally distributed around ``offset + slope z`` of its
    standardised score ``z``, with the variance ``noise + factor (slope s)²`` of its own deviation ``s``; the members
    say so together in a mixture.

    Args:
        weights: ``(M,)``, summing to 1.
        offset, slope: ``(M,)`` by least squares on held-out labels; slopes are positive.
        noise, factor: ``(M,)`` at least 0.
        inflation: What the standard deviations of the mixture are multiplied by, so that 90 % intervals hold 90 % of
            held-out labels: split conformal prediction (Lei et al., "Distribution-free predictive inference for
            regression", JASA 113, 2018) with errors relative to these deviations, as if ``n - P - 1`` labels had made
            them: what is found on them, the lines and weights of ``P`` parts, fits them a little too well.
    """

    weights: FloatArray
    offset: FloatArray
    slope: FloatArray
    noise: FloatArray
    factor: FloatArray
    inflation: float = 1.0

    @classmethod
    def fit(
        cls, held_out: HeldOut, prior: FloatArray, target: FloatArray, labels: FloatArray, calibration: Calibration
    ) -> Weighing:
        """Weights of the mean of the parts with the largest posterior under a Dirichlet prior, as of eight labels.

        Args:
            held_out: Of ``P`` parts, which are the members of this weighing.
            prior: ``(P,)`` weights as the user gave them.
            target: ``(n,)`` standardised labels.
            labels: ``(n,)``.
            calibration: From the standardised to the labels' scale.
        """
        offset, slope = np.array([_line(scores, target) for scores in held_out.scores]).T
        said = offset[:, None] + slope[:, None] * held_out.scores
        own = (slope[:, None] * held_out.stds) ** 2
        error = np.maximum(((target - said) ** 2).mean(axis=1), _LEAST_VARIANCE)
        knows = own.any(axis=1)
        factor = np.where(knows, error / np.maximum(own.mean(axis=1), _LEAST_VARIANCE), 0.0)
        noise = np.where(knows, 0.0, error)
        found = cls(averaging_weights(said, target, prior, _PSEUDO_LABELS), offset, slope, noise, factor)
        mean, std = found.mixture(held_out.scores, held_out.stds)
        errors = np.abs(labels - calibration(mean)) / np.maximum(calibration.spread(mean, std), 1e-300)
        at = min(1.0, _LEVEL * (1 + 1 / len(labels)))
        fitted = min(len(prior) + 1, len(labels) // 2)
        inflation = float(np.quantile(errors, at)) / _QUANTILE * np.sqrt(len(labels) / (len(labels) - fitted))
        return cls(found.weights, offset, slope, noise, factor, float(np.clip(inflation, 0.1, 100.0)))

    def spread_over(self, counts: list[int]) -> Weighing:
        """The weighing of members of which so many each are what was one part here; they share its weight."""
        parts = {f.name: np.repeat(getattr(self, f.name), counts) for f in fields(self) if f.name != "inflation"}
        parts["weights"] /= np.repeat(counts, counts)
        return Weighing(**parts, inflation=self.inflation)

    def aligned(self, scores: FloatArray) -> FloatArray:
        """``(M, n)`` standardised labels that members expect by their standardised scores."""
        return np.asarray(self.offset[:, None] + self.slope[:, None] * scores)

    def mixture(self, scores: FloatArray, stds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation ``(n,)`` of the mixture, not inflated.

        Args:
            scores: ``(M, n)`` standardised scores.
            stds: ``(M, n)`` standard deviations that the members know of, on the same scale.
        """
        said = self.aligned(scores)
        variance = self.noise[:, None] + self.factor[:, None] * (self.slope[:, None] * stds) ** 2
        mean = self.weights @ said
        return mean, np.sqrt(self.weights @ (variance + (said - mean) ** 2))

    # ------------------------------------------------------------------ saving

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {f.name: np.asarray(getattr(self, f.name)).tolist() for f in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], members: int) -> Weighing:
        """Read :meth:`to_dict`'s result.

        Raises:
            ValueError: It is not that of so many members.
        """
        values = {f.name: np.array(data[f.name], dtype=np.float64) for f in fields(cls)}
        inflation = float(values.pop("inflation"))
        found = cls(**values, inflation=inflation)
        numbers = np.stack(list(values.values())) if len({v.shape for v in values.values()}) == 1 else np.zeros(0)
        if numbers.shape != (5, members) or not np.isfinite([*numbers.ravel(), inflation]).all():
            raise ValueError(f"its members are not weighed by finite numbers, one for each of {members}")
        if abs(found.weights.sum() - 1) > 1e-6 or found.slope.min() <= 0 or inflation < 0:
            raise ValueError("the weights of its members do not sum to 1, or do not let scores increase")
        if min(found.weights.min(), found.noise.min(), found.factor.min()) < 0:
            raise ValueError("its members have negative weights or variances")
        return found


def _line(scores: FloatArray, target: FloatArray) -> tuple[float, float]:
    """Offset and slope of the least-squares line, which rises at least a little."""
    centered = scores - scores.mean()
    square = float(centered @ centered)
    slope = max(float(centered @ target) / square if square > 0 else 0.0, _LEAST_SLOPE)
    return float(target.mean() - slope * scores.mean()), slope
