"""The builder against shapes and counts by hand, and against what is read from torch's export of the same network."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from archpredict.errors import InvalidGraphError, UnknownNameError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.graph.operators import check_computational, total
from archpredict.onnx.reader import load


def test_shapes_follow_from_floor_division_with_padding() -> None:
    b = Builder((3, 9, 7))
    x = b.input()
    assert b.shape(b.conv(x, 8, 3)) == (1, 8, 9, 7)
    assert b.shape(b.conv(x, 8, 3, stride=2)) == (1, 8, 5, 4)
    assert b.shape(b.conv(x, 8, 3, stride=2, padding=0)) == (1, 8, 4, 3)
    assert b.shape(b.conv(x, 8, 5, dilation=2, padding=3)) == (1, 8, 7, 5)
    assert b.shape(b.max_pool(x, 2, stride=2)) == (1, 3, 4, 3)
    assert b.shape(b.avg_pool(x, 3)) == (1, 3, 9, 7)
    assert b.shape(b.shifted(x)) == (1, 3, 8, 6)
    assert b.shape(b.concat(x, b.slice(x, 2))) == (1, 5, 9, 7)
    assert b.shape(b.global_avg_pool(x)) == (1, 3, 1, 1)
    assert b.shape(b.linear(x, 10)) == (1, 10)


@given(
    size=st.integers(1, 20),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    padding=st.integers(0, 4),
    groups=st.sampled_from([1, 2, 4]),
)
def test_a_convolution_has_torchs_shape_and_parameters(
    size: int, kernel: int, stride: int, dilation: int, padding: int, groups: int
) -> None:
    assume(size + 2 * padding > dilation * (kernel - 1))
    layer = nn.Conv2d(4, 8, kernel, stride, padding, dilation, groups)
    b = Builder((4, size, size))
    x = b.conv(b.input(), 8, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=True)
    assert b.shape(x) == tuple(layer(torch.zeros(1, 4, size, size)).shape)
    assert total(b.graph(), "params") == sum(p.numel() for p in layer.parameters())


def test_parameters_and_multiply_adds_are_those_by_hand() -> None:
    b = Builder((3, 8, 8))
    x = b.conv(b.input(), 6, 3, stride=2, norm=True)
    x = b.conv(x, 6, 5, groups=6)
    graph = b.output(b.linear(b.global_avg_pool(b.batch_norm(x)), 10)).graph()
    check_computational(graph)
    assert graph.ops == ("input", "conv", "conv", "batch_norm", "global_avg_pool", "linear", "output")
    assert graph.attrs["params"].ravel().tolist() == [0, 27 * 6 + 6, 25 * 6, 2 * 6, 0, 60 + 10, 0]
    assert graph.attrs["macs"].ravel().tolist() == [0, 27 * 6 * 16, 25 * 6 * 16, 0, 0, 60, 0]
    assert graph.attrs["groups"].ravel().tolist() == [0, 1, 6, 0, 0, 0, 0]


def test_what_has_no_weights_is_one_node_however_often_it_is_asked_for() -> None:
    b = Builder()
    x = b.input()
    assert b.relu(x) == b.relu(x)
    assert b.max_pool(x, 3) != b.max_pool(x, 3, stride=2)
    assert b.max_pool(x, 3) != b.avg_pool(x, 3)
    assert b.conv(x, 8, 3) != b.conv(x, 8, 3)
    assert b.batch_norm(x) != b.batch_norm(x)


def test_one_part_alone_is_the_part_itself() -> None:
    b = Builder()
    x = b.input()
    assert b.add(x) == b.concat(x) == b.slice(x, 3) == x


def test_a_sum_of_many_is_a_chain_of_sums_of_two() -> None:
    b = Builder()
    x = b.input()
    b.add(x, x, x)
    assert b.graph().edges == ((0, 1), (0, 1), (1, 2), (0, 2))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda b, x: b.conv(x, 8, 3, groups=2), r"from 3 to 8 channels in 2 groups: both must be positive multiples"),
        (lambda b, x: b.conv(x, 0, 3), r"from 3 to 0 channels"),
        (lambda b, x: b.conv(x, 8, 3, stride=0), r"stride 0, .* it takes .* positive numbers"),
        (lambda b, x: b.conv(x, 8, 9, padding=0), r"window of 9 places does not fit .*\(1, 3, 4, 4\); take a larger"),
        (lambda b, x: b.max_pool(b.linear(x, 9), 3), r"a max_pool .* over the shape \(1, 9\)"),
        (lambda b, x: b.add(), "a sum takes at least one node, none was given"),
        (lambda b, x: b.add(x, b.max_pool(x, 2, stride=2)), r"a sum takes equal shapes, got \(1, 3, 4, 4\) and \(1, 3"),
        (lambda b, x: b.concat(x, b.max_pool(x, 2, stride=2)), "must be alike but for the channels"),
        (lambda b, x: b.slice(x, 4), "4 channels cannot be taken of 3; take 1 to 3"),
        (lambda b, x: b.linear(x, 0), "gives at least 1 number, 0 were asked for"),
        (lambda b, x: b.shifted(b.global_avg_pool(x)), "no rows and columns to spare"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_shapes(wrong, message: str) -> None:
    b = Builder((3, 4, 4))
    with pytest.raises(InvalidGraphError, match=message):
        wrong(b, b.input())


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(InvalidGraphError, match=r"of at least 1, \(3, 0, 0\) was given"):
        Builder((3, 0, 0))


class Everything(nn.Module):
    """Every operator that the builder has."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm1 = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8)
        self.norm2, self.head = nn.BatchNorm2d(12), nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.stem(x))
        y = self.depthwise(functional.relu(x)) + functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        y = y + functional.max_pool2d(functional.relu(x), 3, 1, 1) + (x - x)
        y = torch.cat([y[:, :4], y], 1)[:, :, 1:, 1:]
        y = functional.avg_pool2d(functional.max_pool2d(self.norm2(y), 2, 2), 3)
        return self.head(y.flatten(1))


