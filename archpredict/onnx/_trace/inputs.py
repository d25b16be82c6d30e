"""What a model reads: which of its inputs are data and which are parameters, and how long the axes of the data are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archpredict.errors import ModelFileError, integer
from archpredict.onnx._file.protos import Kind, Shape, kind_of
from archpredict.onnx._tensors.ordering import WEIGHT_SLOTS, shown
from archpredict.onnx._trace.open_axes import Taken

SIZE_TAKEN = "the file leaves open"
"""How the sentence begins that says what size an input was taken to have."""
_ARGUMENTS = {"image": "input_size", "sequence": "sequence_length"}
"""The argument that changes a size."""


def input_names(model: Any) -> list[str]:
    """Names of the inputs that are data, before anything is traced."""
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    stored |= {sparse.values.name for sparse in graph.sparse_initializer}
    return [value.name for value in data_inputs(graph, stored)[0]]


def data_inputs(graph: Any, parameters: set[str]) -> tuple[list[Any], list[Any]]:
    """The inputs that are data, and those that are parameters although the file holds no elements of them.

    Old files list parameters among the inputs, and a file whose parameters were stripped may have them only there.
    """
    inputs = list({value.name: value for value in graph.input if value.name not in parameters}.values())
    names = {value.name for value in inputs}
    slots = {
        name
        for node in graph.node
        for place in WEIGHT_SLOTS.get(node.op_type, ())
        for name in node.input[place : place + 1]
        if name in names
    }
    ranks = {value.name: len(kind_of(value.type).shape or ()) for value in inputs}
    products = {name for node in graph.node if node.op_type == "MatMul" for name in node.input}
    weights = {name for name in slots if name not in products or ranks[name] == 2}
    first = next((value.name for value in inputs if value.name not in weights), None)
    if first is None:
        return inputs, []
    # Where some are parameters, the others are too: those that are added or multiplied, and tables.
    stripped = [v for v in inputs if v.name != first and weights and min(kind_of(v.type).shape or (-1,)) >= 0]
    kept = {v.name for v in stripped}
    return [v for v in inputs if v.name not in kept], stripped


def input_kinds(
    inputs: Sequence[Any], given: Mapping[str, Sequence[int]], filled: Mapping[str, Taken], warn: Callable[[str], None]
) -> dict[str, Kind]:
    """Shapes of the inputs by name: as given, as the file says, or as they are taken to be.

    Args:
        inputs: As in the file.
        given: Shapes by name.
        filled: Shapes in which no axis is open, by name; without them a batch that is left open is 1, and other
            lengths must be given to be known.
        warn: Is told, in a sentence, what is not in the file.

    Raises:
        ModelFileError: A given shape is of no input, or does not fit.
    """
    names = [value.name for value in inputs]
    for name in given:
        if name not in names:
            known = ", ".join(shown(n) for n in names[:20]) or "none"
            raise ModelFileError(f"the model has no input {shown(name)}; its inputs are: {known}")
    found = {}
    for value in inputs:
        declared = kind_of(value.type)
        if value.name in given:
            shape: Shape = _checked(value.name, given[value.name], declared.shape)
        else:
            shape = _opened(value.name, declared, filled.get(value.name, Taken(None)), warn)
        found[value.name] = Kind(shape, declared.dtype or 1, declared.other)
    return found


def is_assumed(value: Any, shape: Shape) -> bool:
    """Whether lengths of an input are not in the file."""
    declared = kind_of(value.type)
    return declared.other is None and shape is not None and shape != declared.shape


def _checked(name: str, given: Sequence[int], declared: Shape) -> Shape:
    text = "x".join(map(str, given))
    shape = tuple(integer(n) or 0 for n in given)
    if any(n < 1 for n in shape):
        raise ModelFileError(
            f"the shape {text} for the input {shown(name)} has a length below 1, or a fraction; give whole numbers"
        )
    if declared is not None and len(declared) != len(shape):
        raise ModelFileError(
            f"the shape {text} for the input {shown(name)} has {len(shape)} axes, and the input has {len(declared)}"
        )
    return shape


def _opened(name: str, declared: Kind, filled: Taken, warn: Callable[[str], None]) -> Shape:
    if declared.other is not None:
        warn(f"the input {shown(name)} is no tensor; what is computed from it is not known")
        return None
    shape = filled.shape or declared.shape
    if shape is None:
        example = f"`input_shapes={{{name[:60]!r}: (1, 3, 224, 224)}}`"
        warn(f"the input {shown(name)} has no shape in the file; give one: {example}")
        return None
    shape = tuple(n if n > 0 else 1 if axis == 0 else -1 for axis, n in enumerate(shape))
    if -1 in shape:
        example = ", ".join(
            str(n) if n > 0 else {1: "3"}.get(axis, "224") if len(shape) == 4 else "..." for axis, n in enumerate(shape)
        )
        axes = ", ".join(str(axis) for axis, n in enumerate(shape) if n < 0)
        several = shape.count(-1) > 1
        warn(
            f"the input {shown(name)} has {'axes' if several else 'an axis'} without a length (number {axes}, from 0); "
            f"give its shape: `input_shapes={{{name[:60]!r}: ({example})}}`"
        )
    elif declared.shape is None or any(a <= 0 < axis for axis, a in enumerate(declared.shape)):
        taken = "x".join(map(str, shape))
        example = f"`input_shapes={{{name[:60]!r}: ({', '.join(map(str, shape))})}}`"
        warn(
            f"{SIZE_TAKEN} how large the input {shown(name)} is, and it was taken for {taken}; "
            f"for another size give {' or '.join((*(f'`{_ARGUMENTS[size]}`' for size in filled.sizes), example))}"
        )
    return shape
