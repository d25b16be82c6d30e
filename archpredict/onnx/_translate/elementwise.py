"""Rules for functions of single elements, reductions and softmax."""

from __future__ import annotations

import numpy as np

from archpredict.onnx._tensors.steps import Step
from archpredict.onnx._translate.nodes import SAME, SCALAR, Node, size
from archpredict.onnx._translate.translation import Rule, Translation, argument, dims, integers, shape_of

_EPSILON = 1e-3
"""A lower bound above zero, but not above this, keeps a division from going wrong; it is no function."""

_LABELLED = ("relu", "sigmoid", "tanh", "softplus", "mish", "hard_swish", "gelu")
_KEPT = ("add", "sub", "mul", "div")
"""Functions of two tensors that have a label of their own; the others are ``elementwise``."""
_REDUCED = {"mean": "reduce_mean", "sum": "reduce_sum", "max": "reduce_max"}
"""Reductions that have a label of their own; the others are ``reduce``."""
_EVALUATED = ("mean", "sum", "max", "l2", "sum_square")
"""Reductions that functions spread over several operators are made of."""


def label_of(name: str) -> str:
    """The label of a function of single elements, or of one of two tensors."""
    return name if name in (*_LABELLED, *_KEPT) else "elementwise"


def label_of_reduction(name: str) -> str:
    """The label of a reduction."""
    return _REDUCED.get(name, "reduce")


def unary(name: str) -> Rule:
    """A function of single elements."""
    label = label_of(name)

    def rule(self: Translation, step: Step) -> Node:
        return self.plain(step, label, function=name)

    return rule


def with_numbers(label: str, *names: tuple[str, float]) -> Rule:
    """A function of single elements with numbers of its own: attributes, each with what it is where left out."""

    def rule(self: Translation, step: Step) -> Node:
        numbers = tuple(float(step.attributes.get(name, default)) for name, default in names)
        return self.plain(step, label, function=label, numbers=numbers)

    return rule


def only(label: str, *names: tuple[str, float]) -> Rule:
    """A function of single elements that has its label with these numbers alone, which are those where left out."""

    def rule(self: Translation, step: Step) -> Node:
        usual = all(abs(float(step.attributes.get(name, number)) - number) < _EPSILON for name, number in names)
        return self.plain(step, label, function=label) if usual else self.plain(step, "elementwise")

    return rule


def swish(usual: float) -> Rule:
    """``x * sigmoid(alpha * x)``: SiLU, the quick GELU, or neither, as alpha says."""

    def rule(self: Translation, step: Step) -> Node:
        alpha = float(step.attributes.get("alpha", usual))
        for label, number in (("silu", 1.0), ("quick_gelu", 1.702)):
            if abs(alpha - number) < _EPSILON:
                return self.plain(step, label, function=label)
        return self.plain(step, "elementwise")

    return rule


def clip(self: Translation, step: Step) -> Node:
    """Between two bounds, each of which may be left out."""
    bounds = [argument(step, name, i) for i, name in ((1, "min"), (2, "max"))]
    low, high = (None if b is None or not np.size(b) else float(np.ravel(b)[0]) for b in bounds)
    if low is not None and 0 < low < _EPSILON and high is None:
        return Node(SCALAR, self.data(step)[:1], shape_of(step), function=SAME)
    return Node("clip", self.data(step)[:1], shape_of(step), function="clip", numbers=(low, high))


def binary(name: str) -> Rule:
    """A function of two tensors; one of a tensor and a single number is ``~scalar``."""

    def rule(self: Translation, step: Step) -> Node:
        label = label_of(name)
        if len(step.inputs) != 2:
            return self.plain(step, label if len(step.inputs) > 1 else SCALAR)
        node = self.plain(step, label, function=name if len(self.data(step)) == 2 else "")
        lone = [t for t in node.constants if size(t.shape) == 1]
        if lone and len(node.inputs) == 1:
            node.label, node.constants = SCALAR, []
            numbers = tuple(t.scalar if t is not None and t.constant else None for t in step.inputs)
            known = next((number for number in numbers if number is not None), None)
            if name == "mul" and known == 0:  # nothing, written so that shapes fit, as exporters write x - x
                node.label, node.inputs = "sub", node.inputs * 2
            elif name == "maximum" and known is not None and 0 < known < _EPSILON:
                node.function = SAME
            elif known is not None:
                node.function, node.numbers = name, numbers
        elif len(node.inputs) == 1 and node.constants:
            node.weight = dims(node.constants[0])
        return node

    return rule


def reduction(name: str) -> Rule:
    """A reduction; the mean or maximum over all places is a global pool, wherever the channels are."""
    label = label_of_reduction(name)

    def rule(self: Translation, step: Step) -> Node:
        axes = argument(step, "axes", 1)
        rank = len(dims(step.inputs[0]))
        if not integers(axes) and step.attributes.get("noop_with_empty_axes"):
            return self.plain(step, SCALAR if label in _REDUCED.values() else "elementwise")
        over = integers(axes) if axes is not None else tuple(range(rank))
        node = self.plain(step, label, axes=tuple(sorted(a % rank if rank else a for a in over)))
        keeps = bool(step.attributes.get("keepdims", 1))
        node.constants, node.function = [], name if keeps and name in _EVALUATED else ""
        if name in ("mean", "max") and rank > 2 and over:
            channels_first = set(range(2, rank))
            channels_last = set(range(1, rank - 1))
            if set(node.axes or ()) in (channels_first, channels_last):
                node.label = "global_avg_pool" if name == "mean" else "global_max_pool"
        return node

    return rule


def softmax(self: Translation, step: Step) -> Node:
    """Over one axis."""
    return Node("softmax", self.data(step)[:1], shape_of(step), axes=(int(step.attributes.get("axis", -1)),))


def log_softmax(self: Translation, step: Step) -> Node:
    """A softmax and a logarithm."""
    return Node("elementwise", [self.add(softmax(self, step))], shape_of(step), function="log")
