"""Operators whose weight is packed, several numbers to a byte, written out as those on the weight itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from archpredict.onnx._file.protos import Shape
from archpredict.onnx._written_out.expansion import MICROSOFT, Call, Expansion

_FLOAT, _UINT8 = 1, 2
_LEAST_BITS = 1
_MOST = 1 << 40


def _weight(call: Call, place: int, rows: int, columns: int) -> str | None:
    """Name of the weight of so many rows and columns; None where so many cannot be in it."""
    held = _elements(call.shape(place))
    if not call.has(place) or not (0 < rows < _MOST and 0 < columns < _MOST):
        return None
    if 0 <= held * 8 < _LEAST_BITS * rows * columns:
        return None
    return _like(call, call.unpacked(place, (rows, columns)), 0)


def _like(call: Call, name: str, place: int) -> str:
    """A tensor in the type that the numbers at a place have."""
    value = call.value(place)
    return name if value is None or value.dtype in (0, _FLOAT) else call.write("Cast", name, to=value.dtype)


def _elements(shape: Shape) -> int:
    return -1 if shape is None or min(shape, default=0) < 0 else prod(shape)


def _product(call: Call, source: str, place: int, rows: int, columns: int, bias: int = -1) -> str | None:
    """A tensor times a packed weight of so many rows, one for each number of the result, plus a bias."""
    weight = _weight(call, place, rows, columns)
    if weight is None:
        return None
    result: str = call.write("MatMul", source, call.write("Transpose", weight, perm=[1, 0]))
    return call.write("Add", result, call.input(bias)) if call.has(bias) else result


def _of_few_bits(call: Call) -> Sequence[str] | None:
    """``MatMulNBits``: the numbers of rows and columns are attributes."""
    result = _product(call, call.input(0), 1, call.integer("N"), call.integer("K"), 5)
    return None if result is None else (result,)


def _of_normal_floats(call: Call) -> Sequence[str] | None:
    """``MatMulBnb4``, with the weight turned or, in the pass backward, as it is."""
    rows, columns = call.integer("N"), call.integer("K")
    weight = _weight(call, 1, rows, columns)
    if weight is None:
        return None
    if call.integer("transB", 1):
        weight = call.write("Transpose", weight, perm=[1, 0])
    return (call.write("MatMul", call.input(0), weight),)


def _of_blob(call: Call) -> Sequence[str] | None:
    """``MatMulFpQ4``: the numbers of rows and columns are the third input."""
    lengths = call.data(2)
    if lengths is None or lengths.size != 2 or lengths.dtype.kind not in "iu":
        return None
    weight = _weight(call, 1, *(int(n) for n in lengths.reshape(-1)))
    return None if weight is None else (call.write("MatMul", call.input(0), weight),)


def _of_float8(call: Call) -> Sequence[str] | None:
    """``MatMulBlockQuantizedFp8Weight``: the weight has a byte for each number."""
    if len(call.shape(1) or ()) != 2:
        return None
    result = call.write("MatMul", call.input(0), call.write("Transpose", _like(call, call.real(1), 0), perm=[1, 0]))
    return (call.write("Add", result, call.input(4)) if call.has(4) else result,)


def _of_float4(call: Call) -> Sequence[str] | None:
    """``MatMulBlockQuantizedFp4Weight``: the weight has a byte for two numbers."""
    shape = call.shape(1)
    if shape is None or len(shape) != 2:
        return None
    result = _product(call, call.input(0), 1, shape[0], 2 * shape[1], 5)
    return None if result is None else (result,)


def _gemm(call: Call) -> Sequence[str] | None:
    """``GemmFloat8``, perhaps with an activation behind it."""
    function = call.attributes.get("activation", "NONE")
    result = call.plain("Gemm", call.real(0), call.real(1), call.input(2))
    if function in ("NONE", "", b"NONE"):
        return (result,)
    op = {"RELU": "Relu", "GELU": "Gelu"}.get(function.decode() if isinstance(function, bytes) else str(function))
    return (call.write(op, result),) if op else None


def _gather(call: Call) -> Sequence[str] | None:
    """``GatherBlockQuantized``: rows of a table, of which a byte holds several numbers unless its type says fewer."""
    shape, table = call.shape(0), call.value(0)
    axis = call.integer("gather_axis")
    if shape is None or table is None or not shape or min(shape) < 0:
        return None
    if table.tensor.dtype != _UINT8:
        return (_like(call, call.write("Gather", call.real(0), call.input(1), axis=axis), 2),)
    bits = call.integer("bits", 4)
    if bits not in (2, 4, 8):
        return None
    whole = (*shape[:-1], shape[-1] * 8 // bits)
    return (_like(call, call.write("Gather", call.unpacked(0, whole), call.input(1), axis=axis), 2),)


def _from_block_floats(call: Call) -> Sequence[str] | None:
    """``DequantizeBFP``: numbers as they were before, or of a stored tensor whose lengths are the second input."""
    lengths = call.data(1)
    if not call.constant(0) or lengths is None:
        return (call.real(0),)
    shape = tuple(int(n) for n in lengths.reshape(-1))
    held = _elements(call.shape(0))
    if min(shape, default=1) < 1 or max(shape, default=1) > _MOST or not 0 < prod(shape) <= held * 8 * 4:
        return None
    return (call.write("Identity", call.unpacked(0, shape)),)


def _normalised(call: Call, source: str, place: int) -> tuple[str, str]:
    """An RMS norm of a tensor, or of the sum of it and another that is in front of the scale; and that sum."""
    if call.has(place - 1):
        source = call.write("Add", source, call.input(place - 1))
    if not call.has(place):
        return source, source
    return call.write("RMSNormalization", source, call.input(place), axis=-1), source


_ACTIVATIONS = {"silu": "Silu", "gelu": "Gelu", "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}


def _gated(call: Call) -> Sequence[str] | None:
    """``MatMulNBitsMlp``: a norm, a layer and its gate."""
    name = call.attributes.get("activation", "silu")
    op = _ACTIVATIONS.get(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name))
    rows, columns = call.integer("N"), call.integer("K")
    source, together = _normalised(call, call.input(0), 2)
    gate, up = (_product(call, source, place, rows, columns, place + 2) for place in (3, 6))
    if gate is None or up is None or op is None:
        return None
    gate = call.write("Mul", gate, call.write("Sigmoid", gate)) if op == "Silu" else call.write(op, gate)
    return call.write("Mul", gate, up), together


def _queries_keys_values(call: Call) -> Sequence[str] | None:
    """``MatMulNBitsQkv``: a norm, and the layers to queries, keys and values."""
    source, together = _normalised(call, call.input(0), 2)
    rows, columns = (call.integer("Nq"), *[call.integer("Nkv")] * 2), call.integer("K")
    parts = [_product(call, source, place, n, columns, place + 2) for place, n in zip((3, 6, 9), rows, strict=True)]
    return None if None in parts else (*(part or "" for part in parts), together)


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    (MICROSOFT, "MatMulNBits"): _of_few_bits,
    (MICROSOFT, "MatMulNBitsMlp"): _gated,
    (MICROSOFT, "MatMulNBitsQkv"): _queries_keys_values,
    (MICROSOFT, "MatMulBnb4"): _of_normal_floats,
    (MICROSOFT, "MatMulFpQ4"): _of_blob,
    (MICROSOFT, "MatMulBlockQuantizedFp8Weight"): _of_float8,
    (MICROSOFT, "MatMulBlockQuantizedFp4Weight"): _of_float4,
    (MICROSOFT, "GemmFloat8"): _gemm,
    (MICROSOFT, "GatherBlockQuantized"): _gather,
    (MICROSOFT, "DequantizeBFP"): _from_block_floats,
}
"""By domain and name."""
