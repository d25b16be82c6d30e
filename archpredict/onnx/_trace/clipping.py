"""ReLUs that a quantiser has left out, because the integers that it rounds to begin at zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from archpredict.onnx._tensors.shapes import Value
from archpredict.onnx._tensors.steps import Step, Tensor

ROUNDED = "~rounded"
"""Operator that rounds to integers of which none stands for a negative number; it is gone in the end."""
_RANGES: Mapping[int, tuple[int, int]] = {
    **{2: (0, 255), 3: (-128, 127), 4: (0, 65535), 5: (-32768, 32767)},
    **{21: (0, 15), 22: (-8, 7), 25: (0, 3), 26: (-2, 1)},
}
"""Least and greatest integer of each of ONNX's types."""
_UINT8 = 2

_LAYERS = (
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "BatchNormalization", "InstanceNormalization"),
    *("GroupNormalization", "LayerNormalization", "RMSNormalization"),
)
_SUMS = ("Add", "Sub", "Sum")
_POSITIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Abs", "Exp", "Sqrt", "ReduceL2", "ReduceL1")
_MOVES = (
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Expand", "Tile", "Slice", "Split", "Pad"),
    *("Concat", "MaxPool", "AveragePool", "Resize", "Upsample", "DepthToSpace"),
    *("SpaceToDepth", "Gather"),
)
"""Operators that move numbers, and have negative ones only where they get some."""
_MEANS = ("ReduceMean", "ReduceMax", "ReduceSum", "GlobalAveragePool", "GlobalMaxPool")
"""Operators like these whose few results may all be positive without a ReLU."""
_ARITHMETIC = ("Add", "Sum", "Mul", "Div", "MatMul", "Einsum")
_CLIPS = ("Relu", "Clip", ROUNDED)
_SIX, _CLOSE = 6.0, 1e-4
_FEW = 8
"""Outputs of a model that may all be positive without a ReLU."""


def greatest(node: Any, inputs: Sequence[Value | None], kind: int) -> float | None:
    """The greatest number that a ``QuantizeLinear`` writes, where the least is zero; None elsewhere.

    Args:
        node: The operator.
        inputs: Numbers, scale and zero point.
        kind: ONNX's number of the type of the integers, 0 where it is that of the zero point.
    """
    first, scale, zero = (*inputs, None, None, None)[:3]
    if node.op_type != "QuantizeLinear" or first is None or first.tensor.constant or scale is None:
        return None
    low, high = _RANGES.get(kind or (_UINT8 if zero is None else zero.dtype), (1, 1))
    numbers = np.zeros(1) if zero is None else zero.tensor.data
    if low == high or numbers is None or not numbers.size or not (np.asarray(numbers, np.int64) == low).all():
        return None
    steps = scale.tensor.data
    return float(np.max(steps)) * (high - low) if steps is not None and steps.size else 0.0


def unclipped(steps: Sequence[Step], outputs: Sequence[Tensor]) -> tuple[list[Step], list[Tensor]]:
    """Operators and outputs with ReLUs in place of such rounding, wherever there can be negative numbers.

    Rounding that clips is a ReLU in the network that was quantised: without one, its integers would begin below zero.
    Where one clips at 6 and none above, they are ReLU6.
    """
    if not any(step.op == ROUNDED for step in steps):
        return list(steps), list(outputs)
    pass_ = _Pass(steps, outputs)
    kept = [made for step in steps if (made := pass_.kept(step)) is not None]
    tops = [step.attributes["top"] for step in kept if step.op == ROUNDED]
    of_six = any(map(_is_six, tops)) and max(tops) < _SIX * (1 + _CLOSE)
    return [_activation(step, of_six) for step in kept], [pass_.now(tensor) for tensor in outputs]


def _is_six(top: float) -> bool:
    return abs(top / _SIX - 1) < _CLOSE


def _activation(step: Step, of_six: bool) -> Step:
    if step.op != ROUNDED:
        return step
    if of_six or _is_six(step.attributes["top"]):
        return replace(step, op="Clip", attributes={"min": 0.0, "max": _SIX})
    return replace(step, op="Relu", attributes={})


