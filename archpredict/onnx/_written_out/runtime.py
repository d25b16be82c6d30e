"""Operators of ONNX Runtime that are ONNX's under another name, with other arguments or in another layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archpredict.onnx._written_out.expansion import MICROSOFT, Call, Expansion
from archpredict.onnx._written_out.optimised import channels_first, channels_last, silu

CHANNELS_LAST = "com.ms.internal.nhwc"
_MOST_AXES = 32


def _renamed(op: str, *places: int, outputs: int = 1, only: Sequence[str] | None = None) -> Expansion:
    """An operator of ONNX that reads the inputs at these places.

    Args:
        op: Its name.
        places: In its own order.
        outputs: How many it has.
        only: Attributes that are handed on; all that it has as well where left out.
    """

    def written(call: Call) -> Sequence[str]:
        made = call.plain(op, *(call.input(i) for i in places), outputs=outputs, only=only)
        return (made,) if outputs == 1 else tuple(made)

    return written


def _same(place: int) -> Expansion:
    """What changes nothing of interest about the input at this place."""

    def written(call: Call) -> Sequence[str]:
        return (call.write("Identity", call.input(place)),)

    return written


def _with_axis(call: Call) -> Sequence[str]:
    return (call.write("Unsqueeze", call.input(0), call.write("Reshape", call.input(1), call.number([1]))),)


def _padded(call: Call) -> Sequence[str]:
    pads = call.write("Reshape", call.input(1), call.number([-1]))
    return (call.plain("Pad", call.input(0), pads, call.input(2)),)


def _unique(call: Call) -> Sequence[str]:
    values, _, places, counts = call.write("Unique", call.input(0), outputs=4)
    return values, places, counts


def _cropped(call: Call) -> Sequence[str] | None:
    """``CropAndResize``: parts of images, brought to one size."""
    size = call.data(3)
    if size is None or size.size != 2 or size.dtype.kind not in "iu":
        return None
    height, width = (int(n) for n in size.reshape(-1))
    return (call.write("RoiAlign", *(call.input(i) for i in range(3)), output_height=height, output_width=width),)


def _distances(call: Call) -> Sequence[str]:
    """``CDist``: of each row to each row of another matrix."""
    first, second = (call.write("Unsqueeze", call.input(i), call.number([1 - i])) for i in range(2))
    op = "ReduceSumSquare" if call.attributes.get("metric", "sqeuclidean") == "sqeuclidean" else "ReduceL2"
    return (call.write(op, call.write("Sub", first, second), call.number([-1]), keepdims=0),)


def _transposed_convolution(call: Call) -> Sequence[str]:
    """With padding as an input."""
    pads = call.data(2)
    made = call.plain("ConvTranspose", call.input(0), call.input(1), call.input(3))
    if pads is not None and pads.dtype.kind in "iu" and pads.size <= 2 * _MOST_AXES:
        call.nodes[-1].attribute.add(name="pads", ints=[int(n) for n in pads.reshape(-1)], type=7)
    return (made,)


def _transformed(call: Call) -> Sequence[str] | None:
    """``Rfft`` over the last axis."""
    if call.integer("signal_ndim", 1) != 1 or not 1 <= len(call.shape(0) or ()) < _MOST_AXES:
        return None
    pairs = call.write("Unsqueeze", call.input(0), call.number([-1]))
    return (call.write("DFT", pairs, "", call.number(-2), onesided=call.integer("onesided", 1)),)


def _scaled_silu(call: Call) -> Sequence[str]:
    alpha = call.attributes.get("alpha", 1.0)
    made = silu(call, call.input(0), alpha if isinstance(alpha, float) else 1.0)
    return (call.write("Mul", made, call.input(1)) if call.has(1) else made,)


def _gated(call: Call) -> Sequence[str]:
    """``SwiGLU`` of two tensors, or of one in which gates and the rest take turns."""
    gate, up = call.input(0), call.input(1)
    if not up:
        places = [(n, 1 << 40, -1, 2) for n in range(2)]
        gate, up = (call.write("Slice", gate, *(call.number([n]) for n in place)) for place in places)
    return (call.write("Mul", silu(call, gate), up),)


def _gated_norm(call: Call) -> Sequence[str]:
    norm = call.plain("RMSNormalization", call.input(0), call.input(1), only=("epsilon",))
    return (call.write("Mul", norm, silu(call, call.input(2))),)


def _gated_sum(call: Call) -> Sequence[str]:
    return (call.write("Add", call.input(0), call.write("Mul", call.input(2), call.input(1))),)


def _turned_pair(call: Call) -> Sequence[str]:
    """``GemmaRotaryEmbedding``: queries and keys, and both once more with their halves exchanged."""
    angles = call.write("Unsqueeze", call.input(0), call.number([1]))
    cosines, sines = (call.write("CastLike", call.write(op, angles), call.input(1)) for op in ("Cos", "Sin"))
    return tuple(
        call.write("Add", call.write("Mul", call.input(i), cosines), call.write("Mul", call.input(i + 1), sines))
        for i in (1, 3)
    )


# Channels last.


def _last(op: str) -> Expansion:
    """An operator of ONNX on tensors whose channels are last."""

    def written(call: Call) -> Sequence[str] | None:
        shape = call.shape(0) or ()
        if not 3 <= len(shape) <= _MOST_AXES:
            return None
        others = [call.input(i) for i in range(1, len(call.inputs))]
        if op in ("Conv", "ConvTranspose") and others:
            others[0] = _kernel(call, op, shape[-1])
        made = call.plain(op, channels_first(call, call.input(0), len(shape)), *others)
        return (channels_last(call, made, len(shape)),)

    return written


def _kernel(call: Call, op: str, channels: int) -> str:
    """The weight with the channels that are taken before its places, where they are behind them."""
    weight, groups = call.shape(1) or (), call.integer("group", 1)
    if op != "Conv" or len(weight) < 3 or weight[1] * groups == channels or weight[-1] * groups != channels:
        return call.input(1)
    return channels_first(call, call.input(1), len(weight))


_OF_LAST = (
    *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool"),
    *("GlobalLpPool", "BatchNormalization", "InstanceNormalization", "LRN", "DepthToSpace", "SpaceToDepth"),
)

EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    **{
        (MICROSOFT, op): expansion
        for op, expansion in {
            "Trilu": _renamed("Trilu", 0, 1),
            "Range": _renamed("Range", 0, 1, 2),
            "GatherND": _renamed("GatherND", 0, 1, only=()),
            "TorchEmbedding": _renamed("Gather", 0, 1, only=()),
            "GridSample": _renamed("GridSample", 0, 1, only=("align_corners", "padding_mode")),
            "MaxpoolWithMask": _renamed("MaxPool", 0),
            "ComplexMul": _renamed("Mul", 0, 1),
            "ComplexMulConj": _renamed("Mul", 0, 1),
            "ExpandDims": _with_axis,
            "Pad": _padded,
            "Unique": _unique,
            "NGramRepeatBlock": _same(1),
            "SampleOp": _same(0),
            "CropAndResize": _cropped,
            "CDist": _distances,
            "ConvTransposeWithDynamicPads": _transposed_convolution,
            "Rfft": _transformed,
            "ScaledSiLU": _scaled_silu,
            "SwiGLU": _gated,
            "GatedRMSNorm": _gated_norm,
            "GatedAdd": _gated_sum,
            "GemmaRotaryEmbedding": _turned_pair,
        }.items()
    },
    **{(CHANNELS_LAST, op): _last(op) for op in _OF_LAST},
    (CHANNELS_LAST, "Resize"): _renamed("Resize", 0, 1, 2, 3),
}
"""By domain and name."""
