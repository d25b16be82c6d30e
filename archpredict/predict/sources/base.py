"""Source: numbers of an architecture as a whole, which predictors read beside its graph or in place of it.

A source is one file in ``archpredict/predict/sources``. Other distributions join through the entry-point group
``archpredict.predict.sources``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from archpredict import registry
from archpredict._typing import FloatArray
from archpredict.errors import UnknownNameError, UsageError
from archpredict.graph.packed import PackedGraphs
from archpredict.predict.batch import Batch

__all__ = ["FloatArray", "Source", "SourceLike", "as_sources", "source_class", "source_names"]

_KIND = "predict.sources"


class Source(ABC):
    """Numbers of an architecture as a whole: ``fit(batch)``, then ``(B, F)`` of any batch.

    A source is a value: fitting gives a new one and leaves it as it is, so that it can be an argument of a predictor.
    Isomorphic graphs get equal numbers, up to rounding. Columns are saved by their names: a later version may compute
    more of them, in another order.

    Most sources write :meth:`fit`, :meth:`__call__`, :attr:`names`, and :meth:`to_dict` with :meth:`from_dict` where
    they have anything to keep. What is quickly computed from packed graphs, and takes much memory for many of them,
    is better left until it is asked for: set :attr:`needs_nodes` and write :meth:`read` and :meth:`finish`.
    """

    name: ClassVar[str]
    """What users write."""

    needs_nodes: ClassVar[bool] = False
    """Whether :meth:`finish` reads the packed graphs."""

    reads_networks: ClassVar[bool] = False
    """Whether it reads computational graphs (:meth:`Batch.networks`); the vocabulary of bare ones is always
    :data:`archpredict.graph.operators.OPERATORS`."""

    is_standardised: ClassVar[bool] = False
    """Whether its numbers have a scale of their own, on which they are read as they are, far ones too; others get mean
    0 and spread 1 on the training set and end at 4."""

    reads_columns: ClassVar[tuple[str, ...]] = ()
    """Names of the user's columns that it reads, which the source ``features`` then leaves to it."""

    def can_read(self, batch: Batch) -> bool:
        """Whether it has numbers of such architectures; where not, members that may do without it do without it."""
        return True

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""

    @abstractmethod
    def fit(self, batch: Batch) -> Self:
        """This source, fixed on the architectures that a predictor is fitted on."""

    @abstractmethod
    def __call__(self, batch: Batch) -> FloatArray:
        """Raw numbers, ``(B, F)``, all finite; standardising is left to others."""

    def read(self, batch: Batch) -> FloatArray:
        """What :meth:`finish` needs beside the packed graphs, ``(B, K)``; here all numbers."""
        return self(batch)

    def finish(self, nodes: PackedGraphs, read: FloatArray) -> npt.NDArray[np.floating[Any]]:
        """All numbers, ``(B, F)``, in any precision.

        Args:
            nodes: The graphs with operations on nodes.
            read: ``(B, K)`` what :meth:`read` gave for the same architectures.
        """
        return read

    def mismatch(self, vocabulary: tuple[str, ...], num_cells: int) -> str | None:
        """Why the fitted source does not go with graphs of this vocabulary and number of cells; None if it does."""
        return None

    # ------------------------------------------------------------------ saving

    def to_dict(self) -> dict[str, Any]:
        """The fitted source as plain JSON; names of columns are saved without being asked for."""
        return {}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read :meth:`to_dict`'s result.

        Raises:
            ValueError: It does not hold together.
        """
        return cls()


SourceLike = str | Source | type[Source]
"""A source, or its name or class where it needs no arguments."""


def source_names() -> list[str]:
    """Names of all sources.

    Example:
        >>> source_names()[:5]
        ['choices', 'features', 'network', 'ordered', 'paths']
    """
    return registry.names(_KIND)


def source_class(name: str) -> type[Source]:
    """The class of a source.

    Raises:
        UnknownNameError: There is none of this name.
    """
    if ":" not in name and name.replace("_", "-") not in source_names():
        raise UnknownNameError("source", name, source_names(), "Or give a Source object.")
    found: type[Source] = registry.resolve(_KIND, name, Source)
    return found


def as_sources(given: Sequence[SourceLike]) -> tuple[Source, ...]:
    """Sources of what a user named or gave.

    Raises:
        UnknownNameError: There is no source of a name.
        UsageError: A source is given twice, or something else than sources.

    Example:
        >>> [source.name for source in as_sources(["statistics", "choices"])]
        ['statistics', 'choices']
    """
    if isinstance(given, str):
        raise UsageError(f"sources are a sequence of names or Source objects; write ({given!r},)")
    sources = tuple(map(_as_source, given))
    names = [source.name for source in sources]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"the source {twice[0]!r} is given {names.count(twice[0])} times; give each once")
    return sources


def _as_source(given: SourceLike) -> Source:
    if isinstance(given, Source):
        return given
    made = source_class(given) if isinstance(given, str) else given
    if not (isinstance(made, type) and issubclass(made, Source)):
        raise UsageError(f"a source is a name, a Source or its class; {given!r} was given")
    return made()
