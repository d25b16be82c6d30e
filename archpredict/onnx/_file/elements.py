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

Same = Callable[[str, str], bool]
"""Whether two stored tensors of two axes hold the same elements, transposed or not."""

_MOST_BYTES = 1 << 30
"""Of a tensor that is compared."""
_ROWS = 512
_GZIP = b"\x1f\x8b"
_GRAPH, _INITIALIZER = 7, 5
_DIMS, _TYPE, _FLOATS, _NAME, _RAW = 1, 2, 4, 8, 9


@dataclass(frozen=True)
class _Place:
    """Where a tensor's elements are in a file."""

    shape: tuple[int, int]
    width: int
    offset: int

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1] * self.width


def none_the_same(a: str, b: str) -> bool:
    """Where no elements are at hand, every tensor is one of its own."""
    return False


def same_in_file(path: Path) -> Same:
    """Compares tensors of a file, plain or compressed with gzip."""

    def same(a: str, b: str) -> bool:
        try:
            with _opened(path) as stream:
                places = dict(_places(stream, {a, b}))
                first, second = places.get(a), places.get(b)
                if first is None or second is None:
                    return False
                return _equal(_read(stream, first), _read(stream, second))
        except (OSError, EOFError, zlib.error, WireError, ValueError, MemoryError):
            return False

    return same


def same_in_model(model: onnx.ModelProto) -> Same:
    """Compares tensors of a model in memory."""

    def same(a: str, b: str) -> bool:
        found = {t.name: t for t in model.graph.initializer if t.name in (a, b)}
        return len(found) == 2 and _equal(_of_proto(found[a]), _of_proto(found[b]))

    return same


def _of_proto(tensor: Any) -> Any:
    width = _width(tensor.data_type)
    raw = tensor.raw_data or np.asarray(tensor.float_data, np.float32).tobytes()
    if len(tensor.dims) != 2 or not width or len(raw) != tensor.dims[0] * tensor.dims[1] * width:
        return None
    return np.frombuffer(raw, f"<u{width}").reshape(tuple(tensor.dims))


def _equal(a: Any, b: Any) -> bool:
    """Whether two matrices are equal, or one is the other transposed; bit by bit, a few rows first."""
    if a is None or b is None or a.dtype != b.dtype:
        return False
    for other in (b, b.T):
        if a.shape == other.shape:
            few = np.linspace(0, len(a) - 1, min(16, len(a))).astype(np.int64)
            if (a[few] == other[few]).all() and _all_equal(a, other):
                return True
    return False


def _all_equal(a: Any, b: Any) -> bool:
    return all(bool((a[i : i + _ROWS] == b[i : i + _ROWS]).all()) for i in range(0, len(a), _ROWS))


# ---------------------------------------------------------------------- files


def _opened(path: Path) -> io.BufferedIOBase:
    with path.open("rb") as stream:
        compressed = stream.read(2) == _GZIP
    return gzip.open(path) if compressed else path.open("rb")


def _read(stream: io.BufferedIOBase, place: _Place) -> Any:
    if place.size > _MOST_BYTES:
        return None
    stream.seek(place.offset)
    raw = stream.read(place.size)
    return np.frombuffer(raw, f"<u{place.width}").reshape(place.shape) if len(raw) == place.size else None


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
    dims: list[int] = []
    name, dtype, offset, length = "", 0, 0, -1
    for number, place, value in fields(stream, (start, size)):
        if number == _DIMS and place < 0:
            dims.append(value)
        elif number == _DIMS and len(dims) < 3:
            stream.seek(place)
            dims += _packed(stream.read(min(value, 30)))
        elif number == _TYPE:
            dtype = value
        elif number == _NAME:
            stream.seek(place)
            name = stream.read(min(value, 1 << 16)).decode("utf-8", "backslashreplace")
        elif number in (_RAW, _FLOATS) and place >= 0:
            offset, length = place, value
    width = _width(dtype)
    if name not in names or len(dims) != 2 or not width or dims[0] * dims[1] * width != length or length < 1:
        return None
    return name, _Place((dims[0], dims[1]), width, offset)


def _packed(raw: bytes) -> list[int]:
    """Numbers of several bytes each, seven bits in a byte."""
    found, number, shift = [], 0, 0
    for byte in raw:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(number)
            number, shift = 0, 0
    return found


def _width(dtype: int) -> int:
    """Bytes of an element, 0 where it has not 1, 2, 4 or 8 of them."""
    return {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 10: 2, 11: 8, 16: 2, 17: 1, 18: 1, 19: 1, 20: 1}.get(dtype, 0)
