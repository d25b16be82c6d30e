"""Rules for pools, and for what moves, cuts and joins tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archpredict.onnx._tensors.steps import Step
from archpredict.onnx._translate.nodes import RESHAPE, SAME, TRANSPOSE, Node, size
from archpredict.onnx._translate.translation import Rule, Translation, argument, dims, given, integers, shape_of, text


def pool(label: str) -> Rule:
    """``max_pool`` or ``avg_pool``, global where the window is all that there is."""

    def rule(self: Translation, step: Step) -> Node:
        node = Node(label, self.data(step)[:1], shape_of(step))
        node.kernel = integers(step.attributes.get("kernel_shape", ()))
        axes = len(node.kernel)
        node.stride = integers(step.attributes.get("strides", (1,) * axes))
        node.dilation = integers(step.attributes.get("dilations", (1,) * axes))
        pad(node, step, axes)
        node.counts_padding = any(node.padding) and bool(step.attributes.get("count_include_pad", 0))
        if node.kernel and dims(step.inputs[0])[2:] == node.kernel and not any(node.padding):
            return Node(f"global_{label}", node.inputs, node.shape)
        return node

    return rule


def pad(node: Node, step: Step, axes: int) -> None:
    """Set the padding of a convolution or pool, from its attributes."""
    pads = integers(step.attributes.get("pads", (0,) * (2 * axes)))
    auto, turned = text(step, "auto_pad", "NOTSET"), node.label == "conv_transpose"
    if auto not in ("NOTSET", "VALID") or (turned and "output_shape" in step.attributes):
        ends = dims(given(step, 0))[2:], (node.shape or ())[2:]
        before, after = ends[::-1] if turned else ends  # what a transposed convolution makes is read by its own twin
        more = integers(step.attributes.get("output_padding", (0,) * axes)) if turned else (0,) * axes
        lengths = (before, after, node.kernel, node.stride, node.dilation, more)
        if {len(numbers) for numbers in lengths} == {axes} and min((*before, *after), default=-1) >= 0:
            spans = [max(0, (o - 1) * s + d * (k - 1) + 1 + p - i) for i, o, k, s, d, p in zip(*lengths, strict=True)]
            upper = auto.endswith("UPPER") if turned else not auto.endswith("LOWER")
            first = [n // 2 if upper else (n + 1) // 2 for n in spans]
            pads = (*first, *(n - f for n, f in zip(spans, first, strict=True)))
    node.padding = _columns(pads[:axes], pads[axes : 2 * axes])


def _columns(begin: Sequence[int], end: Sequence[int]) -> tuple[int, ...]:
    """Padding of up to three axes in the columns of :data:`archpredict.graph.operators.COLUMNS`."""
    return tuple((*begin, 0, 0, 0)[:3]) + tuple((*end, 0, 0, 0)[:3])


def padding(self: Translation, step: Step) -> Node:
    """Values around a tensor; ``axes`` tells how many if they are zeros around places."""
    pads = integers(argument(step, "pads", 1))
    node = Node("pad", self.data(step)[:1], shape_of(step))
    half = len(pads) // 2
    if pads and not any(pads):
        node.label = RESHAPE
    elif half > 2 and given(step, 3) is None:
        zeros = text(step, "mode", "constant") == "constant" and not np.any(argument(step, "value", 2, 0.0))
        node.axes = (*pads[:half], *pads[half:]) if zeros else None
        node.padding = _columns(pads[2:half], pads[half + 2 :])
    return node


def cut(self: Translation, step: Step) -> Node:
    """A slice, unless it takes everything."""
    node = Node("slice", self.data(step)[:1], shape_of(step))
    if node.inputs and size(node.shape) >= 0 and node.shape == node.inputs[0].shape:
        node.label = RESHAPE
    elif node.inputs:
        node.start = _first_places(step)
    return node


def _first_places(step: Step) -> tuple[int, ...]:
    """Where a slice without steps begins on each axis; -1 where that is not known or places are left out."""
    lengths = dims(step.inputs[0])
    starts, steps = integers(argument(step, "starts", 1)), integers(argument(step, "steps", 4))
    axes = integers(argument(step, "axes", 3, range(len(starts))))
    if not starts or len(axes) != len(starts) or any(n != 1 for n in steps):
        return (-1,)
    places = [0] * len(lengths)
    for axis, start in zip(axes, starts, strict=True):
        if not -len(lengths) <= axis < len(lengths) or lengths[axis] < 0:
            return (-1,)
        places[axis] = max(0, start + lengths[axis]) if start < 0 else min(start, lengths[axis])
    return tuple(places)


def split(self: Translation, step: Step) -> Node:
    """One slice for each part."""
    source = self.data(step)[:1]
    axis, place = int(step.attributes.get("axis", 0)), 0
    starts: list[tuple[int, ...]] = []
    for tensor in step.outputs:
        shape = dims(tensor)
        known = place >= 0 and -len(shape) <= axis < len(shape) and shape[axis] >= 0
        starts.append(tuple(place if i == axis % len(shape) else 0 for i in range(len(shape))) if known else (-1,))
        place = place + shape[axis] if known else -1
    parts = [
        Node("slice", list(source), tensor.shape, start=start)
        for tensor, start in zip(step.outputs, starts, strict=True)
        if tensor is not None
    ]
    for part, tensor in zip(parts, (t for t in step.outputs if t is not None), strict=True):
        self.add(part, tensor)
    return parts[0] if parts else Node("slice", source)


def reshape(self: Translation, step: Step) -> Node:
    """The same elements in the same order."""
    return Node(RESHAPE, self.data(step)[:1], shape_of(step)) if self.data(step) else self.plain(step, "parameter")


def expand(self: Translation, step: Step) -> Node:
    """Repeated along axes of length 1."""
    node = reshape(self, step)
    if node.inputs and len(dims(step.inputs[0])) == node.rank:
        node.function = SAME
    return node


_MOST_COPIES = 16
"""Edges from what is copied to its copies, which say no more where there are more."""


def tile(self: Translation, step: Step) -> Node:
    """Copies: side by side, or of axes of length 1, which is what operators on two tensors do by themselves."""
    lengths, repeats = dims(given(step, 0)), integers(argument(step, "repeats", 1))
    if not self.data(step):
        return self.plain(step, "parameter")
    if len(repeats) != len(lengths):
        return Node("concat", self.data(step)[:1], shape_of(step))
    copied = [axis for axis, n in enumerate(repeats) if n > 1 and lengths[axis] != 1]
    if not copied:
        return expand(self, step)
    source, shape = self.data(step)[0], list(lengths)
    for axis in copied:
        shape[axis] = shape[axis] * repeats[axis] if shape[axis] > 0 else shape[axis]
        last = axis == copied[-1]
        several = Node("concat", [source] * min(repeats[axis], _MOST_COPIES), shape_of(step) if last else tuple(shape))
        source = several if last else self.add(several)
    return source


def transpose(self: Translation, step: Step) -> Node:
    """Axes in another order."""
    rank = len(dims(step.inputs[0]))
    order = integers(step.attributes.get("perm", tuple(range(rank))[::-1]))
    return Node(TRANSPOSE, self.data(step)[:1], shape_of(step), axes=order)


def concat(self: Translation, step: Step) -> Node:
    """Tensors side by side, those that are parameters included."""
    given = [t for t in step.inputs if t is not None]
    inputs = [self.node(t) for t in given if t.dtype == 1 or not t.constant or any(p.stored for p in t.parameters)]
    return Node("concat", inputs, shape_of(step))
