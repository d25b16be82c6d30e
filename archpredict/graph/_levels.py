"""What a sweep over a batch needs: the order in which it visits the nodes, and rows that come in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archpredict._typing import IntArray
from archpredict.graph.packed import PackedGraphs


@dataclass(frozen=True, eq=False)
class Levels:
    """Packed graphs' nodes level by level, each after all its predecessors (reversed: successors).

    Args:
        order: ``(T,)`` all nodes, level by level.
        sizes: Number of nodes of each level.
        senders: For each level's arriving edges the places in ``order`` of the nodes that they come from.
        receivers: For the same edges which of the level's nodes they go to.
    """

    order: IntArray
    sizes: list[int]
    senders: list[IntArray]
    receivers: list[IntArray]

    @classmethod
    def of(cls, packed: PackedGraphs, *, reverse: bool = False) -> Levels:
        """Those of packed graphs."""
        offset = np.repeat(packed.node_start[:-1], np.diff(packed.edge_start))
        source, target = packed.source + offset, packed.target + offset
        when = packed.target
        if reverse:
            last = np.int64(np.diff(packed.node_start).max(initial=1) - 1)
            source, target, when = target, source, last - packed.source
        level = _longest_distance(source, target, when, len(packed.op))
        order = np.argsort(level, kind="stable")
        listed = np.empty_like(order)  # where in that order each node is
        listed[order] = np.arange(len(order))
        start = np.searchsorted(level[order], np.arange(level.max(initial=-1) + 2))
        edges = np.argsort(level[target], kind="stable")
        edge_start = np.searchsorted(level[target][edges], np.arange(len(start)))
        arriving = [edges[begin:end] for begin, end in pairwise(edge_start.tolist())]
        return cls(
            order,
            np.diff(start).tolist(),
            [listed[source[at]] for at in arriving],
            [listed[target[at]] - begin for at, begin in zip(arriving, start.tolist(), strict=False)],
        )


class Rows:
    """Rows that come in pieces and are read all the time: written in place where no gradient needs the old ones."""

    def __init__(self, total: int) -> None:
        self._total, self._filled = total, 0
        self._pieces: list[Tensor] = []
        self._buffer: Tensor | None = None

    def append(self, rows: Tensor) -> None:
        if torch.is_grad_enabled():
            self._pieces.append(rows)
            return
        if self._buffer is None:
            self._buffer = rows.new_empty(self._total, rows.shape[1])
        self._buffer[self._filled : self._filled + len(rows)] = rows
        self._filled += len(rows)

    def all(self) -> Tensor:
        return torch.cat(self._pieces) if self._buffer is None else self._buffer


def _longest_distance(source: IntArray, target: IntArray, when: npt.NDArray[Any], nodes: int) -> IntArray:
    """Longest distance of each node from one without predecessor.

    Args:
        source: ``(E,)`` where edges begin.
        target: ``(E,)`` where they end.
        when: ``(E,)`` position of the target in a topological numbering of its graph.
        nodes: Number of nodes.
    """
    distance = np.zeros(nodes, dtype=np.int64)
    order = np.argsort(when, kind="stable")
    for at in np.split(order, np.flatnonzero(np.diff(when[order])) + 1):
        np.maximum.at(distance, target[at], distance[source[at]] + 1)
    return distance
