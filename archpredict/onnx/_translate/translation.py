"""What the rules for ONNX's operators share: the nodes made so far, and how to read an operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from archpredict.onnx._tensors.steps import Step, Tensor
from archpredict.onnx._translate.nodes import Node, Shape


class Translation:
    """The nodes made so far, and which of them writes which tensor."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._made: dict[Tensor, Node] = {}

    def add(self, node: Node, *outputs: Tensor | None) -> Node:
        """One more node, which writes these tensors."""
        self.nodes.append(node)
        for tensor in outputs:
            if tensor is not None:
                self._made.setdefault(tensor, node)
        return node

    def node(self, tensor: Tensor) -> Node:
        """The node whose output a tensor is; a constant becomes a node ``parameter``."""
        if tensor not in self._made:
            self.add(Node("parameter", [], tensor.shape, constants=[tensor]), tensor)
        return self._made[tensor]

    def data(self, step: Step) -> list[Node]:
        """Nodes of the inputs that are no constants."""
        return [self.node(t) for t in step.inputs if t is not None and not t.constant]

    def plain(self, step: Step, label: str, **more: Any) -> Node:
        """A node with everything that the step reads: activations as inputs, the rest as constants."""
        constants = [t for t in step.inputs if t is not None and t.constant]
        return Node(label, self.data(step), shape_of(step), constants=constants, **more)


Rule = Callable[[Translation, Step], Node]
"""Makes the node that writes a step's outputs; what it needs before that node it adds itself."""


def shape_of(step: Step) -> Shape:
    """Shape of the first output."""
    return step.outputs[0].shape if step.outputs and step.outputs[0] is not None else None


def given(step: Step, index: int) -> Tensor | None:
    """An input, None where it is left out."""
    return step.inputs[index] if index < len(step.inputs) else None


def dims(tensor: Tensor | None) -> tuple[int, ...]:
    """A tensor's shape, empty where nothing is known of it."""
    return () if tensor is None or tensor.shape is None else tensor.shape


def argument(step: Step, name: str, index: int, default: Any = None) -> Any:
    """What older versions of an operator have as an attribute and newer ones as an input."""
    if name in step.attributes:
        return step.attributes[name]
    tensor = given(step, index)
    return default if tensor is None or tensor.data is None else tensor.data


def integers(values: Any) -> tuple[int, ...]:
    """Integers of an attribute or array, none for None, nor for what is no number."""
    array = np.asarray(() if values is None else values).reshape(-1)
    whole = array.dtype.kind in "biu" or (array.dtype.kind == "f" and bool(np.isfinite(array).all()))
    return tuple(int(v) for v in array) if whole else ()


def text(step: Step, name: str, default: str = "") -> str:
    """An attribute that is a word."""
    value = step.attributes.get(name, default)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def labelled(label: str) -> Rule:
    """A node that reads all that the step reads, and of which nothing but the label is of interest."""

    def rule(self: Translation, step: Step) -> Node:
        return self.plain(step, label)

    return rule


def one_input(label: str) -> Rule:
    """A node that reads one activation; numbers beside it (sizes, scales, indices) are of no interest."""

    def rule(self: Translation, step: Step) -> Node:
        return Node(label, self.data(step)[:1], shape_of(step))

    return rule
