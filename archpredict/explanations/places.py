"""Where two architectures of a space differ: a node or an edge, in words and as a place in a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from archpredict.graph.arch_graph import DATA, ArchGraph
from archpredict.graph.pictures.cells import cells_of

__all__ = ["Place", "place_of"]

_ABSENT, _PRESENT = "absent", "present"
_Edge = tuple[int, int, str]


@dataclass(frozen=True)
class Place:
    """What one graph has otherwise than another one, where that is in one place.

    Nodes are counted within their cell, from 0.

    Args:
        where: In words, such as ``normal cell: edge 0→2``.
        before: What stands there.
        after: What stands there in the other graph.
        node: Number of the node in the graph, where it is one.
        edge: Number of the edge in the graph, where it is one.
        new_edge: Ends of an edge that the graph lacks, where it is one.
    """

    where: str
    before: str
    after: str
    node: int | None = None
    edge: int | None = None
    new_edge: tuple[int, int] | None = None

    @property
    def is_nowhere(self) -> bool:
        """Whether it is neither a node nor an edge."""
        return self.node is None and self.edge is None and self.new_edge is None

    def __str__(self) -> str:
        """The place and what becomes of it."""
        return f"{self.where}: {self.before} → {self.after}"


def place_of(before: ArchGraph, after: ArchGraph) -> Place | None:
    """The one place in which two graphs differ: a node's or an edge's operator, an edge, what a node reads, a chain.

    Args:
        before: A graph.
        after: Another one, whose nodes have the same order.

    Returns:
        None where they differ in several places, or in none.

    Example:
        >>> nodes = ("input", "sum", "output")
        >>> one = ArchGraph(nodes, ((0, 1), (1, 2)), ("conv", "pool"))
        >>> print(place_of(one, ArchGraph(nodes, ((0, 1), (1, 2)), ("conv", "skip"))))
        edge 1→2: pool → skip
        >>> print(place_of(one, ArchGraph(nodes, ((0, 1), (1, 2), (0, 2)), ("conv", "pool", "conv"))))
        edge 0→2: absent → conv
    """
    if before.cells != after.cells or len(before.ops) != len(after.ops):
        return _inserted(before, after)
    nodes = [v for v, (a, b) in enumerate(zip(before.ops, after.ops, strict=True)) if a != b]
    ours, theirs = _edges(before), _edges(after)
    gone, new = list((Counter(ours) - Counter(theirs)).elements()), list((Counter(theirs) - Counter(ours)).elements())
    if nodes:
        (v, *others) = nodes
        if others or gone or new:
            return None
        return Place(_node(before, v), before.ops[v], after.ops[v], node=v)
    return _changed_edges(before, gone, new)


def _changed_edges(graph: ArchGraph, gone: Sequence[_Edge], new: Sequence[_Edge]) -> Place | None:
    """The place of edges of a graph that are gone, and others that are new."""
    if not gone and len(new) == 1:
        source, target, op = new[0]
        label = _PRESENT if op == DATA else op
        return Place(_edge(graph, source, target), _ABSENT, label, new_edge=(source, target))
    if len(gone) == 1 and (not new or (len(new) == 1 and new[0][:2] == gone[0][:2])):
        source, target, op = gone[0]
        edge = _edges(graph).index(gone[0])
        if not new:
            return Place(_edge(graph, source, target), _PRESENT if op == DATA else op, _ABSENT, edge=edge)
        return Place(_edge(graph, source, target), op, new[0][2], edge=edge)
    return _rewired(graph, gone, new)


def _rewired(graph: ArchGraph, gone: Sequence[_Edge], new: Sequence[_Edge]) -> Place | None:
    """A node that reads other ones, by the same operators; what else then has a reader or none is no difference."""
    moved, arrived = ([edge for edge in edges if edge[2] != DATA] for edges in (gone, new))
    if not moved:
        moved, arrived = list(gone), list(new)
    targets = {target for _, target, _ in (*moved, *arrived)}
    if len(targets) != 1 or sorted(op for *_, op in moved) != sorted(op for *_, op in arrived):
        return None
    (node,) = targets
    _, nodes = _cell(graph, node)
    numbers = [" and ".join(str(nodes.index(s)) for s, _, _ in sorted(edges)) for edges in (moved, arrived)]
    return Place(_node(graph, node), f"reads {numbers[0]}", f"reads {numbers[1]}", node=node)


def _inserted(before: ArchGraph, after: ArchGraph) -> Place | None:
    """Nodes that one cell has more or less."""
    ours, theirs = cells_of(before), cells_of(after)
    if [title for title, _ in ours] != [title for title, _ in theirs]:
        return None
    pairs = [
        (title, [before.ops[v] for v in nodes], [after.ops[v] for v in others])
        for (title, nodes), (_, others) in zip(ours, theirs, strict=True)
    ]
    different = [pair for pair in pairs if pair[1] != pair[2]]
    if len(different) != 1:
        return None
    ((title, one, other),) = different
    codes = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    steps = [(one[i:j], other[k:m]) for kind, i, j, k, m in codes if kind != "equal"]
    gone, new = (" ".join(label for step in steps for label in step[side]) or "nothing" for side in (0, 1))
    return Place(title or "nodes", gone, new)


def _edges(graph: ArchGraph) -> list[_Edge]:
    labels = graph.edge_ops or (DATA,) * graph.num_edges
    return [(source, target, op) for (source, target), op in zip(graph.edges, labels, strict=True)]


def _node(graph: ArchGraph, v: int) -> str:
    title, nodes = _cell(graph, v)
    return f"{title}node {nodes.index(v)}"


def _edge(graph: ArchGraph, source: int, target: int) -> str:
    title, nodes = _cell(graph, target)
    start = nodes.index(source) if source in nodes else source
    return f"{title}edge {start}→{nodes.index(target)}"


def _cell(graph: ArchGraph, v: int) -> tuple[str, list[int]]:
    title, nodes = next((title, nodes) for title, nodes in cells_of(graph) if v in nodes)
    return (f"{title}: " if title else ""), nodes
