"""Elements of stored tensors, read only where two tensors have to be compared: a table that a file may hold twice."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from archpredict.onnx._file.wire import WireError, fields

Matrix = tuple[str, tuple[int, int]]
"""The name of a stored tensor, and its lengths before it was packed."""
Same = Callable[[Matrix, Matrix], bool]
"""Whether two stored tensors hold the same elements, transposed or not; of integers, nearly the same numbers."""

_MOST_BYTES = 1 << 30
"""Of a tensor that is compared."""
_ROWS = 512
_FEW = 16
_GZIP = b"\x1f\x8b"
_GRAPH, _INITIALIZER = 7, 5
_TYPE, _FLOATS, _NAME, _RAW = 2, 4, 8, 9
_FRACTIONS = {1: "<f4", 10: "<f2", 11: "<f8", 16: "<u2"}
"""ONNX's types of numbers with a fraction, as NumPy has them."""
_BFLOAT16, _INT4 = 16, 22
_INTEGERS = {2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 17: "u1", 18: "u1", 19: "u1", 20: "u1", 21: "u1", 22: "u1"}
_BLOCK = 16
"""Numbers that have one scale at least, where they have not all that are in a row."""
_ALIKE, _LEAST, _MOST_OF = 0.85, 8, 0.9
"""Least correlation of two blocks of the same numbers, and how many and what share of them: never so by chance."""


@dataclass(frozen=True)
class _Place:
    """Where a tensor's elements are in a file, and ONNX's number of their type."""

    dtype: int
    offset: int
    size: int


def none_the_same(a: Matrix, b: Matrix) -> bool:
    """Where no elements are at hand, every tensor is one of its own."""
    return False


def same_in_file(path: Path) -> Same:
    """Compares tensors of a file, plain or compressed with gzip."""

    def same(a: Matrix, b: Matrix) -> bool:
        try:
            with _opened(path) as stream:
                places = dict(_places(stream, {a[0], b[0]}))
                read = [_read(stream, places.get(name), lengths) for name, lengths in (a, b)]
            return _equal(*read)
        except (OSError, EOFError, zlib.error, WireError, ValueError, MemoryError):
            return False

    return same


def same_in_model(model: onnx.ModelProto) -> Same:
    """Compares tensors of a model in memory."""

    def same(a: Matrix, b: Matrix) -> bool:
        found = {t.name: t for t in model.graph.initializer if t.name in (a[0], b[0])}
        return len(found) == 2 and _equal(*(_of_proto(found[name], lengths) for name, lengths in (a, b)))

    return same


def _of_proto(tensor: Any, lengths: tuple[int, int]) -> Any:
    raw = tensor.raw_data or np.asarray(tensor.float_data, np.float32).tobytes()
    return _matrix(raw, tensor.data_type, lengths)


def _matrix(raw: bytes, dtype: int, lengths: tuple[int, int]) -> Any:
    """Numbers, or integers that may be packed into bytes row by row; None where the bytes are no such matrix."""
    rows, columns = lengths
    if min(lengths) < 1 or not raw or len(raw) % rows:
        return None
    if dtype in _FRACTIONS:
        numbers = np.frombuffer(raw, _FRACTIONS[dtype])
        if dtype == _BFLOAT16:
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        return numbers.reshape(lengths) if numbers.size == rows * columns else None
    if dtype not in _INTEGERS:
        return None
    whole = np.frombuffer(raw, _INTEGERS[dtype]).reshape(rows, -1)
    bits = next((n for n in (8, 4, 2) if whole.shape[1] * 8 // n >= columns), 0)
    return _unpacked(whole, bits, dtype == _INT4)[:, :columns] if bits else None


def _unpacked(whole: Any, bits: int, signed: bool) -> Any:
    """The integers of so many bits in bytes, the lowest bits first."""
    if bits == 8 or whole.dtype.itemsize > 1:
        return whole
    parts = np.stack([whole >> shift & (1 << bits) - 1 for shift in range(0, 8, bits)], axis=-1)
    parts = parts.reshape(len(whole), -1).astype(np.int8)
    return (parts ^ 8) - 8 if signed else parts


def _equal(a: Any, b: Any) -> bool:
    """Whether two matrices are equal, or one is the other transposed; a few rows first."""
    if a is None or b is None:
        return False
    exact = a.dtype.kind == b.dtype.kind == "f"
    for other in (b, b.T):
        if a.shape == other.shape:
            few = np.linspace(0, len(a) - 1, min(_FEW, len(a))).astype(np.int64)
            if not exact:
                if _alike(a[few], other[few]):
                    return True
            elif _same_numbers(a[few], other[few]) and _all_equal(a, other):
                return True
    return False


def _alike(a: Any, b: Any) -> bool:
    """Whether rows were the same numbers before they were rounded to integers, by scales of either sign."""
    if a.shape[1] < _LEAST:
        return False
    if a.shape[1] % _BLOCK == 0:
        a, b = a.reshape(-1, _BLOCK), b.reshape(-1, _BLOCK)
    rows = [m.astype(np.float64) - m.mean(axis=1, keepdims=True, dtype=np.float64) for m in (a, b)]
    lengths = np.sqrt((rows[0] ** 2).sum(axis=1) * (rows[1] ** 2).sum(axis=1))
    kept = lengths > 0
    close = abs((rows[0] * rows[1]).sum(axis=1)[kept]) >= _ALIKE * lengths[kept]
    return bool(close.size >= _LEAST and close.mean() >= _MOST_OF)


def _all_equal(a: Any, b: Any) -> bool:
    return all(_same_numbers(a[i : i + _ROWS], b[i : i + _ROWS]) for i in range(0, len(a), _ROWS))


def _same_numbers(a: Any, b: Any) -> bool:
    """Whether rows are equal as far as the shorter of their types tells."""
    shorter = min(a.dtype, b.dtype, key=lambda dtype: dtype.itemsize)
    with np.errstate(over="ignore"):
        return bool((a.astype(shorter, copy=False) == b.astype(shorter, copy=False)).all())


# ---------------------------------------------------------------------- files


def _opened(path: Path) -> io.BufferedIOBase:
    with path.open("rb") as stream:
        compressed = stream.read(2) == _GZIP
    return gzip.open(path) if compressed else path.open("rb")


def _read(stream: io.BufferedIOBase, place: _Place | None, lengths: tuple[int, int]) -> Any:
    if place is None or not 0 < place.size <= _MOST_BYTES:
        return None
    stream.seek(place.offset)
    raw = stream.read(place.size)
    return _matrix(raw, place.dtype, lengths) if len(raw) == place.size else None


def _places(stream: io.BufferedIOBase, names: set[str]) -> Iterator[tuple[str, _Place]]:
    """The tensors of these names, without a look at the others."""
    for number, start, size in fields(stream, None):
        if number != _GRAPH:
            continue
        for inner, tensor, length in fields(stream, (start, size)):
            if inner != _INITIALIZER:
                continue
            named = _place(stream, tensor, length, names)
            if named is not None:
                yield named


def _place(stream: io.BufferedIOBase, start: int, size: int, names: set[str]) -> tuple[str, _Place] | None:
    name, dtype, offset, length = "", 0, 0, 0
    for number, place, value in fields(stream, (start, size)):
        if number == _TYPE:
            dtype = value
        elif number == _NAME:
            stream.seek(place)
            name = stream.read(min(value, 1 << 16)).decode("utf-8", "backslashreplace")
        elif number in (_RAW, _FLOATS) and place >= 0:
            offset, length = place, value
    return (name, _Place(dtype, offset, length)) if name in names else None
