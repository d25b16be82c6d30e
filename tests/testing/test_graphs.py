"""The random graphs that other tests draw from."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import OPERATORS, check_computational, known_label
from archpredict.testing.graphs import (
    EDGE_OPS,
    arch_graphs,
    computational_graphs,
    random_computational_graph,
    relabelled,
    topological_orders,
)

_GRAPHS = st.one_of(arch_graphs(), arch_graphs(edge_ops=EDGE_OPS, cells=2))


@given(graph=arch_graphs(min_nodes=2, max_nodes=5, ops=("a", "b"), edge_ops=("x",), cells=3))
def test_graphs_keep_to_what_was_asked_for(graph: ArchGraph) -> None:
    assert 2 <= graph.num_nodes <= 5
    assert set(graph.ops) <= {"a", "b"}
    assert graph.edge_ops is not None
    assert set(graph.edge_ops) <= {"x"}
    assert graph.num_cells <= 3


@given(data=st.data(), graph=_GRAPHS)
def test_drawn_orders_are_topological(data: st.DataObject, graph: ArchGraph) -> None:
    order = data.draw(topological_orders(graph))
    place = {node: i for i, node in enumerate(order)}
    assert sorted(order) == list(range(graph.num_nodes))
    assert all(place[source] < place[target] for source, target in graph.edges)


@given(data=st.data(), graph=_GRAPHS)
def test_relabelled_graphs_are_isomorphic(data: st.DataObject, graph: ArchGraph) -> None:
    other = data.draw(relabelled(graph))
    assert graph.key == other.key
    assert graph.is_isomorphic(other)


@pytest.mark.parametrize(
    "condition",
    [
        lambda graph: len(set(graph.edges)) < graph.num_edges,
        lambda graph: len({v for edge in graph.edges for v in edge}) < graph.num_nodes,
        lambda graph: graph.num_cells == 2,
        lambda graph: "data" in graph.edge_ops and len(set(graph.edge_ops)) > 1,
    ],
    ids=["parallel edges", "isolated nodes", "two cells", "data edges among operations"],
)
def test_the_awkward_cases_are_among_them(condition) -> None:  # type: ignore[no-untyped-def]
    find(arch_graphs(edge_ops=EDGE_OPS, cells=2), condition)


@pytest.mark.parametrize("nodes", [2, 3, 8, 100, 3000])
def test_random_networks_have_the_size_asked_for_and_follow_from_the_seed(nodes: int) -> None:
    graph, again = (random_computational_graph(nodes, np.random.default_rng(4)) for _ in range(2))
    assert graph == again
    assert graph.num_nodes == nodes
    assert graph.ops[0] == "input"
    reached = {0}
    for source, target in sorted(graph.edges, key=lambda edge: edge[1]):
        assert source in reached
        reached.add(target)
    assert reached == set(range(nodes))


@given(graph=computational_graphs())
def test_drawn_networks_have_the_attributes_of_computational_graphs(graph: ArchGraph) -> None:
    check_computational(graph)
    assert {known_label(op) for op in graph.ops} <= set(OPERATORS)


def test_some_networks_have_lengths_and_operators_that_are_not_known() -> None:
    find(computational_graphs(), lambda graph: bool((graph.attrs["shape"] < 0).any()))
    find(computational_graphs(), lambda graph: any(op not in OPERATORS for op in graph.ops))


def test_without_hypothesis_the_message_names_the_extra() -> None:
    script = "import sys; sys.modules['hypothesis'] = None; import archpredict.testing.graphs"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "MissingDependencyError" in done.stderr
    assert "pip install 'archpredict[test]'" in done.stderr
