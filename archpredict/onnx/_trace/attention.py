"""Attention as one operator, of ONNX and of ONNX Runtime, written out as products and a softmax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archpredict.onnx._trace.expansion import MICROSOFT, Call, Expansion
from archpredict.onnx._trace.rotary import rotated

_BOOL, _FLOAT = 9, 1
_MOST_HEADS = 1 << 16
_SCORES, _MASKED, _WEIGHTS = 0, 1, 3
"""What ONNX's attribute ``qk_matmul_output_mode`` says of the fourth output."""


@dataclass(frozen=True)
class Attended:
    """What attention writes.

    Args:
        output: Of shape (batch, heads, queries, channels).
        key, value: All that is attended to, past ones included, of shape (batch, heads, keys, channels).
        scores, masked, weights: Of each query for each key: as multiplied, with masks, after the softmax.
    """

    output: str
    key: str
    value: str
    scores: str
    masked: str
    weights: str


def attend(call: Call, query: str, key: str, value: str, repeats: int = 1, added: Sequence[str] = ()) -> Attended:
    """Attention between heads; a group of queries' heads may share the head of a key.

    Args:
        call: Where it is written.
        query: Of shape (batch, heads, tokens, channels).
        key: Likewise.
        value: Likewise.
        repeats: Heads of queries for each head of keys.
        added: What is added to the scores.
    """
    turned = call.write("Transpose", _shared(call, key, repeats), perm=[0, 1, 3, 2])
    scores = masked = call.write("MatMul", query, turned)
    for name in added:
        masked = call.write("Add", masked, name)
    weights = call.write("Softmax", masked, axis=-1)
    output = call.write("MatMul", weights, _shared(call, value, repeats))
    return Attended(output, key, value, scores, masked, weights)


def _shared(call: Call, name: str, repeats: int) -> str:
    """Every head as often as queries read it."""
    if repeats == 1:
        return name
    single = call.write("Unsqueeze", name, call.number([2]))
    copies = call.write("Expand", single, call.number([1, 1, repeats, 1, 1]))
    shape = call.write("Shape", name)
    batch, length = (call.write("Slice", shape, call.number([i]), call.number([j])) for i, j in ((0, 1), (2, 4)))
    joined = call.write("Concat", batch, call.number([-1]), length, axis=0)
    return str(call.write("Reshape", copies, joined))


def to_heads(call: Call, name: str, heads: int) -> str:
    """``(batch, tokens, heads * channels)`` as ``(batch, heads, tokens, channels)``."""
    return str(call.write("Transpose", call.write("Reshape", name, call.number([0, 0, heads, -1])), perm=[0, 2, 1, 3]))


def from_heads(call: Call, name: str) -> str:
    """The other way round."""
    return str(call.write("Reshape", call.write("Transpose", name, perm=[0, 2, 1, 3]), call.number([0, 0, -1])))


def num_heads(call: Call, attribute: str = "num_heads", default: int = 1) -> int:
    """Heads, as an attribute says."""
    heads = call.integer(attribute, default)
    return heads if 1 <= heads <= _MOST_HEADS else default


def longer(call: Call, past: int, name: str) -> str:
    """Keys or values after those of an input, where it is given."""
    return str(call.write("Concat", call.input(past), name, axis=2)) if call.has(past) else name


def mask(call: Call, index: int) -> list[str]:
    """What a mask of any form adds to every score; nothing, where it is left out or always the same."""
    if not call.has(index) or call.constant(index):
        return []
    number = call.write("Cast", call.input(index), to=_FLOAT)
    return [call.write("ReduceMax", number, keepdims=0)]


def bias(call: Call, index: int) -> list[str]:
    """Numbers for each pair of a query and a key, which may be learnt."""
    return [call.input(index)] if call.has(index) else []


def _rank(call: Call, index: int) -> int:
    return len(call.shape(index) or ())


def _standard(call: Call) -> Sequence[str]:
    """ONNX's own: of three axes, or of four where heads are apart."""
    heads = num_heads(call, "q_num_heads")
    places = heads, *[num_heads(call, "kv_num_heads", heads)] * 2
    apart = [_rank(call, i) == 4 for i in range(3)]
    query, key, value = (call.input(i) if apart[i] else to_heads(call, call.input(i), places[i]) for i in range(3))
    counts = [(call.shape(i) or (0, 0))[1] if apart[i] else places[i] for i in range(2)]
    repeats = counts[0] // counts[1] if min(counts) > 0 and counts[0] % counts[1] == 0 else 1
    done = attend(call, query, longer(call, 4, key), longer(call, 5, value), repeats, _standard_mask(call))
    mode = call.integer("qk_matmul_output_mode")
    fourth = done.weights if mode == _WEIGHTS else done.masked if mode == _MASKED else done.scores
    output = done.output if apart[0] else from_heads(call, done.output)
    return output, done.key, done.value, fourth


def _standard_mask(call: Call) -> list[str]:
    given = call.value(3)
    return mask(call, 3) if given is not None and given.dtype == _BOOL else bias(call, 3)


def _multi_head(call: Call) -> Sequence[str] | None:
    """ONNX Runtime's ``MultiHeadAttention``: keys and values may be packed with each other and with the queries."""
    heads = num_heads(call)
    parts = _parts(call, heads)
    if parts is None:
        return None
    query, key, value = parts
    added = [*mask(call, 4), *bias(call, 5)]
    done = attend(call, query, longer(call, 6, key), longer(call, 7, value), added=added)
    return from_heads(call, done.output), done.key, done.value, done.scores


