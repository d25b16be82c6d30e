"""ArchGraph: the one representation of an architecture that every predictor reads.

A cell of seven nodes and an ONNX file of thirteen thousand become the same immutable object: a directed acyclic
multigraph with a label on every node, optionally a label on every edge, and numeric attributes per node.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import lt
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict.errors import InvalidGraphError, integer

__all__ = ["ArchGraph"]

SUM = "sum"
"""Label of a node that only adds up what arrives; operation-on-node forms leave it out."""

DATA = "data"
"""Label of an edge that only carries data, in graphs whose other edges are operations."""

_NO_ATTRIBUTES: Mapping[str, np.ndarray] = MappingProxyType({})
_FORMAT = 1
_MAX_JSON_NODES = 1_000_000


@dataclass(frozen=True, eq=False)
class ArchGraph:
    """An architecture as a directed acyclic multigraph that never changes.

    What is given as lists or arrays is kept as tuples, and attributes as arrays that cannot be written to.

    Args:
        ops: Operator label of each node, length ``N``.
        edges: ``(source, destination)`` pairs, length ``E``; source < destination, so the numbering is a topological
            order. Parallel edges are allowed.
        edge_ops: Operator label of each edge, length ``E``, for operation-on-edge spaces; ``None`` where the
            operations are on the nodes. :data:`DATA` marks an edge without an operation.
        cells: The cell each node belongs to, length ``N`` (e.g. normal 0, reduction 1); all 0 if left out.
        attrs: Named numeric arrays with ``N`` rows, e.g. output shapes or MACs.
        names: What each node is called, length ``N``, or None. Names tell which weights a node shares with nodes of
            other architectures; they are no part of the structure: neither equality nor the key looks at them.

    Raises:
        InvalidGraphError: The numbering is no topological order, an index is out of range, or lengths disagree.

    Example:
        >>> graph = ArchGraph(ops=("input", "conv", "output"), edges=((0, 1), (1, 2)))
        >>> graph.num_nodes, graph.num_edges
        (3, 2)
        >>> graph == ArchGraph.from_json(graph.to_json())
        True
    """

    ops: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    edge_ops: tuple[str, ...] | None = None
    cells: tuple[int, ...] = ()
    attrs: Mapping[str, np.ndarray] = field(default_factory=lambda: _NO_ATTRIBUTES)
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name, labels in (("ops", self.ops), ("edge_ops", self.edge_ops), ("names", self.names)):
            if labels.__class__ is not tuple and labels is not None:
                object.__setattr__(self, name, _labels(name, labels))
        n = len(self.ops)
        if n == 0:
            raise InvalidGraphError("a graph needs at least one node, none was given")
        if self.cells.__class__ is tuple and not self.cells:
            object.__setattr__(self, "cells", (0,) * n)
        else:
            self._check_cells()
        if not _are_in_order(self.edges, n):
            object.__setattr__(self, "edges", _edges(self.edges, n))
        if self.edge_ops is not None and len(self.edge_ops) != len(self.edges):
            raise InvalidGraphError(
                f"edge_ops has {len(self.edge_ops)} entries for {len(self.edges)} edges; give one per edge"
            )
        if self.names is not None and len(self.names) != n:
            raise InvalidGraphError(f"names has {len(self.names)} entries for {n} nodes; give one per node")
        if self.attrs is not _NO_ATTRIBUTES:
            object.__setattr__(self, "attrs", _read_only(self.attrs, n))

    def _check_cells(self) -> None:
        n = len(self.ops)
        if type(self.cells) is not tuple or not {int}.issuperset(map(type, self.cells)):
            object.__setattr__(self, "cells", _integers("cells", self.cells) or (0,) * n)
        if len(self.cells) != n:
            raise InvalidGraphError(f"cells has {len(self.cells)} entries for {n} nodes; give one per node")
        if min(self.cells) < 0:
            raise InvalidGraphError(f"cells must count from 0, got {min(self.cells)}")

    def __getstate__(self) -> dict[str, Any]:
        """All of it, with the attributes as a dictionary that can be pickled and copied."""
        return {**self.__dict__, "attrs": dict(self.attrs)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__["attrs"] = _read_only(state["attrs"], len(state["ops"]))

    @property
    def num_nodes(self) -> int:
        return len(self.ops)

    @property
    def num_edges(self) -> int:
        return len(self.edges)

    @property
    def num_cells(self) -> int:
        return max(self.cells) + 1

    @property
    def operations(self) -> tuple[str, ...]:
        """The labels of all operations: of edges where they are there, else of nodes that are neither source nor sink.

        Example:
            >>> ArchGraph(("input", "conv", "output"), ((0, 1), (1, 2))).operations
            ('conv',)
            >>> ArchGraph(("input", "output"), ((0, 1),), ("skip_connect",)).operations
            ('skip_connect',)
        """
        if self.edge_ops is not None:
            return tuple([op for op in self.edge_ops if op != DATA])
        read, reading = {source for source, _ in self.edges}, {target for _, target in self.edges}
        return tuple([op for v, op in enumerate(self.ops) if v in read and v in reading])

    def __eq__(self, other: object) -> bool:
        """Same nodes in the same order, same edges, same attributes (see :meth:`is_isomorphic` for the structure)."""
        if not isinstance(other, ArchGraph):
            return NotImplemented
        return (
            self._content() == other._content()
            and self.attrs.keys() == other.attrs.keys()
            and all(np.array_equal(self.attrs[k], other.attrs[k]) for k in self.attrs)
        )

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[object, ...]:
        return self.ops, self.edges, self.edge_ops, self.cells

    @cached_property
    def key(self) -> str:
        """Hexadecimal digest, equal for isomorphic graphs (colour refinement, 128 bits).

        Equal keys are strong evidence of isomorphism, not proof: :meth:`is_isomorphic` decides.
        """
        incoming: list[list[tuple[int, bytes]]] = [[] for _ in self.ops]
        outgoing: list[list[tuple[int, bytes]]] = [[] for _ in self.ops]
        parallel: dict[tuple[int, int], list[str]] = {}
        for edge, op in zip(self.edges, self.edge_ops or ("",) * len(self.edges), strict=True):
            parallel.setdefault(edge, []).append(op)
        # Parallel edges count as one: two edges to one node are not an edge to each of two alike nodes.
        for (source, target), ops in parallel.items():
            label = b"" if ops == [""] else _digest("\0".join(sorted(ops)).encode())
            incoming[target].append((source, label))
            outgoing[source].append((target, label))
        colours = [_digest(repr(label).encode()) for label in self._node_labels()]
        num_colours = 0
        while num_colours < (now := len(set(colours))):
            num_colours = now
            # A sweep in topological order tells a node of all its ancestors at once, so long chains need no more
            # rounds than short ones; the sweep back tells it of all its descendants.
            colours = _sweep(colours, incoming, range(self.num_nodes))
            colours = _sweep(colours, outgoing, range(self.num_nodes - 1, -1, -1))
        return _digest(b"".join(sorted(colours))).hex()

    def _node_labels(self) -> list[tuple[Any, ...]]:
        columns = [np.asarray(self.attrs[name]).reshape(len(self.ops), -1).tolist() for name in sorted(self.attrs)]
        return [
            # Plain text and integers: the key is taken from their representation, which numpy's scalars change.
            (str(op), int(cell), *(tuple(column[i]) for column in columns))
            for i, (op, cell) in enumerate(zip(self.ops, self.cells, strict=True))
        ]

    def is_isomorphic(self, other: ArchGraph) -> bool:
        """Exact test: a renumbering exists under which labels, edges and attributes are equal."""
        if self.key != other.key:
            return False
        import networkx as nx

        def same_node(a: dict[str, Any], b: dict[str, Any]) -> bool:
            return bool(a["label"] == b["label"])

        def same_edges(a: dict[int, dict[str, Any]], b: dict[int, dict[str, Any]]) -> bool:
            return sorted(e["op"] for e in a.values()) == sorted(e["op"] for e in b.values())

        return bool(nx.is_isomorphic(self._labelled(), other._labelled(), node_match=same_node, edge_match=same_edges))

    def _labelled(self) -> Any:
        graph = self.to_networkx()
        for i, label in enumerate(self._node_labels()):
            graph.nodes[i]["label"] = label
        return graph

    def relabel(self, order: Sequence[int]) -> ArchGraph:
        """The same graph with node ``order[i]`` at place ``i``; ``order`` must be a topological order."""
        place = {old: new for new, old in enumerate(order)}
        if sorted(place) != list(range(self.num_nodes)):
            raise InvalidGraphError(f"order must name each of the {self.num_nodes} nodes once")
        return ArchGraph(
            ops=tuple(self.ops[i] for i in order),
            edges=tuple((place[s], place[t]) for s, t in self.edges),
            edge_ops=self.edge_ops,
            cells=tuple(self.cells[i] for i in order),
            attrs={name: np.asarray(values)[list(order)] for name, values in self.attrs.items()},
            names=None if self.names is None else tuple(self.names[i] for i in order),
        )

    @cached_property
    def on_nodes(self) -> ArchGraph:
        """The operation-on-node form: every edge operation becomes a node, nodes that only add disappear.

        Sources and sinks stay; a graph without edge operations is its own operation-on-node form. Operations that
        feed the same sum all point at everything that reads it. This is the form in which CTNAS's published code
        encodes DARTS cells; it does not tell which operations share a sum that only the output reads.
        """
        if self.edge_ops is None:
            return self
        into: list[list[tuple[int, str]]] = [[] for _ in self.ops]
        has_output = [False] * self.num_nodes
        for (source, target), label in zip(self.edges, self.edge_ops, strict=True):
            into[target].append((source, label))
            has_output[source] = True
        ops: list[str] = []
        cells: list[int] = []
        edges: list[tuple[int, int]] = []

        def add(label: str, cell: int, sources: Iterable[int]) -> int:
            ops.append(label)
            cells.append(cell)
            edges.extend((source, len(ops) - 1) for source in sources)
            return len(ops) - 1

        producers: list[list[int]] = []  # nodes of the new graph whose outputs add up to an old node's value
        for v, (op, cell) in enumerate(zip(self.ops, self.cells, strict=True)):
            arriving: list[int] = []
            for source, label in into[v]:
                arriving += producers[source] if label == DATA else [add(label, cell, producers[source])]
            passes_through = op == SUM and has_output[v] and into[v]
            producers.append(arriving if passes_through else [add(op, cell, arriving)])
        return ArchGraph(tuple(ops), tuple(edges), None, tuple(cells))

    def to_json(self) -> str:
        """Text that :meth:`from_json` reads back; stable across versions."""
        names = {} if self.names is None else {"names": self.names}
        return json.dumps(
            {
                "archgraph": _FORMAT,
                "ops": self.ops,
                "edges": [(int(source), int(target)) for source, target in self.edges],
                "edge_ops": self.edge_ops,
                "cells": [int(cell) for cell in self.cells],
                "attrs": {name: np.asarray(values).tolist() for name, values in self.attrs.items()},
                **names,
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> ArchGraph:
        """Read :meth:`to_json`'s text.

        Raises:
            InvalidGraphError: The text is not JSON, or not that of a valid graph.
        """
        try:
            data = json.loads(text)
            if data["archgraph"] != _FORMAT:
                raise InvalidGraphError(
                    f"graph format {data['archgraph']!r} is not {_FORMAT}, the one this version reads"
                )
            if len(data["ops"]) > _MAX_JSON_NODES:
                raise InvalidGraphError(f"a graph of {len(data['ops'])} nodes is over the limit of {_MAX_JSON_NODES}")
            return cls(
                ops=tuple(str(op) for op in data["ops"]),
                edges=tuple((int(s), int(t)) for s, t in data["edges"]),
                edge_ops=None if data["edge_ops"] is None else tuple(str(op) for op in data["edge_ops"]),
                cells=tuple(int(c) for c in data["cells"]),
                attrs={str(k): np.asarray(v, dtype=float) for k, v in data["attrs"].items()},
                names=tuple(str(name) for name in data["names"]) if data.get("names") is not None else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            if isinstance(error, InvalidGraphError):
                raise
            raise InvalidGraphError(f"not the JSON text of an ArchGraph: {error}") from error

    def to_networkx(self) -> Any:
        """A ``networkx.MultiDiGraph`` with ``op`` and ``cell`` on nodes and ``op`` on edges."""
        import networkx as nx

        graph = nx.MultiDiGraph()
        for i, (op, cell) in enumerate(zip(self.ops, self.cells, strict=True)):
            graph.add_node(i, op=op, cell=cell, **{name: values[i] for name, values in self.attrs.items()})
        for (source, target), op in zip(self.edges, self.edge_ops or ("",) * self.num_edges, strict=True):
            graph.add_edge(source, target, op=op)
        return graph

    def to_dgl(self) -> Any:
        """A ``dgl.DGLGraph`` with the numeric attributes as node data (operator labels stay with the ArchGraph)."""
        import torch

        from archpredict.backends import import_dgl

        source, target = zip(*self.edges, strict=True) if self.edges else ((), ())
        graph = import_dgl().graph(
            (torch.tensor(source, dtype=torch.int64), torch.tensor(target, dtype=torch.int64)),
            num_nodes=self.num_nodes,
        )
        for name, values in self.attrs.items():
            graph.ndata[name] = torch.tensor(values)
        graph.ndata["cell"] = torch.tensor(self.cells)
        return graph


def _read_only(attrs: Mapping[str, npt.ArrayLike], num_nodes: int) -> Mapping[str, np.ndarray]:
    """Attributes that cannot be written to: arrays of their own, but for those that nobody can write to already."""
    if not attrs:
        return _NO_ATTRIBUTES
    frozen = {}
    for name, values in attrs.items():
        array = values if isinstance(values, np.ndarray) else np.asarray(values)
        if array.ndim == 0 or len(array) != num_nodes:
            rows = len(array) if array.ndim else "no"
            raise InvalidGraphError(f"attribute {name!r} has {rows} rows for {num_nodes} nodes; give one per node")
        if array.dtype.kind not in "biuf":
            raise InvalidGraphError(f"attribute {name!r} is of {array.dtype}; expected numbers")
        if not _is_frozen(array):
            array = array.copy()
            array.flags.writeable = False
        frozen[str(name)] = array
    return MappingProxyType(frozen)


def _is_frozen(array: Any) -> bool:
    """Whether nobody can write to an array, nor to one that it is a part of."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return array is None


