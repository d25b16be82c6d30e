"""Shapes that are known in part: what lengths computed from shapes, some of them open, say about an output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from archpredict.onnx._file.protos import MAX_RANK, Kind, Shape
from archpredict.onnx._tensors.einsum import contraction
from archpredict.onnx._tensors.shapes import Value

_SHAPE_FROM = {"Reshape": 1, "Expand": 1, "ConstantOfShape": 0}
"""Which input of an operator has the lengths of its output."""


def refined(
    node: Any, inputs: Sequence[Value | None], attributes: Mapping[str, Any], kind: Kind, declared: Shape
) -> Kind:
    """What is known of an output, with what its lengths, known in part, and the file itself say of it.

    Args:
        node: The operator.
        inputs: What it reads.
        attributes: As Python values.
        kind: What ONNX's rules say.
        declared: The shape that the file states.
    """
    if node.op_type == "Einsum" and node.domain in ("", "ai.onnx"):
        shapes = [value.tensor.shape if value is not None else None for value in inputs]
        read = contraction(str(attributes.get("equation", "")), shapes)
        if read is not None:  # ONNX's own rule repeats no axes of length 1
            kind = Kind(read.shape, kind.dtype, kind.other)
    shape = kind.shape
    if shape is not None and -1 not in shape:
        return kind
    place = _SHAPE_FROM.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    lengths = inputs[place] if place is not None and place < len(inputs) else None
    if lengths is not None:
        shape = merged(shape, _target(node.op_type, inputs, attributes, lengths))
    return Kind(merged(shape, declared), kind.dtype, kind.other)


def merged(shape: Shape, other: Shape) -> Shape:
    """A shape with its open lengths filled in from another."""
    if shape is None:
        return other
    if other is None or len(other) != len(shape):
        return shape
    return tuple(b if a < 0 else a for a, b in zip(shape, other, strict=True))


def _target(op: str, inputs: Sequence[Value | None], attributes: Mapping[str, Any], lengths: Value) -> Shape:
    given = lengths.partial if lengths.partial is not None else lengths.tensor.data
    if given is None:
        rank = (lengths.tensor.shape or (-1,))[0] if len(lengths.tensor.shape or ()) == 1 else -1
        return (-1,) * rank if 0 <= rank <= MAX_RANK and op != "Expand" else None
    if given.ndim != 1 or given.size > MAX_RANK:
        return None
    target = [-1 if np.isnan(n) else int(n) for n in given.tolist()]
    before = inputs[0].tensor.shape if inputs[0] is not None else None
    if op == "Reshape":
        return _reshaped(target, before, bool(attributes.get("allowzero", 0)))
    if op == "Expand":
        return _expanded(target, before)
    return tuple(max(-1, n) for n in target)


def _reshaped(target: Sequence[int], before: Shape, zeros: bool) -> Shape:
    shape = [
        (before[i] if before is not None and i < len(before) else -1) if n == 0 and not zeros else max(-1, n)
        for i, n in enumerate(target)
    ]
    if shape.count(-1) == 1 and before is not None and -1 not in before:
        rest = prod(n for n in shape if n >= 0)
        if rest > 0 and prod(before) % rest == 0:
            shape[shape.index(-1)] = prod(before) // rest
    return tuple(shape)


def _expanded(target: Sequence[int], before: Shape) -> Shape:
    if before is None:
        return None
    rank = max(len(target), len(before))
    pairs = zip((1,) * (rank - len(target)) + tuple(target), (1,) * (rank - len(before)) + before, strict=True)
    return tuple(b if a == 1 else a if b == 1 or a >= 0 else max(a, b) for a, b in pairs)
