"""DevicePredictor: what architectures cost on a device where a few of them were measured, and all on other devices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import DataError, NotFittedError, UsageError
from archpredict.regressors.bayesian_ridge import BayesianRidge

__all__ = ["DevicePredictor", "layer_wise_sum"]

_FEWEST = 2
"""Measurements that a scale can be learnt from."""
_BELOW = 0.5
"""Part of the smallest measurement below which an absolute scale says nothing."""
_SPREAD = 4.0
"""Length of the numbers of a group together, about; numbers of the regressors have 1 each."""


class DevicePredictor:
    """Predicts costs (latency, energy) of architectures on a device from those on others and a few measurements.

    With measurements, Bayesian ridge regression (:class:`archpredict.regressors.bayesian_ridge.BayesianRidge`) of the
    cost itself, for a network takes the sum of what its layers take, on the costs on other devices and on numbers of
    the architecture, two groups that weigh the same before anything is measured. Where a regression of the logarithm
    on the logarithms of the other devices expects less than half of the smallest measurement, this is what is
    predicted: of a network that computes next to nothing a sum of large terms says little. Without a measurement, the
    order is that of the mean of the other devices' logarithms, each standardised.

    Gaps in the columns of other devices are filled by regression of their logarithms on the numbers.

    Args:
        others: Costs of all ``N`` architectures on other devices, ``(N,)`` each by any name, positive; not a number
            where an architecture was not measured.
        numbers: ``(N, F)`` of the architectures, e.g. :func:`archpredict.graph.operator_counts.operator_counts`.

    Raises:
        DataError: Costs that are not positive, numbers that are not finite, or not one row for each architecture.

    Example:
        >>> convolutions = np.arange(1.0, 13.0)
        >>> others = {"phone": 2 + 3 * convolutions, "board": 1 + 9 * convolutions}
        >>> predictor = DevicePredictor(others, convolutions[:, None])
        >>> bool(np.all(np.diff(predictor.order()) > 0))
        True
        >>> mine = predictor.fit([1, 4, 9], [7.0, 13.0, 23.0]).predict()
        >>> bool(np.allclose(mine, 3 + 2 * convolutions, rtol=0.05))
        True
    """

    def __init__(self, others: Mapping[str, npt.ArrayLike], numbers: npt.ArrayLike) -> None:
        self._numbers = np.asarray(numbers, dtype=np.float64)
        if self._numbers.ndim != 2 or not np.isfinite(self._numbers).all():
            raise DataError(f"numbers must be finite, (N, F), got shape {self._numbers.shape}; give a row for each")
        if not others:
            raise DataError("no device was given; what is known of others is what this predictor begins with")
        columns = {name: np.asarray(costs, dtype=np.float64) for name, costs in others.items()}
        for name, costs in columns.items():
            _check_costs(name, costs, len(self._numbers))
        self._numbers = _standardised(self._numbers)
        self._logs = np.stack([_filled(np.log(costs), self._numbers) for costs in columns.values()], axis=1)
        self._costs = _standardised(np.exp(self._logs))
        self._predicted: FloatArray | None = None

    @property
    def logs(self) -> FloatArray:
        """``(N, D)`` logarithms of the costs on the other devices, with gaps filled."""
        return self._logs

    def order(self) -> FloatArray:
        """``(N,)`` without a unit, higher costs more: what the other devices say on average."""
        return np.asarray(_standardised(self._logs).mean(axis=1))

    def fit(self, rows: npt.ArrayLike, costs: npt.ArrayLike) -> DevicePredictor:
        """Learn from measurements on the device.

        Args:
            rows: ``(n,)`` which architectures were measured, at least 2.
            costs: ``(n,)`` what they cost, positive; in any unit.

        Raises:
            UsageError: Rows that there are not, or twice the same.
            DataError: Fewer than 2 measurements, or one that is not positive and finite.
        """
        index, measured = np.asarray(rows), np.asarray(costs, dtype=np.float64)
        index = _check_rows(index, len(self._numbers))
        _check_measured(measured, len(index))
        groups = [group * _SPREAD / np.sqrt(group.shape[1]) for group in (self._costs, self._numbers)]
        absolute = _regressed(np.concatenate(groups, axis=1), index, measured)
        logs = _standardised(self._logs) * _SPREAD / np.sqrt(self._logs.shape[1])
        relative = np.exp(np.clip(_regressed(logs, index, np.log(measured)), -700, 700))
        smallest = measured.min()
        # What the sum puts below all that was measured may be negative.
        positive = np.where(absolute < smallest, np.minimum(relative, smallest), absolute)
        self._predicted = np.where(relative < _BELOW * smallest, relative, positive)
        return self

    def predict(self) -> FloatArray:
        """``(N,)`` costs in the unit of the measurements.

        Raises:
            NotFittedError: Nothing was measured; :meth:`order` needs no measurement.
        """
        if self._predicted is None:
            raise NotFittedError("nothing was measured on the device; fit measurements first, or ask for the order")
        return self._predicted


def layer_wise_sum(counts: npt.ArrayLike, rows: npt.ArrayLike, costs: npt.ArrayLike) -> FloatArray:
    """Costs as sums of what each layer costs, plus a constant: least squares without negative costs.

    What is usual where layers can be measured one by one; to compare with.

    Args:
        counts: ``(N, F)`` how often each architecture has each layer.
        rows: ``(n,)`` which architectures were measured.
        costs: ``(n,)`` what they cost.

    Returns:
        ``(N,)`` costs of all.

    Example:
        >>> layer_wise_sum([[1, 0], [0, 1], [2, 0], [1, 3]], [0, 1, 2], [5.0, 3.5, 7.0]).round(6).tolist()
        [5.0, 3.5, 7.0, 6.5]
    """
    design = np.column_stack([np.asarray(counts, dtype=np.float64), np.ones(len(np.asarray(counts)))])
    found, _ = nnls(design[np.asarray(rows)], np.asarray(costs, dtype=np.float64))
    return np.asarray(design @ found)


def _regressed(x: FloatArray, rows: IntArray, y: FloatArray) -> FloatArray:
    """``(N,)`` predictions of a ridge regression on some rows."""
    mean, spread = y.mean(), y.std()
    if spread == 0:
        return np.full(len(x), mean)
    model = BayesianRidge()
    model.fit(x[rows], (y - mean) / spread)
    return np.asarray(model.predict(x) * spread + mean)


def _filled(logs: FloatArray, numbers: FloatArray) -> FloatArray:
    """The column, with what the numbers let expect in its gaps."""
    has = np.isfinite(logs)
    return logs if has.all() else np.where(has, logs, _regressed(numbers, np.flatnonzero(has), logs[has]))


def _standardised(columns: FloatArray) -> FloatArray:
    spread = columns.std(axis=0)
    return np.asarray((columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def _check_costs(name: str, costs: FloatArray, rows: int) -> None:
    if costs.shape != (rows,):
        raise DataError(f"the costs on {name} have shape {costs.shape}; expected one for each of {rows} architectures")
    known = costs[~np.isnan(costs)]
    if len(known) < _FEWEST or not (np.isfinite(known).all() and (known > 0).all()):
        raise DataError(
            f"the costs on {name} must be positive, at least {_FEWEST} of them; give not a number where an "
            "architecture was not measured"
        )


def _check_rows(rows: npt.NDArray[np.generic], total: int) -> IntArray:
    if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
        raise UsageError(f"rows must be a list of numbers of architectures, got {rows.dtype} of shape {rows.shape}")
    index = rows.astype(np.int64)
    if len(index) and (index.min() < 0 or index.max() >= total):
        raise UsageError(f"rows must be from 0 to {total - 1}, got {index.min()} to {index.max()}")
    if len(np.unique(index)) < len(index):
        raise UsageError("an architecture is given twice; give one cost for each, e.g. the median of its measurements")
    return index


def _check_measured(costs: FloatArray, rows: int) -> None:
    if costs.shape != (rows,) or rows < _FEWEST:
        raise DataError(
            f"{costs.size} costs of {rows} architectures were given; expected one each, of at least {_FEWEST}"
        )
    if not (np.isfinite(costs).all() and (costs > 0).all()):
        raise DataError(f"measured costs must be positive and finite, got {costs.min():g} to {costs.max():g}")
