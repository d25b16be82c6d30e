"""Predictor: encoders, heads and regressors behind scikit-learn's estimator interface."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from archpredict.calibration import Calibration
from archpredict.encoders.base import Encoder
from archpredict.errors import DataError, NotFittedError, RunError, UnknownNameError, UsageError
from archpredict.graph import ArchGraph
from archpredict.heads.base import Head
from archpredict.inputs import Features, Inputs, InputSpec, Item, Items
from archpredict.metrics import kendall_tau
from archpredict.registry import resolve
from archpredict.regressors.base import Regressor
from archpredict.saved import Saved, check_model, check_options, check_scale, check_weights, read, write
from archpredict.spaces.base import Architecture
from archpredict.training import CHUNK, Model, PseudoPairs, Recipe, Trainer, encode, seeded

FloatArray = npt.NDArray[np.float64]
Observe = Callable[[int, int, float], None]

_PRETRAINED = Path(__file__).parent / "pretrained"
_REGRESSORS: Mapping[str, float] = {"hist-gradient-boosting": 0.4}
_BUILDS = ("encoder_options", "head_options", "regressor_options", "ensemble", "side_width")
"""Arguments that decide how much is built."""
_SHARPNESS = 3.0
"""Log odds per standard deviation of the labels, as in the soft targets that heads are trained on."""


class Predictor(BaseEstimator):  # type: ignore[misc]
    """Predicts the ranking of architectures from a few labelled ones.

    A committee: ``ensemble`` networks of one encoder and one head, which may also read numbers known of each
    architecture as a whole, and any number of regressors on these numbers alone. The defaults are what ranked best
    from few labels (``docs/benchmarks.md``). Scores of the members are standardised on the training set and averaged;
    ``predict`` maps them to the labels' scale by matching quantiles
    (:class:`archpredict.calibration.Calibration`), so that predictions read as labels.

    Args:
        encoder: Name of an encoder (see ``archpredict.encoders``), a class derived from ``Encoder``, or None for
            networks that read the numbers alone.
        head: Name of a head or a class derived from ``Head``.
        encoder_options, head_options: Keyword arguments of their constructors.
        side: Numbers read beside the graph: ``statistics`` (:class:`archpredict.features.Statistics`, with the costs
            that the space computes) and ``choices`` (one-hot). Extra columns given to :meth:`fit` are always read.
        side_width, side_dropout: Units of the layer that takes them in, and the share of numbers dropped in training.
        ensemble: Number of networks; 0 for regressors alone.
        regressors: Names of regressors (see ``archpredict.regressors``) and their weights, where the networks together
            weigh 1 (as a mapping), e.g. ``{"gaussian-process": 0.5}``.
        regressor_options: Keyword arguments of their constructors, by name.
        epochs, batch_size, learning_rate, weight_decay, optimizer, betas, schedule, held_out, patience: See
            :class:`archpredict.training.Recipe`.
        vocabulary: Operator labels; taken from the training architectures (and their spaces) if left out.
        seed: Of initial weights, batches and dropout; at least 0.
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.

    Attributes:
        models_: The fitted networks.
        regressors_: The fitted regressors by name.
        spec_: What is read of an architecture.
        num_labels_: Labels it was fitted on.

    Example:
        >>> import numpy as np
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cells = space.architectures(space.sample(40, np.random.default_rng(0)))
        >>> convolutions = [sum(choice in (2, 3) for choice in cell.choices) for cell in cells]
        >>> predictor = Predictor(epochs=20, ensemble=1, regressors=None).fit(cells[:30], convolutions[:30])
        >>> predictor.score(cells[30:], convolutions[30:]) > 0.5
        True
    """

    def __init__(
        self,
        encoder: str | type[Encoder] | None = "asynchronous",
        head: str | type[Head] = "pairwise",
        *,
        encoder_options: Mapping[str, Any] | None = None,
        head_options: Mapping[str, Any] | None = None,
        side: Sequence[str] = ("statistics",),
        side_width: int = 64,
        side_dropout: float = 0.3,
        ensemble: int = 3,
        regressors: Mapping[str, float] | None = _REGRESSORS,
        regressor_options: Mapping[str, Mapping[str, Any]] | None = None,
        epochs: int = 120,
        batch_size: int = 64,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        optimizer: Literal["adamw", "adam"] = "adamw",
        betas: tuple[float, float] = (0.9, 0.999),
        schedule: Literal["cosine", "constant"] = "cosine",
        held_out: float = 0.0,
        patience: int = 20,
        vocabulary: Sequence[str] | None = None,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.encoder_options = encoder_options
        self.head_options = head_options
        self.side = side
        self.side_width = side_width
        self.side_dropout = side_dropout
        self.ensemble = ensemble
        self.regressors = regressors
        self.regressor_options = regressor_options
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.betas = betas
        self.schedule = schedule
        self.held_out = held_out
        self.patience = patience
        self.vocabulary = vocabulary
        self.seed = seed
        self.device = device

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        architectures: Items,
        y: Sequence[float] | npt.NDArray[Any],
        *,
        features: Features | None = None,
        observe: Observe | None = None,
    ) -> Predictor:
        """Train on labelled architectures.

        Args:
            architectures: ``n`` architectures or graphs, at least 2.
            y: ``(n,)`` finite labels, higher is better, not all equal.
            features: Extra numbers by name, ``(n,)`` each (zero-cost proxies, say); every later call needs them too.
            observe: Called with (epochs done, epochs in all, loss) after each epoch.

        Raises:
            DataError: Too few labels, or labels that are not finite or all equal; a feature that is not finite.
            UsageError: An argument of the constructor that is out of its range.
            RunError: The training diverged.
        """
        labels = _check_labels(architectures, y)
        self._check_arguments()
        self.device_ = _device(self.device)
        form = self._encoder_class().form if self.encoder is not None else "nodes"
        self.spec_, inputs = InputSpec.fit(
            architectures, form=form, side=self.side, vocabulary=self.vocabulary, features=features
        )
        if (self.encoder is None or self.regressors) and not self.spec_.num_side:
            raise UsageError(
                "regressors, and networks without an encoder, read numbers beside the graph, and there are none; "
                'give side=("statistics",) or features, or regressors=None'
            )
        self.models_ = []
        for member in range(self.ensemble):
            with seeded(int(self.seed), member):
                self.models_.append(self._build().to(self.device_))
        return self._train(inputs, labels, self._recipe(), observe)

    def fine_tune(
        self,
        architectures: Items,
        y: Sequence[float] | npt.NDArray[Any],
        *,
        features: Features | None = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
        observe: Observe | None = None,
    ) -> Predictor:
        """Go on from the fitted networks with new labels, of another task perhaps; regressors learn these labels alone.

        Args:
            architectures: As for :meth:`fit`, with the same operators.
            y: Their labels.
            features: The same extra numbers as for :meth:`fit`.
            observe: As for :meth:`fit`.
            epochs: A quarter of the constructor's if left out.
            learning_rate: A third of the constructor's if left out.
        """
        self._check_fitted()
        labels = _check_labels(architectures, y)
        recipe = replace(
            self._recipe(),
            epochs=max(1, self.epochs // 4) if epochs is None else epochs,
            learning_rate=self.learning_rate / 3 if learning_rate is None else learning_rate,
        )
        return self._train(self.pack(architectures, features), labels, recipe, observe)

    def refine(self, pairs: PseudoPairs, *, share: float, epochs: int, slow_down: float) -> None:
        """A few more epochs on the training set and on pairs with predicted labels; regressors stay as they are.

        Only right after :meth:`fit` or :meth:`fine_tune`: what it needs is not saved.

        Args:
            pairs: The pairs.
            share: Their part in the loss.
            epochs: How many.
            slow_down: Factor on the learning rate.
        """
        for trainer in self._trainers:
            trainer.slow_down(slow_down)
            for _ in range(epochs):
                trainer.epoch(pairs, share)

    def rescale(self) -> None:
        """Fit the scale of the scores to the training labels anew, after :meth:`refine`."""
        self._finish(self._fitted_on, self._labels)

    def _train(self, inputs: Inputs, labels: FloatArray, recipe: Recipe, observe: Observe | None) -> Predictor:
        target = standardize(labels)
        self._trainers = [
            Trainer(m, self.spec_, inputs, target, recipe, seed=int(self.seed) * 1009 + i, device=self.device_)
            for i, m in enumerate(self.models_)
        ]
        for i, trainer in enumerate(self._trainers):

            def report(epoch: int, loss: float, done: int = i * recipe.epochs) -> None:
                if observe is not None:
                    observe(done + epoch, self.ensemble * recipe.epochs, loss)

            trainer.fit(report)
        self.regressors_: dict[str, Regressor] = {}
        side = self.spec_.side(inputs) if self.regressors else None
        for name in self.regressors or {}:
            self.regressors_[name] = self._regressor(name)
            self.regressors_[name].fit(np.asarray(side, dtype=np.float64), target)
        self._fitted_on, self._labels, self._side, self._target = inputs, labels, side, target
        self.num_labels_ = len(labels)
        return self._finish(inputs, labels)

    def _finish(self, inputs: Inputs, labels: FloatArray) -> Predictor:
        """Fit the scale of the scores to the labels once the members are trained."""
        encoded = self.encode(inputs)
        for model, z in zip(self.models_, encoded, strict=False):
            model.head.remember(z)
        raw = self._member_scores(encoded)  # (M, n)
        if not np.isfinite(raw).all():
            raise RunError(
                f"the training diverged, scores are not finite; lower the learning rate, {self.learning_rate:g}"
            )
        self.location_ = raw.mean(axis=1)
        self.scale_ = np.maximum(raw.std(axis=1), 1e-12)
        self.calibration_ = Calibration.fit(self._weights @ self._standardized(raw), labels)
        return self

    # ------------------------------------------------------------------ predicting

    @property
    def space_(self) -> str | None:
        """Name of the search space it was fitted on; None for bare graphs."""
        return self.spec_.space

    @property
    def feature_names_(self) -> tuple[str, ...]:
        """Names of the extra numbers it was fitted with."""
        return self.spec_.features

    @property
    def has_std(self) -> bool:
        """Whether :meth:`predict_std` works: with more than one member, or one that knows its uncertainty."""
        knows = any(type(r).std is not Regressor.std for r in getattr(self, "regressors_", {}).values())
        return self.ensemble + len(self.regressors or {}) > 1 or knows

    def predict(self, architectures: Items, features: Features | None = None) -> FloatArray:
        """Predicted scores on the labels' scale, ``(n,)``; higher is better."""
        latent = self._latent(architectures, features)
        return self.calibration_(latent)

    def predict_std(self, architectures: Items, features: Features | None = None) -> FloatArray:
        """Standard deviation of the predictions, ``(n,)``, on the labels' scale.

        That of the members' predictions, to which members that know their own uncertainty (Gaussian process, forests)
        add it: the spread of the mixture that they form.

        Raises:
            UsageError: The predictor is a single network.
        """
        if not self.has_std:
            raise UsageError("predict_std needs an ensemble; fit the predictor with ensemble=2 or more")
        encoded = self.encode(self.pack(architectures, features))
        latent = self._standardized(self._member_scores(encoded))
        mean = self._weights @ latent
        variance = self._weights @ ((latent - mean) ** 2 + self._member_variances(encoded))
        std = np.sqrt(variance)
        spread: FloatArray = (self.calibration_(mean + std) - self.calibration_(mean - std)) / 2
        return spread

    def rank(self, architectures: Items, features: Features | None = None) -> npt.NDArray[np.int64]:
        """Indices of the architectures, best first. Each is encoded once; equal scores keep their order."""
        # Isomorphic architectures differ by rounding, which must not decide their order.
        return np.argsort(-np.round(self._latent(architectures, features), 5), kind="stable")

    def compare(self, a: Item | Items, b: Item | Items) -> Any:
        """Probability that ``a`` is better than ``b``.

        Args:
            a: An architecture, or a sequence of ``n``.
            b: An architecture, or a sequence of ``m``.

        Returns:
            A float for two architectures, an ``(n, m)`` array for sequences.
        """
        first = [a] if isinstance(a, (Architecture, ArchGraph)) else a
        second = [b] if isinstance(b, (Architecture, ArchGraph)) else b
        p = self.compare_encoded(self.encode(self.pack(first)), self.encode(self.pack(second)))
        return float(p[0, 0]) if first is not a and second is not b else p

    def score(self, architectures: Items, y: Sequence[float] | npt.NDArray[Any]) -> float:
        """Kendall's tau-b between predictions and labels (the figure scikit-learn's model selection maximises)."""
        return kendall_tau(np.asarray(y, dtype=float), self.predict(architectures))

    def pack(self, architectures: Items, features: Features | None = None) -> Inputs:
        """Architectures as this predictor reads them, for :meth:`encode`; any method takes them too."""
        self._check_fitted()
        return self.spec_.pack(architectures, features)

    def encode(self, inputs: Inputs) -> list[Tensor]:
        """Each network's encodings ``(n, D)`` of packed architectures, then the numbers that regressors read."""
        return encode(self.models_, self.spec_, inputs, self.device_)

    @torch.no_grad()
    def compare_encoded(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> FloatArray:
        """Probability ``(n, m)`` that the first are better, from what :meth:`encode` gave for both.

        The members' mean; a regressor's is ``sigmoid(3 (f(a) - f(b)))`` of its predictions in standard deviations.
        """
        p = [m.head.compare(za, zb) for m, za, zb in zip(self.models_, a[:-1], b[:-1], strict=True)]
        for regressor in self.regressors_.values():
            fa, fb = (torch.from_numpy(regressor.predict(_double(side[-1]))) for side in (a, b))
            p.append(torch.sigmoid(_SHARPNESS * (fa[:, None] - fb[None, :])).to(self.device_))
        weights = torch.from_numpy(self._weights).to(self.device_)
        return _double((weights[:, None, None] * torch.stack([q.double() for q in p])).sum(0))

    @property
    def _weights(self) -> FloatArray:
        """Of all members, summing to 1."""
        weights = np.array([*[1 / max(1, self.ensemble)] * self.ensemble, *(self.regressors or {}).values()])
        shares: FloatArray = np.asarray(weights / weights.sum())
        return shares

    def _latent(self, architectures: Items, features: Features | None = None) -> FloatArray:
        """The members' mean score, ``(n,)``; each with mean 0 and standard deviation 1 on the training set."""
        inputs = self.pack(architectures, features)
        # Piece by piece, so that encodings are scored while they are in the cache, and take no memory.
        pieces = (inputs[start : start + CHUNK] for start in range(0, len(inputs), CHUNK) or (0,))
        raw = np.concatenate([self._member_scores(self.encode(piece)) for piece in pieces], axis=1)
        latent: FloatArray = self._weights @ self._standardized(raw)
        return latent

    def _standardized(self, raw: FloatArray) -> FloatArray:
        scores: FloatArray = (raw - self.location_[:, None]) / self.scale_[:, None]
        return scores

    @torch.no_grad()
    def _member_scores(self, encoded: Sequence[Tensor]) -> FloatArray:
        scores = [_double(m.head.score(z)) for m, z in zip(self.models_, encoded[:-1], strict=True)]
        scores += [regressor.predict(_double(encoded[-1])) for regressor in self.regressors_.values()]
        raw: FloatArray = np.stack(scores)
        return raw

    def _member_variances(self, encoded: Sequence[Tensor]) -> FloatArray:
        """What members know of their own uncertainty, 0 where nothing; ``(M, n)`` on the standardised scale."""
        n, known = len(encoded[-1]), [r.std(_double(encoded[-1])) for r in self.regressors_.values()]
        stds = [*[np.zeros(n)] * self.ensemble, *(np.zeros(n) if std is None else std for std in known)]
        variances: FloatArray = (np.stack(stds) / self.scale_[:, None]) ** 2
        return variances

    # ------------------------------------------------------------------ making members

    def _check_arguments(self) -> None:
        if self.ensemble < 0 or (self.ensemble == 0 and not self.regressors):
            raise UsageError(
                f"ensemble is a number of networks of at least 1, or 0 with regressors; {self.ensemble} was given"
            )
        if any(not 0 < weight < np.inf for weight in (self.regressors or {}).values()):
            raise UsageError(f"regressors have weights above 0, {dict(self.regressors or {})} was given")
        if self.seed < 0:
            raise UsageError(f"the seed is an integer of at least 0, {self.seed} was given")
        if self.side_width < 1:
            raise UsageError(f"side_width is a number of units of at least 1, {self.side_width} was given")

    def _recipe(self) -> Recipe:
        return Recipe(**{f.name: getattr(self, f.name) for f in fields(Recipe)})

    def _build(self) -> Model:
        encoder = None
        if self.encoder is not None:
            cells = 1 if self.spec_.form == "choices" else self.spec_.num_cells
            encoder = self._encoder_class()(self.spec_.num_ops, cells, **(self.encoder_options or {}))
        side = nn.Linear(self.spec_.num_side, self.side_width) if self.spec_.num_side else None
        width = (encoder.out_features if encoder else 0) + (self.side_width if side else 0)
        head_class = resolve("heads", self.head, Head) if isinstance(self.head, str) else self.head
        return Model(encoder, head_class(width, **(self.head_options or {})), side, self.side_dropout)

    def _encoder_class(self) -> type[Encoder]:
        assert self.encoder is not None
        if not isinstance(self.encoder, str):
            return self.encoder
        found: type[Encoder] = resolve("encoders", self.encoder, Encoder)
        return found

    def _regressor(self, name: str) -> Regressor:
        made: Regressor = resolve("regressors", name, Regressor)(
            int(self.seed), **(self.regressor_options or {}).get(name, {})
        )
        return made

    def _check_fitted(self) -> None:
        if "models_" not in self.__dict__:
            raise NotFittedError(
                "this predictor has not been fitted; call fit(architectures, y) or Predictor.load first"
            )

    # ------------------------------------------------------------------ saving

    def save(self, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
        """Write the fitted predictor into a folder: ``weights.safetensors``, ``predictor.json``, no pickle.

        Args:
            path: Folder, made if it is not there.
            card: What users should know, kept as ``card`` (data hash, protocol, held-out figures).

        Raises:
            NotFittedError: There is nothing to save.
            UsageError: Encoder or head are classes of your own, which only a name could bring back.
        """
        self._check_fitted()
        made_of = [self.head, *([] if self.encoder is None else [self.encoder]), *(self.regressors or {})]
        if not all(isinstance(name, str) and ":" not in name for name in made_of):
            raise UsageError("only predictors whose encoder, head and regressors are given by name can be saved")
        fitted = {
            "spec": self.spec_.to_dict(),
            "num_labels": self.num_labels_,
            "location": self.location_.tolist(),
            "scale": self.scale_.tolist(),
            "calibration": [self.calibration_.scores.tolist(), self.calibration_.labels.tolist()],
            "regressors": {name: regressor.found() for name, regressor in self.regressors_.items()},
        }
        weights = {f"{i}.{k}": v for i, m in enumerate(self.models_) for k, v in m.state_dict().items()}
        if self.regressors_ and self._side is not None:
            weights["regressors.x"] = torch.from_numpy(self._side)
            weights["regressors.y"] = torch.from_numpy(self._target)
        write(Path(path), Saved(self.get_params(deep=False), fitted, dict(card or {}), weights))

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Predictor:
        """Load a saved predictor from its folder, or one that ships with the package by its name.

        Args:
            path: Folder written by :meth:`save`, or a shipped name such as ``"darts-cifar10"``.
            device: Where to predict: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            UnknownNameError: Neither a folder nor a shipped name.
            DataError: The folder does not hold a valid predictor.
        """
        folder = Path(path)
        if not folder.is_dir():
            folder = _PRETRAINED / str(path)
            if str(path) not in shipped():
                raise UnknownNameError("predictor", str(path), shipped(), "Or give the folder of a saved one.")
        where = _device(device)
        try:
            return cls._restore(read(folder), device, where)
        except Exception as error:  # whatever a damaged or hostile file provokes
            raise DataError(f"{folder} does not hold a valid predictor: {error}") from error

    @classmethod
    def _restore(cls, saved: Saved, device: str, where: torch.device) -> Predictor:
        params, fitted, weights = saved.params, saved.fitted, saved.weights
        check_options([fitted["spec"]["num_cells"], *(params[name] for name in _BUILDS)])
        if ":" in f"{params['encoder']}{params['head']}{list(params['regressors'] or {})}":
            raise ValueError("its encoder, head or regressor is not one of archpredict's own")
        predictor = cls(**{**params, "betas": tuple(params["betas"]), "device": device})
        predictor.device_ = where
        predictor._check_arguments()
        predictor.spec_ = InputSpec.from_dict(fitted["spec"])
        if predictor.encoder is not None and predictor._encoder_class().form != predictor.spec_.form:
            raise ValueError(f"its encoder does not read graphs in the form {predictor.spec_.form!r}")
        predictor.location_, predictor.scale_ = np.array(fitted["location"]), np.array(fitted["scale"])
        predictor.calibration_ = Calibration(*(np.array(knots, dtype=float) for knots in fitted["calibration"]))
        members = predictor.ensemble + len(predictor.regressors or {})
        check_scale(predictor.location_, predictor.scale_, predictor.calibration_, members)
        predictor.card_, predictor.num_labels_ = saved.card, int(fitted["num_labels"])
        check_weights(weights, predictor.ensemble, bool(predictor.regressors))
        predictor.models_ = []
        for i in range(predictor.ensemble):
            with torch.device("meta"):  # shapes are compared before anything is allocated
                model = predictor._build()
            own = {k.split(".", 1)[1]: v for k, v in weights.items() if k.split(".", 1)[0] == str(i)}
            check_model(model.state_dict(), own)
            model.load_state_dict(own, assign=True)
            predictor.models_.append(model.to(predictor.device_).eval())
        predictor._refit_regressors(weights, fitted["regressors"])
        return predictor

    def _refit_regressors(self, weights: Mapping[str, Tensor], found: Mapping[str, Any]) -> None:
        self.regressors_ = {}
        if not self.regressors:
            return
        x, y = weights["regressors.x"], weights["regressors.y"]
        if y.ndim != 1 or x.shape != (len(y), self.spec_.num_side):
            raise ValueError(f"its regressors read {self.spec_.num_side} numbers, it holds {tuple(x.shape)}")
        self._side, self._target = x.numpy(), _double(y)
        for name in self.regressors:
            self.regressors_[name] = self._regressor(name)
            self.regressors_[name].fit(_double(x), self._target, found[name])


def shipped() -> list[str]:
    """Names of the predictors that come with the package."""
    return sorted(p.parent.name for p in _PRETRAINED.glob("*/predictor.json"))


def standardize(labels: FloatArray) -> FloatArray:
    """Labels as normal scores of their ranks: mean 0, standard deviation about 1, robust to outliers and scale."""
    from scipy.stats import norm, rankdata

    quantile = (rankdata(labels) - 0.5) / len(labels)
    scores: FloatArray = norm.ppf(quantile)
    return scores


def _double(values: Tensor) -> FloatArray:
    array: FloatArray = values.detach().double().cpu().numpy()
    return array


def _check_labels(architectures: Items, y: Sequence[float] | npt.NDArray[Any]) -> FloatArray:
    labels = np.asarray(y, dtype=np.float64)
    if labels.shape != (len(architectures),):
        raise DataError(
            f"{len(architectures)} architectures need as many labels, an array of shape {labels.shape} was given"
        )
    if len(labels) < 2:
        raise DataError(f"at least 2 labelled architectures are needed to learn a ranking, {len(labels)} was given")
    if not np.isfinite(labels).all():
        raise DataError(
            f"label {int(np.flatnonzero(~np.isfinite(labels))[0])} is not a finite number; remove or mend it"
        )
    if np.ptp(labels) == 0:
        raise DataError(f"all {len(labels)} labels are equal ({labels[0]:g}); there is no ranking to learn")
    return labels


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if re.fullmatch(r"(cpu|cuda)(:\d+)?", name) is None:
        raise UsageError(f"unknown device {name!r}; choose from: auto, cpu, cuda")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"device {name} was asked for, but torch finds no CUDA device; use --device cpu or auto")
    return torch.device(name)