def _parts(call: Call, heads: int, bias_at: int = 3) -> tuple[str, str, str] | None:
    """Queries, keys and values with heads apart; None where the file says too little of them."""
    if _rank(call, 0) == 5:  # (batch, tokens, heads, 3, channels)
        query, key, value = _unpacked(call, call.input(0), 3)
        return query, key, value
    if not call.has(1):
        return None
    shifts = _shifts(call, bias_at)
    query = to_heads(call, _shifted(call, call.input(0), shifts[0]), heads)
    if _rank(call, 1) == 5:  # (batch, tokens, heads, 2, channels)
        key, value = _unpacked(call, call.input(1), 2)
        return query, key, value
    if not call.has(2):
        return None
    key, value = (
        call.input(i) if _rank(call, i) == 4 else to_heads(call, _shifted(call, call.input(i), shifts[i]), heads)
        for i in (1, 2)
    )
    return query, key, value


def _unpacked(call: Call, name: str, parts: int) -> list[str]:
    """Parts that are beside each other on the last axis but one, with heads before tokens."""
    found = call.write("Split", name, outputs=parts, axis=3, num_outputs=parts)
    return [call.write("Transpose", call.write("Squeeze", p, call.number([3])), perm=[0, 2, 1, 3]) for p in found]


def _shifts(call: Call, index: int) -> tuple[str, str, str]:
    """The biases of queries, keys and values, which are one vector."""
    widths = [shape[-1] if (shape := call.shape(i)) and len(shape) == 3 else 0 for i in (0, 0, 2)]
    total = call.shape(index) or (0,)
    if widths[2] <= 0:
        widths[2] = total[0] - 2 * widths[0]
    if not call.has(index) or min(widths) <= 0 or total != (sum(widths),):
        return "", "", ""
    first, second = widths[0], sum(widths[:2])
    return call.part(index, 0, first), call.part(index, first, second), call.part(index, second, sum(widths))


def _shifted(call: Call, name: str, shift: str) -> str:
    return str(call.write("Add", name, shift)) if shift else name


def _grouped(call: Call) -> Sequence[str] | None:
    """``GroupQueryAttention``: a head of keys for several heads of queries; positions may be turned into rotations."""
    heads, fewer = num_heads(call), num_heads(call, "kv_num_heads")
    query, key, value = call.input(0), call.input(1), call.input(2)
    if not call.has(1):
        width = (call.shape(0) or (-1,))[-1]
        each = width // (heads + 2 * fewer)
        if each < 1 or width % (heads + 2 * fewer):
            return None
        sizes = call.number([heads * each, fewer * each, fewer * each])
        query, key, value = call.write("Split", query, sizes, outputs=3, axis=-1)
    query, key, value = (to_heads(call, name, n) for name, n in ((query, heads), (key, fewer), (value, fewer)))
    if call.integer("do_rotary"):
        lengths = (call.shape(0) or (-1,) * 3)[1:2]
        width = (call.shape(7) or (0, 0))[-1] * 2
        query, key = (rotated(call, name, lengths[0] if lengths else -1, width) for name in (query, key))
    if heads % fewer:
        return None
    past = longer(call, 3, key), longer(call, 4, value)
    done = attend(call, query, *past, heads // fewer, [*bias(call, 10)])
    return from_heads(call, done.output), done.key, done.value, done.scores


def _with_layer(call: Call) -> Sequence[str] | None:
    """ONNX Runtime's ``Attention``, which has the linear layer to queries, keys and values in it."""
    made = linear_parts(call, call.input(0))
    if made is None:
        return None
    query, key, value = (to_heads(call, part, num_heads(call)) for part in made)
    present = ""
    if call.has(4):
        before = [call.write("Gather", call.input(4), call.number(i), axis=0) for i in range(2)]
        key, value = (call.write("Concat", b, n, axis=2) for b, n in zip(before, (key, value), strict=True))
    if call.wants(1):
        both = [call.write("Unsqueeze", name, call.number([0])) for name in (key, value)]
        present = call.write("Concat", *both, axis=0)
    done = attend(call, query, key, value, added=[*mask(call, 3), *bias(call, 5)])
    return from_heads(call, done.output), present


def linear_parts(call: Call, source: str) -> list[str] | None:
    """Queries, keys and values that one layer makes, whose weight and bias are the second and third input."""
    width = (call.shape(1) or (-1,))[-1]
    sizes = call.attributes.get("qkv_hidden_sizes", (width // 3,) * 3)
    if not isinstance(sizes, tuple) or len(sizes) != 3 or min(sizes) < 1 or sum(sizes) != width:
        return None
    made = call.write("MatMul", source, call.input(1))
    if call.has(2):
        made = call.write("Add", made, call.input(2))
    parts: list[str] = call.write("Split", made, call.number(list(sizes)), outputs=3, axis=-1)
    return parts


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    ("", "Attention"): _standard,
    (MICROSOFT, "MultiHeadAttention"): _multi_head,
    (MICROSOFT, "GroupQueryAttention"): _grouped,
    (MICROSOFT, "Attention"): _with_layer,
}
"""By domain and name."""
