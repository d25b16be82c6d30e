"""Batch: the architectures of one call, made once where they come in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray, IntArray
from archpredict.errors import DataError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import COLUMNS, UNKNOWN, with_known_operators
from archpredict.graph.packed import PackedGraphs
from archpredict.graph.packed_on_nodes import packed_on_nodes
from archpredict.spaces.base import Architecture, Choices, SearchSpace, load_space

__all__ = ["ArchLike", "ArchLikes", "Batch", "Features", "choice_labels", "choices_in"]

ArchLike = Architecture | ArchGraph
"""One architecture, in any form that stands for one, as ``ArrayLike`` stands for an array."""

Features = Mapping[str, Sequence[float] | npt.NDArray[Any]]
"""Columns of the user's own, one number per architecture each, by name; a pandas DataFrame will do."""

_MOST_OPTIONS = 100_000
_EXPECTED = (
    "a predictor takes Architecture or ArchGraph objects in a list, tuple, NumPy object array or pandas Series, or "
    "PackedGraphs"
)


@dataclass(frozen=True)
class _Kind:
    """A kind of :data:`ArchLike`, and what each of it tells."""

    graph: Callable[[Any], ArchGraph]
    network: Callable[[Any], ArchGraph]
    origin: Callable[[Any], tuple[SearchSpace, Choices] | None]


def _network(architecture: Architecture) -> ArchGraph:
    """The computational graph of an architecture; there are spaces that decode to these."""
    if COLUMNS.keys() <= architecture.graph.attrs.keys():
        return architecture.graph
    return architecture.space.network(architecture.choices)


_KINDS: Mapping[type, _Kind] = {
    Architecture: _Kind(attrgetter("graph"), _network, attrgetter("space", "choices")),
    ArchGraph: _Kind(lambda graph: graph, lambda graph: graph, lambda graph: None),
}


