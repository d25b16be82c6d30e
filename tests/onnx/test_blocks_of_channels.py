"""Models that ONNX Runtime has laid out for one processor, with channels in blocks of eight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archpredict.graph.operators import total
from archpredict.onnx.reader import OnnxModel, interpret

NCHWC = "com.microsoft.nchwc"


class Blocks:
    """Writes a model whose channels are in blocks; biases are ones, filled up with zeros."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[TensorProto] = []

    def __call__(self, op: str, *inputs: str, domain: str = NCHWC, **attributes: object) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], domain=domain, **attributes))
        return name

    def conv(
        self, x: str, weight: Sequence[int], bias: int | None = None, total: str = "", **attributes: object
    ) -> str:
        """A convolution with padding whose bias, of as many numbers as are given, is filled up to the weight."""
        name = f"reorder_token_{len(self.stored)}"
        self.stored.append(TensorProto(name=name, dims=weight, data_type=TensorProto.FLOAT))
        inputs = [x, name]
        if bias is not None:
            numbers = np.r_[np.ones(bias, np.float32), np.zeros(weight[0] - bias, np.float32)]
            given = f"bias{len(self.stored)}" if bias == weight[0] else f"reorder_token_{len(self.stored)}"
            self.stored.append(numpy_helper.from_array(numbers, given))
            inputs.append(given)
        side = weight[-1] // 2
        return self("Conv", *inputs, *([total] if total else []), pads=[side] * 4, **attributes)

    def plain(self, name: str, channels: int) -> str:
        """A tensor without blocks."""
        return self("ReorderOutput", name, channels=channels)

    def read(self, output: str, inputs: Mapping[str, Sequence[int]]) -> OnnxModel:
        given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
        made = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "g", given, made, self.stored)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(NCHWC, 1)]
        return interpret(helper.make_model(graph, opset_imports=opsets))


def _conv(w, x: str, after: int, before: int, side: int = 3, groups: int = 1) -> str:
    bias = w.weight(after)
    return w("Conv", x, w.weight(after, before, side, side), bias, pads=[side // 2] * 4, group=groups)


IMAGE = {"x": (1, 3, 8, 8)}


def test_channels_that_a_filled_bias_tells_are_those_of_the_network(writer) -> None:
    b, w = Blocks(), writer(**IMAGE)
    made = b.conv("x", (24, 3, 3, 3), 20, activation="Relu")
    made = b("MaxPool", made, kernel_shape=[2, 2], strides=[2, 2])
    made = b.conv(made, (24, 1, 3, 3), 20, group=24, activation="Clip", activation_params=[0.0, 6.0])
    seen = b.read(b.plain(b.conv(made, (16, 24, 1, 1), 12), 12), IMAGE)
    made = w("MaxPool", w("Relu", _conv(w, "x", 20, 3)), kernel_shape=[2, 2], strides=[2, 2])
    made = w("Clip", _conv(w, made, 20, 1, groups=20), 0.0, 6.0)
    expected = w.graph(_conv(w, made, 12, 20, 1))
    assert seen.graph.key == expected.key
    assert not seen.warnings


def test_the_sum_within_a_convolution_is_a_sum(writer) -> None:
    b, w = Blocks(), writer(**IMAGE)
    first = b.conv("x", (16, 3, 3, 3), 16, activation="Relu")
    made = b.conv(b.conv(first, (16, 16, 3, 3), 16, activation="Relu"), (16, 16, 3, 3), 16, first, activation="Relu")
    seen = b.read(b.plain(b("GlobalAveragePool", made), 16), IMAGE)
    first = w("Relu", _conv(w, "x", 16, 3))
    made = _conv(w, w("Relu", _conv(w, first, 16, 16)), 16, 16)
    assert seen.graph.key == w.graph(w("GlobalAveragePool", w("Relu", w("Add", made, first)))).key


def test_what_undoes_the_blocks_tells_their_channels_through_pools_and_sums(writer) -> None:
    b, w = Blocks(), writer(**IMAGE)
    first = b.conv("x", (24, 3, 3, 3))
    made = b("Relu", b("Add", first, b.conv(first, (24, 24, 3, 3)), domain=""), domain="")
    seen = b.read(b.plain(b("GlobalMaxPool", made), 20), IMAGE)
    weights = w.weight(20, 3, 3, 3), w.weight(20, 20, 3, 3)
    first = w("Conv", "x", weights[0], pads=[1] * 4)
    made = w("Relu", w("Add", first, w("Conv", first, weights[1], pads=[1] * 4)))
    assert seen.graph.key == w.graph(w("GlobalMaxPool", made)).key


def test_a_weight_that_was_filled_takes_what_arrives() -> None:
    b = Blocks()
    wide = {"x": (1, 20, 8, 8)}
    seen = b.read(b.plain(b.conv(b("ReorderInput", "x"), (16, 24, 3, 3)), 12), wide)
    assert total(seen.graph, "params") == 12 * 20 * 9
    assert total(seen.graph, "macs") == 12 * 20 * 9 * 64
    assert not seen.warnings


def test_a_batch_norm_written_as_a_convolution_is_one(writer) -> None:
    b, w = Blocks(), writer(x=(1, 16, 8, 8))
    made = b.conv(b("ReorderInput", "x"), (16, 1, 1, 1), 16, group=16, activation="Relu")
    seen = b.read(b.plain(b.conv(made, (8, 16, 1, 1)), 8), {"x": (1, 16, 8, 8)})
    made = w("Relu", w("BatchNormalization", "x", *(w.weight(16) for _ in range(4))))
    assert seen.graph.key == w.graph(w("Conv", made, w.weight(8, 16, 1, 1))).key


def test_blocks_that_are_joined_are_full() -> None:
    b = Blocks()
    first, second = b.conv("x", (16, 3, 3, 3)), b.conv("x", (8, 3, 3, 3))
    joined = b("Concat", first, second, axis=1, domain="")
    seen = b.read(b.plain(b.conv(joined, (8, 24, 1, 1)), 5), IMAGE)
    assert total(seen.graph, "params") == 24 * 27 + 24 * 5
    assert not seen.warnings


def test_channels_may_come_and_go_last() -> None:
    b = Blocks()
    made = b.conv(b("ReorderInput", "x", channels_last=1), (16, 24, 3, 3))
    seen = b.read(
        b("ReorderOutput", b("Upsample", made, scales=[1, 1, 2, 2]), channels=12, channels_last=1), {"x": (1, 8, 8, 20)}
    )
    assert list(seen.outputs.values()) == [(1, 16, 16, 12)]
    assert total(seen.graph, "params") == 12 * 20 * 9


def test_channels_that_nothing_tells_are_said_to_fill_their_blocks() -> None:
    b = Blocks()
    made = b.conv(b.conv("x", (24, 3, 3, 3), 0), (24, 24, 3, 3))
    seen = b.read(b.plain(b.conv(made, (16, 24, 3, 3)), 12), IMAGE)
    assert total(seen.graph, "params") == 24 * 28 + 24 * 24 * 9 + 12 * 24 * 9
    assert "of 2 of 3 convolutions it does not say how many there are in truth" in seen.warnings[0]


@pytest.mark.parametrize("channels", [0, -5, 1 << 62, 3])
def test_channels_that_cannot_be_are_not_believed(channels: int) -> None:
    b = Blocks()
    seen = b.read(b.plain(b.conv("x", (24, 3, 3, 3), 20), channels), IMAGE)
    assert total(seen.graph, "params") in (20 * 28, 24 * 28)
