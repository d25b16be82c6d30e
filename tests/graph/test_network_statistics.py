"""Statistics of a computational graph: numbers that can be checked by hand, and what they must not depend on."""

from __future__ import annotations

from math import expm1, log1p

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import InvalidGraphError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import NAMES, network_statistics
from archpredict.graph.operators import ACTIVATIONS, NORMS, OPERATORS, Operation, computational_graph


def _named(graph: ArchGraph) -> dict[str, float]:
    return dict(zip(NAMES, network_statistics(graph).tolist(), strict=True))


def _operations(batch: int = 1) -> list[Operation]:
    def conv(out: int, before: int, kernel: int, side: int, stride: int = 1, groups: int = 1, bias: bool = True):
        return Operation(
            "conv",
            (batch, out, side, side),
            kernel=(kernel, kernel),
            stride=(stride, stride),
            weight=(out, before // groups, kernel, kernel),
            groups=groups,
            bias=bias,
        )

    return [
        Operation("input", (batch, 3, 32, 32)),
        conv(8, 3, 7, 16, stride=2),  # the stem
        Operation("relu", (batch, 8, 16, 16)),
        Operation("max_pool", (batch, 8, 8, 8), kernel=(3, 3), stride=(2, 2)),
        conv(8, 8, 3, 8, groups=8, bias=False),
        Operation("batch_norm", (batch, 8, 8, 8), weight=(8,), bias=True),
        Operation("silu", (batch, 8, 8, 8)),
        conv(16, 8, 1, 8),
        conv(16, 8, 3, 8, groups=2),
        Operation("add", (batch, 16, 8, 8)),
        Operation("global_avg_pool", (batch, 16)),
        Operation("linear", (batch, 10), weight=(10, 16), bias=True),
        Operation("output", (batch, 10)),
    ]


EDGES = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (6, 8), (7, 9), (8, 9), (9, 10), (10, 11), (11, 12)]
STEM, DEPTHWISE, POINTWISE, GROUPED, HEAD = 8 * 3 * 49, 8 * 9, 16 * 8, 16 * 4 * 9, 160
MACS = {"stem": STEM * 256, "depthwise": DEPTHWISE * 64, "1x1": POINTWISE * 64, "grouped": GROUPED * 64, "head": HEAD}


@pytest.fixture
def row() -> dict[str, float]:
    return _named(computational_graph(_operations(), EDGES))


def test_names_are_unique_and_cover_every_operator() -> None:
    assert len(set(NAMES)) == len(NAMES)
    layers = {"conv", "conv_transpose", "linear", "matmul", "attention"}
    assert {f"{op} per layer" for op in OPERATORS if op not in layers} <= set(NAMES)
    assert {f"share of activations: {op}" for op in ACTIVATIONS} <= set(NAMES)
    assert {f"share of norms: {op}" for op in NORMS} <= set(NAMES)


def test_sizes_are_sums(row) -> None:
    params = STEM + 8 + DEPTHWISE + 16 + POINTWISE + 16 + GROUPED + 16 + HEAD + 10
    assert expm1(row["log params"]) == pytest.approx(params)
    assert expm1(row["log macs"]) == pytest.approx(sum(MACS.values()))
    assert expm1(row["log nodes"]) == pytest.approx(13)
    assert row["edges per node"] == 1
    of_layers = 8 * 256 + 3 * 16 * 64 - 8 * 64 + 10
    assert expm1(row["log activations of layers"]) == pytest.approx(of_layers)
    assert expm1(row["log largest tensor"]) == pytest.approx(3 * 32 * 32)


def test_depth_is_the_longest_path(row) -> None:
    assert expm1(row["log depth"]) == pytest.approx(12)  # all but one of two convolutions side by side
    assert expm1(row["log depth in layers"]) == pytest.approx(4)
    assert expm1(row["log depth in spatial layers"]) == pytest.approx(3)
    # 7 x 7 in pixels, then 3 x 3 in steps of 2 pixels and twice 3 x 3 in steps of 4
    assert expm1(row["receptive field"]) == pytest.approx(6 + 2 * 2 + 2 * 4 + 2 * 4)


