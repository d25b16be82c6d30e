"""Statistics of architectures: a row of readable numbers per architecture.

Counts, degrees and paths of each cell, for many graphs at once and without a loop over them. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import AnyArray
from archpredict.errors import DataError, UsageError
from archpredict.graph.cells import JoinedCells, Sweep, pieces
from archpredict.graph.mixing import mixed, sums
from archpredict.graph.packed import PackedGraphs

__all__ = ["Statistics"]

_MOST_FOR_ALL_SUBSETS = 4
_MOST_FOR_PAIRS = 8
_MOST_FOR_SINGLES = 100
_MOST_LABELS = 3_000
_MOST_NUMBERS = 10_000_000  # in a table of labels by subsets and operators
_MOST_COLUMNS = 1_000_000
_GRAPHS = 1 << 13  # graphs among which those of equal structure are looked for
_FEWEST_TO_MARK, _MOST_TO_MARK = 512, 16  # graphs together, and nodes of each
_SAVING = 2  # times as many graphs as could be marked at most, from which on it pays to mark them
_PIECE = 1 << 20  # numbers that are worked on together: few enough to stay in the processor's cache


@dataclass(frozen=True)
class Statistics:
    """Graph statistics; which ones is fixed when a predictor is fitted, so later architectures get the same columns.

    Per cell (sources and sinks are the nodes without predecessor or successor in it; paths lead from one to the other):

    - nodes, edges, their difference, sources, sinks, paths, degrees, depth (edges on the longest path) and its mean
      over the nodes, height (the same, to the sinks);
    - per operator its nodes, their mean depth and height, its mean number on a path, and the sum over paths of 2 to
      the power of its number on the path;
    - per subset of operators how many of it lie on a path (most, fewest), how many paths have no other operator, the
      longest and the shortest of those (0 for none), and its nodes beside a source or a sink;
    - for up to 8 operators the edges from one to another, from sources, and to sinks.

    Counts of paths are logarithms, ``log(1 + count)``, cut off at 1e150. Isomorphic graphs have equal statistics.
    Lengths of paths and degrees for subsets of operators are an idea of GRAF (Kadlecová et al., 2024, arXiv
    2404.16551); numbers of paths, positions of operators and edges between operators are ours.

    Args:
        vocabulary: Labels of the graphs, as in their :class:`~archpredict.graph.packed.PackedGraphs`.
        num_cells: Cells per graph; a graph that lacks one has zeros for it.
        operators: Labels that count as operators; all others (inputs, outputs) may lie on any path.
        subsets: Subsets of the operators.
        costs: Names of costs of a whole architecture, which become ``log(1 + cost)``.

    Raises:
        DataError: Operators outside the vocabulary, empty subsets, too many columns.

    Example:
        >>> from archpredict.graph.arch_graph import ArchGraph
        >>> graph = ArchGraph(ops=("input", "conv", "pool", "output"), edges=((0, 1), (0, 2), (1, 3), (2, 3)))
        >>> packed = PackedGraphs.from_graphs([graph], ("input", "conv", "pool", "output"))
        >>> statistics = Statistics.fit(packed)
        >>> statistics.subsets
        (('conv',), ('pool',), ('conv', 'pool'))
        >>> row = dict(zip(statistics.names, statistics(packed)[0].tolist()))
        >>> row["cell0: depth"], row["cell0: count of conv"], row["cell0: fewest on a path of {conv}"]
        (2.0, 1.0, 0.0)
    """

    vocabulary: tuple[str, ...]
    num_cells: int
    operators: tuple[str, ...]
    subsets: tuple[tuple[str, ...], ...]
    costs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns = self.num_cells * (100 + 8 * len(self.subsets) + 5 * len(self.operators))
        table = len(self.vocabulary) * (len(self.subsets) + len(self.operators))
        if not 1 <= self.num_cells <= columns <= _MOST_COLUMNS or table > _MOST_NUMBERS:
            raise DataError(
                f"{len(self.subsets)} subsets of {len(self.operators)} operators in {self.num_cells!r:.80} cells were "
                f"asked for; there must be at least one cell, and at most {_MOST_COLUMNS} columns"
            )
        for labels in (self.vocabulary, self.operators, self.costs, *self.subsets):
            if len(set(labels)) < len(labels) or len(labels) > _MOST_LABELS:
                raise DataError(f"labels must be at most {_MOST_LABELS} and all different, got {labels!r:.80}")
        known = set(self.operators)
        if not known or not known <= set(self.vocabulary) or not all(s and known.issuperset(s) for s in self.subsets):
            raise DataError("operators must be labels of the vocabulary, and subsets must be of operators; none empty")

    @classmethod
    def fit(cls, packed: PackedGraphs, costs: Sequence[str] = ()) -> Statistics:
        """Choose operators and subsets from the graphs that a predictor is fitted on.

        Operators are the labels found on a node that has predecessors and successors in its cell; all if none is.

        Raises:
            UsageError: Operations on edges.
        """
        _check_form(packed)
        cells = JoinedCells.of(packed, 0, len(packed), packed.num_cells)
        found = set(cells.op[(cells.in_degree > 0) & (cells.out_degree > 0)].tolist())
        operators = tuple(label for i, label in enumerate(packed.vocabulary) if i + 1 in found) or packed.vocabulary
        return cls(packed.vocabulary, packed.num_cells, operators, _subsets(operators), tuple(costs))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        columns = _cell_names(self)
        of_cells = (f"cell{c}: {name}" for c in range(self.num_cells) for name in columns)
        return (*of_cells, *(f"log {name}" for name in self.costs))

    def __call__(self, packed: PackedGraphs, costs: Mapping[str, npt.ArrayLike] | None = None) -> AnyArray:
        """Compute the statistics.

        Args:
            packed: ``G`` graphs with operations on nodes.
            costs: The costs by name, each ``(G,)``; those that are not asked for are left out.

        Returns:
            ``(G, F)`` float32: raw values, always finite.

        Raises:
            UsageError: Another vocabulary, more cells, or operations on edges.
            DataError: A cost that is missing or wrong.
        """
        _check_form(packed)
        if packed.vocabulary != self.vocabulary:
            raise UsageError(
                f"graphs packed with the labels {', '.join(packed.vocabulary)} were given, the statistics are for "
                f"{', '.join(self.vocabulary)}; pack the graphs with the vocabulary of the statistics"
            )
        if (cells := int(packed.cell.max(initial=0)) + 1) > self.num_cells:
            raise UsageError(f"a graph with {cells} cells was given, the statistics know {self.num_cells} per graph")
        by_cell = len(_cell_names(self)) * self.num_cells
        result = np.empty((len(packed), by_cell + len(self.costs)), dtype=np.float32)
        for i, name in enumerate(self.costs):
            result[:, by_cell + i] = _log_cost(name, costs or {}, len(packed))
        for begin in range(0, len(packed), _GRAPHS):
            piece = packed[begin : begin + _GRAPHS]
            rows = result[begin : begin + _GRAPHS, :by_cell]
            self._fill(rows.reshape(len(piece), self.num_cells, -1), piece)
        return result

    def _fill(self, result: AnyArray, packed: PackedGraphs) -> None:
        """Write the columns of all cells into a ``(G, C, F)`` array."""
        tables = _Tables.of(self)
        if (marked := _Marked.of(self, packed)) is not None:
            between = _edges_between(JoinedCells.of(packed, 0, len(packed), self.num_cells), tables)
            blocks = *marked.columns(self.num_cells), between.reshape(*result.shape[:2], -1)
            np.concatenate(blocks, axis=2, out=result, casting="same_kind")
            return
        for begin, end in pieces(packed.node_start, _PIECE // result.shape[2], self.num_cells):
            cells = JoinedCells.of(packed, begin, end, self.num_cells)
            result[begin:end] = _cell_columns(cells, tables).reshape(end - begin, *result.shape[1:])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values that :meth:`from_dict` reads back."""
        lists = {name: list(value) for name, value in vars(self).items() if name != "num_cells"}
        return {**lists, "num_cells": self.num_cells, "subsets": [list(subset) for subset in self.subsets]}

    @classmethod
    def from_dict(cls, data: Any) -> Statistics:
        """Read what :meth:`to_dict` wrote.

        Raises:
            DataError: Anything else; it is a ValueError.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(data, dict) or set(data) != set(names) or type(data["num_cells"]) is not int:
            raise DataError(f"statistics must be a mapping of {', '.join(names)}, with an integer num_cells")
        if not isinstance(data["subsets"], list):
            raise DataError(f"subsets must be a list of lists, got {data['subsets']!r:.80}")
        lists = {name: _labels(name, data[name]) for name in ("vocabulary", "operators", "costs")}
        subsets = tuple(_labels("each subset", subset) for subset in data["subsets"])
        return cls(num_cells=data["num_cells"], subsets=subsets, **lists)


def _labels(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
        raise DataError(f"{name} must be a list of texts, got {value!r:.80}")
    return tuple(value)


def _subsets(operators: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    n = len(operators)
    sizes = list(range(1, n + 1))
    if n > _MOST_FOR_ALL_SUBSETS:
        sizes = [1, 2, n] if n <= _MOST_FOR_PAIRS else [1, n] if n <= _MOST_FOR_SINGLES else [n]
    return tuple(subset for size in sizes for subset in combinations(operators, size))


def _check_form(packed: PackedGraphs) -> None:
    if packed.edge_op.any():
        raise UsageError("graphs with operations on edges have no statistics; convert them with .on_nodes")
    if (packed.source >= packed.target).any():
        raise UsageError("an edge leads back to an earlier node; number the nodes in topological order")


def _log_cost(name: str, costs: Mapping[str, npt.ArrayLike], length: int) -> AnyArray:
    if name not in costs:
        raise DataError(f"the cost {name!r} is needed and was not given; given: {', '.join(costs) or 'none'}")
    values = np.asarray(costs[name], dtype=np.float64)
    if values.shape != (length,) or not np.isfinite(values).all() or (values < 0).any():
        raise DataError(f"the cost {name!r} must be {length} finite numbers, one per graph, none negative")
    return np.log1p(values)


def _cell_names(statistics: Statistics) -> list[str]:
    """Names of one cell's columns, in the order of :func:`_cell_columns`."""
    operators, subsets = statistics.operators, ["{" + ", ".join(subset) + "}" for subset in statistics.subsets]
    names = ["nodes", "edges", "edges - nodes + 1", "sources", "sinks", "log paths", "depth"]
    names += ["mean depth", "mean height", "mean degree", "largest in-degree", "largest out-degree"]
    names += ["edges into sinks", "edges out of sources"]
    of_operators = ["count of", "mean depth of", "mean height of", "mean on a path of", "log weighted paths of"]
    names += [f"{what} {label}" for what in of_operators for label in operators]
    of_subsets = ["most on a path of", "fewest on a path of", "has path over", "log paths over"]
    of_subsets += ["longest path over", "shortest path over", "fed by a source of", "feeding a sink of"]
    names += [f"{what} {subset}" for what in of_subsets for subset in subsets]
    if len(operators) <= _MOST_FOR_PAIRS:
        names += [f"edges {a} -> {b}" for a in (*operators, "source") for b in (*operators, "sink")]
    return names


