"""Reweighting: what a few labels of the user's own say about the scores of a predictor that was trained on others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray

_SLOPE, _SLOPE_VARIANCE = 0.8, 0.1
"""What is believed of the correlation of labels and scores before any label is seen."""
_LEVEL_VARIANCE = 1.0
_MEMBER_VARIANCE = 0.1
_NOISES = (0.1, 0.3, 1.0)
_AMPLITUDES = (0.1, 0.5)
_LENGTHS = (0.5, 1.5)
_STRAIGHT = 0.7
"""Belief that the scores need no correction beyond slope, level and the members' weights."""
_NEGLIGIBLE = 1e-3
_SPREADS = (0.5, 2.0)
_FOLDS = 20
MAX_LABELS = 1000
"""Most labels that are taken: the cost grows with their cube, and so many train a predictor of their own."""
_ONE_BY_ONE = 200


@dataclass(frozen=True, eq=False)
class Known:
    """The predictions and numbers that a predictor has of ``n`` architectures.

    Args:
        scores: ``(n,)`` predictions.
        stds: ``(n,)`` their standard deviations, all 0 where it has none.
        members: ``(n, M)`` how far each member's standardised score is from their mean.
        numbers: ``(n, K)`` standardised numbers known of each architecture as a whole; ``K`` may be 0.
    """

    scores: FloatArray
    stds: FloatArray
    members: FloatArray
    numbers: FloatArray

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Known:
        return Known(self.scores[rows], self.stds[rows], self.members[rows], self.numbers[rows])


@dataclass(frozen=True)
class _Belief:
    """One hypothesis: how large corrections and noise are, as shares of the labels' variance."""

    amplitude: float
    length: float
    noise: float
    prior: float


def _beliefs() -> list[_Belief]:
    bent = [(a, length, s) for a in _AMPLITUDES for length in _LENGTHS for s in _NOISES]
    return [
        *(_Belief(0.0, 1.0, s, _STRAIGHT / len(_NOISES)) for s in _NOISES),
        *(_Belief(*values, (1 - _STRAIGHT) / len(bent)) for values in bent),
    ]