def test_kinds_of_layers_share_what_there_is(row) -> None:
    kinds = ("conv_1x1", "conv_dense", "conv_grouped", "conv_depthwise", "linear")
    expected = (MACS["1x1"], MACS["stem"], MACS["grouped"], MACS["depthwise"], MACS["head"])
    for kind, macs in zip(kinds, expected, strict=True):
        assert row[f"share of macs: {kind}"] == pytest.approx(macs / sum(MACS.values()))
        assert row[f"count: {kind}"] == pytest.approx(log1p(1))
    assert sum(row[f"share of macs: {kind}"] for kind in kinds) == pytest.approx(1)
    assert row["count: attention"] == 0


def test_stages_share_what_there_is(row) -> None:
    assert row["stage 0: log layers"] == 0
    assert row["stage 1: share of macs"] == pytest.approx(MACS["stem"] / sum(MACS.values()))
    inner = MACS["depthwise"] + MACS["1x1"] + MACS["grouped"]
    assert row["stage 2: share of macs"] == pytest.approx(inner / sum(MACS.values()))
    assert sum(row[f"stage {s}: share of macs"] for s in range(7)) == pytest.approx(1)
    assert row["stage 2: log channels"] == pytest.approx(log1p(16))


def test_details_of_layers(row) -> None:
    assert (row["strided layers"], row["strided pools"]) == (1, 1)
    assert (row["stem kernel"], row["stem stride"]) == (pytest.approx(np.log2(7)), 1)
    assert row["norms of sums, share"] == 0
    assert row["relu per layer"] == pytest.approx(1 / 5)
    assert row["sums per layer"] == pytest.approx(1 / 5)
    assert row["features before the last layer"] == pytest.approx(log1p(16))
    assert row["share of activations: relu"] == pytest.approx(8 * 256 / (8 * 256 + 8 * 64))
    assert row["share of norms: batch_norm"] == 1


def test_the_batch_does_not_matter() -> None:
    """Statistics are of one image."""
    one, eight = (computational_graph(_operations(batch), EDGES) for batch in (1, 8))
    np.testing.assert_allclose(network_statistics(one), network_statistics(eight), atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_numbering_of_nodes_does_not_matter(seed: int) -> None:
    """Any topological order gives the same numbers."""
    rng, operations = np.random.default_rng(seed), _operations()
    order: list[int] = []
    while len(order) < len(operations):
        ready = [v for v in range(len(operations)) if v not in order and all(s in order for s, t in EDGES if t == v)]
        order.append(int(rng.choice(ready)))
    place = {v: i for i, v in enumerate(order)}
    moved = computational_graph([operations[v] for v in order], [(place[s], place[t]) for s, t in EDGES])
    expected = network_statistics(computational_graph(operations, EDGES))
    np.testing.assert_allclose(network_statistics(moved), expected, rtol=1e-9, atol=1e-12)


def test_odd_graphs_have_finite_statistics() -> None:
    lone = computational_graph([Operation("input", (1, 3, 8, 8))], [])
    unknown = computational_graph(
        [Operation("input", (-1, 3, -1, -1)), Operation("unknown:Bend"), Operation("opaque"), Operation("output")],
        [(0, 1), (1, 2), (2, 3)],
    )
    nothing = computational_graph([Operation("parameter", (1, 8)), Operation("output", (1, 8))], [(0, 1)])
    for graph in (lone, unknown, nothing):
        assert np.isfinite(network_statistics(graph)).all()


def test_a_graph_without_attributes_is_refused() -> None:
    with pytest.raises(InvalidGraphError, match="a computational graph has the attribute"):
        network_statistics(ArchGraph(("conv",), ()))


def test_norms_of_sums_are_those_at_the_beginning_of_a_residual_branch() -> None:
    nodes = [Operation("input", (1, 4, 8)), Operation("add", (1, 4, 8), weight=(8,))]
    nodes += [Operation("layer_norm", (1, 4, 8), weight=(8,)), Operation("relu", (1, 4, 8))]
    nodes += [Operation("layer_norm", (1, 4, 8), weight=(8,))]
    graph = computational_graph(nodes, [(0, 1), (1, 2), (2, 3), (3, 4)])
    assert _named(graph)["norms of sums, share"] == 0.5