@dataclass(frozen=True, eq=False)
class _Tables:
    """What a node of each label does to the paths that reach it; row 0 for no label, the last for the end of paths."""

    kind: AnyArray  # (V + 2,) number of the operator; K, the number of operators, for any other label
    member: AnyArray  # (K, S) 1 where an operator is in a subset
    add: AnyArray  # (V + 2, 4 S + 1) added to most, -fewest, longest, -shortest of each subset, and to the depth
    start: AnyArray  # (4 S + 1,) these values before a source
    factor: AnyArray  # (V + 2, 1 + S + K) by which are multiplied: all paths, those over a subset, the weighted ones

    @classmethod
    def of(cls, statistics: Statistics) -> _Tables:
        ops, rows = statistics.operators, len(statistics.vocabulary) + 2
        number = {label: i + 1 for i, label in enumerate(statistics.vocabulary)}
        kind = np.full(rows, len(ops))
        kind[[number[label] for label in ops]] = np.arange(len(ops))
        is_operator = np.eye(len(ops) + 1)[kind][:, :-1]  # (V + 2, K)
        member = np.zeros((len(ops), len(statistics.subsets)))
        for i, subset in enumerate(statistics.subsets):
            member[kind[[number[label] for label in subset]], i] = 1
        inside = is_operator @ member  # (V + 2, S)
        allowed = (inside > 0) | (kind == len(ops))[:, None]
        # The fewest and the shortest are the most and the longest of negative numbers: one pass finds them all.
        lengths = [np.where(allowed, sign, -np.inf) for sign in (1, -1)]
        add = np.concatenate([inside, -inside, *lengths, np.ones((rows, 1))], axis=1, dtype=np.float32)
        add[-1] = 0
        start = np.repeat(np.array([0, 0, -1, 1, -1], dtype=np.float32), [member.shape[1]] * 4 + [1])
        factor = np.concatenate([np.ones((rows, 1)), allowed, 1 + is_operator], axis=1)
        return cls(kind, member, add, start, factor)


