"""Branches and loops: bodies are walked through where they run, once, and a loop multiplies what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from archpredict.errors import ModelFileError
from archpredict.onnx._file.protos import Shape
from archpredict.onnx._trace.ordering import called
from archpredict.onnx._trace.scopes import Scope
from archpredict.onnx._trace.sequences import SEQUENCES
from archpredict.onnx._trace.shapes import Value
from archpredict.onnx._trace.steps import Step, Tensor
from archpredict.onnx._trace.walking import MOST_ROUNDS, Control, Inputs, Walker, body_of, repeat, run_body

_INTEGER, _BOOL = 7, 9


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
    names = [value.name for value in body.input]
    states = [value for value in inputs[2:] if value is not None]
    rounds = _rounds(inputs)
    if rounds == 0:
        empty = [Value(Tensor(name, None, constant=True), 1) for name in node.output[len(states) :]]
        walker.bind(node, [*states, *empty], scope)
        return
    carried = [_varying(walker, value) for value in states]
    start = len(walker.steps)
    count = Value(Tensor("iteration", (), _INTEGER, constant=True), _INTEGER)
    go_on = Value(Tensor("condition", (), _BOOL, constant=True, data=np.array(True)), _BOOL)
    results = run_body(walker, node, body, dict(zip(names, (count, go_on, *carried), strict=False)), scope)
    repeat(walker.steps[start:], rounds or 1)
    if rounds is None:
        walker.warn(f"data decide how often {called(node)} runs; it counts as one round")
    elif not _goes_on(results):
        walker.warn(f"data decide whether {called(node)} ends before its {rounds} rounds; all of them count")
    last = [_grown(before, after, rounds) for before, after in zip(states, results[1:], strict=False)]
    stacked = [_stacked(walker, value, rounds) for value in results[1 + len(states) :]]
    walker.bind(node, [*last, *stacked], scope)


def _goes_on(results: Sequence[Value]) -> bool:
    """Whether a body's first output, which says so, is always true."""
    data = results[0].tensor.data if results else None
    return data is not None and data.size == 1 and bool(data.reshape(()))


def _rounds(inputs: Inputs) -> int | None:
    """How often a loop runs at most, None where data decide that."""
    limit, condition = (value.tensor if value is not None else None for value in (*inputs[:2], None, None)[:2])
    if (
        condition is not None
        and condition.data is not None
        and condition.data.size == 1
        and not condition.data.reshape(())
    ):
        return 0
    most = None if limit is None else limit.whole
    return None if most is None else min(max(0, most), MOST_ROUNDS)


def _varying(walker: Walker, value: Value) -> Value:
    """What is carried from round to round: a constant before the first one is none after it."""
    tensor = value.tensor
    if not tensor.constant or value.items is not None:
        return value
    if value.dtype in (_INTEGER, 6, _BOOL):  # a counter, which decides nothing about shapes
        return Value(Tensor(tensor.name, tensor.shape, tensor.dtype, constant=True), value.dtype)
    started = Tensor(tensor.name, tensor.shape, tensor.dtype)
    walker.steps.append(Step("Identity", "", {}, [tensor], [started]))
    return Value(started, value.dtype)


def _grown(before: Value, after: Value, rounds: int | None) -> Value:
    """The last state: as long as after one round, and longer by as much for each further one."""
    first, second = before.tensor.shape, after.tensor.shape
    if first is None or second is None or len(first) != len(second) or first == second or after.tensor.constant:
        return after
    after.tensor.shape = tuple(
        b if a == b else -1 if rounds is None or min(a, b) < 0 else max(0, a + rounds * (b - a))
        for a, b in zip(first, second, strict=True)
    )
    return after


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
    states, scanned = values[: len(values) - count], values[len(values) - count :]
    axes = _axes(given, "scan_input_axes", count)
    rounds, parts = MOST_ROUNDS, []
    for value, axis in zip(scanned, axes, strict=True):
        part, length = _part(walker, value, (0, 1) if batched else (axis,))
        parts.append(part)
        rounds = min(rounds, length)
    known = None if rounds < 0 or rounds == MOST_ROUNDS else rounds
    carried = [_part(walker, value, (0,))[0] if batched else _varying(walker, value) for value in states]
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
