"""A network of known size in random spelling, fused or spread, quantised or not, sorted or not, is read as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from archpredict.graph.operators import total
from archpredict.onnx.reader import OnnxModel, interpret

Choose = Callable[[int], int]
"""Takes the number of spellings that there are, gives the one to write."""


@dataclass
class Spelling:
    """Writes layers, each in one of its spellings, and counts by hand what they have.

    Args:
        choose: Which spelling.
        opset: Of ONNX's own operators.
    """

    choose: Choose
    opset: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    stored: list[onnx.TensorProto] = field(default_factory=list)
    params: int = 0
    macs: int = 0

    def op(self, name: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any) -> Any:
        made = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(name, list(inputs), made, domain=domain, **attributes))
        return made[0] if outputs == 1 else made

    def number(self, values: Any, dtype: type = np.float32) -> str:
        name = f"n{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def integers(self, *values: int) -> str:
        return self.number(values, np.int64)

    def array(self, *shape: int) -> np.ndarray:
        """Elements as no two tensors have them."""
        rng = np.random.default_rng(len(self.stored) + len(self.nodes))
        return rng.uniform(0.1, 1, shape).astype(np.float32)

    def weight(self, *shape: int, array: np.ndarray | None = None) -> str:
        """A weight, stored, written as a node Constant, or rounded to integers."""
        array = self.array(*shape) if array is None else array
        spelling = self.choose(3)
        if spelling == 0:
            return self.number(array)
        if spelling == 1:
            return self.op("Constant", value=numpy_helper.from_array(array))
        rounded = self.number(np.round(array * 100), np.int8)
        return self.op("DequantizeLinear", rounded, self.number(0.01), self.number(0, np.int8))

    # Layers: each takes and gives the name of a tensor, and its shape.

    def conv(
        self, x: str, shape: tuple[int, ...], channels: int, size: int, groups: int
    ) -> tuple[str, tuple[int, ...]]:
        weight, out = (channels, shape[1] // groups, size, size), (shape[0], channels, *shape[2:])
        self.params += int(np.prod(weight)) + channels
        self.macs += int(np.prod(out)) * int(np.prod(weight[1:]))
        more = {"pads": [size // 2] * 4, "group": groups}
        spelling = self.choose(4)
        if spelling == 0:
            return self.op("Conv", x, self.weight(*weight), self.weight(channels), **more), out
        if spelling == 1:
            made = self.op("Conv", x, self.weight(*weight), **more)
            return self.op("Add", made, self.number(self.array(channels, 1, 1))), out
        if spelling == 2:
            made = self.op("Conv", x, self.weight(*weight), **more)
            scale, shift, mean, var = (self.number(self.array(channels)) for _ in range(4))
            return self.op("BatchNormalization", made, scale, shift, mean, var), out
        scales, zero = (self.number(0.05), self.number(128, np.uint8)), self.number(0, np.int8)
        given = self.op("QuantizeLinear", x, *scales[:1], scales[1])
        rounded = self.number(np.round(self.array(*weight) * 100), np.int8)
        bias = self.number(np.round(self.array(channels) * 1000), np.int32)
        made = self.op("QLinearConv", given, *scales, rounded, scales[0], zero, *scales, bias, **more)
        return self.op("DequantizeLinear", made, *scales), out

    def linear(self, x: str, shape: tuple[int, ...], width: int) -> tuple[str, tuple[int, ...]]:
        inputs, out = shape[-1], (*shape[:-1], width)
        self.params += (inputs + 1) * width
        self.macs += int(np.prod(shape)) * width
        spelling = self.choose(5)
        bias = self.weight(width)
        if spelling == 1 and len(shape) == 2:
            return self.op("Gemm", x, self.weight(width, inputs), bias, transB=1), out
        if spelling == 2 and len(shape) == 2:
            return self.op("FusedGemm", x, self.weight(inputs, width), bias, domain="com.microsoft"), out
        if spelling == 3:
            rounded, scale, zero = self.op("DynamicQuantizeLinear", x, outputs=3)
            weight = self.number(np.round(self.array(inputs, width) * 100), np.int8)
            made = self.op("MatMulInteger", rounded, weight, zero, self.number(0, np.int8))
            both = self.op("Mul", scale, self.number(self.array(width)))
            return self.op("Add", self.op("Mul", self.op("Cast", made, to=1), both), bias), out
        if spelling == 4:
            packed = self.number(np.ones((width, -(-inputs // 32), 16)), np.uint8)
            size = {"K": inputs, "N": width, "bits": 4, "block_size": 32}
            scales = self.number(self.array(width * -(-inputs // 32)))
            return self.op("Add", self.op("MatMulNBits", x, packed, scales, domain="com.microsoft", **size), bias), out
        return self.op("Add", self.op("MatMul", x, self.weight(inputs, width)), bias), out

    def relu(self, x: str) -> str:
        return (self.op("Relu", x), self.op("Max", x, self.number(0.0)), self.op("Relu", self.op("Identity", x)))[
            self.choose(3)
        ]

    def silu(self, x: str) -> str:
        if self.choose(2):
            return self.op("QuickGelu", x, domain="com.microsoft", alpha=1.0)
        return self.op("Mul", x, self.op("Sigmoid", x))

    def gelu(self, x: str) -> str:
        spelling = self.choose(3)
        if spelling == 0:
            return self.op("Gelu", x, domain="com.microsoft")
        if spelling == 1 and self.opset >= 20:
            return self.op("Gelu", x)
        inner = self.op("Erf", self.op("Div", x, self.number(2**0.5)))
        half = self.op("Mul", x, self.number(0.5))
        return self.op("Mul", half, self.op("Add", inner, self.number(1.0)))

    def norm(self, x: str, width: int) -> str:
        self.params += 2 * width
        scale, shift = self.number(self.array(width)), self.number(self.array(width))
        if self.choose(2) and self.opset >= 17:
            return self.op("LayerNormalization", x, scale, shift)
        centred = self.op("Sub", x, self._mean(x))
        variance = self._mean(self.op("Mul", centred, centred))
        normed = self.op("Div", centred, self.op("Sqrt", self.op("Add", variance, self.number(1e-5))))
        return self.op("Add", self.op("Mul", normed, scale), shift)

    def _mean(self, x: str, axes: tuple[int, ...] = (-1,)) -> str:
        if self.opset >= 18:
            return self.op("ReduceMean", x, self.integers(*axes))
        return self.op("ReduceMean", x, axes=list(axes))

    def pooled(self, x: str) -> str:
        made = self.op("GlobalAveragePool", x) if self.choose(2) else self._mean(x, (2, 3))
        return self.op("Flatten", made)

    def model(self, shape: tuple[Any, ...], last: str, order: np.random.Generator | None) -> onnx.ModelProto:
        nodes = list(self.nodes)
        if order is not None:
            order.shuffle(nodes)
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        y = helper.make_tensor_value_info(last, TensorProto.FLOAT, None)
        graph = helper.make_graph(nodes, "g", [x], [y], self.stored)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets)


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[tuple[str, int, int]], tuple[int, ...], list[tuple[str, int, int]]]:
    """Layers over images with what they are made of, the input's shape, and layers over features."""
    activations = st.sampled_from(("relu", "silu", "gelu"))
    images = draw(
        st.lists(
            st.one_of(
                st.tuples(st.just("conv"), st.sampled_from((4, 8, 12)), st.sampled_from((1, 3))),
                st.tuples(st.just("residual"), st.just(0), st.sampled_from((1, 3))),
                st.tuples(activations, st.just(0), st.just(0)),
            ),
            max_size=5,
        )
    )
    features = draw(
        st.lists(
            st.one_of(
                st.tuples(st.just("linear"), st.sampled_from((3, 32, 40)), st.just(0)),
                st.tuples(st.just("norm"), st.just(0), st.just(0)),
                st.tuples(activations, st.just(0), st.just(0)),
            ),
            max_size=4,
        )
    )
    return images, (draw(st.integers(1, 2)), 4, 6, 6), features


