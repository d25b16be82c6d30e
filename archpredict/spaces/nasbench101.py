"""NAS-Bench-101: cells of at most seven vertices and nine edges."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import BoolArray, FloatArray, IntArray
from archpredict.errors import InvalidArchitectureError, UnknownNameError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder, width_of
from archpredict.graph.packed import PackedGraphs
from archpredict.spaces._nasbench101_network import Cell, build
from archpredict.spaces._nasbench101_notation import ATTRIBUTES, cell_of
from archpredict.spaces._paths import on_paths
from archpredict.spaces.base import Choices, SearchSpace
from archpredict.spaces.costs.nasbench101 import CELLS_PER_STACK, STEM, network_cost, network_costs

__all__ = ["NASBench101"]

OPERATORS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""Choices of operators are indices into this."""

INPUT, OUTPUT = "input", "output"
MAX_VERTICES, MAX_EDGES = 7, 9

INPUT_LABEL, OUTPUT_LABEL, PADDING_LABEL = 254, 253, 255
"""Labels of the packed encoding beside the operators' 0, 1, 2."""

_LAST = MAX_VERTICES - 1
_BITS_AT = {vertex: sum(1 + earlier for earlier in range(1, vertex)) for vertex in range(1, MAX_VERTICES)}
_OP_AT = {vertex: _BITS_AT[vertex] + vertex for vertex in range(1, _LAST)}
_OWNER = {_BITS_AT[vertex] + source: (source, vertex) for vertex in _BITS_AT for source in range(vertex)}
"""The edge that the choice at a position decides; at the other positions, :data:`_OP_AT`, stand operators."""

Matrix = Sequence[Sequence[int]]

_MATRIX, _OPS = '{"matrix": ', ', "ops": '
_ROWS = re.compile(r"\[\[[01](?:, [01])*\](?:, \[[01](?:, [01])*\])*\]")
_NAMES = re.compile(r"""\["[a-z0-9-]+"(?:, "[a-z0-9-]+")*\]""")
_MOST_USED = 100_000
"""Matrices of which it is remembered which vertices they use."""


