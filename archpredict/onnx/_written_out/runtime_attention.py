"""Attention as one operator of ONNX Runtime: with heads cut out, with a layer in it, with past keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from archpredict.onnx._written_out.attention import attend, bias, from_heads, longer, mask, num_heads, rank, to_heads
from archpredict.onnx._written_out.expansion import MICROSOFT, Call, Expansion
from archpredict.onnx._written_out.rotary import rotated

_OF_SESSIONS, _OF_OPTIMISER = "qkv_weights", "_qkv_weight"
"""In names of weights that were joined by a session of ONNX Runtime, and by its optimiser for transformers."""


@dataclass(frozen=True)
class Places:
    """Which inputs of an operator are what, -1 where it has none of them.

    Args:
        shift: Biases of queries, keys and values.
        mask: A mask of any form.
        added: Numbers that are added to the scores.
        past: Past keys; past values are behind them.
        shares: Its presence says that past keys have room for the new ones.
        tables: Cosines of rotations.
    """

    shift: int = -1
    mask: int = -1
    added: int = -1
    past: int = -1
    shares: int = -1
    tables: int = -1

    def shared(self, call: Call) -> bool:
        """Whether past keys have room for the new ones."""
        return bool(call.integer("past_present_share_buffer")) or call.has(self.shares)


def multi_head(at: Places) -> Expansion:
    """Attention of queries, keys and values, which may be packed with each other."""

    def written(call: Call) -> Sequence[str] | None:
        parts = _parts(call, num_heads(call), at.shift)
        if parts is None:
            return None
        query, key, value = parts
        shares = at.shared(call)
        key, value = longer(call, at.past, key, shares), longer(call, at.past + 1, value, shares)
        done = attend(call, query, key, value, added=[*mask(call, at.mask), *bias(call, at.added)])
        return from_heads(call, done.output), done.key, done.value, done.scores

    return written


def _parts(call: Call, heads: int, bias_at: int) -> tuple[str, str, str] | None:
    """Queries, keys and values with heads apart; None where the file says too little of them."""
    if rank(call, 0) == 5:  # (batch, tokens, heads, 3, channels)
        query, key, value = _unpacked(call, call.input(0), 3)
        return query, key, value
    if not call.has(1):
        return None
    shifts = _shifts(call, bias_at)
    query = to_heads(call, _shifted(call, call.input(0), shifts[0]), heads)
    if rank(call, 1) == 5:  # (batch, tokens, heads, 2, channels)
        key, value = _unpacked(call, call.input(1), 2)
        return query, key, value
    if not call.has(2):
        return None
    key, value = (
        call.input(i) if rank(call, i) == 4 else to_heads(call, _shifted(call, call.input(i), shifts[i]), heads)
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


def grouped(at: Places) -> Expansion:
    """A head of keys for several heads of queries; positions may be turned into rotations."""

    def written(call: Call) -> Sequence[str] | None:
        heads, fewer = num_heads(call), num_heads(call, "kv_num_heads")
        parts = queries_keys_values(call, heads, fewer, call.integer("do_rotary") * at.tables)
        if parts is None or heads % fewer:
            return None
        query, key, value = parts
        shares = at.shared(call)
        key, value = longer(call, at.past, key, shares), longer(call, at.past + 1, value, shares)
        done = attend(call, query, key, value, heads // fewer, bias(call, at.added))
        return from_heads(call, done.output), done.key, done.value, done.scores

    return written


def queries_keys_values(call: Call, heads: int, fewer: int, tables: int) -> list[str] | None:
    """With heads apart, of three inputs or of one; rotated, where there is a place of cosines."""
    parts = [call.input(i) for i in range(3)]
    if not call.has(1):
        width = (call.shape(0) or (-1,))[-1]
        each = width // (heads + 2 * fewer)
        if each < 1 or width % (heads + 2 * fewer):
            return None
        sizes = call.number([heads * each, fewer * each, fewer * each])
        parts = call.write("Split", call.input(0), sizes, outputs=3, axis=-1)
    if len(call.shape(0) or ()) == 2:
        parts = [call.write("Unsqueeze", part, call.number([0])) for part in parts]
    made = [to_heads(call, name, n) for name, n in zip(parts, (heads, fewer, fewer), strict=True)]
    if tables > 0:
        tokens, width = (call.shape(0) or (-1,) * 3)[-2], (call.shape(tables) or (0,))[-1] * 2
        made[:2] = (rotated(call, name, tokens, width) for name in made[:2])
    return made


def _with_layer(call: Call) -> Sequence[str] | None:
    """ONNX Runtime's ``Attention``, which has the linear layer to queries, keys and values in it."""
    made = linear_parts(call, call.input(0))
    if made is None:
        return None
    heads = num_heads(call)
    query, key, value = (to_heads(call, part, heads) for part in made)
    if call.integer("do_rotary"):
        tokens, width = (call.shape(0) or (-1,) * 3)[-2], (call.shape(1) or (0,))[-1] // 3 // heads
        query, key = (rotated(call, name, tokens, width) for name in (query, key))
    if call.has(4):
        key, value = (_after_half(call, i, name) for i, name in enumerate((key, value)))
    present = ""
    if call.wants(1):
        both = [call.write("Unsqueeze", name, call.number([0])) for name in (key, value)]
        present = call.write("Concat", *both, axis=0)
    done = attend(call, query, key, value, added=[*mask(call, 3), *bias(call, 5)])
    return from_heads(call, done.output), present


