"""Statistics of paths are those of all paths, walked one by one, and do not depend on how nodes are numbered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import InvalidGraphError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import POOLS, Operation, computational_graph
from archpredict.graph.path_statistics import PATH_NAMES, path_statistics
from archpredict.spaces.base import load_space
from archpredict.testing.graphs import computational_graphs, relabelled


def _walked(graph: ArchGraph, node: int) -> list[list[int]]:
    """Every path from an input to a node, parallel edges as paths of their own."""
    before = [path for source, target in graph.edges if target == node for path in _walked(graph, source)]
    if graph.ops[node] == "input":
        before = [[]]
    return [[*path, node] for path in before]


def _counted(graph: ArchGraph, path: list[int]) -> list[float]:
    kernel, macs = graph.attrs["kernel"].max(1), graph.attrs["macs"][:, 0]
    ops = [graph.ops[v] for v in path]
    convolutions = [v for v in path if graph.ops[v] in ("conv", "conv_transpose")]
    layers = ("conv", "conv_transpose", "linear", "recurrent", "attention", "matmul")
    return [
        sum(kernel[v] > 1 for v in convolutions),
        sum(kernel[v] <= 1 for v in convolutions) + ops.count("linear"),
        sum(op in POOLS for op in ops),
        sum(op in layers for op in ops),
        macs[path].sum() / max(1.0, macs.sum()),
    ]


@given(computational_graphs(max_nodes=12))
@settings(deadline=None, max_examples=40)
def test_they_are_those_of_all_paths_walked_one_by_one(graph: ArchGraph) -> None:
    row = dict(zip(PATH_NAMES, path_statistics(graph).tolist(), strict=True))
    paths = [path for v, op in enumerate(graph.ops) if op == "output" for path in _walked(graph, v)]
    if not paths:
        assert not any(row.values())
        return
    counted = np.array([_counted(graph, path) for path in paths])
    assert row["log paths"] == pytest.approx(np.log(len(paths)), abs=1e-9)
    quantities = ("spatial convolutions", "pointwise layers", "pools", "layers", "share of macs")
    for what, values in zip(quantities, counted.T, strict=True):
        found = [row[f"{summary} {what} of paths"] for summary in ("largest", "smallest", "mean", "spread")]
        wanted = [values.max(), values.min(), values.mean(), values.std()]
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-6)


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_they_do_not_depend_on_the_numbering(data: st.DataObject) -> None:
    graph = data.draw(computational_graphs())
    other = data.draw(relabelled(graph))
    np.testing.assert_allclose(path_statistics(other), path_statistics(graph), rtol=1e-9, atol=1e-9)


def test_reach_adds_up_pixels_of_the_input() -> None:
    nodes = [
        Operation("input", (1, 3, 16, 16)),
        Operation("conv", (1, 8, 16, 16), kernel=(3, 3), dilation=(1, 1)),
        Operation("max_pool", (1, 8, 8, 8), kernel=(2, 2), dilation=(1, 1)),
        Operation("conv", (1, 8, 8, 8), kernel=(3, 3), dilation=(2, 2)),
        Operation("output", (1, 8, 8, 8)),
    ]
    row = dict(
        zip(PATH_NAMES, path_statistics(computational_graph(nodes, [(i, i + 1) for i in range(4)])), strict=True)
    )
    assert row["mean reach of paths"] == 2 + 1 + 2 * 2 * 2
    assert row["spread reach of paths"] == 0


def test_a_pool_over_the_whole_image_is_no_pool_of_a_path() -> None:
    nodes = [Operation("input", (1, 3, 8, 8)), Operation("max_pool", (1, 3, 4, 4), kernel=(2, 2))]
    nodes += [Operation("global_avg_pool", (1, 3, 1, 1)), Operation("output", (1, 3))]
    row = dict(zip(PATH_NAMES, path_statistics(computational_graph(nodes, [(0, 1), (1, 2), (2, 3)])), strict=True))
    assert row["largest pools of paths"] == row["mean pools of paths"] == 1


def test_a_thousand_skip_connections_have_more_paths_than_fit_a_number() -> None:
    count = 2500
    nodes = [Operation("input"), *(Operation("conv", kernel=(3, 3)) for _ in range(count)), Operation("output")]
    edges = [(i, i + 1) for i in range(count + 1)] + [(i, i + 2) for i in range(count)]
    row = dict(zip(PATH_NAMES, path_statistics(computational_graph(nodes, edges)).tolist(), strict=True))
    assert all(np.isfinite(list(row.values())))
    assert row["log paths"] == pytest.approx((count + 1) * np.log((1 + 5**0.5) / 2), rel=1e-3)  # Fibonacci's numbers
    assert row["largest spatial convolutions of paths"] == count


def test_architectures_of_every_space_have_them() -> None:
    for name in ("nasbench101", "nasbench201", "nasbench-macro", "mobilenetv3"):
        space = load_space(name)
        row = path_statistics(space.network(space.sample(1, np.random.default_rng(0))[0]))
        assert np.isfinite(row).all()
        assert row[PATH_NAMES.index("largest layers of paths")] > 0


def test_a_graph_of_a_cell_is_no_network() -> None:
    with pytest.raises(InvalidGraphError, match="a computational graph has the attribute"):
        path_statistics(ArchGraph(("input", "output"), ((0, 1),)))
