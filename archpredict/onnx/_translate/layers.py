"""Rules for layers with weights and for norms."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from archpredict.onnx._tensors.einsum import Contraction, contraction
from archpredict.onnx._tensors.steps import Step, Tensor
from archpredict.onnx._translate.nodes import TRANSPOSE, Node, size
from archpredict.onnx._translate.spatial import pad
from archpredict.onnx._translate.translation import Rule, Translation, dims, given, integers, shape_of, text


def convolution(label: str) -> Rule:
    """``conv`` or ``conv_transpose``."""

    def rule(self: Translation, step: Step) -> Node:
        weight, groups = dims(given(step, 1)), max(1, int(step.attributes.get("group", 1)))
        axes = max(1, len(weight) - 2)
        macs = None
        if label == "conv_transpose" and len(weight) > 1:
            source = given(step, 0)
            macs = float(max(0, size(None if source is None else source.shape)) * max(0, prod(weight[1:])))
            weight = (weight[1] * groups, weight[0] // groups, *weight[2:])  # output channels first
        node = self.plain(step, label, weight=weight, bias=given(step, 2) is not None, kernel=weight[2:], macs=macs)
        node.stride = integers(step.attributes.get("strides", (1,) * axes))
        node.dilation = integers(step.attributes.get("dilations", (1,) * axes))
        node.groups = groups
        node.params = _none_if_computed(given(step, 1))
        pad(node, step, axes)
        return node

    return rule


def deformable(self: Translation, step: Step) -> Node:
    """A convolution that reads where offsets say, times masks; to find the numbers between places counts as nothing."""
    source, weight, offsets, bias, masks = (given(step, i) for i in range(5))
    plain = Step(step.op, step.domain, step.attributes, [source, weight, bias], step.outputs)
    node = convolution("conv")(self, plain)
    node.inputs += [self.node(t) for t in (offsets, masks) if t is not None and not t.constant]
    return node


def _none_if_computed(weight: Tensor | None) -> float | None:
    """No parameters, where a weight is computed from data."""
    return 0.0 if weight is not None and not weight.constant else None


def gemm(self: Translation, step: Step) -> Node:
    """A matrix times a matrix, plus a bias."""
    weight = given(step, 1)
    if weight is None or not weight.constant:
        return self.plain(step, "matmul", macs=_matmul_macs(step))
    rows = _turned(step, "transB", dims(weight))[::-1]
    return self.plain(step, "linear", weight=rows, bias=given(step, 2) is not None)


def matmul(self: Translation, step: Step) -> Node:
    """A linear layer if one side is a constant, from the left as well as from the right."""
    first, second = given(step, 0), given(step, 1)
    if second is not None and second.constant and len(dims(second)) >= 2:
        shape = dims(second)
        weight = (shape[-1], shape[-2], *shape[:-2])
        return self.plain(step, "linear", weight=weight, macs=_over(weight, shape_of(step)))
    if first is not None and first.constant and len(dims(first)) >= 2:
        shape = dims(first)
        return self.plain(step, "linear", weight=(shape[-2], shape[-1], *shape[:-2]), macs=_matmul_macs(step))
    return self.plain(step, "matmul", macs=_matmul_macs(step))


def _turned(step: Step, attribute: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a matrix as it is multiplied: its last two axes exchanged where an attribute says so."""
    if len(shape) < 2 or not step.attributes.get(attribute, 0):
        return shape
    return (*shape[:-2], shape[-1], shape[-2])


def _over(weight: Sequence[int], shape: tuple[int, ...] | None) -> float:
    return float(max(0, size(shape)) * max(0, weight[1]))


def _matmul_macs(step: Step) -> float:
    first = _turned(step, "transA", dims(given(step, 0)))
    return float(max(0, size(shape_of(step))) * max(0, first[-1])) if first else 0.0


def einsum(self: Translation, step: Step) -> Node:
    """One multiply-add for every combination of indices, as if written as one loop."""
    read = contraction(text(step, "equation"), [None if t is None else t.shape for t in step.inputs])
    if len(step.inputs) == 1:
        return _rearranged(self, step, read)
    macs = float(read.combinations) if read is not None else 0.0
    weights = [t for t in step.inputs if t is not None and t.constant]
    if not weights:
        return self.plain(step, "matmul", macs=macs)
    return self.plain(step, "linear", weight=dims(weights[0])[::-1], macs=macs)