_MARKS = ("inside", "outside", "other")
"""Labels of nodes with an operator of a subset, with another operator, and with no operator."""


@dataclass(frozen=True, eq=False)
class _Marked:
    """Graphs that mark the nodes of a subset of the operators, each once for all graphs with these edges and nodes.

    What is said of a subset depends on which nodes have one of its operators, not on which of them they have. Graphs
    of few structures with few nodes, as those of a space of cells are, need the same nodes marked again and again.

    Args:
        graphs: ``P`` of them, with the labels :data:`_MARKS`.
        of_subset: ``(G, S)`` number of the graph that marks each subset.
        of_operator: ``(G, K)`` and each operator.
    """

    graphs: PackedGraphs
    of_subset: AnyArray
    of_operator: AnyArray

    @classmethod
    def of(cls, statistics: Statistics, packed: PackedGraphs) -> _Marked | None:
        """Those of ``G`` graphs; None where they save nothing."""
        kinds, most_nodes = len(statistics.operators), int(np.diff(packed.node_start).max(initial=0))
        if len(packed) < _FEWEST_TO_MARK or kinds > _MOST_FOR_PAIRS or most_nodes > _MOST_TO_MARK:
            return None
        kind = _Tables.of(statistics).kind
        node = np.uint64(1) << packed.position.astype(np.uint64)
        nodes_of = [sums(np.where((kind == k)[packed.op], node, 0), packed.node_start) for k in range(kinds + 1)]
        structures, structure = np.unique(packed.structure + mixed(nodes_of[-1], 1), return_inverse=True)
        wanted = [frozenset(x) for x in (*statistics.subsets, *((label,) for label in statistics.operators))]
        sets = list(dict.fromkeys(wanted))
        possible = len(structures) << most_nodes
        if possible > len(packed) * len(sets) // _SAVING:
            return None
        member = np.array([[label in of_set for of_set in sets] for label in statistics.operators])  # (K, J)
        marked = np.stack(nodes_of[:-1], axis=1) @ member.astype(np.uint64)
        code = (structure[:, None] << most_nodes) + marked.astype(np.int64)  # (G, J)
        example = np.full(possible, -1)
        example[code.ravel()] = np.arange(code.size)
        found = example >= 0
        row = (np.cumsum(found) - 1)[code[:, [sets.index(x) for x in wanted]]]
        of_subset, of_operator = np.split(row, [len(statistics.subsets)], axis=1)
        graph, which = np.divmod(example[found], len(sets))
        return cls(_with_marks(packed[graph], kind, member.T[which]), of_subset, of_operator)

    def columns(self, num_cells: int) -> list[AnyArray]:
        """``(G, C, _)`` blocks of the columns that no pairs of operators are counted in."""
        cells = JoinedCells.of(self.graphs, 0, len(self.graphs), num_cells)
        tables = _Tables.of(Statistics(_MARKS, num_cells, _MARKS[:2], (_MARKS[:1],)))
        shape, *others = (x.reshape(-1, num_cells, *x.shape[1:]) for x in _blocks(cells, tables))
        blocks = [shape[self.of_operator[:, 0]]]
        for values, row in zip(others, (self.of_operator, self.of_subset), strict=True):
            found = values[..., 0][row]  # (G, K or S, C, _)
            blocks.append(found.transpose(0, 2, 3, 1).reshape(len(row), num_cells, -1))
        return blocks


