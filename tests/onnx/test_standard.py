"""Operators of ONNX: labels, parameters and multiply-adds by hand, shapes as ONNX Runtime computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from archpredict.graph.operators import total
from archpredict.onnx.reader import OnnxModel

IMAGE = (1, 4, 6, 6)
Network = Callable[[Any], Any]


def _labels(read: OnnxModel) -> list[str]:
    return [op for op in read.graph.ops if op not in ("input", "output")]


def _counts(read: OnnxModel) -> tuple[list[str], int, int]:
    assert (read.unknown, read.warnings) == ({}, ())
    return _labels(read), int(total(read.graph, "params")), int(total(read.graph, "macs"))


def _read(writer, network: Network, opset: int = 20, **inputs: tuple[int, ...]) -> OnnxModel:
    w = writer(opset=opset, **(inputs or {"x": IMAGE}))
    made = network(w)
    return w.read(*(made if isinstance(made, list) else [made]))


def _run(model: onnx.ModelProto) -> list[tuple[int, ...]]:
    """Shapes of the outputs as ONNX Runtime computes them."""
    runtime = pytest.importorskip("onnxruntime")
    random = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and not tensor.raw_data:
            values = random.normal(size=tuple(tensor.dims)).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    model.ir_version = min(model.ir_version, 10)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {v.name: random.uniform(0.1, 0.9, v.shape).astype(np.float32) for v in session.get_inputs()}
    return [np.shape(array) for array in session.run(None, given)]


_HALVES = {"kernel_shape": [2, 2], "strides": [2, 2]}


def _ints(*numbers: int) -> np.ndarray:
    return np.array(numbers)


def _each(*numbers: int) -> list[np.ndarray]:
    return [np.array(n) for n in numbers]


def _shaped(w, *shape: int) -> str:
    return w("Reshape", "x", np.array(shape))


def _first(w, name: str, length: int) -> str:
    """The beginning of a tensor along its second axis."""
    return w("Slice", name, _ints(0), _ints(length), _ints(1))


CASES: dict[str, tuple[Network, list[str], int, int]] = {
    "norms of windows": (
        lambda w: w("LpPool", "x", kernel_shape=[2, 2], strides=[2, 2], p=2),
        ["elementwise", "elementwise", "avg_pool", "elementwise"],
        0,
        0,
    ),
    "norms of all places": (lambda w: w("GlobalLpPool", "x", p=2), ["reduce"], 0, 0),
    "third norms of all places": (
        lambda w: w("GlobalLpPool", "x", p=3),
        ["elementwise", "elementwise", "reduce_sum", "elementwise"],
        0,
        0,
    ),
    "division by a sum": (lambda w: w("LpNormalization", "x", p=1, axis=1), ["reduce", "div"], 0, 0),
    "division by a root of squares": (lambda w: w("LpNormalization", "x", axis=1), ["l2_norm"], 0, 0),
    "a norm over places": (lambda w: w("MeanVarianceNormalization", "x", axes=[2, 3]), ["instance_norm"], 0, 0),
    "a norm over examples and places": (lambda w: w("MeanVarianceNormalization", "x"), ["instance_norm"], 0, 0),
    "sums on the way": (lambda w: w("CumSum", "x", np.array(1)), ["reduce"], 0, 0),
    "the largest as one": (lambda w: w("Hardmax", "x", axis=1), ["reduce"], 0, 0),
    "a determinant": (lambda w: w("Det", "x"), ["reduce"], 0, 0),
    "a Fourier transform": (
        lambda w: w("DFT", w("Unsqueeze", "x", _ints(-1)), "", np.array(2), onesided=1),
        ["reduce"],
        0,
        0,
    ),
    "Fourier transforms of windows": (
        lambda w: w("STFT", _shaped(w, 1, 144, 1), np.array(8), w("HannWindow", np.array(16))),
        ["reduce"],
        0,
        0,
    ),
    "a spectrum in other frequencies": (
        lambda w: w("MatMul", _shaped(w, 1, 16, 9), w("MelWeightMatrix", *_each(4, 16, 8000), 0.0, 4000.0)),
        ["linear"],
        0,
        16 * 9 * 4,
    ),
    "places by a grid": (
        lambda w: w("GridSample", "x", w("Reshape", _first(w, "x", 2), _ints(1, 6, 6, 2))),
        ["slice", "gather"],
        0,
        0,
    ),
    "a grid of an affine map": (
        lambda w: w("AffineGrid", w("Reshape", w("ReduceMean", "x", _ints(1, 3)), _ints(1, 2, 3)), _ints(1, 4, 5, 5)),
        ["reduce_mean", "elementwise"],
        0,
        0,
    ),
    "regions": (
        lambda w: w(
            "RoiAlign",
            "x",
            w("Reshape", _first(w, "x", 1), _ints(9, 4)),
            np.zeros(9, int),
            output_height=3,
            output_width=2,
        ),
        ["slice", "gather"],
        0,
        0,
    ),
    "the largest in regions": (
        lambda w: w("MaxRoiPool", "x", _first(w, _shaped(w, 1, 144), 5), pooled_shape=[2, 2]),
        ["slice", "gather"],
        0,
        0,
    ),
    "back to the places of the largest": (
        lambda w: w("MaxUnpool", *w("MaxPool", "x", **_HALVES, outputs=2), **_HALVES),
        ["max_pool", "gather"],
        0,
        0,
    ),
    "blocks to an image": (
        lambda w: w("Col2Im", _shaped(w, 1, 36, 4), _ints(6, 6), _ints(3, 3), strides=[3, 3]),
        ["gather"],
        0,
        0,
    ),
    "cut and filled up": (lambda w: w("CenterCropPad", "x", _ints(4, 9), axes=[2, 3]), ["slice", "pad"], 0, 0),
    "other places": (lambda w: w("ReverseSequence", "x", _ints(3), time_axis=1, batch_axis=0), ["gather"], 0, 0),
    "a few": (lambda w: w("Compress", "x", w("Cast", _ints(1, 0, 1, 0), to=9), axis=1), ["slice"], 0, 0),
    "places that do not overlap": (
        lambda w: w("ScatterND", "x", np.array([[0]]), w("Relu", "x")),
        ["relu", "gather"],
        0,
        0,
    ),
    "copies in two directions": (lambda w: w("Tile", "x", _ints(1, 2, 2, 1)), ["concat", "concat"], 0, 0),
    "many copies": (lambda w: w("Tile", "x", _ints(1, 1, 1, 99)), ["concat"], 0, 0),
    "noise": (lambda w: w("Add", "x", w("RandomNormalLike", "x")), ["add"], 0, 0),
    "chances": (lambda w: w("Bernoulli", "x"), ["elementwise"], 0, 0),
    "draws": (lambda w: w("Cast", w("Multinomial", _shaped(w, 2, 72), sample_size=3), to=1), ["reduce"], 0, 0),
    "the unit matrix": (
        lambda w: w("MatMul", _shaped(w, 12, 12), w("EyeLike", _shaped(w, 12, 12))),
        ["linear"],
        0,
        12**3,
    ),
    "a product with a stored vector": (lambda w: w("MatMul", "x", w.weight(6)), ["linear"], 6, 144),
    "a stored vector times a matrix": (lambda w: w("MatMul", w.weight(6), "x"), ["linear"], 6, 144),
    "a class per place": (
        lambda w: w("Gemm", w("Flatten", "x"), w.weight(144, 5)),
        ["linear"],
        144 * 5,
        144 * 5,
    ),
    "a convolution of one axis": (
        lambda w: w("Conv", _shaped(w, 1, 4, 36), w.weight(8, 2, 3), w.weight(8), group=2, auto_pad="SAME_LOWER"),
        ["conv"],
        8 * 2 * 3 + 8,
        36 * 8 * 2 * 3,
    ),
    "a convolution of three axes": (
        lambda w: w("Conv", _shaped(w, 1, 1, 4, 6, 6), w.weight(2, 1, 2, 3, 3)),
        ["conv"],
        2 * 18,
        3 * 4 * 4 * 2 * 18,
    ),
    "a convolution turned round, to a length": (
        lambda w: w("ConvTranspose", "x", w.weight(4, 3, 3, 3), w.weight(3), strides=[2, 2], output_shape=[12, 12]),
        ["conv_transpose"],
        4 * 27 + 3,
        36 * 4 * 27,
    ),
    "a norm of groups, with a scale per channel": (
        lambda w: w("GroupNormalization", "x", w.weight(4), w.weight(4), num_groups=2),
        ["group_norm"],
        8,
        0,
    ),
}
_OPSETS = {"a norm of groups, with a scale per channel": 21}


@pytest.mark.parametrize("case", CASES)
def test_an_operator_counts_by_hand_and_has_the_shape_that_it_computes(writer, case: str) -> None:
    network, labels, params, macs = CASES[case]
    w = writer(opset=_OPSETS.get(case, 20), x=IMAGE)
    output = network(w)
    read = w.read(output)
    assert _counts(read) == (labels, params, macs)
    assert list(read.outputs.values()) == _run(w.model(output))


def test_what_changes_nothing_is_gone(writer) -> None:
    for network in (
        lambda w: w("ReduceSum", "x", noop_with_empty_axes=1),
        lambda w: w("Sum", "x"),
        lambda w: w("Mul", "x", w("CastLike", np.array(2), "x")),
        lambda w: w("BitCast", "x", to=1),
        lambda w: w("CenterCropPad", "x", _ints(6), axes=[3]),
    ):
        assert _counts(_read(writer, lambda w, network=network: w("Relu", network(w)), 26)) == (["relu"], 0, 0)


# ---------------------------------------------------------------------- layers with more inputs


def test_a_deformable_convolution_counts_as_a_convolution(writer) -> None:
    """To find the numbers between places counts as nothing; offsets and masks are data."""

    def network(w):
        offsets, masks = (w("Conv", "x", w.weight(n, 4, 3, 3), pads=[1, 1, 1, 1]) for n in (36, 18))
        inputs = ("x", w.weight(8, 2, 3, 3), offsets, w.weight(8), masks)
        return w("Relu", w("DeformConv", *inputs, group=2, offset_group=2, pads=[1, 1, 1, 1]))

    read = _read(writer, network)
    labels, params, macs = _counts(read)
    assert labels == ["conv", "conv", "conv", "relu"]
    assert (params, macs) == (54 * 36 + 8 * 18 + 8, 36 * 54 * 36 + 36 * 8 * 18)
    assert list(read.outputs.values()) == [(1, 8, 6, 6)]
    (last,) = (i for i, op in enumerate(read.graph.ops) if op == "relu")
    layer = next(a for a, b in read.graph.edges if b == last)
    assert sum(b == layer for _, b in read.graph.edges) == 3


def test_a_column_per_category_costs_nothing_and_the_product_after_it_does(writer) -> None:
    def network(w):
        rows = w("OneHot", w("Cast", "x", to=7), np.array(50), [0.0, 1.0])
        return w("MatMul", rows, w.weight(50, 8))

    read = _read(writer, network, x=(3, 7))
    assert _counts(read) == (["gather", "linear"], 400, 21 * 400)
    assert list(read.outputs.values()) == [(3, 7, 8)]


RECURRENT = {"RNN": 1, "GRU": 3, "LSTM": 4}


@pytest.mark.parametrize("op", RECURRENT)
@pytest.mark.parametrize("opset", [1, 3, 7, 14, 22])
@pytest.mark.parametrize("directions", [1, 2])
def test_a_recurrent_layer_counts_alike_in_all_versions(writer, op: str, opset: int, directions: int) -> None:
    gates, hidden, width = RECURRENT[op], 5, 3
    more: dict[str, Any] = {"direction": "bidirectional"} if directions == 2 else {}
    more |= {"output_sequence": 1} if opset < 7 else {}
    more |= {"linear_before_reset": 1} if op == "GRU" and opset > 1 else {}

    def network(w):
        rows = gates * hidden
        weights = [w.weight(directions, rows, n) for n in (width, hidden)]
        return w(op, "x", *weights, w.weight(directions, 2 * rows), hidden_size=hidden, outputs=2, **more)

    read = _read(writer, network, opset, x=(7, 2, width))
    params = directions * gates * hidden * (width + hidden + 2)
    assert _counts(read) == (["recurrent"], params, 7 * 2 * (params - directions * gates * hidden * 2))
    assert list(read.outputs.values()) == [(7, directions, 2, hidden), (directions, 2, hidden)]


def test_a_recurrent_layer_with_the_batch_first_counts_alike(writer) -> None:
    for layout, shape in ((0, (7, 2, 3)), (1, (2, 7, 3))):
        network = lambda w, layout=layout: w(  # noqa: E731 - a network
            "GRU", "x", w.weight(1, 15, 3), w.weight(1, 15, 5), hidden_size=5, outputs=2, layout=layout
        )
        assert _counts(_read(writer, network, x=shape)) == (["recurrent"], 15 * 8, 14 * 15 * 8)


def test_what_looks_into_a_cell_is_a_parameter_and_a_first_state_of_zeros_is_none(writer) -> None:
    def network(w, states, *peepholes):
        inputs = ("x", w.weight(1, 20, 3), w.weight(1, 20, 5), "", "", *states, *peepholes)
        return w("LSTM", *inputs, hidden_size=5, outputs=3)[0]

    zeros, learnt = np.zeros((1, 2, 5), np.float32), np.ones((1, 2, 5), np.float32)
    plain = 20 * 8
    for states, peep, params in (
        (("", ""), False, plain),
        (("", ""), True, plain + 15),
        ((zeros, zeros), False, plain),
        ((learnt, zeros), True, plain + 10 + 15),
    ):
        more = [(1, 15)] if peep else []
        read = _read(writer, lambda w: network(w, states, *(w.weight(*s) for s in more)), x=(7, 2, 3))  # noqa: B023
        assert _counts(read) == (["recurrent"], params, 14 * plain)


@pytest.mark.parametrize(
    ("attributes", "padding"),
    [
        ({"strides": [2, 2], "output_shape": [12, 12]}, [1, 1, 0, 0]),
        ({"strides": [2, 2], "output_shape": [11, 12], "auto_pad": "SAME_UPPER"}, [1, 0, 1, 1]),
        ({"strides": [2, 2], "auto_pad": "SAME_UPPER"}, [0, 0, 1, 1]),
        ({"strides": [2, 2], "auto_pad": "SAME_LOWER"}, [1, 1, 0, 0]),
        ({"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}, [1, 1, 1, 1]),
    ],
    ids=str,
)
def test_padding_of_a_transposed_convolution_that_is_left_to_a_rule_is_written_out(writer, attributes, padding) -> None:
    w = writer(x=IMAGE)
    output = w("ConvTranspose", "x", w.weight(4, 3, 3, 3), **attributes)
    read = w.read(output)
    (row,) = (read.graph.attrs["padding"][i] for i, op in enumerate(read.graph.ops) if op == "conv_transpose")
    assert [*row[:2], *row[3:5]] == padding
    assert list(read.outputs.values()) == _run(w.model(output))


def test_a_norm_of_groups_once_had_a_scale_per_group(writer) -> None:
    for opset, numbers in ((18, 2), (21, 4)):
        network = lambda w, n=numbers: w("GroupNormalization", "x", w.weight(n), w.weight(n), num_groups=2)  # noqa: E731
        assert _counts(_read(writer, network, opset)) == (["group_norm"], 2 * numbers, 0)


def test_what_only_newer_packages_have_is_written_out(writer) -> None:
    gated = _read(writer, lambda w: w("SwiGLU", "x", w("Relu", "x")), 28)
    assert sorted(_labels(gated)) == ["mul", "relu", "silu"]
    causal = _read(
        writer,
        lambda w: w("CausalConvWithState", "x", w.weight(4, 1, 4), w.weight(4), activation="silu", outputs=2),
        28,
        x=(2, 4, 9),
    )
    assert list(causal.outputs.values())[:1] == [(2, 4, 9)]
    assert (total(causal.graph, "params"), total(causal.graph, "macs")) == (20, 2 * 4 * 9 * 4)


@pytest.mark.parametrize("op", ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
def test_a_loss_is_what_it_is_computed_from(writer, op: str) -> None:
    def network(w):
        return w(op, w("Gemm", "x", w.weight(6, 5)), w("Cast", "labels", to=7))

    read = _read(writer, network, x=(4, 6), labels=(4,))
    assert ("softmax" in read.graph.ops) == op.startswith("Softmax")
    assert (total(read.graph, "params"), total(read.graph, "macs"), read.unknown) == (30, 120, {})
    assert list(read.outputs.values()) == [()]
