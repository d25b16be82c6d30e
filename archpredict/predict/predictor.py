"""Predictor: encoders, heads and regressors behind scikit-learn's estimator interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from archpredict._typing import FloatArray
from archpredict.backends import torch_device
from archpredict.encoders.base import Encoder
from archpredict.errors import DataError, NotFittedError, RunError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.heads.base import Head
from archpredict.metrics import kendall_tau
from archpredict.predict._build import Members
from archpredict.predict.batch import ArchLike, ArchLikes, Batch, Features
from archpredict.predict.calibration import Target, check_labels, fit_deviation, standardize
from archpredict.predict.ensemble import Ensemble, Fitted
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.sources.base import SourceLike
from archpredict.predict.sources.proxies import Proxies
from archpredict.predict.stacking import fit_all
from archpredict.predict.storage import Saved, check_params, check_state, has_own_names, located, read, write
from archpredict.predict.training import PseudoPairs, Recipe, Trainer
from archpredict.spaces.base import Architecture

__all__ = ["Predictor"]

Observe = Callable[[int, int, float], None]

_REGRESSORS: Mapping[str, float] = {"hist-gradient-boosting": 0.3, "bayesian-ridge": 0.2}


class Predictor(Fitted, BaseEstimator):  # type: ignore[misc]
    """Predicts the ranking of architectures from a few labelled ones.

    An ensemble: ``ensemble`` networks of one encoder and one head, which may also read numbers known of each
    architecture as a whole, and any number of regressors on these numbers alone. The defaults are what ranked best
    from few labels (``docs/benchmarks.md``). Scores of the members are standardised on the training set and averaged;
    ``predict`` maps them to the labels' scale by matching quantiles
    (:class:`archpredict.predict.calibration.Calibration`), so that predictions read as labels.

    Args:
        encoder: Name of an encoder (see ``archpredict.encoders``), a class derived from ``Encoder``, or None for
            networks that read the numbers alone.
        head: Name of a head or a class derived from ``Head``.
        encoder_options, head_options: Keyword arguments of their constructors.
        side: Numbers read beside the graph: ``statistics`` (:class:`archpredict.graph.statistics.Statistics`, with
            the costs
            that the space computes), ``choices`` (one-hot) and ``network`` (of computational graphs,
            :func:`archpredict.graph.network_statistics.network_statistics`). Extra columns given to :meth:`fit` are
            always
            read.
        proxies: Names of zero-cost proxies (see ``archpredict.proxies``) whose scores are computed of each architecture
            and read beside the graph.
        proxy_options: How: keyword arguments of :meth:`archpredict.predict.sources.proxies.Proxies`, that is
            ``dataset``, ``network`` and ``seed``.
        side_width: Units of the layer that takes them in.
        side_dropout: Share of the numbers dropped while training; if left out 0.3, and more where there are many, so
            that about 130 are left.
        ensemble: Number of networks; 0 for regressors alone.
        pretrain: Steps for which encoders first learn to tell the statistics of random architectures of the space
            (:mod:`archpredict.predict.pretraining`); 0 for none. Bare graphs name no space, and choices no graph:
            there it is
            left out.
        regressors: Names of regressors (see ``archpredict.regressors``) and their weights, where the networks together
            weigh 1 (as a mapping), e.g. ``{"gaussian-process": 0.5}``.
        regressor_options: Keyword arguments of their constructors, by name.
        epochs, batch_size, learning_rate, weight_decay, optimizer, betas, schedule, held_out, patience: See
            :class:`archpredict.predict.training.Recipe`.
        target: What is learnt: ``ranks`` of the labels, as normal scores, or their ``values``.
        vocabulary: Operator labels; taken from the training architectures (and their spaces) if left out. Of
            computational graphs they are always :data:`archpredict.graph.operators.OPERATORS`.
        seed: Of initial weights, batches and dropout; at least 0.
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.

    Attributes:
        ensemble_: The fitted members and the scale of their scores, of which the following are parts.
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
        proxies: Sequence[str] = (),
        proxy_options: Mapping[str, Any] | None = None,
        side_width: int = 64,
        side_dropout: float | None = None,
        ensemble: int = 2,
        pretrain: int = 400,
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
        target: Target = "ranks",
        vocabulary: Sequence[str] | None = None,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.encoder_options = encoder_options
        self.head_options = head_options
        self.side = side
        self.proxies = proxies
        self.proxy_options = proxy_options
        self.side_width = side_width
        self.side_dropout = side_dropout
        self.ensemble = ensemble
        self.pretrain = pretrain
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
        self.target = target
        self.vocabulary = vocabulary
        self.seed = seed
        self.device = device

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        architectures: ArchLikes,
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
            observe: Called with (epochs done, epochs in all, loss) after each epoch, and with none done now and then
                during pre-training; the epochs that a network leaves
                out by stopping early count as done.

        Raises:
            DataError: Too few labels, or labels that are not finite or all equal; a feature that is not finite.
            UsageError: An argument of the constructor that is out of its range.
            RunError: The training diverged.
        """
        labels = check_labels(architectures, y)
        members, device = self._members(), torch_device(self.device)
        spec, inputs = InputSpec.fit(
            architectures,
            form=members.form,
            sources=self._sources(),
            vocabulary=self.vocabulary,
            features=features,
        )
        ensemble, recipe = members.build(spec, device), self._recipe()
        if self.pretrain and (space := Batch.of(architectures).space) is not None:

            def still(loss: float) -> None:
                if observe is not None:
                    observe(0, self.ensemble * recipe.epochs, loss)

            members.pretrain(ensemble, space, self.pretrain, still)
        return self._train(ensemble, inputs, labels, recipe, observe)

    def fine_tune(
        self,
        architectures: ArchLikes | Inputs,
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
        fitted = self._fitted()
        labels = check_labels(architectures, y)
        recipe = replace(
            self._recipe(),
            epochs=max(1, self.epochs // 4) if epochs is None else epochs,
            learning_rate=self.learning_rate / 3 if learning_rate is None else learning_rate,
        )
        ensemble = self._members().around(fitted.models, fitted.spec, fitted.device)
        return self._train(ensemble, self.pack(architectures, features), labels, recipe, observe)

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
        self._fit_scale(self._fitted(), self._fitted_on, self._labels)

    def _train(
        self, ensemble: Ensemble, inputs: Inputs, labels: FloatArray, recipe: Recipe, observe: Observe | None
    ) -> Predictor:
        target = standardize(labels, self.target)
        trainers = [
            Trainer(m, ensemble.spec, inputs, target, recipe, seed=int(self.seed) * 1009 + i, device=ensemble.device)
            for i, m in enumerate(ensemble.models)
        ]

        def report(done: int, loss: float) -> None:
            if observe is not None:
                observe(done, len(trainers) * recipe.epochs, loss)

        fit_all(trainers, report)
        ensemble.teach(inputs, target)
        self._fit_scale(ensemble, inputs, labels)
        self.ensemble_, self._trainers, self._fitted_on, self._labels = ensemble, trainers, inputs, labels
        return self

    def _fit_scale(self, ensemble: Ensemble, inputs: Inputs, labels: FloatArray) -> None:
        scores = ensemble.remember(inputs)
        if not np.isfinite(scores).all():
            raise RunError(
                f"the training diverged, scores are not finite; lower the learning rate, {self.learning_rate:g}"
            )
        ensemble.fit_scale(scores, labels)

    # ------------------------------------------------------------------ predicting

    @property
    def has_std(self) -> bool:
        """Whether :meth:`predict_std` works: with more than one member, or one that knows its uncertainty."""
        if "ensemble_" in self.__dict__:
            return self.ensemble_.has_std
        return self.ensemble + len(self.regressors or {}) > 1

    def predict(self, architectures: ArchLikes | Inputs, features: Features | None = None) -> FloatArray:
        """Predicted scores on the labels' scale, ``(n,)``; higher is better."""
        inputs = self.pack(architectures, features)
        return self.ensemble_.predict(inputs)

    def predict_std(self, architectures: ArchLikes | Inputs, features: Features | None = None) -> FloatArray:
        """Standard deviation of the predictions, ``(n,)``, on the labels' scale.

        That of the members' predictions, to which members that know their own uncertainty (Gaussian process, forests)
        add it: the spread of the mixture that they form.

        Raises:
            UsageError: The predictor is a single network.
        """
        if not self.has_std:
            raise UsageError("predict_std needs an ensemble; fit the predictor with ensemble=2 or more")
        inputs = self.pack(architectures, features)
        return self.ensemble_.predict_std(inputs)

    def calibrate_std(self, predicted: npt.ArrayLike, std: npt.ArrayLike, labels: npt.ArrayLike) -> Predictor:
        """Correct :meth:`predict_std` by errors on architectures that were not trained on.

        From now on it is ``sqrt((a std)² + b²)`` with the ``a`` and ``b`` that make these errors likeliest
        (:func:`archpredict.predict.calibration.fit_deviation`, with what it raises), until the next fit; both are
        saved.

        Args:
            predicted: ``(n,)`` predictions by predictors fitted alike on other architectures, as in cross-validation.
            std: ``(n,)`` their standard deviations, which must not be corrected yet.
            labels: ``(n,)`` what came true.
        """
        ensemble = self._fitted()
        ensemble.deviation = fit_deviation(std, np.asarray(predicted) - check_labels(np.asarray(predicted), labels))
        return self

    def unfamiliar(self, architectures: ArchLikes | Inputs, features: Features | None = None) -> npt.NDArray[np.bool_]:
        """Which architectures are unlike all that it has learnt from, ``(n,)``; what it says of them is a guess.

        Judged by the numbers that it reads beside the graph (:class:`archpredict.predict.novelty.Familiarity`): of
        architectures like the training set about one in a hundred is unfamiliar.

        Raises:
            UsageError: It reads the graph alone.

        Example:
            >>> from archpredict.spaces import load_space
            >>> cells = load_space("nasbench201").architectures(np.eye(6, dtype=int))
            >>> alike = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, range(6))
            >>> alike.unfamiliar(load_space("nasbench201").architectures(np.full((1, 6), 3)))
            array([ True])
        """
        inputs = self.pack(architectures, features)
        return self.ensemble_.distance(inputs) > 1

    def rank(self, architectures: ArchLikes | Inputs, features: Features | None = None) -> npt.NDArray[np.int64]:
        """Indices of the architectures, best first. Each is encoded once; equal scores keep their order."""
        inputs = self.pack(architectures, features)
        # Isomorphic architectures differ by rounding, which must not decide their order.
        return np.argsort(-np.round(self.ensemble_.latent(inputs), 5), kind="stable")

    def compare(self, a: ArchLike | ArchLikes | Inputs, b: ArchLike | ArchLikes | Inputs) -> Any:
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

    def score(self, architectures: ArchLikes | Inputs, y: Sequence[float] | npt.NDArray[Any]) -> float:
        """Kendall's tau-b between predictions and labels (the figure scikit-learn's model selection maximises)."""
        return kendall_tau(np.asarray(y, dtype=float), self.predict(architectures))

    def pack(self, architectures: ArchLikes | Inputs, features: Features | None = None) -> Inputs:
        """Architectures as this predictor reads them, for :meth:`encode`; any method takes them too."""
        return self._fitted().spec.pack(architectures, features)

    def encode(self, inputs: Inputs) -> list[Tensor]:
        """Each network's encodings ``(n, D)`` of packed architectures, then the numbers that regressors read."""
        return self._fitted().encode(inputs)

    def compare_encoded(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> FloatArray:
        """Probability ``(n, m)`` that the first are better, from what :meth:`encode` gave for both."""
        return self._fitted().compare(a, b)

    # ------------------------------------------------------------------ parts

    def _sources(self) -> list[SourceLike]:
        return [*self.side, *([Proxies(self.proxies, **(self.proxy_options or {}))] if self.proxies else [])]

    def _members(self) -> Members:
        return Members(**{f.name: getattr(self, f.name) for f in fields(Members)})

    def _recipe(self) -> Recipe:
        return Recipe(**{f.name: getattr(self, f.name) for f in fields(Recipe)})

    def _fitted(self) -> Ensemble:
        if "ensemble_" not in self.__dict__:
            raise NotFittedError(
                "this predictor has not been fitted; call fit(architectures, y) or Predictor.load first"
            )
        return self.ensemble_

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
        values, tensors = self._fitted().state()
        params = self.get_params(deep=False)
        if not has_own_names(params):
            raise UsageError("only predictors whose encoder, head and regressors are given by name can be saved")
        write(Path(path), Saved(params, values, dict(card or {}), tensors))

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
        folder, where = located(path), torch_device(device)
        try:
            return cls._restore(read(folder), device, where)
        except Exception as error:  # whatever a damaged or hostile file provokes
            raise DataError(f"{folder} does not hold a valid predictor: {error}") from error

    @classmethod
    def _restore(cls, saved: Saved, device: str, where: torch.device) -> Predictor:
        params, fitted = saved.params, saved.fitted
        check_params(params, fitted["spec"]["num_cells"])
        predictor = cls(**{**params, "betas": tuple(params["betas"]), "device": device})
        members, spec = predictor._members(), InputSpec.from_dict(fitted["spec"])
        if members.encoder is not None and members.form != spec.form:
            raise ValueError(f"its encoder does not read graphs in the form {spec.form!r}")
        check_state(fitted, saved.weights, members.ensemble, len(members.regressors or {}), spec.num_side)
        ensemble = members.hollow(spec, where)  # shapes are compared before anything is allocated
        ensemble.restore(fitted, saved.weights)
        predictor.ensemble_, predictor.card_ = ensemble, saved.card
        return predictor