def _with_marks(packed: PackedGraphs, kind: AnyArray, marked: AnyArray) -> PackedGraphs:
    """Graphs with the labels :data:`_MARKS`, where ``(G, K)`` tells which operators are marked in each."""
    graph, kinds = np.repeat(np.arange(len(packed)), np.diff(packed.node_start)), kind[packed.op]
    mark = np.concatenate([np.where(marked, 1, 2), np.full((len(marked), 1), 3)], axis=1)
    return replace(packed, op=mark[graph, kinds].astype(np.uint8), vocabulary=_MARKS)


@dataclass(frozen=True, eq=False)
class _Paths:
    depth: AnyArray  # (T,) edges on the longest path from a source
    height: AnyArray  # (T,) edges on the longest path to a sink
    through: AnyArray  # (T,) paths through the node
    best: AnyArray  # (C, 4 S + 1) as in _Tables.add, over all paths of the cell
    count: AnyArray  # (C, 1 + S + K) as in _Tables.factor

    @classmethod
    def of(cls, cells: JoinedCells, tables: _Tables) -> _Paths:
        size, position = len(cells.op), cells.position
        latest = int(position.max(initial=0))
        # One more node per cell, after all its sinks, collects what is asked of whole paths.
        sinks = np.flatnonzero(cells.out_degree == 0)
        forward = Sweep(
            np.concatenate([position, np.full(cells.num, latest + 1)]),
            np.concatenate([cells.source, sinks]),
            np.concatenate([cells.target, size + cells.cell[sinks]]),
        )
        row = np.concatenate([cells.op, np.full(cells.num, len(tables.kind) - 1)])
        best, count = forward.longest(row, tables.add, tables.start), forward.count(row, tables.factor)
        node, end = forward.place[:size], forward.place[size:]

        backward = Sweep(latest - position, cells.target, cells.source)
        same, one = np.zeros(size, dtype=np.int64), np.ones((1, 1))
        height, count_on = backward.longest(same, one, -one[0]), backward.count(same, one)
        through = count[node, 0] * count_on[backward.place, 0]
        return cls(best[node, -1], height[backward.place, 0], through, best[end], count[end])


