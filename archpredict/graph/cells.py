"""Cells of many graphs side by side, and dynamic programmes along their edges: all nodes of one step together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from archpredict._typing import AnyArray
from archpredict.graph.packed import PackedGraphs

_MOST_PATHS = 1e150  # counts of paths stop here, so that sums of products of two counts are finite


@dataclass(frozen=True, eq=False)
class JoinedCells:
    """The cells of a few graphs side by side: ``C`` of them with ``T`` nodes and ``E`` edges in all."""

    num: int  # C, cells without nodes among them
    op: AnyArray  # (T,)
    cell: AnyArray  # (T,) the node's cell among the C
    position: AnyArray  # (T,) the node's number in its graph; every edge leads to a later one
    source: AnyArray  # (E,) among the T nodes
    target: AnyArray  # (E,)
    in_degree: AnyArray  # (T,)
    out_degree: AnyArray  # (T,)

    @classmethod
    def of(cls, packed: PackedGraphs, begin: int, end: int, num_cells: int) -> JoinedCells:
        """Those of the graphs from begin to end; edges from cell to cell are left out."""
        start, edge_start = packed.node_start[begin : end + 1], packed.edge_start[begin : end + 1]
        nodes, edges = slice(start[0], start[-1]), slice(edge_start[0], edge_start[-1])
        first = start[:-1] - start[0]
        cell = np.repeat(np.arange(end - begin) * num_cells, np.diff(start)) + packed.cell[nodes]
        position = np.arange(len(cell)) - np.repeat(first, np.diff(start))
        shift = np.repeat(first, np.diff(edge_start))
        source, target = shift + packed.source[edges], shift + packed.target[edges]
        inside = cell[source] == cell[target]
        source, target = source[inside], target[inside]
        in_degree, out_degree = (np.bincount(ends, minlength=len(cell)) for ends in (target, source))
        return cls((end - begin) * num_cells, packed.op[nodes], cell, position, source, target, in_degree, out_degree)

    def total(self, values: AnyArray) -> AnyArray:
        """(C,) sum over each cell's nodes."""
        return np.bincount(self.cell, values, minlength=self.num)


def pieces(node_start: AnyArray, most_nodes: int, num_cells: int) -> Iterator[tuple[int, int]]:
    """Ranges of graphs that are worked on together: at least one graph, else at most so many nodes and cells."""
    begin, graphs = 0, len(node_start) - 1
    while begin < graphs:
        fitting = int(np.searchsorted(node_start, node_start[begin] + most_nodes, side="right")) - 1
        end = max(begin + 1, min(fitting, begin + most_nodes // num_cells))
        yield begin, end
        begin = end


def _argsort(keys: AnyArray) -> AnyArray:
    """Stable order of numbers from 0; where they fit into 16 bits numpy has a radix sort, several times faster."""
    return np.argsort(keys.astype(np.uint16) if keys.max(initial=0) < 1 << 16 else keys, kind="stable")


def _runs(values: AnyArray) -> list[tuple[int, int]]:
    """Begin and end of each run of equal numbers from 0."""
    return list(pairwise(np.flatnonzero(np.diff(values, prepend=-1, append=-1)).tolist()))


class Sweep:
    """A dynamic programme along the edges, all nodes of one step together.

    The nodes of a step stand side by side, those with most predecessors first. So the first predecessors of all of
    them belong to the step's first nodes, one by one, the second predecessors to the first few of those, and so on:
    the programme is made of additions and maxima of adjacent rows.

    Args:
        step: (T,) step of each node; edges lead to a later step.
        source, target: (E,) ends of the edges.
    """

    def __init__(self, step: AnyArray, source: AnyArray, target: AnyArray) -> None:
        degree = np.bincount(target, minlength=len(step))
        most = int(degree.max(initial=0)) + 1
        self._order = _argsort(step * most + (most - 1 - degree))
        self.place = np.empty_like(self._order)  # (T,) row of each node in what the methods return
        self.place[self._order] = np.arange(len(step))
        step, degree = step[self._order], degree[self._order]
        by_target = _argsort(self.place[target])
        target = self.place[target][by_target]
        which = np.arange(len(target)) - (np.cumsum(degree) - degree)[target]  # first, second ... predecessor
        turn = step[target] * most + which
        by_turn = _argsort(turn)
        turn = turn[by_turn]
        self._source = self.place[source][by_target][by_turn]
        arriving: dict[int, list[tuple[int, int]]] = {}
        for begin, end in _runs(turn):
            arriving.setdefault(int(turn[begin]) // most, []).append((begin, end))
        self._steps = [(begin, end, arriving.get(int(step[begin]), [])) for begin, end in _runs(step)]

    def longest(self, row: AnyArray, add: AnyArray, start: AnyArray) -> AnyArray:
        """(T, K) ``x[v] = add[row[v]] + max of x[u] over predecessors u``, or ``start`` in its place without any."""
        return self._run(row, add, start, np.maximum, np.add)

    def count(self, row: AnyArray, factor: AnyArray) -> AnyArray:
        """(T, K) ``x[v] = factor[row[v]] * sum of x[u] over predecessors u``, or 1 in its place without any."""
        return self._run(row, factor, np.ones(factor.shape[1]), np.add, _multiply)

    def _run(self, row: AnyArray, table: AnyArray, start: AnyArray, combine: Any, extend: Any) -> AnyArray:
        state = np.empty((len(row), table.shape[1]), dtype=table.dtype)
        row = row[self._order]
        for begin, end, arriving in self._steps:
            fed = begin
            for i, (a, b) in enumerate(arriving):
                values = state[self._source[a:b]]
                if i:
                    combine(state[begin : begin + b - a], values, out=state[begin : begin + b - a])
                else:
                    fed = begin + b - a
                    state[begin:fed] = values
            state[fed:end] = start
            extend(state[begin:end], table[row[begin:end]], out=state[begin:end])
        return state


def _multiply(counts: AnyArray, factor: AnyArray, out: AnyArray) -> None:
    np.multiply(counts, factor, out=out)
    np.minimum(out, _MOST_PATHS, out=out)
