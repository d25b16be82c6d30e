"""Ranker: the protocol of whatever ranks architectures, predictors and adapted predictors alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, overload

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.predict._data import Architectures, Columns
from archpredict.predict.batch import ArchLike
from archpredict.predict.inputs import Inputs, InputSpec

__all__ = ["Ranker"]


class Ranker(Protocol):
    """A ranker: predicts scores of architectures, and what follows from them; higher is better.

    ``features`` are the further columns that it was fitted with (a mapping, a structured array or a data frame).
    """

    card_: dict[str, Any]
    """What users should know."""

    @property
    def space_(self) -> str | None:
        """Name of the search space it was fitted on; None for bare graphs."""

    @property
    def feature_names_(self) -> tuple[str, ...]:
        """Names of the further columns it was fitted with."""

    @property
    def spec_(self) -> InputSpec:
        """The inputs that are read of an architecture."""

    @property
    def has_std(self) -> bool:
        """Whether it knows standard deviations."""

    @property
    def has_novelty(self) -> bool:
        """Whether :meth:`novelty` works."""

    @overload
    def predict(
        self, architectures: Architectures, features: Columns | None = None, return_std: Literal[False] = False
    ) -> FloatArray: ...

    @overload
    def predict(
        self, architectures: Architectures, features: Columns | None = None, *, return_std: Literal[True]
    ) -> tuple[FloatArray, FloatArray]: ...

    def predict(self, architectures: Architectures, features: Columns | None = None, return_std: bool = False) -> Any:
        """Predicted scores ``(n,)``, with ``return_std`` also their standard deviations."""

    def predict_std(self, architectures: Architectures, features: Columns | None = None) -> FloatArray:
        """Standard deviations of the predictions, ``(n,)``."""

    def pack(self, architectures: Architectures, features: Columns | None = None) -> Inputs:
        """Architectures as they are read; any method takes them too."""

    def rank(self, architectures: Architectures, features: Columns | None = None) -> npt.NDArray[np.int64]:
        """Indices of the architectures, best first."""

    def compare(
        self,
        a: ArchLike | Architectures,
        b: ArchLike | Architectures | None = None,
        features: Columns | None = None,
        other_features: Columns | None = None,
    ) -> Any:
        """Probability that ``a`` is better than ``b``: a float for two, ``(n, m)`` for sequences."""

    def score(
        self, architectures: Architectures, y: Sequence[float] | npt.NDArray[Any], features: Columns | None = None
    ) -> float:
        """Kendall's tau-b between predictions and labels."""

    def novelty(self, architectures: Architectures, features: Columns | None = None) -> FloatArray:
        """Novelty ``(n,)``: how unlike the training set architectures are; above 1 is novel."""

    def save(self, path: str | Path, card: Mapping[str, Any] | None = None) -> None:
        """Write it into a folder."""
