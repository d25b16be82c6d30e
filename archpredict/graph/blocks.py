"""Blocks: parts of a network that are written once and copied, as networks of cells have them many times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from archpredict.graph.operators import Operation


@dataclass(frozen=True)
class Block:
    """A block: nodes that follow each other and read each other or what the block was given.

    Places count from the block's first node; -1 is the first node that it was given, -2 the second, and so on.

    Args:
        nodes: Numbers of the operations of its ``n`` nodes.
        scopes: Of the nodes, inside the one that the block is in.
        edges: ``(source, target)``.
        result: What the block gives.
        shared: Nodes without weights that another node may be one with, as it reads the same: what the block was given,
            what it gives, or others of these. Each with the number of its operation and what it reads.
    """

    nodes: tuple[int, ...]
    scopes: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    result: int
    shared: tuple[tuple[int, int, tuple[int, ...]], ...]

    def places(self, begin: int, given: Sequence[int]) -> list[int]:
        """Nodes of a network by their place in the block, if it begins there and is given these."""
        return [*range(begin, begin + len(self.nodes)), *reversed(given)]


@dataclass(frozen=True, eq=False)
class Written:
    """The last nodes of a network: a block, if it is asked for again.

    Args:
        operations: All distinct ones.
        nodes: Numbers of the operations of the nodes.
        scopes: Of the nodes, whole.
        width: Letters of the scope that the block is in.
        edges: All edges to the nodes.
        begin: The first of them in the network.
        given: Nodes of the network that the block was given.
        result: The node of the network that the block gives.
    """

    operations: Sequence[Operation]
    nodes: Sequence[int]
    scopes: Sequence[str]
    width: int
    edges: Sequence[tuple[int, int]]
    begin: int
    given: Sequence[int]
    result: int

    @cached_property
    def block(self) -> Block | None:
        """The block; None where its nodes read others than those that were given."""
        place = {x: -1 - k for k, x in reversed([*enumerate(self.given)])}
        place |= {self.begin + i: i for i in range(len(self.nodes))}
        if self.result not in place or any(source not in place for source, _ in self.edges):
            return None
        inner = tuple([(place[source], place[target]) for source, target in self.edges])
        result, reads = place[self.result], [list[int]() for _ in self.nodes]
        for source, target in inner:
            reads[target].append(source)
        shared = dict[int, tuple[int, int, tuple[int, ...]]]()
        for i, (number, sources) in enumerate(zip(self.nodes, reads, strict=True)):
            is_met = all(source < 0 or source == result or source in shared for source in sources)
            if is_met and not self.operations[number].weight:
                shared[i] = i, number, tuple(sources)
        scopes = tuple([scope[self.width :] for scope in self.scopes])
        return Block(tuple(self.nodes), scopes, inner, result, tuple(shared.values()))
