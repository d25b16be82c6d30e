"""Branches and loops: bodies are walked through where they run, once, and a loop multiplies what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import prod
from typing import Any

import numpy as np

from archpredict.errors import ModelFileError
from archpredict.onnx._file.protos import Shape
from archpredict.onnx._tensors.ordering import called
from archpredict.onnx._tensors.scopes import Scope
from archpredict.onnx._tensors.shapes import Value
from archpredict.onnx._tensors.steps import Step, Tensor
from archpredict.onnx._trace.rounds import counted_rounds, most_rounds
from archpredict.onnx._trace.sequences import SEQUENCES
from archpredict.onnx._trace.walking import MOST_ROUNDS, Control, Inputs, Walker, body_of, repeat, run_body

_INTEGER, _BOOL = 7, 9
_MOST_ITEMS = 4096
"""Of a sequence that a loop fills."""
_LONGEST = 1 << 31
"""Axis of a state that grows."""


@dataclass
class _Outcome:
    """One branch, walked through."""

    name: str
    steps: list[Step]
    values: list[Value]

    @property
    def weights(self) -> list[Tensor]:
        """The constants that it reads."""
        read = dict.fromkeys(t for step in self.steps for t in step.inputs if t is not None and t.parameters)
        return [*read, *(v.tensor for v in self.values if v.tensor.parameters)]

    @property
    def size(self) -> tuple[float, int, int]:
        macs = sum(_rough_macs(step) * step.times for step in self.steps)
        return macs, sum(tensor.num_parameters for tensor in self.weights), len(self.steps)


def _rough_macs(step: Step) -> float:
    """Multiply-adds of the larger layers, near enough to tell which of two branches has more."""
    shapes = [
        t.shape if t is not None and t.shape is not None and min(t.shape, default=0) >= 0 else () for t in step.inputs
    ]
    out = step.outputs[0].shape if step.outputs and step.outputs[0] is not None else None
    if len(shapes) < 2 or not out or min(out) < 0 or not shapes[1]:
        return 0.0
    if step.op == "Conv":
        return float(prod(out) * prod(shapes[1][1:]))
    if step.op == "ConvTranspose":
        return float(prod(shapes[0]) * prod(shapes[1][1:]))
    if step.op in ("Gemm", "MatMul") and shapes[0]:
        return float(prod(out) * shapes[0][0 if step.attributes.get("transA") else -1])
    if step.op in ("LSTM", "GRU", "RNN") and len(shapes) > 2:
        return float(prod(shapes[0][:2]) * (prod(shapes[1]) + prod(shapes[2])))
    return 0.0


def _branch(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    """The branch that is taken, where that is known; else the larger one, and what there is to learn in the other."""
    condition = inputs[0].tensor if inputs and inputs[0] is not None else None
    if condition is not None and condition.data is not None and condition.data.size == 1:
        name = "then_branch" if condition.data.reshape(()) else "else_branch"
        walker.bind(node, run_body(walker, node, body_of(node, name), {}, scope), scope)
        return
    decides = [condition] if condition is not None and condition.learnt else []
    outcomes = []
    for name in ("then_branch", "else_branch"):
        start = len(walker.steps)
        values = run_body(walker, node, body_of(node, name), {}, scope)
        outcomes.append(_Outcome(name, walker.steps[start:], values))
        del walker.steps[start:]
    taken, other = sorted(outcomes, key=lambda outcome: outcome.size, reverse=True)
    walker.steps += taken.steps
    walker.warn(f"data decide which branch {called(node)} takes; the larger one counts, its {taken.name}")
    known = {*taken.weights}
    left = [tensor for tensor in other.weights if tensor not in known]
    values = taken.values
    if values and (left or decides):
        first = values[0]
        tensor = Tensor(first.tensor.name, first.tensor.shape, first.tensor.dtype)
        walker.steps.append(Step("If", "", {}, [first.tensor, *left, *decides], [tensor]))
        values = [Value(tensor, first.dtype, other=first.other), *values[1:]]
    walker.bind(node, values, scope)


# ---------------------------------------------------------------------- loops


def _loop(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    """The body once, times the number of rounds."""
    body = body_of(node, "body")
    states = [_begun(value) for value in inputs[2:] if value is not None]
    most = most_rounds(inputs)
    counted = None if most == 0 else counted_rounds(body, inputs, scope, most)
    rounds = most if counted is None else counted
    if rounds == 0:
        empty = [Value(Tensor(name, None, constant=True), 1) for name in node.output[len(states) :]]
        walker.bind(node, [*states, *empty], scope)
        return
    carried = [_varying(walker, value) for value in states]
    start = len(walker.steps)
    results = _round(walker, node, carried, rounds or 1, scope)
    repeat(walker.steps[start:], rounds or 1)
    if rounds is None:
        walker.warn(f"data decide how often {called(node)} runs; it counts as one round")
    elif counted is None and not _goes_on(results):
        walker.warn(f"data decide whether {called(node)} ends before its {rounds} rounds; all of them count")
    last = [_grown(before, after, rounds) for before, after in zip(states, results[1:], strict=False)]
    stacked = [_stacked(walker, value, rounds) for value in results[1 + len(states) :]]
    walker.bind(node, [*last, *stacked], scope)


def _round(walker: Walker, node: Any, states: Sequence[Value], rounds: int, scope: Scope) -> list[Value]:
    """What the first round writes; where states grow, its operators count as those of the round in the middle."""
    body = body_of(node, "body")
    names = [value.name for value in body.input]
    count = Value(Tensor("iteration", (), _INTEGER, constant=True), _INTEGER)
    go_on = Value(Tensor("condition", (), _BOOL, constant=True, data=np.array(True)), _BOOL)
    start, walked = len(walker.steps), walker.nodes
    results = run_body(walker, node, body, dict(zip(names, (count, go_on, *states), strict=False)), scope)
    halfway = [_halfway(before, after, rounds) for before, after in zip(states, results[1:], strict=False)]
    if not any(halfway):
        return results
    first, shapes = sum(map(_rough_macs, walker.steps[start:])), [value.tensor.shape for value in results]
    del walker.steps[start:]
    walker.expanded += walker.nodes - walked
    grown = [_reshaped(walker, v, shape) if shape else v for v, shape in zip_longest(states, halfway) if v is not None]
    start = len(walker.steps)
    results = run_body(walker, node, body, dict(zip(names, (count, go_on, *grown), strict=False)), scope)
    if sum(map(_rough_macs, walker.steps[start:])) != first:
        walker.warn(f"what {called(node)} works on grows; each of its {rounds} rounds counts as the one in the middle")
    for value, shape in zip(results, shapes, strict=True):
        value.tensor.shape = shape
    return results


def _halfway(before: Value, after: Value, rounds: int) -> Shape:
    """The shape of a state before the round in the middle, None where it stays as it is."""
    first, second = before.tensor.shape, after.tensor.shape
    if first is None or second is None or len(first) != len(second) or min((*first, *second), default=0) < 0:
        return None
    middle = tuple(max(0, a + (rounds - 1) * (b - a) // 2) for a, b in zip(first, second, strict=True))
    grows = middle != first and not after.tensor.constant and not before.tensor.constant
    return middle if grows and max(middle, default=0) <= _LONGEST else None


def _reshaped(walker: Walker, value: Value, shape: Shape) -> Value:
    """A tensor that came of another one without an operator that counts."""
    tensor = Tensor(value.tensor.name, shape, value.tensor.dtype)
    walker.steps.append(Step("Identity", "", {}, [value.tensor], [tensor]))
    return Value(tensor, value.dtype)


def _goes_on(results: Sequence[Value]) -> bool:
    """Whether a body's first output, which says so, is always true."""
    data = results[0].tensor.data if results else None
    return data is not None and data.size == 1 and bool(data.reshape(()))


