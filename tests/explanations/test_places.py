"""Places: in words and numbers they say exactly what became of a graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from archpredict.explanations.places import Place, place_of
from archpredict.graph.arch_graph import DATA, ArchGraph
from archpredict.registry import names
from archpredict.spaces.base import SearchSpace, load_space
from archpredict.spaces.darts import with_none


def outlines(space: SearchSpace, seed: int) -> list[tuple[ArchGraph, ArchGraph]]:
    """An architecture beside each one that is a choice away."""
    (row,) = space.sample(1, np.random.default_rng(seed)).tolist()
    return [(space.outline(row), space.outline(other)) for other in space.neighbours(row).tolist()]


def applied(graph: ArchGraph, place: Place) -> ArchGraph | None:
    """The graph with what stands there afterwards; None where the place is no single label or edge."""
    labels = list(graph.edge_ops or (DATA,) * graph.num_edges)
    edges = list(graph.edges)
    ops = list(graph.ops)
    if place.node is not None and place.before == ops[place.node]:
        ops[place.node] = place.after
    elif place.edge is not None and place.after == "absent":
        del edges[place.edge], labels[place.edge]
    elif place.edge is not None:
        labels[place.edge] = place.after
    elif place.new_edge is not None:
        edges.append(place.new_edge)
        labels.append(DATA if place.after == "present" else place.after)
    else:
        return None
    return replace(graph, ops=tuple(ops), edges=tuple(edges), edge_ops=graph.edge_ops and tuple(labels))


@pytest.mark.parametrize("name", names("spaces"))
def test_what_is_told_makes_one_graph_of_the_other(name: str) -> None:
    checked = 0
    for before, after in outlines(load_space(name), 1):
        place = place_of(before, after)
        made = None if place is None else applied(before, place)
        if made is not None:
            assert made.key == after.key
            checked += 1
    assert checked > 3


@pytest.mark.parametrize("name", names("spaces"))
def test_the_way_back_is_at_the_same_place(name: str) -> None:
    for before, after in outlines(load_space(name), 2):
        there, back = place_of(before, after), place_of(after, before)
        assert (there is None) == (back is None)
        if there is not None and back is not None:
            assert (back.where, back.before, back.after) == (there.where, there.after, there.before)


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "darts", "enas", "enas-micro"])
def test_every_change_of_a_cell_is_at_one_node_or_edge(name: str) -> None:
    places = [place_of(before, after) for seed in (0, 1) for before, after in outlines(load_space(name), seed)]
    assert all(p is not None and {p.node, p.edge, p.new_edge} != {None} for p in places)


def test_a_change_of_a_darts_cell_names_cell_and_edge() -> None:
    space = load_space("darts")
    choices = [0, 3, 3] * 8
    told = {str(place_of(space.outline(choices), space.outline(row))) for row in space.neighbours(choices).tolist()}
    assert "normal cell: edge 0→2: sep_conv_3x3 → skip_connect" in told
    assert "reduction cell: node 5: reads 1 → reads 3" in told


def test_nodes_that_are_there_once_more_are_told_by_their_stage() -> None:
    space = load_space("mobilenetv3")
    small, large = (space.from_text(f"r160 | k3e3 k5e6{more} | k3e4 k3e3 | k3e3 k3e3 | k5e6 k3e3 | k3e6 k3e6").graph
                    for more in ("", " k3e3"))  # fmt: skip
    assert str(place_of(small, large)) == "stage 1: nothing → mb3_e3"


def test_equal_graphs_and_very_different_ones_have_no_place() -> None:
    space = load_space("nasbench201")
    one, other = space.outline([0, 1, 2, 3, 4, 0]), space.outline([3, 1, 2, 3, 4, 3])
    assert place_of(one, one) is None
    assert place_of(one, other) is None


@pytest.mark.parametrize("space", [load_space("nasbench201"), with_none()], ids=str)
def test_an_outline_less_what_has_no_effect_is_the_architecture(space: SearchSpace) -> None:
    ends = {"input", "input0", "input1", "output"}
    for row in space.sample(30, np.random.default_rng(0)).tolist():
        outline = space.outline(row)
        labels = zip(outline.edges, outline.edge_ops or (), strict=True)
        edges = [(source, target, op) for (source, target), op in labels if op != "none"]
        while True:  # cut off what nothing feeds or nothing reads, until all is on a path
            fed = {t for _, t, _ in edges} | {v for v, op in enumerate(outline.ops) if op.startswith("input")}
            read = {s for s, _, _ in edges} | {v for v, op in enumerate(outline.ops) if op == "output"}
            kept = [edge for edge in edges if edge[0] in fed and edge[1] in read]
            if kept == edges:
                break
            edges = kept
        used = {v for s, t, _ in edges for v in (s, t)}
        nodes = [v for v, op in enumerate(outline.ops) if v in used or op in ends]
        graph = space.decode(row)
        assert [outline.ops[v] for v in nodes] == list(graph.ops)
        there = [(nodes.index(s), nodes.index(t)) for s, t, _ in edges]
        assert sorted(zip(there, [op for *_, op in edges], strict=True)) == sorted(
            zip(graph.edges, graph.edge_ops or (), strict=True)
        )
