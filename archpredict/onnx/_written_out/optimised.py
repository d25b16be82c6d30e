"""Operators of ONNX Runtime's optimiser, which do the work of several of ONNX's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archpredict.onnx._written_out.expansion import MICROSOFT, Call, Expansion

_MOST_AXES = 32

# Functions after a layer.


def _numbers(call: Call, given: str) -> tuple[float, ...]:
    """Numbers of an activation: one list of them, or attributes with these names."""
    listed = call.attributes.get(given)
    if not isinstance(listed, tuple):
        listed = tuple(call.attributes.get(f"{given}_{name}") for name in ("alpha", "beta", "gamma"))
    return tuple(float(n) for n in listed[:3] if isinstance(n, int | float))


def activated(call: Call, name: str, numbers: str = "activation_params") -> str:
    """What an operator writes, after the activation that its attribute names.

    Args:
        call: The operator.
        name: What there is before the activation.
        numbers: The attribute that has the activation's numbers, or the beginning of the names of those that do.
    """
    op = str(call.attributes.get("activation", ""))
    given = _numbers(call, numbers)
    if op in ("", "None"):
        return name
    if op == "Clip":
        bounds = [call.factor(n) for n in given[:2]]
        return str(call.write("Clip", name, *bounds))
    if op in ("Silu", "Swish", "SiLU"):
        return silu(call, name)
    named: dict[str, Any] = dict(zip(_NUMBERS_OF.get(op, ()), given, strict=False))
    return str(call.write(op, name, **named)) if op in _ACTIVATIONS else str(call.write("Softsign", name))


_NUMBERS_OF: Mapping[str, Sequence[str]] = {
    "LeakyRelu": ("alpha",),
    "Elu": ("alpha",),
    "Celu": ("alpha",),
    "ThresholdedRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "Selu": ("alpha", "gamma"),
}
_ACTIVATIONS = (
    *("Relu", "Sigmoid", "Tanh", "HardSwish", "Softplus", "Softsign", "Gelu", "Mish", "Softmax", "Erf", "Exp"),
    *_NUMBERS_OF,
)


def silu(call: Call, name: str, alpha: float = 1.0) -> str:
    """``x * sigmoid(alpha * x)``."""
    scaled = name if alpha == 1.0 else call.write("Mul", name, call.factor(alpha))
    return str(call.write("Mul", name, call.write("Sigmoid", scaled)))


def _biased(call: Call, index: int = 1) -> str:
    """The first input, plus a bias where there is one."""
    return str(call.write("Add", call.input(0), call.input(index))) if call.has(index) else call.input(0)


def _biased_gelu(call: Call) -> Sequence[str]:
    return (call.write("Gelu", _biased(call)),)


def _quick_gelu(call: Call) -> Sequence[str]:
    alpha = call.attributes.get("alpha", 1.702)
    return (silu(call, call.input(0), alpha if isinstance(alpha, float) else 1.702),)


def _split_gelu(call: Call) -> Sequence[str]:
    """One half of the channels times the GELU of the other."""
    halves = call.write("Split", _biased(call), outputs=2, axis=-1, num_outputs=2)
    return (call.write("Mul", halves[0], call.write("Gelu", halves[1])),)


def _summed(*places: int) -> Expansion:
    """The sum of the inputs at these places, those that are there."""

    def written(call: Call) -> Sequence[str]:
        return (_sum(call, *places),)

    return written


def _sum(call: Call, *places: int) -> str:
    first, *others = (call.input(i) for i in places if call.has(i))
    for other in others:
        first = call.write("Add", first, other)
    return first


def _biased_softmax(call: Call) -> Sequence[str]:
    axis = call.integer("axis", 1)
    return (call.write("Softmax", _sum(call, 0, 1), axis=-1 if axis == 1 else axis),)


# Layers.


def _layer(op: str, numbers: str) -> Expansion:
    """A layer, perhaps the sum of it and another tensor, and an activation."""

    def written(call: Call) -> Sequence[str]:
        made = call.plain(op, call.input(0), call.input(1), call.input(2))
        if call.has(3):
            made = call.write("Add", made, call.input(3))
        return (activated(call, made, numbers),)

    return written


def _product(call: Call) -> str | None:
    """A product of matrices, each of which may be turned, and scaled."""
    names = []
    for index, letter in enumerate("AB"):
        name, rank = call.input(index), len(call.shape(index) or ())
        order = list(range(rank))
        if call.integer(f"transBatch{letter}") and rank > 2:
            order = [*order[1:-1], 0, order[-1]]
        if call.integer(f"trans{letter}") and rank > 1:
            order = [*order[:-2], order[-1], order[-2]]
        turns = call.integer(f"transBatch{letter}") or call.integer(f"trans{letter}")
        if turns and not rank:
            return None
        names.append(call.write("Transpose", name, perm=order) if order != sorted(order) else name)
    made = call.write("MatMul", *names)
    scale = call.attributes.get("alpha", 1.0)
    return str(made if scale == 1.0 else call.write("Mul", made, call.factor(scale)))


def _turned_product(call: Call) -> Sequence[str] | None:
    made = _product(call)
    return None if made is None else (activated(call, made, "activation"),)


def _gelu_layer(call: Call) -> Sequence[str]:
    made = call.write("MatMul", call.input(0), call.input(1))
    return (call.write("Gelu", call.write("Add", made, call.input(2)) if call.has(2) else made),)


# Norms.


def _skipped_norm(op: str, biases: int) -> Expansion:
    """A norm of the sum of two tensors and a bias; the sum may be read as well.

    Args:
        op: The norm.
        biases: The place of the bias.
    """

    def written(call: Call) -> Sequence[str]:
        together = _sum(call, 0, 1, biases)
        norm = call.plain(op, together, *(call.input(i) for i in range(2, biases)))
        return norm, "", "", together

    return written


def _norm(op: str) -> Expansion:
    """A norm under another name, with two numbers that only training reads."""

    def written(call: Call) -> Sequence[str]:
        return (call.plain(op, *(call.input(i) for i in range(3 if op == "LayerNormalization" else 2))),)

    return written


def _group_norm(call: Call) -> Sequence[str] | None:
    """Of tensors whose channels are last, and perhaps a SiLU."""
    rank = len(call.shape(0) or ())
    total = _skipped(call, rank) if call.node.op_type.startswith("Skip") else call.input(0)
    if rank < 3 or call.integer("groups") < 1:
        return None
    last = call.integer("channels_last", 1)
    source = channels_first(call, total, rank) if last else total
    made = call.write("GroupNormalization", source, call.input(1), call.input(2), num_groups=call.integer("groups"))
    if call.integer("activation"):
        made = silu(call, made)
    return channels_last(call, made, rank) if last else made, total


def _skipped(call: Call, rank: int) -> str:
    """The sum of a tensor, another that may have a number per channel and example only, and a bias."""
    skip = call.input(3)
    if len(call.shape(3) or ()) == 2 < rank <= _MOST_AXES:
        skip = call.write("Unsqueeze", skip, call.number(list(range(1, rank - 1))))
    total = call.write("Add", call.input(0), skip) if skip else call.input(0)
    return str(call.write("Add", total, call.input(4)) if call.has(4) else total)


def channels_first(call: Call, name: str, rank: int) -> str:
    """Channels before places."""
    return str(call.write("Transpose", name, perm=[0, rank - 1, *range(1, rank - 1)]))


def channels_last(call: Call, name: str, rank: int) -> str:
    """Channels after places."""
    return str(call.write("Transpose", name, perm=[0, *range(2, rank), 1]))


def _between_transpositions(written: Callable[[Call, str], str]) -> Expansion:
    """An operator on tensors whose channels are last."""

    def expansion(call: Call) -> Sequence[str] | None:
        rank = len(call.shape(0) or ())
        if not 3 <= rank <= _MOST_AXES:
            return None
        return (channels_last(call, written(call, channels_first(call, call.input(0), rank)), rank),)

    return expansion


def _last_convolution(call: Call, source: str) -> str:
    made = call.plain("Conv", source, call.input(1), call.input(2))
    if call.has(3):
        made = call.write("Add", made, channels_first(call, call.input(3), len(call.shape(0) or ())))
    return activated(call, made)


def _last_pool(call: Call, source: str) -> str:
    return str(call.plain("MaxPool", source))


# Embeddings.


def _embedded(call: Call) -> Sequence[str]:
    """Tables of words, of places and of kinds of words, added up, and a norm."""
    ids, places = call.input(0), call.input(8)
    together = call.write("Gather", call.input(2), ids, axis=0)
    if call.has(1) and call.has(4):
        together = call.write("Add", together, call.write("Gather", call.input(4), call.input(1), axis=0))
    if call.has(8) and not call.constant(8):
        place = call.write("Gather", call.input(3), places, axis=0)
    else:
        length = call.write("Shape", ids, start=1, end=2)
        place = call.write("Slice", call.input(3), call.number([0]), length, call.number([0]))
    together = call.write("Add", together, place)
    norm = call.plain("LayerNormalization", together, call.input(5), call.input(6))
    return norm, _lengths(call, 7) if call.wants(1) else "", together


def _lengths(call: Call, mask: int) -> str:
    """Words of each text, zeros where there is no mask."""
    if call.has(mask):
        return str(call.write("ReduceSum", call.input(mask), call.number([1]), keepdims=0))
    return str(call.write("ConstantOfShape", call.write("Shape", call.input(0), start=0, end=1)))


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    ("", "SimplifiedLayerNormalization"): _norm("RMSNormalization"),
    **{
        (MICROSOFT, op): expansion
        for op, expansion in {
            "BiasGelu": _biased_gelu,
            "FastGelu": _biased_gelu,
            "Gelu": _biased_gelu,
            "QuickGelu": _quick_gelu,
            "BiasSplitGelu": _split_gelu,
            "BiasAdd": _summed(0, 1, 2),
            "BiasDropout": _summed(0, 1, 2),
            "BitmaskBiasDropout": _summed(0, 1, 2),
            "BitmaskDropout": _summed(0),
            "BiasSoftmax": _biased_softmax,
            "FusedConv": _layer("Conv", "activation_params"),
            "FusedGemm": _layer("Gemm", "activation"),
            "FusedMatMul": _turned_product,
            "FusedMatMulActivation": _turned_product,
            "TransposeMatMul": _turned_product,
            "SparseToDenseMatMul": _turned_product,
            "GemmFastGelu": _gelu_layer,
            "SkipLayerNormalization": _skipped_norm("LayerNormalization", 4),
            "SkipSimplifiedLayerNormalization": _skipped_norm("RMSNormalization", 3),
            "SimplifiedLayerNormalization": _norm("RMSNormalization"),
            "LayerNormalization": _norm("LayerNormalization"),
            "GroupNorm": _group_norm,
            "SkipGroupNorm": _group_norm,
            "NhwcConv": _between_transpositions(_last_convolution),
            "NhwcFusedConv": _between_transpositions(_last_convolution),
            "NhwcMaxPool": _between_transpositions(_last_pool),
            "EmbedLayerNormalization": _embedded,
        }.items()
    },
}
"""By domain and name."""