def _begun(value: Value) -> Value:
    """A state before the first round: as of a recurrent layer, zeros are no parameters."""
    tensor = value.tensor
    if not tensor.parameters or tensor.data is None or tensor.data.any():
        return value
    return Value(Tensor(tensor.name, tensor.shape, tensor.dtype, constant=True, data=tensor.data), value.dtype)


def _varying(walker: Walker, value: Value) -> Value:
    """What is carried from round to round: a constant before the first one is none after it."""
    tensor = value.tensor
    if not tensor.constant or value.items is not None:
        return value
    if value.dtype in (_INTEGER, 6, _BOOL):  # a counter, which decides nothing about shapes
        return Value(Tensor(tensor.name, tensor.shape, tensor.dtype, constant=True), value.dtype)
    return _reshaped(walker, value, tensor.shape)


def _grown(before: Value, after: Value, rounds: int | None) -> Value:
    """The last state: as long as after one round, and longer by as much for each further one."""
    first, second = before.tensor.shape, after.tensor.shape
    if before.items is not None and after.items is not None:
        return _filled(before.items, after, rounds)
    if first is None or second is None or len(first) != len(second) or first == second or after.tensor.constant:
        return after
    after.tensor.shape = tuple(
        b if a == b else -1 if rounds is None or min(a, b) < 0 else min(max(0, a + rounds * (b - a)), _LONGEST)
        for a, b in zip(first, second, strict=True)
    )
    return after


