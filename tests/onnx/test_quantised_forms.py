"""Forms of quantisation in a file: what is a parameter, what a scale, and which ReLUs a quantiser has left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archpredict.graph.operators import total
from archpredict.onnx.reader import OnnxModel, interpret

QONNX = "qonnx.custom_op.general"
FLOAT, HALF, UINT8, INT64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT64
ROWS, IMAGE = (4, 16), (1, 3, 8, 8)
RNG = np.random.default_rng(0)


def n(op: str, inputs: str, outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    """An operator; ``-`` is an input that is left out."""
    return helper.make_node(op, [name.strip("-") for name in inputs.split()], outputs.split(), **attributes)


def array(name: str, *shape: int, dtype: Any = np.float32, fill: float | None = None) -> onnx.TensorProto:
    made = RNG.integers(-100, 100, shape) if np.dtype(dtype).kind == "i" else RNG.normal(size=shape)
    return numpy_helper.from_array(np.asarray(made if fill is None else np.full(shape, fill)).astype(dtype), name)


def ints(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


SCALES = [
    *(array("s", fill=0.02), array("z", dtype=np.uint8, fill=128), array("zi", dtype=np.int8, fill=0)),
    *(array("sv", 8, fill=0.02), array("zv", 8, fill=3.0), array("hs", dtype=np.float16, fill=0.02)),
    *(array("z0", dtype=np.uint8, fill=0), array("six", fill=6 / 255), array("low", dtype=np.int8, fill=-128)),
]
W = array("w", 16, 8, dtype=np.int8)


def seen(nodes: Sequence[onnx.NodeProto], stored: Sequence[onnx.TensorProto], x: Any, dtype: int = FLOAT) -> OnnxModel:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", dtype, x)],
        [onnx.ValueInfoProto(name="y")],
        [*SCALES, *stored],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(QONNX, 1)]
    read = interpret(helper.make_model(graph, opset_imports=opsets))
    assert (read.unknown, read.warnings) == ({}, ())
    return read


def counts(read: OnnxModel) -> tuple[float, float, str]:
    ops = [op for op in read.graph.ops if op not in ("input", "output")]
    return total(read.graph, "params"), total(read.graph, "macs"), " ".join(ops)


MATMUL = n("MatMul", "x d")
LAYER = (128, 512, "linear")
WEIGHTS: dict[str, tuple[list[onnx.NodeProto], list[onnx.TensorProto]]] = {
    "a scale for each column": ([n("DequantizeLinear", "w sv -", "d", axis=1), MATMUL], [W]),
    "in blocks of 4 bits": (
        [n("DequantizeLinear", "w c", "d", axis=0, block_size=8), MATMUL],
        [helper.make_tensor("w", TensorProto.INT4, [16, 8], np.ones(128, np.int8)), array("c", 2, 8)],
    ),
    "float8": (
        [n("DequantizeLinear", "w s", "d"), MATMUL],
        [helper.make_tensor("w", TensorProto.FLOAT8E4M3FN, [16, 8], np.ones(128))],
    ),
    "turned before": (
        [n("Transpose", "w", "t", perm=[1, 0]), n("DequantizeLinear", "t s zi", "d"), MATMUL],
        [array("w", 8, 16, dtype=np.int8)],
    ),
    "turned after": (
        [n("DequantizeLinear", "w s zi", "t"), n("Transpose", "t", "d", perm=[1, 0]), MATMUL],
        [array("w", 8, 16, dtype=np.int8)],
    ),
    "rounded in the file": (
        [n("QuantizeLinear", "w s zi", "q"), n("DequantizeLinear", "q s zi", "d"), MATMUL],
        [array("w", 16, 8)],
    ),
    "written between the operators": (
        [
            helper.make_node("Constant", [], ["w"], value=W),
            helper.make_node("Constant", [], ["c"], value=array("c", 8)),
            n("DequantizeLinear", "w c", "d", axis=1),
            MATMUL,
        ],
        [],
    ),
    "spelled with a cast": (
        [n("Cast", "w", "f", to=FLOAT), n("Sub", "f zv", "g"), n("Mul", "g sv", "d"), MATMUL],
        [W],
    ),
    "scaled after the layer": ([n("Cast", "w", "d", to=FLOAT), n("MatMul", "x d", "m"), n("Mul", "m sv")], [W]),
    "narrowed to 7 bits": (
        [
            *(n("QuantizeLinear", "x s z0", "q"), n("Clip", "q - top", "k"), n("DequantizeLinear", "k s z0", "r")),
            *(n("DequantizeLinear", "w s zi", "d"), n("MatMul", "r d")),
        ],
        [W, array("top", dtype=np.uint8, fill=127)],
    ),
    "dynamic, scales reshaped": (
        [
            n("DynamicQuantizeLinear", "x", "q qs qz"),
            n("MatMulInteger", "q w qz zi", "m"),
            n("Cast", "m", "f", to=FLOAT),
            *(n("Unsqueeze", "qs a", "u"), n("Squeeze", "u a", "v"), n("Reshape", "v one", "r")),
            *(n("Cast", "r", "t", to=FLOAT), n("Mul", "t sv", "c"), n("Reshape", "c row", "e"), n("Mul", "f e")),
        ],
        [W, ints("a", 0), ints("one", 1), ints("row", 1, 8)],
    ),
    "dynamic, one scale after the other": (
        [
            n("DynamicQuantizeLinear", "x", "q qs qz"),
            n("MatMulInteger", "q w qz zi", "m"),
            *(n("Cast", "m", "f", to=FLOAT), n("Mul", "f qs", "e"), n("Mul", "e s")),
        ],
        [W],
    ),
    "of QONNX": (
        [
            n("Quant", "w sv zero bits", "d", domain=QONNX, signed=1, narrow=0),
            *(n("MatMul", "x d", "m"), n("BipolarQuant", "m s", "b", domain=QONNX)),
            n("Trunc", "b s zero bits bits", domain=QONNX),
        ],
        [array("w", 16, 8), array("zero", fill=0), array("bits", fill=4)],
    ),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_weight_of_integers_counts_once_and_its_scales_do_not(name: str) -> None:
    nodes, stored = WEIGHTS[name]
    assert counts(seen(nodes, stored, ROWS)) == LAYER


def test_a_table_of_integers_counts_once() -> None:
    table = array("w", 50, 32, dtype=np.int8)
    late = [n("Gather", "w x", "g"), n("DequantizeLinear", "g s zi")]
    early = [n("DequantizeLinear", "w rows", "d", axis=0), n("Gather", "d x")]
    for nodes in (late, early):
        assert counts(seen(nodes, [table, array("rows", 50)], (1, 7), INT64)) == (1600, 0, "embedding")


def test_half_precision_stays_that_between_quantisers() -> None:
    nodes = [
        *(n("QuantizeLinear", "x hs z", "q"), n("DequantizeLinear", "q hs z", "d")),
        *(n("DequantizeLinear", "w hc", "wd", axis=0), n("Conv", "d wd b", "c"), n("QuantizeLinear", "c hs z", "e")),
        *(n("DequantizeLinear", "e hs z", "f"), n("Add", "f k")),
    ]
    stored = [array("w", 4, 3, 3, 3, dtype=np.int8), array("hc", 4, dtype=np.float16), array("b", 4, dtype=np.float16)]
    read = seen(nodes, [*stored, array("k", 1, 4, 1, 1, dtype=np.float16)], IMAGE, HALF)
    assert counts(read) == (116, 3888, "conv add")


def test_integers_may_be_the_models_input_and_output_and_be_padded() -> None:
    nodes = [
        n("Pad", "x around z", "p"),
        *(n("DequantizeLinear", "p s z", "d"), n("DequantizeLinear", "w s zi", "wd")),
        *(n("Conv", "d wd", "c"), n("QuantizeLinear", "c s z")),
    ]
    stored = [array("w", 4, 3, 3, 3, dtype=np.int8), ints("around", 0, 0, 1, 1, 0, 0, 1, 1)]
    read = seen(nodes, stored, IMAGE, UINT8)
    assert total(read.graph, "macs") == 64 * 108
    assert list(read.outputs.values()) == [(1, 4, 8, 8)]


def test_a_quantised_bias_is_copied_for_each_scale_of_a_layers_inputs() -> None:
    nodes = [n("DequantizeLinear", "w s zi", "d")]
    for i, (source, made) in enumerate((("x", "a"), ("a", "y"))):
        nodes += [n("DequantizeLinear", f"b{i} s", f"e{i}"), n("Gemm", f"{source} d e{i}", made)]
    stored = [array("w", 16, 16, dtype=np.int8), *(array(f"b{i}", 16, dtype=np.int32) for i in range(2))]
    assert total(seen(nodes, stored, ROWS).graph, "params") == 256 + 16


def rounded(nodes: Sequence[onnx.NodeProto], scale: str = "s", zero: str = "z0", more: str = "Sin") -> str:
    """Operators of a layer, what follows, rounding of ``c``, and one operator more."""
    read = seen(
        [
            *(n("DequantizeLinear", "w s zi", "d"), n("MatMul", "x d", "m"), *nodes),
            *(n("QuantizeLinear", f"c {scale} {zero}", "q"), n("DequantizeLinear", f"q {scale} {zero}", "e")),
            n(more, "e"),
        ],
        [W, array("b", 8)],
        ROWS,
    )
    return counts(read)[2]


SAME, ADDED = n("Identity", "m", "c"), n("Add", "m m", "c")


@pytest.mark.parametrize("zero", ["z0", "low"])
@pytest.mark.parametrize("nodes", [[SAME], [ADDED], [n("Add", "m b", "c")]])
def test_integers_that_begin_at_zero_after_a_layer_or_a_sum_are_a_relu(nodes: list[onnx.NodeProto], zero: str) -> None:
    assert rounded(nodes, zero=zero).split()[-2:] == ["relu", "elementwise"]


def test_integers_that_end_at_six_are_a_relu6() -> None:
    assert "relu6" in rounded([SAME], "six")
    assert "relu6" not in rounded([SAME], "s")


@pytest.mark.parametrize("zero", ["z", "zi"])
def test_integers_on_both_sides_of_zero_are_no_relu(zero: str) -> None:
    assert rounded([SAME], zero=zero) == "linear elementwise"


@pytest.mark.parametrize("op", ["Relu", "Sigmoid", "Gelu", "Tanh", "Exp", "HardSwish", "Softmax"])
def test_after_another_function_no_relu_was_left_out(op: str) -> None:
    before, function, *after = rounded([n(op, "m", "c")]).split()
    assert (before, after) == ("linear", ["elementwise"])
    assert (function == "relu") == (op == "Relu")


def test_a_relu_that_is_still_there_is_one() -> None:
    assert rounded([SAME], more="Relu") == "linear relu"


def test_an_input_and_a_few_outputs_may_be_positive_by_themselves() -> None:
    few = [n("DequantizeLinear", "v s zi", "d"), n("MatMul", "x d", "m"), n("QuantizeLinear", "m s z0")]
    assert counts(seen(few, [array("v", 16, 1, dtype=np.int8)], ROWS))[2] == "linear"
    image = [n("QuantizeLinear", "x s z0", "q"), n("DequantizeLinear", "q s z0", "d"), n("Sin", "d")]
    assert counts(seen(image, [], IMAGE))[2] == "elementwise"


def test_readers_of_one_rounded_tensor_share_its_relu() -> None:
    nodes = [n("DequantizeLinear", "w s zi", "d"), n("MatMul", "x d", "m")]
    for i in range(2):
        nodes += [n("QuantizeLinear", "m s z0", f"q{i}"), n("DequantizeLinear", f"q{i} s z0", f"e{i}")]
    nodes += [n("Sin", "e0", "a"), n("Mul", "a e1")]
    assert counts(seen(nodes, [W], ROWS))[2] == "linear relu elementwise mul"
