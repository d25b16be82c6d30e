"""Opsets 1 to 12 are read as they were meant: each operator as its twin in a later one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, version_converter

from archpredict.graph.operators import total
from archpredict.onnx.reader import OnnxModel, interpret

IMAGE = (1, 4, 6, 6)
Network = Callable[[Any], str]


def _read(writer, opset: int, network: Network, **inputs: tuple[int, ...]) -> OnnxModel:
    w = writer(opset=opset, **(inputs or {"x": IMAGE}))
    return w.read(network(w))


def _same(old: OnnxModel, new: OnnxModel) -> None:
    assert (old.graph.ops, old.warnings, old.unknown) == (new.graph.ops, (), {})
    assert old.graph.key == new.graph.key
    for name in ("params", "macs", "shape"):
        assert total(old.graph, name) == total(new.graph, name), name


def _affine(w, op: str, shape: tuple[int, ...], **attributes: Any) -> str:
    return w(op, w("Conv", "x", w.weight(4, 4, 1, 1)), w.weight(*shape), **attributes)


def _classifier(w, tail: Callable[[Any, str], str]) -> str:
    """What a tail is for: four channels of six places each, to ten classes."""
    return tail(w, w("Conv", "x", w.weight(10, 4, 1, 1)))


SAME: dict[str, tuple[int, Network, Network]] = {
    "consumed_inputs says nothing": (
        1,
        lambda w: w("Tanh", w("Relu", "x", consumed_inputs=[0]), consumed_inputs=[0]),
        lambda w: w("Tanh", w("Relu", "x")),
    ),
    "functions with numbers keep them": (
        1,
        lambda w: w("Elu", w("LeakyRelu", w("HardSigmoid", "x", beta=0.25, consumed_inputs=[1]), alpha=0.3), alpha=2.0),
        lambda w: w("Elu", w("LeakyRelu", w("HardSigmoid", "x", beta=0.25), alpha=0.3), alpha=2.0),
    ),
    "a bias per channel is aligned by an attribute": (
        6,
        lambda w: _affine(w, "Add", (4,), broadcast=1, axis=1),
        lambda w: _affine(w, "Add", (4, 1, 1)),
    ),
    "a negative axis aligns as well": (
        3,
        lambda w: _affine(w, "Mul", (4, 6), broadcast=1, axis=-3),
        lambda w: _affine(w, "Mul", (4, 6, 1)),
    ),
    "without an axis the last axes are meant": (
        1,
        lambda w: _affine(w, "Sub", (6,), broadcast=1, consumed_inputs=[0, 0]),
        lambda w: _affine(w, "Sub", (6,)),
    ),
    "logic is aligned alike": (
        1,
        lambda w: w("Cast", w("Greater", "x", w.weight(4), broadcast=1, axis=1), to="FLOAT"),
        lambda w: w("Cast", w("Greater", "x", w.weight(4, 1, 1)), to=1),
    ),
    "what is activated twice is aligned": (
        6,
        lambda w: w("Mul", "x", w("Sigmoid", w("ReduceMean", "x", axes=[2, 3], keepdims=0)), broadcast=1, axis=0),
        lambda w: w("Mul", "x", w("Unsqueeze", w("Sigmoid", w("ReduceMean", "x", axes=[2, 3], keepdims=0)), [2, 3])),
    ),
    "a batch norm in test mode": (
        1,
        lambda w: w("BatchNormalization", "x", *(w.weight(4) for _ in range(4)), is_test=1, consumed_inputs=[0, 0]),
        lambda w: w("BatchNormalization", "x", *(w.weight(4) for _ in range(4))),
    ),
    "a batch norm with a statistic for each place is a scale and a shift": (
        6,
        lambda w: w("BatchNormalization", "x", *(w.weight(4, 6, 6) for _ in range(4)), is_test=1, spatial=0),
        lambda w: w("Add", w("Mul", "x", w.weight(4, 6, 6)), w.weight(4, 6, 6)),
    ),
    "the lengths of a reshape are an attribute": (
        1,
        lambda w: w("Reshape", "x", shape=[0, 2, -1], consumed_inputs=[0]),
        lambda w: w("Reshape", "x", [0, 2, -1]),
    ),
    "a product adds its bias to every row": (
        6,
        lambda w: w("Gemm", w("Flatten", "x"), w.weight(5, 144), w.weight(5), transB=1, broadcast=1),
        lambda w: w("Gemm", w("Flatten", "x"), w.weight(5, 144), w.weight(5), transB=1),
    ),
    "padding has had another name": (
        1,
        lambda w: w("Conv", w("Pad", "x", paddings=[0, 0, 1, 1, 0, 0, 1, 1]), w.weight(4, 4, 3, 3)),
        lambda w: w("Conv", "x", w.weight(4, 4, 3, 3), pads=[1, 1, 1, 1]),
    ),
    "tensors are joined along the channels": (
        1,
        lambda w: w("Concat", "x", w("Relu", "x")),
        lambda w: w("Concat", "x", w("Relu", "x"), axis=1),
    ),
    "a slope per channel": (
        6,
        lambda w: w("PRelu", "x", w.weight(4)),
        lambda w: w("PRelu", "x", w.weight(4, 1, 1)),
    ),
    "one slope": (
        1,
        lambda w: w("PRelu", "x", w.weight(1)),
        lambda w: w("PRelu", "x", w.weight(1)),
    ),
    "parts of a split as an input": (
        1,
        lambda w: w("Add", *w("Split", "x", [2, 2], axis=1, outputs=2)),
        lambda w: w("Add", *w("Split", "x", [2, 2], axis=1, outputs=2)),
    ),
    "equal parts": (
        1,
        lambda w: w("Add", *w("Split", "x", axis=1, outputs=2)),
        lambda w: w("Add", *w("Split", "x", [2, 2], axis=1, outputs=2)),
    ),
    "copies along one axis": (
        1,
        lambda w: w("Conv", w("Tile", "x", [3], [1]), w.weight(2, 12, 1, 1)),
        lambda w: w("Conv", w("Concat", "x", "x", "x", axis=1), w.weight(2, 12, 1, 1)),
    ),
    "an enlargement by attributes": (
        1,
        lambda w: w("Upsample", "x", height_scale=2.0, width_scale=3.0, mode="nearest"),
        lambda w: w("Resize", "x", "", [1.0, 1.0, 2.0, 3.0]),
    ),
    "an enlargement by an attribute": (
        7,
        lambda w: w("Upsample", "x", scales=[1.0, 1.0, 2.0, 3.0], mode="linear"),
        lambda w: w("Resize", "x", "", [1.0, 1.0, 2.0, 3.0]),
    ),
    "an enlargement by an input": (
        9,
        lambda w: w("Upsample", "x", [1.0, 1.0, 2.0, 3.0]),
        lambda w: w("Resize", "x", "", [1.0, 1.0, 2.0, 3.0]),
    ),
    "bounds by attributes": (
        6,
        lambda w: w("Clip", w("Clip", "x", min=0.0, max=6.0), max=3.0),
        lambda w: w("Clip", w("Clip", "x", 0.0, 6.0), "", 3.0),
    ),
    "a softmax over all that follows an axis": (
        11,
        lambda w: w("Softmax", "x", axis=1),
        lambda w: w("Softmax", w("Reshape", "x", [1, 144]), axis=-1),
    ),
    "a softmax over classes beside axes of length one": (
        9,
        lambda w: _classifier(w, lambda w, y: w("Softmax", w("GlobalAveragePool", y))),
        lambda w: _classifier(w, lambda w, y: w("Softmax", w("GlobalAveragePool", y), axis=1)),
    ),
    "the logarithm of a softmax": (
        1,
        lambda w: _classifier(w, lambda w, y: w("LogSoftmax", w("GlobalAveragePool", y))),
        lambda w: _classifier(w, lambda w, y: w("LogSoftmax", w("GlobalAveragePool", y), axis=1)),
    ),
    "sums, means and extremes of several": (
        1,
        lambda w: w("Sum", w("Max", "x", w("Mean", "x", w("Tanh", "x"))), w("Min", "x", w("Exp", "x"))),
        lambda w: w("Sum", w("Max", "x", w("Mean", "x", w("Tanh", "x"))), w("Min", "x", w("Exp", "x"))),
    ),
    "the largest by an attribute": (
        1,
        lambda w: w("TopK", "x", k=2, axis=1, outputs=2)[0],
        lambda w: w("TopK", "x", [2], axis=1, outputs=2)[0],
    ),
    "an instance norm": (
        1,
        lambda w: w("InstanceNormalization", "x", w.weight(4), w.weight(4), consumed_inputs=[0, 0]),
        lambda w: w("InstanceNormalization", "x", w.weight(4), w.weight(4)),
    ),
    "axes by attributes": (
        1,
        lambda w: w("Squeeze", w("Unsqueeze", w("ReduceSum", "x", axes=[1]), axes=[0]), axes=[0, 2]),
        lambda w: w("Squeeze", w("Unsqueeze", w("ReduceSum", "x", [1]), [0]), [0, 2]),
    ),
    "a slice by attributes": (
        1,
        lambda w: w("Slice", "x", starts=[0, -3], ends=[2, 9], axes=[1, 3]),
        lambda w: w("Slice", "x", [0, -3], [2, 9], [1, 3]),
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_an_old_operator_is_its_twin(writer, case: str) -> None:
    opset, old, new = SAME[case]
    _same(_read(writer, opset, old), _read(writer, 17, new))


REFUSED = {
    "a negative axis aligns as well",
    "logic is aligned alike",
    "a batch norm with a statistic for each place is a scale and a shift",
    "padding has had another name",
    "parts of a split as an input",
    "equal parts",
    "copies along one axis",
    "an enlargement by attributes",
}
"""Cases that ONNX's converter does not convert."""
REFUSED |= {"a bias per channel is aligned by an attribute"}  # which it makes (4, 1, 1, 1) of


