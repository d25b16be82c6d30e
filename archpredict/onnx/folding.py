"""Operators on small known arrays, computed: what remains of the arithmetic on shapes in an exported model.

Every function takes the inputs as arrays (None where left out) and the attributes, by the names of ONNX's operators;
older versions, which have as attributes what newer ones have as inputs, are understood as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from archpredict.onnx._folding.application import Application, Attributes
from archpredict.onnx._folding.places import PLACES

MAX_ELEMENTS = 4096
"""Of an array that is computed: lengths of axes, indices, numbers; nothing larger decides what a network is."""


def fold(
    op: str, inputs: Sequence[np.ndarray | None], attributes: Attributes, outputs: int, size: int | None
) -> list[np.ndarray] | None:
    """The outputs of an operator, None where they are not computed.

    Args:
        op: ONNX's name of it.
        inputs: Small arrays, None for inputs that are left out.
        attributes: As in the file.
        outputs: Number of outputs.
        size: Elements of the largest output, None where not known in advance.
    """
    rule = _RULES.get(op)
    if rule is None or (size is None and op not in _UNSIZED) or (size or 0) > MAX_ELEMENTS:
        return None
    try:
        with np.errstate(all="ignore"):
            result = rule(Application(inputs, attributes, outputs))
    except (ValueError, IndexError, TypeError, ArithmeticError, KeyError):
        return None
    arrays = [np.asarray(array) for array in (result if isinstance(result, list) else [result])]
    return arrays if all(array.size <= MAX_ELEMENTS for array in arrays) else None


def fold_partly(
    op: str, inputs: Sequence[np.ndarray | None], attributes: Attributes, outputs: int
) -> list[np.ndarray] | None:
    """As :func:`fold` for integers of which some are not known: NaN in an array of float64.

    The arithmetic of floats carries NaN along by itself; comparisons do not, and are not computed. Integers that the
    model casts to floats are float32.
    """
    if op not in _CARRIES or any(array is not None and array.size > 256 for array in inputs):
        return None
    if op in _FIRST_ONLY and any(array is not None and np.isnan(array).any() for array in inputs[1:]):
        return None
    return fold(op, inputs, attributes, outputs, 0)


def _divide(call: Application) -> np.ndarray:
    a, b = call.given(0), call.given(1)
    if np.any(b == 0):
        raise ZeroDivisionError
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))
    lengths = np.isnan(a).any() or np.isnan(b).any()
    return np.trunc(a / b) if lengths and np.float32 not in (a.dtype, b.dtype) else np.asarray(a / b)


def _modulo(call: Application) -> np.ndarray:
    a, b = call.given(0), call.given(1)
    if a.dtype.kind in "iu" and np.any(b == 0):
        raise ZeroDivisionError
    return np.asarray(np.fmod(a, b) if call.attributes.get("fmod") else np.mod(a, b))


def _gather(call: Application) -> np.ndarray:
    return np.take(call.data, call.given(1).astype(np.int64), axis=int(call.attributes.get("axis", 0)))


def _unsqueeze(call: Application) -> np.ndarray:
    return np.expand_dims(call.data, call.integers("axes", 1) or ())


def _slice(call: Application) -> np.ndarray:
    starts, ends = call.integers("starts", 1) or (), call.integers("ends", 2) or ()
    axes = call.integers("axes", 3) or tuple(range(len(starts)))
    steps = call.integers("steps", 4) or (1,) * len(starts)
    index = [slice(None)] * call.data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index[axis] = slice(start, end, step)
    return np.asarray(call.data[tuple(index)])


def _split(call: Application) -> list[np.ndarray]:
    axis = int(call.attributes.get("axis", 0))
    length = call.data.shape[axis]
    sizes = call.integers("split", 1)
    if sizes is None:
        part = -(-length // call.outputs)
        sizes = tuple(min(part, max(0, length - i * part)) for i in range(call.outputs))
    if len(sizes) != call.outputs:
        raise ValueError("as many parts as outputs")
    return list(np.split(call.data, np.cumsum(sizes)[:-1], axis=axis))


def _reshape(call: Application) -> np.ndarray:
    target = call.integers("shape", 1) or ()
    if not call.attributes.get("allowzero", 0):
        target = tuple(call.data.shape[i] if n == 0 else n for i, n in enumerate(target))
    return call.data.reshape(target)


def _expand(call: Application) -> np.ndarray:
    target = call.integers("shape", 1) or ()
    return np.broadcast_to(call.data, np.broadcast_shapes(call.data.shape, target)).copy()


def _range(call: Application) -> np.ndarray:
    start, limit, delta = (call.given(i).reshape(()) for i in range(3))
    if not 0 <= (float(limit) - float(start)) / float(delta) <= MAX_ELEMENTS:
        raise ValueError("too long, or empty")
    return np.asarray(np.arange(start.item(), limit.item(), delta.item()), dtype=start.dtype)


def _constant_of_shape(call: Application) -> np.ndarray:
    value = np.asarray(call.attributes.get("value", np.zeros(1, np.float32)))
    return np.full(call.integers("", 0) or (), value.reshape(-1)[0], dtype=value.dtype)


def _cast(call: Application) -> np.ndarray:
    kind = _KINDS.get(int(call.attributes["to"]))
    if kind is None:
        raise ValueError("a type that NumPy has not")
    if call.data.dtype.kind == "f" and np.isnan(call.data).any():
        return call.data.astype(np.float32) if np.dtype(kind).kind == "f" else np.trunc(call.data).astype(np.float64)
    return call.data.astype(kind)


def _reduction(function: Callable[..., Any]) -> Callable[[Application], np.ndarray]:
    def rule(call: Application) -> np.ndarray:
        axes = call.integers("axes", 1)
        if not axes and call.attributes.get("noop_with_empty_axes"):
            return call.data
        if not call.data.size:
            raise ValueError("nothing to reduce")
        keep = bool(call.attributes.get("keepdims", 1))
        return np.asarray(function(call.data, axis=axes or None, keepdims=keep), dtype=call.data.dtype)

    return rule


def _unary(function: Callable[..., Any]) -> Callable[[Application], np.ndarray]:
    return lambda call: np.asarray(function(call.data)).astype(call.data.dtype)


def _variadic(function: Callable[..., Any]) -> Callable[[Application], np.ndarray]:
    def rule(call: Application) -> np.ndarray:
        result = call.given(0)
        for index in range(1, len(call.inputs)):
            result = np.asarray(function(result, call.given(index)))
        return result

    return rule


def _clip(call: Application) -> np.ndarray:
    low, high = (
        call.attributes.get(name, call.inputs[i] if i < len(call.inputs) else None)
        for name, i in (("min", 1), ("max", 2))
    )
    return np.clip(call.data, low, high).astype(call.data.dtype) if (low, high) != (None, None) else call.data


def _infinite(call: Application) -> np.ndarray:
    found = np.zeros(call.data.shape, bool)
    for name, number in (("detect_positive", np.inf), ("detect_negative", -np.inf)):
        if call.attributes.get(name, 1):
            found |= call.data == number
    return found


def _shifted(call: Application) -> np.ndarray:
    shift = np.left_shift if call.attributes.get("direction") == "LEFT" else np.right_shift
    return np.asarray(shift(call.data, call.given(1)))


_KINDS: Mapping[int, type[Any]] = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
    12: np.uint32,
    13: np.uint64,
}
"""By ONNX's number of the type."""