def test_the_graph_is_the_one_that_is_read_from_torchs_export(tmp_path: Path) -> None:
    module = Everything().eval()
    with torch.no_grad():
        for tensor in [*module.parameters(), *(t for t in module.buffers() if t.is_floating_point())]:
            tensor.copy_(torch.rand_like(tensor) + 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.zeros(1, 3, 16, 16),), str(tmp_path / "m.onnx"), dynamo=False)
    b = Builder((3, 16, 16))
    x = b.conv(b.input(), 8, 3, stride=2, norm=True)
    y = b.conv(b.relu(x), 8, 3, dilation=2, groups=8, bias=True)
    y = b.add(y, b.avg_pool(x, 3), b.max_pool(b.relu(x), 3), b.zeros(x))
    y = b.shifted(b.concat(b.slice(y, 4), y))
    y = b.avg_pool(b.max_pool(b.batch_norm(y), 2, stride=2), 3, padding=0)  # all of 3x3 places: a global pool
    graph, exported = b.output(b.linear(y, 10)).graph(), load(tmp_path / "m.onnx")
    assert sorted(graph.ops) == sorted(exported.ops)
    for name in graph.attrs:
        rows = (np.unique(g.attrs[name], axis=0, return_counts=True) for g in (graph, exported))
        for ours, theirs in zip(*rows, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
    assert graph.key == exported.key


# ---------------------------------------------------------------------- names, activations, products, sizes


def test_layers_are_named_by_their_scope_and_kind_and_counted() -> None:
    b = Builder((4, 8, 8))
    x = b.input()
    with b.scope("stage0"), b.scope(1):
        x = b.relu(b.conv(x, 4, 3))
        x = b.conv(b.conv(x, 4, 5, groups=4), 4, 1)
    graph = b.output(b.linear(b.conv(x, 4, 1), 10)).graph()
    assert graph.names == (
        "input",
        "stage0/1/conv",
        "stage0/1/relu",
        "stage0/1/depthwise",
        "stage0/1/conv1",
        "conv",
        "linear",
        "output",
    )


def test_names_are_no_part_of_the_structure() -> None:
    def built(scope: str) -> ArchGraph:
        b = Builder((3, 8, 8))
        with b.scope(scope):
            return b.output(b.conv(b.input(), 4, 3)).graph()

    a, b = built("a"), built("b")
    assert a.names != b.names
    assert a == b
    assert a.key == b.key
    assert ArchGraph.from_json(a.to_json()).names == a.names
    assert a.relabel([0, 1, 2]).names == a.names


def test_a_scope_that_fails_is_left_all_the_same() -> None:
    b = Builder((3, 8, 8))
    with pytest.raises(InvalidGraphError), b.scope("inside"):
        b.conv(b.input(), 0, 3)
    assert b.graph().names == ("inside/input",)


def test_an_unknown_activation_lists_those_there_are() -> None:
    b = Builder((3, 8, 8))
    with pytest.raises(UnknownNameError, match=r"unknown activation 'swich'; choose from: .*hard_swish"):
        b.activation(b.input(), "swich")


def test_a_product_takes_equal_shapes_or_a_number_per_channel() -> None:
    b = Builder((3, 8, 8))
    x = b.input()
    pooled = b.global_avg_pool(x)
    assert b.shape(b.mul(x, x)) == b.shape(b.mul(x, pooled)) == b.shape(b.mul(x, b.linear(pooled, 3))) == (1, 3, 8, 8)
    with pytest.raises(InvalidGraphError, match="one number per channel"):
        b.mul(x, b.linear(pooled, 4))


def test_resizing_to_the_same_size_is_nothing() -> None:
    b = Builder((3, 8, 8))
    x = b.input()
    assert b.resize(x, 8) == x
    assert b.shape(b.resize(x, 5)) == (1, 3, 5, 5)
    with pytest.raises(InvalidGraphError, match="at least 1"):
        b.resize(x, 0)


# ---------------------------------------------------------------------- blocks


def _cell(b: Builder, kinds: str, *xs: int) -> int:
    """Layers one after another, of letters; what they read in turn is what is given."""
    values = [*xs]
    for kind in kinds:
        x = values[len(values) % len(xs) - 1]
        y = values[-1]
        values.append(
            {
                "c": lambda y=y: b.conv(b.relu(y), b.channels(y), 3, norm=True),
                "r": lambda x=x: b.relu(x),
                "a": lambda x=x, y=y: b.add(x, y),
                "p": lambda y=y: b.max_pool(y, 3),
                "z": lambda x=x: b.zeros(x),
            }[kind]()
        )
    return values[-1]


@example(["ara", ""], [(0, 0, False), (0, 0, False), (1, 0, False), (0, 0, False)], True)  # reads what was read before
@given(
    st.lists(st.text("crapz", max_size=6), min_size=1, max_size=2),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.booleans()), min_size=1, max_size=6),
    st.booleans(),
)
def test_blocks_are_what_is_built_without_them(
    kinds: list[str], plan: list[tuple[int, int, bool]], merge: bool
) -> None:
    """Whatever is read again from outside, and whatever scopes are called."""
    graphs = []
    for copies in (False, True):
        b = Builder((4, 8, 8), merge=merge)
        nodes = [b.input(), b.conv(0, 4, 3)]
        for which, scope, also in plan:
            kind, xs = kinds[which % len(kinds)], (nodes[-1], nodes[-2])
            with b.scope(scope):
                y = (
                    b.block(kind, lambda *xs, b=b, kind=kind: _cell(b, kind, *xs), *xs)
                    if copies
                    else _cell(b, kind, *xs)
                )
            nodes.append(y)
            if also:
                nodes.append(b.relu(y))
        graphs.append(b.output(nodes[-1]).graph())
    with_blocks, without = graphs[1], graphs[0]
    assert with_blocks == without
    assert with_blocks.names == without.names


def test_a_block_is_built_once_for_each_shape() -> None:
    built = []

    def cell(x: int) -> int:
        built.append(b.shape(x))
        return b.conv(x, 4, 3, stride=2)

    b = Builder((4, 16, 16))
    x = b.input()
    for i, kernel in enumerate((3, 3, 3)):
        with b.scope(i):
            b.block("cell", cell, x)
            x = b.conv(x, 4, kernel, stride=1 + i % 2)
    assert built == [(1, 4, 16, 16), (1, 4, 8, 8)]
