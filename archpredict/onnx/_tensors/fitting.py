"""Operators that cannot work on what they read, where ONNX's rules for shapes do not look at that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from archpredict.onnx._file.protos import Shape

WINDOWS = ("Conv", "MaxPool", "AveragePool", "LpPool")
TOO_SMALL = "its input is smaller than what it takes at once"


def misfit(op: str, attributes: Mapping[str, Any], read: Sequence[Shape], made: Shape) -> str:
    """What does not fit, "" where nothing is known not to.

    Args:
        op: ONNX's name of the operator.
        attributes: Python values.
        read: Shapes of its inputs.
        made: Shape of its first output.
    """
    first, second = (*read, None, None)[:2]
    if op == "Reshape":
        return _reshaped(first, made)
    problem = _channels(attributes, first, second) if op == "Conv" else ""
    if problem or op not in WINDOWS or first is None or min(first, default=-1) < 0:
        return problem
    kernel = attributes.get("kernel_shape") or (second[2:] if op == "Conv" and second is not None else ())
    return TOO_SMALL if _is_larger(kernel, attributes, first[2:]) else ""


def _reshaped(read: Shape, made: Shape) -> str:
    if read is None or made is None or min((*read, *made), default=0) < 1 or prod(read) == prod(made):
        return ""
    before, after = ("x".join(map(str, shape[:8])) for shape in (read, made))
    return f"it makes {after} of {before}, which the model was not made for"


def _channels(attributes: Mapping[str, Any], read: Shape, weight: Shape) -> str:
    """The numbers of axes and channels."""
    if read is None or weight is None:
        return ""
    if len(read) != len(weight):
        return f"its input has {len(read)} axes, and its weight {len(weight)}"
    if len(read) < 2 or min((*read, *weight)) < 0:
        return ""
    takes = weight[1] * attributes.get("group", 1)
    return "" if read[1] == takes else f"{read[1]} channels arrive, and its weight takes {takes}"


def _is_larger(kernel: Sequence[int], attributes: Mapping[str, Any], lengths: Sequence[int]) -> bool:
    """Whether a kernel is larger than what it reads with its margins; ONNX's rule rounds what is missing to nothing."""
    rank = len(kernel)
    pads = attributes.get("pads") or (0,) * 2 * rank
    dilations = attributes.get("dilations") or (1,) * rank
    filled = attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID", "")
    if filled or len(lengths) != rank or len(pads) != 2 * rank or len(dilations) != rank or min(kernel, default=0) < 0:
        return False
    whole = [n + before + after for n, before, after in zip(lengths, pads[:rank], pads[rank:], strict=True)]
    return any(n < (k - 1) * d + 1 for n, k, d in zip(whole, kernel, dilations, strict=True))
