from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.tables.reading.crc32c import crc32c, masked


def bit_by_bit(data: bytes) -> int:
    """The definition: divide the bits, lowest first, by the reversed polynomial."""
    state = 0xFFFFFFFF
    for byte in data:
        for i in range(8):
            bit = (state ^ (byte >> i)) & 1
            state = (state >> 1) ^ (0x82F63B78 if bit else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"a", 0xC1D04330),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # RFC 3720, appendix B.4, here and below
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_published_checksums(data, expected):
    assert int(crc32c([data])[0]) == expected == bit_by_bit(data)


@given(st.lists(st.binary(max_size=70), max_size=8))
def test_many_strings_of_any_lengths_have_the_checksums_of_the_definition(pieces):
    assert crc32c(pieces).tolist() == [bit_by_bit(piece) for piece in pieces]


def test_strings_of_very_different_lengths_do_not_disturb_each_other():
    rng = np.random.default_rng(0)
    pieces = [rng.bytes(n) for n in (3, 5_000, 4, 0, 17, 1_023, 1_024, 1_025)]
    assert crc32c(pieces).tolist() == [bit_by_bit(piece) for piece in pieces]


def test_the_mask_is_a_rotation_and_a_constant():
    crc = 0xE3069283
    expected = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked(np.array([crc], dtype=np.uint32)).tolist() == [expected]