class _Pass:
    """One pass over the operators, which finds out what may be negative.

    Args:
        steps: The operators.
        outputs: Of the model.
    """

    def __init__(self, steps: Sequence[Step], outputs: Sequence[Tensor]) -> None:
        self._outputs = set(outputs)
        self._clipped = _read_by_clips(steps, self._outputs)
        self._instead: dict[Tensor, Tensor] = {}
        self._made: dict[Tensor, Tensor] = {}
        self._positive: set[Tensor] = set()
        self._open: set[Tensor] = set()
        """Results of layers and sums that may be negative, and what was made of them by moving elements."""
        self._shifted: set[Tensor] = set()

    def now(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor."""
        return self._instead.get(tensor, tensor)

    def kept(self, step: Step) -> Step | None:
        """The operator with its new inputs, None where it is gone."""
        step = replace(step, inputs=[None if tensor is None else self.now(tensor) for tensor in step.inputs])
        if step.op == ROUNDED:
            return self._rounded(step)
        given = [tensor for tensor in step.inputs if tensor is not None and not tensor.constant]
        made = [tensor for tensor in step.outputs if tensor is not None]
        if _is_positive(step, given, self._positive):
            self._positive.update(made)
        elif _is_layer(step, given) or (_moves(step) and not self._open.isdisjoint(given)):
            self._open.update(made)
        if step.op == "Add" and 3.0 in [round(t.scalar, 3) for t in step.inputs if t and t.scalar is not None]:
            self._shifted.update(made)
        return step

    def _rounded(self, step: Step) -> Step | None:
        source, result = step.inputs[0], step.outputs[0]
        if source is None or result is None:
            return None
        few = result in self._outputs and prod((result.shape or ())[1:]) < _FEW
        if source not in self._open or result in self._clipped or few:
            self._instead[result] = source
            return None
        if source in self._made:
            self._instead[result] = self._made[source]
            return None
        self._made[source] = result
        self._positive.add(result)
        top = _SIX if source in self._shifted else step.attributes["top"]  # of x + 3, as hard sigmoids are spelled
        return replace(step, attributes={"top": top})


def _is_layer(step: Step, given: Sequence[Tensor]) -> bool:
    """Whether what an operator writes may be of either sign, and a ReLU may be behind it."""
    tables = any(t is not None and t.constant and prod(t.shape or ()) > 1 for t in step.inputs)
    return step.op in _LAYERS or (step.op in _SUMS and (tables or len(given) > 1))


def _moves(step: Step) -> bool:
    """Whether an operator has negative results only for negative numbers, or multiplies and shifts by constants."""
    by_constants = step.op in (*_SUMS, "Mul", "Div") and any(t is not None and t.constant for t in step.inputs)
    return step.op in _MOVES or by_constants


def _is_positive(step: Step, given: Sequence[Tensor], positive: set[Tensor]) -> bool:
    """Whether an operator writes no negative number."""
    if step.op in _POSITIVE or (step.op == "Mul" and len(given) == 2 and given[0] is given[1]):
        return True
    numbers = [t for t in step.inputs if t is not None and t.constant]
    if step.op == "Pow":
        return len(numbers) == 1 and numbers[0].scalar == 2
    if step.op == "Clip":
        low = step.attributes.get("min", step.inputs[1].scalar if len(step.inputs) > 1 and step.inputs[1] else None)
        return low is not None and low >= 0
    if not given or not positive.issuperset(given):
        return False
    keeps = step.op in _ARITHMETIC and all(t.scalar is not None and t.scalar >= 0 for t in numbers)
    return step.op in (*_MOVES, *_MEANS) or keeps


def _read_by_clips(steps: Sequence[Step], outputs: set[Tensor]) -> set[Tensor]:
    """What nobody reads but ReLUs and the like."""
    clipped: set[Tensor] = set()
    other = set(outputs)
    for step in reversed(steps):
        clips = step.op in _CLIPS and (step.op != ROUNDED or step.outputs[0] in clipped)
        for tensor in step.inputs[: 1 if clips else None]:
            if tensor is not None and clips and tensor not in other:
                clipped.add(tensor)
            elif tensor is not None and not clips:
                other.add(tensor)
                clipped.discard(tensor)
    return clipped