def _cell_columns(cells: JoinedCells, tables: _Tables) -> AnyArray:
    """(C, F) the columns of each cell, in the order of :func:`_cell_names`."""
    blocks = [block.reshape(cells.num, -1) for block in _blocks(cells, tables)]
    if len(tables.member) <= _MOST_FOR_PAIRS:
        blocks.append(_edges_between(cells, tables))
    return np.concatenate(blocks, axis=1)


def _blocks(cells: JoinedCells, tables: _Tables) -> tuple[AnyArray, AnyArray, AnyArray]:
    """(C, _) of the shape, (C, _, K) of each operator and (C, _, S) of each subset; 0 where a cell has no nodes."""
    paths = _Paths.of(cells, tables)
    of_operators, of_subsets = _of_operators(cells, tables, paths), _of_subsets(cells, tables, paths)
    empty = np.bincount(cells.cell, minlength=cells.num) == 0
    shape, by_operator, by_subset = (
        np.where(empty.reshape(-1, *[1] * (block.ndim - 1)), np.float32(0), block.astype(np.float32))
        for block in (_shape(cells, paths), np.stack(of_operators, axis=1), np.stack(of_subsets, axis=1))
    )
    return shape, by_operator, by_subset


def _shape(cells: JoinedCells, paths: _Paths) -> AnyArray:
    into, out_of = cells.in_degree, cells.out_degree
    nodes, edges = np.bincount(cells.cell, minlength=cells.num), cells.total(into)
    some = np.maximum(nodes, 1)
    columns = [nodes, edges, edges - nodes + 1, cells.total(into == 0), cells.total(out_of == 0)]
    columns += [np.log1p(paths.count[:, 0]), paths.best[:, -1]]
    columns += [cells.total(paths.depth) / some, cells.total(paths.height) / some, edges / some]
    columns += [np.zeros(cells.num, into.dtype), np.zeros(cells.num, out_of.dtype)]
    np.maximum.at(columns[-2], cells.cell, into)
    np.maximum.at(columns[-1], cells.cell, out_of)
    columns += [cells.total(into * (out_of == 0)), cells.total(out_of * (into == 0))]
    return np.stack(columns, axis=1)