def _labels(name: str, given: Any) -> tuple[str, ...]:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidGraphError(f"{name} is a sequence of labels, {given!r} was given")
    return tuple(map(str, given))


def _integers(name: str, given: Any) -> tuple[int, ...]:
    numbers = tuple(integer(value) for value in given) if isinstance(given, Iterable) else (None,)
    if None in numbers:
        raise InvalidGraphError(f"{name} is a sequence of integers, {given!r} was given")
    return tuple(number for number in numbers if number is not None)


def _are_in_order(edges: Any, num_nodes: int) -> bool:
    """Whether these are tuples of two ints in topological order; all that most graphs need to be looked at."""
    if edges.__class__ is not tuple or not {tuple}.issuperset(map(type, edges)) or not {2}.issuperset(map(len, edges)):
        return False
    if not edges:
        return True
    sources, targets = zip(*edges, strict=True)
    return (
        {int}.issuperset(map(type, sources))
        and {int}.issuperset(map(type, targets))
        and min(sources) >= 0
        and max(targets) < num_nodes
        and all(map(lt, sources, targets))
    )


def _edges(given: Any, num_nodes: int) -> tuple[tuple[int, int], ...]:
    """Edges of whatever kind of pairs of integers as tuples, or what is wrong with one of them."""
    if not isinstance(given, Iterable):
        raise InvalidGraphError(f"edges is a sequence of pairs (source, destination), {given!r} was given")
    edges = []
    for edge in given:
        ends = _integers("an edge (source, destination)", edge)
        if len(ends) != 2:
            raise InvalidGraphError(f"an edge is a pair (source, destination), {edge!r} was given")
        source, target = ends
        if not 0 <= source < target < num_nodes:
            raise InvalidGraphError(
                f"edge ({source}, {target}) is not 0 <= source < destination < {num_nodes}; "
                "number the nodes in topological order"
            )
        edges.append((source, target))
    return tuple(edges)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _sweep(colours: list[bytes], neighbours: list[list[tuple[int, bytes]]], order: Iterable[int]) -> list[bytes]:
    """New colours from the old one and from the new ones of the neighbours, which come first in ``order``."""
    swept = list(colours)
    for v in order:
        arriving = sorted(swept[u] + label for u, label in neighbours[v])
        swept[v] = _digest(colours[v] + b"".join(arriving))
    return swept
