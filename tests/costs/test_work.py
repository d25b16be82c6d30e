"""What kernels compute, read and write, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.costs.branches import mergeable
from archpredict.costs.work import KINDS, work_of
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_view import NetworkView
from archpredict.graph.operators import Operation, computational_graph

SHAPE = (1, 16, 8, 8)
SIZE = 16 * 8 * 8


def conv(kernel: int, groups: int = 1, shape: tuple[int, ...] = SHAPE) -> Operation:
    weight = (16, 16 // groups, kernel, kernel)
    return Operation("conv", shape, kernel=(kernel, kernel), groups=groups, weight=weight)


def chain(*operations: Operation) -> ArchGraph:
    nodes = [Operation("input", SHAPE), *operations, Operation("output", SHAPE)]
    return computational_graph(nodes, [(i, i + 1) for i in range(len(nodes) - 1)])


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (conv(3), "conv dense"),
        (conv(1), "conv 1x1"),
        (conv(3, groups=4), "conv grouped"),
        (conv(3, groups=16), "conv depthwise"),
        (conv(7, groups=16), "conv large depthwise"),
        (conv(8, shape=(1, 16)), "linear"),
        (Operation("gelu", SHAPE), "activation"),
        (Operation("elementwise", SHAPE), "function"),
        (Operation("layer_norm", SHAPE), "layer norm"),
        (Operation("rms_norm", SHAPE), "other norm"),
        (Operation("global_avg_pool", (1, 16)), "reduce"),
        (Operation("unknown:Mystery", SHAPE), "other"),
    ],
)
def test_kernels_are_of_the_kind_that_bounds_them(operation: Operation, kind: str) -> None:
    work = work_of([chain(operation)])
    assert [KINDS[k] for k in work.kind if k >= 0] == [kind]


def test_arithmetic_and_traffic_are_those_that_one_counts_by_hand() -> None:
    work = work_of([chain(conv(3), Operation("relu", SHAPE))])
    assert work.macs.tolist() == [0, SIZE * 16 * 9, 0, 0]
    traffic = work.traffic(np.full(4, 2.0), fused=False)
    assert traffic.read[1:3].tolist() == traffic.written[1:3].tolist() == [2 * SIZE, 2 * SIZE]


def test_fusion_leaves_out_what_never_leaves_the_processor() -> None:
    work = work_of([chain(conv(1), Operation("relu", SHAPE), Operation("sigmoid", SHAPE), conv(1))])
    traffic = work.traffic(np.full(6, 1.0), fused=True)
    assert traffic.read[1:5].tolist() == [SIZE, SIZE, 0, SIZE]
    assert traffic.written[1:5].tolist() == [SIZE, 0, SIZE, SIZE]


def test_work_is_per_sample_of_a_batch() -> None:
    def double(graph: ArchGraph) -> ArchGraph:
        twice = [Operation("input", (2, *SHAPE[1:])), Operation("relu", (2, *SHAPE[1:]))]
        return computational_graph(twice, graph.edges)

    one = computational_graph([Operation("input", SHAPE), Operation("relu", SHAPE)], [(0, 1)])
    assert work_of([double(one)]).elements.tolist() == work_of([one]).elements.tolist()


def test_norms_and_softmax_stay_in_single_precision_until_a_layer_casts_them() -> None:
    nodes = (conv(1), Operation("relu", SHAPE), Operation("layer_norm", SHAPE), Operation("gelu", SHAPE), conv(1))
    work = work_of([chain(*nodes)])
    assert work.wide.tolist() == [True, False, False, True, True, False, False]
    assert work.cast.tolist() == [0, SIZE, 0, 0, 0, SIZE, 0]


def test_parallel_convolutions_of_one_tensor_are_merged_into_the_largest() -> None:
    nodes = [Operation("input", SHAPE), conv(1), conv(3), Operation("batch_norm", SHAPE, weight=(16,))]
    nodes += [Operation("add", SHAPE), Operation("add", SHAPE), Operation("relu", SHAPE)]
    graph = computational_graph(nodes, [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 5), (4, 5), (5, 6)])
    assert mergeable(NetworkView([graph])).tolist() == [False, True, False, True, True, True, False]


def test_branches_that_something_else_reads_stay() -> None:
    nodes = [Operation("input", SHAPE), conv(1), conv(3), Operation("add", SHAPE), Operation("add", SHAPE)]
    graph = computational_graph(nodes, [(0, 1), (0, 2), (1, 3), (2, 3), (1, 4), (3, 4)])
    assert not mergeable(NetworkView([graph])).any()