def _after_half(call: Call, half: int, name: str) -> str:
    """Keys or values after the past ones, which are the halves of one tensor."""
    before = call.write("Gather", call.input(4), call.number(half), axis=0)
    if call.integer("past_present_share_buffer"):
        return str(call.write("ScatterND", before, call.number([[0]]), name))
    return str(call.write("Concat", before, name, axis=2))


def linear_parts(call: Call, source: str) -> list[str] | None:
    """Queries, keys and values that one layer makes, whose weight and bias are the second and third input."""
    width = (call.shape(1) or (-1,))[-1]
    sizes = call.attributes.get("qkv_hidden_sizes", (width // 3,) * 3)
    if not isinstance(sizes, tuple) or len(sizes) != 3 or min(sizes) < 1 or sum(sizes) != width:
        return None
    if _were_apart(call):
        ends = 0, sizes[0], sizes[0] + sizes[1], width
        return [_linear_part(call, source, *between) for between in pairwise(ends)]
    made = call.write("MatMul", source, call.input(1))
    if call.has(2):
        made = call.write("Add", made, call.input(2))
    parts: list[str] = call.write("Split", made, call.number(list(sizes)), outputs=3, axis=-1)
    return parts


def _were_apart(call: Call) -> bool:
    """Whether an optimiser has made one layer of three; the names that it gives tell."""
    weight = call.value(1)
    name = "" if weight is None or not weight.tensor.stored else weight.tensor.name
    return name.startswith(_OF_SESSIONS) or _OF_OPTIMISER in name


def _linear_part(call: Call, source: str, start: int, end: int) -> str:
    made = call.write("MatMul", source, call.part(1, start, end, axis=1))
    return str(call.write("Add", made, call.part(2, start, end)) if call.has(2) else made)


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    (MICROSOFT, "MultiHeadAttention"): multi_head(Places(shift=3, mask=4, added=5, past=6, shares=8)),
    (MICROSOFT, "DecoderMaskedMultiHeadAttention"): multi_head(Places(shift=10, mask=3, added=4, past=5)),
    (MICROSOFT, "GroupQueryAttention"): grouped(Places(added=10, past=3, tables=7)),
    (MICROSOFT, "SparseAttention"): grouped(Places(past=3, shares=3, tables=9)),
    (MICROSOFT, "Attention"): _with_layer,
    (MICROSOFT, "DecoderMaskedSelfAttention"): _with_layer,
}
"""By domain and name."""