_VARIADIC: Mapping[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sum": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Min": np.minimum,
    "Max": np.maximum,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
    "Equal": np.equal,
    "Less": np.less,
    "Greater": np.greater,
    "LessOrEqual": np.less_equal,
    "BitwiseAnd": np.bitwise_and,
    "BitwiseOr": np.bitwise_or,
    "BitwiseXor": np.bitwise_xor,
    "GreaterOrEqual": np.greater_equal,
}
_UNARY: Mapping[str, Callable[..., Any]] = {
    "Neg": np.negative,
    "Abs": np.abs,
    "Sqrt": np.sqrt,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.round,
    "Sign": np.sign,
    "Exp": np.exp,
    "Log": np.log,
    "Reciprocal": lambda x: 1 / x,
    "Sin": np.sin,
    "Cos": np.cos,
    "Tanh": np.tanh,
    "Relu": lambda x: np.maximum(x, 0),
    "BitwiseNot": np.invert,
}
_REDUCTIONS: Mapping[str, Callable[..., Any]] = {
    "ReduceSum": np.sum,
    "ReduceProd": np.prod,
    "ReduceMin": np.min,
    "ReduceMax": np.max,
    "ReduceMean": np.mean,
    "ReduceL1": lambda x, **where: np.sum(np.abs(x), **where),
    "ReduceL2": lambda x, **where: np.sqrt(np.sum(np.square(x), **where)),
    "ReduceSumSquare": lambda x, **where: np.sum(np.square(x), **where),
}
_RULES: Mapping[str, Callable[[Application], np.ndarray | list[np.ndarray]]] = {
    **{name: _variadic(function) for name, function in _VARIADIC.items()},
    **{name: _unary(function) for name, function in _UNARY.items()},
    **{name: _reduction(function) for name, function in _REDUCTIONS.items()},
    **PLACES,
    "Mean": lambda call: _variadic(np.add)(call) / len(call.inputs),
    "MatMul": lambda call: np.matmul(call.data, call.given(1)),
    "IsNaN": lambda call: np.isnan(call.data),
    "IsInf": _infinite,
    "BitShift": _shifted,
    "Not": lambda call: np.logical_not(call.data),
    "Pow": lambda call: np.power(call.data, call.given(1)).astype(call.data.dtype),
    "Div": _divide,
    "Mod": _modulo,
    "Where": lambda call: np.where(call.data, call.given(1), call.given(2)),
    "Clip": _clip,
    "Cast": _cast,
    "Gather": _gather,
    "Concat": lambda call: np.concatenate(
        [call.given(i) for i in range(len(call.inputs))], axis=int(call.attributes.get("axis", 1))
    ),
    "Unsqueeze": _unsqueeze,
    "Squeeze": lambda call: np.squeeze(call.data, call.integers("axes", 1) or None),
    "Slice": _slice,
    "Split": _split,
    "Reshape": _reshape,
    "Flatten": lambda call: call.data.reshape(int(np.prod(call.data.shape[: call.attributes.get("axis", 1)])), -1),
    "Transpose": lambda call: np.transpose(call.data, call.attributes.get("perm")),
    "Expand": _expand,
    "Tile": lambda call: np.tile(call.data, call.integers("repeats", 1) or ()),
    "Range": _range,
    "ConstantOfShape": _constant_of_shape,
    "NonZero": lambda call: np.array(np.nonzero(call.data), dtype=np.int64),
}
_UNSIZED = ("Range", "NonZero", "Compress")
_CARRIES = (
    *("GatherElements", "GatherND", "ScatterElements", "ScatterND", "CumSum", "Compress"),
    *("Gather", "Concat", "Unsqueeze", "Squeeze", "Slice", "Split", "Reshape", "Transpose", "Cast"),
    *("Add", "Sub", "Mul", "Div", "Min", "Max", "Floor", "Ceil", "Neg", "ReduceProd", "ReduceSum"),
)
_FIRST_ONLY = (
    *("Gather", "Unsqueeze", "Squeeze", "Slice", "Split", "Reshape", "Transpose", "Cast"),
    *("GatherElements", "GatherND", "CumSum", "Compress"),
)
