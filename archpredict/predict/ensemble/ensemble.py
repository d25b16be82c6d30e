"""Ensemble: the fitted members of a predictor, and the scale on which their scores are averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import UsageError
from archpredict.predict.calibration import Calibration
from archpredict.predict.ensemble.novelty import Novelty
from archpredict.predict.ensemble.weighing import HeldOut, Weighing
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.storage import check_model, deviation_of, mean_label_of, parts_of, scale_of
from archpredict.predict.training.model import Model, encode
from archpredict.regressors.base import Regressor
from archpredict.runtime import few_threads

_Result = TypeVar("_Result")

_SHARPNESS = 3.0
"""Log odds per standard deviation of the labels, as in the soft targets that heads are trained on."""
_MANY = 1024
"""Architectures from which it pays to score those of equal structure side by side."""
_PIECE = 8192
"""Architectures whose numbers are computed at once, and that are worth the start of a thread."""
_SPREAD = 1e-12
"""Smallest divisor of scores, which may be all equal."""
_REGRESSOR_SPREAD = 0.1
"""Smallest divisor of a regressor's scores, where the best member's is 1. A regressor predicts labels of standard
deviation 1, so that a far smaller spread says that it learnt next to nothing; divided by that it would weigh as much as
if it knew the labels. (Networks' scores have no scale of their own; regressors without networks are scaled at will.)"""
_DEVIATION_SPREAD = 0.5
"""Smallest divisor of a regressor's own standard deviation, which is 1 where it knows nothing. Predictions that know
nothing, stretched to the spread of the labels, are off by 1.4, not by 1 over a tiny spread."""


@dataclass(frozen=True, eq=False)
class MemberPredictions:
    """Predictions of the ``M`` members of an ensemble for ``n`` architectures.

    Args:
        scores: ``(M, n)`` on the scale of each.
        stds: ``(M, n)`` what each knows of its own uncertainty, 0 where nothing.
        side: ``(n, F)`` standardised numbers that are read beside the graph.
    """

    scores: FloatArray
    stds: FloatArray
    side: FloatArray


class Ensemble:
    """Networks and regressors that score an architecture together.

    The networks weigh 1 together, each regressor its share. A member's scores are standardised on the training set;
    their weighted mean is the latent score, which :class:`archpredict.predict.calibration.Calibration` maps to labels.

    Args:
        spec: What is read of an architecture.
        models: The networks, on ``device``.
        regressors: By name.
        shares: Their weights, in the same order.
        device: Where the networks are.

    Attributes:
        prior: ``(M,)`` weights of all members, networks first, summing to 1, as they were given.
        weights: ``(M,)`` as they are used: the prior ones, or those found by :meth:`weigh`.
        weighing: What :meth:`weigh` found; None without it.
        location, scale: ``(M,)`` mean and spread of each member's scores on the training set.
        calibration: From latent scores to labels.
        deviation: ``(a, b)``, by which a standard deviation ``s`` becomes ``sqrt((a s)² + b²)``.
        novelty: Distance from the training set, in the numbers beside the graph; None where none are read.
        num_labels: Labels it was fitted on.
        mean_label: Their mean.
    """

    location: FloatArray
    scale: FloatArray
    calibration: Calibration
    num_labels: int
    mean_label: float

    def __init__(
        self,
        spec: InputSpec,
        models: Sequence[Model],
        regressors: Mapping[str, Regressor],
        shares: Sequence[float],
        device: torch.device,
    ) -> None:
        self.spec, self.models, self.regressors, self.device = spec, list(models), dict(regressors), device
        weights = np.array([*[1 / max(1, len(models))] * len(models), *shares])
        self.prior: FloatArray = np.asarray(weights / weights.sum())
        self.weights = self.prior
        self.columns = {name: spec.columns_of(regressor.sources) for name, regressor in self.regressors.items()}
        self.deviation = (1.0, 0.0)
        self.weighing: Weighing | None = None
        self.novelty: Novelty | None = None

    @property
    def has_std(self) -> bool:
        """Whether :meth:`predict_std` tells anything: several members, or one that knows its uncertainty."""
        return (
            len(self.weights) > 1
            or self.weighing is not None
            or any(type(r).std is not Regressor.std for r in self.regressors.values())
        )

    def reading(self, spec: InputSpec) -> Ensemble:
        """This fitted ensemble, with inputs of another specification of the same numbers."""
        found = copy(self)
        found.spec = spec
        return found

    # ------------------------------------------------------------------ fitting

    def fit_regressors(self, inputs: Inputs, target: FloatArray) -> None:
        """Fit the regressors to ``(n,)`` standardised labels, and the novelty; networks are trained by others."""
        side = self.spec.side(inputs)
        if side is None:
            return
        shared, names = self.spec.num_shared, self.spec.sources.names
        if shared:
            self.novelty = Novelty.fit(side[:, :shared], inputs.numbers[:, :shared])
        for name, regressor in self.regressors.items():
            columns = self.columns[name]
            regressor.name_columns([names[i] for i in columns])
            regressor.fit(side[:, columns].astype(np.float64), target)

    def after_fit(self, inputs: Inputs) -> FloatArray:
        """Hand the training set to the heads once they are trained; returns the members' scores on it, ``(M, n)``."""
        encoded = self.encode(inputs)
        for model, z in zip(self.models, encoded, strict=False):
            model.head.after_fit(z)
        return self.score_encoded(encoded)

    def fit_scale(self, scores: FloatArray, labels: FloatArray) -> None:
        """Set location, scale and calibration from what :meth:`after_fit` gave and the ``(n,)`` labels."""
        spread, networks = scores.std(axis=1), len(self.models)
        best = 1.0 if networks else spread.max()
        least = np.where(np.arange(len(spread)) < networks, _SPREAD, max(_SPREAD, _REGRESSOR_SPREAD * best))
        self.location, self.scale = scores.mean(axis=1), np.maximum(spread, least)
        self.weighing, self.weights = None, self.prior
        self.calibration = Calibration.fit(self.mean_scores(scores), labels, _margin(labels))
        self.num_labels, self.mean_label = len(labels), float(labels.mean())

    def weigh(self, held_out: HeldOut, target: FloatArray, labels: FloatArray) -> None:
        """Weigh the members by what their like said of labels that these had not seen; after :meth:`fit_scale`.

        Args:
            held_out: Of a network, where there are any, and of each regressor.
            target: ``(n,)`` standardised labels.
            labels: ``(n,)``.
        """
        networks, regressors = len(self.models), len(self.regressors)
        counts = [networks] * (networks > 0) + [1] * regressors
        starts = np.array([0.0] * (networks > 0) + [r.head_start for r in self.regressors.values()])
        prior = self.prior[np.cumsum(counts) - 1] * counts * (1 + starts / len(labels))
        calibration = Calibration.fit(target, labels)
        parts = Weighing.fit(held_out, prior, target, labels, calibration)
        mean, _ = parts.mixture(held_out.scores, held_out.stds)
        error = float(np.sqrt(np.mean((labels - calibration(mean)) ** 2)))
        self.weighing = parts.spread_over(counts)
        self.weights = self.weighing.weights
        self.calibration = Calibration.fit(target, labels, max(error, _SPREAD))

    # ------------------------------------------------------------------ predicting

    def predict(self, inputs: Inputs) -> FloatArray:
        """Predicted labels, ``(n,)``."""
        return self.calibration(self.latent(inputs))

    def predict_both(self, inputs: Inputs) -> tuple[FloatArray, FloatArray]:
        """Predicted labels and their standard deviations, ``(n,)`` each; every architecture is encoded once."""
        members = self.member_predictions(inputs)
        return self.calibration(self.mean_scores(members.scores)), self.std(members)

    def std(self, members: MemberPredictions) -> FloatArray:
        """Standard deviation of the mixture of the members' predictions on the labels' scale, ``(n,)``."""
        if self.weighing is not None:
            scores = (members.scores - self.location[:, None]) / self.scale[:, None]
            mixture = self.weighing.mixture(scores, members.stds / self.scale[:, None])
            spread = self.weighing.inflation * self.calibration.spread(*mixture)
        else:
            latent = self.standardized(members.scores)
            mean = self.weights @ latent
            variances = (members.stds / np.maximum(self.scale, _DEVIATION_SPREAD)[:, None]) ** 2
            spread = self.calibration.spread(mean, np.sqrt(self.weights @ ((latent - mean) ** 2 + variances)))
        a, b = self.deviation
        return spread if (a, b) == (1.0, 0.0) else np.hypot(a * spread, b)

    def distance(self, inputs: Inputs) -> FloatArray:
        """Novelty: how far from the training set, ``(n,)``; above 1 is novel.

        Raises:
            UsageError: No numbers are read beside the graph.
        """
        side = self.spec.side(inputs)
        if self.novelty is None or side is None:
            raise UsageError(
                "this predictor reads no numbers beside the graph, which would tell what is novel; fit it with "
                'sources=("statistics",) or features'
            )
        shared = self.spec.num_shared
        return self.novelty(side[:, :shared], inputs.numbers[:, :shared])

    def latent(self, inputs: Inputs) -> FloatArray:
        """The members' mean score, ``(n,)``; each with mean 0 and standard deviation 1 on the training set."""
        return self.mean_scores(self.member_scores(inputs))

    def mean_scores(self, scores: FloatArray) -> FloatArray:
        """Weighted mean of ``(M, n)`` members' scores once they are standardised, ``(n,)``."""
        mean: FloatArray = self.weights @ self.standardized(scores)
        return mean

    def standardized(self, scores: FloatArray) -> FloatArray:
        """``(M, n)`` members' scores, each with mean 0 and standard deviation 1 on the training set.

        Where members are weighed by held-out labels, what each expects the standardised label to be.
        """
        standardized: FloatArray = (scores - self.location[:, None]) / self.scale[:, None]
        return standardized if self.weighing is None else self.weighing.aligned(standardized)

    def member_scores(self, inputs: Inputs) -> FloatArray:
        """Scores of each member on its own scale, ``(M, n)``."""
        parts, place = self._by_piece(inputs, lambda piece: self.score_encoded(self.encode(piece)))
        return np.concatenate(parts, axis=1)[:, place]

    def member_predictions(self, inputs: Inputs) -> MemberPredictions:
        """Predictions of the members, and the numbers that they read, from one encoding."""

        def predictions(piece: Inputs) -> MemberPredictions:
            encoded = self.encode(piece)
            side = _double(encoded[-1])
            known = [regressor.predict_both(side[:, self.columns[name]]) for name, regressor in self.regressors.items()]
            none = np.zeros(len(piece))
            stds = [*[none] * len(self.models), *(none if std is None else std for _, std in known)]
            scores = [*self._network_scores(encoded), *(mean for mean, _ in known)]
            return MemberPredictions(np.stack(scores), np.stack(stds), side)

        parts, place = self._by_piece(inputs, predictions)
        scores, stds = (
            np.concatenate([getattr(x, name) for x in parts], axis=1)[:, place] for name in ("scores", "stds")
        )
        return MemberPredictions(scores, stds, np.concatenate([part.side for part in parts])[place])

    def _by_piece(self, inputs: Inputs, function: Callable[[Inputs], _Result]) -> tuple[list[_Result], IntArray]:
        """What a function makes of the inputs, piece by piece, and ``(n,)`` where each architecture is among these.

        So encodings are used while they are in the cache, and take no memory. A piece is too small to share out, so
        that threads take whole ones; each is computed on one, whatever their number. Pieces are of graphs that are
        alike, so that much of what is said of one is said of others.
        """
        order = np.arange(len(inputs))
        if len(inputs) > _MANY:
            order = np.argsort(inputs.nodes.structure, kind="stable")
            inputs = inputs[order]
        place = np.empty_like(order)
        place[order] = np.arange(len(order))

        def result(start: int) -> _Result:
            piece = inputs[start : start + _PIECE]
            piece.numbers, piece.graphs.history  # noqa: B018  # of all at once, as they are quicker so
            return function(piece)

        starts = range(0, len(inputs), _PIECE) or range(1)
        threads = torch.get_num_threads() if self.device.type == "cpu" and len(starts) > 1 else 1
        if threads == 1:
            return list(map(result, starts)), place
        with few_threads(0), ThreadPoolExecutor(threads, "score", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(result, starts)), place

    def encode(self, inputs: Inputs) -> list[Tensor]:
        """Each network's encodings ``(n, D)``, then the numbers that regressors read."""
        return encode(self.models, self.spec, inputs, self.device)

    @torch.no_grad()
    def compare(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> FloatArray:
        """Probability ``(n, m)`` that the first are better, from what :meth:`encode` gave for both.

        The members' mean; a regressor's is ``sigmoid(3 (f(a) - f(b)))`` of its predictions in standard deviations.
        """
        p = [m.head.compare(za, zb) for m, za, zb in zip(self.models, a[:-1], b[:-1], strict=True)]
        for name, regressor in self.regressors.items():
            read = (_double(side[-1])[:, self.columns[name]] for side in (a, b))
            fa, fb = map(torch.from_numpy, map(regressor.predict, read))
            p.append(torch.sigmoid(_SHARPNESS * (fa[:, None] - fb[None, :])).to(self.device))
        weights = torch.from_numpy(self.weights).to(self.device)
        return _double((weights[:, None, None] * torch.stack([q.double() for q in p])).sum(0))

    @torch.no_grad()
    def score_encoded(self, encoded: Sequence[Tensor]) -> FloatArray:
        """Scores of each member on its own scale, ``(M, n)``, from what :meth:`encode` gave."""
        scores = self._network_scores(encoded)
        side = _double(encoded[-1])
        scores += [regressor.predict(side[:, self.columns[name]]) for name, regressor in self.regressors.items()]
        raw: FloatArray = np.stack(scores)
        return raw

    @torch.no_grad()
    def _network_scores(self, encoded: Sequence[Tensor]) -> list[FloatArray]:
        return [_double(m.head.score(z)) for m, z in zip(self.models, encoded[:-1], strict=True)]

    # ------------------------------------------------------------------ state

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The fitted state, as JSON values and tensors, for :meth:`restore`."""
        values = {
            "spec": self.spec.to_dict(),
            "num_labels": self.num_labels,
            "mean_label": self.mean_label,
            "location": self.location.tolist(),
            "scale": self.scale.tolist(),
            "calibration": _knots(self.calibration),
            "weighing": None if self.weighing is None else self.weighing.to_dict(),
            "deviation": list(self.deviation),
            "regressors": {},
        }
        tensors = {f"{i}.{k}": v for i, model in enumerate(self.models) for k, v in model.state_dict().items()}
        for name, regressor in self.regressors.items():
            values["regressors"][name], arrays = regressor.state()
            tensors |= {f"regressors.{name}.{k}": torch.from_numpy(np.asarray(v)) for k, v in arrays.items()}
        if self.novelty is not None:
            tensors |= {f"novelty.{k}": torch.from_numpy(v) for k, v in self.novelty.arrays().items()}
        return values, tensors

    def restore(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Take over a state that :func:`archpredict.predict.storage.check_state` lets pass; models may be without
        storage.

        Raises:
            Exception: Whatever a damaged state provokes; ``ValueError`` where it is not that of these members.
        """
        self.location, self.scale, self.calibration = scale_of(values)
        if values.get("weighing") is not None:  # versions before had none
            self.weighing = Weighing.from_dict(values["weighing"], len(self.weights))
            self.weights = self.weighing.weights
        self.deviation, self.num_labels = deviation_of(values), int(values["num_labels"])
        self.mean_label = mean_label_of(values, self.calibration)
        parts, shared = parts_of(tensors), self.spec.num_shared
        for i, model in enumerate(self.models):
            own = parts[str(i)]
            check_model(model.state_dict(), own)
            model.load_state_dict(own, assign=True)
            model.to(self.device).eval()
        learnt = parts_of(parts.get("regressors", {}))
        if not all(map(len, self.columns.values())):
            raise ValueError("its regressors have no numbers to read")
        if learnt.keys() != self.regressors.keys():
            raise ValueError(f"it holds what {sorted(learnt)} learnt, its regressors are {sorted(self.regressors)}")
        for name, regressor in self.regressors.items():
            arrays = {k: v.numpy() for k, v in learnt[name].items()}
            regressor.restore(values["regressors"][name], arrays, len(self.columns[name]))
        if shared:
            arrays = {k: v.numpy() for k, v in parts["novelty"].items()}
            self.novelty = Novelty.from_arrays(arrays, shared)


def _margin(labels: FloatArray) -> float:
    """How far beyond the labels predictions may come where no errors are known: half of the interquartile range."""
    low, high = np.quantile(labels, [0.25, 0.75])
    return float(high - low) / 2 or float(np.ptp(labels)) / 2


def _knots(calibration: Calibration) -> list[Any]:
    """A calibration as plain JSON, which knows no infinite number."""
    margin = [] if np.isinf(calibration.margin) else [calibration.margin]
    return [calibration.scores.tolist(), calibration.labels.tolist(), *margin]


def _double(values: Tensor) -> FloatArray:
    array: FloatArray = values.detach().double().cpu().numpy()
    return array
