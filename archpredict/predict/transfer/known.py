"""KnownSpace: a space that labels were learnt from, and how to tell that another one is related to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.errors import DataError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.predict.batch import Batch
from archpredict.predict.transfer.moments import Moments, numbers_of
from archpredict.spaces.base import Architecture, SearchSpace

__all__ = ["KnownSpace", "Sample"]

Marks = npt.NDArray[np.uint64]

_SEED = 0
_LEAST_NODES = 4
"""Nodes of a graph that is the same in two spaces only if they share cells."""
_COMPARED = 256
"""Architectures of a sample whose networks are compared, as their keys take longer than their numbers."""
_NEAR = 0.25
"""Distance of mean networks below which two spaces are one: two samples of a benchmark are at most 0.015 apart, other
image sizes 0.1, and the nearest two benchmarks 0.6."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Unlabelled architectures of a space.

    Args:
        space: The space.
        moments: Of the numbers of its networks.
        cells: Marks of their graphs, equal for isomorphic ones.
        networks: Marks of their networks.
    """

    space: SearchSpace
    moments: Moments
    cells: Marks
    networks: Marks

    @classmethod
    def draw(cls, space: SearchSpace, count: int) -> Sample:
        """A random sample, the same each time.

        Raises:
            UsageError: The space does not define its networks.
            DataError: It has one architecture alone.
        """
        rows = np.unique(space.sample(count, np.random.default_rng(_SEED)), axis=0)
        if len(rows) < 2:
            raise DataError(
                f"the space {space.name} has one architecture alone, beside which there is none to score it; give "
                "a space with several"
            )
        return cls.of(space, space.architectures(rows))

    @classmethod
    def of(
        cls, space: SearchSpace, architectures: Sequence[Architecture], labels: npt.ArrayLike | None = None
    ) -> Sample:
        """The sample of given architectures, of which ``labels`` may say more."""
        batch = Batch.of(architectures)
        moments = Moments.of(numbers_of(batch), labels)
        networks = Batch.of(architectures[:_COMPARED]).networks("transfer reads networks")
        return cls(space, moments, marks(a.graph for a in architectures), marks(networks))


@dataclass(frozen=True, eq=False)
class KnownSpace:
    """A space of which architectures are known, with labels or without.

    Args:
        name: Of the space.
        classes: Full names of its class and of those it derives from, but for archpredict's own base.
        operators: Labels of its graphs, sorted.
        moments: Of the numbers of its networks, and of labels where there are any.
        cells: ``(K,)`` marks of the graphs that are known, sorted.
        networks: ``(K,)`` marks of their networks, sorted.
        about: Where the labels are from and under which licence.
    """

    name: str
    classes: tuple[str, ...]
    operators: tuple[str, ...]
    moments: Moments
    cells: Marks
    networks: Marks
    about: str = ""

    @classmethod
    def of(cls, sample: Sample, about: str = "") -> KnownSpace:
        """What is kept of a sample."""
        space = sample.space
        return cls(
            space.name, classes_of(space), tuple(space.operators), sample.moments, sample.cells, sample.networks, about
        )

    @property
    def has_labels(self) -> bool:
        """Whether anything can be learnt from it."""
        return self.moments.of_labels is not None

    def is_related(self, sample: Sample, width: FloatArray) -> bool:
        """Whether a space is this one or shares its cells, so that labels of this one would be labels of its own.

        It is if the name or a class is the same, if it has the same operators, if a graph or a network is the same, or
        if the networks of both are alike on average.

        Args:
            sample: Of the space.
            width: ``(F,)`` what is a unit of distance for each number.
        """
        space = sample.space
        return (
            space.name == self.name
            or bool(set(classes_of(space)) & set(self.classes))
            or set(space.operators) == set(self.operators)
            or bool(np.isin(sample.cells, self.cells).any() or np.isin(sample.networks, self.networks).any())
            or distance(sample.moments, self.moments, width) < _NEAR
        )


def distance(a: Moments, b: Moments, width: FloatArray) -> float:
    """Root of the mean squared difference between the means of two spaces, in units of ``(F,)`` ``width``."""
    return float(np.sqrt((((a.mean - b.mean) / width) ** 2).mean()))


def classes_of(space: SearchSpace) -> tuple[str, ...]:
    """Full names of a space's class and its bases, but for those that every space has."""
    bases = type(space).__mro__
    own = [kind for kind in bases if issubclass(kind, SearchSpace) and kind is not SearchSpace]
    return tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in own)


def marks(graphs: Iterable[ArchGraph]) -> Marks:
    """The first 64 bits of the graphs' keys, sorted, each once; graphs that are next to nothing have none."""
    keys = [int(graph.key[:16], 16) for graph in graphs if graph.num_nodes >= _LEAST_NODES]
    return np.unique(np.array(keys, dtype=np.uint64))
