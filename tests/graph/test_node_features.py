"""Numbers of nodes: hand-computed cases, renumbering, odd values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import InvalidGraphError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.node_features import NAMES, node_features
from archpredict.graph.operators import Operation, computational_graph
from archpredict.testing.graphs import computational_graphs, topological_orders

UNIT_OF = {"channels": 8, "spatial size": 12, "kernel area": 4, "kernel length": 2, "groups": 8, "input channels": 8}
UNIT_OF |= {"input size": 20, "weight size": 20, "params": 20, "macs": 24, "arithmetic": 8, "depth": 8}
UNIT_OF |= {"in-degree": 2, "out-degree": 2}
UNIT_OF |= dict.fromkeys(("height", "width", "input height", "input width", "weight outputs", "weight inputs"), 8)
UNIT_OF |= dict.fromkeys(("kernel height", "kernel width"), 2)


def network(batch: int = 1) -> ArchGraph:
    """Input, grouped convolution of stride 2, ReLU, their sum, a linear layer on the flat features."""
    image, half = (batch, 4, 8, 8), (batch, 16, 4, 4)
    conv = Operation("conv", half, (3, 3), (2, 2), (1, 1), (1, 1, 1, 1), groups=2, weight=(16, 2, 3, 3), bias=True)
    operations = [
        Operation("input", image),
        conv,
        Operation("relu", half),
        Operation("add", half),
        Operation("linear", (batch, 10), weight=(10, 256)),
        Operation("output", (batch, 10)),
    ]
    return computational_graph(operations, [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4), (4, 5)])


def column(graph: ArchGraph, name: str) -> list[float]:
    """One column in its own unit: ``x`` instead of ``log2(1 + x) / unit``."""
    values = node_features(graph)[:, NAMES.index(name)].astype(np.float64)
    plain = np.exp2(values * UNIT_OF[name]) - 1 if name in UNIT_OF else values
    return [round(v, 2) for v in plain.tolist()]


def test_a_small_network_by_hand() -> None:
    graph = network()
    assert column(graph, "channels") == [4, 16, 16, 16, 10, 10]
    assert column(graph, "spatial size") == [64, 16, 16, 16, 1, 1]
    assert column(graph, "input channels") == [0, 4, 16, 16, 16, 10]
    assert column(graph, "input size") == [0, 256, 256, 512, 256, 10]
    assert column(graph, "kernel area") == [0, 9, 0, 0, 0, 0]
    assert column(graph, "kernel length") == [0, 3, 0, 0, 0, 0]
    assert column(graph, "groups") == [0, 2, 0, 0, 0, 0]
    assert column(graph, "depthwise") == [0, 0, 0, 0, 0, 0]
    assert column(graph, "bias") == [0, 1, 0, 0, 0, 0]
    assert column(graph, "weight size") == [0, 288, 0, 0, 2560, 0]
    assert column(graph, "params") == [0, 304, 0, 0, 2560, 0]
    assert column(graph, "macs") == [0, 256 * 18, 0, 0, 2560, 0]
    assert column(graph, "arithmetic") == [0, round(256 * 18 / (256 + 256 + 288), 2), 0, 0, 0.91, 0]
    assert column(graph, "depth") == [0, 1, 2, 3, 4, 5]
    assert column(graph, "relative depth") == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert column(graph, "relative height") == [1, 0.8, 0.6, 0.4, 0.2, 0]
    assert column(graph, "in-degree") == [0, 1, 1, 2, 1, 1]
    assert column(graph, "out-degree") == [1, 2, 1, 1, 1, 0]
    assert column(graph, "size unknown") == [0] * 6
    assert column(graph, "height") == column(graph, "width") == [8, 4, 4, 4, 1, 1]
    assert column(graph, "input height") == column(graph, "input width") == [0, 8, 4, 4, 4, 1]
    assert column(graph, "weight outputs") == [0, 16, 0, 0, 10, 0]
    assert column(graph, "weight inputs") == [0, 2, 0, 0, 256, 0]
    assert column(graph, "kernel height") == column(graph, "kernel width") == [0, 3, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("shape", "weight", "sides"),
    [
        ((1, 8, 6, 4), (8, 3, 1, 1), (6, 4)),
        ((1, 6, 4, 8), (8, 3), (6, 4)),
        ((1, 50, 8), (8, 3), (50, 1)),
        ((1, 8), (8, 3), (1, 1)),
        ((1, 8, 2, 6, 4), (8, 3, 1, 1, 1), (2, 24)),
    ],
)
def test_height_and_width_are_the_axes_that_are_not_the_channels(
    shape: tuple[int, ...], weight: tuple[int, ...], sides: tuple[int, int]
) -> None:
    layer = Operation("linear" if len(weight) == 2 else "conv", shape, weight=weight)
    graph = computational_graph([Operation("input", (1, 3)), layer, Operation("relu", shape)], [(0, 1), (1, 2)])
    assert (column(graph, "height")[1], column(graph, "width")[1]) == sides
    assert (column(graph, "input height")[2], column(graph, "input width")[2]) == sides


def test_sizes_and_multiply_adds_are_those_of_one_sample() -> None:
    np.testing.assert_allclose(node_features(network(batch=16)), node_features(network()), rtol=1e-6)


def test_a_learnable_tensor_is_not_divided_by_the_batch() -> None:
    def with_token(batch: int) -> ArchGraph:
        operations = [
            Operation("input", (batch, 16, 8)),
            Operation("parameter", (1, 1, 8), params=8.0),
            Operation("concat", (batch, 17, 8)),
        ]
        return computational_graph(operations, [(0, 2), (1, 2)])

    np.testing.assert_allclose(node_features(with_token(4))[1], node_features(with_token(1))[1])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_numbers_are_finite_and_do_not_depend_on_the_numbering(data: st.DataObject) -> None:
    graph = data.draw(computational_graphs(max_nodes=25))
    order = data.draw(topological_orders(graph))
    numbers = node_features(graph)
    assert numbers.shape == (graph.num_nodes, len(NAMES))
    assert numbers.dtype == np.float32
    assert np.isfinite(numbers).all()
    np.testing.assert_array_equal(node_features(graph.relabel(order)), numbers[order])


def test_lengths_that_are_not_known_count_as_one_and_are_told() -> None:
    open_ended = Operation("input", (-1, 3, -1, -1))
    conv = Operation("conv", (-1, 8, -1, -1), (3, 3), groups=-1, weight=(8, 3, -1, 3))
    graph = computational_graph([open_ended, conv], [(0, 1)])
    assert column(graph, "spatial size") == [1, 1]
    assert column(graph, "size unknown") == [1, 1]
    assert column(graph, "groups") == [0, 0]
    assert column(graph, "weight size") == [0, 72]
    assert np.isfinite(node_features(graph)).all()


def test_depthwise_convolutions_are_told_from_grouped_ones() -> None:
    def conv(groups: int, inside: int) -> Operation:
        return Operation("conv", (1, 64, 8, 8), (3, 3), groups=groups, weight=(64, inside, 3, 3))

    graph = computational_graph([conv(64, 1), conv(32, 2), conv(1, 64), conv(1, 1)], [])
    assert column(graph, "depthwise") == [1, 0, 0, 0]


def test_there_is_no_largest_kernel_or_number_of_channels() -> None:
    def conv(kernel: int, channels: int) -> Operation:
        return Operation("conv", (1, channels, 8, 8), (kernel, kernel), weight=(channels, 8, kernel, kernel))

    graph = computational_graph([conv(k, c) for k, c in ((1, 10**6), (31, 2 * 10**6), (63, 3 * 10**6))], [])
    for name in ("kernel area", "kernel length", "channels"):
        first, second, third = column(graph, name)
        assert first < second < third


def test_real_sizes_give_numbers_of_about_unit_size() -> None:
    conv = Operation("conv", (1, 512, 28, 28), (3, 3), (1, 1), (1, 1), weight=(512, 512, 3, 3), bias=True)
    numbers = node_features(computational_graph([Operation("input", (1, 512, 28, 28)), conv], [(0, 1)]))
    assert 0.5 < np.abs(numbers[1]).max() < 2


def test_a_single_node_has_numbers_too() -> None:
    assert np.isfinite(node_features(computational_graph([Operation("input", ())], []))).all()


def test_graphs_that_are_not_computational_are_refused() -> None:
    with pytest.raises(
        InvalidGraphError, match="has the attribute 'shape' with 6 numbers per node; make one with arch"
    ):
        node_features(ArchGraph(("input", "conv"), ((0, 1),)))
