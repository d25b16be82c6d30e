"""Operators on integers, written out as those on the numbers that the integers stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archpredict.onnx._written_out.expansion import MICROSOFT, Call, Expansion

_FLOATS, _INTEGERS = (1, 10, 11, 16), (2, 3, 4, 5, 21, 22)


def _number(call: Call, place: int) -> str:
    """An input that is followed by its scale and its zero point."""
    return call.real(place, place + 1, place + 2)


def _result(call: Call, result: str, place: int) -> Sequence[str]:
    """A result, as the integers of which the scale and the zero point are at this place and the next."""
    if not call.has(place):
        return (result,)
    return (call.write("QuantizeLinear", result, call.input(place), call.input(place + 1)),)


def _dynamic(call: Call) -> Sequence[str]:
    """Rounding by a scale that is found in the data."""
    return call.write("Identity", call.input(0)), call.unit(), call.number(0)


def _function(op: str, *places: int, scale: int) -> Expansion:
    """An operator of ONNX on the numbers at these places, and where the scale of its result is."""

    def written(call: Call) -> Sequence[str]:
        return _result(call, call.plain(op, *(_number(call, place) for place in places)), scale)

    return written


def _over_places(op: str, *places: int, scale: int, bias: int = -1) -> Expansion:
    """An operator on places, whose channels are first or last."""

    def written(call: Call) -> Sequence[str] | None:
        source, *others = (_number(call, place) for place in places)
        if bias >= 0:
            others.append(call.real(bias))
        axes = len(call.shape(0) or ())
        last = bool(call.integer("channels_last"))
        if not last:
            return _result(call, call.plain(op, source, *others), scale)
        if axes < 3:
            return None
        source = call.write("Transpose", source, perm=[0, axes - 1, *range(1, axes - 1)])
        result = call.plain(op, source, *others)
        return _result(call, call.write("Transpose", result, perm=[0, *range(2, axes), 1]), scale)

    return written


def _convolution(call: Call) -> Sequence[str]:
    return (call.plain("Conv", call.real(0), call.real(1)),)


def _product(first: int = 0, second: int = 1, bias: int = -1) -> Expansion:
    """A product of the matrices at two places, plus a bias in numbers."""

    def written(call: Call) -> Sequence[str]:
        result = call.write("MatMul", call.real(first), call.real(second))
        return (call.write("Add", result, call.input(bias)) if call.has(bias) else result,)

    return written


def _gemm(call: Call) -> Sequence[str]:
    return _result(call, call.plain("Gemm", _number(call, 0), _number(call, 3), call.real(6)), 7)


def _reduction(op: str, scale: int = -1) -> Expansion:
    """A reduction whose axes are an attribute."""

    def written(call: Call) -> Sequence[str]:
        axes = call.attributes.get("axes")
        over = call.number(list(axes)) if isinstance(axes, tuple) and axes else ""
        source = _number(call, 0) if scale >= 0 else call.real(0)
        return _result(call, call.plain(op, source, over, only=("keepdims",)), scale)

    return written


def _concatenation(call: Call) -> Sequence[str]:
    """The scale and zero point of the result, then those of each input behind it."""
    return _result(call, call.plain("Concat", *(_number(call, i) for i in range(2, len(call.inputs), 3))), 0)


def _choice(call: Call) -> Sequence[str]:
    return _result(call, call.write("Where", call.input(0), _number(call, 1), _number(call, 4)), 7)


def _multiplied(call: Call) -> Sequence[str]:
    return (call.write("Mul", call.real(0), call.real(2)),)


def _same(call: Call) -> Sequence[str]:
    """Numbers in another order or format."""
    return (call.real(0),)


def _dynamic_lstm(call: Call) -> Sequence[str]:
    """An LSTM whose weights are stored the other way round, ``(directions, inputs, 4 hidden)``."""
    weights = (call.write("Transpose", call.real(place), perm=[0, 2, 1]) for place in (1, 2))
    others = (call.input(place) for place in range(3, 8))
    results: Sequence[str] = call.plain("LSTM", call.input(0), *weights, *others, outputs=3)
    return results


def _as_microsoft(op: str, *places: int, outputs: int) -> Expansion:
    """ONNX Runtime's own operator on numbers, of which these are quantised (given as ``~place``) or not."""

    def written(call: Call) -> Sequence[str]:
        names = [call.real(~place) if place < 0 else call.input(place) for place in places]
        made = call.write(op, *names, outputs=outputs, domain=MICROSOFT)
        call.nodes[-1].attribute.extend(a for a in call.node.attribute if not a.name.startswith("order_"))
        return (made,) if outputs == 1 else tuple(made)

    return written


def _ordered_product(call: Call) -> Sequence[str]:
    """``QOrderedMatMul``: a product, a bias, and a tensor that is added."""
    result = call.write("MatMul", call.real(0, 1), call.real(2, 3))
    if call.has(5):
        result = call.write("Add", result, call.input(5))
    if call.has(6):
        result = call.write("Add", result, call.real(6, 7))
    return (result,)


