"""Pictures of cells and of chains, as search spaces decode them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from archpredict.graph.arch_graph import DATA, SUM, ArchGraph
from archpredict.graph.pictures.kinds import kind_of
from archpredict.graph.pictures.picture import Box, Group, Note, Notes, operator_box

__all__ = ["cells_of", "picture_of_cells"]

_TWO_CELLS = ("normal cell", "reduction cell")
_AS_PUBLISHED = {"input0": "c_{k-2}", "input1": "c_{k-1}", "output": "c_{k}"}
"""States of cells that read two others, as publications call them."""
_EDGE, _ABSENT = "edge", "absent"
"""What is written on an edge without an operation, and on one that is not there."""


def picture_of_cells(graph: ArchGraph, notes: Notes | None = None) -> Group:
    """The cells of an architecture side by side; a chain with a column for each of its stages.

    Operations on edges are boxes between round states.

    Args:
        graph: An architecture's.
        notes: What is written beside nodes and edges; then nodes have the numbers that they have in their cell.

    Example:
        >>> graph = ArchGraph(("input", "output"), ((0, 1),), ("nor_conv_3x3",))
        >>> [box.lines[0] for box in picture_of_cells(graph).items]
        ['input', 'output', 'nor_conv_3x3']
    """
    cells = cells_of(graph)
    groups = [_cell(graph, nodes, title, notes) for title, nodes in cells]
    if len(groups) == 1:
        return groups[0]
    return Group(tuple(groups), tuple(_between(graph, [nodes for _, nodes in cells])), across=True)


def cells_of(graph: ArchGraph) -> list[tuple[str, list[int]]]:
    """Each cell that has nodes: what it is called where there are several, and its nodes.

    Example:
        >>> cells_of(ArchGraph(("input", "conv", "output"), ((0, 1), (1, 2)), cells=(0, 0, 1)))
        [('stage 1', [0, 1]), ('stage 2', [2])]
    """
    cells = [[v for v in range(graph.num_nodes) if graph.cells[v] == cell] for cell in range(graph.num_cells)]
    cells = [nodes for nodes in cells if nodes]
    if len(cells) == 1:
        return [("", cells[0])]
    are_two = len(cells) == 2 and not _between(graph, cells)
    titles = _TWO_CELLS if are_two else [f"stage {i + 1}" for i in range(len(cells))]
    return list(zip(titles, cells, strict=True))


def _between(graph: ArchGraph, cells: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Pairs of cells, the first of which feeds the second."""
    of = {v: i for i, nodes in enumerate(cells) for v in nodes}
    return sorted({(of[s], of[t]) for s, t in graph.edges if of[s] < of[t]})


def _cell(graph: ArchGraph, nodes: Sequence[int], title: str, notes: Notes | None) -> Group:
    place = {v: i for i, v in enumerate(nodes)}
    items = _states(graph, nodes, notes) if graph.edge_ops is not None else [_node(graph.ops[v]) for v in nodes]
    if notes is not None:
        items = [
            _noted(_numbered(box, i), notes.nodes.get(v)) for i, (v, box) in enumerate(zip(nodes, items, strict=True))
        ]
    arrows: dict[tuple[int, int], None] = {}
    for (source, target), box in _on_edges(graph, notes):
        if source not in place or target not in place:
            continue
        if box is None:
            arrows[place[source], place[target]] = None
        else:
            items.append(box)
            arrows[place[source], len(items) - 1] = None
            arrows[len(items) - 1, place[target]] = None
    return Group(tuple(items), tuple(arrows), title)


def _on_edges(graph: ArchGraph, notes: Notes | None) -> Iterator[tuple[tuple[int, int], Box | None]]:
    """Edges with their box, None where there is nothing to write on one; edges that are only written about last."""
    labels = graph.edge_ops or (DATA,) * graph.num_edges
    for i, (edge, op) in enumerate(zip(graph.edges, labels, strict=True)):
        note = None if notes is None else notes.edges.get(i)
        if op != DATA:
            yield edge, _noted(operator_box(op), note)
        else:
            yield edge, None if note is None else _noted(Box((_EDGE,), "data"), note)
    for edge, note in () if notes is None else notes.new_edges.items():
        yield edge, _noted(Box((_ABSENT,), "block"), note)


def _noted(box: Box, note: Note | None) -> Box:
    return box if note is None else replace(box, notes=note.lines, mark=note.mark, hover=note.hover)


def _numbered(box: Box, number: int) -> Box:
    return replace(box, lines=(f"{number} {box.lines[0]}".rstrip(), *box.lines[1:]))


def _node(label: str) -> Box:
    return Box((label,), kind_of(label), is_state=kind_of(label) == "state")


def _states(graph: ArchGraph, nodes: Sequence[int], notes: Notes | None) -> list[Box]:
    """The states of a cell: sums are numbered, if not all nodes are, the rest has its label."""
    published = {"input0", "input1"} <= {graph.ops[v] for v in nodes}
    found, sums = [], 0
    for v in nodes:
        text = graph.ops[v]
        if text == SUM:
            text, sums = "" if notes is not None else str(sums), sums + 1
        elif published:
            text = _AS_PUBLISHED.get(text, text)
        found.append(Box((text,), "state", is_state=True))
    return found
