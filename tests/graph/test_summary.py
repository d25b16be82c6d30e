"""A graph in a few numbers."""

from __future__ import annotations

import pytest

from archpredict.errors import InvalidGraphError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import Operation, computational_graph, total
from archpredict.graph.summary import operators, stages


def squeezing() -> ArchGraph:
    """Convolution, squeeze and excitation, pooling, convolution, squeeze and excitation, head."""
    conv = Operation("conv", (1, 8, 16, 16), (3, 3), (2, 2), weight=(8, 3, 3, 3))
    pool = Operation("max_pool", (1, 8, 8, 8), (2, 2), (2, 2))
    second = Operation("conv", (1, 12, 8, 8), (3, 3), (1, 1), weight=(12, 8, 3, 3))

    def excitation(width: int, side: int) -> list[Operation]:
        return [
            Operation("global_avg_pool", (1, width)),
            Operation("conv", (1, width), (1, 1), (1, 1), weight=(width, width, 1, 1), bias=True),
            Operation("sigmoid", (1, width)),
            Operation("mul", (1, width, side, side)),
        ]

    head = [Operation("global_avg_pool", (1, 12)), Operation("linear", (1, 10), weight=(10, 12), bias=True)]
    nodes = [
        Operation("input", (1, 3, 32, 32)), conv, *excitation(8, 16), pool, second, *excitation(12, 8), *head,
        Operation("output", (1, 10)),
    ]  # fmt: skip
    edges = [(i, i + 1) for i in range(len(nodes) - 1)]
    return computational_graph(nodes, [*edges, (1, 5), (7, 11)])


def test_stages_are_resolutions_and_excitations_belong_to_them() -> None:
    found = [(stage.resolution, stage.channels, stage.nodes) for stage in stages(squeezing())]
    assert found == [("32x32", (0, 0), 1), ("16x16", (8, 8), 5), ("8x8", (12, 12), 6), ("1", (10, 10), 3)]


def test_stages_add_up_to_the_whole() -> None:
    graph = squeezing()
    found = stages(graph)
    assert sum(stage.nodes for stage in found) == graph.num_nodes
    for name in ("params", "macs"):
        assert sum(getattr(stage, name) for stage in found) == pytest.approx(total(graph, name))


def test_tokens_are_counted_and_the_class_token_belongs_to_them() -> None:
    nodes = [
        Operation("input", (1, 3, 32, 32)),
        Operation("conv", (1, 24, 4, 4), (8, 8), (8, 8), weight=(24, 3, 8, 8)),
        Operation("parameter", (1, 1, 24), params=24),
        Operation("concat", (1, 17, 24)),
        Operation("linear", (1, 17, 72), weight=(72, 24)),
        Operation("slice", (1, 24)),
        Operation("linear", (1, 10), weight=(10, 24)),
    ]
    graph = computational_graph(nodes, [(0, 1), (1, 3), (2, 3), (3, 4), (4, 5), (5, 6)])
    found = [(stage.resolution, stage.positions, stage.nodes) for stage in stages(graph)]
    assert found == [("32x32", 1024, 1), ("4x4", 16, 3), ("17 tokens", 17, 2), ("1", 1, 1)]


def test_windows_of_tokens_are_the_tokens_of_the_image() -> None:
    nodes = [Operation("input", (1, 3, 32, 32)), Operation("linear", (4, 16, 96), weight=(96, 3))]
    assert [stage.positions for stage in stages(computational_graph(nodes, [(0, 1)]))] == [1024, 64]


def test_shapes_that_are_not_known_inherit_the_stage() -> None:
    nodes = [
        Operation("input", (1, 3, 32, 32)),
        Operation("conv", (1, 8, -1, -1), (3, 3), weight=(8, 3, 3, 3)),
        Operation("relu", ()),
    ]
    assert [stage.nodes for stage in stages(computational_graph(nodes, [(0, 1), (1, 2)]))] == [3]


def test_operators_come_by_their_number_without_inputs_and_outputs() -> None:
    found = [(row.operator, row.count) for row in operators(squeezing())]
    assert found == [
        ("conv", 4), ("global_avg_pool", 3), ("mul", 2), ("sigmoid", 2), ("linear", 1), ("max_pool", 1),
    ]  # fmt: skip
    assert sum(row.params for row in operators(squeezing())) == total(squeezing(), "params")


def test_a_graph_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidGraphError, match="a computational graph has the attribute 'shape'"):
        stages(ArchGraph(("a", "b"), ((0, 1),)))