class NASBench101(SearchSpace):
    """The cells of NAS-Bench-101: 423,624 architectures, named by 26 choices.

    Ying, Klein, Real, Christiansen, Murphy and Hutter, "NAS-Bench-101: towards reproducible neural
    architecture search", 2019, arXiv 1902.09635. Vertex 0 is the input and 6 the output. For each vertex 1 to
    5 there is a bit for an edge from each earlier vertex, then the choice of its operator (an index into
    :data:`OPERATORS`); last come six bits for the edges into the output. Legal is what pruning would not
    touch: every vertex with an edge lies on a path from input to output, and there are at most nine edges.
    Smaller cells leave the *first* vertices without edges, and with operator 0. So a legal vector is a cell
    together with one topological numbering of its vertices.

    Sampling is uniform over sequences of legal choices, not over the 423,624 cells: half of the samples have
    all seven vertices (85 % of the cells have), a quarter six, an eighth five, and so on.

    Example:
        >>> space = NASBench101()
        >>> matrix = [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
        >>> choices = space.from_matrix(matrix, ["input", "conv3x3-bn-relu", "output"])
        >>> space.format(choices)
        '{"matrix": [[0, 1, 1], [0, 0, 1], [0, 0, 0]], "ops": ["input", "conv3x3-bn-relu", "output"]}'
        >>> space.decode(choices).edges
        ((0, 1), (0, 2), (1, 2))
    """

    name = "nasbench101"
    num_choices = tuple(n for vertex in range(1, _LAST) for n in (*(2,) * vertex, len(OPERATORS))) + (2,) * _LAST
    notation = '{"matrix": [[0, 1, ...], ...], "ops": ["input", ..., "output"]} with operators ' + ", ".join(OPERATORS)
    attributes = ATTRIBUTES

    def mask(self, prefix: IntArray) -> BoolArray:
        """At most nine edges, each on a path from input to output, and unused vertices first."""
        at = prefix.shape[1]
        if at not in _OWNER:
            source, target = _OWNER[at - 1]
            used = prefix[:, _BITS_AT[target] :].any(axis=1)
            return np.stack([np.ones_like(used), *[used] * (len(OPERATORS) - 1)], axis=1)
        source, target = _OWNER[at]
        present, leaf = _vertices(prefix)
        # Each leaf needs one more edge, and each vertex to come at least one: what is needed never falls.
        needed = prefix[:, [place for place in _OWNER if place < at]].sum(axis=1) + leaf.sum(axis=1)
        needed += ~leaf[:, source]
        if target == _LAST:
            return np.stack([~leaf[:, source], present[:, source] & (needed <= MAX_EDGES)], axis=1)
        needed += ~present[:, target] + (_LAST - 1 - target)
        dispensable = present[:, target] | ~present[:, 1:target].any(axis=1)
        skip = dispensable if source == target - 1 else np.ones_like(dispensable)
        return np.stack([skip, present[:, source] & (needed <= MAX_EDGES)], axis=1)

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        """Operations on nodes, without unused vertices."""
        ops, edges = self._cell(choices)
        return ArchGraph(tuple(ops), tuple(edges))

    def pack(self, choices: IntArray) -> PackedGraphs:
        """As :meth:`decode`: vertices in their order, edges in that of the choices."""
        number = {label: i + 1 for i, label in enumerate(self.operators)}
        rows = self.rows(choices)
        has_edge = rows[:, list(_OWNER)] == 1  # (B, 21)
        source, target = np.array(list(_OWNER.values())).T
        is_used = np.zeros((len(rows), MAX_VERTICES), dtype=bool)
        is_used[:, 0] = True
        for at, vertex in enumerate(target.tolist()):
            is_used[:, vertex] |= has_edge[:, at]
        op = np.empty((len(rows), MAX_VERTICES), dtype=np.int64)
        op[:, [0, _LAST]] = number[INPUT], number[OUTPUT]
        op[:, 1:_LAST] = np.array([number[label] for label in OPERATORS])[rows[:, list(_OP_AT.values())]]
        place = np.cumsum(is_used, axis=1) - 1
        graph, edge = np.nonzero(has_edge)
        ends = (place[graph, source[edge]], place[graph, target[edge]], np.zeros_like(graph))
        nodes = is_used.sum(axis=1)
        cells = np.zeros(int(nodes.sum()), dtype=np.int64)
        return PackedGraphs.from_lists(self.operators, (op[is_used], cells), nodes, ends, has_edge.sum(axis=1))

    def read(self, value: Any) -> Choices:
        """Choices from a matrix and operators, by name or in this order, or from NASLib's tuple of their numbers.

        Raises:
            ValueError: It is nothing of the kind, or the cell is outside the space.
        """
        if isinstance(value, str):
            raise ValueError("it does not parse")
        cell = cell_of(value)
        if cell is None:
            raise ValueError("it has no matrix of 0 and 1 with a list of operators")
        return self.from_matrix(*cell)

    @property
    def fragment_choices(self) -> tuple[tuple[int, ...], ...]:
        return tuple(_OWNER), tuple(_OP_AT.values())

    def fragments(self, text: str) -> Sequence[Hashable] | None:
        """The matrix; the operators, with the vertices of which they are operators."""
        head, _, tail = text.partition(_OPS)
        if not head.startswith(_MATRIX) or not tail.endswith("}") or _NAMES.fullmatch(tail, 0, len(tail) - 1) is None:
            return None
        matrix = head[len(_MATRIX) :]
        used = _used(matrix)
        return None if used is None else (matrix, (used, tail))

    def format(self, choices: Sequence[int]) -> str:
        """The pruned matrix and its operators as a JSON object on one line."""
        matrix, ops = self.to_matrix(choices)
        return json.dumps({"matrix": matrix, "ops": ops})

    def from_matrix(self, matrix: Matrix, ops: Sequence[str]) -> Choices:
        """Choices of a cell, which is pruned first.

        Args:
            matrix: ``(n, n)`` upper-triangular adjacency, ``matrix[source][destination]``, n from 2 to 7.
            ops: ``n`` names, the first ``input`` and the last ``output``.

        Raises:
            InvalidArchitectureError: The cell is not of this form, unconnected, or larger than the space
                allows.
        """
        n = len(ops)
        if not 2 <= n <= MAX_VERTICES or len(matrix) != n or any(len(row) != n for row in matrix):
            raise InvalidArchitectureError(
                f"a cell of {self.name} has 2 to {MAX_VERTICES} operators and a square matrix of that size; "
                f"{n} operators and rows of {[len(row) for row in matrix]} entries were given"
            )
        if ops[0] != INPUT or ops[-1] != OUTPUT:
            raise InvalidArchitectureError(f"ops must run from 'input' to 'output', got {list(ops)}")
        for op in ops[1:-1]:
            if op not in OPERATORS:
                raise InvalidArchitectureError(str(UnknownNameError("operator", op, OPERATORS)))
        if any(matrix[s][t] for t in range(n) for s in range(t, n)):
            raise InvalidArchitectureError(
                "the matrix is not upper triangular; an edge runs from a row to a column of higher index"
            )
        kept, edges = _prune(n, [(s, t) for s in range(n) for t in range(s + 1, n) if matrix[s][t]])
        if not edges:
            raise InvalidArchitectureError("no path leads from the input to the output of the cell")
        if len(edges) > MAX_EDGES:
            raise InvalidArchitectureError(f"the cell has {len(edges)} edges; {self.name} allows {MAX_EDGES}")
        choices = [0] * self.num_decisions
        slots = [0, *range(MAX_VERTICES - len(kept) + 1, MAX_VERTICES)]
        for slot, vertex in zip(slots[1:-1], kept[1:-1], strict=True):
            choices[_OP_AT[slot]] = OPERATORS.index(ops[vertex])
        for source, target in edges:
            choices[_BITS_AT[slots[target]] + slots[source]] = 1
        return tuple(choices)

    def to_matrix(self, choices: Sequence[int]) -> tuple[list[list[int]], list[str]]:
        """Adjacency matrix ``[source][destination]`` and operators, as the benchmark takes them."""
        ops, edges = self._cell(choices)
        return _matrix(len(ops), edges), ops

    def fingerprint(self, choices: Sequence[int]) -> str:
        """The benchmark's own MD5 of the pruned cell, equal for cells that it counts as one.

        Each vertex starts as the digest of (out-degree, in-degree, label) and is hashed with the sorted
        digests of its neighbours as many times as there are vertices (Ying et al. 2019, supplement S1).

        Example:
            >>> space = NASBench101()
            >>> space.fingerprint(space.from_matrix([[0, 1], [0, 0]], ["input", "output"]))
            '043721b9c7fe8c5fad811d47d83132ec'
        """
        return _md5(str(sorted(_vertex_hashes(*self._cell(choices)))))

    def cost(self, choices: Sequence[int]) -> dict[str, float]:
        """Costs of the whole network for CIFAR-10 (3 stacks of 3 cells, 128 channels, 32x32 pixels).

        Returns:
            ``params`` as in the benchmark; ``macs``: multiply-adds of convolutions and the classifier.
        """
        ops, edges = self._cell(choices)
        params, macs = network_cost(ops, edges)
        return {"params": float(params), "macs": float(macs)}

    def costs(self, choices: IntArray) -> dict[str, FloatArray]:
        """Costs of ``(B, 26)`` choices at once, without a loop over them."""
        columns = np.ascontiguousarray(self.rows(choices).T.astype(np.uint8))  # (26, B)
        edges = {edge: columns[place].view(np.bool_) for place, edge in _OWNER.items()}
        params, macs = network_costs(edges, [columns[_OP_AT[v]] for v in range(1, _LAST)], OPERATORS)
        return {"params": params, "macs": macs}

    def network(
        self,
        choices: Sequence[int],
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
        cells: int = CELLS_PER_STACK,
    ) -> ArchGraph:
        """The network of the benchmark: three stacks of equal cells, with twice the channels from one to the next.

        Where the vertices that the output reads cannot share its channels evenly, the first ones of the numbering
        have one more: two numberings of a cell are then different networks, as in the benchmark's own code.

        Args:
            choices: A legal vector.
            num_classes: As for every space.
            image_size: As for every space.
            image_channels: As for every space.
            channels: Of the stem and the first stack, 128 in the benchmark.
            cells: Per stack.

        Example:
            >>> from archpredict.graph.operators import total
            >>> space = NASBench101()
            >>> choices = space.from_matrix([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"])
            >>> total(space.network(choices), "macs") == space.cost(choices)["macs"]
            True
        """
        ops, edges = self._cell(choices)
        b = Builder((image_channels, image_size, image_size))
        width = width_of(channels, STEM)
        return build(b, Cell(ops, edges, _vertex_hashes(ops, edges)), width, cells, num_classes).graph()

    def _cell(self, choices: Sequence[int]) -> tuple[list[str], list[tuple[int, int]]]:
        """Operators of the used vertices and the edges among them."""
        edges = [edge for place, edge in _OWNER.items() if choices[place]]
        kept = sorted({0, *(target for _, target in edges)})
        place = {old: new for new, old in enumerate(kept)}
        ops = [INPUT, *(OPERATORS[choices[_OP_AT[v]]] for v in kept[1:-1]), OUTPUT]
        return ops, [(place[source], place[target]) for source, target in edges]


