"""Attention written out as products and a softmax, and the one operator that ONNX has for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archpredict.onnx._written_out.expansion import Call, Expansion

_BOOL = 9
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


def longer(call: Call, past: int, name: str, shares: bool = False) -> str:
    """Keys or values after those of an input, where it is given; or within it, where it has room for all."""
    if not call.has(past):
        return name
    if shares:
        return str(call.write("ScatterND", call.input(past), call.number([[0]]), name))
    return str(call.write("Concat", call.input(past), name, axis=2))


def mask(call: Call, index: int) -> list[str]:
    """What a mask of any form adds to every score; nothing, where it is left out or always the same."""
    if not call.has(index) or call.constant(index):
        return []
    number = call.write("CastLike", call.input(index), call.input(0))
    return [call.write("ReduceMax", number, keepdims=0)]


def bias(call: Call, index: int) -> list[str]:
    """Numbers for each pair of a query and a key, which may be learnt."""
    return [call.input(index)] if call.has(index) else []


def rank(call: Call, index: int) -> int:
    return len(call.shape(index) or ())


def _standard(call: Call) -> Sequence[str]:
    """ONNX's own: of three axes, or of four where heads are apart."""
    heads = num_heads(call, "q_num_heads")
    places = heads, *[num_heads(call, "kv_num_heads", heads)] * 2
    apart = [rank(call, i) == 4 for i in range(3)]
    query, key, value = (call.input(i) if apart[i] else to_heads(call, call.input(i), places[i]) for i in range(3))
    counts = [(call.shape(i) or (0, 0))[1] if apart[i] else places[i] for i in range(2)]
    repeats = counts[0] // counts[1] if min(counts) > 0 and counts[0] % counts[1] == 0 else 1
    shape, past = call.shape(1) or (), call.shape(4) or (0, 0, 0)
    keys = shape[-2] + past[2] if len(shape) > 2 < len(past) and min(shape[-2], past[2]) >= 0 else 0
    done = attend(call, query, longer(call, 4, key), longer(call, 5, value), repeats, _standard_mask(call, keys))
    mode = call.integer("qk_matmul_output_mode")
    fourth = done.weights if mode == _WEIGHTS else done.masked if mode == _MASKED else done.scores
    output = done.output if apart[0] else from_heads(call, done.output)
    return output, done.key, done.value, fourth


def _standard_mask(call: Call, keys: int) -> list[str]:
    """What is added to the scores; a mask that is shorter than the keys hides those behind its end."""
    given, shape = call.value(3), call.shape(3) or ()
    if given is None or given.dtype == _BOOL:
        return mask(call, 3)
    if len(shape) > 1 and 1 < shape[-1] < keys:
        missing = call.number([0] * (2 * len(shape) - 1) + [keys - shape[-1]])
        return [call.write("Pad", call.input(3), missing)]
    return bias(call, 3)


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {("", "Attention"): _standard}
"""By domain and name."""
