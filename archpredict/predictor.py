"""Predictor: an encoder and a head behind scikit-learn's estimator interface."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import BaseEstimator

from archpredict.calibration import Calibration
from archpredict.encoders.base import Encoder
from archpredict.errors import DataError, NotFittedError, RunError, UnknownNameError, UsageError
from archpredict.graph import ArchGraph
from archpredict.heads.base import Head
from archpredict.metrics import kendall_tau
from archpredict.packed import PackedGraphs
from archpredict.registry import resolve
from archpredict.saved import check_model, check_options, check_scale, check_weights, plain
from archpredict.spaces.base import Architecture
from archpredict.training import Model, Recipe, Trainer, encode, seeded

FloatArray = npt.NDArray[np.float64]
Item = Architecture | ArchGraph
Items = Sequence[Item] | PackedGraphs

_FORMAT = 1
_PRETRAINED = Path(__file__).parent / "pretrained"


class Predictor(BaseEstimator):  # type: ignore[misc]
    """Predicts the ranking of architectures from a few labelled ones.

    The labels' scale does not matter to pairwise heads; ``predict`` maps scores back to it by matching quantiles of the
    training set (:class:`archpredict.calibration.Calibration`), so that predictions read as labels.

    Args:
        encoder: Name of an encoder (see ``archpredict.encoders``) or a class derived from ``Encoder``.
        head: Name of a head or a class derived from ``Head``.
        encoder_options, head_options: Keyword arguments of their constructors.
        epochs, batch_size, learning_rate, weight_decay, optimizer, betas, schedule: See
            :class:`archpredict.training.Recipe`.
        ensemble: Number of models whose scores are averaged; more than one gives ``predict_std``.
        vocabulary: Operator labels; taken from the training architectures (and their spaces) if left out.
        seed: Of initial weights, batches and dropout; at least 0.
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.

    Attributes:
        models_: The fitted models.
        vocabulary_: Operator labels known.

    Example:
        >>> import numpy as np
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cells = space.architectures(space.sample(40, np.random.default_rng(0)))
        >>> convolutions = [sum(choice in (2, 3) for choice in cell.choices) for cell in cells]
        >>> predictor = Predictor(epochs=20).fit(cells[:30], convolutions[:30])
        >>> predictor.score(cells[30:], convolutions[30:]) > 0.5
        True
    """

    def __init__(
        self,
        encoder: str | type[Encoder] = "gcn",
        head: str | type[Head] = "comparator",
        *,
        encoder_options: Mapping[str, Any] | None = None,
        head_options: Mapping[str, Any] | None = None,
        epochs: int = 120,
        batch_size: int = 64,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        optimizer: Literal["adamw", "adam"] = "adamw",
        betas: tuple[float, float] = (0.9, 0.999),
        schedule: Literal["cosine", "constant"] = "cosine",
        ensemble: int = 1,
        vocabulary: Sequence[str] | None = None,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.encoder_options = encoder_options
        self.head_options = head_options
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.betas = betas
        self.schedule = schedule
        self.ensemble = ensemble
        self.vocabulary = vocabulary
        self.seed = seed
        self.device = device

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        architectures: Items,
        y: Sequence[float] | npt.NDArray[Any],
        observe: Callable[[int, int, float], None] | None = None,
    ) -> Predictor:
        """Train on labelled architectures.

        Args:
            architectures: ``n`` architectures or graphs, at least 2.
            y: ``(n,)`` finite labels, higher is better, not all equal.
            observe: Called with (epochs done, epochs in all, loss) after each epoch.

        Raises:
            DataError: Too few labels, or labels that are not finite or all equal.
            UsageError: An argument of the constructor that is out of its range.
            RunError: The training diverged.
        """
        labels = _check_labels(architectures, y)
        packed = self.start(architectures)
        self.models_ = [self.new_model(i) for i in range(self.ensemble)]
        standardized = standardize(labels)
        for i, model in enumerate(self.models_):
            trainer = self.trainer(model, packed, standardized, i)
            done = i * self.epochs

            def report(epoch: int, loss: float, done: int = done) -> None:
                if observe is not None:
                    observe(done + epoch, self.ensemble * self.epochs, loss)

            trainer.fit(report)
        return self.finish(packed, labels)

    def start(self, architectures: Items) -> PackedGraphs:
        """Fix vocabulary and device for training on these architectures, and pack them."""
        if self.ensemble < 1:
            raise UsageError(f"ensemble is a number of models of at least 1, {self.ensemble} was given")
        if self.seed < 0:
            raise UsageError(f"the seed is an integer of at least 0, {self.seed} was given")
        self.device_ = _device(self.device)
        if isinstance(architectures, PackedGraphs):
            self.vocabulary_ = architectures.vocabulary
            self.num_cells_ = architectures.num_cells
            return architectures
        self.vocabulary_ = tuple(self.vocabulary) if self.vocabulary is not None else _labels(architectures)
        self.num_cells_ = max(_graph(a).num_cells for a in architectures)
        return self.pack(architectures)

    def new_model(self, member: int) -> Model:
        """An untrained model of this configuration, with the weights of ensemble member ``member``."""
        with seeded(int(self.seed), member):
            return self._build().to(self.device_)

    def trainer(self, model: Model, packed: PackedGraphs, y: npt.NDArray[Any], member: int) -> Trainer:
        """The trainer of one ensemble member; ``y`` as it comes from :func:`standardize`."""
        recipe = Recipe(**{f.name: getattr(self, f.name) for f in fields(Recipe)})
        return Trainer(model, packed, y, recipe, seed=int(self.seed) * 1009 + member, device=self.device_)

    def finish(self, packed: PackedGraphs, labels: FloatArray) -> Predictor:
        """Fit the scale of the scores to the labels once the models are trained."""
        for model, z in zip(self.models_, self.encode(packed), strict=True):
            model.head.remember(z)
        raw = self._member_scores(packed)  # (M, n)
        if not np.isfinite(raw).all():
            raise RunError(
                f"the training diverged, scores are not finite; lower the learning rate, {self.learning_rate:g}"
            )
        self.location_ = raw.mean(axis=1)
        self.scale_ = np.maximum(raw.std(axis=1), 1e-12)
        self.calibration_ = Calibration.fit(self._standardized(raw).mean(axis=0), labels)
        return self

    # ------------------------------------------------------------------ predicting

    def predict(self, architectures: Items) -> FloatArray:
        """Predicted scores on the labels' scale, ``(n,)``; higher is better."""
        latent = self._latent(architectures)
        return self.calibration_(latent.mean(axis=0))

    def predict_std(self, architectures: Items) -> FloatArray:
        """Standard deviation of the ensemble's predictions, ``(n,)``, on the labels' scale.

        Raises:
            UsageError: The predictor is a single model.
        """
        if self.ensemble < 2:
            raise UsageError("predict_std needs an ensemble; fit the predictor with ensemble=2 or more")
        latent = self._latent(architectures)
        std: FloatArray = self.calibration_(latent).std(axis=0, ddof=1)
        return std

    def rank(self, architectures: Items) -> npt.NDArray[np.int64]:
        """Indices of the architectures, best first. Each is encoded once; equal scores keep their order."""
        # Isomorphic architectures differ by rounding, which must not decide their order.
        return np.argsort(-np.round(self._latent(architectures).mean(axis=0), 5), kind="stable")

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
        p = self.compare_encoded(self.encode(self._checked(first)), self.encode(self._checked(second)))
        return float(p[0, 0]) if first is not a and second is not b else p

    def score(self, architectures: Items, y: Sequence[float] | npt.NDArray[Any]) -> float:
        """Kendall's tau-b between predictions and labels (the figure scikit-learn's model selection maximises)."""
        return kendall_tau(np.asarray(y, dtype=float), self.predict(architectures))

    def encode(self, packed: PackedGraphs) -> list[torch.Tensor]:
        """Each model's encodings ``(n, D)`` of packed architectures."""
        return encode(self.models_, packed, self.device_)

    @torch.no_grad()
    def compare_encoded(self, a: Sequence[torch.Tensor], b: Sequence[torch.Tensor]) -> FloatArray:
        """Probability ``(n, m)`` that the first are better, from what :meth:`encode` gave for both."""
        p = [model.head.compare(za, zb) for model, za, zb in zip(self.models_, a, b, strict=True)]
        mean: FloatArray = torch.stack(p).mean(0).double().cpu().numpy()
        return mean

    def _latent(self, architectures: Items) -> FloatArray:
        """Each member's scores, with mean 0 and standard deviation 1 on the training set, ``(M, n)``."""
        return self._standardized(self._member_scores(self._checked(architectures)))

    def _standardized(self, raw: FloatArray) -> FloatArray:
        scores: FloatArray = (raw - self.location_[:, None]) / self.scale_[:, None]
        return scores

    @torch.no_grad()
    def _member_scores(self, packed: PackedGraphs) -> FloatArray:
        encodings = self.encode(packed)
        scores = [m.head.score(z).double().cpu().numpy() for m, z in zip(self.models_, encodings, strict=True)]
        return np.stack(scores)

    def _checked(self, architectures: Items) -> PackedGraphs:
        if "models_" not in self.__dict__:
            raise NotFittedError(
                "this predictor has not been fitted; call fit(architectures, y) or Predictor.load first"
            )
        if not isinstance(architectures, PackedGraphs):
            return self.pack(architectures)
        if (architectures.vocabulary, architectures.num_cells) != (self.vocabulary_, self.num_cells_):
            raise UsageError(
                "the graphs were packed with another vocabulary or number of cells than the predictor's; "
                "pack them with its method pack()"
            )
        return architectures

    def pack(self, architectures: Sequence[Item]) -> PackedGraphs:
        """Architectures in this predictor's vocabulary and in the form its encoder wants."""
        form = self._encoder_class().form
        graphs = [_graph(a) if form == "native" else _graph(a).on_nodes for a in architectures]
        return PackedGraphs.from_graphs(graphs, self.vocabulary_, self.num_cells_)

    def _build(self) -> Model:
        encoder = self._encoder_class()(
            len(self.vocabulary_),
            self.num_cells_,
            **(self.encoder_options or {}),
        )
        head_class = resolve("heads", self.head, Head) if isinstance(self.head, str) else self.head
        return Model(encoder, head_class(encoder.out_features, **(self.head_options or {})))

    def _encoder_class(self) -> type[Encoder]:
        found: type[Encoder] = (
            resolve("encoders", self.encoder, Encoder) if isinstance(self.encoder, str) else self.encoder
        )
        return found

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
        if "models_" not in self.__dict__:
            raise NotFittedError("this predictor has not been fitted; there is nothing to save")
        if not isinstance(self.encoder, str) or not isinstance(self.head, str):
            raise UsageError("only predictors whose encoder and head are given by name can be saved")
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        fitted = {
            "vocabulary": list(self.vocabulary_),
            "num_cells": self.num_cells_,
            "location": self.location_.tolist(),
            "scale": self.scale_.tolist(),
            "calibration": [self.calibration_.scores.tolist(), self.calibration_.labels.tolist()],
        }
        content = {
            "archpredict_predictor": _FORMAT,
            "params": self.get_params(deep=False),
            "fitted": fitted,
            "card": dict(card or {}),
        }
        (folder / "predictor.json").write_text(json.dumps(content, indent=1, default=plain) + "\n")
        weights = {
            f"{i}.{k}": v.cpu().contiguous() for i, m in enumerate(self.models_) for k, v in m.state_dict().items()
        }
        save_file(weights, folder / "weights.safetensors")

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
        try:
            content = json.loads((folder / "predictor.json").read_text())
            weights = load_file(folder / "weights.safetensors")
            return cls._restore(content, weights, device)
        except UsageError:
            raise
        except Exception as error:  # whatever a damaged or hostile file provokes
            raise DataError(f"{folder} does not hold a valid predictor: {error}") from error

    @classmethod
    def _restore(cls, content: dict[str, Any], weights: dict[str, torch.Tensor], device: str) -> Predictor:
        if content["archpredict_predictor"] != _FORMAT:
            raise ValueError(f"its format is {content['archpredict_predictor']!r}, this version reads {_FORMAT}")
        params, fitted = content["params"], content["fitted"]
        check_options([params["encoder_options"], params["head_options"], params["ensemble"], fitted["num_cells"]])
        check_weights(weights, params["ensemble"])
        if ":" in params["encoder"] + params["head"]:
            raise ValueError("its encoder or head is not one of archpredict's own")
        predictor = cls(**{**params, "betas": tuple(params["betas"]), "device": device})
        predictor.device_ = _device(device)
        predictor.vocabulary_ = tuple(str(v) for v in fitted["vocabulary"])
        predictor.num_cells_ = int(fitted["num_cells"])
        predictor.location_, predictor.scale_ = np.array(fitted["location"]), np.array(fitted["scale"])
        predictor.calibration_ = Calibration(*(np.array(knots, dtype=float) for knots in fitted["calibration"]))
        check_scale(predictor.location_, predictor.scale_, predictor.calibration_, predictor.ensemble)
        predictor.card_ = content["card"]
        predictor.models_ = []
        for i in range(predictor.ensemble):
            with torch.device("meta"):  # shapes are compared before anything is allocated
                model = predictor._build()
            own = {k.split(".", 1)[1]: v for k, v in weights.items() if k.split(".", 1)[0] == str(i)}
            check_model(model.state_dict(), own)
            model.load_state_dict(own, assign=True)
            predictor.models_.append(model.to(predictor.device_).eval())
        return predictor


