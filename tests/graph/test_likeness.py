"""Nodes that have heard the same share a row; nodes that have not do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from archpredict.encoders.asynchronous import Asynchronous
from archpredict.encoders.gcn import GCN
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import collate
from archpredict.graph.likeness import rounds
from archpredict.graph.packed import PackedGraphs
from archpredict.spaces.nasbench101 import NASBench101

LABELS = ("a", "b", "c")
FOUND = ("levels", "history", "structure")
"""What packed graphs find when they are asked for it, and hand on to those taken out of them."""


def random_graphs(count: int, seed: int = 0) -> list[ArchGraph]:
    """Of 1 to 7 nodes, with parallel edges."""
    rng = np.random.default_rng(seed)
    graphs = []
    for _ in range(count):
        n = int(rng.integers(1, 8))
        pairs = [(u, v) for v in range(n) for u in range(v) for _ in range(int(rng.integers(0, 3)))]
        graphs.append(ArchGraph(tuple(rng.choice(LABELS, n).tolist()), tuple(pairs)))
    return graphs


def unfolded(graph: ArchGraph, node: int, depth: int, both: bool) -> Any:
    """All that a node has heard, as nested tuples."""
    if depth == 0:
        return graph.ops[node]
    before = sorted(repr(unfolded(graph, u, depth - 1, both)) for u, v in graph.edges if v == node)
    after = sorted(repr(unfolded(graph, v, depth - 1, both)) for u, v in graph.edges if u == node) if both else []
    return unfolded(graph, node, depth - 1, both), tuple(before), tuple(after)


@pytest.mark.parametrize("both", [False, True])
def test_rows_are_shared_by_those_that_have_heard_the_same(both: bool) -> None:
    graphs = random_graphs(20)
    packed = PackedGraphs.from_graphs(graphs, LABELS)
    for depth in (0, 1, 2, 3):
        _, row = rounds(packed, depth, len(LABELS), both=both, device=torch.device("cpu"))
        heard = [repr(unfolded(graph, node, depth, both)) for graph in graphs for node in range(graph.num_nodes)]
        assert len(set(zip(heard, row.tolist(), strict=True))) == len(set(heard)) == len(set(row.tolist()))


def test_of_two_hundred_cells_fewer_than_two_thirds_of_the_nodes_are_left() -> None:
    space = NASBench101()
    cells = [cell.graph for cell in space.architectures(space.sample(200, np.random.default_rng(0)))]
    labels = sorted({label for cell in cells for label in cell.ops})
    packed = PackedGraphs.from_graphs(cells, labels)
    _, row = rounds(packed, 4, len(labels), device=torch.device("cpu"))
    assert len(set(row.tolist())) < 2 / 3 * len(row)


@pytest.mark.parametrize(
    "options", [{}, {"direction": "forward", "residual": False}, {"slots": 7}, {"self_loops": False}]
)
def test_encodings_and_gradients_are_those_of_one_row_per_node(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    encoder = GCN(len(LABELS), dim=8, dropout=0.0, **options)
    batch = collate(random_graphs(30), LABELS)
    weight = torch.randn(encoder.out_features)

    def results() -> list[torch.Tensor]:
        z = encoder(batch)
        return [z, *torch.autograd.grad((z.sigmoid() @ weight).sum(), list(encoder.parameters()))]

    shared = results()
    monkeypatch.setattr(GCN, "_shares", False)
    for a, b in zip(shared, results(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_the_asynchronous_encoder_gives_the_same_with_and_without_gradients(passes: int) -> None:
    torch.manual_seed(0)
    encoder = Asynchronous(len(LABELS), dim=8, passes=passes).eval()
    batch = collate(random_graphs(60), LABELS)
    with torch.no_grad():
        shared = encoder(batch)
    torch.testing.assert_close(shared, encoder(batch), rtol=1e-4, atol=1e-5)


def test_graphs_that_differ_in_operators_alone_are_of_one_structure_and_have_the_same_levels() -> None:
    rng = np.random.default_rng(0)
    graphs = [graph for graph in random_graphs(10) for _ in range(5)]
    graphs = [ArchGraph(tuple(rng.choice(LABELS, graph.num_nodes).tolist()), graph.edges) for graph in graphs]
    packed = PackedGraphs.from_graphs(graphs, LABELS)
    expected = [(graph.num_nodes, sorted(graph.edges)) for graph in graphs]
    same = np.array([[one == other for other in expected] for one in expected])
    np.testing.assert_array_equal(packed.structure[:, None] == packed.structure, same)
    levels = PackedGraphs.from_graphs(graphs, LABELS).levels
    np.testing.assert_array_equal(packed.levels, levels)
    np.testing.assert_array_equal(packed[::2].levels, PackedGraphs.from_graphs(graphs[::2], LABELS).levels)


@pytest.mark.parametrize(
    "index", [slice(2, 5), slice(None), slice(4, 2), slice(-3, None), slice(0, 9, 4), slice(7, 99)]
)
def test_a_slice_of_packed_graphs_packs_the_slice_of_the_graphs(index: slice) -> None:
    graphs = random_graphs(9)
    packed = PackedGraphs.from_graphs(graphs, LABELS)
    assert all(len(getattr(packed, name)) for name in FOUND)  # once for all
    taken, made = packed[index], PackedGraphs.from_graphs(graphs[index], LABELS)
    for name in ("op", "cell", "node_start", "source", "target", "edge_op", "edge_start", *FOUND):
        np.testing.assert_array_equal(getattr(taken, name), getattr(made, name))
