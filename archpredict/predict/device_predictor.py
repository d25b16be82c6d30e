"""DevicePredictor: what architectures cost on a device where a few of them were measured, and all on other devices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.stats import t as student

from archpredict._files import read_tensors, write_atomically
from archpredict._typing import FloatArray, IntArray
from archpredict.costs.adapted import Estimates
from archpredict.costs.known import COVERAGE
from archpredict.errors import DataError, NotFittedError, UsageError
from archpredict.predict.resemblance import by_resemblance
from archpredict.regressors.bayesian_ridge import BayesianRidge

__all__ = ["DevicePredictor", "layer_wise_sum"]

_VERSION = "1"
_LARGEST_FILE = 1 << 30
_FEWEST, _MOST = 2, 2000
"""Measurements: fewer have no scale, and more take too long."""
_PARTS = 20
_LEAST = 1e-6
"""Of the mean of the measurements: no standard deviation is below."""
_FARTHEST, _WIDEST = 700.0, 100.0
"""Logarithms beyond which exponentials overflow, or an interval says nothing."""
_SPREAD = 4.0
"""Length of the numbers of a group together, about; numbers of the regressors have 1 each."""


class DevicePredictor:
    """Predicts costs (latency, energy) of architectures on a device from those on others and a few measurements.

    Two views are weighed by how sure they are of each architecture. In the unit of the measurements, Bayesian ridge
    regression (:class:`archpredict.regressors.bayesian_ridge.BayesianRidge`), for a network takes the sum of what its
    layers take, on the costs on other devices and on numbers of the architecture, two groups that weigh the same before
    anything is measured. In logarithms, what the devices that this one resembles say
    (:func:`archpredict.predict.resemblance.by_resemblance`). Both are normal about their means, so that the mean of
    their product counts each by its inverse variance; where the second expects less than the first one's standard
    deviation, it stands alone: of a network that computes next to nothing a sum of large terms says little.
    Without a measurement, the order is that of the mean of the other devices' logarithms, each standardised.

    Intervals are the standard deviations of this mean, each with the usual one added in squares, times what
    measurements call for that were left out (one at a time, of more than 20 in 20 parts): Student's quantile of the
    root mean square of their errors over the deviations, in logarithms.

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
        self._given = np.asarray(numbers, dtype=np.float64)
        if self._given.ndim != 2 or not np.isfinite(self._given).all():
            raise DataError(f"numbers must be finite, (N, F), got shape {self._given.shape}; give a row for each")
        if not others:
            raise DataError("no device was given; what is known of others is what this predictor begins with")
        self._others = {name: np.asarray(costs, dtype=np.float64) for name, costs in others.items()}
        for name, costs in self._others.items():
            _check_costs(name, costs, len(self._given))
        standard = _standardised(self._given)
        self._logs = np.stack([_filled(np.log(costs), standard) for costs in self._others.values()], axis=1)
        groups = (_standardised(np.exp(self._logs)), standard)
        self._columns = np.concatenate([group * _SPREAD / np.sqrt(max(group.shape[1], 1)) for group in groups], axis=1)
        self._measured: tuple[IntArray, FloatArray] | None = None
        self._said: Estimates | None = None

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
        measured = np.asarray(costs, dtype=np.float64)
        index = _check_rows(np.asarray(rows), len(self._given))
        _check_measured(measured, len(index))
        values, deviations = self._weighed(index, measured, np.arange(len(self._given)))
        factor = np.exp(np.minimum(self._half_widths(deviations, index, measured), _WIDEST))
        self._said, self._measured = Estimates(values, values / factor, values * factor), (index, measured)
        return self

    def predict(self) -> FloatArray:
        """``(N,)`` costs in the unit of the measurements.

        Raises:
            NotFittedError: Nothing was measured; :meth:`order` needs no measurement.
        """
        return self.estimates().values

    def estimates(self) -> Estimates:
        """Costs in the unit of the measurements, nine in ten of which lie between ``low`` and ``high``.

        Raises:
            NotFittedError: Nothing was measured; :meth:`order` needs no measurement.
        """
        if self._said is None:
            raise NotFittedError("nothing was measured on the device; fit measurements first, or ask for the order")
        return self._said

    def _weighed(self, rows: IntArray, costs: FloatArray, at: IntArray) -> tuple[FloatArray, FloatArray]:
        """``(m,)`` costs, and standard deviations of their logarithms."""
        least = _LEAST * costs.mean()
        absolute, deviation = _regressed(self._columns, rows, costs, at)
        deviation = np.maximum(deviation, least)
        logs, spread = by_resemblance(self._logs, rows, np.log(costs), at)
        relative = np.exp(np.clip(logs, -_FARTHEST, _FARTHEST))
        one, other = deviation**-2, np.maximum(relative * spread, least) ** -2
        mean = (one * absolute + other * relative) / (one + other)
        alone = (relative < deviation) | (mean <= 0)
        of_mean = (one + other) ** -0.5 / np.where(mean > 0, mean, 1.0)
        return np.where(alone, relative, mean), np.where(alone, spread, of_mean)

    def _half_widths(self, deviations: FloatArray, rows: IntArray, costs: FloatArray) -> FloatArray:
        """``(N,)`` of the intervals of logarithms, by errors on measurements that were left out."""
        errors, left, order = np.empty(len(rows)), np.empty(len(rows)), np.argsort(rows)
        for i in range(min(len(rows), _PARTS)):
            out, kept = order[i::_PARTS], np.setdiff1d(np.arange(len(rows)), order[i::_PARTS])
            values, left[out] = self._weighed(rows[kept], costs[kept], rows[out])
            errors[out] = np.log(costs[out] / values)
        usual = np.median(left)  # a small deviation of a single architecture is not to be relied on
        scale = np.sqrt(np.mean((errors / np.hypot(left, usual)) ** 2))
        return np.asarray(student.ppf((1 + COVERAGE) / 2, len(rows) - 1) * scale * np.hypot(deviations, usual))

    # ------------------------------------------------------------------ saving

    def save(self, path: str | Path) -> None:
        """Write one safetensors file: what is known of other devices, numbers, and what was measured.

        Args:
            path: The file, which is replaced.
        """
        from safetensors.numpy import save

        arrays: dict[str, npt.NDArray[Any]] = {
            "numbers": self._given,
            "others": np.stack(list(self._others.values()), axis=1),
        }
        if self._measured is not None:
            arrays |= {"rows": self._measured[0], "costs": self._measured[1]}
        told = {"archpredict_devices": _VERSION, "devices": json.dumps(list(self._others))}
        write_atomically(Path(path), save({k: np.ascontiguousarray(v) for k, v in arrays.items()}, told))

    @classmethod
    def load(cls, path: str | Path) -> DevicePredictor:
        """Read what :meth:`save` has written, and learn from the measurements again, which gives the same.

        Args:
            path: The file.

        Raises:
            DataError: There is no such file, or it holds something else.
        """
        try:
            if Path(path).stat().st_size > _LARGEST_FILE:
                raise ValueError("it is larger than any")
            told, arrays = read_tensors(Path(path), "np")
            if told.get("archpredict_devices") != _VERSION:
                raise ValueError("it is a file of something else, or of another version")
            devices, others = json.loads(told["devices"]), arrays["others"]
            if not isinstance(devices, list) or others.ndim != 2 or len(set(map(str, devices))) != others.shape[1]:
                raise ValueError("its devices and costs do not go together")
            with np.errstate(over="raise", divide="raise", invalid="raise"):
                made = cls(dict(zip(map(str, devices), others.T, strict=True)), arrays["numbers"])
                return made.fit(arrays["rows"], arrays["costs"]) if "rows" in arrays else made
        except FileNotFoundError as error:
            raise DataError(f"there is no file {path}; give one that a predictor of devices was saved in") from error
        except Exception as error:  # whatever a damaged or hostile file provokes
            why = " ".join(str(error).split())[:200].rstrip(".")
            raise DataError(f"{path} holds no predictor of devices: {why}; save it again") from error


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


def _regressed(x: FloatArray, rows: IntArray, y: FloatArray, at: IntArray) -> tuple[FloatArray, FloatArray]:
    """``(m,)`` predictions of a ridge regression on some rows, and their standard deviations."""
    mean, spread = y.mean(), y.std()
    if spread == 0:
        return np.full(len(at), mean), np.zeros(len(at))
    model = BayesianRidge()
    model.fit(x[rows], (y - mean) / spread)
    return model.predict(x[at]) * spread + mean, model.std(x[at]) * spread


def _filled(logs: FloatArray, numbers: FloatArray) -> FloatArray:
    """The column, with what the numbers let expect in its gaps."""
    has = np.isfinite(logs)
    if has.all():
        return logs
    return np.where(has, logs, _regressed(numbers, np.flatnonzero(has), logs[has], np.arange(len(logs)))[0])


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
    if costs.shape != (rows,) or not _FEWEST <= rows <= _MOST:
        raise DataError(
            f"{costs.size} costs of {rows} architectures were given; expected one each, of {_FEWEST} to {_MOST:,}"
        )
    if not (np.isfinite(costs).all() and (costs > 0).all()):
        raise DataError(f"measured costs must be positive and finite, got {costs.min():g} to {costs.max():g}")
