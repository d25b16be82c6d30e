"""Attention of ONNX Runtime that reads tokens, keys or positions in forms of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from archpredict.onnx._written_out.attention import attend, bias, from_heads, num_heads, to_heads
from archpredict.onnx._written_out.expansion import MICROSOFT, Call, Expansion
from archpredict.onnx._written_out.runtime_attention import linear_parts, queries_keys_values

_LONGEST = 1 << 24


def _is_true(call: Call, index: int) -> bool:
    """Whether an input is one that is always true."""
    data = call.data(index)
    return data is not None and data.size == 1 and bool(data.reshape(-1)[0])


def _decoder(call: Call) -> Sequence[str]:
    """``DecoderAttention``: tokens before sequences, a layer for queries, one for keys and values."""
    heads = num_heads(call)
    width = (call.shape(2) or (0, 0))[-1]
    query, both = (call.write("MatMul", call.input(i), call.input(i + 2)) for i in range(2))
    if call.shape(4) == (3 * width,):
        query = call.write("Add", query, call.part(4, 0, width))
        both = call.write("Add", both, call.part(4, width, 3 * width))
    key, value = call.write("Split", both, outputs=2, axis=-1, num_outputs=2)
    query, key, value = (_of_sequences(call, name, heads) for name in (query, key, value))
    if call.has(6) and call.has(7) and _is_true(call, 9):
        if _is_true(call, 8):
            key, value = call.input(6), call.input(7)
        else:
            pairs = ((6, key), (7, value))
            key, value = (call.write("Concat", call.input(i), name, axis=2) for i, name in pairs)
    done = attend(call, query, key, value)
    return call.write("Transpose", from_heads(call, done.output), perm=[1, 0, 2]), done.key, done.value


def _of_sequences(call: Call, name: str, heads: int) -> str:
    return to_heads(call, call.write("Transpose", name, perm=[1, 0, 2]), heads)


def _paged(call: Call) -> Sequence[str] | None:
    """``PagedAttention``: keys are in pages, and a table with a row for each sequence says in which."""
    heads, fewer = num_heads(call), num_heads(call, "kv_num_heads")
    if len(call.shape(0) or ()) != 2 or heads % fewer or not call.has(3) or not call.has(4):
        return None
    parts = queries_keys_values(call, heads, fewer, 8 * call.integer("do_rotary"))
    if parts is None:
        return None
    caches = [
        call.write("ScatterND", call.input(i), call.number([[0]]), part)
        for i, part in zip((3, 4), parts[1:], strict=True)
    ]
    count = (call.shape(7) or (0,))[-1]
    if not 1 <= count <= _LONGEST:
        return None
    pages = call.number(np.broadcast_to(np.int64(0), (count,)))
    key, value = (_pages(call, cache, pages, fewer) for cache in caches)
    done = attend(call, parts[0], key, value, heads // fewer)
    return call.write("Squeeze", from_heads(call, done.output), call.number([0])), *caches


def _pages(call: Call, cache: str, pages: str, heads: int) -> str:
    """The keys in as many pages as a sequence has at most, with heads before tokens."""
    taken = call.write("Gather", cache, pages, axis=0)
    width = call.write("Shape", cache, start=3, end=4)
    shape = call.write("Concat", call.number([1, -1, heads]), width, axis=0)
    return str(call.write("Transpose", call.write("Reshape", taken, shape), perm=[0, 2, 1, 3]))


# Sequences without padding.


def _sequences(call: Call, name: str, places: int) -> str:
    """Tokens one after another as those of the sequences of which an input says where their tokens are."""
    shape = call.write("Concat", call.write("Shape", call.input(places)), call.number([-1]), axis=0)
    return str(call.write("Reshape", name, shape))


def _within(call: Call, parts: Sequence[str], places: int) -> Sequence[str]:
    """Attention within sequences, as if none of their tokens were left out, and their tokens one after another."""
    query, key, value = (to_heads(call, part, num_heads(call)) for part in parts)
    done = attend(call, query, key, value, added=bias(call, places + 2))
    return (call.write("Flatten", from_heads(call, done.output), axis=2),)


def _packed(call: Call) -> Sequence[str] | None:
    """``PackedAttention``: with the layer to queries, keys and values."""
    parts = linear_parts(call, _sequences(call, call.input(0), 3)) if call.has(3) else None
    return None if parts is None else _within(call, parts, 3)


def _packed_heads(call: Call) -> Sequence[str] | None:
    """``PackedMultiHeadAttention``: of three tensors or one."""
    parts = [call.input(i) for i in range(3)]
    if not call.has(4) or (not call.has(1) and len(call.shape(0) or ()) != 4):
        return None
    if not call.has(1):  # (tokens, heads, 3, channels)
        split = call.write("Split", call.input(0), outputs=3, axis=2, num_outputs=3)
        parts = [call.write("Flatten", part, axis=1) for part in split]
    elif call.has(3):
        width = (call.shape(0) or (0,))[-1]
        if width < 1:
            return None
        ends = 0, width, 2 * width, (call.shape(3) or (0,))[0]
        parts = [call.write("Add", p, call.part(3, ends[i], ends[i + 1])) for i, p in enumerate(parts)]
    return _within(call, [_sequences(call, part, 4) for part in parts], 4)


def _without_padding(call: Call) -> Sequence[str]:
    """``RemovePadding``, as if there were none."""
    places = (call.shape(0) or (0, 0, 0))[:2]
    known = len(places) == 2 and all(0 < n <= _LONGEST for n in places)
    offset = call.number(np.broadcast_to(np.int32(0), places)) if known else ""
    return call.write("Flatten", call.input(0), axis=2), offset, "", ""


def _with_padding(call: Call) -> Sequence[str]:
    """``RestorePadding``."""
    return (_sequences(call, call.input(0), 1),)


# Neighbours.


def _of_neighbours(call: Call) -> Sequence[str] | None:
    """``LongformerAttention``: to so many tokens on either side, and of the first token to all."""
    heads, window = num_heads(call), call.integer("window")
    shape, near = call.shape(0) or (), linear_parts(call, call.input(0))
    if near is None or not 1 <= window <= _LONGEST or len(shape) != 3 or not call.has(4):
        return None
    keys = 2 * window + 1
    query, key, value = (call.write("Reshape", part, call.number([0, 0, heads, -1])) for part in near)
    query = call.write("Unsqueeze", call.write("Flatten", query, axis=2), call.number([1]))
    query = to_heads(call, query, heads)
    key, value = (_around(call, part, keys, heads) for part in (key, value))
    local = from_heads(call, attend(call, query, key, value).output)
    lengths = call.write("Concat", call.write("Shape", call.input(0), start=0, end=2), call.number([-1]), axis=0)
    local = call.write("Reshape", local, lengths)
    far = call.write("MatMul", call.input(0), call.input(4))
    far = call.write("Add", far, call.input(5)) if call.has(5) else far
    parts = call.write("Split", far, outputs=3, axis=-1, num_outputs=3)
    parts[0] = call.write("Slice", parts[0], call.number([0]), call.number([1]), call.number([1]))
    query, key, value = (to_heads(call, part, heads) for part in parts)
    one = from_heads(call, attend(call, query, key, value).output)
    return (call.write("Add", local, one),)


def _around(call: Call, name: str, keys: int, heads: int) -> str:
    """Keys that each token attends to, from ``(batch, tokens, heads, channels)``."""
    copies = call.write("Expand", call.write("Unsqueeze", name, call.number([2])), call.number([1, 1, keys, 1, 1]))
    width = call.write("Shape", name, start=3, end=4)
    shape = call.write("Concat", call.number([-1, keys, heads]), width, axis=0)
    return str(call.write("Transpose", call.write("Reshape", copies, shape), perm=[0, 2, 1, 3]))


# Positions.


def _relative(call: Call) -> Sequence[str]:
    """``RelativePositionBias``: a learnt number for each head and each of the buckets of distances."""
    lengths = [data.reshape(-1)[:1] if (data := call.data(i)) is not None else [] for i in (1, 2)]
    shape = [int(n[0]) if len(n) and 0 < n[0] <= _LONGEST else 1 for n in lengths]
    looked_up = call.write("Gather", call.input(0), call.number(np.broadcast_to(np.int64(0), shape)), axis=0)
    return (call.write("Unsqueeze", call.write("Transpose", looked_up, perm=[2, 0, 1]), call.number([0])),)


def _gated_relative(call: Call) -> Sequence[str]:
    """``GatedRelativePositionBias``: numbers for pairs of tokens, times what a layer makes of the queries."""
    heads = num_heads(call)
    query = to_heads(call, call.write("Add", call.input(0), call.input(1)), heads)
    made = call.write("Add", call.write("MatMul", query, call.input(3)), call.input(4))
    halves = call.write("Reshape", made, call.number([0, 0, 0, 2, -1]))
    gates = call.write("Sigmoid", call.write("ReduceSum", halves, call.number([-1]), keepdims=0))
    first, second = call.write("Split", gates, outputs=2, axis=-1, num_outputs=2)
    shrunk = call.write("Sub", call.write("Mul", second, call.input(5)), call.factor(1.0))
    gate = call.write("Add", call.write("Mul", first, shrunk), call.factor(2.0))
    return (call.write("Mul", gate, call.input(2)),)


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    (MICROSOFT, "DecoderAttention"): _decoder,
    (MICROSOFT, "PagedAttention"): _paged,
    (MICROSOFT, "PackedAttention"): _packed,
    (MICROSOFT, "PackedMultiHeadAttention"): _packed_heads,
    (MICROSOFT, "RemovePadding"): _without_padding,
    (MICROSOFT, "RestorePadding"): _with_padding,
    (MICROSOFT, "LongformerAttention"): _of_neighbours,
    (MICROSOFT, "RelativePositionBias"): _relative,
    (MICROSOFT, "GatedRelativePositionBias"): _gated_relative,
}
"""By domain and name."""