def _ordered_attention(call: Call) -> Sequence[str] | None:
    """``QOrderedAttention``: queries, keys and values, each by a layer of its own."""
    heads, source = call.integer("num_heads"), call.real(0, 1)
    if heads < 1 or call.has(18):
        return None
    parts = [
        call.write("Add", call.write("MatMul", source, call.real(5 + i, 8 + i)), call.input(11 + i)) for i in range(3)
    ]
    causal = call.integer("unidirectional")
    return (call.write("Attention", *parts, q_num_heads=heads, kv_num_heads=heads, is_causal=causal),)


def _of_sum(call: Call) -> Sequence[str]:
    return (call.plain("LayerNormalization", call.real(0, 1), call.input(2), call.input(3)),)


def _gelu(call: Call) -> Sequence[str]:
    return (call.write("Gelu", call.real(0, 1)),)


def _thresholds(call: Call) -> Sequence[str]:
    """``MultiThreshold`` of FINN, which counts thresholds below a number: with positive results, a ReLU is in it."""
    name = call.attributes.get("out_dtype", "")
    positive = str(name.decode("utf-8", "replace") if isinstance(name, bytes) else name).startswith("UINT")
    shifted = call.attributes.get("out_bias", 0.0) != 0.0
    return (call.write("Relu" if positive and not shifted else "Identity", call.input(0)),)


def _with_integers(call: Call) -> bool:
    """Whether an operator on rounded numbers has integers for its further inputs."""
    others = [value.dtype for value in call.inputs[1:] if value is not None]
    source = call.value(0)
    return source is not None and source.dtype in _FLOATS and any(dtype in _INTEGERS for dtype in others)


def _clip(call: Call) -> Sequence[str] | None:
    """The integers of fewer bits than their type has, as exporters write what rounds to 7 bits."""
    return (call.input(0),) if _with_integers(call) else None


def _pad(call: Call) -> Sequence[str] | None:
    """The integer that stands for zero, around what was rounded."""
    return (call.plain("Pad", call.input(0), call.input(1), "", call.input(3)),) if _with_integers(call) else None


_BOTH: Mapping[str, Expansion] = {
    "QLinearConv": _over_places("Conv", 0, 3, scale=6, bias=8),
    "QLinearMatMul": lambda call: _result(call, call.write("MatMul", _number(call, 0), _number(call, 3)), 6),
    "ConvInteger": _convolution,
    "MatMulInteger": _product(),
}
"""Operators of ONNX, some of which ONNX Runtime has as well."""
_OF_RUNTIME: Mapping[str, Expansion] = {
    **_BOTH,
    "QGemm": _gemm,
    "QLinearAdd": _function("Add", 0, 3, scale=6),
    "QLinearMul": _function("Mul", 0, 3, scale=6),
    "QLinearSigmoid": _function("Sigmoid", 0, scale=3),
    "QLinearLeakyRelu": _function("LeakyRelu", 0, scale=3),
    "QLinearSoftmax": _function("Softmax", 0, scale=3),
    "QLinearAveragePool": _over_places("AveragePool", 0, scale=3),
    "QLinearGlobalAveragePool": _over_places("GlobalAveragePool", 0, scale=3),
    "QLinearReduceMean": _reduction("ReduceMean", 3),
    "QLinearConcat": _concatenation,
    "QLinearWhere": _choice,
    "MatMulInteger16": _product(),
    "MatMulIntegerToFloat": _product(bias=6),
    "DynamicQuantizeMatMul": _product(bias=4),
    "DynamicQuantizeLSTM": _dynamic_lstm,
    "MulInteger": _multiplied,
    "ReduceSumInteger": _reduction("ReduceSum"),
    "QAttention": _as_microsoft("Attention", ~0, ~1, 2, 5, 8, outputs=2),
    "QEmbedLayerNormalization": _as_microsoft("EmbedLayerNormalization", 0, 1, ~2, ~3, ~4, ~5, ~6, 7, outputs=2),
    "QOrderedMatMul": _ordered_product,
    "QOrderedAttention": _ordered_attention,
    "QOrderedLayerNormalization": _of_sum,
    "QOrderedGelu": _gelu,
    "QuantizeWithOrder": _same,
    "DequantizeWithOrder": _same,
    "QuantizeBFP": _same,
}

EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    ("", "DynamicQuantizeLinear"): _dynamic,
    ("", "Clip"): _clip,
    ("", "Pad"): _pad,
    **{("", op): expansion for op, expansion in _BOTH.items()},
    **{(MICROSOFT, op): expansion for op, expansion in _OF_RUNTIME.items()},
    **{(f"{name}.custom_op.general", "MultiThreshold"): _thresholds for name in ("finn", "qonnx")},
}
"""By domain and name."""
