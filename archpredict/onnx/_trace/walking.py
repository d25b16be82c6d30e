"""The walk through a model, as far as the operators with bodies need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from archpredict.errors import ModelFileError
from archpredict.onnx._tensors.constants import Constants
from archpredict.onnx._tensors.ordering import called
from archpredict.onnx._tensors.scopes import Scope
from archpredict.onnx._tensors.shapes import Value
from archpredict.onnx._tensors.steps import Step

MOST_ROUNDS = 1_000_000_000


class Walker(Protocol):
    """The walk through a model, as far as control flow needs it."""

    steps: list[Step]
    constants: Constants
    nodes: int
    expanded: int

    def warn(self, text: str) -> None: ...
    def walk(self, nodes: Sequence[Any], scope: Scope) -> None: ...
    def results(self, outputs: Sequence[Any], scope: Scope, where: str) -> list[Value]: ...
    def bind(self, node: Any, values: Sequence[Value], scope: Scope) -> None: ...


Inputs = Sequence[Value | None]


def body_of(node: Any, name: str) -> Any:
    found = next((a.g for a in node.attribute if a.name == name and a.HasField("g")), None)
    if found is None:
        raise ModelFileError(f"{called(node)} has no {name}; export the model again")
    return found


def run_body(walker: Walker, node: Any, body: Any, values: Mapping[str, Value], scope: Scope) -> list[Value]:
    """Walk through a body, and what it writes."""
    inner = Scope(scope.opsets, outer=scope, arguments=scope.arguments, depth=scope.depth + 1)
    inner.values.update(walker.constants.of_graph(body))
    inner.values.update(values)
    walker.walk(body.node, inner)
    return walker.results(body.output, inner, called(node))


def repeat(steps: Sequence[Step], rounds: int) -> None:
    """Let steps count as often as a loop around them runs."""
    for step in steps:
        step.times = min(step.times * rounds, MOST_ROUNDS)


Control = Callable[[Walker, Any, Inputs, Scope], None]
"""Walks through an operator with bodies, or one on sequences, and binds its outputs."""
