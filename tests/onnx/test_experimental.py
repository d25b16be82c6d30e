"""Operators of the first years that ONNX has dropped are read as what they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archpredict.graph.operators import total
from archpredict.onnx.reader import OnnxModel

IMAGE = (1, 4, 6, 6)
Network = Callable[[Any], Any]
_FULL = [1.0, 2.0, 3.0, 4.0]


def _read(writer, opset: int, network: Network, shape: tuple[int, ...]) -> OnnxModel:
    w = writer(opset=opset, x=shape)
    return w.read(network(w))


def _step(w: Any, update: str, new: str) -> str:
    share = w("Mul", w("Sub", 1.0, w("Sigmoid", update)), w("Tanh", new))
    return w("Add", w("Mul", w("Sigmoid", update), "x"), share)


SAME: dict[str, tuple[Network, Network, tuple[int, ...]]] = {
    "Affine": (lambda w: w("Affine", "x", alpha=2.0, beta=1.0), lambda w: w("Add", w("Mul", "x", 2.0), 1.0), IMAGE),
    "Scale": (lambda w: w("Relu", w("Scale", "x", scale=2.0)), lambda w: w("Relu", w("Mul", "x", 2.0)), IMAGE),
    "ScaledTanh": (
        lambda w: w("ScaledTanh", "x", alpha=1.7159, beta=0.6667),
        lambda w: w("Mul", w("Tanh", w("Mul", "x", 0.6667)), 1.7159),
        IMAGE,
    ),
    "ParametricSoftplus": (
        lambda w: w("ParametricSoftplus", "x", alpha=1.0, beta=1.0),
        lambda w: w("Softplus", "x"),
        IMAGE,
    ),
    "ThresholdedRelu": (
        lambda w: w("ThresholdedRelu", "x", alpha=0.5),
        lambda w: w("ThresholdedRelu", "x"),
        IMAGE,
    ),
    "ImageScaler": (
        lambda w: w("Conv", w("ImageScaler", "x", bias=_FULL, scale=0.5), w.weight(2, 4, 1, 1)),
        lambda w: w(
            "Conv",
            w("Add", w("Mul", "x", 0.5), w("Unsqueeze", w("Cast", [1, 2, 3, 4], to=1), [1, 2])),
            w.weight(2, 4, 1, 1),
        ),
        IMAGE,
    ),
    "Crop": (
        lambda w: w("Crop", "x", border=[1, 2, 1, 0]),
        lambda w: w("Slice", "x", [2, 1], [6, 5], [2, 3]),
        IMAGE,
    ),
    "Crop to a size": (
        lambda w: w("Crop", "x", border=[1, 2, 0, 0], scale=[3, 2]),
        lambda w: w("Slice", "x", [2, 1], [5, 3], [2, 3]),
        IMAGE,
    ),
    "FC": (
        lambda w: w("FC", "x", w.weight(5, 144), w.weight(5)),
        lambda w: w("Gemm", w("Flatten", "x"), w.weight(5, 144), w.weight(5), transB=1),
        IMAGE,
    ),
    "Caffe2ConvTranspose": (
        lambda w: w("Caffe2ConvTranspose", "x", w.weight(4, 3, 2, 2), w.weight(3), stride=2, pad=1, kernel=2),
        lambda w: w("ConvTranspose", "x", w.weight(4, 3, 2, 2), w.weight(3), strides=[2, 2], pads=[1, 1, 1, 1]),
        IMAGE,
    ),
    "SpatialBN": (
        lambda w: w("SpatialBN", "x", *(w.weight(4) for _ in range(4)), is_test=1, order="NCHW"),
        lambda w: w("BatchNormalization", "x", *(w.weight(4) for _ in range(4))),
        IMAGE,
    ),
    "Embedding": (
        lambda w: w("Embedding", w("Cast", "x", to="INT64"), w.weight(50, 8), input_dim=50, output_dim=8),
        lambda w: w("Gather", w.weight(50, 8), w("Cast", "x", to=7)),
        (2, 3),
    ),
    "ATen, an embedding": (
        lambda w: w("ATen", w.weight(50, 8), w("Cast", "x", to="INT64"), operator="embedding"),
        lambda w: w("Gather", w.weight(50, 8), w("Cast", "x", to=7)),
        (2, 3),
    ),
    "ATen, a bag of rows": (
        lambda w: w(
            "ATen",
            w.weight(50, 8),
            w("Cast", "x", to="INT64"),
            operator="embedding_bag",
            mode=1,
            domain="org.pytorch.aten",
        ),
        lambda w: w("ReduceMean", w("Gather", w.weight(50, 8), w("Cast", "x", to=7)), axes=[1], keepdims=0),
        (2, 3),
    ),
    "DynamicSlice": (
        lambda w: w("DynamicSlice", "x", [1], [3], [1]),
        lambda w: w("Slice", "x", [1], [3], [1]),
        IMAGE,
    ),
    "ConstantFill": (
        lambda w: w("Add", "x", w("ConstantFill", "x", value=1.0)),
        lambda w: w("Add", "x", w("ConstantOfShape", w("Shape", "x"))),
        IMAGE,
    ),
    "GivenTensorFill": (
        lambda w: w("Gemm", "x", w("GivenTensorFill", shape=[6, 2], values=[0.5] * 12), w.weight(2)),
        lambda w: w("Gemm", "x", w.weight(6, 2), w.weight(2)),
        (1, 6),
    ),
    "GRUUnit": (
        lambda w: w("GRUUnit", "x", w("Concat", "x", "x", "x", axis=1)),
        lambda w: _step(w, *w("Split", w("Concat", "x", "x", "x", axis=1), [5, 5, 5], axis=1, outputs=3)[1:]),
        (1, 5),
    ),
    "MeanVarianceNormalization": (
        lambda w: w("MeanVarianceNormalization", "x", across_channels=0, normalize_variance=1),
        lambda w: w("MeanVarianceNormalization", "x", axes=[2, 3]),
        IMAGE,
    ),
    "MeanVarianceNormalization of all": (
        lambda w: w("MeanVarianceNormalization", "x", across_channels=1),
        lambda w: w("MeanVarianceNormalization", "x", axes=[1, 2, 3]),
        IMAGE,
    ),
    "MeanVarianceNormalization of means": (
        lambda w: w("MeanVarianceNormalization", "x", normalize_variance=0),
        lambda w: w("Sub", "x", w("ReduceMean", "x", axes=[2, 3])),
        IMAGE,
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_a_dropped_operator_is_its_twin(writer, case: str) -> None:
    old, new, shape = SAME[case]
    first, second = _read(writer, 2, old, shape), _read(writer, 17, new, shape)
    assert (first.unknown, first.warnings) == ({}, ())
    assert sorted(first.graph.ops) == sorted(second.graph.ops)
    assert first.graph.key == second.graph.key
    for name in ("params", "macs", "shape"):
        assert total(first.graph, name) == total(second.graph, name)


@pytest.mark.parametrize(
    "op",
    [
        *("ATen", "Affine", "Scale", "ScaledTanh", "ParametricSoftplus", "ImageScaler", "Crop", "ConstantFill", "FC"),
        *("GivenTensorFill", "Caffe2ConvTranspose", "SpatialBN", "Embedding", "DynamicSlice", "LoopIndexTensor"),
        *("GRUUnit", "MeanVarianceNormalization", "Upsample", "LpPool", "GlobalLpPool", "CenterCropPad", "STFT"),
        *("Compress", "SwiGLU", "CausalConvWithState", "SoftmaxCrossEntropyLoss", "MatMul", "DeformConv"),
    ],
)
def test_attributes_and_inputs_that_cannot_be_are_no_error(writer, op: str) -> None:
    words: dict[str, Any] = dict.fromkeys(("alpha", "scale", "border", "shape", "axis", "mode", "operator"), "word")
    large = dict.fromkeys(("axis", "kernel", "stride", "pads", "axes", "p"), 2**62)
    large |= {name: [-(2**62)] * 4 for name in ("shape", "extra_shape", "border", "kernel_shape", "scale", "bias")}
    for attributes in ({}, words, large):
        for inputs in (["x"], ["x"] * 5, ["x", np.array([2**40, -5, 0, 1]), ""], []):
            w = writer(opset=2, x=IMAGE)
            made = w(op, *inputs, **attributes)
            assert w.read(w("Add", "x", made)).graph.num_nodes > 0
