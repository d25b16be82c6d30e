"""Ensemble: the fitted members of a predictor, and the scale on which their scores are averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archpredict._typing import FloatArray
from archpredict.errors import UsageError
from archpredict.predict.calibration import Calibration
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.novelty import Familiarity
from archpredict.predict.storage import check_model, deviation_of, parts_of, scale_of
from archpredict.predict.training import CHUNK, Model, encode
from archpredict.regressors.base import Regressor
from archpredict.runtime import few_threads

_SHARPNESS = 3.0
"""Log odds per standard deviation of the labels, as in the soft targets that heads are trained on."""
_PIECES = 8
"""Pieces from which a second thread is worth its start."""
_SPREAD = 1e-12
"""Smallest divisor of scores, which may be all equal."""
_REGRESSOR_SPREAD = 0.1
"""Smallest divisor of a regressor's scores, where the best member's is 1. A regressor predicts labels of standard
deviation 1, so that a far smaller spread says that it learnt next to nothing; divided by that it would weigh as much as
if it knew the labels. (Networks' scores have no scale of their own; regressors without networks are scaled at will.)"""
_DEVIATION_SPREAD = 0.5
"""Smallest divisor of a regressor's own standard deviation, which is 1 where it knows nothing. Predictions that know
nothing, stretched to the spread of the labels, are off by 1.4, not by 1 over a tiny spread."""


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
        weights: ``(M,)`` of all members, networks first, summing to 1.
        location, scale: ``(M,)`` mean and spread of each member's scores on the training set.
        calibration: From latent scores to labels.
        deviation: ``(a, b)``, by which a standard deviation ``s`` becomes ``sqrt((a s)² + b²)``.
        familiarity: Of the numbers beside the graph; None where none are read.
        num_labels: Labels it was fitted on.
    """

    location: FloatArray
    scale: FloatArray
    calibration: Calibration
    num_labels: int

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
        self.weights: FloatArray = np.asarray(weights / weights.sum())
        self.deviation = (1.0, 0.0)
        self.familiarity: Familiarity | None = None

    @property
    def has_std(self) -> bool:
        """Whether :meth:`predict_std` tells anything: several members, or one that knows its uncertainty."""
        return len(self.weights) > 1 or any(type(r).std is not Regressor.std for r in self.regressors.values())

    # ------------------------------------------------------------------ fitting

    def teach(self, inputs: Inputs, target: FloatArray) -> None:
        """Fit the regressors to ``(n,)`` standardised labels, and the familiarity; networks are trained by others."""
        side = self.spec.side(inputs)
        if side is None:
            return
        self.familiarity = Familiarity.fit(side, inputs.numbers)
        for regressor in self.regressors.values():
            regressor.fit(side.astype(np.float64), target)

    def remember(self, inputs: Inputs) -> FloatArray:
        """Show the training set to the heads once they are trained; returns the members' scores on it, ``(M, n)``."""
        encoded = self.encode(inputs)
        for model, z in zip(self.models, encoded, strict=False):
            model.head.remember(z)
        return self.member_scores(encoded)

    def fit_scale(self, scores: FloatArray, labels: FloatArray) -> None:
        """Set location, scale and calibration from what :meth:`remember` gave and the ``(n,)`` labels."""
        spread, networks = scores.std(axis=1), len(self.models)
        best = 1.0 if networks else spread.max()
        least = np.where(np.arange(len(spread)) < networks, _SPREAD, max(_SPREAD, _REGRESSOR_SPREAD * best))
        self.location, self.scale = scores.mean(axis=1), np.maximum(spread, least)
        self.calibration = Calibration.fit(self.weights @ self._standardized(scores), labels)
        self.num_labels = len(labels)

    # ------------------------------------------------------------------ predicting

    def predict(self, inputs: Inputs) -> FloatArray:
        """Predicted labels, ``(n,)``."""
        return self.calibration(self.latent(inputs))

    def predict_std(self, inputs: Inputs) -> FloatArray:
        """Standard deviation of the mixture of the members' predictions on the labels' scale, ``(n,)``."""
        encoded = self.encode(inputs)
        latent = self._standardized(self.member_scores(encoded))
        mean = self.weights @ latent
        std = np.sqrt(self.weights @ ((latent - mean) ** 2 + self._member_variances(encoded)))
        spread = (self.calibration(mean + std) - self.calibration(mean - std)) / 2
        a, b = self.deviation
        return spread if (a, b) == (1.0, 0.0) else np.hypot(a * spread, b)

    def distance(self, inputs: Inputs) -> FloatArray:
        """How far from the training set, ``(n,)``; above 1 is unfamiliar.

        Raises:
            UsageError: No numbers are read beside the graph.
        """
        side = self.spec.side(inputs)
        if self.familiarity is None or side is None:
            raise UsageError(
                "this predictor reads no numbers beside the graph, which would tell what is unfamiliar; fit it with "
                'side=("statistics",) or features'
            )
        return self.familiarity(side, inputs.numbers)

    def latent(self, inputs: Inputs) -> FloatArray:
        """The members' mean score, ``(n,)``; each with mean 0 and standard deviation 1 on the training set."""

        def scores(start: int) -> FloatArray:
            return self.member_scores(self.encode(inputs[start : start + CHUNK]))

        # Piece by piece, so that encodings are scored while they are in the cache, and take no memory. A piece is too
        # small to share out, so that threads take whole ones; each is computed on one, whatever their number.
        starts = range(0, len(inputs), CHUNK) or range(1)
        threads = torch.get_num_threads() if self.device.type == "cpu" and len(starts) >= _PIECES else 1
        if threads == 1:
            parts = list(map(scores, starts))
        else:
            with few_threads(0), ThreadPoolExecutor(threads, "score", torch.set_num_threads, (1,)) as pool:
                parts = list(pool.map(scores, starts))
        latent: FloatArray = self.weights @ self._standardized(np.concatenate(parts, axis=1))
        return latent

    def encode(self, inputs: Inputs) -> list[Tensor]:
        """Each network's encodings ``(n, D)``, then the numbers that regressors read."""
        return encode(self.models, self.spec, inputs, self.device)

    @torch.no_grad()
    def compare(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> FloatArray:
        """Probability ``(n, m)`` that the first are better, from what :meth:`encode` gave for both.

        The members' mean; a regressor's is ``sigmoid(3 (f(a) - f(b)))`` of its predictions in standard deviations.
        """
        p = [m.head.compare(za, zb) for m, za, zb in zip(self.models, a[:-1], b[:-1], strict=True)]
        for regressor in self.regressors.values():
            fa, fb = (torch.from_numpy(regressor.predict(_double(side[-1]))) for side in (a, b))
            p.append(torch.sigmoid(_SHARPNESS * (fa[:, None] - fb[None, :])).to(self.device))
        weights = torch.from_numpy(self.weights).to(self.device)
        return _double((weights[:, None, None] * torch.stack([q.double() for q in p])).sum(0))

    @torch.no_grad()
    def member_scores(self, encoded: Sequence[Tensor]) -> FloatArray:
        """``(M, n)`` scores of each member on its own scale, from what :meth:`encode` gave."""
        scores = [_double(m.head.score(z)) for m, z in zip(self.models, encoded[:-1], strict=True)]
        scores += [regressor.predict(_double(encoded[-1])) for regressor in self.regressors.values()]
        raw: FloatArray = np.stack(scores)
        return raw

    def _standardized(self, scores: FloatArray) -> FloatArray:
        standardized: FloatArray = (scores - self.location[:, None]) / self.scale[:, None]
        return standardized

    def _member_variances(self, encoded: Sequence[Tensor]) -> FloatArray:
        """What members know of their own uncertainty, 0 where nothing; ``(M, n)`` on the standardised scale."""
        n, known = len(encoded[-1]), [r.std(_double(encoded[-1])) for r in self.regressors.values()]
        stds = [*[np.zeros(n)] * len(self.models), *(np.zeros(n) if std is None else std for std in known)]
        variances: FloatArray = (np.stack(stds) / np.maximum(self.scale, _DEVIATION_SPREAD)[:, None]) ** 2
        return variances

    # ------------------------------------------------------------------ state

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What fitting has set, as JSON values and tensors, for :meth:`restore`."""
        values = {
            "spec": self.spec.to_dict(),
            "num_labels": self.num_labels,
            "location": self.location.tolist(),
            "scale": self.scale.tolist(),
            "calibration": [self.calibration.scores.tolist(), self.calibration.labels.tolist()],
            "deviation": list(self.deviation),
            "regressors": {},
        }
        tensors = {f"{i}.{k}": v for i, model in enumerate(self.models) for k, v in model.state_dict().items()}
        for name, regressor in self.regressors.items():
            values["regressors"][name], arrays = regressor.state()
            tensors |= {f"regressors.{name}.{k}": torch.from_numpy(np.asarray(v)) for k, v in arrays.items()}
        if self.familiarity is not None:
            tensors |= {f"familiarity.{k}": torch.from_numpy(v) for k, v in self.familiarity.arrays().items()}
        return values, tensors

    def restore(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Take over a state that :func:`archpredict.predict.storage.check_state` lets pass; models may be without
        storage.

        Raises:
            Exception: Whatever a damaged state provokes; ``ValueError`` where it is not that of these members.
        """
        self.location, self.scale, self.calibration = scale_of(values)
        self.deviation, self.num_labels = deviation_of(values), int(values["num_labels"])
        parts, columns = parts_of(tensors), self.spec.num_side
        for i, model in enumerate(self.models):
            own = parts[str(i)]
            check_model(model.state_dict(), own)
            model.load_state_dict(own, assign=True)
            model.to(self.device).eval()
        taught = parts_of(parts.get("regressors", {}))
        if taught.keys() != self.regressors.keys():
            raise ValueError(f"it holds what {sorted(taught)} learnt, its regressors are {sorted(self.regressors)}")
        for name, regressor in self.regressors.items():
            regressor.restore(values["regressors"][name], {k: v.numpy() for k, v in taught[name].items()}, columns)
        if columns:
            arrays = {k: v.numpy() for k, v in parts["familiarity"].items()}
            self.familiarity = Familiarity.from_arrays(arrays, columns)


class Fitted:
    """The parts of a predictor's fitted ensemble, by the names of attributes that fitting sets."""

    ensemble_: Ensemble

    @property
    def models_(self) -> list[Model]:
        """The fitted networks."""
        return self.ensemble_.models

    @property
    def regressors_(self) -> dict[str, Regressor]:
        """The fitted regressors by name."""
        return self.ensemble_.regressors

    @property
    def spec_(self) -> InputSpec:
        """What is read of an architecture."""
        return self.ensemble_.spec

    @property
    def space_(self) -> str | None:
        """Name of the search space it was fitted on; None for bare graphs."""
        return self.spec_.space

    @property
    def feature_names_(self) -> tuple[str, ...]:
        """Names of the extra numbers it was fitted with."""
        return self.spec_.features

    @property
    def num_labels_(self) -> int:
        """Labels it was fitted on."""
        return self.ensemble_.num_labels

    @property
    def location_(self) -> FloatArray:
        """``(M,)`` mean of each member's scores on the training set."""
        return self.ensemble_.location

    @property
    def scale_(self) -> FloatArray:
        """``(M,)`` what they are divided by."""
        return self.ensemble_.scale

    @property
    def calibration_(self) -> Calibration:
        """From the members' mean score to the labels' scale."""
        return self.ensemble_.calibration

    @property
    def device_(self) -> torch.device:
        """Where the networks are."""
        return self.ensemble_.device


def _double(values: Tensor) -> FloatArray:
    array: FloatArray = values.detach().double().cpu().numpy()
    return array