def _written(network: Any, choose: Choose, opset: int, order: np.random.Generator | None) -> tuple[Spelling, Any]:
    images, shape, features = network
    w = Spelling(choose, opset)
    x, now = "x", shape
    for name, channels, size in images:
        if name == "conv":
            x, now = w.conv(x, now, channels, size, 4 if channels == 8 else 1)
        elif name == "residual":
            made, now = w.conv(x, now, now[1], size, 1)
            x = w.op("Add", made, x)
        else:
            x = getattr(w, name)(x)
    x, now = w.pooled(x), now[:2]
    for name, width, _ in features:
        if name == "linear":
            x, now = w.linear(x, now, width)
        elif name == "norm":
            x = w.norm(x, now[-1])
        else:
            x = getattr(w, name)(x)
    x, now = w.linear(x, now, 10)
    return w, w.model(shape, x, order)


def _plain(number: int) -> int:
    return 0


@given(networks(), st.randoms(use_true_random=False), st.sampled_from((13, 15, 17, 18, 20, 21)), st.booleans())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_network_has_its_size_and_its_graph_in_every_spelling(
    network: Any, random: Any, opset: int, shuffled: bool
) -> None:
    plain, model = _written(network, _plain, 17, None)
    first = interpret(model)
    assert (total(first.graph, "params"), total(first.graph, "macs")) == (plain.params, plain.macs)
    order = np.random.default_rng(random.randrange(1 << 30)) if shuffled else None
    other, model = _written(network, random.randrange, opset, order)
    assert (other.params, other.macs) == (plain.params, plain.macs)
    seen: OnnxModel = interpret(model)
    assert (total(seen.graph, "params"), total(seen.graph, "macs")) == (plain.params, plain.macs)
    assert (dict(seen.unknown), seen.unplaced) == ({}, 0)
    assert seen.graph.key == first.graph.key
