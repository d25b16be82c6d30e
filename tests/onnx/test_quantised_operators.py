"""Operators on integers and on packed weights, one by one: their parameters, MACs and shapes are those on numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from archpredict.errors import ModelFileError
from archpredict.graph.operators import total
from archpredict.onnx.reader import interpret

RUNTIME, FINN, QONNX = "com.microsoft", "finn.custom_op.general", "qonnx.custom_op.general"
FLOAT, HALF, UINT8, INT8, INT16 = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.UINT8,
    TensorProto.INT8,
    TensorProto.INT16,
)
INT32, INT64, BOOL = TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL
node = helper.make_node


def of_runtime(op: str, inputs: str, outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    """An operator of ONNX Runtime; ``-`` is an input that is left out."""
    return node(op, [n.strip("-") for n in inputs.split()], outputs.split(), domain=RUNTIME, **attributes)


def array(name: str, *shape: int, dtype: Any = np.float32, fill: float | None = None) -> onnx.TensorProto:
    made = np.random.default_rng(len(name) + sum(shape)).integers(1, 100, shape)
    return numpy_helper.from_array(np.asarray(made if fill is None else np.full(shape, fill)).astype(dtype), name)


def bytes_(name: str, *shape: int) -> onnx.TensorProto:
    return array(name, *shape, dtype=np.uint8)


def integers(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


SCALES = [
    array("s", fill=0.02),
    array("z", dtype=np.uint8, fill=128),
    array("zi", dtype=np.int8, fill=0),
    array("sv", 8, fill=0.02),
    array("zv", 8, dtype=np.int8, fill=0),
    array("hs", dtype=np.float16, fill=0.02),
]


def model(
    nodes: Sequence[onnx.NodeProto] | onnx.NodeProto,
    stored: Sequence[onnx.TensorProto] = (),
    dtype: int = UINT8,
    outputs: str = "y",
    **inputs: Any,
) -> onnx.ModelProto:
    """A model whose inputs, shapes or pairs of type and shape, are quantised unless said otherwise."""
    kinds = {
        name: kind if isinstance(kind[0], int) and isinstance(kind[1], tuple) else (dtype, kind)
        for name, kind in inputs.items()
    }
    graph = helper.make_graph(
        [nodes] if isinstance(nodes, onnx.NodeProto) else nodes,
        "g",
        [helper.make_tensor_value_info(name, *kind) for name, kind in kinds.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs.split()],
        [*SCALES, *stored],
    )
    domains = {"", RUNTIME, FINN, QONNX}
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(d, 21 if d == "" else 1) for d in domains])


def seen(made: onnx.ModelProto) -> tuple[float, float, str]:
    """Parameters, MACs and operators of a model of which everything is known."""
    read = interpret(made)
    assert (read.unknown, read.warnings) == ({}, ())
    ops = [op for op in read.graph.ops if op not in ("input", "output")]
    return total(read.graph, "params"), total(read.graph, "macs"), " ".join(ops)


def shapes(made: onnx.ModelProto) -> list[tuple[int, ...]]:
    return list(interpret(made).outputs.values())


IMAGE, ROWS, TOKENS = (1, 8, 8, 3), (4, 16), (1, 4, 32)
PACKED = [bytes_("w", 8, 2, 8), array("c", 16, fill=0.1)]
"""Eight rows of 32 numbers of 4 bits, in blocks of 16, and the scales of the blocks."""

EXPERTS = "softmax gather embedding matmul embedding add gelu embedding matmul embedding add mul reduce_sum"
CASES: dict[str, tuple[onnx.ModelProto, tuple[float, float, str], tuple[int, ...]]] = {
    "channels last": (
        model(
            of_runtime("QLinearConv", "x s z w s zi s z b", channels_last=1, pads=[1] * 4),
            [array("w", 4, 3, 3, 3, dtype=np.int8), array("b", 4, dtype=np.int32)],
            x=IMAGE,
        ),
        (112, 6912, "permute conv permute"),
        (1, 8, 8, 4),
    ),
    "average pool": (
        model(
            of_runtime("QLinearAveragePool", "x s z s z", channels_last=1, kernel_shape=[2, 2], strides=[2, 2]), x=IMAGE
        ),
        (0, 0, "permute avg_pool permute"),
        (1, 4, 4, 3),
    ),
    "global pool": (
        model(of_runtime("QLinearGlobalAveragePool", "x s z s z", channels_last=0), x=(1, 3, 8, 8)),
        (0, 0, "global_avg_pool"),
        (1, 3, 1, 1),
    ),
    "mean": (
        model(of_runtime("QLinearReduceMean", "x s z s z", axes=[2, 3], keepdims=0), x=(1, 3, 8, 8)),
        (0, 0, "global_avg_pool"),
        (1, 3),
    ),
    "sum": (model(of_runtime("ReduceSumInteger", "x", axes=[1], keepdims=0), x=ROWS), (0, 0, "reduce_sum"), (4,)),
    "concat": (
        model(of_runtime("QLinearConcat", "s z x s z other s z", axis=1), x=(1, 3, 4), other=(1, 5, 4)),
        (0, 0, "concat"),
        (1, 8, 4),
    ),
    "where": (
        model(of_runtime("QLinearWhere", "c x s z other s z s z"), c=(BOOL, (4, 16)), x=ROWS, other=ROWS),
        (0, 0, "elementwise"),
        ROWS,
    ),
    "sigmoid": (model(of_runtime("QLinearSigmoid", "x s z s z"), x=ROWS), (0, 0, "sigmoid"), ROWS),
    "leaky relu": (model(of_runtime("QLinearLeakyRelu", "x s z s z", alpha=0.2), x=ROWS), (0, 0, "leaky_relu"), ROWS),
    "softmax": (model(of_runtime("QLinearSoftmax", "x s z s z", axis=-1, opset=13), x=ROWS), (0, 0, "softmax"), ROWS),
    "add": (model(of_runtime("QLinearAdd", "x s z b s z s z"), [bytes_("b", 16)], x=ROWS), (16, 0, "add"), ROWS),
    "mul": (model(of_runtime("QLinearMul", "x s z x s z s z"), x=ROWS), (0, 0, "mul"), ROWS),
    "mul integers": (model(of_runtime("MulInteger", "x z b z"), [bytes_("b", 16)], x=ROWS), (16, 0, "mul"), ROWS),
    "gemm": (
        model(
            of_runtime("QGemm", "x s z w sv zv b s z", transB=1, alpha=1.0),
            [array("w", 8, 16, dtype=np.int8), array("b", 8, dtype=np.int32)],
            x=ROWS,
        ),
        (136, 512, "linear"),
        (4, 8),
    ),
    "gemm to floats": (
        model(of_runtime("QGemm", "x s z w sv zv"), [array("w", 16, 8, dtype=np.int8)], x=ROWS),
        (128, 512, "linear"),
        (4, 8),
    ),
    "matmul": (
        model(
            node("QLinearMatMul", ["x", "s", "z", "w", "s", "zi", "s", "z"], ["y"]),
            [array("w", 16, 8, dtype=np.int8)],
            x=ROWS,
        ),
        (128, 512, "linear"),
        (4, 8),
    ),
    "matmul to floats": (
        model(
            of_runtime("MatMulIntegerToFloat", "x w s sv z zv b"),
            [array("w", 16, 8, dtype=np.int8), array("b", 8)],
            x=ROWS,
        ),
        (136, 512, "linear"),
        (4, 8),
    ),
    "dynamic matmul": (
        model(
            of_runtime("DynamicQuantizeMatMul", "x w sv zv b"),
            [array("w", 16, 8, dtype=np.int8), array("b", 8)],
            FLOAT,
            x=ROWS,
        ),
        (136, 512, "linear"),
        (4, 8),
    ),
    "16 bits": (
        model(of_runtime("MatMulInteger16", "x w"), [array("w", 16, 8, dtype=np.int16)], INT16, x=ROWS),
        (128, 512, "linear"),
        (4, 8),
    ),
    "attention": (
        model(
            of_runtime("QAttention", "x w b s s - z zi", num_heads=4),
            [array("w", 32, 96, dtype=np.int8), array("b", 96)],
            x=(1, 10, 32),
        ),
        (3168, 30720 + 6400, "linear slice slice slice attention"),
        (1, 10, 32),
    ),
    "embeddings": (
        model(
            of_runtime("QEmbedLayerNormalization", "x t w p g n b - s s s s s z z z z z", "y m"),
            [bytes_("w", 50, 32), bytes_("p", 10, 32), bytes_("g", 2, 32), bytes_("n", 32), bytes_("b", 32)],
            INT32,
            x=(1, 10),
            t=(1, 10),
        ),
        (62 * 32 + 64, 0, "embedding embedding add add layer_norm"),
        (1, 10, 32),
    ),
    "2 bits": (
        model(
            of_runtime("MatMulNBits", "x w c", N=8, K=32, bits=2, block_size=16),
            [bytes_("w", 8, 2, 4), array("c", 16)],
            FLOAT,
            x=TOKENS,
        ),
        (256, 1024, "linear"),
        (1, 4, 8),
    ),
    "4 bits, half": (
        model(
            [
                of_runtime("MatMulNBits", "x w c", "m", N=8, K=32, bits=4, block_size=16),
                node("Add", ["m", "b"], ["y"]),
            ],
            [PACKED[0], array("c", 16, dtype=np.float16), array("b", 8, dtype=np.float16)],
            HALF,
            x=TOKENS,
        ),
        (264, 1024, "linear"),
        (1, 4, 8),
    ),
    "normal floats": (
        model(
            of_runtime("MatMulBnb4", "x w c", N=8, K=32, quant_type=1, block_size=16),
            [bytes_("w", 128), array("c", 16)],
            FLOAT,
            x=TOKENS,
        ),
        (256, 1024, "linear"),
        (1, 4, 8),
    ),
    "blob": (
        model(
            of_runtime("MatMulFpQ4", "x w k", blk_quant_type=0),
            [bytes_("w", 160), integers("k", 32, 8)],
            FLOAT,
            x=TOKENS,
        ),
        (256, 1024, "linear"),
        (1, 4, 8),
    ),
    "float4": (
        model(
            of_runtime("MatMulBlockQuantizedFp4Weight", "x w c s - b"),
            [bytes_("w", 8, 16), bytes_("c", 8, 2), array("b", 8, dtype=np.float16)],
            HALF,
            x=TOKENS,
        ),
        (264, 1024, "linear"),
        (1, 4, 8),
    ),
    "float8": (
        model(
            of_runtime("GemmFloat8", "x w b", transB=1, activation="GELU"),
            [helper.make_tensor("w", TensorProto.FLOAT8E4M3FN, [8, 16], np.ones(128)), array("b", 8)],
            FLOAT,
            x=ROWS,
        ),
        (136, 512, "linear gelu"),
        (4, 8),
    ),
    "gather of 4 bits": (
        model(
            of_runtime("GatherBlockQuantized", "w x c", gather_axis=0, quantize_axis=1, block_size=16, bits=4),
            [bytes_("w", 50, 16), array("c", 50, 2)],
            INT64,
            x=(1, 7),
        ),
        (1600, 0, "embedding"),
        (1, 7, 32),
    ),
    "gather of int4": (
        model(
            of_runtime("GatherBlockQuantized", "w x c", quantize_axis=1, block_size=16),
            [helper.make_tensor("w", TensorProto.INT4, [50, 32], np.zeros(1600, np.int8)), array("c", 50, 2)],
            INT64,
            x=(1, 7),
        ),
        (1600, 0, "embedding"),
        (1, 7, 32),
    ),
    "gated": (
        model(
            of_runtime("MatMulNBitsMlp", "x - n w c b v c b", N=8, K=32, bits=4, block_size=16, activation="silu"),
            [*PACKED, bytes_("v", 8, 2, 8), array("n", 32), array("b", 8)],
            FLOAT,
            x=TOKENS,
        ),
        (32 + 512 + 8, 2048, "rms_norm linear linear silu mul"),
        (1, 4, 8),
    ),
    "ordered": (
        model(
            of_runtime("QOrderedMatMul", "x s w sv s b x s", order_A=1, order_B=0, order_Y=1),
            [array("w", 32, 32, dtype=np.int8), array("b", 32)],
            INT8,
            x=TOKENS,
        ),
        (1056, 4096, "linear add"),
        TOKENS,
    ),
    "ordered attention": (
        model(
            of_runtime("QOrderedAttention", "x s s s s q k v s s s bq bk bv s s s", num_heads=4),
            [
                *(array(name, 32, 32, dtype=np.int8) for name in "qkv"),
                *(array(name, 32) for name in ("bq", "bk", "bv")),
            ],
            INT8,
            x=TOKENS,
        ),
        (3168, 4 * 32 * 96 + 4 * 4 * 64, "linear linear linear attention"),
        TOKENS,
    ),
    "block floats": (
        model(
            [
                of_runtime("QuantizeBFP", "x", "a l t", bfp_type=1),
                of_runtime("DequantizeBFP", "a l t", "b", bfp_type=1),
                node("Relu", ["b"], ["y"]),
            ],
            (),
            FLOAT,
            x=ROWS,
        ),
        (0, 0, "relu"),
        ROWS,
    ),
    "block floats stored": (
        model(
            [of_runtime("DequantizeBFP", "w l t", "b", bfp_type=1), node("MatMul", ["x", "b"], ["y"])],
            [bytes_("w", 150), integers("l", 16, 8), integers("t", 8, 1)],
            FLOAT,
            x=ROWS,
        ),
        (128, 512, "linear"),
        (4, 8),
    ),
    "experts": (
        model(
            of_runtime("MoE", "x r v b w d", k=2, activation_type="gelu"),
            [array("v", 4, 64, 32), array("b", 4, 64), array("w", 4, 32, 64), array("d", 4, 32)],
            FLOAT,
            x=(5, 32),
            r=(5, 4),
        ),
        (4 * (2 * 64 * 32 + 96), 5 * 2 * 2 * 64 * 32, EXPERTS),
        (5, 32),
    ),
    "experts of 4 bits": (
        model(
            of_runtime("QMoE", "x r v c b w f d", k=2, activation_type="gelu", expert_weight_bits=4),
            [
                *(bytes_("v", 4, 64, 16), array("c", 4, 64), array("b", 4, 64)),
                *(bytes_("w", 4, 32, 32), array("f", 4, 32), array("d", 4, 32)),
            ],
            FLOAT,
            x=(5, 32),
            r=(5, 4),
        ),
        (4 * (2 * 64 * 32 + 96), 5 * 2 * 2 * 64 * 32, EXPERTS),
        (5, 32),
    ),
    "gated experts of 8 bits": (
        model(
            of_runtime("QMoE", "x r v c - w f", k=1, activation_type="swiglu", expert_weight_bits=8),
            [bytes_("v", 4, 128, 32), array("c", 4, 128), bytes_("w", 4, 32, 64), array("f", 4, 32)],
            FLOAT,
            x=(1, 5, 32),
            r=(5, 4),
        ),
        (
            4 * 3 * 64 * 32,
            5 * 3 * 64 * 32,
            "softmax gather embedding matmul slice slice silu mul embedding matmul mul reduce_sum",
        ),
        (1, 5, 32),
    ),
    "thresholds": (
        model(
            node("MultiThreshold", ["x", "th"], ["y"], domain=FINN, out_dtype="UINT2"),
            [array("th", 16, 3)],
            FLOAT,
            x=ROWS,
        ),
        (0, 0, "relu"),
        ROWS,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_on_integers_counts_as_the_one_on_numbers(name: str) -> None:
    made, right, shape = CASES[name]
    assert seen(made) == right
    assert shapes(made)[0] == shape


ELSEWHERE = {"mean", "sum", "mul integers", "blob", "float4", "float8", "gated", "ordered", "ordered attention"}
ELSEWHERE |= {"block floats", "block floats stored", "thresholds", "gated experts of 8 bits"}
"""Operators that onnxruntime has not, or not on CPUs."""


@pytest.mark.parametrize("name", sorted(set(CASES) - ELSEWHERE))
def test_onnxruntime_finds_the_same_shapes(name: str) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    made, _, shape = CASES[name]
    made.ir_version = 10
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        pytest.skip(f"onnxruntime has no such operator on CPUs: {str(error)[:80]}")
    types = {
        "tensor(float)": np.float32,
        "tensor(uint8)": np.uint8,
        "tensor(int64)": np.int64,
        "tensor(int32)": np.int32,
    }
    types |= {"tensor(bool)": np.bool_, "tensor(int16)": np.int16, "tensor(float16)": np.float16}
    given = {value.name: np.ones(value.shape, types[value.type]) for value in session.get_inputs()}
    assert session.run(None, given)[0].shape == shape


def _mutated(made: onnx.ModelProto, rng: np.random.Generator) -> onnx.ModelProto:
    """The model with something wrong: an input left out or exchanged, an attribute or a shape that cannot be."""
    broken = onnx.ModelProto.FromString(made.SerializeToString())
    changed = broken.graph.node[int(rng.integers(len(broken.graph.node)))]
    kind = int(rng.integers(5)) if changed.attribute else int(rng.integers(3))
    if kind == 0:
        changed.input[int(rng.integers(len(changed.input)))] = str(rng.choice(["", "s", "x", "w"]))
    elif kind == 1:
        del changed.input[int(rng.integers(len(changed.input))) :]
    elif kind == 2:
        tensor = broken.graph.initializer[int(rng.integers(len(broken.graph.initializer)))]
        tensor.dims[:] = rng.choice([0, 1, 3, -1, 1 << 40, 1 << 62], int(rng.integers(4))).tolist()
    else:
        attribute = changed.attribute[int(rng.integers(len(changed.attribute)))]
        values = [0, -1, 3, 1 << 31, 1 << 62, -(1 << 63), "text", [1, 2, 3], [], [-1] * 9, 0.5]
        attribute.CopyFrom(helper.make_attribute(attribute.name, values[int(rng.integers(10))] or 0))
    return broken


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_is_no_traceback(name: str) -> None:
    rng = np.random.default_rng(len(name))
    for _ in range(8):
        with contextlib.suppress(ModelFileError):
            assert total(interpret(_mutated(CASES[name][0], rng)).graph, "params") >= 0
