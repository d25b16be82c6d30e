"""Regressor: from the numbers known of an architecture to its score (one file each)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray, IntArray

__all__ = ["Regressor", "check_arrays", "sampled_rows"]

Values = Mapping[str, Any]
Arrays = Mapping[str, npt.NDArray[Any]]


class Regressor(ABC):
    """A regressor: from numbers of architectures, ``(B, F)``, to their scores.

    Every regressor's constructor takes ``seed`` first, then options with defaults. It is saved as JSON values and
    arrays, which say all that it has learnt: no pickle.
    """

    name: ClassVar[str]

    head_start: ClassVar[float] = 0.0
    """How many labels' worth it knows before it has seen any: from ``n`` labels its weight beside others is taken for
    ``1 + head_start / n`` times as large, before labels that it has not seen weigh it."""

    sources: tuple[str, ...] = ()
    """Names of sources that it reads beside those that all members read, as far as there are such numbers."""

    def name_columns(self, names: Sequence[str]) -> None:  # noqa: B027  # most need not know
        """Be told, before :meth:`fit`, what the ``F`` numbers are: ``source: column`` each."""

    @abstractmethod
    def fit(self, x: FloatArray, y: FloatArray) -> None:
        """Learn.

        Args:
            x: ``(n, F)`` standardised numbers.
            y: ``(n,)`` labels, mean 0 and standard deviation about 1.
        """

    @abstractmethod
    def predict(self, x: FloatArray) -> FloatArray:
        """``(G,)`` predicted labels of ``(G, F)`` numbers."""

    def std(self, x: FloatArray) -> FloatArray | None:
        """``(G,)`` standard deviations of the predictions; None where it knows none."""
        return None

    def predict_both(self, x: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """:meth:`predict` and :meth:`std`, for those that find them together in less time."""
        return self.predict(x), self.std(x)

    @abstractmethod
    def state(self) -> tuple[Values, Arrays]:
        """The fitted state: JSON values, and arrays by name."""

    @abstractmethod
    def restore(self, values: Values, arrays: Arrays, columns: int) -> None:
        """Take over what :meth:`state` gave, to predict the same; it may come from a stranger.

        Args:
            values: As JSON gives them back.
            arrays: All of them finite.
            columns: ``F``, how many numbers there will be for each architecture.

        Raises:
            ValueError: They are not the state of such a regressor on so many numbers.
        """


def sampled_rows(count: int, most: int | None, seed: int) -> IntArray:
    """Which of ``count`` labels are learnt from: all, or where these are more than ``most`` a random sample, in order.

    Example:
        >>> sampled_rows(3, None, seed=0).tolist(), sampled_rows(1_000, 4, seed=0).tolist()
        ([0, 1, 2], [162, 206, 222, 459])
    """
    if most is None or count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def check_arrays(arrays: Arrays, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that arrays are floating-point, with these names and shapes.

    Raises:
        ValueError: They are not.
    """
    given = {name: array.shape for name, array in arrays.items() if array.dtype.kind == "f"}
    if given != dict(shapes) or len(given) != len(arrays):
        found = {name: f"{array.shape} of {array.dtype}" for name, array in sorted(arrays.items())}
        raise ValueError(f"arrays of floating-point numbers {dict(shapes)} were expected, {found} is given")
