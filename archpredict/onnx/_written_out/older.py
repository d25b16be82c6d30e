"""Operators as older versions of ONNX had them, written out as newer ones have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from archpredict.onnx._written_out.expansion import Call, Expansion


def _renewed(call: Call) -> Sequence[str]:
    """The same operator without attributes that say nothing any more, such as ``consumed_inputs``."""
    inputs = [call.input(i) for i in range(len(call.inputs))]
    made = call.plain(call.node.op_type, *inputs, outputs=len(call.node.output))
    return made if isinstance(made, list) else (made,)


def _aligned(call: Call) -> Sequence[str]:
    """The axes of the second tensor are those of the first from ``axis`` on."""
    first, second, axis = call.shape(0), call.shape(1), call.attributes.get("axis")
    other = call.input(1)
    if call.integer("broadcast") and first and second and isinstance(axis, int) and -len(first) <= axis < len(first):
        other = _longer(call, other, len(second), len(first) - axis % len(first) - len(second))
    return (call.plain(call.node.op_type, call.input(0), other),)


def _longer(call: Call, name: str, rank: int, more: int) -> str:
    """A tensor with more axes of length 1 at its end."""
    return name if more < 1 else call.write("Unsqueeze", name, call.number(list(range(rank, rank + more))))


def _slopes(call: Call) -> Sequence[str]:
    """One slope per channel, which is the second axis."""
    shape, slopes, other = call.shape(0), call.shape(1), call.input(1)
    if shape and slopes and len(slopes) == 1 and slopes != (1,):
        other = _longer(call, other, 1, len(shape) - 2)
    return (call.plain("PRelu", call.input(0), other),)


def _batch_norm(call: Call) -> Sequence[str] | None:
    """Of statistics per channel; where ``spatial`` is 0, per channel and place, which is a scale and a shift.

    The further outputs are statistics, which only training reads.
    """
    shape = call.shape(0)
    if call.version < 9 and call.integer("spatial", 1) == 0 and (shape is None or len(shape) > 2):
        scale, shift = call.input(1), call.input(2)
        if shape is not None and -1 not in shape[1:]:
            scale, shift = (call.write("Reshape", name, call.number(list(shape[1:]))) for name in (scale, shift))
        return (call.write("Add", call.write("Mul", call.input(0), scale), shift),)
    if call.version >= 7 and len(call.node.output) == 1:
        return None
    return (call.plain("BatchNormalization", *map(call.input, range(5)), only=("epsilon", "momentum")),)


def _cast(call: Call) -> Sequence[str] | None:
    """The type by its name."""
    name = call.attributes.get("to")
    if name not in onnx.TensorProto.DataType.keys():  # noqa: SIM118 - no mapping, but a class of protobuf
        return None
    return (call.write("Cast", call.input(0), to=onnx.TensorProto.DataType.Value(name)),)


def _clip(call: Call) -> Sequence[str]:
    """The bounds as attributes."""
    low, high = (call.attributes.get(name) for name in ("min", "max"))
    bounds = ("" if bound is None else call.number(float(bound)) for bound in (low, high))
    return (call.write("Clip", call.input(0), *bounds),)


def _concat(call: Call) -> Sequence[str]:
    """Along the channels, where nothing else is said."""
    return (call.write("Concat", *map(call.input, range(len(call.inputs))), axis=call.integer("axis", 1)),)


def _pad(call: Call) -> Sequence[str] | None:
    """The numbers of places as an attribute, of another name at first."""
    places = call.attributes.get("pads", call.attributes.get("paddings"))
    if not isinstance(places, tuple):
        return None
    value = call.number(float(call.attributes.get("value", 0.0)))
    return (call.plain("Pad", call.input(0), call.number(list(places)), value),)


def _reshape(call: Call) -> Sequence[str] | None:
    """The lengths as an attribute."""
    lengths = call.attributes.get("shape")
    return None if lengths is None else (call.write("Reshape", call.input(0), call.number(list(lengths))),)


def _along(call: Call) -> Sequence[str] | None:
    """A function of the rows of a matrix, of which the axes from ``axis`` on are the columns."""
    shape, axis = call.shape(0), call.integer("axis", 1)
    if shape and axis in (-1, len(shape) - 1):
        return None
    matrix = call.write("Flatten", call.input(0), axis=axis)
    rows = call.write(call.node.op_type, matrix, axis=-1)
    return (call.write("Reshape", rows, call.write("Shape", call.input(0))),)


def _split(call: Call) -> Sequence[str]:
    """The lengths of the parts as an attribute or an input."""
    parts = len(call.node.output)
    given = call.attributes.get("split")
    lengths = call.number(list(given)) if given is not None else ""
    if not lengths and call.has(1):
        lengths = call.write("Cast", call.input(1), to=onnx.TensorProto.INT64)
    equal = None if lengths else parts
    made = call.write("Split", call.input(0), lengths, outputs=parts, axis=call.integer("axis"), num_outputs=equal)
    return made if parts > 1 else (made,)


def _tile(call: Call) -> Sequence[str] | None:
    """So many copies along one axis."""
    shape, copies, axis = call.shape(0), call.whole(1), call.whole(2)
    if shape is None or copies is None or axis is None or not -len(shape) <= axis < len(shape):
        return None
    repeats = [1] * len(shape)
    repeats[axis] = copies
    return (call.write("Tile", call.input(0), call.number(repeats)),)


_FUNCTIONS = ("Abs", "Ceil", "Elu", "Exp", "Floor", "HardSigmoid", "LeakyRelu", "Log", "Neg", "Reciprocal", "Relu")
_OTHERS = ("Selu", "Sigmoid", "Sqrt", "Tanh", "Max", "Mean", "Min", "Sum", "InstanceNormalization")
_OF_TWO = ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Less", "Greater")

EXPANSIONS: Mapping[str, tuple[int, Expansion]] = {
    **dict.fromkeys((*_FUNCTIONS, *_OTHERS), (6, _renewed)),
    **dict.fromkeys(("Gemm", "LSTM", "GRU", "RNN"), (7, _renewed)),
    "Compress": (11, _renewed),
    **dict.fromkeys(("GreaterOrEqual", "LessOrEqual"), (16, _renewed)),
    **dict.fromkeys(_OF_TWO, (7, _aligned)),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), (13, _along)),
    "BatchNormalization": (14, _batch_norm),
    "Cast": (6, _cast),
    "Clip": (11, _clip),
    "Concat": (4, _concat),
    "PRelu": (7, _slopes),
    "Pad": (2, _pad),
    "Reshape": (5, _reshape),
    "Split": (2, _split),
    "Tile": (6, _tile),
}
"""By name: the version from which on the operator stands for itself, and what it was before."""
