"""Sequences of tensors, and values that may be left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archpredict.onnx._file.protos import Shape
from archpredict.onnx._tensors.ordering import called
from archpredict.onnx._tensors.scopes import Scope
from archpredict.onnx._tensors.shapes import Value
from archpredict.onnx._tensors.steps import Step, Tensor
from archpredict.onnx._trace.walking import Control, Inputs, Walker, body_of, repeat, run_body

_INTEGER, _BOOL = 7, 9


def _place(values: Inputs, index: int, default: int) -> int | None:
    """An index into a sequence, None where it is not known."""
    value = values[index] if index < len(values) else None
    if value is None:
        return default
    return value.tensor.whole


def _items(inputs: Inputs) -> tuple[Value, ...] | None:
    return inputs[0].items if inputs and inputs[0] is not None else None


def _sequence(node: Any, items: tuple[Value, ...] | None, inputs: Inputs) -> Value:
    """A sequence; of one that is not known all tensors in it, for what is computed from it."""
    if items is not None:
        return Value(Tensor(node.output[0], None, constant=all(v.tensor.constant for v in items)), 0, items=items)
    first = next((value for value in inputs if value is not None and not value.tensor.constant), None)
    return Value(Tensor(node.output[0], None) if first is None else first.tensor, 0)


def _constructed(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    walker.bind(node, [_sequence(node, tuple(v for v in inputs if v is not None), inputs)], scope)


def _inserted(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    items, place = _items(inputs), _place(inputs, 2, -1 if _items(inputs) is None else len(_items(inputs) or ()))
    new = inputs[1] if len(inputs) > 1 else None
    if items is not None and new is not None and place is not None:
        items = (*items[:place], new, *items[place:])
    walker.bind(node, [_sequence(node, items if place is not None else None, inputs)], scope)


def _erased(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    items, place = _items(inputs), _place(inputs, 1, -1)
    if items and place is not None and -len(items) <= place < len(items):
        items = tuple(v for i, v in enumerate(items) if i != place % len(items))
    walker.bind(node, [_sequence(node, items, inputs)], scope)


def _taken(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    items, place = _items(inputs), _place(inputs, 1, 0)
    if items and place is not None and -len(items) <= place < len(items):
        walker.bind(node, [items[place]], scope)
        return
    shapes = {v.tensor.shape for v in items or ()}
    if len(shapes) != 1 or any(v.tensor.parameters for v in items or ()):
        walker.warn(f"data decide what {called(node)} takes from a sequence; the first of it counts")
    if items:
        value = items[0]
        walker.bind(node, [value if len(shapes) == 1 else Value(value.tensor, value.dtype)], scope)
        return
    walker.bind(node, [_whole(walker, node, inputs)], scope)


def _whole(walker: Walker, node: Any, inputs: Inputs) -> Value:
    """Something of a sequence that is not known: a step of unknown shape that reads it."""
    read = [value.tensor for value in inputs if value is not None]
    tensor = Tensor(node.output[0] if node.output else "", None, 1)
    walker.steps.append(Step(node.op_type, "", {}, list(read), [tensor]))
    return Value(tensor, 1)


def _length(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    items = _items(inputs)
    data = None if items is None else np.array(len(items))
    walker.bind(node, [Value(Tensor(node.output[0], (), _INTEGER, constant=True, data=data), _INTEGER)], scope)


def _split(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    """A sequence of parts, where their number is known."""
    attributes = {a.name: a.i for a in node.attribute}
    first, axis = inputs[0] if inputs else None, attributes.get("axis", 0)
    shape = first.tensor.shape if first is not None else None
    if first is None or shape is None or not -len(shape) <= axis < len(shape) or shape[axis] < 0:
        walker.bind(node, [_sequence(node, None, inputs)], scope)
        return
    lengths = _lengths(inputs, shape[axis])
    if lengths is None or len(lengths) > 4096:
        walker.bind(node, [_sequence(node, None, inputs)], scope)
        return
    drops = len(inputs) < 2 and attributes.get("keepdims", 1) == 0
    parts = []
    for i, length in enumerate(lengths):
        own = [n if j != axis % len(shape) else length for j, n in enumerate(shape)]
        if drops:
            del own[axis % len(shape)]
        parts.append(Tensor(f"{node.output[0]} {i}", tuple(own), first.tensor.dtype, first.tensor.constant))
        parts[-1].parameters = first.tensor.parameters
    if not first.tensor.constant:
        walker.steps.append(Step("Split", "", {"axis": axis}, [first.tensor], list(parts)))
    items = tuple(Value(part, first.dtype) for part in parts)
    walker.bind(node, [_sequence(node, items, inputs)], scope)


def _lengths(inputs: Inputs, whole: int) -> list[int] | None:
    """Lengths of the parts of a split, None where they are not known."""
    given = inputs[1] if len(inputs) > 1 else None
    if given is None:
        return [1] * min(whole, 5000)
    data, step = given.tensor.data, given.tensor.whole
    if data is None or not np.isfinite(data).all():
        return None
    if data.ndim:
        return [int(n) for n in data.ravel()]
    return (
        None
        if step is None or step < 1 or whole // step > 5000
        else [min(step, whole - i) for i in range(0, whole, step)]
    )


def _joined(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    """The tensors of a sequence side by side."""
    items = _items(inputs)
    attributes = {a.name: a.i for a in node.attribute}
    axis, shapes = attributes.get("axis", 0), [v.tensor.shape for v in items or ()]
    if not items or any(s is None or len(s) != len(shapes[0] or ()) for s in shapes):
        walker.bind(node, [_whole(walker, node, inputs)], scope)
        return
    known = [s for s in shapes if s is not None]
    if attributes.get("new_axis", 0):
        place = axis % (len(known[0]) + 1)
        shape: Shape = (*known[0][:place], len(known), *known[0][place:])
    else:
        place = axis % max(1, len(known[0]))
        total = -1 if min(s[place] for s in known) < 0 else sum(s[place] for s in known)
        shape = tuple(total if i == place else n for i, n in enumerate(known[0]))
    tensor = Tensor(node.output[0], shape, items[0].tensor.dtype)
    walker.steps.append(Step("Concat", "", {"axis": axis}, [v.tensor for v in items], [tensor]))
    walker.bind(node, [Value(tensor, items[0].dtype)], scope)


def _mapped(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    """A body for every item of a sequence."""
    body, items = body_of(node, "body"), _items(inputs)
    names = [value.name for value in body.input]
    start = len(walker.steps)
    if items:
        firsts = [v.items[0] if v is not None and v.items else v for v in inputs]
    else:
        walker.warn(f"data decide how many items {called(node)} works on; it counts as one")
        firsts = [_whole(walker, node, [v]) if v is not None and i == 0 else v for i, v in enumerate(inputs)]
    values = {name: value for name, value in zip(names, firsts, strict=False) if value is not None}
    results = run_body(walker, node, body, values, scope)
    repeat(walker.steps[start:], len(items) if items else 1)
    several = [_sequence(node, (value,) * len(items), inputs) if items else value for value in results]
    walker.bind(node, several, scope)


def _optional(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    """An optional value is the value."""
    first = inputs[0] if inputs else None
    walker.bind(node, [first or Value(Tensor(node.output[0], None, constant=True), 0)], scope)


def _has_element(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    data = np.array(bool(inputs) and inputs[0] is not None)
    walker.bind(node, [Value(Tensor(node.output[0], (), _BOOL, constant=True, data=data), _BOOL)], scope)


SEQUENCES: Mapping[str, Control] = {
    "SequenceMap": _mapped,
    "SequenceConstruct": _constructed,
    "SequenceEmpty": _constructed,
    "SequenceInsert": _inserted,
    "SequenceErase": _erased,
    "SequenceAt": _taken,
    "SequenceLength": _length,
    "SplitToSequence": _split,
    "ConcatFromSequence": _joined,
    **dict.fromkeys(("Optional", "OptionalGetElement"), _optional),
    "OptionalHasElement": _has_element,
}
"""By name."""