@dataclass(frozen=True, eq=False)
class Batch:
    """``B`` architectures, with all that number sources and encoders read of them, each computed once.

    Made by :meth:`of`, which decides what kind of thing was given; nothing behind it asks again. Architectures and the
    user's columns are indexed together, as scikit-learn does to split them:
    ``cross_val_score(predictor, Batch.of(cells, {"synflow": scores}), labels)``.

    Args:
        size: ``B``.
        vocabulary: Operator labels that the graphs are packed with; those of graphs and spaces if left out. Where
            ``unknown`` is among them, an operator that is not counts as unknown.
        num_cells: Cells per graph; the largest number found if left out.
        features: The user's columns.
        as_networks: Whether its graphs are computational graphs: those that were given, and of architectures of a
            space what its ``network()`` makes of them.

    Example:
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> batch = Batch.of([space.architecture([3, 0, 0, 1, 0, 3]), space.architecture([3] * 6)])
        >>> batch.space.name, batch.choices("an example reads choices").shape, len(batch.nodes)
        ('nasbench201', (2, 6), 2)
    """

    size: int
    vocabulary: tuple[str, ...] | None = None
    num_cells: int | None = None
    features: Features = field(default_factory=dict)
    as_networks: bool = False
    _members: Sequence[ArchLike] = ()
    _kinds: Mapping[type, _Kind] = field(default_factory=dict)
    _packed: PackedGraphs | None = None
    _choices: tuple[SearchSpace, IntArray] | None = None
    _made: list[ArchGraph] = field(default_factory=list)
    """The networks, once they are made; copies with another vocabulary share them."""

    @classmethod
    def of(
        cls,
        architectures: ArchLikes,
        features: Features | None = None,
        *,
        vocabulary: Sequence[str] | None = None,
        num_cells: int | None = None,
        as_networks: bool = False,
    ) -> Batch:
        """The batch of what a user gave.

        Args:
            architectures: ``B`` :data:`ArchLike` in a list, tuple, NumPy object array, pandas Series or the like;
                graphs that are packed already; or a batch.
            features: The user's columns, ``(B,)`` each.
            vocabulary: See :class:`Batch`.
            num_cells: See :class:`Batch`.
            as_networks: See :class:`Batch`.

        Raises:
            UsageError: Anything else.
        """
        labels = None if vocabulary is None else tuple(vocabulary)
        columns = {} if features is None else _columns(features)
        if isinstance(architectures, Batch):
            columns = columns or dict(architectures.features)
            return replace(
                architectures, vocabulary=labels, num_cells=num_cells, features=columns, as_networks=as_networks
            )
        if isinstance(architectures, PackedGraphs):
            return cls(len(architectures), labels, num_cells, columns, as_networks, _packed=architectures)
        members = _listed(architectures)
        return cls(len(members), labels, num_cells, columns, as_networks, members, _kinds_of(members))

    @classmethod
    def of_packed(cls, graphs: PackedGraphs, space: str | type[SearchSpace] | SearchSpace, choices: IntArray) -> Batch:
        """The batch of packed graphs whose choices in a search space are known as well.

        Args:
            graphs: ``B`` graphs.
            space: Their space.
            choices: ``(B, L)`` legal rows.

        Raises:
            UsageError: Choices of other architectures, or of another space.
        """
        space = load_space(space)
        if np.shape(choices) != (len(graphs), space.num_decisions):
            raise UsageError(
                f"the choices of {len(graphs)} graphs of the space {space.name} have the shape "
                f"({len(graphs)}, {space.num_decisions}), {np.shape(choices)} was given"
            )
        return cls(len(graphs), _packed=graphs, _choices=(space, np.asarray(choices, dtype=np.int64)))

    def __len__(self) -> int:
        return self.size

    @property
    def shape(self) -> tuple[int]:
        """``(B,)``, by which scikit-learn knows what can be indexed like an array."""
        return (self.size,)

    def __getitem__(self, index: Any) -> Batch:
        """The batch of some of the architectures and their columns.

        Args:
            index: An integer, a slice, or an array of integers or truth values; ``(index, ...)`` means the same.
        """
        rows = np.atleast_1d(np.arange(self.size)[index])
        return replace(
            self,
            size=len(rows),
            features={name: np.asarray(column)[rows] for name, column in self.features.items()},
            _members=[self._members[i] for i in rows.tolist()] if self._packed is None else (),
            _packed=None if self._packed is None else self._packed[rows],
            _choices=None if self._choices is None else (self._choices[0], self._choices[1][rows]),
            _made=[self._made[i] for i in rows.tolist()] if self._made else [],
        )

    # ------------------------------------------------------------------ graphs

    @cached_property
    def given_graphs(self) -> list[ArchGraph]:
        """The graphs as they were given, or their networks; none of packed ones."""
        if self.as_networks:
            if not self._made:
                self._made.extend(self._kinds[type(member)].network(member) for member in self._members)
            return self._made
        return [self._kinds[type(member)].graph(member) for member in self._members]

    @property
    def packed(self) -> PackedGraphs | None:
        """The packed graphs that were given, None for other architectures."""
        return self._packed

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The vocabulary, or where none is given the operator labels of the graphs and their spaces, sorted."""
        if self.vocabulary is not None:
            return self.vocabulary
        if self._packed is not None:
            return self._packed.vocabulary
        labels: set[str] = set()
        for space in self._spaces:
            labels.update(space.operators)
        for graph in self.given_graphs if self._packed_by_space is None else ():
            labels.update(graph.ops, graph.edge_ops or ())
        return tuple(sorted(labels))

    @cached_property
    def most_cells(self) -> int:
        """The number of cells, or where none is given the largest among the graphs."""
        if self.num_cells is not None:
            return self.num_cells
        if self._packed is not None:
            return self._packed.num_cells
        if self._packed_by_space is not None:
            return self._packed_by_space.num_cells
        return max((graph.num_cells for graph in self.given_graphs), default=1)

    @cached_property
    def nodes(self) -> PackedGraphs:
        """The graphs with operations on nodes, packed."""
        if self._packed is not None:
            return self._packed
        if self._packed_by_space is not None:
            return self._relabelled(packed_on_nodes(self._packed_by_space))
        return self._pack([graph.on_nodes for graph in self._known_graphs])

    @cached_property
    def native(self) -> PackedGraphs:
        """The graphs as they are, packed."""
        if self._packed is not None:
            return self._packed
        if self._packed_by_space is not None:
            return self._relabelled(self._packed_by_space)
        return self._pack(self._known_graphs)

    @cached_property
    def _packed_by_space(self) -> PackedGraphs | None:
        """The graphs as their space packs them all at once; None where each is decoded."""
        if self.as_networks or self._packed is not None or not self.size:
            return None
        return None if self.space is None or not self.space.packs_quickly else self.space.pack(self._rows)

    def graphs(self, reader: str) -> Sequence[ArchGraph]:
        """The ``B`` graphs, in which operators that the vocabulary lacks are unknown ones.

        Args:
            reader: Who reads what, for the error message.

        Raises:
            UsageError: Packed graphs were given.
        """
        if self._packed is not None:
            raise UsageError(f"{reader}, which packed graphs do not have; give Architecture or ArchGraph objects")
        return self._known_graphs

    def networks(self, reader: str) -> Sequence[ArchGraph]:
        """The ``B`` computational graphs, whatever :meth:`graphs` are: those of :attr:`as_networks`.

        Args:
            reader: Who reads what, for the error message.

        Raises:
            UsageError: Packed graphs were given, or a space does not define its networks.
        """
        return self.graphs(reader) if self.as_networks else self._networks.graphs(reader)

    def network(self, i: int, reader: str) -> ArchGraph:
        """One of :meth:`networks`; where these are not made yet it is made alone, and not kept.

        Args:
            i: Which.
            reader: Who reads it, for the error message.

        Raises:
            UsageError: Packed graphs were given without their choices, or a space does not define its networks.
        """
        if self._choices is not None:
            space, rows = self._choices
            found = _network(Architecture(space, tuple(rows[i].tolist())))
        elif self._made or self._packed is not None:
            return self.networks(reader)[i]
        else:
            member = self._members[i]
            found = self._kinds[type(member)].network(member)
        return with_known_operators([found], self.labels)[0] if UNKNOWN in self.labels else found

    @cached_property
    def _networks(self) -> Batch:
        if self._choices is None:
            return replace(self, as_networks=True)
        space, rows = self._choices
        return Batch.of(space.architectures(rows), vocabulary=self.vocabulary, as_networks=True)

    @property
    def has_networks(self) -> bool:
        """Whether all architectures are of one space, and there are :meth:`networks` of them."""
        return self.space is not None and self.space.defines_networks

    @cached_property
    def _known_graphs(self) -> list[ArchGraph]:
        if UNKNOWN not in self.labels:
            return self.given_graphs
        return with_known_operators(self.given_graphs, self.labels)

    def _pack(self, graphs: Sequence[ArchGraph]) -> PackedGraphs:
        return PackedGraphs.from_graphs(graphs, self.labels, self.most_cells, unknown=self._unknown)

    def _relabelled(self, packed: PackedGraphs) -> PackedGraphs:
        return packed.with_vocabulary(self.labels, self.most_cells, unknown=self._unknown)

    @property
    def _unknown(self) -> str | None:
        return UNKNOWN if UNKNOWN in self.labels else None

    # ------------------------------------------------------------------ choices and costs

    @cached_property
    def space(self) -> SearchSpace | None:
        """The search space that all architectures are of; None for bare graphs, and for several spaces."""
        return self._spaces[0] if self.is_of_spaces and _are_one(self._spaces) else None

    @property
    def first_space(self) -> SearchSpace | None:
        """The search space of the first architecture that has one."""
        return self._spaces[0] if self._spaces else None

    def choices(self, reader: str) -> IntArray:
        """``(B, L)`` choices in :attr:`space`.

        Args:
            reader: Who reads what, for the error messages.

        Raises:
            DataError: There is a bare graph.
            UsageError: There are packed graphs alone, or several spaces.
        """
        if self._packed is not None and self._choices is None:
            raise UsageError(
                f"{reader}, which packed graphs do not have; give Architecture objects, or Batch.of_packed with "
                "their choices"
            )
        if not self.is_of_spaces:
            raise DataError(f"{reader}, which a bare graph does not tell; give Architecture objects")
        if not self.size:
            return np.zeros((0, 0), dtype=np.int64)
        if self.space is None:
            spaces = " and ".join(dict.fromkeys(space.name for space in self._spaces))
            raise UsageError(f"{reader} of one search space, architectures of {spaces} were given; give those of one")
        return self._rows

    @cached_property
    def cost_names(self) -> tuple[str, ...]:
        """Costs that the space computes, sorted; none where there is not one space."""
        if self.space is None or not self.size:
            return ()
        return tuple(sorted(self.space.cost(self._rows[0].tolist())))

    def costs(self, names: Sequence[str], reader: str) -> FloatArray:
        """``(B, C)`` costs of the architectures.

        Args:
            names: Of ``C`` costs.
            reader: Who reads what, for the error messages.

        Raises:
            DataError: A cost that the space does not compute; else what :meth:`choices` raises.
        """
        rows = self.choices(reader)
        if not names or self.space is None:
            return np.zeros((self.size, len(names)))
        costs = self.space.costs(rows)
        if missing := [name for name in names if name not in costs]:
            raise DataError(f"{reader}, of which the space {self.space.name} does not compute {missing[0]!r}")
        return np.stack([np.asarray(costs[name], dtype=np.float64) for name in names], axis=1)

    @cached_property
    def origins(self) -> list[tuple[SearchSpace, Choices] | None]:
        """Space and choices of each architecture, None for a bare graph; none at all of packed graphs alone."""
        if self._choices is not None:
            return [(self._choices[0], tuple(row)) for row in self._choices[1].tolist()]
        return [self._kinds[type(member)].origin(member) for member in self._members]

    @cached_property
    def _spaces(self) -> list[SearchSpace]:
        """The distinct objects, in the order met."""
        if self._choices is not None:
            return [self._choices[0]]
        return list({id(origin[0]): origin[0] for origin in self.origins if origin is not None}.values())

    @cached_property
    def is_of_spaces(self) -> bool:
        """Whether every architecture is one of a search space."""
        return self._choices is not None or (self._packed is None and None not in self.origins)

    @cached_property
    def _rows(self) -> IntArray:
        if self._choices is not None:
            return self._choices[1]
        return np.array([origin[1] for origin in self.origins if origin is not None], dtype=np.int64)


ArchLikes = Sequence[ArchLike] | npt.NDArray[Any] | PackedGraphs | Batch
"""Any number of architectures; a pandas Series will do, whatever its index."""


def _listed(architectures: Any) -> Sequence[ArchLike]:
    """The members of a collection, one after another.

    Raises:
        UsageError: It is none, or one that has no order or reads as something else.
    """
    ordered = isinstance(architectures, Collection) and not isinstance(architectures, str | bytes | Mapping | Set)
    if not ordered or (np.ndim(architectures) == 0 and not isinstance(architectures, Sequence)):
        raise UsageError(f"{_EXPECTED}; {type(architectures).__name__} was given")
    return list(architectures)


def _kinds_of(members: Sequence[ArchLike]) -> Mapping[type, _Kind]:
    """The kind of each type among the members.

    Raises:
        UsageError: One that is no :data:`ArchLike`.
    """
    found: dict[type, _Kind] = {}
    for given in set(map(type, members)):
        kind = next((kind for base, kind in _KINDS.items() if issubclass(given, base)), None)
        if kind is None:
            raise UsageError(f"{_EXPECTED}; there is an element of type {given.__name__}")
        found[given] = kind
    return found


def _columns(features: Any) -> Features:
    """Columns by name.

    Raises:
        UsageError: They have no names.
    """
    names: list[Any] = list(features) if isinstance(features, Collection) else [features]
    if isinstance(features, str | bytes) or not all(isinstance(name, str) for name in names):
        raise UsageError(
            "features are columns by name, one number per architecture each, as in a dictionary or a pandas "
            f"DataFrame; {type(features).__name__} was given"
        )
    return {name: features[name] for name in names}


def _are_one(spaces: Sequence[SearchSpace]) -> bool:
    """Whether there is one space, of which there may be several objects."""
    return len(spaces) > 0 and all(space == spaces[0] for space in spaces)


def choice_labels(num_choices: Sequence[int]) -> tuple[str, ...]:
    """A label for each option of each choice, for example ``2=0`` for the first option of the third.

    Raises:
        DataError: More options than can be read one by one.
    """
    if sum(num_choices) > _MOST_OPTIONS:
        raise DataError(
            f"a space of {sum(num_choices):,} options was given; one-hot, at most {_MOST_OPTIONS:,} are read"
        )
    return tuple(f"{i}={option}" for i, n in enumerate(num_choices) for option in range(n))


def choices_in(batch: Batch, space: str, num_choices: tuple[int, ...]) -> IntArray:
    """``(B, L)`` choices of a batch in the search space that a predictor was fitted on.

    Args:
        batch: The architectures.
        space: The space's name.
        num_choices: Options of each of its ``L`` choices.

    Raises:
        DataError: They are of a space with other choices; else what :meth:`Batch.choices` raises.
    """
    rows = batch.choices(f"this predictor reads choices of the space {space}")
    if batch.space is None:  # there are no architectures
        return np.zeros((0, len(num_choices)), dtype=np.int64)
    if batch.space.num_choices != num_choices:
        raise DataError(
            f"this predictor reads choices of the space {space}, architectures of the space {batch.space.name} "
            "with other choices were given"
        )
    return rows