def _per_operator(cells: JoinedCells, tables: _Tables, values: AnyArray | None = None) -> AnyArray:
    """(C, K) sum over the nodes of each operator; their number without values."""
    kinds = len(tables.member) + 1
    key = cells.cell * kinds + tables.kind[cells.op]
    return np.bincount(key, values, minlength=cells.num * kinds).reshape(cells.num, kinds)[:, :-1]


def _of_operators(cells: JoinedCells, tables: _Tables, paths: _Paths) -> list[AnyArray]:
    count = _per_operator(cells, tables)
    means = [_per_operator(cells, tables, x) / np.maximum(count, 1) for x in (paths.depth, paths.height)]
    on_path = _per_operator(cells, tables, paths.through) / paths.count[:, :1]
    weighted = np.log(paths.count[:, 1 + tables.member.shape[1] :])
    return [count, *means, np.minimum(on_path, count), weighted]  # more than all only where counts were cut off


def _of_subsets(cells: JoinedCells, tables: _Tables, paths: _Paths) -> list[AnyArray]:
    most, fewest, longest, shortest, _ = np.split(paths.best, np.arange(1, 5) * tables.member.shape[1], axis=1)
    exists = np.isfinite(longest)
    fed, feeding = (np.zeros(len(cells.op), dtype=bool) for _ in range(2))
    fed[cells.target[cells.in_degree[cells.source] == 0]] = True
    feeding[cells.source[cells.out_degree[cells.target] == 0]] = True
    ends = [_per_operator(cells, tables, values) @ tables.member for values in (fed, feeding)]
    lengths = [np.where(exists, longest, 0), np.where(exists, -shortest, 0)]
    return [most, 0 - fewest, exists, np.log1p(paths.count[:, 1 : 1 + exists.shape[1]]), *lengths, *ends]


def _edges_between(cells: JoinedCells, tables: _Tables) -> AnyArray:
    """(C, (K + 1)^2) edges by the operators at their ends; other labels count as sources and sinks only."""
    other = len(tables.member)
    kind = tables.kind[cells.op]
    tail, head = kind[cells.source], kind[cells.target]
    counted = (tail < other) | (cells.in_degree[cells.source] == 0)
    counted &= (head < other) | (cells.out_degree[cells.target] == 0)
    key = ((cells.cell[cells.source] * (other + 1) + tail) * (other + 1) + head)[counted]
    return np.bincount(key, minlength=cells.num * (other + 1) ** 2).reshape(cells.num, -1)
