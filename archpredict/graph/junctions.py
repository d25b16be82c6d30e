"""Junctions: the nodes of a graph where paths begin or meet, between which it is a forest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from archpredict._typing import BoolArray, IntArray

Level = tuple[IntArray, IntArray, IntArray]
"""Junctions, the sources of all edges to them, and where the edges to each begin among these."""


@dataclass(frozen=True, eq=False)
class Junctions:
    """The junctions of directed acyclic graphs of ``T`` nodes in all.

    A node that reads one other node only carries on what that gives. So whatever runs along paths needs a step for each
    level of junctions, not for each level of nodes: between junctions it is a sum over part of a tree.

    Args:
        source, target: ``(E,)`` ends of the edges, by target in ascending order; source < target.
        parent: ``(T,)`` the only node that a node reads, or itself for a junction.

    Example:
        >>> chain_and_skip = np.array([0, 1, 0, 2]), np.array([1, 2, 3, 3])
        >>> junctions = Junctions.of(*chain_and_skip, np.array([True, False, False, True]))
        >>> junctions.root, junctions.sums_behind(np.ones(4))
        (array([0, 0, 0, 3]), array([0., 1., 2., 0.]))
        >>> junctions.levels
        [(array([3]), array([0, 2]), array([0]))]
    """

    source: IntArray
    target: IntArray
    parent: IntArray

    @classmethod
    def of(cls, source: IntArray, target: IntArray, are: BoolArray) -> Junctions:
        """The junctions that some nodes are; all others read one node each.

        Args:
            source: ``(E,)`` where edges begin.
            target: ``(E,)`` where they end, in ascending order.
            are: ``(T,)`` whether a node is a junction.
        """
        parent = np.arange(len(are))
        carries = ~are[target]
        parent[target[carries]] = source[carries]
        return cls(source[~carries], target[~carries], parent)

    @cached_property
    def root(self) -> IntArray:
        """``(T,)`` the last junction before each node, or itself."""
        root, further = self.parent, self.parent[self.parent]
        while not np.array_equal(root, further):
            root, further = further, further[further]
        return root

    def sums_behind(self, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """``(T, ...)`` sums of the weights of all nodes behind each node's root, with its own; 0 for junctions."""
        total, pointer = weights.copy(), self.parent
        total[pointer == np.arange(len(pointer))] = 0
        while not np.array_equal(pointer, self.root):
            total += total[pointer]  # twice as many nodes of the way as before
            pointer = pointer[pointer]
        return total

    @cached_property
    def levels(self) -> list[Level]:
        """Junctions with edges to them, level by level: each after all that it depends on."""
        level = [0] * len(self.parent)
        for before, node in zip(self.root[self.source].tolist(), self.target.tolist(), strict=True):
            if level[before] >= level[node]:
                level[node] = level[before] + 1
        of_edge = np.array(level, dtype=np.int64)[self.target]
        order = np.argsort(of_edge, kind="stable")
        ends = np.cumsum(np.bincount(of_edge)).tolist()
        found = []
        for begin, end in pairwise(ends):
            edges = order[begin:end]
            target = self.target[edges]
            begins = np.flatnonzero(np.diff(target, prepend=-1))
            found.append((target[begins], self.source[edges], begins))
        return found
