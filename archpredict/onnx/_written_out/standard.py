"""Operators of ONNX that do the work of several others, or of one with other arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from archpredict.onnx._written_out.expansion import Call, Expansion


def _upsample(call: Call) -> Sequence[str] | None:
    """The factors as two attributes, as one, or as an input."""
    given = call.attributes
    factors: Sequence[float] | None = given.get("scales")
    if "height_scale" in given or "width_scale" in given:
        factors = (1.0, 1.0, float(given.get("height_scale", 1.0)), float(given.get("width_scale", 1.0)))
    if factors is None and not call.has(1):
        return None
    scales = call.input(1) if factors is None else call.number([float(n) for n in factors])
    mode = "nearest" if given.get("mode", "nearest") == "nearest" else "linear"
    return (call.write("Resize", call.input(0), "", scales, mode=mode),)


def _product(call: Call) -> Sequence[str] | None:
    """A product with a stored vector is one with a matrix of one column or row."""
    for place, axis, gone in ((1, 1, -1), (0, 0, -2)):
        shape, other = call.shape(place), call.shape(1 - place)
        if call.constant(place) and shape is not None and len(shape) == 1 and other:
            matrix = call.write("Unsqueeze", call.input(place), call.number([axis]))
            pair = (call.input(0), matrix) if place else (matrix, call.input(1))
            gone = -1 if len(other) == 1 else gone
            return (call.write("Squeeze", call.write("MatMul", *pair), call.number([gone])),)
    return None


def _plus_more(call: Call) -> Sequence[str] | None:
    """``Gemm`` from the left, and plus what is no bias of a linear layer: data, or not a number for each column."""
    if call.constant(0) and not call.constant(1):
        return _from_left(call)
    weight, added = call.shape(1) or (), call.shape(2)
    if not call.has(2) or len(weight) != 2:
        return None
    columns = weight[0] if call.integer("transB") else weight[1]
    row = columns < 0 or added is None or (added[-1:] == (columns,) and prod(added) == columns)
    if row and call.constant(1) and call.constant(2):
        return None
    return (_plus(call, call.plain("Gemm", call.input(0), call.input(1))),)


def _from_left(call: Call) -> Sequence[str]:
    turned = (call.integer("transA"), call.integer("transB"))
    pair = [call.write("Transpose", call.input(i), perm=[1, 0]) if turned[i] else call.input(i) for i in range(2)]
    return (_plus(call, _times(call, call.write("MatMul", *pair), "alpha")),)


def _plus(call: Call, name: str) -> str:
    return str(call.write("Add", name, _times(call, call.input(2), "beta"))) if call.has(2) else name


def _times(call: Call, name: str, factor: str) -> str:
    number = call.attributes.get(factor, 1.0)
    return name if number == 1.0 else str(call.write("Mul", name, call.factor(number)))


def _of_whole_depth(call: Call) -> Sequence[str] | None:
    """``OneHot`` whose number of columns is a real number."""
    depth = call.data(1)
    if depth is None or depth.dtype.kind != "f" or depth.size != 1 or not 0 < depth.item() < 1 << 40:
        return None
    return (call.plain("OneHot", call.input(0), call.number(int(depth.item())), call.input(2)),)


def _power(call: Call, default: float = 2.0) -> float:
    value = call.attributes.get("p", default)
    return float(value) if isinstance(value, int | float) and 1 <= value < 1000 else default


def _pooled_norm(call: Call) -> Sequence[str] | None:
    """Norms of windows: of powers the mean, times how many there are."""
    kernel, p = call.attributes.get("kernel_shape"), _power(call)
    if not kernel:
        return None
    powers = call.write("Pow", call.write("Abs", call.input(0)), call.number(p))
    mean = call.plain("AveragePool", powers, only=("kernel_shape", "strides", "pads", "dilations", "auto_pad"))
    total = call.write("Mul", mean, call.number(float(prod(kernel))))
    return (call.write("Pow", total, call.number(1 / p)),)


def _norm_of_all(call: Call) -> Sequence[str] | None:
    """Norms over all places of a channel."""
    shape, p = call.shape(0), _power(call)
    if shape is None or len(shape) < 3:
        return None
    axes = call.number(list(range(2, len(shape))))
    if p in (1, 2):
        return (call.write(f"ReduceL{p:.0f}", call.input(0), axes),)
    powers = call.write("Pow", call.write("Abs", call.input(0)), call.number(p))
    return (call.write("Pow", call.write("ReduceSum", powers, axes), call.number(1 / p)),)


def _normalised(call: Call) -> Sequence[str] | None:
    """By the sum of what is positive or negative; by the root of squares it is an operator of its own."""
    if call.integer("p", 2) != 1:
        return None
    lengths = call.write("ReduceL1", call.input(0), call.number([call.integer("axis", -1)]))
    return (call.write("Div", call.input(0), lengths),)


def _standardised(call: Call) -> Sequence[str] | None:
    """``MeanVarianceNormalization``: without the mean, and by the deviation, over the axes that are named."""
    shape, given = call.shape(0), call.attributes
    if shape is None or len(shape) < 2:
        return None
    axes = given.get("axes", (0, 2, 3))
    if call.version < 9 or "across_channels" in given:
        axes = range(1 if given.get("across_channels") else 2, len(shape))
    over = [axis for axis in axes if -len(shape) <= axis < len(shape) and (axis or shape[0] != 1)]
    mean = call.write("ReduceMean", call.input(0), call.number(over))
    centred = call.write("Sub", call.input(0), mean)
    if not given.get("normalize_variance", 1):
        return (centred,)
    squares = call.write("ReduceMean", call.write("Mul", centred, centred), call.number(over))
    return (call.write("Div", centred, call.write("Sqrt", call.write("Add", squares, call.number(1e-9)))),)


def _cropped_or_padded(call: Call) -> Sequence[str] | None:
    """``CenterCropPad``: what is too long is cut, and then what is too short is filled up."""
    shape, lengths = call.shape(0), call.data(1)
    if shape is None or lengths is None or -1 in shape:
        return None
    axes = call.attributes.get("axes", range(len(shape)))
    wanted = [int(n) for n in lengths.ravel()]
    if len(wanted) != len(axes) or min(wanted, default=0) < 0 or any(not -len(shape) <= a < len(shape) for a in axes):
        return None
    target = list(shape)
    for axis, length in zip(axes, wanted, strict=True):
        target[axis] = length
    first = [max(0, n - t) // 2 for n, t in zip(shape, target, strict=True)]
    result, kept = call.input(0), [min(n, t) for n, t in zip(shape, target, strict=True)]
    if kept != list(shape):
        ends = [f + n for f, n in zip(first, kept, strict=True)]
        result = call.write("Slice", result, *(call.number(n) for n in (first, ends, list(range(len(shape))))))
    if kept != target:
        missing = [t - n for n, t in zip(kept, target, strict=True)]
        around = [n // 2 for n in missing] + [n - n // 2 for n in missing]
        result = call.write("Pad", result, call.number(around))
    return (result if call.nodes else call.write("Identity", result),)


def _spectra(call: Call) -> Sequence[str] | None:
    """``STFT`` with one half of each spectrum, which is meant where nothing is said; ONNX's rule takes it for both."""
    if "onesided" in call.attributes:
        return None
    return (call.write("STFT", *map(call.input, range(4)), onesided=1),)


