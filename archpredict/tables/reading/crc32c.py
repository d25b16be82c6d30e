"""CRC-32C (Castagnoli) of many byte strings at a time, with numpy alone.

Strings of about one length are the rows of a matrix, and all advance together by four bytes: two look-ups in tables of
65,536 words. A CRC that starts from zero does not see zeros in front, so rows are filled up there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]

_POLYNOMIAL = 0x82F63B78
_WORD = 4
_MASK_DELTA = 0xA282EAD8


def crc32c(pieces: Sequence[bytes]) -> Words:
    """CRC-32C of each string (RFC 3720, appendix B.4).

    Args:
        pieces: R strings of any lengths.

    Returns:
        ``(R,)`` checksums.

    Example:
        >>> [hex(crc) for crc in crc32c([b"123456789", b""])]
        ['0xe3069283', '0x0']
    """
    found = np.zeros(len(pieces), dtype=np.uint32)
    classes = np.array([max(len(piece), _WORD).bit_length() for piece in pieces])  # lengths within a factor of two
    for size in np.unique(classes).tolist():
        rows = np.flatnonzero(classes == size).tolist()
        found[rows] = _of_similar([pieces[row] for row in rows])
    return found


def masked(crc: Words) -> Words:
    """The form in which TFRecord files store a checksum: rotated right by 15 bits, plus a constant."""
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(_MASK_DELTA)


def _of_similar(pieces: list[bytes]) -> Words:
    lengths = np.array([len(piece) for piece in pieces])
    width = -(-max(int(lengths.max()), _WORD) // _WORD) * _WORD
    matrix = np.frombuffer(bytearray(b"".join(piece.rjust(width, b"\0") for piece in pieces)), dtype=np.uint8)
    matrix = matrix.reshape(len(pieces), width)
    for i in range(_WORD):  # the state at the start, all ones, is as if the first four bytes had been complemented
        rows = np.flatnonzero(lengths > i)
        matrix[rows, width - lengths[rows] + i] ^= 0xFF
    low, high = _tables()
    state = np.zeros(len(pieces), dtype=np.uint32)
    for word in np.ascontiguousarray(matrix.view("<u4").T).astype(np.uint32, copy=False):
        state ^= word
        state = low.take(state & np.uint32(0xFFFF)) ^ high.take(state >> np.uint32(16))
    short = lengths < _WORD  # shorter than the state: part of its ones is left
    state[short] ^= np.uint32(0xFFFFFFFF) >> (8 * lengths[short]).astype(np.uint32)
    return ~state


@cache
def _tables() -> tuple[Words, Words]:
    """What the lower and the upper half of a word give."""
    pairs = np.arange(1 << 16, dtype=np.uint32)
    high = _after(pairs, 16)
    return _after(high, 16), high


def _after(state: Words, bits: int) -> Words:
    """The state after so many zero bits."""
    for _ in range(bits):
        state = np.where(state & 1, (state >> np.uint32(1)) ^ np.uint32(_POLYNOMIAL), state >> np.uint32(1))
    return state
