"""Operators that change no number of interest: casts, copies, dropout and the steps of quantisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from archpredict.onnx._file.protos import plain_domain
from archpredict.onnx._tensors.scopes import Scope
from archpredict.onnx._tensors.shapes import Value
from archpredict.onnx._tensors.steps import Tensor
from archpredict.onnx._written_out.expansion import MICROSOFT

_BOOL, _FLOAT = 9, 1
_FLOATS = (1, 10, 11, 16)
READ_BARE = ("MatMul", "Gemm", "Conv", "ConvTranspose", "Gather")
"""Layers whose weight may lack its scale: their results do as well."""
_CASTS = ("Cast", "CastLike", "BitCast")
COPIES = ("Identity", "Dropout", *_CASTS)
"""Operators of ONNX that write the numbers that they read."""
_TO_NUMBERS = "DequantizeLinear"
QUANTISERS = ("QuantizeLinear", _TO_NUMBERS)
"""Operators of ONNX and of ONNX Runtime that round numbers to integers, or make numbers of integers."""
_QUANTISERS = ("Quant", "IntQuant", "FloatQuant", "BipolarQuant", "Trunc", "IntTrunc")
_OF_QONNX = ("qonnx.", "onnx.brevitas", "finn.")
"""Beginnings of the domains in which QONNX, Brevitas and FINN write their quantisers."""


def is_quantiser(node: Any) -> bool:
    """Whether an operator rounds numbers to integers, or makes numbers of integers, and does nothing else."""
    domain = plain_domain(node.domain)
    if domain in ("", MICROSOFT):
        return node.op_type in QUANTISERS
    return node.op_type in _QUANTISERS and domain.startswith(_OF_QONNX)


def alias(node: Any, inputs: Sequence[Value | None], scope: Scope) -> bool:
    """Let the outputs of an operator stand for the tensor that it reads; whether it is such an operator."""
    first = inputs[0] if inputs else None
    if first is None or not node.output:
        return False
    if is_quantiser(node):
        value: Value | None = _real(node, first, inputs)
    elif plain_domain(node.domain) != "":
        return False
    elif node.op_type in ("Mul", "Div", "Sub"):
        value = _unscaled(node.op_type, inputs) or _scaled(node.op_type, inputs)
    else:
        value = _copied(node, first, inputs) if node.op_type in COPIES else None
    if value is None:
        return False
    scope.values[node.output[0]] = value
    for name in node.output[1:]:
        scope.values[name] = Value(Tensor(name, first.tensor.shape, _BOOL, constant=True), _BOOL)
    return True


def _copied(node: Any, first: Value, inputs: Sequence[Value | None]) -> Value | None:
    dtype = first.dtype
    if node.op_type in _CASTS:
        if node.op_type != "CastLike" and first.tensor.constant and not first.tensor.unit:
            return None
        like = inputs[1].dtype if len(inputs) > 1 and inputs[1] is not None else 0
        dtype = next((a.i for a in node.attribute if a.name == "to"), like)
        dtype = dtype if dtype in onnx.TensorProto.DataType.values() else 0
    return Value(first.tensor, dtype, first.partial, first.other, first.items)


def _unscaled(op: str, inputs: Sequence[Value | None]) -> Value | None:
    """What is multiplied by the scale of a quantisation stays as it is; a scale times a scale is one."""
    if len(inputs) != 2 or None in inputs or op == "Sub":
        return None
    scales = [value for value in inputs if value is not None and value.tensor.unit]
    if not scales or (op == "Div" and inputs[1] is not scales[-1]):
        return None
    others = [value for value in inputs if value is not None and not value.tensor.unit]
    activation = [value for value in others if not value.tensor.constant]
    return Value(activation[0].tensor, _FLOAT) if activation else scales[0]


def _scaled(op: str, inputs: Sequence[Value | None]) -> Value | None:
    """A weight of few bits, or what a layer made of it, with its scale or without its zero point: it stays as it is."""
    first, second = (*inputs, None, None)[:2]
    if first is None or second is None:
        return None
    if op == "Mul" and second.tensor.bare:
        first, second = second, first
    tensor, other = first.tensor, second.tensor
    if not tensor.bare or not other.constant or (other.bare and op != "Sub"):  # zero points are integers as well
        return None
    if not tensor.constant:
        tensor.bare = op == "Sub"
        return None if op == "Sub" else Value(tensor, first.dtype)
    if not 1 < other.num_elements < tensor.num_elements:  # one number is no parameter anyhow
        return None
    return Value(replace(tensor, data=None, bare=op == "Sub"), first.dtype)


def _real(node: Any, first: Value, inputs: Sequence[Value | None]) -> Value:
    """Numbers instead of the integers that stand for them: a quantised weight is the weight."""
    tensor, dtype = first.tensor, _type_of(first, inputs[1] if len(inputs) > 1 else None)
    if not tensor.constant:
        return Value(tensor, dtype, first.partial)
    for parameter in tensor.parameters:
        if parameter.dtype not in _FLOATS:
            parameter.dtype, parameter.rounded = _FLOAT, True
    if tensor.data is None or node.op_type != _TO_NUMBERS or first.dtype in _FLOATS:
        return Value(tensor, dtype)
    numbers = _dequantised(tensor.data, inputs, node)
    return Value(
        Tensor(tensor.name, tensor.shape, dtype, True, numbers, tensor.stored, tensor.written, tensor.parameters), dtype
    )


def _type_of(first: Value, scale: Value | None) -> int:
    """Type of numbers before they are rounded and after: their own, or that of the scale."""
    given = (first.dtype, scale.dtype if scale is not None else 0)
    return next((dtype for dtype in given if dtype in _FLOATS), _FLOAT)


def _dequantised(data: Any, inputs: Sequence[Value | None], node: Any) -> Any:
    """``(integers - zero point) * scale``, None where a scale is not known or its shape does not fit."""
    numbers = np.asarray(data, np.float32)
    if len(inputs) < 2 or inputs[1] is None:
        return numbers
    scale, zero = (v.tensor.data if v is not None else np.zeros(1) for v in (*inputs[1:3], None)[:2])
    if scale is None or zero is None or np.size(zero) not in (1, np.size(scale)):
        return None
    along = [1] * numbers.ndim
    if np.size(scale) > 1:
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        if not -numbers.ndim <= axis < numbers.ndim or np.size(scale) != numbers.shape[axis]:
            return None
        along[axis] = -1
    elif not np.size(scale):
        return None
    zero, scale = (np.asarray(n, np.float32).reshape(along if np.size(n) > 1 else ()) for n in (zero, scale))
    return (numbers - zero) * scale
