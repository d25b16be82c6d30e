"""The two protobuf messages of NAS-Bench-101, read from the wire format by hand.

Fields as in ``nasbench/lib/model_metrics.proto`` of google-research/nasbench: ModelMetrics has evaluations (1, message,
repeated), trainable parameters (2, varint) and total time (3, double); an evaluation has epoch, training time, train,
validation and test accuracy (1 to 5, doubles) and the path of a checkpoint (6, text). Fields that are not known are
skipped, as the format asks for; the last of a repeated single field counts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DOUBLE = struct.Struct("<d")
_USUAL = struct.Struct("<BdBdBdBdBd")
"""An evaluation as every writer lays it out: all five doubles in order."""

_USUAL_TAGS = tuple(field << 3 | _FIXED64 for field in range(1, 6))


class Evaluation(NamedTuple):
    """One evaluation during a training; absent fields are 0, as in protobuf."""

    epoch: float = 0.0
    training_time: float = 0.0
    train_accuracy: float = 0.0
    valid_accuracy: float = 0.0
    test_accuracy: float = 0.0


def model_metrics(data: bytes) -> tuple[list[Evaluation], int]:
    """The evaluations in the order of the message, and the number of trainable parameters.

    Raises:
        ValueError: The bytes are no such message.
    """
    evaluations, params = [], 0
    for field, wire, value in _fields(data):
        if field == 1 and isinstance(value, bytes):
            evaluations.append(_evaluation(value))
        elif field == 2 and isinstance(value, int):
            params = value
        elif field <= 2 or (field == 3 and wire != _FIXED64):
            raise ValueError(f"field {field} of its metrics has wire type {wire}")
    return evaluations, params


def _evaluation(data: bytes) -> Evaluation:
    if len(data) >= _USUAL.size:
        usual = _USUAL.unpack_from(data)
        if usual[::2] == _USUAL_TAGS and len(data) == _USUAL.size:
            return Evaluation(*usual[1::2])
    values = [0.0] * 5
    for field, wire, value in _fields(data):
        if field <= 5:
            if not isinstance(value, float):
                raise ValueError(f"field {field} of an evaluation has wire type {wire}")
            values[field - 1] = value
    return Evaluation(*values)


def _fields(data: bytes) -> Iterator[tuple[int, int, int | float | bytes | None]]:
    """Number, wire type and value of each field; the value of a 32-bit field is None."""
    at = 0
    while at < len(data):
        tag, at = data[at], at + 1
        if tag >= 0x80:  # it goes on; most have one byte
            tag, at = _varint(data, at - 1)
        field, wire = tag >> 3, tag & 7
        if not field:
            raise ValueError("its metrics have a field 0")
        value: int | float | bytes | None = None
        if wire == _VARINT:
            value, at = _varint(data, at)
        elif wire == _FIXED64:
            end = at + 8
            value = _DOUBLE.unpack_from(data, at)[0] if end <= len(data) else None
            at = end
        elif wire == _BYTES:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        elif wire == _FIXED32:
            at += 4
        else:
            raise ValueError(f"its metrics have a field of wire type {wire}")
        if at > len(data):
            raise ValueError("its metrics end within a field")
        yield field, wire, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("its metrics end within a number")
