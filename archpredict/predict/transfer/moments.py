"""Moments of a search space: how the statistics of its networks are spread, and how they go with labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

from archpredict._typing import FloatArray
from archpredict.errors import DataError
from archpredict.graph.network_statistics import NAMES
from archpredict.graph.path_statistics import PATH_NAMES
from archpredict.predict.batch import Batch
from archpredict.predict.network_numbers import network_numbers

__all__ = ["COLUMNS", "Moments", "numbers_of"]

_READ = ("log ", "edges per node", "count: ", "stage ")
"""Statistics of whole networks that mean the same in every space: sizes, numbers of layers, and where they are. (Shares
of single operators do not: adding them made every transfer that was tried worse.)"""
COLUMNS = (*(name for name in NAMES if name.startswith(_READ)), *PATH_NAMES)
"""Names of the numbers that carry over."""
_LARGEST = 1e12
"""Of what no covariance of the numbers comes near."""
_PLACES = [NAMES.index(name) for name in NAMES if name.startswith(_READ)]


def numbers_of(batch: Batch) -> FloatArray:
    """The :data:`COLUMNS` of a batch's networks, ``(B, F)``.

    Raises:
        UsageError: The space of the architectures defines no networks, or they are graphs of cells.
    """
    whole, paths = network_numbers(batch, "transfer reads statistics of networks")
    return np.concatenate([whole[:, _PLACES], paths], axis=1)


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of numbers of ``count`` architectures, and of labels with them.

    They are all that a linear model needs of its training set, however large, and less than would give a label away.

    Args:
        count: Architectures.
        mean: ``(F,)``.
        covariance: ``(F, F)``.
        of_labels: ``(F,)`` covariances with the labels as normal scores of their ranks; None where there are no labels.

    Example:
        >>> x = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
        >>> moments = Moments.of(x, [10.0, 70.0, 90.0])
        >>> moments.mean.tolist(), moments.spread.round(2).tolist(), moments.of_labels.round(2).tolist()
        ([1.0, 1.0], [0.82, 0.0], [0.82, 0.0])
    """

    count: int
    mean: FloatArray
    covariance: FloatArray
    of_labels: FloatArray | None = None

    @classmethod
    def of(cls, numbers: FloatArray, labels: npt.ArrayLike | None = None) -> Moments:
        """Moments of ``(n, F)`` numbers and ``(n,)`` labels, of which higher is better.

        Raises:
            DataError: Fewer than 2 architectures, labels that are not as many, not finite, or all equal.
        """
        if len(numbers) < 2:
            raise DataError(f"moments are of at least 2 architectures, {len(numbers)} was given; bring more")
        centred = numbers - numbers.mean(axis=0)
        of_labels = None if labels is None else centred.T @ normal_scores(labels, len(numbers)) / len(numbers)
        return cls(len(numbers), numbers.mean(axis=0), centred.T @ centred / len(numbers), of_labels)

    @property
    def is_possible(self) -> bool:
        """Whether there can be numbers and labels that have these moments."""
        if self.count < 2 or not np.allclose(self.covariance, self.covariance.T):
            return False
        labels = np.zeros(len(self.mean)) if self.of_labels is None else self.of_labels
        joint = np.block([[self.covariance, labels[:, None]], [labels[None], np.ones((1, 1))]])
        return bool(np.abs(joint).max() < _LARGEST and np.linalg.eigvalsh(joint).min() > -1e-6 * np.abs(joint).max())

    @property
    def spread(self) -> FloatArray:
        """``(F,)`` standard deviations; 0 for what is constant, up to rounding."""
        found = np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        return np.where(found > 1e-9 * np.maximum(1.0, np.abs(self.mean)), found, 0.0)


def normal_scores(labels: npt.ArrayLike, count: int) -> FloatArray:
    """Normal scores of the ranks of labels, with mean 0 and standard deviation 1.

    Raises:
        DataError: They are not ``count``, not finite, or all equal.
    """
    values = np.asarray(labels, dtype=np.float64)
    if values.shape != (count,) or not np.isfinite(values).all() or np.ptp(values) == 0:
        raise DataError(
            f"{count} architectures need as many finite labels that are not all equal, "
            f"an array of shape {values.shape} was given; leave out what has no label"
        )
    scores = norm.ppf((rankdata(values) - 0.5) / count)
    return np.asarray((scores - scores.mean()) / scores.std())
