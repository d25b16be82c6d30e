"""The bytes of an ONNX file without its weights: what is left parses in little memory, whatever the file holds.

A file may be 2 GB of weights, or a few MB that would unfold into gigabytes of Python objects; so the protocol buffer
is walked field by field, with seeks over what is not needed, before a library sees it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Final

MAX_PAYLOAD: Final = 2048
"""Bytes of a tensor's elements that are kept: numbers that shapes depend on are few."""
MAX_FIELD: Final = 1 << 16
"""Bytes of a name, attribute or type that is kept."""
MAX_FIELDS: Final = 2_000_000
"""Fields in all: a parsed field takes up to 200 bytes."""
MAX_KEPT: Final = 1 << 26
MAX_DEPTH: Final = 60
"""Levels of messages; a body in a body takes three."""

_IN_MEMORY: Final = 1 << 20
_SHORT: Final = 0x7F
"""The longest text whose length is one byte."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """What these bytes are not, as the end of a sentence."""


_Read = Callable[[int], bytes]
_Table = Mapping[int, "str | None"]
"""Field numbers: the message in a field, ``"copy"`` for one that is not looked into, ``"text"``, None for what is
dropped; other fields are copied."""

_PAYLOAD = (4, 5, 6, 7, 9, 10, 11)
_MESSAGES: Mapping[str, _Table] = {
    "model": {
        **dict.fromkeys((2, 3, 4), "text"),
        **dict.fromkeys((6, 14, 20, 26), None),
        7: "graph",
        8: "opset",
        25: "function",
    },
    "graph": {
        **dict.fromkeys((10, 14, 16), None),
        **dict.fromkeys((11, 12, 13), "value"),
        1: "node",
        5: "tensor",
        15: "sparse",
    },
    "node": {**dict.fromkeys((1, 2, 3, 4, 7, 8), "text"), **dict.fromkeys((6, 9, 10), None), 5: "attribute"},
    "attribute": {
        **dict.fromkeys((1, 21), "text"),
        **dict.fromkeys((5, 10), "tensor"),
        **dict.fromkeys((6, 11), "graph"),
        **dict.fromkeys((14, 15), "copy"),
        **dict.fromkeys((22, 23), "sparse"),
        13: None,
    },
    "tensor": {**dict.fromkeys((12, 13, 16), None), 3: "copy", 8: "text"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {
        **dict.fromkeys((1, 4, 5, 6, 10, 13), "text"),
        **dict.fromkeys((8, 14), None),
        7: "node",
        9: "opset",
        11: "attribute",
        12: "value",
    },
    "value": {1: "text", 2: "copy", 3: None, 4: None},
    "opset": {1: "text"},
}


_PLAIN = ("", "copy", "text")


class ByteSource:
    """Bytes that are read once, from the front.

    Args:
        stream: Where they come from.
        size: How many there are, None where that shows only at the end.
    """

    def __init__(self, stream: io.BufferedIOBase, size: int | None) -> None:
        self.stream, self.size = stream, size

    def skip(self, count: int) -> None:
        """Pass over bytes: by seeking where the size is known."""
        if self.size is not None:
            self.stream.seek(count, io.SEEK_CUR)
            return
        while count > 0:
            part = self.stream.read(min(count, _IN_MEMORY))
            if not part:
                raise WireError("ends in the middle of a field")
            count -= len(part)


def without_weights(source: ByteSource) -> bytes:
    """A serialized ModelProto as it was, but for weights, documentation and training.

    Raises:
        WireError: These are no fields of a protocol buffer, or too many.
    """
    return b"".join(_Slimmer().message(source, source.size, "model", 0))


class _Slimmer:
    def __init__(self) -> None:
        self.fields, self.kept = 0, 0

    def message(self, source: ByteSource, size: int | None, name: str, depth: int) -> list[bytes]:
        """The fields of the next ``size`` bytes that are kept, as parts to be joined."""
        _check_depth(depth)
        parts: list[bytes] = []
        table, left = _MESSAGES[name], size
        read = source.stream.read
        while left is None or left > 0:
            tag, tag_bytes = _varint(read, at_end=left is None)
            if not tag_bytes:
                break
            number, kind = tag >> 3, tag & 7
            value, value_bytes = _value(read, kind)
            used = len(tag_bytes) + len(value_bytes) + (value if kind == _BYTES else 0)
            if left is not None:
                left -= used
                if left < 0:
                    raise WireError("ends in the middle of a field")
            self._count(1)
            if kind != _BYTES:
                if not (name == "tensor" and number in _PAYLOAD and len(parts) > MAX_PAYLOAD):
                    parts.append(tag_bytes + value_bytes)
                continue
            body = self._field(source, value, name, number, table.get(number, ""), depth)
            if body is not None:
                length = sum(map(len, body))
                self._keep(length if table.get(number, "") in _PLAIN else 0)
                parts.append(tag_bytes + (value_bytes if length == value else _encoded(length)))
                parts += body
        return parts

    def within(self, data: bytes, name: str, depth: int) -> bytes:
        """:meth:`message` of bytes that are in memory, joined: the same, several times faster."""
        _check_depth(depth)
        parts: list[bytes] = []
        table, position, end = _MESSAGES[name], 0, len(data)
        while position < end:
            begin = position
            tag = data[begin]  # most numbers have one byte
            tag, inside = (tag, begin + 1) if tag < 0x80 else _number(data, begin)
            number, kind = tag >> 3, tag & 7
            if kind == _BYTES and inside < end and data[inside] < 0x80:
                value, position = data[inside], inside + 1
            else:
                value, position = _number_or_fixed(data, inside, kind)
            after = position + value if kind == _BYTES else position
            if after > end:
                raise WireError("ends in the middle of a field")
            self._count(1)
            if kind != _BYTES:
                if not (name == "tensor" and number in _PAYLOAD and len(parts) > MAX_PAYLOAD):
                    parts.append(data[begin:position])
                continue
            inner = table.get(number, "")
            if inner == "text" and value <= _SHORT and (raw := data[begin:after]).isascii():
                self._keep(value)
                parts.append(raw)
            elif (body := self._body(data, position, after, name, number, inner, depth)) is not None:
                parts.append(data[begin:position] if len(body) == value else data[begin:inside] + _encoded(len(body)))
                parts.append(body)
            position = after
        return b"".join(parts)

    def _body(
        self, data: bytes, begin: int, end: int, name: str, number: int, inner: str | None, depth: int
    ) -> bytes | None:
        """What is kept of a field in memory, None for nothing."""
        if inner is None or (inner in _PLAIN and end - begin > _limit(name, number)):
            return None
        if inner not in _PLAIN:
            return self.within(data[begin:end], inner, depth + 1)
        body = self._plain(data[begin:end], inner)
        self._keep(len(body))
        return body

    def _field(
        self, source: ByteSource, size: int, name: str, number: int, inner: str | None, depth: int
    ) -> list[bytes] | None:
        if inner is None or (inner in _PLAIN and size > _limit(name, number)):
            source.skip(size)
            return None
        if inner in _PLAIN:
            return [self._plain(_exactly(source, size), inner)]
        if size <= _IN_MEMORY:
            return [self.within(_exactly(source, size), inner, depth + 1)]
        return self.message(source, size, inner, depth + 1)

    def _plain(self, raw: bytes, inner: str) -> bytes:
        """What is not looked into."""
        if inner == "copy":
            self._count(len(raw) // 4)
        # What is not UTF-8 would come back as bytes where names are expected.
        return raw if inner != "text" or raw.isascii() else raw.decode("utf-8", "backslashreplace").encode()

    def _count(self, fields: int) -> None:
        self.fields += fields
        if self.fields > MAX_FIELDS:
            raise WireError(f"has more than {MAX_FIELDS:,} fields, the most that are read")

    def _keep(self, size: int) -> None:
        self.kept += size
        if self.kept > MAX_KEPT:
            raise WireError(f"has more than {MAX_KEPT:,} bytes beside its weights, the most that are read")


def fields(stream: io.BufferedIOBase, part: tuple[int, int] | None) -> Iterator[tuple[int, int, int]]:
    """The fields of a message, without reading what is in them.

    Args:
        stream: The bytes, which can be seeked in.
        part: Where the message begins and how many bytes it has; None for all there are.

    Yields:
        The field's number, where its bytes begin, and how many there are; -1 and the number for one that is a number.

    Raises:
        WireError: These are no fields of a protocol buffer, or too many.
    """
    position, end = (0, None) if part is None else (part[0], part[0] + part[1])
    for _ in range(MAX_FIELDS):
        if end is not None and position >= end:
            return
        stream.seek(position)
        tag, tag_bytes = _varint(stream.read, at_end=end is None)
        if not tag_bytes:
            return
        value, value_bytes = _value(stream.read, tag & 7)
        position += len(tag_bytes) + len(value_bytes)
        if tag & 7 == _BYTES:
            yield tag >> 3, position, value
            position += value
        else:
            yield tag >> 3, -1, value
    raise WireError(f"has more than {MAX_FIELDS:,} fields, the most that are read")


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise WireError(f"has bodies within bodies more than {MAX_DEPTH // 3} deep")


def _limit(name: str, number: int) -> int:
    """Bytes of a field that are kept."""
    return MAX_PAYLOAD if name == "tensor" and number in _PAYLOAD else MAX_FIELD


def _exactly(source: ByteSource, size: int) -> bytes:
    data = source.stream.read(size)
    if len(data) < size:
        raise WireError("ends in the middle of a field")
    return data


def _varint(read: _Read, at_end: bool = False) -> tuple[int, bytes]:
    """The next number and its bytes; no bytes where the source may end, and does."""
    first = read(1)
    if not first:
        if at_end:
            return 0, b""
        raise WireError("ends in the middle of a field")
    if first[0] < 0x80:
        return first[0], first
    raw, number, shift = bytearray(first), first[0] & 0x7F, 7
    while True:
        following = read(1)
        if not following or shift > 63:
            raise WireError("ends in the middle of a field" if not following else "has a number of more than 64 bits")
        raw += following
        number |= (following[0] & 0x7F) << shift
        if following[0] < 0x80:
            return number, bytes(raw)
        shift += 7


def _number(data: bytes, position: int) -> tuple[int, int]:
    """The number that begins at a place in memory, and where it ends."""
    number = shift = 0
    while position < len(data) and shift <= 63:
        byte = data[position]
        number |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return number, position
        shift += 7
    ended = position >= len(data)
    raise WireError("ends in the middle of a field" if ended else "has a number of more than 64 bits")


def _number_or_fixed(data: bytes, position: int, kind: int) -> tuple[int, int]:
    """:func:`_value` in memory: a field's number, or the length of its bytes, and where it ends."""
    if kind in (_VARINT, _BYTES):
        return _number(data, position)
    if kind not in (_FIXED64, _FIXED32):
        raise WireError("is no protocol buffer")
    return 0, position + (8 if kind == _FIXED64 else 4)


def _value(read: _Read, kind: int) -> tuple[int, bytes]:
    """A field's number, or the length of its bytes, with the bytes that say so."""
    if kind in (_VARINT, _BYTES):
        return _varint(read)
    if kind not in (_FIXED64, _FIXED32):
        raise WireError("is no protocol buffer")
    size = 8 if kind == _FIXED64 else 4
    raw = read(size)
    if len(raw) < size:
        raise WireError("ends in the middle of a field")
    return 0, raw


def _encoded(number: int) -> bytes:
    raw = bytearray()
    while number > 0x7F:
        raw.append(number & 0x7F | 0x80)
        number >>= 7
    raw.append(number)
    return bytes(raw)
