"""Spectra of graphs: known cases, renumbering, the sparse way, odd graphs."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.spectrum import laplacian_spectrum
from archpredict.testing.graphs import computational_graphs, random_computational_graph, topological_orders


def test_a_path_has_the_cosines_that_are_known_of_it() -> None:
    chain = ArchGraph(("relu",) * 6, tuple((i, i + 1) for i in range(5)))
    np.testing.assert_allclose(laplacian_spectrum(chain, 6), 1 - np.cos(np.pi * np.arange(6) / 5), atol=1e-12)


@settings(max_examples=40)
@given(st.data())
def test_it_is_that_of_networkx_and_does_not_depend_on_the_numbering(data: st.DataObject) -> None:
    graph = data.draw(computational_graphs(max_nodes=25))
    undirected = nx.Graph(graph.edges)
    undirected.add_nodes_from(range(graph.num_nodes))
    k = min(8, graph.num_nodes)
    spectrum = laplacian_spectrum(graph, 8)
    np.testing.assert_allclose(spectrum[:k], np.sort(nx.normalized_laplacian_spectrum(undirected))[:k], atol=1e-8)
    order = data.draw(topological_orders(graph))
    np.testing.assert_allclose(laplacian_spectrum(graph.relabel(order), 8), spectrum, atol=1e-8)


def test_operators_and_parallel_edges_play_no_part() -> None:
    once = ArchGraph(("input", "conv", "add", "output"), ((0, 1), (0, 2), (1, 2), (2, 3)))
    twice = ArchGraph(("input", "relu", "mul", "output"), (*once.edges, (1, 2)))
    np.testing.assert_array_equal(laplacian_spectrum(once, 4), laplacian_spectrum(twice, 4))


def test_a_graph_with_fewer_nodes_is_filled_up_with_the_largest_that_there_can_be() -> None:
    assert laplacian_spectrum(ArchGraph(("input",), ()), 3).tolist() == [0, 2, 2]
    apart = laplacian_spectrum(ArchGraph(("input", "input"), ()), 3)
    assert apart.tolist() == [0, 0, 2]  # as many zeros as there are parts


def test_a_few_eigenvalues_of_a_large_graph_are_those_among_all_of_them() -> None:
    graph = random_computational_graph(700, np.random.default_rng(0))
    undirected = nx.Graph(graph.edges)
    expected = np.sort(nx.normalized_laplacian_spectrum(undirected))[:12]
    np.testing.assert_allclose(laplacian_spectrum(graph, 12), expected, atol=1e-7)
    np.testing.assert_array_equal(laplacian_spectrum(graph, 12), laplacian_spectrum(graph, 12))


def test_no_eigenvalues_at_all_are_refused() -> None:
    with pytest.raises(UsageError, match="k, a number of eigenvalues, is an integer of at least 1, 0 was given"):
        laplacian_spectrum(ArchGraph(("input",), ()), 0)
