"""Operators of ONNX Runtime: each is what it stands for in ONNX's own, and none makes a model unreadable."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from archpredict.errors import ModelFileError
from archpredict.graph.operators import total
from archpredict.onnx.reader import interpret

MICROSOFT = "com.microsoft"
NHWC = "com.ms.internal.nhwc"
IMAGE, LAST, TOKENS = (1, 4, 6, 6), (1, 6, 6, 4), (2, 5, 8)


def _ms(w, op: str, *inputs, **more):
    return w(op, *inputs, domain=MICROSOFT, **more)


def _last(w, x: str) -> str:
    return w("Transpose", x, perm=[0, 2, 3, 1])


def _first(w, x: str) -> str:
    return w("Transpose", x, perm=[0, 3, 1, 2])


def _linear(w, x: str) -> str:
    return w("Add", w("MatMul", x, w.weight(8, 8)), w.weight(8))


def _norms(w) -> tuple[str, str]:
    return w.weight(8), w.weight(8)


def _sigmoid_times(w, x: str, scaled: str) -> str:
    return w("Mul", x, w("Sigmoid", scaled))


PAIRS = {
    "conv, sum and activation": (
        IMAGE,
        lambda w: _ms(w, "FusedConv", "x", w.weight(4, 4, 1, 1), w.weight(4), "x", activation="Relu"),
        lambda w: w("Relu", w("Add", w("Conv", "x", w.weight(4, 4, 1, 1), w.weight(4)), "x")),
    ),
    "conv and clip": (
        IMAGE,
        lambda w: _ms(w, "FusedConv", "x", w.weight(4, 4, 1, 1), activation="Clip", activation_params=[0.0, 6.0]),
        lambda w: w("Clip", w("Conv", "x", w.weight(4, 4, 1, 1)), 0.0, 6.0),
    ),
    "conv and a leaky relu": (
        IMAGE,
        lambda w: _ms(w, "FusedConv", "x", w.weight(4, 4, 1, 1), activation="LeakyRelu", activation_params=[0.2]),
        lambda w: w("LeakyRelu", w("Conv", "x", w.weight(4, 4, 1, 1)), alpha=0.2),
    ),
    "conv with channels last": (
        LAST,
        lambda w: _ms(w, "NhwcFusedConv", "x", w.weight(8, 4, 3, 3), w.weight(8), activation="Relu", strides=[2, 2]),
        lambda w: _last(w, w("Relu", w("Conv", _first(w, "x"), w.weight(8, 4, 3, 3), w.weight(8), strides=[2, 2]))),
    ),
    "conv with channels last, of another provider": (
        LAST,
        lambda w: w("Conv", "x", w.weight(8, 3, 3, 4), w.weight(8), domain=NHWC),
        lambda w: _last(w, w("Conv", _first(w, "x"), w.weight(8, 4, 3, 3), w.weight(8))),
    ),
    "pool with channels last": (
        LAST,
        lambda w: _ms(w, "NhwcMaxPool", "x", kernel_shape=[2, 2]),
        lambda w: _last(w, w("MaxPool", _first(w, "x"), kernel_shape=[2, 2])),
    ),
    "gemm and activation": (
        (3, 8),
        lambda w: _ms(
            w, "FusedGemm", "x", w.weight(5, 8), w.weight(5), transB=1, activation="Elu", activation_alpha=0.5
        ),
        lambda w: w("Elu", w("Gemm", "x", w.weight(5, 8), w.weight(5), transB=1), alpha=0.5),
    ),
    "product and activation": (
        TOKENS,
        lambda w: _ms(w, "FusedMatMulActivation", "x", w.weight(6, 8), transB=1, activation="Softmax"),
        lambda w: w("Softmax", w("MatMul", "x", w.weight(8, 6))),
    ),
    "product of turned tensors": (
        (3, 4, 5),
        lambda w: _ms(w, "FusedMatMul", "x", "x", transBatchA=1, transBatchB=1, transB=1, alpha=0.25),
        lambda w: w("MatMul", w("Transpose", "x", perm=[1, 0, 2]), w("Transpose", "x", perm=[1, 2, 0])),
    ),
    "norm of a sum with a bias": (
        TOKENS,
        lambda w: _ms(w, "SkipLayerNormalization", "x", w("Relu", "x"), *_norms(w), w.weight(8)),
        lambda w: w("LayerNormalization", w("Add", w("Add", "x", w("Relu", "x")), w.weight(8)), *_norms(w)),
    ),
    "norm of a sum with a layer's bias": (
        TOKENS,
        lambda w: _ms(w, "SkipLayerNormalization", w("MatMul", "x", w.weight(8, 8)), "x", *_norms(w), w.weight(8)),
        lambda w: w("LayerNormalization", w("Add", _linear(w, "x"), "x"), *_norms(w)),
    ),
    "root mean square norm of a sum": (
        TOKENS,
        lambda w: _ms(w, "SkipSimplifiedLayerNormalization", "x", w("Relu", "x"), w.weight(8)),
        lambda w: w("RMSNormalization", w("Add", "x", w("Relu", "x")), w.weight(8)),
    ),
    "root mean square norm": (
        TOKENS,
        lambda w: w("SimplifiedLayerNormalization", "x", w.weight(8), axis=-1),
        lambda w: w("RMSNormalization", "x", w.weight(8)),
    ),
    "bias and gelu": (
        TOKENS,
        lambda w: _ms(w, "FastGelu", w("MatMul", "x", w.weight(8, 8)), w.weight(8)),
        lambda w: w("Gelu", _linear(w, "x")),
    ),
    "layer and gelu": (
        TOKENS,
        lambda w: _ms(w, "GemmFastGelu", "x", w.weight(8, 8), w.weight(8)),
        lambda w: w("Gelu", _linear(w, "x")),
    ),
    "quick gelu with another number": (
        TOKENS,
        lambda w: _ms(w, "QuickGelu", "x", alpha=3.0),
        lambda w: _sigmoid_times(w, "x", w("Mul", "x", 3.0)),
    ),
    "one half times the gelu of the other": (
        TOKENS,
        lambda w: _ms(w, "BiasSplitGelu", w("MatMul", "x", w.weight(8, 8)), w.weight(8)),
        lambda w: (lambda a, b: w("Mul", a, w("Gelu", b)))(
            *w("Split", _linear(w, "x"), outputs=2, axis=-1, num_outputs=2)
        ),
    ),
    "bias and residual": (
        TOKENS,
        lambda w: _ms(w, "BiasAdd", w("MatMul", "x", w.weight(8, 8)), w.weight(8), "x"),
        lambda w: w("Add", _linear(w, "x"), "x"),
    ),
    "bias, dropout and residual": (
        TOKENS,
        lambda w: _ms(w, "BiasDropout", w("MatMul", "x", w.weight(8, 8)), w.weight(8), "x"),
        lambda w: w("Add", _linear(w, "x"), "x"),
    ),
    "group norm and activation": (
        LAST,
        lambda w: _ms(w, "GroupNorm", "x", w.weight(4), w.weight(4), groups=2, activation=1),
        lambda w: _last(
            w,
            (lambda y: w("Mul", y, w("Sigmoid", y)))(
                w("GroupNormalization", _first(w, "x"), w.weight(4), w.weight(4), num_groups=2)
            ),
        ),
    ),
    "group norm of a sum": (
        IMAGE,
        lambda w: _ms(
            w, "SkipGroupNorm", "x", w.weight(4), w.weight(4), w("Relu", "x"), groups=2, activation=0, channels_last=0
        ),
        lambda w: w("GroupNormalization", w("Add", "x", w("Relu", "x")), w.weight(4), w.weight(4), num_groups=2),
    ),
    "gates": (
        TOKENS,
        lambda w: _ms(w, "SwiGLU", "x", w("Relu", "x")),
        lambda w: w("Mul", _sigmoid_times(w, "x", "x"), w("Relu", "x")),
    ),
    "padding": (
        IMAGE,
        lambda w: w("Conv", _ms(w, "Pad", "x", np.array([0, 0, 1, 1, 0, 0, 1, 1])), w.weight(4, 4, 3, 3)),
        lambda w: w("Conv", "x", w.weight(4, 4, 3, 3), pads=[1, 1, 1, 1]),
    ),
    "another axis": (
        TOKENS,
        lambda w: w("MatMul", _ms(w, "ExpandDims", "x", np.array(1)), w.weight(8, 3)),
        lambda w: w("MatMul", w("Unsqueeze", "x", [1]), w.weight(8, 3)),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_an_operator_of_the_runtime_is_what_it_stands_for(writer, name: str) -> None:
    shape, fused, plain = PAIRS[name]
    first, second = writer(23, x=shape), writer(23, x=shape)
    seen, expected = first.read(fused(first)), second.read(plain(second))
    assert seen.graph.key == expected.graph.key
    assert not seen.warnings


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
@pytest.mark.parametrize(("op", "more"), [("QuickGelu", {}), ("FusedMatMul", {"alpha": 0.5})])
def test_numbers_of_half_precision_are_numbers(op: str, more: dict[str, float], kind: int) -> None:
    inputs = ["x", "x"] if op == "FusedMatMul" else ["x"]
    graph = helper.make_graph(
        [helper.make_node(op, inputs, ["y"], domain=MICROSOFT, **more)],
        "g",
        [helper.make_tensor_value_info("x", kind, (2, 4, 4))],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
    assert not interpret(helper.make_model(graph, opset_imports=opsets)).warnings


class TestEmbeddings:
    def test_words_kinds_and_places_are_looked_up_and_added(self, writer) -> None:
        fused, plain = (writer(17, ids=(1, 7), kinds=(1, 7)) for _ in range(2))
        tables = fused.weight(50, 8), fused.weight(16, 8), fused.weight(2, 8)
        outputs = _ms(
            fused, "EmbedLayerNormalization", "ids", "kinds", *tables, *_norms(fused), outputs=3, epsilon=1e-6
        )
        words, places, kinds = plain.weight(50, 8), plain.weight(16, 8), plain.weight(2, 8)
        made = plain("Add", plain("Gather", words, "ids"), plain("Gather", kinds, "kinds"))
        made = plain("Add", made, plain("Slice", places, [0], [7], [0]))
        norm = plain("LayerNormalization", made, *_norms(plain))
        assert fused.graph(outputs[0], outputs[2]).key == plain.graph(norm, made).key

    def test_places_may_be_given(self, writer) -> None:
        w = writer(17, ids=(1, 7), places=(1, 7))
        tables = w.weight(50, 8), w.weight(16, 8)
        made = _ms(w, "EmbedLayerNormalization", "ids", "", *tables, "", *_norms(w), "", "places")
        graph = w.graph(made)
        assert total(graph, "params") == 66 * 8 + 16
        assert [op for op in graph.ops if op not in ("input", "output")] == ["embedding"] * 2 + ["add", "layer_norm"]


def test_searches_and_what_runs_elsewhere_are_said_to_be_unknown(writer) -> None:
    for op in ("GreedySearch", "Sampling", "EPContext", "Snpe", "AttnLSTM", "LinearAttention"):
        w = writer(17, x=TOKENS)
        assert w.read(_ms(w, op, "x")).unknown == {f"{MICROSOFT}.{op}": 1}


SHAPES = ((), (0,), (1,), (3, 8), (2, 5, 8), (1, 4, 6, 6), (1, 5, 2, 3, 4), (-1, -1, 8), (1 << 40, 1 << 40, 1 << 40))
NUMBERS = (0, 1, 2, -1, 3, 1 << 40)
ATTRIBUTES = (
    "num_heads",
    "kv_num_heads",
    "q_num_heads",
    "groups",
    "group",
    "k",
    "window",
    "do_rotary",
    "transA",
    "N",
    "K",
)


def test_no_inputs_or_attributes_make_a_model_unreadable() -> None:
    runtime = pytest.importorskip("onnxruntime.capi.onnxruntime_pybind11_state", reason="it lists its operators")
    places = sorted({(s.domain, s.name) for s in runtime.get_all_operator_schema() if s.domain.startswith("com.m")})
    generator = np.random.default_rng(1)
    for domain, op in [*places, ("", "Attention"), ("", "RotaryEmbedding")]:
        count = int(generator.integers(0, 9))
        shapes = [SHAPES[generator.integers(len(SHAPES))] for _ in range(count)]
        stored = [bool(generator.integers(2)) and min(shape, default=0) >= 0 for shape in shapes]
        more = {name: NUMBERS[generator.integers(6)] for name in ATTRIBUTES if generator.integers(2)}
        names = [f"i{i}" for i in range(count)]
        node = helper.make_node(op, ["x", *names], ["y", "z"], domain=domain, **more)
        given = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [n if n >= 0 else "n" for n in shape])
            for name, shape, kept in zip(names, shapes, stored, strict=True)
            if not kept
        ]
        weights = [
            numpy_helper.from_array(np.ones(shape, np.float32), name)
            if np.prod(shape, dtype=float) < 1000
            else TensorProto(name=name, dims=shape, data_type=TensorProto.FLOAT)
            for name, shape, kept in zip(names, shapes, stored, strict=True)
            if kept
        ]
        first = helper.make_tensor_value_info("x", TensorProto.FLOAT, TOKENS if generator.integers(2) else IMAGE)
        graph = helper.make_graph(
            [node], "g", [first, *given], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], weights
        )
        opsets = [helper.make_opsetid("", 22), helper.make_opsetid(domain, 1)][: 1 + bool(domain)]
        try:
            interpret(helper.make_model(graph, opset_imports=opsets))
        except ModelFileError:
            continue
