"""Predictor: encoders, heads and regressors behind scikit-learn's estimator interface."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from archpredict._files import damage
from archpredict._typing import FloatArray
from archpredict.backends import torch_device
from archpredict.encoders.base import Encoder
from archpredict.errors import DataError, NotFittedError, UnknownNameError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.heads.base import Head
from archpredict.metrics import kendall_tau
from archpredict.predict._arguments import arguments_from_json, arguments_to_json
from archpredict.predict._data import Architectures, Columns, as_columns, is_one
from archpredict.predict.batch import ArchLike, ArchLikes, Batch
from archpredict.predict.calibration import check_labels, fit_deviation
from archpredict.predict.ensemble.builder import EnsembleBuilder, Regressors
from archpredict.predict.ensemble.cross_fitting import cross_fit
from archpredict.predict.ensemble.ensemble import Ensemble
from archpredict.predict.ensemble.session import TrainingSession
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.model_card import write_model_card
from archpredict.predict.parts import PartLike, with_options
from archpredict.predict.sources.base import SourceLike, as_sources
from archpredict.predict.sources.recipe import TrainingRecipes
from archpredict.predict.sources.transfer import ZeroShotScores
from archpredict.predict.storage import StoredPredictor, check_params, check_state, located, read, saving, write
from archpredict.predict.training.training import Training
from archpredict.predict.transfer.model import origins_of
from archpredict.predict.transfer.shipped import Transfer, file_of, model_of
from archpredict.progress import Observer, silent
from archpredict.regressors.base import Regressor, sampled_rows
from archpredict.spaces.base import Architecture, SearchSpace

__all__ = ["Predictor"]

_REGRESSORS: Regressors = {"hist-gradient-boosting": 0.3, "bayesian-ridge": 0.2, "gaussian-processes": 1.0}
_NESTED = ("encoder", "head", "training")
"""Arguments that hold parameters of their own."""
_TO_A_FAMILY = 100
"""Steps at least by which networks that know several families learn of one. Of 1,000 labels of each of three spaces,
tau in a fourth after 10, 20 and 50 labels there: .32, .30 and .33 with two steps, .61, .65 and .72 with a hundred."""
_Given = TypeVar("_Given", Batch, Inputs)


class Predictor(BaseEstimator):  # type: ignore[misc]
    """A performance predictor: learns to rank architectures from a few labelled ones.

    An ensemble: ``ensemble`` networks of one encoder and one head, which may also read numbers known of each
    architecture as a whole, and any number of regressors on these numbers alone. The defaults are what ranked best
    from few labels (``docs/benchmarks.md``). Scores of the members are standardised on the training set and averaged;
    ``predict`` maps them to the labels' scale by matching quantiles
    (:class:`archpredict.predict.calibration.Calibration`), so that predictions read as labels.

    An estimator of scikit-learn: ``clone``, ``GridSearchCV`` over ``training__epochs`` or ``encoder__dim``, and
    ``cross_val_score`` work. Architectures may be in a list, a tuple, a NumPy array of objects or a pandas Series,
    whatever its index. With ``features``, give scikit-learn ``Batch.of(architectures, features)``
    (:class:`archpredict.predict.batch.Batch`), which it splits as a whole; or, after
    ``sklearn.set_config(enable_metadata_routing=True)``, a data frame or a structured array as ``features`` of its own.

    Args:
        encoder: Name of an encoder (see ``archpredict.encoders``), a class derived from ``Encoder``, a
            :class:`~archpredict.predict.parts.Part` of either with options, or None for networks that read the numbers
            alone. Or one to begin with that has learnt from unlabelled networks: its folder, or the name of a shipped
            one, ``networks`` (:class:`~archpredict.predict.pretraining.pretrained_encoder.PretrainedEncoder`).
        head: Name of a head, a class derived from ``Head``, or a Part of either.
        sources: Numbers read beside the graph: ``statistics`` (:class:`archpredict.graph.statistics.Statistics`, with
            the costs that the space computes), ``choices`` (one-hot), ``network`` (of computational graphs,
            :func:`archpredict.graph.network_statistics.network_statistics`), and zero-cost proxies
            (:class:`archpredict.predict.sources.proxies.Proxies`). Columns given to :meth:`fit` are always read.
        regressors: Names of regressors (see ``archpredict.regressors``), or classes, and their weights, where the
            networks together weigh 1: ``{"gaussian-process": 0.5}``, or with options
            ``{"gaussian-process": (0.5, {"kernel": "laplacian"})}``.
        training: How networks are trained, :class:`archpredict.predict.training.training.Training`.
        ensemble: Number of networks; 0 for regressors alone.
        vocabulary: Operator labels; taken from the training architectures (and their spaces) if left out. Of
            computational graphs they are always :data:`archpredict.graph.operators.OPERATORS`.
        seed: Of initial weights, batches and dropout; at least 0.
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.
        cross_fit: Whether networks and regressors are weighed by how likely labels are that these have not seen, for
            which all are trained on half of the labels too, and the weights given count as eight labels
            (:class:`archpredict.predict.ensemble.weighing.Weighing`); so a part that cannot help costs nothing, and
            standard deviations hold what they say. If not, or where there is one kind of members, or fewer than ten
            labels, the weights are those given.
        transfer: Whether regressors that can do so learn from labels of other search spaces too, where the space of the
            training architectures defines its networks (:mod:`archpredict.predict.transfer`); labels of the space
            itself, or of one that shares its cells, never help. Or the file of a transfer model of your own to learn
            from instead (:meth:`TransferModel.save <archpredict.predict.transfer.model.TransferModel.save>`).

    Attributes:
        ensemble_: The fitted networks and regressors, and the scale of their scores.
        card_: What users of a saved predictor should know; of one that was fitted here it is empty.

    Example:
        >>> import numpy as np
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> cells = space.architectures(space.sample(40, np.random.default_rng(0)))
        >>> convolutions = [sum(choice in (2, 3) for choice in cell.choices) for cell in cells]
        >>> training = Training(epochs=20, pretrain=0)
        >>> predictor = Predictor(training=training, ensemble=1, regressors=None)
        >>> predictor.fit(cells[:30], convolutions[:30]).score(cells[30:], convolutions[30:]) > 0.5
        True
    """

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"features": True}
    __metadata_request__predict: ClassVar[dict[str, bool]] = {"features": True}
    __metadata_request__score: ClassVar[dict[str, bool]] = {"features": True}

    def __init__(
        self,
        encoder: PartLike | None = "asynchronous",
        head: PartLike = "pairwise",
        *,
        sources: Sequence[SourceLike] = ("statistics",),
        regressors: Regressors | None = _REGRESSORS,
        training: Training = Training(),  # noqa: B008  # it never changes
        ensemble: int = 2,
        vocabulary: Sequence[str] | None = None,
        seed: int = 0,
        device: str = "auto",
        cross_fit: bool = True,
        transfer: Transfer = True,
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.sources = sources
        self.regressors = regressors
        self.training = training
        self.ensemble = ensemble
        self.vocabulary = vocabulary
        self.seed = seed
        self.device = device
        self.cross_fit = cross_fit
        self.transfer = transfer

    def set_params(self, **params: Any) -> Predictor:
        """Replace arguments of the constructor, or parts of them: ``encoder__dim=64``, ``training__epochs=30``.

        Raises:
            UsageError: There is no such argument.
        """
        names = self.get_params(deep=False)
        plain = {name: value for name, value in params.items() if name in names}
        nested: dict[str, dict[str, Any]] = {}
        for name in params.keys() - plain.keys():
            outer, _, inner = name.partition("__")
            if outer not in _NESTED or not inner or (outer == "training" and inner not in Training().get_params()):
                inside = [f"training__{of_training}" for of_training in Training().get_params()]
                hint = "Options of encoder and head are encoder__... and head__...."
                raise UnknownNameError("argument of Predictor", name, [*names, *inside], hint)
            nested.setdefault(outer, {})[inner] = params[name]
        for name, value in plain.items():
            setattr(self, name, value)
        for outer, changes in nested.items():  # a new object each time: copies and defaults are shared
            before = getattr(self, outer)
            setattr(self, outer, replace(before, **changes) if outer == "training" else with_options(before, changes))
        return self

    def check(self) -> Predictor:
        """Check the arguments of the constructor, as :meth:`fit` does first; nothing is trained.

        Raises:
            UsageError: One is out of its range or of a wrong type, or a name does not exist.
        """
        self._builder()
        torch_device(self.device)
        as_sources(self.sources)
        model_of(self.transfer)
        if isinstance(self.vocabulary, str):
            raise UsageError(f"vocabulary is a sequence of labels, {self.vocabulary!r} was given")
        return self

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        architectures: ArchLikes,
        y: Sequence[float] | npt.NDArray[Any],
        *,
        features: Columns | None = None,
        observer: Observer = silent,
    ) -> Predictor:
        """Train on labelled architectures.

        Args:
            architectures: ``n`` architectures or graphs, at least 2.
            y: ``(n,)`` finite labels, higher is better, not all equal.
            features: Further numbers by name, ``(n,)`` each (a mapping, data frame or structured array); every later
                call needs them too.
            observer: Told about progress, with the ``loss``: stage ``pre-training`` where encoders are pre-trained,
                then ``training``, whose steps are the epochs of all networks; those that a network leaves out by
                stopping early count as done.

        Raises:
            DataError: Too few labels, or labels that are not finite or all equal; a feature that is not finite.
            UsageError: An argument of the constructor that is out of its range.
            RunError: The training diverged.
        """
        self.fit_session(architectures, y, features=features, observer=observer)
        return self

    def fit_session(
        self,
        architectures: ArchLikes,
        y: Sequence[float] | npt.NDArray[Any],
        *,
        features: Columns | None = None,
        observer: Observer = silent,
    ) -> TrainingSession:
        """Train as :meth:`fit` does, and return what can go on training this predictor.

        Args:
            architectures: As for :meth:`fit`.
            y: As for :meth:`fit`.
            features: As for :meth:`fit`.
            observer: As for :meth:`fit`.

        Returns:
            The session, which holds the training set and the optimisers; the predictor itself keeps neither.
        """
        self.check()
        builder, device = self._builder(), torch_device(self.device)
        batch, labels = self._learnt(Batch.of(architectures, as_columns(features)), y)
        spec, inputs = InputSpec.fit(
            batch,
            form=builder.form,
            sources=self.sources,
            vocabulary=self.vocabulary,
            wishes=self._wishes(builder),
        )
        ensemble = builder.build(spec, device)
        builder.pretrain(ensemble, batch.space, observer)
        session = self._trained(ensemble, inputs, labels, self.training, observer)
        if self.cross_fit and bool(self.ensemble) + len(builder.choices) > 1:
            held_out = cross_fit(builder, spec, device, batch.space, inputs, labels, observer)
            if held_out is not None:
                session.weigh(held_out)
        return session

    def learns_from(self, space: SearchSpace) -> dict[str, list[str]]:
        """What labels of other spaces it would learn from in a space, before it is fitted.

        Args:
            space: The space of the training architectures.

        Returns:
            Names of these spaces, ``sources``, and of those ``left_out`` as they share cells with it; none where it
            learns from none.
        """
        wished = [source for source in self._wishes(self._builder()) if isinstance(source, ZeroShotScores)]
        return origins_of(wished[0].known.zero_shot_or_none(space) if wished else None)

    def _wishes(self, builder: EnsembleBuilder) -> list[SourceLike]:
        """Sources that single regressors read; zero-shot scores from where they are to come from, if from anywhere."""
        named: list[SourceLike] = [name for name in builder.wishes if name != ZeroShotScores.name]
        if self.transfer is False or len(named) == len(builder.wishes):
            return named
        return [*named, ZeroShotScores(file_of(self.transfer))]

    def fine_tune(
        self,
        architectures: Architectures,
        y: Sequence[float] | npt.NDArray[Any],
        *,
        features: Columns | None = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
        observer: Observer = silent,
    ) -> Predictor:
        """Go on from the fitted networks with new labels, of another task perhaps; regressors learn these labels alone.

        Args:
            architectures: As for :meth:`fit`, with the same operators.
            y: Their labels.
            features: The same further numbers as for :meth:`fit`.
            observer: As for :meth:`fit`.
            epochs: A quarter of the constructor's if left out; where no one space was learnt from, as many as make a
                hundred steps at least, since another family of networks is far away.
            learning_rate: A third of the constructor's if left out.
        """
        fitted = self._fitted()
        if isinstance(architectures, Inputs):
            inputs, labels = self._learnt(architectures, y)
        else:
            batch, labels = self._learnt(Batch.of(architectures, as_columns(features)), y)
            inputs = self.pack(batch)
        if epochs is None:
            steps = _TO_A_FAMILY if fitted.spec.space is None else 1
            epochs = max(self.training.epochs // 4, math.ceil(steps / self.training.num_batches(len(labels))))
        training = replace(
            self.training,
            epochs=epochs,
            learning_rate=self.training.learning_rate / 3 if learning_rate is None else learning_rate,
        )
        ensemble = self._builder().around(fitted.models, fitted.spec, fitted.device)
        self._trained(ensemble, inputs, labels, training, observer)
        return self

    def rows_learnt(self, count: int) -> npt.NDArray[np.int64]:
        """Which of ``count`` labelled architectures a fit learns from, in order: all of no more than
        ``training.max_labels``, else a random sample of so many. The others can judge what was learnt.
        """
        return sampled_rows(count, self.training.max_labels, int(self.seed))

    def _learnt(self, given: _Given, y: Sequence[float] | npt.NDArray[Any]) -> tuple[_Given, FloatArray]:
        """What a fit learns from, of all that was given."""
        labels = check_labels(given, y)
        rows = self.rows_learnt(len(labels))
        if len(rows) == len(labels):
            return given, labels
        warnings.warn(
            f"a random {len(rows):,} of {len(labels):,} labels are learnt from; training.max_labels says how many",
            stacklevel=4,
        )
        return given[rows], check_labels(given[rows], labels[rows])

    def _trained(
        self, ensemble: Ensemble, inputs: Inputs, labels: FloatArray, training: Training, observer: Observer
    ) -> TrainingSession:
        session = TrainingSession(ensemble, inputs, labels, training, int(self.seed))
        session.run(observer)
        self.ensemble_ = ensemble
        self.card_: dict[str, Any] = {}
        return session

    # ------------------------------------------------------------------ what was fitted

    @property
    def spec_(self) -> InputSpec:
        """The inputs that are read of an architecture."""
        return self._fitted().spec

    @property
    def space_(self) -> str | None:
        """Name of the search space it was fitted on; None for bare graphs."""
        return self.spec_.space

    @property
    def feature_names_(self) -> tuple[str, ...]:
        """Names of the further columns it was fitted with."""
        return self.spec_.features

    @property
    def recipes_(self) -> tuple[str, ...]:
        """Names of the training recipes of the labels it was fitted on; none where these do not tell."""
        source = self.spec_.source(TrainingRecipes)
        return () if source is None else source.recipes

    @property
    def recipe_(self) -> str | None:
        """Name of the recipe by which architectures are taken to be trained, where none is given with them."""
        source = self.spec_.source(TrainingRecipes)
        return None if source is None else source.stated

    def under(self, recipe: str) -> Predictor:
        """This predictor, with architectures taken to be trained by another recipe; itself it stays as it is.

        Args:
            recipe: One of :attr:`recipes_`.

        Raises:
            UsageError: It has learnt from labels without recipes.
            UnknownNameError: None of its recipes.

        Example:
            >>> from archpredict.spaces import load_space
            >>> cells, recipes = load_space("nasbench201").architectures(np.eye(6, dtype=int)), ["new", "old"] * 3
            >>> predictor = Predictor(ensemble=0, regressors={"mixed-effects": 1.0})
            >>> predictor = predictor.fit(cells, [3, 1, 4, 2, 5, 2], features={"recipe": recipes})
            >>> predictor.recipe_, predictor.under("old").recipe_
            ('new', 'old')
        """
        source, ensemble = self.spec_.source(TrainingRecipes), self._fitted()
        if source is None:
            raise UsageError("this predictor has learnt from labels without the names of recipes; leave the recipe out")
        found = copy(self)
        found.ensemble_ = ensemble.reading(ensemble.spec.with_source(source.under(recipe)))
        return found

    @property
    def transfer_(self) -> dict[str, list[str]]:
        """Names of the spaces whose labels it has learnt from too, ``sources``, and those ``left_out`` as its own."""
        source = self.spec_.source(ZeroShotScores)
        return origins_of(None if source is None else source.scores)

    @property
    def num_labels_(self) -> int:
        """Labels it was fitted on."""
        return self._fitted().num_labels

    @property
    def mean_label_(self) -> float:
        """The mean of the labels that it was fitted on."""
        return self._fitted().mean_label

    @property
    def label_range_(self) -> tuple[float, float]:
        """The smallest and the largest label it was fitted on; scores beyond are told by their order alone."""
        low, *_, high = self._fitted().calibration.labels.tolist()
        return low, high

    @property
    def held_out_error_(self) -> float | None:
        """Root mean square error on labels that its parts had not seen; None where they were not weighed by such."""
        ensemble = self._fitted()
        error = float(ensemble.calibration.margin)
        return None if ensemble.weighing is None or np.isinf(error) else error

    @property
    def has_std(self) -> bool:
        """Whether it knows standard deviations: with more than one member, or one that knows its uncertainty."""
        if "ensemble_" in self.__dict__:
            return self.ensemble_.has_std
        return self.ensemble + len(self.regressors or {}) > 1

    @property
    def has_novelty(self) -> bool:
        """Whether :meth:`novelty` works: numbers are read beside the graph."""
        return self._fitted().novelty is not None

    # ------------------------------------------------------------------ predicting

    @overload
    def predict(
        self, architectures: Architectures, features: Columns | None = None, return_std: Literal[False] = False
    ) -> FloatArray: ...

    @overload
    def predict(
        self, architectures: Architectures, features: Columns | None = None, *, return_std: Literal[True]
    ) -> tuple[FloatArray, FloatArray]: ...

    def predict(self, architectures: Architectures, features: Columns | None = None, return_std: bool = False) -> Any:
        """Predicted scores on the labels' scale, ``(n,)``; higher is better.

        Args:
            architectures: ``n`` architectures or graphs.
            features: The columns that it was fitted with.
            return_std: Also return the standard deviations of :meth:`predict_std`, from the same encodings.

        Raises:
            UsageError: Standard deviations of a single network are asked for.
        """
        if return_std:
            self._check_std()
            return self._fitted().predict_both(self.pack(architectures, features))
        return self._fitted().predict(self.pack(architectures, features))

    def predict_std(self, architectures: Architectures, features: Columns | None = None) -> FloatArray:
        """Standard deviation of the predictions, ``(n,)``, on the labels' scale.

        That of the members' predictions, to which members that know their own uncertainty (Gaussian process, forests)
        add it: the spread of the mixture that they form.

        Raises:
            UsageError: The predictor is a single network.
        """
        return self.predict(architectures, features, return_std=True)[1]

    def _check_std(self) -> None:
        self._fitted()
        if not self.has_std:
            raise UsageError(
                "a standard deviation (predict_std) needs an ensemble; fit the predictor with ensemble=2 or more"
            )

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

    def novelty(self, architectures: Architectures, features: Columns | None = None) -> FloatArray:
        """Novelty ``(n,)``: how unlike the training set architectures are; above 1, their scores are a guess.

        Distances in the numbers that it reads beside the graph
        (:class:`archpredict.predict.ensemble.novelty.Novelty`): of architectures like the training set about one in a
        hundred is above 1.

        Raises:
            UsageError: It reads the graph alone.

        Example:
            >>> from archpredict.spaces import load_space
            >>> cells = load_space("nasbench201").architectures(np.eye(6, dtype=int))
            >>> alike = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, range(6))
            >>> alike.novelty(load_space("nasbench201").architectures(np.full((1, 6), 3))) > 1
            array([ True])
        """
        return self._fitted().distance(self.pack(architectures, features))

    def rank(self, architectures: Architectures, features: Columns | None = None) -> npt.NDArray[np.int64]:
        """Indices of the architectures, best first. Each is encoded once; equal scores keep their order."""
        latent = self._fitted().latent(self.pack(architectures, features))
        # Isomorphic architectures differ by rounding, which must not decide their order.
        return np.argsort(-np.round(latent, 5), kind="stable")

    def compare(
        self,
        a: ArchLike | Architectures,
        b: ArchLike | Architectures | None = None,
        features: Columns | None = None,
        other_features: Columns | None = None,
    ) -> Any:
        """Probability that ``a`` is better than ``b``.

        Args:
            a: An architecture, or a sequence of ``n``.
            b: An architecture, or a sequence of ``m``; ``a`` itself if left out.
            features: The columns that it was fitted with, of ``a``; of one architecture they may be plain numbers.
            other_features: Those of ``b``.

        Returns:
            A float for two architectures, an ``(n, m)`` array for sequences.
        """
        first = self.encode(self.pack_side(a, features))
        second = first if b is None else self.encode(self.pack_side(b, other_features))
        p = self.compare_encoded(first, second)
        return float(p[0, 0]) if is_one(a) and is_one(b) else p

    def score(
        self, architectures: Architectures, y: Sequence[float] | npt.NDArray[Any], features: Columns | None = None
    ) -> float:
        """Kendall's tau-b between predictions and labels (the figure scikit-learn's model selection maximises)."""
        carried = isinstance(architectures, Inputs) or (isinstance(architectures, Batch) and architectures.features)
        if features is None and self.feature_names_ and not carried:
            raise DataError(
                f"this predictor was fitted with the features {', '.join(self.feature_names_)}, which are missing; "
                "give features, or to scikit-learn, which hands `params` on to fit alone, "
                "Batch.of(architectures, features) in place of the architectures"
            )
        return kendall_tau(np.asarray(y, dtype=float), self.predict(architectures, features))

    def pack(self, architectures: Architectures, features: Columns | None = None) -> Inputs:
        """Architectures as this predictor reads them, for :meth:`encode`; any method takes them too."""
        return self._fitted().spec.pack(architectures, as_columns(features))

    def pack_side(self, side: ArchLike | Architectures, features: Columns | None = None) -> Inputs:
        """One side of :meth:`compare`, packed: one architecture with plain numbers, or a sequence."""
        if not isinstance(side, (Architecture, ArchGraph)):
            return self.pack(side, features)
        columns = as_columns(features)
        return self.pack([side], columns and {name: np.atleast_1d(value) for name, value in columns.items()})

    def encode(self, inputs: Inputs) -> list[Tensor]:
        """Each network's encodings ``(n, D)`` of packed architectures, then the numbers that regressors read."""
        return self._fitted().encode(inputs)

    def compare_encoded(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> FloatArray:
        """Probability ``(n, m)`` that the first are better, from what :meth:`encode` gave for both."""
        return self._fitted().compare(a, b)

    # ------------------------------------------------------------------ parts

    def _builder(self) -> EnsembleBuilder:
        return EnsembleBuilder(self.encoder, self.head, self.training, self.ensemble, self.regressors, self.seed)

    def _fitted(self) -> Ensemble:
        if "ensemble_" not in self.__dict__:
            raise NotFittedError(
                "this predictor has not been fitted; call fit(architectures, y) or Predictor.load first"
            )
        return self.ensemble_

    # ------------------------------------------------------------------ saving

    def save(self, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
        """Write the fitted predictor into a folder: ``weights.safetensors``, ``predictor.json``, no pickle.

        A ``README.md`` tells people what it is, in the form of the Hugging Face hub's model cards; one that someone has
        written stays as it is.

        Args:
            path: Folder, made if it is not there.
            card: What users should know, kept as ``card`` (data hash, protocol, held-out figures; ``license``, such as
                ``"apache-2.0"``); ``card_`` if left out.

        Raises:
            NotFittedError: There is nothing to save.
            UsageError: An option that JSON cannot hold.
            RunError: It cannot be written; a predictor that was there is there still.
        """
        stored = self._stored(card)
        with saving(Path(path)) as folder:
            write(folder, stored)
            write_model_card(folder, Path(path), stored)

    def _stored(self, card: Mapping[str, Any] | None = None) -> StoredPredictor:
        values, tensors = self._fitted().state()
        # A pre-trained encoder is saved as what it is: its folder may be gone when this is loaded.
        params = arguments_to_json({**self.get_params(deep=False), "encoder": self._builder().encoder})
        return StoredPredictor(params, values, dict(self.card_ if card is None else card), tensors)

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str = "auto",
        *,
        encoder: str | type[Encoder] | None = None,
        head: str | type[Head] | None = None,
        regressors: Sequence[type[Regressor]] = (),
    ) -> Predictor:
        """Load a saved predictor from its folder, or one that ships with the package by its name.

        Args:
            path: Folder written by :meth:`save`, or a shipped name such as ``"darts-cifar10"``.
            device: Where to predict: ``auto``, ``cpu`` or ``cuda``.
            encoder: The class of the encoder, where it is someone's own; code that a file names is never imported.
            head: The class of the head, likewise.
            regressors: Classes of regressors of someone's own.

        Raises:
            UnknownNameError: Neither a folder nor a shipped name.
            DataError: The folder does not hold a valid predictor, or one with a class that is not handed over.
        """
        folder, where = located(path), torch_device(device)
        classes = {"encoder": encoder, "head": head, "regressors": {kind.name: kind for kind in regressors}}
        try:
            stored = read(folder)
            check_params(stored.params, stored.fitted["spec"]["num_cells"])
            predictor = cls(**{**arguments_from_json(stored.params, classes), "device": device})
            return predictor._restored(stored, where)
        except Exception as error:  # whatever a damaged or hostile file provokes
            raise DataError(f"{folder} does not hold a valid predictor: {damage(error)}") from error

    def _restored(self, stored: StoredPredictor, where: torch.device) -> Predictor:
        builder, spec = self._builder(), InputSpec.from_dict(stored.fitted["spec"])
        if builder.encoder is not None and builder.form != spec.form:
            raise ValueError(f"its encoder does not read graphs in the form {spec.form!r}")
        check_state(stored.fitted, stored.weights, builder.ensemble, len(builder.choices), spec.num_shared)
        ensemble = builder.hollow(spec, where)  # shapes are compared before anything is allocated
        ensemble.restore(stored.fitted, stored.weights)
        self.ensemble_, self.card_ = ensemble, stored.card
        return self
