"""Many networks at once say what each says alone, and what runs along paths is what a walk over the edges finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import InvalidGraphError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.junctions import Junctions
from archpredict.graph.network_statistics import network_statistics, network_statistics_of
from archpredict.graph.network_view import NetworkView
from archpredict.graph.operators import Operation, computational_graph
from archpredict.graph.path_statistics import path_statistics, path_statistics_of
from archpredict.spaces.base import load_space
from archpredict.testing.graphs import arch_graphs, computational_graphs

SPACES = ("darts", "enas", "mobilenetv3", "nasbench101", "nasbench201", "nasbench-macro")


def assert_batched_equals_each(graphs: list[ArchGraph]) -> None:
    view = NetworkView(graphs)
    for batched, single in ((network_statistics_of, network_statistics), (path_statistics_of, path_statistics)):
        np.testing.assert_allclose(batched(view), [single(graph) for graph in graphs], rtol=1e-12, atol=1e-12)


@given(st.lists(computational_graphs(), min_size=1, max_size=4))
@settings(deadline=None, max_examples=30)
def test_many_random_networks_have_the_statistics_of_each(graphs: list[ArchGraph]) -> None:
    assert_batched_equals_each(graphs)


@pytest.mark.parametrize("name", SPACES)
def test_many_networks_of_a_space_have_the_statistics_of_each(name: str) -> None:
    space = load_space(name)
    assert_batched_equals_each([space.network(row) for row in space.sample(5, np.random.default_rng(0)).tolist()])


def test_no_networks_have_no_statistics() -> None:
    view = NetworkView([])
    assert len(network_statistics_of(view)) == len(path_statistics_of(view)) == 0


def test_one_that_is_no_network_is_refused() -> None:
    graph = computational_graph([Operation("input")], [])
    with pytest.raises(InvalidGraphError, match="a computational graph has the attribute"):
        NetworkView([graph, ArchGraph(("conv",), ())])


# ---------------------------------------------------------------------- along paths


@given(st.lists(computational_graphs(), min_size=1, max_size=3), st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_the_longest_path_is_the_one_that_a_walk_finds(graphs: list[ArchGraph], seed: int) -> None:
    view = NetworkView(graphs)
    weights = np.random.default_rng(seed).integers(0, 9, (len(view.op), 2)).astype(float)
    expected, begin = weights.copy(), 0
    for graph in graphs:
        for source, target in sorted(graph.edges, key=lambda edge: edge[1]):
            arriving = expected[begin + source] + weights[begin + target]
            expected[begin + target] = np.maximum(expected[begin + target], arriving)
        begin += graph.num_nodes
    np.testing.assert_array_equal(view.longest(weights), expected)


@given(arch_graphs(max_nodes=12), st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_between_junctions_there_is_one_way_back(graph: ArchGraph, seed: int) -> None:
    ends = sorted(graph.edges, key=lambda edge: edge[1])
    source, target = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    are = np.bincount(target, minlength=graph.num_nodes) != 1
    junctions = Junctions.of(source, target, are)
    weights = np.random.default_rng(seed).integers(0, 9, graph.num_nodes)
    sums = junctions.sums_behind(weights.astype(float))
    for node in range(graph.num_nodes):
        way, at = 0, node
        while not are[at]:
            way += weights[at]
            (at,) = [s for s, t in ends if t == at]
        assert (junctions.root[node], sums[node]) == (at, way)
    seen: set[int] = set(np.flatnonzero(are & ~np.isin(np.arange(graph.num_nodes), target)).tolist())
    for nodes, sources, begins in junctions.levels:
        assert {*junctions.root[sources].tolist()} <= seen
        for node, begin, end in zip(nodes, begins, [*begins[1:], len(sources)], strict=True):
            assert sources[begin:end].tolist() == [s for s, t in ends if t == node]
        seen.update(nodes.tolist())
    assert seen == {*np.flatnonzero(are).tolist()}


# ---------------------------------------------------------------------- channels


def test_channels_are_passed_on_from_the_layers_that_set_them() -> None:
    graph = computational_graph(
        [
            Operation("input", (1, 3, 8, 8)),
            Operation("conv", (1, 12, 8, 8), kernel=(1, 1), weight=(12, 3, 1, 1)),
            Operation("relu", (1, 12, 8, 8)),
            Operation("concat", (1, 15, 8, 8)),
            Operation("slice", (1, 5, 8, 8)),
            Operation("permute", (1, 64, 12)),
            Operation("linear", (1, 64, 7), weight=(7, 12)),
            Operation("add", (1, 64, 7)),
        ],
        [(0, 1), (1, 2), (0, 3), (2, 3), (3, 4), (2, 5), (5, 6), (6, 7), (6, 7)],
    )
    assert NetworkView([graph]).channels.tolist() == [3, 12, 12, 15, 5, 12, 7, 7]


def test_channels_follow_weights_sums_concatenations_and_cuts() -> None:
    nodes = [
        Operation("input", (1, 3, 8, 8)),
        Operation("conv", (1, 4, 8, 8), kernel=(3, 3), weight=(4, 3, 3, 3)),
        Operation("conv", (1, 6, 8, 8), kernel=(3, 3), weight=(6, 3, 3, 3)),
        Operation("concat", (1, 10, 8, 8)),
        Operation("relu", (1, 10, 8, 8)),
        Operation("slice", (1, 5, 8, 8)),
        Operation("permute", (1, 64, 10)),
        Operation("concat", (1, 10, 16, 8)),  # of rows
        Operation("output", (1, 10, 16, 8)),
    ]
    edges = [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (4, 5), (4, 6), (4, 7), (3, 7), (7, 8)]
    view = NetworkView([computational_graph(nodes, edges)] * 2)
    assert view.channels.tolist() == [3, 4, 6, 10, 10, 5, 10, 10, 10] * 2


def test_of_several_inputs_the_first_tells_the_batch() -> None:
    nodes = [
        Operation("input", (8, 3)),
        Operation("input", (2, 3)),
        Operation("add", (8, 3)),
        Operation("output", (8, 3)),
    ]
    two = computational_graph(nodes, [(0, 2), (1, 2), (2, 3)])
    none = computational_graph([Operation("parameter", (4, 3))], [])
    assert NetworkView([none, two]).batch.tolist() == [1, 8]


def test_paths_begin_at_an_input_whatever_arrives_there() -> None:
    nodes = [
        Operation("input"),
        Operation("conv", kernel=(3, 3)),
        Operation("input"),
        Operation("add"),
        Operation("output"),
    ]
    graph = computational_graph(nodes, [(0, 1), (1, 2), (0, 3), (2, 3), (3, 4)])
    assert round(float(np.exp(path_statistics(graph)[-1]))) == 2
