"""The paths through each cell of a graph, by the operators along them: what the path encoding is made of."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from archpredict.graph.packed import PackedGraphs

Path = tuple[int, ...]
"""A cell, then the numbers of the operators along a path through it."""


_LONGEST = 64
"""Operators of a path that are told apart, counted from its end, so that a graph of thousands of nodes takes little."""


def labelled_paths(graphs: PackedGraphs, most: int = 256) -> Iterator[set[Path]]:
    """The distinct paths through each of many graphs, as the operators along them.

    A path through a cell runs from a node that hears no other of its cell to one that no other of its cell hears; of
    more than 64 operators the last 64 count. Equal for isomorphic graphs.

    Args:
        graphs: With operations on nodes.
        most: Longest list of distinct paths that end at one node: where there are more, the shortest are kept.

    Yields:
        Of each graph, the paths: its cell and the operators' numbers, those of both ends included.

    Example:
        >>> from archpredict.graph.arch_graph import ArchGraph
        >>> skip = ArchGraph(("in", "conv", "out"), ((0, 1), (1, 2), (0, 2)))
        >>> [paths] = labelled_paths(PackedGraphs.from_graphs([skip], ("conv", "in", "out")))
        >>> sorted(paths)
        [(0, 2, 1, 3), (0, 2, 3)]
    """
    for i in range(len(graphs)):
        nodes = slice(*graphs.node_start[i : i + 2].tolist())
        edges = slice(*graphs.edge_start[i : i + 2].tolist())
        ends = np.stack([graphs.source[edges], graphs.target[edges]], axis=1).tolist()
        yield _paths(graphs.op[nodes].tolist(), graphs.cell[nodes].tolist(), ends, most)


def _paths(ops: list[int], cells: list[int], edges: list[list[int]], most: int) -> set[Path]:
    before: list[set[int]] = [set() for _ in ops]
    ends = [True] * len(ops)
    for source, target in edges:
        if cells[source] == cells[target]:
            before[target].add(source)
            ends[source] = False
    arriving: list[set[Path]] = []
    for v, op in enumerate(ops):  # edges run from earlier to later nodes
        begun: set[Path] = set() if before[v] else {(cells[v], op)}
        here = begun | {_longer(path, op) for u in before[v] for path in arriving[u]}
        if len(here) > most:
            here = set(islice(sorted(here, key=lambda path: (len(path), path)), most))
        arriving.append(here)
    return {path for v, is_end in enumerate(ends) if is_end for path in arriving[v]}


def _longer(path: Path, op: int) -> Path:
    return (*path, op) if len(path) <= _LONGEST else (path[0], *path[2:], op)