@pytest.mark.parametrize("case", sorted(SAME.keys() - REFUSED))
def test_an_old_operator_is_what_the_converter_of_onnx_makes_of_it(writer, case: str) -> None:
    opset, old, _ = SAME[case]
    w = writer(opset=opset, x=IMAGE)
    model = _complete(w.model(old(w)))
    _same(interpret(model), interpret(version_converter.convert_version(model, 13)))


def _complete(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with what the converter asks for: weights with elements, listed among the inputs, and types."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and not tensor.raw_data:
            ones = np.ones(tuple(tensor.dims), np.float32)
            tensor.CopyFrom(numpy_helper.from_array(ones, tensor.name))
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    for value in model.graph.output:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def test_a_network_of_the_first_years_is_its_twin(writer) -> None:
    """As Caffe2 wrote it: opset 3, with what later became inputs as attributes."""

    def old(w):
        norm = [w.weight(8) for _ in range(4)]
        y = w("Conv", "x", w.weight(8, 4, 3, 3), pads=[1, 1, 1, 1], kernel_shape=[3, 3])
        y = w("BatchNormalization", y, *norm, consumed_inputs=[0, 0, 0, 1, 1], is_test=1, epsilon=1e-5)
        y = w("MaxPool", w("Relu", y, consumed_inputs=[0]), kernel_shape=[2, 2], strides=[2, 2])
        y = w("Mul", y, w.weight(8), broadcast=1, axis=1)
        y = w("Reshape", w("Dropout", y, is_test=1, ratio=0.5), shape=[1, 72])
        return w("Softmax", w("Gemm", y, w.weight(10, 72), w.weight(10), transB=1, broadcast=1))

    def new(w):
        y = w("Conv", "x", w.weight(8, 4, 3, 3), pads=[1, 1, 1, 1])
        y = w(
            "MaxPool",
            w("Relu", w("BatchNormalization", y, *(w.weight(8) for _ in range(4)))),
            kernel_shape=[2, 2],
            strides=[2, 2],
        )
        y = w("Flatten", w("Mul", y, w.weight(8, 1, 1)))
        return w("Softmax", w("Gemm", y, w.weight(10, 72), w.weight(10), transB=1), axis=-1)

    read = _read(writer, 3, old)
    _same(read, _read(writer, 17, new))
    assert total(read.graph, "params") == 8 * 36 + 8 + 8 + 72 * 10 + 10
    assert total(read.graph, "macs") == 36 * 8 * 36 + 72 * 10


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Add", {"broadcast": 1, "axis": 99}),
        ("Add", {"broadcast": 1, "axis": -(2**63)}),
        ("Cast", {"to": "NOTHING"}),
        ("Reshape", {"shape": [2**62, 2**62]}),
        ("Pad", {"paddings": [-(2**40)] * 8}),
        ("Split", {"split": [2**60, -5]}),
        ("Upsample", {"height_scale": 1e30, "width_scale": -3.0}),
        ("Softmax", {"axis": 7}),
        ("BatchNormalization", {"spatial": 0}),
        ("Concat", {"axis": 30}),
    ],
)
def test_attributes_that_cannot_be_are_no_error(writer, op: str, attributes: dict[str, Any]) -> None:
    read = _read(writer, 1, lambda w: w("Conv", w(op, "x", w.weight(3), **attributes), w.weight(2, 4, 3, 3)))
    assert read.graph.num_nodes > 0
    two = _read(writer, 1, lambda w: w("Tile", "x", [float("nan")], [1e30]))
    assert two.graph.num_nodes > 0