def _rearranged(self: Translation, step: Step, read: Contraction | None) -> Node:
    """Einsum of one tensor: axes in another order, sums over some of them, or the diagonal."""
    before, after = (read.operands[0], read.output) if read is not None else ((), ())
    if read is None or len({*before}) < len(before):
        return self.plain(step, "reduce")
    gone = tuple(i for i, index in enumerate(before) if index not in after)
    order = tuple([index for index in before if index in after].index(index) for index in after)
    source = self.data(step)
    if gone:
        kept = tuple(n for i, n in enumerate(dims(step.inputs[0])) if i not in gone)
        source = [self.add(Node("reduce_sum", source, kept, axes=gone))]
    return Node(TRANSPOSE, source, shape_of(step), axes=order)


def recurrent(self: Translation, step: Step) -> Node:
    """LSTM, GRU, RNN: every weight once for each step of each sequence."""
    weights = [t for t in step.inputs[1:4] if t is not None and t.constant]
    each = sum(max(0, size(t.shape)) for t in weights[:2])
    node = self.plain(
        step,
        "recurrent",
        weight=dims(given(step, 1))[1:],
        macs=float(each * max(0, prod(dims(step.inputs[0])[:2]))),
    )
    peepholes = [t for t in step.inputs[7:8] if t is not None and t.constant]
    node.constants = [*weights, *peepholes, *(t for t in step.inputs[5:7] if t is not None and _is_learnt_state(t))]
    return node


def _is_learnt_state(tensor: Tensor) -> bool:
    """Whether a state before the first step is a parameter: exporters store the zeros that most layers begin with."""
    return tensor.constant and tensor.data is not None and bool(np.any(tensor.data))


def linear_attention(self: Translation, step: Step) -> Node:
    """Attention without a softmax: keys times values into a state per head, and queries times states."""
    heads = [max(1, int(step.attributes.get(name, 1))) for name in ("q_num_heads", "kv_num_heads")]
    node = self.plain(step, "attention", groups=heads[0])
    shapes = [dims(given(step, i)) for i in (1, 2)]
    if all(len(shape) == 3 and min(shape) >= 0 for shape in shapes):
        (batch, tokens, width), (_, _, depth) = shapes
        corrected = text(step, "update_rule", "gated_delta").endswith("delta")  # by what the state says of a key
        states = (2 if corrected else 1) * heads[1] + heads[0]
        node.macs = float(batch * tokens * states * (width // heads[1]) * (depth // heads[1]))
    return node


def gather(self: Translation, step: Step) -> Node:
    """An embedding if the table is a constant; a slice if the place is."""
    table, index = given(step, 0), given(step, 1)
    if table is not None and table.constant:
        return self.plain(step, "embedding", weight=dims(table)[::-1])
    if index is None or not index.constant:
        return self.plain(step, "gather")
    return Node("slice", self.data(step), shape_of(step), start=_taken(step))


def _taken(step: Step) -> tuple[int, ...]:
    """The place that a gather with one constant index takes, on each axis; -1 where it takes others."""
    lengths, index = dims(given(step, 0)), given(step, 1)
    axis = int(step.attributes.get("axis", 0))
    values = integers(None if index is None else index.data)
    if len(values) != 1 or not -len(lengths) <= axis < len(lengths) or lengths[axis] < 0:
        return (-1,)
    place = values[0] + lengths[axis] if values[0] < 0 else values[0]
    return tuple(place if i == axis % len(lengths) else 0 for i in range(len(lengths)))


_MAY_LACK_SCALE = ("layer_norm", "rms_norm", "instance_norm", "group_norm")
"""Exporters write ones and zeros where a network's norm has no scale and shift."""


def _is_number(tensor: Tensor | None, number: float) -> bool:
    """Whether a tensor that is no parameter is full of one number."""
    if tensor is None or tensor.data is None or any(t.stored for t in tensor.parameters):
        return False
    return bool((np.asarray(tensor.data) == number).all())


def norm(label: str) -> Rule:
    """A norm whose scale is its second input, and whose shift its third."""

    def rule(self: Translation, step: Step) -> Node:
        scale, shift = given(step, 1), given(step, 2)
        if label in _MAY_LACK_SCALE and _is_number(scale, 1.0) and (shift is None or _is_number(shift, 0.0)):
            step, scale, shift = Step(step.op, step.domain, step.attributes, step.inputs[:1], step.outputs), None, None
        node = self.plain(step, label, weight=dims(scale), bias=shift is not None and label != "rms_norm")
        node.groups = int(step.attributes.get("num_groups", step.attributes.get("groups", 0)))
        if label in ("layer_norm", "rms_norm"):
            axis, rank = int(step.attributes.get("axis", -1)), len(dims(step.inputs[0]))
            node.axes = tuple(range(axis if axis < 0 else axis - rank, 0))
        return node

    return rule
