"""How often a loop runs: a limit, or a condition that counters decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archpredict.onnx._file.protos import attributes_of, decoded, plain_domain
from archpredict.onnx._tensors.scopes import Scope
from archpredict.onnx._trace.walking import MOST_ROUNDS, Inputs
from archpredict.onnx.folding import fold

_NO_LIMIT = (1 << 31) - 1
"""The least number that exporters write where nothing limits the rounds."""
_MOST_EVALUATED = 8192
"""Operators that are evaluated to find out after how many rounds a condition ends a loop."""
_LARGEST = 64
"""Elements of what such an operator reads."""

Arrays = dict[str, Any]


def most_rounds(inputs: Inputs) -> int | None:
    """How often a loop runs at most, None where nothing is known to limit it."""
    limit, condition = (value.tensor if value is not None else None for value in (*inputs[:2], None, None)[:2])
    if condition is not None and condition.data is not None and condition.data.size == 1 and not condition.data.any():
        return 0
    most = None if limit is None else limit.whole
    return None if most is None or most >= _NO_LIMIT else min(max(0, most), MOST_ROUNDS)


def counted_rounds(body: Any, inputs: Inputs, scope: Scope, most: int | None) -> int | None:
    """After how many rounds a loop ends that counters, constants and shapes alone end; None where data do.

    Args:
        body: The loop's, whose first output says whether it goes on.
        inputs: The loop's.
        scope: In which it stands.
        most: Rounds after which it ends in any case.
    """
    names = [value.name for value in body.input]
    outputs = [value.name for value in body.output]
    if len(names) < 2 or not outputs:
        return None
    carried = dict(zip(names[2:], outputs[1:], strict=False))
    nodes, read = _behind_condition(body, outputs[0], carried)
    if nodes is None:
        return None
    states = {n: v.tensor.data for n, v in zip(names[2:], inputs[2:], strict=False) if v is not None and n in read}
    fixed = _constants(body, scope, read - set(names))
    if any(a is None or a.size > _LARGEST for a in (*states.values(), *fixed.values())):
        return None
    left = _MOST_EVALUATED
    for rounds in range(most if most is not None else _MOST_EVALUATED):
        left -= 1 + len(nodes)
        given = {**fixed, **states, names[0]: np.array(rounds), names[1]: np.array(True)}
        known = _evaluated(nodes, given) if left > 0 else None
        condition = None if known is None else known.get(outputs[0])
        if known is None or condition is None or condition.size != 1:
            return None
        if not condition.any():
            return rounds + 1
        if names[0] not in read and not states:  # it says the same in every round
            return most
        states = {name: known.get(carried.get(name, "")) for name in states}
        if any(array is None for array in states.values()):
            return None
    return most


def _behind_condition(body: Any, condition: str, carried: dict[str, str]) -> tuple[list[Any] | None, set[str]]:
    """The operators that a condition depends on, in this or an earlier round, and the names that they read."""
    writers = {name: node for node in body.node for name in node.output if name}
    read: set[str] = set()
    nodes: set[int] = set()
    stack = [condition]
    while stack:
        name = stack.pop()
        if name in read or not name:
            continue
        read.add(name)
        if name in carried:
            stack.append(carried[name])
        node = writers.get(name)
        if node is None:
            continue
        if len(nodes) > _LARGEST or plain_domain(node.domain) or any(a.HasField("g") for a in node.attribute):
            return None, read
        nodes.add(id(node))
        stack += node.input
    written = {name for node in body.node for name in node.output}
    return [node for node in body.node if id(node) in nodes], read - written


def _constants(body: Any, scope: Scope, names: set[str]) -> Arrays:
    """What is known of names that a body reads: of its own, and of what stands around it."""
    stored = {tensor.name: tensor for tensor in body.initializer if tensor.name in names}
    found: Arrays = {}
    for name in names:
        outer = None if name in stored else scope.find(name)
        try:
            found[name] = decoded(stored[name]) if name in stored else outer and outer.tensor.data
        except ValueError:
            found[name] = None
    return found


def _evaluated(nodes: Sequence[Any], known: Arrays) -> Arrays | None:
    """All that operators write, None where something is not known."""
    arrays: Sequence[Any]
    for node in nodes:
        try:
            attributes = attributes_of(node)
        except ValueError:
            return None
        if node.op_type == "Identity" and node.input:
            arrays = [known.get(node.input[0])]
        elif node.op_type == "Constant":
            arrays = [_written(node)]
        else:
            arrays = fold(node.op_type, [known.get(n) for n in node.input], attributes, len(node.output), 0) or []
        if not arrays or any(a is None or a.size > _LARGEST for a in arrays):
            return None
        known.update(zip(node.output, arrays, strict=False))
    return known


def _written(node: Any) -> Any:
    """What a Constant writes, None where that is no array of numbers."""
    for attribute in node.attribute:
        if attribute.name == "value":
            try:
                return decoded(attribute.t)
            except ValueError:
                return None
        if attribute.name in ("value_int", "value_ints"):
            return np.asarray(attributes_of(node).get(attribute.name, ()), np.int64)
        if attribute.name in ("value_float", "value_floats"):
            return np.asarray(attributes_of(node).get(attribute.name, ()), np.float32)
    return None
