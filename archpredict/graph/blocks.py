"""Blocks: parts of a network that are written once and copied, as networks of cells have them many times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Name = tuple[str, int]
"""What a node is called, and how many nodes of its scope were called so before."""


@dataclass(frozen=True)
class Block:
    """A block: nodes that follow each other and read each other or what the block was given.

    Places count from the block's first node; -1 is the first node that it was given, -2 the second, and so on.

    Args:
        nodes: Numbers of the operations of its ``n`` nodes.
        names: Of the nodes, without the scope that the block is in.
        edges: ``(source, target)``.
        result: What the block gives.
        shared: Nodes without weights, each with the number of its operation and what it reads: where another node
            computes the same, both are one.
    """

    nodes: tuple[int, ...]
    names: tuple[Name, ...]
    edges: tuple[tuple[int, int], ...]
    result: int
    shared: tuple[tuple[int, int, tuple[int, ...]], ...]

    @classmethod
    def of(
        cls,
        nodes: Sequence[int],
        shared: Sequence[bool],
        names: Sequence[Name],
        edges: Sequence[tuple[int, int]],
        begin: int,
        given: Sequence[int],
        result: int,
    ) -> Block | None:
        """The block of the last nodes of a network; None where they read others than those that were given.

        Args:
            nodes: Numbers of the operations of all nodes of the block.
            shared: Whether a node is one with any other that computes the same.
            names: Theirs, without the scope of the block.
            edges: All edges to them.
            begin: The first of them in the network.
            given: Nodes of the network that the block was given.
            result: The node of the network that the block gives.
        """
        place = {x: -1 - k for k, x in reversed([*enumerate(given)])}
        place |= {begin + i: i for i in range(len(nodes))}
        if result not in place or any(source not in place for source, _ in edges):
            return None
        inner = [(place[source], place[target]) for source, target in edges]
        reads: list[list[int]] = [[] for _ in nodes]
        for source, target in inner:
            reads[target].append(source)
        known = [(i, nodes[i], tuple(reads[i])) for i, is_shared in enumerate(shared) if is_shared]
        return cls(tuple(nodes), tuple(names), tuple(inner), place[result], tuple(known))

    def places(self, begin: int, given: Sequence[int]) -> list[int]:
        """Nodes of a network by their place in the block, if it begins there and is given these."""
        return [*range(begin, begin + len(self.nodes)), *reversed(given)]