def _filled(before: tuple[Value, ...], after: Value, rounds: int | None) -> Value:
    """The last sequence: with as many further items for each further round as after one."""
    items = after.items or ()
    new = len(items) - len(before)
    if new <= 0:
        return after
    if rounds is None or new * rounds > _MOST_ITEMS:
        return Value(items[-1].tensor, 0)
    return Value(after.tensor, 0, items=(*items, *(items[-1:] * (new * (rounds - 1)))))


def _stacked(walker: Walker, value: Value, rounds: int | None, axis: int = 0) -> Value:
    """What each round writes, side by side along an axis of their own."""
    shape = value.tensor.shape
    if shape is not None:
        place = axis % (len(shape) + 1)
        shape = (*shape[:place], -1 if rounds is None else rounds, *shape[place:])
    tensor = Tensor(value.tensor.name, shape, value.tensor.dtype)
    walker.steps.append(Step("Unsqueeze", "", {}, [value.tensor], [tensor]))
    return Value(tensor, value.dtype)


def _scan(walker: Walker, node: Any, inputs: Inputs, scope: Scope) -> None:
    """The body once, times the length of what is scanned."""
    body = body_of(node, "body")
    given = {a.name: a for a in node.attribute}
    count = given["num_scan_inputs"].i if "num_scan_inputs" in given else 0
    batched = scope.opsets.get("", 9) < 9  # of version 8: lengths first, and a batch in front of every axis
    values = [value for value in (inputs[1:] if batched else inputs) if value is not None]
    if not 0 < count <= len(values):
        raise ModelFileError(f"{called(node)} scans {count} of {len(values)} inputs; export the model again")
    states, scanned = [_begun(v) for v in values[: len(values) - count]], values[len(values) - count :]
    axes = _axes(given, "scan_input_axes", count)
    rounds, parts = MOST_ROUNDS, []
    for value, axis in zip(scanned, axes, strict=True):
        part, length = _part(walker, value, (0, 1) if batched else (axis,))
        parts.append(part)
        rounds = min(rounds, length)
    known = None if rounds < 0 or rounds == MOST_ROUNDS else rounds
    carried = [_varying(walker, _part(walker, value, (0,))[0] if batched else value) for value in states]
    start = len(walker.steps)
    names = [value.name for value in body.input]
    results = run_body(walker, node, body, dict(zip(names, (*carried, *parts), strict=False)), scope)
    repeat(walker.steps[start:], 1 if known is None else known)
    if known is None:
        walker.warn(f"how often {called(node)} runs depends on a length that is not known; it counts as one round")
    last = [_grown(before, after, known) for before, after in zip(carried, results, strict=False)]
    places = _axes(given, "scan_output_axes", len(results) - len(states))
    stacked = [_stacked(walker, value, known, axis) for value, axis in zip(results[len(states) :], places, strict=True)]
    if batched:
        batch = (states or scanned)[0].tensor.shape
        last, stacked = ([_stacked(walker, v, batch[0] if batch else None) for v in part] for part in (last, stacked))
    walker.bind(node, [*last, *stacked], scope)


def _axes(given: Mapping[str, Any], name: str, count: int) -> list[int]:
    values = list(given[name].ints)[:count] if name in given else []
    return values + [0] * (count - len(values))


def _part(walker: Walker, value: Value, axes: tuple[int, ...]) -> tuple[Value, int]:
    """What one round reads of a tensor, and the number of rounds, -1 where it is not known."""
    shape, tensor = value.tensor.shape, value.tensor
    inner: Shape = None
    rounds = -1
    if shape is not None and all(-len(shape) <= axis < len(shape) for axis in axes):
        gone = {axis % len(shape) for axis in axes}
        inner = tuple(n for i, n in enumerate(shape) if i not in gone)
        lengths = [shape[i] for i in gone]
        rounds = -1 if min(lengths) < 0 else min(prod(lengths), MOST_ROUNDS)
    part = Tensor(tensor.name, inner, tensor.dtype, tensor.constant, parameters=tensor.parameters)
    if not tensor.constant:
        place = Tensor("iteration", (), _INTEGER, constant=True)
        walker.steps.append(Step("Gather", "", {"axis": axes[-1]}, [tensor, place], [part]))
    return Value(part, value.dtype), rounds


CONTROL: Mapping[str, Control] = {"If": _branch, "Loop": _loop, "Scan": _scan, **SEQUENCES}
"""By name."""
