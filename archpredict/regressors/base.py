"""Regressor: from the numbers known of an architecture to its score (one file each)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class Regressor(ABC):
    """Every regressor's constructor takes ``seed`` first, then options with defaults.

    It is saved as its training set, its options and :meth:`found`, and fitted anew when it is loaded: no pickle.
    """

    name: ClassVar[str]

    @abstractmethod
    def fit(self, x: FloatArray, y: FloatArray, found: dict[str, Any] | None = None) -> None:
        """Learn.

        Args:
            x: ``(n, F)`` standardised numbers.
            y: ``(n,)`` labels, mean 0 and standard deviation about 1.
            found: What :meth:`found` gave after an earlier fit on the same data; nothing is searched for again.
        """

    @abstractmethod
    def predict(self, x: FloatArray) -> FloatArray:
        """``(G,)`` predicted labels of ``(G, F)`` numbers."""

    def std(self, x: FloatArray) -> FloatArray | None:
        """``(G,)`` standard deviations of the predictions; None where it knows none."""
        return None

    def found(self) -> dict[str, Any]:
        """What fitting has searched for, as JSON values."""
        return {}
