"""Operators of the first years that ONNX has dropped, in files of Caffe2, CNTK, Core ML and the first model zoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archpredict.onnx._file.protos import MAX_RANK
from archpredict.onnx._written_out.expansion import Call, Expansion

_MOST = 1 << 40
_ATEN = "org.pytorch.aten"
"""Domain in which PyTorch writes operators of its own."""


def _real(call: Call, name: str, default: float) -> float:
    value = call.attributes.get(name, default)
    return float(value) if isinstance(value, int | float) else default


def _wholes(call: Call, *names: str) -> list[int] | None:
    """The integers of an attribute, which may have one of these names; None where it has none."""
    for name in names:
        given = call.attributes.get(name)
        values = (given,) if isinstance(given, int) else given
        if isinstance(values, tuple) and values and all(isinstance(n, int) and abs(n) < _MOST for n in values):
            return list(values)
    return None


def _affine(scale: str, shift: str = "") -> Expansion:
    """A number times a tensor, plus a number."""

    def written(call: Call) -> Sequence[str]:
        made = call.write("Mul", call.input(0), call.number(_real(call, scale, 1.0)))
        return (call.write("Add", made, call.number(_real(call, shift, 0.0))) if shift else made,)

    return written


def _scaled_function(op: str, outside: str, inside: str) -> Expansion:
    """``outside * f(inside * x)``."""

    def written(call: Call) -> Sequence[str]:
        steep = call.write("Mul", call.input(0), call.number(_real(call, inside, 1.0)))
        return (call.write("Mul", call.write(op, steep), call.number(_real(call, outside, 1.0))),)

    return written


def _image(call: Call) -> Sequence[str]:
    """``ImageScaler``: pixels times a number, plus one per channel."""
    made = call.write("Mul", call.input(0), call.number(_real(call, "scale", 1.0)))
    bias = call.attributes.get("bias")
    if not isinstance(bias, tuple) or not all(isinstance(n, float) for n in bias):
        return (made,)
    return (call.write("Add", made, call.number([[[n]] for n in bias])),)


def _crop(call: Call) -> Sequence[str] | None:
    """So much less on the left, at the top, on the right and below; or from there on so much as ``scale`` says."""
    border, size = _wholes(call, "border"), _wholes(call, "scale")
    if border is None or len(border) != 4:
        return None
    left, top, right, bottom = (max(0, n) for n in border)
    ends = [-bottom or _MOST, -right or _MOST]
    if size is not None and len(size) == 2:
        ends = [top + size[0], left + size[1]]
    return (call.write("Slice", call.input(0), *(call.number(n) for n in ([top, left], ends, [2, 3]))),)


def _filled(call: Call) -> Sequence[str] | None:
    """A tensor of the shape that an attribute says, or that an input is, or has."""
    more = _wholes(call, "extra_shape") or []
    lengths = _wholes(call, "shape")
    if call.has(0):
        shape = call.input(0) if call.integer("input_as_shape") else call.write("Shape", call.input(0))
        shape = call.write("Concat", shape, call.number(more), axis=0) if more else shape
    elif lengths is not None and len(lengths) + len(more) <= MAX_RANK:
        shape = call.number([max(0, n) for n in (*lengths, *more)])
    else:
        return None
    return (call.write("ConstantOfShape", shape),)


def _layer(call: Call) -> Sequence[str]:
    """Caffe2's ``FC``: a linear layer on all axes from one on."""
    rows = call.write("Flatten", call.input(0), axis=max(0, min(MAX_RANK, call.integer("axis", 1))))
    return (call.write("Gemm", rows, call.input(1), call.input(2), transB=1),)


def _transposed(call: Call) -> Sequence[str]:
    """Caffe2's ``ConvTranspose``, with its own names for what the operator has as well."""
    axes = len(call.shape(1) or (0, 0, 0, 0)) - 2

    def each(*names: str, times: int = 1) -> list[int] | None:
        values = _wholes(call, *names)
        return values * axes * times if values is not None and len(values) == 1 else values

    places: dict[str, Any] = {
        "strides": each("strides", "stride"),
        "pads": each("pads", "pad", times=2),
        "output_padding": each("output_padding", "adjs", "adj"),
        "group": call.integer("group", 1),
    }
    return (call.write("ConvTranspose", call.input(0), call.input(1), call.input(2), **places),)


def _spatial(call: Call) -> Sequence[str]:
    """Caffe2's ``SpatialBN``."""
    return (call.write("BatchNormalization", *map(call.input, range(5))),)


def _looked_up(table: int, index: int) -> Expansion:
    """An embedding."""

    def written(call: Call) -> Sequence[str]:
        return (call.write("Gather", call.input(table), call.input(index)),)

    return written


def _cut(call: Call) -> Sequence[str]:
    """``DynamicSlice``, which a slice became."""
    return (call.write("Slice", *map(call.input, range(4))),)


def _part(call: Call) -> Sequence[str]:
    """``LoopIndexTensor``: what one round of a loop reads."""
    return (call.write("Gather", call.input(0), call.input(1), axis=call.integer("axis")),)


def _unit(call: Call) -> Sequence[str]:
    """Caffe2's ``GRUUnit``: one step, after its products."""
    _, update, new = call.write("Split", call.input(1), outputs=3, axis=-1, num_outputs=3)
    kept = call.write("Mul", call.write("Sigmoid", update), call.input(0))
    share = call.write("Sub", call.number(1.0), call.write("Sigmoid", update))
    return (call.write("Add", kept, call.write("Mul", share, call.write("Tanh", new))),)


def _of_torch(call: Call) -> Sequence[str] | None:
    """``ATen``: an operator of PyTorch, whose name is an attribute."""
    name = call.attributes.get("operator")
    if name == "embedding":
        return _looked_up(0, 1)(call)
    if name != "embedding_bag" or not call.has(1):
        return None
    found = call.write("Gather", call.input(0), call.input(1))
    op = {1: "ReduceMean", 2: "ReduceMax"}.get(call.integer("mode"), "ReduceSum")
    if len(call.shape(1) or ()) == 2:
        return (call.write(op, found, call.number([1]), keepdims=0),)
    together = call.write(op, found, call.number([0]), keepdims=1)
    bags = call.write("Concat", call.write("Shape", call.input(2)), call.number([1]), axis=0) if call.has(2) else ""
    return (call.write("Expand", together, bags) if bags else together,)


_BY_NAME: Mapping[str, Expansion] = {
    "ATen": _of_torch,
    "Affine": _affine("alpha", "beta"),
    "Scale": _affine("scale"),
    "ScaledTanh": _scaled_function("Tanh", "alpha", "beta"),
    "ParametricSoftplus": _scaled_function("Softplus", "alpha", "beta"),
    "ImageScaler": _image,
    "Crop": _crop,
    **dict.fromkeys(("ConstantFill", "GivenTensorFill"), _filled),
    "FC": _layer,
    "Caffe2ConvTranspose": _transposed,
    "SpatialBN": _spatial,
    "Embedding": _looked_up(1, 0),
    "DynamicSlice": _cut,
    "LoopIndexTensor": _part,
    "GRUUnit": _unit,
}
EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    **{("", name): made for name, made in _BY_NAME.items()},
    (_ATEN, "ATen"): _of_torch,
}
"""By domain and name."""