def _compressed(call: Call) -> Sequence[str] | None:
    """The places for which a condition holds, where that is known."""
    condition, axis = call.data(1), call.attributes.get("axis")
    if condition is None:
        return None
    source = call.input(0) if isinstance(axis, int) else call.write("Reshape", call.input(0), call.number([-1]))
    places = call.number(np.flatnonzero(condition))
    return (call.write("Gather", source, places, axis=axis if isinstance(axis, int) else 0),)


def _gated(call: Call) -> Sequence[str]:
    """``SwiGLU``: a tensor times the SiLU of another."""
    alpha = call.attributes.get("alpha", 1.0)
    steep = call.write("Mul", call.input(0), call.number(float(alpha))) if alpha != 1.0 else call.input(0)
    gate = call.write("Mul", call.input(0), call.write("Sigmoid", steep))
    return (call.write("Mul", gate, call.input(1)),)


def _causal(call: Call) -> Sequence[str] | None:
    """``CausalConvWithState``: a convolution per channel over what came before, which goes on where it ended."""
    kernel = call.shape(1)
    if kernel is None or len(kernel) != 3 or min(kernel) < 1:
        return None
    before, source = kernel[2] - 1, call.input(0)
    if call.has(3):
        source, pads = call.write("Concat", call.input(3), source, axis=2), [0, 0]
    else:
        pads = [before, 0]
    result = call.write("Conv", source, call.input(1), call.input(2), group=kernel[0], pads=pads)
    if call.attributes.get("activation", "none") in ("silu", "swish"):
        result = call.write("Mul", result, call.write("Sigmoid", result))
    last = [call.number([n]) for n in (-before, 1 << 30, 2)]
    return result, call.write("Slice", source, *last) if before else ""


def _loss(call: Call) -> Sequence[str]:
    """What a network is trained by: a logarithm per example, and their mean or sum."""
    logs = call.input(0)
    if call.node.op_type == "SoftmaxCrossEntropyLoss":
        logs = call.write("LogSoftmax", logs, axis=1)
    labels = call.write("Unsqueeze", call.input(1), call.number([1]))
    losses = call.write("Neg", call.write("GatherElements", logs, labels, axis=1))
    reduction = call.attributes.get("reduction", "mean")
    if reduction == "none":
        return call.write("Squeeze", losses, call.number([1])), logs
    return call.write("ReduceSum" if reduction == "sum" else "ReduceMean", losses, keepdims=0), logs


def _flexible(call: Call) -> Sequence[str]:
    """``FlexAttention``: attention between heads, whose scores functions may change that have no weights."""
    return (call.write("Attention", *map(call.input, range(3))),)


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    ("", "Upsample"): _upsample,
    ("", "MatMul"): _product,
    ("", "Gemm"): _plus_more,
    ("", "OneHot"): _of_whole_depth,
    ("", "LpPool"): _pooled_norm,
    ("", "GlobalLpPool"): _norm_of_all,
    ("", "LpNormalization"): _normalised,
    ("", "MeanVarianceNormalization"): _standardised,
    ("", "CenterCropPad"): _cropped_or_padded,
    ("", "STFT"): _spectra,
    ("", "Compress"): _compressed,
    ("", "SwiGLU"): _gated,
    ("", "CausalConvWithState"): _causal,
    ("", "NegativeLogLikelihoodLoss"): _loss,
    ("", "SoftmaxCrossEntropyLoss"): _loss,
    ("ai.onnx.preview", "FlexAttention"): _flexible,
}
"""By domain and name."""
