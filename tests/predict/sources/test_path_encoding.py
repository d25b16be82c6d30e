"""The path encoding: equal to one written by hand, the same for isomorphic graphs, bounded."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.labelled_paths import labelled_paths
from archpredict.graph.packed import PackedGraphs
from archpredict.predict.batch import Batch
from archpredict.predict.sources.paths import PathEncoding
from archpredict.spaces.base import load_space
from archpredict.testing.graphs import NODE_OPS, arch_graphs, relabelled

SPACE = load_space("nasbench201")
_WAYS = ((3,), (0, 4), (1, 5), (0, 2, 5))
"""Edges along the four ways through a cell of NAS-Bench-201, in the order of its choices."""
_OPERATORS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def by_hand(choices: tuple[int, ...]) -> set[str]:
    """The paths of a cell of NAS-Bench-201, from its four ways."""
    ways = [[_OPERATORS[choices[edge]] for edge in way] for way in _WAYS]
    return {"cell0: " + " > ".join(["input", *ops, "output"]) for ops in ways if "none" not in ops}


def test_the_paths_of_nas_bench_201_are_those_along_its_four_ways() -> None:
    cells = SPACE.architectures(SPACE.sample(100, np.random.default_rng(0)))
    cells = [cell for cell in cells if by_hand(cell.choices)]  # where nothing arrives, only the two ends are there
    batch = Batch.of(cells)
    source = PathEncoding().fit(batch)
    assert set(source.names) == set().union(*(by_hand(cell.choices) for cell in cells))
    for cell, row in zip(cells, source(batch), strict=True):
        assert {name for name, has in zip(source.names, row, strict=True) if has} == by_hand(cell.choices)
        assert set(row) <= {0.0, 1.0}


def test_a_cell_of_nas_bench_101_has_the_encoding_of_the_publication() -> None:
    space = load_space("nasbench101")
    matrix = [[0, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    cell = space.architecture(space.from_matrix(matrix, ["input", "conv3x3-bn-relu", "maxpool3x3", "output"]))
    assert PathEncoding().fit(Batch.of([cell])).names == (
        "cell0: input > output",
        "cell0: input > maxpool3x3 > output",
        "cell0: input > conv3x3-bn-relu > maxpool3x3 > output",
    )


def test_each_cell_has_paths_of_its_own() -> None:
    cells = load_space("darts").architectures(load_space("darts").sample(3, np.random.default_rng(0)))
    source = PathEncoding().fit(Batch.of(cells))
    assert {name.split(":")[0] for name in source.names} == {"cell0", "cell1"}


def test_the_most_frequent_paths_are_kept_and_unknown_ones_left_out() -> None:
    chain = ArchGraph(("input", "a", "output"), ((0, 1), (1, 2)))
    both = ArchGraph(("input", "a", "b", "output"), ((0, 1), (1, 2), (2, 3), (1, 3)))
    source = PathEncoding(longest=1).fit(Batch.of([chain, both]))
    assert source.names == ("cell0: input > a > output",)
    other = ArchGraph(("input", "b", "output"), ((0, 1), (1, 2)))
    np.testing.assert_array_equal(source(Batch.of([chain, other, both])), [[1], [0], [1]])


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_paths_do_not_depend_on_the_numbering(data: st.DataObject) -> None:
    graphs = data.draw(st.lists(arch_graphs(max_nodes=7, cells=2), min_size=1, max_size=3))
    moved = [data.draw(relabelled(graph)) for graph in graphs]
    for most in (1, 256):
        one, two = (labelled_paths(PackedGraphs.from_graphs(some, NODE_OPS, 2), most) for some in (graphs, moved))
        assert list(one) == list(two)


def test_a_graph_of_very_many_paths_takes_no_more_than_it_may() -> None:
    layers, width = 30, 3
    nodes = ["in", *(f"{kind}" for _ in range(layers) for kind in "abc"), "out"]
    edges = [(0, 1 + i) for i in range(width)] + [(len(nodes) - 2 - i, len(nodes) - 1) for i in range(width)]
    for layer, a, b in product(range(layers - 1), range(width), range(width)):
        edges.append((1 + width * layer + a, 1 + width * (layer + 1) + b))
    graph = ArchGraph(tuple(nodes), tuple(edges))
    [paths] = labelled_paths(PackedGraphs.from_graphs([graph], ("a", "b", "c", "in", "out")), most=50)
    assert len(paths) == 50
    chain = ArchGraph(("a",) * 1000, tuple((i, i + 1) for i in range(999)))
    [paths] = labelled_paths(PackedGraphs.from_graphs([chain], ("a",)))
    assert [len(path) for path in paths] == [65]


def test_wrong_values_are_refused() -> None:
    with pytest.raises(UsageError, match="longest is an integer of at least 1, 0 was given"):
        PathEncoding(longest=0)
    for paths in ([["cell", "a"]], [[0]], [[0, 1]]):
        with pytest.raises(ValueError, match="its paths are a number of a cell and names of operators each"):
            PathEncoding.from_dict({"longest": 5, "paths": paths})
