"""Rotations by which queries and keys are told their positions; their sines and cosines are not learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from archpredict.onnx._written_out.expansion import MICROSOFT, Call, Expansion

_LONGEST = 1 << 24


def rotated(call: Call, name: str, tokens: int, width: int, interleaved: bool = False) -> str:
    """Heads times cosines, plus their halves, exchanged and one of them negated, times sines.

    Args:
        call: Where it is written.
        name: Of shape (batch, heads, tokens, channels).
        tokens: Their number, -1 where it is not known.
        width: Channels that are rotated, an even number.
        interleaved: Pairs of channels are beside each other, not half of all channels apart.
    """
    if not 2 <= width <= _LONGEST or width % 2:
        return name
    table = np.broadcast_to(np.float32(0.5), (1, 1, tokens if 1 <= tokens <= _LONGEST else 1, width))
    part = call.write("Slice", name, call.number([0]), call.number([width]), call.number([-1]))
    straight = call.write("Mul", part, call.factor(table))
    halves = _apart(call, part, width) if interleaved else _halves(call, part, width)
    first, second = halves
    negated = call.write("Neg", second)
    if interleaved:
        pairs = [call.write("Unsqueeze", half, call.number([-1])) for half in (negated, first)]
        turned = call.write("Reshape", call.write("Concat", *pairs, axis=-1), call.number([0, 0, 0, width]))
    else:
        turned = call.write("Concat", negated, first, axis=-1)
    return str(call.write("Add", straight, call.write("Mul", turned, call.factor(table))))


def _halves(call: Call, name: str, width: int) -> list[str]:
    places = (0, width // 2), (width // 2, width)
    return [_cut(call, name, start, end, 1) for start, end in places]


def _apart(call: Call, name: str, width: int) -> list[str]:
    return [_cut(call, name, start, width, 2) for start in (0, 1)]


def _cut(call: Call, name: str, start: int, end: int, step: int) -> str:
    return str(call.write("Slice", name, *(call.number([n]) for n in (start, end, -1, step))))


def _embedding(places: int) -> Expansion:
    """An operator that rotates its first input; the cosines are the input at this place."""

    def written(call: Call) -> Sequence[str] | None:
        shape = call.shape(0) or ()
        width = call.integer("rotary_embedding_dim") or 2 * (call.shape(places) or (0,))[-1]
        if len(shape) not in (3, 4) or not 2 <= width <= _LONGEST or width % 2:
            return None
        apart = len(shape) == 4
        heads = call.integer("num_heads") or (shape[-1] // width if shape[-1] >= width else 0)
        source = call.input(0)
        if not apart:
            if not 1 <= heads <= shape[-1] or shape[-1] % heads:
                return None
            source = call.write("Reshape", source, call.number([0, 0, heads, -1]))
            source = call.write("Transpose", source, perm=[0, 2, 1, 3])
        each = shape[-1] if apart else shape[-1] // heads
        if each < width:
            return None
        result = rotated(call, source, shape[2 if apart else 1], width, bool(call.integer("interleaved")))
        if each > width:
            rest = call.write("Slice", source, *(call.number([n]) for n in (width, each, -1)))
            result = call.write("Concat", result, rest, axis=-1)
        if not apart:
            back = call.write("Transpose", result, perm=[0, 2, 1, 3])
            result = call.write("Reshape", back, call.number([0, 0, -1]))
        return (result,)

    return written


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    ("", "RotaryEmbedding"): _embedding(1),
    (MICROSOFT, "RotaryEmbedding"): _embedding(2),
    (MICROSOFT, "MRotaryEmbedding"): _embedding(2),
}
"""By domain and name."""