def shipped() -> list[str]:
    """Names of the predictors that come with the package."""
    return sorted(p.parent.name for p in _PRETRAINED.glob("*/predictor.json"))


def standardize(labels: FloatArray) -> FloatArray:
    """Labels as normal scores of their ranks: mean 0, standard deviation about 1, robust to outliers and scale."""
    from scipy.stats import norm, rankdata

    quantile = (rankdata(labels) - 0.5) / len(labels)
    scores: FloatArray = norm.ppf(quantile)
    return scores


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


def _labels(architectures: Sequence[Item]) -> tuple[str, ...]:
    labels: set[str] = set()
    spaces = {id(a.space): a.space for a in architectures if isinstance(a, Architecture)}
    for space in spaces.values():
        labels.update(space.operators)
    for graph in map(_graph, architectures):
        labels.update(graph.ops, graph.edge_ops or ())
    return tuple(sorted(labels))


def _graph(item: Item) -> ArchGraph:
    if isinstance(item, Architecture):
        return item.graph
    if isinstance(item, ArchGraph):
        return item
    raise UsageError(f"a predictor takes Architecture or ArchGraph objects, {type(item).__name__} was given")


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if re.fullmatch(r"(cpu|cuda)(:\d+)?", name) is None:
        raise UsageError(f"unknown device {name!r}; choose from: auto, cpu, cuda")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"device {name} was asked for, but torch finds no CUDA device; use --device cpu or auto")
    return torch.device(name)