def _vertex_hashes(ops: Sequence[str], edges: Sequence[tuple[int, int]]) -> list[str]:
    """One for each vertex: its degrees and label, and those of all around it, however vertices are numbered."""
    n = len(ops)
    labels = [-1, *(OPERATORS.index(op) for op in ops[1:-1]), -2]
    before = [[s for s, t in edges if t == v] for v in range(n)]
    after = [[t for s, t in edges if s == v] for v in range(n)]
    hashes = [_md5(str((len(after[v]), len(before[v]), labels[v]))) for v in range(n)]
    for _ in range(n):
        hashes = [
            _md5(
                "".join(sorted(hashes[w] for w in before[v]))
                + "|"
                + "".join(sorted(hashes[w] for w in after[v]))
                + "|"
                + hashes[v]
            )
            for v in range(n)
        ]
    return hashes


def unpack(
    edge_bits: npt.ArrayLike, n_vertices: npt.ArrayLike, ops: npt.ArrayLike
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Adjacency matrices and labels of packed cells.

    Args:
        edge_bits: ``(G,)``; bit ``x + y * (y - 1) / 2`` is set where an edge runs from vertex x to y > x.
        n_vertices: ``(G,)`` from 2 to 7.
        ops: ``(G, 7)``; 0, 1, 2 as :data:`OPERATORS`, :data:`INPUT_LABEL`, :data:`OUTPUT_LABEL`, then
            padding.

    Returns:
        ``(G, 7, 7)`` with ``[g, source, destination]``, and ``(G, 7)`` labels, :data:`PADDING_LABEL` beyond a
        cell's vertices.

    Example:
        >>> adjacency, labels = unpack([0b1], [2], [[254, 253, 255, 255, 255, 255, 255]])
        >>> adjacency[0, 0].tolist()
        [0, 1, 0, 0, 0, 0, 0]
    """
    bits = np.asarray(edge_bits, dtype=np.uint32)
    adjacency = np.zeros((len(bits), MAX_VERTICES, MAX_VERTICES), dtype=np.uint8)
    for source, target in _pairs():
        adjacency[:, source, target] = _edge(bits, source, target)
    absent = np.arange(MAX_VERTICES) >= np.asarray(n_vertices)[:, None]
    return adjacency, np.where(absent, np.uint8(PADDING_LABEL), np.asarray(ops, dtype=np.uint8))


def choices_from_packed(edge_bits: npt.ArrayLike, n_vertices: npt.ArrayLike, ops: npt.ArrayLike) -> IntArray:
    """Choices ``(G, 26)`` of packed cells that are pruned already; arguments as :func:`unpack`.

    Example:
        >>> row = choices_from_packed([0b1], [2], [[254, 253, 255, 255, 255, 255, 255]])[0]
        >>> NASBench101().format(row)
        '{"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"]}'
    """
    bits, labels = np.asarray(edge_bits, dtype=np.uint32), np.asarray(ops)
    shift = MAX_VERTICES - np.asarray(n_vertices).astype(np.int64)  # the first places stay unused
    slots = np.arange(MAX_VERTICES) + shift[:, None]
    slots[:, 0] = 0
    choices = np.zeros((len(bits), len(NASBench101.num_choices)), dtype=np.int64)
    op_at, bits_at = (np.array([at.get(v, 0) for v in range(MAX_VERTICES)]) for at in (_OP_AT, _BITS_AT))
    for vertex in _OP_AT:
        rows = np.flatnonzero(slots[:, vertex] < _LAST)
        choices[rows, op_at[slots[rows, vertex]]] = labels[rows, vertex]
    for source, target in _pairs():
        rows = np.flatnonzero(_edge(bits, source, target))
        choices[rows, bits_at[slots[rows, target]] + slots[rows, source]] = 1
    return choices


@lru_cache(_MOST_USED)
def _used(text: str) -> tuple[int, ...] | None:
    """How many vertices a matrix has, and those between input and output; None for what is no matrix."""
    if _ROWS.fullmatch(text) is None:
        return None
    matrix = json.loads(text)
    n = len(matrix)
    if n > MAX_VERTICES or any(len(row) != n for row in matrix):
        return None
    edges = [(s, t) for s in range(n) for t in range(s + 1, n) if matrix[s][t]]
    return (n, *sorted(on_paths(edges, (0,), (n - 1,))))


def _pairs() -> Iterator[tuple[int, int]]:
    return ((source, target) for target in range(1, MAX_VERTICES) for source in range(target))


def _edge(bits: npt.NDArray[np.uint32], source: int, target: int) -> npt.NDArray[np.uint8]:
    return ((bits >> np.uint32(source + target * (target - 1) // 2)) & np.uint32(1)).astype(np.uint8)


def _vertices(prefix: IntArray) -> tuple[BoolArray, BoolArray]:
    """Which vertices 0 to 5 the input reaches, and which of these lead nowhere yet; each ``(B, 6)``."""
    decided = [(place, edge) for place, edge in _OWNER.items() if place < prefix.shape[1]]
    present = np.zeros((len(prefix), MAX_VERTICES), dtype=bool)
    present[:, 0] = True
    read = np.zeros_like(present)
    for place, (source, target) in decided:
        edge = prefix[:, place] == 1
        present[:, target] |= edge
        read[:, source] |= edge
    return present[:, :_LAST], (present & ~read)[:, :_LAST]


def _prune(n: int, edges: list[tuple[int, int]]) -> tuple[list[int], list[tuple[int, int]]]:
    """Vertices between input and output, and their edges renumbered; no edges where unconnected."""
    kept = sorted(on_paths(edges, (0,), (n - 1,)))
    place = {old: new for new, old in enumerate(kept)}
    return kept, [(place[s], place[t]) for s, t in edges if s in place and t in place]


def _matrix(n: int, edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    matrix = [[0] * n for _ in range(n)]
    for source, target in edges:
        matrix[source][target] = 1
    return matrix


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