class Reweighting:
    r"""Gaussian process around a predictor's scores, averaged over how far they are to be trusted.

    Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, equations 2.25, 2.26 and 2.30. With labels
    ``z`` and scores ``f`` standardised, deviations ``d`` of the members, and numbers ``x``::

        z = a + c f + d w + h(x) + noise,   a ~ N(0, 1),  c ~ N(0.8, 0.1),  w ~ N(0, 0.1),
        h ~ GP(0, A exp(-|x - x'|_1 / (K L)))

    The affine part takes labels on any scale, ``w`` weighs the members anew, ``h`` moves architectures that are like
    those measured. For each ``A``, ``L`` and noise of a small grid all of this has a closed form; the posterior
    probabilities of the grid (most of the prior on ``A = 0``) weigh the predictions. So three labels leave the
    order nearly as it was, two hundred may change it.

    Example:
        >>> scores = np.linspace(0.0, 1.0, 6)
        >>> known = Known(scores, np.full(6, 0.1), np.zeros((6, 1)), np.zeros((6, 0)))
        >>> mean, std = Reweighting(known, 70 + 20 * scores)(known)
        >>> bool(np.abs(mean - (70 + 20 * scores)).max() < 2)
        True
    """

    def __init__(self, known: Known, labels: FloatArray) -> None:
        self.known, self.labels = known, labels
        self._level, self._scale = float(labels.mean()), float(labels.std()) or 1.0
        # Scores that differ by less than they are uncertain tell little: they are not stretched to the labels.
        self._middle = float(known.scores.mean())
        self._width = float(np.sqrt(known.scores.var() + np.mean(known.stds**2))) or 1.0
        self._spread = float(np.sqrt(np.mean(known.stds**2))) or 1.0
        self._solve()

    def _solve(self) -> None:
        from scipy.linalg import cho_factor, cho_solve

        residual = (self.labels - self._level) / self._scale - _SLOPE * self._standardized(self.known)
        straight, distance = self._straight(self.known), self._distance(self.known)
        solved, evidence = [], []
        for belief in _beliefs():
            covariance = straight + _bent(distance, belief) + belief.noise * np.eye(len(residual))
            factor = cho_factor(covariance, lower=True)
            alpha = cho_solve(factor, residual)
            solved.append((belief, factor, alpha))
            fit = -0.5 * float(residual @ alpha) - float(np.log(np.diag(factor[0])).sum())
            evidence.append(fit + np.log(belief.prior))
        weights = np.exp(np.array(evidence) - max(evidence))
        weights /= weights.sum()
        self._solved = [(w, *rest) for w, rest in zip(weights.tolist(), solved, strict=True) if w > _NEGLIGIBLE]

    def __call__(self, known: Known) -> tuple[FloatArray, FloatArray]:
        """Predicted labels ``(m,)`` and their standard deviations, noise included."""
        from scipy.linalg import cho_solve

        f = self._standardized(known)
        straight, distance = self._straight(known), self._distance(known)
        own = _LEVEL_VARIANCE + _SLOPE_VARIANCE * f**2 + _MEMBER_VARIANCE * (known.members**2).sum(axis=1)
        noise = np.clip(known.stds / self._spread, *_SPREADS) ** 2 if known.stds.any() else np.ones(len(known))
        total, first, second = 0.0, np.zeros(len(known)), np.zeros(len(known))
        for weight, belief, factor, alpha in self._solved:
            across = straight + _bent(distance, belief)
            mean = _SLOPE * f + across @ alpha
            explained = (across * cho_solve(factor, across.T).T).sum(axis=1)
            variance = np.maximum(own + belief.amplitude - explained, 0) + belief.noise * noise
            total += weight
            first += weight * mean
            second += weight * (mean**2 + variance)
        mean = first / total
        std = np.sqrt(np.maximum(second / total - mean**2, 0))
        return self._level + self._scale * mean, self._scale * std

    def _standardized(self, known: Known) -> FloatArray:
        standardized: FloatArray = (known.scores - self._middle) / self._width
        return standardized

    def _straight(self, known: Known) -> FloatArray:
        """``(m, n)`` prior covariances of the affine part."""
        slope = np.outer(self._standardized(known), self._standardized(self.known))
        covariance: FloatArray = (
            _LEVEL_VARIANCE + _SLOPE_VARIANCE * slope + _MEMBER_VARIANCE * known.members @ self.known.members.T
        )
        return covariance

    def _distance(self, known: Known) -> FloatArray:
        """``(m, n)`` mean absolute differences of the numbers; 0 where there are none to compare."""
        from scipy.spatial.distance import cdist

        if not known.numbers.shape[1]:
            return np.zeros((len(known), len(self.known)))
        distance: FloatArray = cdist(known.numbers, self.known.numbers, "cityblock") / known.numbers.shape[1]
        return distance


def held_out(known: Known, labels: FloatArray) -> FloatArray:
    """Predictions ``(n,)`` of each label from all others, comparable with each other; for rank correlations.

    Everything is learnt anew without the label, the weights of the grid included. Above 200 labels a twentieth is left
    out at a time. Each fit's predictions are standardised over all ``n`` architectures before they are put together:
    a fit without a high label is lower throughout, which says nothing about the order.
    """
    predicted = np.empty(len(labels))
    for rows in _parts(len(labels)):
        rest = np.setdiff1d(np.arange(len(labels)), rows)
        everything, _ = Reweighting(known[rest], labels[rest])(known)
        predicted[rows] = (everything[rows] - everything.mean()) / (everything.std() or 1.0)
    return predicted


def _parts(n: int) -> Iterator[npt.NDArray[np.int64]]:
    order = np.random.default_rng(0).permutation(n)
    yield from np.array_split(order, n if n <= _ONE_BY_ONE else _FOLDS)


def _bent(distance: FloatArray, belief: _Belief) -> FloatArray:
    covariance: FloatArray = belief.amplitude * np.exp(-distance / belief.length)
    return covariance
