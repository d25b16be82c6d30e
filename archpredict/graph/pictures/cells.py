"""Pictures of cells and of chains, as search spaces decode them."""

from __future__ import annotations

from collections.abc import Sequence

from archpredict.graph.arch_graph import DATA, SUM, ArchGraph
from archpredict.graph.pictures.kinds import kind_of
from archpredict.graph.pictures.picture import Box, Group, operator_box

__all__ = ["picture_of_cells"]

_TWO_CELLS = ("normal cell", "reduction cell")
_AS_PUBLISHED = {"input0": "c_{k-2}", "input1": "c_{k-1}", "output": "c_{k}"}
"""States of cells that read two others, as publications call them."""


def picture_of_cells(graph: ArchGraph) -> Group:
    """The cells of an architecture side by side; a chain with a column for each of its stages.

    Operations on edges are boxes between round states.

    Example:
        >>> graph = ArchGraph(("input", "output"), ((0, 1),), ("nor_conv_3x3",))
        >>> [box.lines[0] for box in picture_of_cells(graph).items]
        ['input', 'output', 'nor_conv_3x3']
    """
    cells = [[v for v in range(graph.num_nodes) if graph.cells[v] == cell] for cell in range(graph.num_cells)]
    cells = [nodes for nodes in cells if nodes]
    if len(cells) == 1:
        return _cell(graph, cells[0], "")
    of = {v: i for i, nodes in enumerate(cells) for v in nodes}
    arrows = sorted({(of[s], of[t]) for s, t in graph.edges if of[s] != of[t]})
    titles = _TWO_CELLS if len(cells) == 2 and not arrows else [f"stage {i + 1}" for i in range(len(cells))]
    groups = [_cell(graph, nodes, title) for nodes, title in zip(cells, titles, strict=True)]
    return Group(tuple(groups), tuple([(s, t) for s, t in arrows if s < t]), across=True)


def _cell(graph: ArchGraph, nodes: Sequence[int], title: str) -> Group:
    place = {v: i for i, v in enumerate(nodes)}
    items = _states(graph, nodes) if graph.edge_ops is not None else [_node(graph.ops[v]) for v in nodes]
    arrows: dict[tuple[int, int], None] = {}
    for (source, target), op in zip(graph.edges, graph.edge_ops or (DATA,) * graph.num_edges, strict=True):
        if source not in place or target not in place:
            continue
        if op == DATA:
            arrows[place[source], place[target]] = None
        else:
            items.append(operator_box(op))
            arrows[place[source], len(items) - 1] = None
            arrows[len(items) - 1, place[target]] = None
    return Group(tuple(items), tuple(arrows), title)


def _node(label: str) -> Box:
    return Box((label,), kind_of(label), is_state=kind_of(label) == "state")


def _states(graph: ArchGraph, nodes: Sequence[int]) -> list[Box]:
    """The states of a cell: sums are numbered, the rest has its label."""
    published = {"input0", "input1"} <= {graph.ops[v] for v in nodes}
    found, sums = [], 0
    for v in nodes:
        text = graph.ops[v]
        if text == SUM:
            text, sums = str(sums), sums + 1
        elif published:
            text = _AS_PUBLISHED.get(text, text)
        found.append(Box((text,), "state", is_state=True))
    return found
