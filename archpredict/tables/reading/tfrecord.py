"""TFRecord files: length, checksum of the length, data, checksum of the data, again and again.

Format: https://www.tensorflow.org/tutorials/load_data/tfrecord (u64 and u32, little-endian; masked CRC-32C).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from archpredict.errors import DataError
from archpredict.tables.reading.crc32c import crc32c, masked
from archpredict.tables.reading.files import MAX_LINES, TableStream, opened

MAX_RECORD = 50_000
"""Bytes; records of NAS-Bench-101 have about 600."""

_BLOCK = 1 << 20
_HEADER = struct.Struct("<QI")
_HEAD, _TAIL = 12, 4
_CHECKSUM = struct.Struct("<I")
_REMEDY = "copy or download it again"


def records(path: Path) -> Iterator[bytes]:
    """The data of each record; a block of them is checked before the first of it is given out.

    Raises:
        DataError: The file is truncated, a checksum is wrong, or a record is too long; names the record, from 1.
    """
    with opened(path) as source:
        yield from _Reader(path, source)


class _Reader:
    def __init__(self, path: Path, source: TableStream) -> None:
        self._path, self._source, self._number = path, source, 1
        self._ahead = b""

    def __iter__(self) -> Iterator[bytes]:
        ended = False
        while not ended:
            more = self._source.read(_BLOCK, f"record {self._number}")
            ended = len(more) < _BLOCK
            block = self._ahead + more
            starts, used = _whole_records(block)
            ends = [*starts, used][1:]
            pieces = [block[start + _HEAD : end - _TAIL] for start, end in zip(starts, ends, strict=True)]
            self._check(block, starts, pieces)
            yield from pieces
            self._number += len(starts)
            if self._number > MAX_LINES:
                raise DataError(f"{self._path} has more than {MAX_LINES:,} records, the most that is read")
            self._ahead = block[used:]
            self._check_rest(ended)

    def _check(self, block: bytes, starts: list[int], pieces: list[bytes]) -> None:
        """All checksums of the whole records of a block."""
        if not starts:
            return
        heads = [block[start : start + 8] for start in starts]
        stored = [_HEADER.unpack_from(block, start)[1] for start in starts]
        wrong = masked(crc32c(heads)) != np.array(stored, dtype=np.uint32)
        ends = (start + _HEAD + len(piece) for start, piece in zip(starts, pieces, strict=True))
        stored = [_CHECKSUM.unpack_from(block, end)[0] for end in ends]
        wrong |= masked(crc32c(pieces)) != np.array(stored, dtype=np.uint32)
        if wrong.any():
            raise self._broken(int(wrong.argmax()))

    def _check_rest(self, ended: bool) -> None:
        """What follows the whole records: nothing, or the beginning of one that goes on in the next block."""
        if len(self._ahead) >= _HEAD:
            length, stored = _HEADER.unpack_from(self._ahead)
            if masked(crc32c([self._ahead[:8]]))[0] != stored:
                raise self._broken(0)
            if length > MAX_RECORD:
                raise DataError(
                    f"{self._path}, record {self._number}: it has {length:,} bytes, more than {MAX_RECORD:,}, the most "
                    "that is read; is this NAS-Bench-101?"
                )
        if ended and self._ahead:
            raise DataError(
                f"{self._path}, record {self._number}: the file ends within this record, so it is truncated; {_REMEDY}"
            )

    def _broken(self, place: int) -> DataError:
        return DataError(
            f"{self._path}, record {self._number + place}: its checksum is wrong, so the file is damaged or no "
            f"TFRecord file; {_REMEDY}"
        )


def _whole_records(block: bytes) -> tuple[list[int], int]:
    """Where the records begin that lie in a block wholly, and where the last of them ends."""
    starts, at, size = [], 0, len(block)
    while at + _HEAD <= size:
        length = _HEADER.unpack_from(block, at)[0]
        end = at + _HEAD + length + _TAIL
        if length > MAX_RECORD or end > size:
            break
        starts.append(at)
        at = end
    return starts, at
