"""Packed graphs, many at once: keys and operation-on-node forms are those of each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import UsageError
from archpredict.graph.arch_graph import DATA, ArchGraph
from archpredict.graph.packed import PackedGraphs
from archpredict.graph.packed_keys import packed_keys
from archpredict.graph.packed_on_nodes import packed_on_nodes
from archpredict.testing.graphs import EDGE_OPS, NODE_OPS, arch_graphs, relabelled

LABELS = (*NODE_OPS, *EDGE_OPS)
ON_NODES = st.lists(arch_graphs(max_nodes=6, cells=2), min_size=1, max_size=8)
ON_EDGES = st.lists(arch_graphs(max_nodes=6, edge_ops=EDGE_OPS, cells=2), min_size=1, max_size=8)


@settings(max_examples=100)
@given(st.data(), st.one_of(ON_NODES, ON_EDGES))
def test_graphs_have_equal_keys_where_each_one_says_so(data: st.DataObject, graphs: list[ArchGraph]) -> None:
    graphs = [*graphs, *(data.draw(relabelled(graph)) for graph in graphs[:3])]
    found = [key.tobytes() for key in packed_keys(PackedGraphs.from_graphs(graphs, LABELS, 2))]
    keys = [graph.key for graph in graphs]
    assert len(set(zip(found, keys, strict=True))) == len(set(found)) == len(set(keys))
    alone = packed_keys(PackedGraphs.from_graphs(graphs[-1:], sorted(LABELS), 2))[0].tobytes()
    assert alone == found[-1], "neither the graphs beside it nor the numbers of operators matter"


def test_parallel_edges_are_not_edges_to_two_alike_nodes() -> None:
    ops = ("input", "conv3x3", "conv3x3", "conv1x1", "conv1x1")
    parallel = ArchGraph(ops, ((0, 1), (0, 2), (1, 3), (1, 3), (2, 4), (2, 4)))
    crossing = ArchGraph(ops, ((0, 1), (0, 2), (1, 3), (1, 4), (2, 3), (2, 4)))
    keys = packed_keys(PackedGraphs.from_graphs([parallel, crossing], LABELS))
    assert (keys[0] != keys[1]).all()


@settings(max_examples=100)
@given(ON_EDGES)
def test_the_form_on_nodes_of_many_is_that_of_each(graphs: list[ArchGraph]) -> None:
    found = packed_on_nodes(PackedGraphs.from_graphs(graphs, LABELS, 2))
    expected = PackedGraphs.from_graphs([graph.on_nodes for graph in graphs], LABELS, 2)
    if not any(graph.num_edges for graph in graphs):
        return  # there is nothing to turn into nodes
    for name in ("op", "cell", "node_start", "source", "target", "edge_op", "edge_start"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


def test_graphs_get_other_numbers_with_another_vocabulary() -> None:
    graph = ArchGraph(("input", "conv", "output"), ((0, 1), (1, 2)))
    packed = PackedGraphs.from_graphs([graph], ("conv", "input", "output"))
    assert packed.with_vocabulary(("output", "input", "conv"), 2).op.tolist() == [2, 3, 1]
    assert packed.with_vocabulary(("output", "input", "unknown"), unknown="unknown").op.tolist() == [2, 3, 1]
    with pytest.raises(UsageError, match="the operator 'conv' is not one of those the predictor knows: output, input"):
        packed.with_vocabulary(("output", "input"))
    with pytest.raises(UsageError, match="a graph with 2 cells was given, the predictor knows 1"):
        packed.with_vocabulary(packed.vocabulary, 2).with_vocabulary(packed.vocabulary, 1)


def test_data_edges_into_sums_bring_all_that_was_summed() -> None:
    graph = ArchGraph(("input", "sum", "sum", "output"), ((0, 1), (1, 2), (0, 2), (2, 3)), ("conv", DATA, "skip", DATA))
    packed = packed_on_nodes(PackedGraphs.from_graphs([graph], (*LABELS, "output")))
    assert [packed.vocabulary[number - 1] for number in packed.op.tolist()] == ["input", "conv", "skip", "output"]
    assert list(zip(packed.source.tolist(), packed.target.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 3), (2, 3)]
