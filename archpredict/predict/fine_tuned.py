"""FineTuned: a predictor that begins each fit with one that has learnt from other labels."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy.typing as npt
from sklearn.base import BaseEstimator

from archpredict._typing import FloatArray
from archpredict.errors import NotFittedError
from archpredict.predict._data import Architectures, Columns
from archpredict.predict.batch import ArchLikes
from archpredict.predict.predictor import Predictor
from archpredict.progress import Observer, silent

__all__ = ["FineTuned"]


class FineTuned(BaseEstimator):  # type: ignore[misc]
    """A fine-tuned predictor: each fit goes on from the same fitted one, which stays as it is.

    Where a predictor is fitted again and again, as in the rounds of
    :class:`archpredict.strategies.predictor_guided.PredictorGuided`, this one is fine-tuned
    (:meth:`Predictor.fine_tune <archpredict.predict.predictor.Predictor.fine_tune>`) from where other families of
    networks have left it.

    Args:
        origin: A fitted predictor, the folder of a saved one, or the name of a shipped one.
        epochs: See :meth:`Predictor.fine_tune`.
        learning_rate: See :meth:`Predictor.fine_tune`.
        seed: Of batches and dropout; that of the origin if left out.

    Raises:
        DataError: The folder does not hold a valid predictor.
        UnknownNameError: Neither a folder nor a shipped name.

    Example:
        >>> import numpy as np
        >>> from archpredict.spaces import load_space
        >>> cells = load_space("nasbench201").architectures(np.eye(6, dtype=int))
        >>> origin = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, range(6))
        >>> FineTuned(origin).fit(cells[:3], [2.0, 1.0, 0.0]).predict(cells[:3]).argmax()
        np.int64(0)
    """

    def __init__(
        self,
        origin: Predictor | str | Path,
        *,
        epochs: int | None = None,
        learning_rate: float | None = None,
        seed: int | None = None,
    ) -> None:
        self.origin = origin
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.seed = seed

    def __sklearn_clone__(self) -> FineTuned:
        return FineTuned(**self.get_params(deep=False))  # with an origin that is fitted still

    def check(self) -> FineTuned:
        """Check that there is something to begin with; nothing is trained."""
        self._begun()
        return self

    def fit(
        self,
        architectures: ArchLikes,
        y: Sequence[float] | npt.NDArray[Any],
        *,
        features: Columns | None = None,
        observer: Observer = silent,
    ) -> FineTuned:
        """Fine-tune a copy of the origin; arguments as for :meth:`Predictor.fit`."""
        predictor = self._begun()
        if self.seed is not None:
            predictor.set_params(seed=self.seed)
        self.predictor_ = predictor.fine_tune(
            architectures,
            y,
            features=features,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            observer=observer,
        )
        return self

    @property
    def has_std(self) -> bool:
        """Whether the fitted copy knows standard deviations."""
        return self._fitted().has_std

    def predict(self, architectures: Architectures, features: Columns | None = None) -> FloatArray:
        """Predicted scores on the scale of the labels, ``(n,)``."""
        return self._fitted().predict(architectures, features)

    def predict_std(self, architectures: Architectures, features: Columns | None = None) -> FloatArray:
        """Standard deviations, ``(n,)``, where the origin has them."""
        return self._fitted().predict_std(architectures, features)

    def _begun(self) -> Predictor:
        """The origin, or rather its copy."""
        return deepcopy(self.origin) if isinstance(self.origin, Predictor) else Predictor.load(self.origin)

    def _fitted(self) -> Predictor:
        if "predictor_" not in self.__dict__:
            raise NotFittedError("this predictor has not been fitted; call fit(architectures, y) first")
        return self.predictor_
