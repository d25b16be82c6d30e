"""Keys of packed graphs: colour refinement of many at once, as :attr:`ArchGraph.key` is of one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from archpredict._typing import IntArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.mixing import Keys, mixed, sums
from archpredict.graph.packed import PackedGraphs

__all__ = ["keys_of", "packed_keys"]


def packed_keys(graphs: PackedGraphs) -> Keys:
    """``(G, 2)`` keys, equal for isomorphic graphs, and for no others but by a chance of 128 bits.

    They tell apart what :attr:`ArchGraph.key <archpredict.graph.arch_graph.ArchGraph.key>` does, as every node's colour
    is refined by those of its neighbours in the same sweeps, until a graph has no more of them than before.

    Args:
        graphs: ``G`` graphs without features.

    Example:
        >>> from archpredict.graph.arch_graph import ArchGraph
        >>> ops = ("input", "conv", "pool", "output")
        >>> a = ArchGraph(ops, ((0, 1), (0, 2), (1, 3)))
        >>> b = ArchGraph(("input", "pool", "conv", "output"), ((0, 2), (0, 1), (2, 3)))
        >>> c = ArchGraph(ops, ((0, 1), (0, 2), (2, 3)))
        >>> keys = packed_keys(PackedGraphs.from_graphs([a, b, c], ops))
        >>> (keys[0] == keys[1]).all(), (keys[0] == keys[2]).any()
        (np.True_, np.False_)
    """
    return np.stack([_lane(graphs, lane) for lane in (0, 1)], axis=1)


def keys_of(graphs: Sequence[ArchGraph]) -> Keys:
    """``(G, 2)`` the same of graphs that are not packed yet, which may have attributes.

    Args:
        graphs: ``G`` graphs.
    """
    found = np.zeros((len(graphs), 2), dtype=np.uint64)
    for on_edges in (False, True):  # which cannot be packed together
        places = [i for i, graph in enumerate(graphs) if not graph.attrs and (graph.edge_ops is not None) == on_edges]
        some = [graphs[i] for i in places]
        labels = {label for graph in some for label in (*graph.ops, *(graph.edge_ops or ()))}
        found[places] = packed_keys(PackedGraphs.from_graphs(some, sorted(labels)))
    for i, graph in enumerate(graphs):
        if graph.attrs:  # which packed graphs do not have
            found[i] = np.frombuffer(bytes.fromhex(graph.key), dtype="<u8")
    return found


def _lane(graphs: PackedGraphs, lane: int) -> Keys:
    found = np.zeros(len(graphs), dtype=np.uint64)
    labels = _label_keys(graphs.vocabulary, lane)
    place = np.arange(len(graphs))
    number = np.zeros(len(graphs), dtype=np.int64)
    edges = _Edges(graphs, labels)
    colours = mixed(labels[graphs.op] + graphs.cell, 0)
    while len(place):
        now = _distinct(colours, graphs)
        done = now <= number
        if done.any():
            found[place[done]] = mixed(sums(mixed(colours, 2), graphs.node_start), 1)[done]
            colours = colours[np.repeat(~done, np.diff(graphs.node_start))]
            place, number, graphs = place[~done], now[~done], graphs[~done]
            if not len(place):
                break
            edges = _Edges(graphs, labels)
        else:
            number = now
        for sweep in edges.sweeps:
            colours = _swept(colours, sweep)
    return found


def _label_keys(vocabulary: tuple[str, ...], lane: int) -> Keys:
    """A key of each label, whatever its number is, and 0 for none."""
    digests = [hashlib.blake2b(label.encode(), digest_size=8, salt=bytes([lane])).digest() for label in vocabulary]
    return np.concatenate([np.zeros(1, dtype=np.uint64), np.frombuffer(b"".join(digests), dtype="<u8")])


def _distinct(colours: Keys, graphs: PackedGraphs) -> IntArray:
    """``(G,)`` how many colours the nodes of each graph have."""
    sizes = np.diff(graphs.node_start)
    table = np.repeat(colours[graphs.node_start[:-1]][:, None], sizes.max(initial=1), axis=1)  # (G, N)
    table[np.repeat(np.arange(len(graphs)), sizes), graphs.position] = colours
    table.sort(axis=1)
    return np.asarray(1 + (table[:, 1:] != table[:, :-1]).sum(axis=1))


_Sweep = list[tuple[IntArray, IntArray, npt.NDArray[np.uint64], IntArray]]
"""What is refined one after the other: nodes; the neighbours that they read, sorted by who reads; keys of the edges to
these; and where those of each node begin."""


class _Edges:
    """The edges of graphs, parallel ones as one, in the order in which colours go along them.

    Args:
        graphs: Graphs.
        labels: A key of each operator.
    """

    def __init__(self, graphs: PackedGraphs, labels: Keys) -> None:
        offset = np.repeat(graphs.node_start[:-1], np.diff(graphs.edge_start))
        source, target = graphs.source + offset, graphs.target + offset
        pairs, which = np.unique(source * len(graphs.op) + target, return_inverse=True)
        keys = np.zeros(len(pairs), dtype=np.uint64)
        np.add.at(keys, which, mixed(labels[graphs.edge_op], 1))
        source, target = np.divmod(pairs, max(1, len(graphs.op)))
        forward, backward = graphs.levels
        self.sweeps = [_sweep(source, target, keys, forward), _sweep(target, source, keys, backward)]


def _sweep(read: IntArray, reader: IntArray, keys: Keys, level: npt.NDArray[np.int32]) -> _Sweep:
    order = np.lexsort((reader, level[reader]))
    read, reader, keys = read[order], reader[order], keys[order]
    begins = np.flatnonzero(np.diff(reader, prepend=-1))
    nodes = reader[begins]
    found: _Sweep = []
    steps = [*np.flatnonzero(np.diff(level[nodes], prepend=-1)).tolist(), len(nodes)]
    ends = np.append(begins, len(read))
    for start, end in pairwise(steps):
        first, last = ends[start], ends[end]
        found.append((nodes[start:end], read[first:last], keys[first:last], begins[start:end] - first))
    return found


def _swept(colours: Keys, sweep: _Sweep) -> Keys:
    """New colours from the old ones and from the new ones of the neighbours, which come first."""
    swept = mixed(colours, 0)
    for nodes, read, keys, begins in sweep:
        arriving = np.add.reduceat(mixed(swept[read] + keys, 2), begins)
        swept[nodes] = mixed(colours[nodes] + mixed(arriving, 1), 0)
    return swept
