"""AdaptedCost: what networks cost on a device that a few were measured on, and what they cost on others is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.special import softmax

from archpredict._files import read_tensors, write_atomically
from archpredict._typing import FloatArray
from archpredict.costs.elsewhere import Elsewhere, digest_of, regimes_of
from archpredict.costs.residual import Similarity
from archpredict.costs.shipped import shipped_speed
from archpredict.costs.speed import SpeedPredictor
from archpredict.errors import DataError, counted
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import NAMES
from archpredict.metrics import kendall_tau

__all__ = ["AdaptedCost", "Estimates"]

_VERSION = "2"
_FEWEST, _MOST = 3, 5000
_LARGEST_FILE, _LONGEST = 1 << 26, 200
_COSTS = [NAMES.index(name) for name in ("log params", "log macs", "log activations of layers", "log input size")]
_OFFSET, _SETTINGS, _STATISTICS, _OWN_COSTS, _NOISE = 100.0, 0.09, 0.1, 0.05**2, 0.01
"""Variances of logarithms: of the unit, of what other settings tell of differences between models, of what statistics
do, of a slope by standardised costs, and of noise."""
_UNLIKE_SPEED = 1.0
"""Variance of a slope by standardised costs, where speeds tell nothing."""
_SHAPE, _SCALE = 4.0, 2.0
"""Of the inverse gamma distribution of a factor of all these variances."""
_NORMAL = 1.6448536269514722


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimated costs of ``G`` networks.

    Args:
        values, low, high: ``(G,)`` in the unit of the measurements; nine in ten lie between ``low`` and ``high``.
    """

    values: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class AdaptedCost:
    """A cost of networks on one device: images per second, latency, energy, memory, whatever was measured.

    A Gaussian process on logarithms, whose mean is what the known settings of one regime say on average, whose
    covariance lets each known setting, statistics and costs tell more; that with the mean turned round, as latencies
    are to speeds; and one without a mean. They are averaged by marginal likelihood, as is the size of all errors: so
    nothing has to be said of the device, nor what was measured.

    Args:
        measured: Of ``n`` measured networks.
        values: ``(n,)`` what was measured, above 0.
        regimes: ``S`` names of the known settings' regimes.
        similarity: Between networks, by statistics.
        name: What was measured.
        digest: Of the predictor of speed that ``measured`` is by.
        keys: ``n`` :attr:`archpredict.graph.arch_graph.ArchGraph.key` of the measured networks; empty if not known.
        setting: What was the same for all of them, such as ``{"batch_size": "64"}``.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> known = Elsewhere(rng.normal(size=(30, 2)), rng.normal(size=(30, len(NAMES))))
        >>> cost = AdaptedCost(known.rows(range(10)), 5 * np.exp(-known.speeds[:10, 1]), ["eager", "cpu"],
        ...                    Similarity.of(known.statistics), "latency")
        >>> said = cost.of(known.rows(range(10, 30))).values
        >>> bool(np.abs(said / (5 * np.exp(-known.speeds[10:, 1])) - 1).max() < 0.2)
        True
    """

    measured: Elsewhere
    values: FloatArray
    regimes: Sequence[str]
    similarity: Similarity
    name: str = "images_per_second"
    digest: str = ""
    keys: Sequence[str] = ()
    setting: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        if values.shape != (len(self.measured.speeds),) or not _FEWEST <= len(values) <= _MOST:
            raise DataError(
                f"a cost is adapted to {_FEWEST} to {_MOST:,} measured models, "
                f"{counted(len(values), 'model')} were given"
            )
        wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(wrong):
            raise DataError(
                f"{self.name} is a number above 0, row {wrong[0] + 1} has {values[wrong[0]]:g}; take it out"
            )
        object.__setattr__(self, "values", values)

    @classmethod
    def fit(
        cls,
        graphs: Sequence[ArchGraph],
        values: npt.ArrayLike,
        name: str = "images_per_second",
        predictor: SpeedPredictor | None = None,
        setting: Mapping[str, str] | None = None,
    ) -> AdaptedCost:
        """From measurements.

        Args:
            graphs: ``n`` computational graphs, 3 at least.
            values: ``(n,)`` what each costs, above 0, in any unit.
            name: What was measured.
            predictor: Of speed, fitted; that which ships if left out.
            setting: What was the same for all of them: device, precision, batch size and so on.

        Raises:
            DataError: Values that are not above 0, or too few of them.
        """
        base = predictor or shipped_speed()
        return cls(
            Elsewhere.of(graphs, base),
            np.asarray(values, dtype=np.float64),
            regimes_of(base),
            base.fitted[0].similarity,
            name,
            digest_of(base),
            [graph.key for graph in graphs],
            dict(setting or {}),
        )

    def predict(self, graphs: Sequence[ArchGraph], predictor: SpeedPredictor | None = None) -> Estimates:
        """Costs of networks.

        Args:
            graphs: ``G`` computational graphs.
            predictor: That which it was fitted with; that which ships if left out.
        """
        return self.of(Elsewhere.of(graphs, predictor or shipped_speed()))

    def of(self, given: Elsewhere) -> Estimates:
        """Costs of networks of which it is known what they cost elsewhere."""
        labels, weights, parts = np.log(self.values), self._weights, []
        across, own = self._covariance(given, self.measured), self._variance(given)
        for i, centre in enumerate(self._centres):
            slope = self._slope(given, self.measured, i)
            factor, scale = self._solved[i]
            mean = centre(given) + (across + slope) @ cho_solve(factor, labels - centre(self.measured))
            told = np.einsum("ij,ji->i", across + slope, cho_solve(factor, (across + slope).T))
            spread = own + self._slope_variance(given, i) + _NOISE - told
            parts.append((mean, scale * np.maximum(spread, _NOISE)))
        means, variances = (np.array(each) for each in zip(*parts, strict=True))
        return _estimates(weights @ means, weights @ (variances + means**2) - (weights @ means) ** 2)

    def known(self, graphs: Sequence[ArchGraph]) -> FloatArray:
        """``(G,)`` what networks were measured to cost, the median of equal ones; not a number of those that were not.

        Args:
            graphs: ``G`` computational graphs.
        """
        found: dict[str, list[float]] = {}
        for key, value in zip(self.keys, self.values.tolist(), strict=False):
            found.setdefault(key, []).append(value)
        return np.array([np.median(found.get(graph.key, [np.nan])) for graph in graphs])

    @property
    def left_out(self) -> Estimates:
        """Costs of the measured networks, each by the others."""
        labels, parts = np.log(self.values), []
        for i, centre in enumerate(self._centres):
            factor, scale = self._solved[i]
            inverse = cho_solve(factor, np.eye(len(labels)))
            share = 1 / np.diag(inverse)
            parts.append((labels - share * (inverse @ (labels - centre(self.measured))), scale * share))
        means, variances = (np.array(each) for each in zip(*parts, strict=True))
        mean = self._weights @ means
        return _estimates(mean, self._weights @ (variances + means**2) - mean**2)

    @property
    def figures(self) -> dict[str, float]:
        """How far it is off on measured networks, each told by the others: how many ``models`` there are,
        ``kendall_tau``, ``error_percent``, and ``in_interval``, the share of them between ``low`` and ``high``.
        """
        said, true = self.left_out, self.values
        return {
            "models": len(true),
            "kendall_tau": kendall_tau(true, said.values),
            "error_percent": float(100 * np.abs(said.values / true - 1).mean()),
            "in_interval": float(np.mean((said.low <= true) & (true <= said.high))),
        }

    # ------------------------------------------------------------------ processes

    @cached_property
    def _centres(self) -> list[_Centre]:
        """The means there are: what each regime says, and its inverse; none."""
        places = [[i for i, name in enumerate(self.regimes) if name == regime] for regime in sorted(set(self.regimes))]
        return [*(_Centre(tuple(own), sign) for own in places for sign in (1.0, -1.0)), _Centre((), 0.0)]

    @cached_property
    def _solved(self) -> list[tuple[tuple[FloatArray, bool], float]]:
        """Of each process the factors of its covariance and the expected size of its errors."""
        return [(factor, scale) for factor, scale, _ in self._fitted]

    @cached_property
    def _weights(self) -> FloatArray:
        """``(P,)`` by marginal likelihood; the sum over signs and regimes counts as much as none beforehand."""
        evidence = np.array([each for _, _, each in self._fitted])
        evidence[:-1] -= np.log(len(evidence) - 1)
        return np.asarray(softmax(evidence))

    @cached_property
    def _fitted(self) -> list[tuple[tuple[FloatArray, bool], float, float]]:
        labels, found = np.log(self.values), []
        plain = self._covariance(self.measured, self.measured) + _NOISE * np.eye(len(labels))
        for i, centre in enumerate(self._centres):
            factor = cho_factor(plain + self._slope(self.measured, self.measured, i), lower=True)
            error = labels - centre(self.measured)
            square = _SCALE + float(error @ cho_solve(factor, error)) / 2
            shape = _SHAPE + len(labels) / 2
            evidence = -shape * np.log(square) - float(np.log(np.diag(factor[0])).sum())
            found.append((factor, square / (shape - 1), evidence))
        return found

    def _covariance(self, a: Elsewhere, b: Elsewhere) -> FloatArray:
        own, other = self._deviations(a), self._deviations(b)
        similar = np.exp(-_apart(self._standard(a), self._standard(b)) / self.similarity.length)
        return np.asarray(_OFFSET + _SETTINGS * own @ other.T + _STATISTICS * similar)

    def _variance(self, a: Elsewhere) -> FloatArray:
        return np.asarray(_OFFSET + _SETTINGS * (self._deviations(a) ** 2).sum(axis=1) + _STATISTICS)

    def _slope(self, a: Elsewhere, b: Elsewhere, place: int) -> FloatArray:
        return np.asarray(self._slope_size(place) * self._standard(a)[:, _COSTS] @ self._standard(b)[:, _COSTS].T)

    def _slope_variance(self, a: Elsewhere, place: int) -> FloatArray:
        return np.asarray(self._slope_size(place) * (self._standard(a)[:, _COSTS] ** 2).sum(axis=1))

    def _slope_size(self, place: int) -> float:
        return _OWN_COSTS if self._centres[place].settings else _UNLIKE_SPEED

    def _deviations(self, a: Elsewhere) -> FloatArray:
        """``(G, S)`` how each known setting differs from their mean, over the root of their number."""
        return np.asarray((a.speeds - a.speeds.mean(axis=1, keepdims=True)) / np.sqrt(a.speeds.shape[1]))

    def _standard(self, a: Elsewhere) -> FloatArray:
        return np.asarray((a.statistics - self.similarity.centre) / self.similarity.scale)

    # ------------------------------------------------------------------ saving

    def save(self, path: str | Path) -> None:
        """Write one safetensors file: what was measured, and what is known of these networks."""
        from safetensors.numpy import save

        arrays = {"values": self.values, "speeds": self.measured.speeds, "statistics": self.measured.statistics}
        told = {
            "archpredict_cost": _VERSION,
            "name": self.name,
            "digest": self.digest,
            "statistics": json.dumps(NAMES),
            "keys": json.dumps(list(self.keys)),
            "setting": json.dumps(dict(self.setting)),
        }
        write_atomically(Path(path), save({k: np.ascontiguousarray(v) for k, v in arrays.items()}, told))

    @classmethod
    def load(cls, path: str | Path, predictor: SpeedPredictor | None = None) -> AdaptedCost:
        """Read what :meth:`save` has written.

        Args:
            path: The file.
            predictor: That which it was fitted with; that which ships if left out.

        Raises:
            DataError: There is no such file, it holds no adapted cost, or one by another predictor of speed.
        """
        base = predictor or shipped_speed()
        try:
            if Path(path).stat().st_size > _LARGEST_FILE:
                raise ValueError("it is larger than any")
            told, arrays = read_tensors(Path(path), "np")
            made = cls._of_file(told, arrays, base)
            with np.errstate(over="raise", divide="raise", invalid="raise"):
                if not np.isfinite(made._weights).all():  # which later calls need anyway
                    raise ValueError("its numbers lead nowhere")
            return made
        except FileNotFoundError as error:
            raise DataError(f"there is no file {path}; give one that an adapted cost was saved in") from error
        except Exception as error:  # whatever a damaged or hostile file provokes
            why = " ".join(str(error).split())[:200].rstrip(".")
            raise DataError(f"{path} does not hold an adapted cost: {why}; adapt it again") from error

    @classmethod
    def _of_file(cls, told: Mapping[str, str], arrays: Mapping[str, Any], base: SpeedPredictor) -> AdaptedCost:
        """The cost that metadata and arrays of a file hold.

        Raises:
            ValueError: They do not go together, or belong to something else.
        """
        if "archpredict_cost" not in told:
            raise ValueError("it is a file of something else")
        if told["archpredict_cost"] != _VERSION or json.loads(told["statistics"]) != list(NAMES):
            raise ValueError("it was written by another version")
        if told["digest"] != digest_of(base):
            raise ValueError("it belongs to another predictor of speed")
        values, speeds, statistics = (arrays[name] for name in ("values", "speeds", "statistics"))
        shapes = (values.shape, speeds.shape, statistics.shape)
        if shapes != ((len(values),), (len(values), len(base.known_)), (len(values), len(NAMES))):
            raise ValueError("its arrays do not go together")
        if not (np.isfinite(speeds).all() and np.isfinite(statistics).all()):
            raise ValueError("its arrays are not finite")
        keys, setting = json.loads(told["keys"]), json.loads(told["setting"])
        texts = [told["name"], *keys, *setting, *setting.values()]
        if not all(isinstance(text, str) and text.isprintable() and len(text) <= _LONGEST for text in texts):
            raise ValueError("its texts are none")
        if len(keys) not in (0, len(values)):
            raise ValueError("its networks and values do not go together")
        known = Elsewhere(speeds, statistics)
        similarity = base.fitted[0].similarity
        return cls(known, values, regimes_of(base), similarity, told["name"], told["digest"], keys, setting)


@dataclass(frozen=True)
class _Centre:
    """The mean of a process: what some known settings say on average, times 1 or -1; 0 of none."""

    settings: tuple[int, ...]
    sign: float

    def __call__(self, given: Elsewhere) -> FloatArray:
        if not self.settings:
            return np.zeros(len(given.speeds))
        return np.asarray(self.sign * given.speeds[:, list(self.settings)].mean(axis=1))


def _apart(a: FloatArray, b: FloatArray) -> FloatArray:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(a, b, "cityblock"))


def _estimates(mean: FloatArray, variance: FloatArray) -> Estimates:
    half = _NORMAL * np.sqrt(np.maximum(variance, 0.0))
    return Estimates(np.exp(mean), np.exp(mean - half), np.exp(mean + half))
