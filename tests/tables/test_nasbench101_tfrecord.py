"""The reader of the official files against an encoder that shares nothing with it."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import DataError
from archpredict.spaces.base import load_space
from archpredict.tables.formats.base import format_of, read_rows
from archpredict.tables.reading import nasbench101, tfrecord
from archpredict.tables.table import Table

TABLE = []
for number in range(256):
    for _ in range(8):
        number = (number >> 1) ^ (0x82F63B78 if number & 1 else 0)
    TABLE.append(number)


def masked_crc(data: bytes) -> int:
    state = 0xFFFFFFFF
    for byte in data:
        state = TABLE[(state ^ byte) & 0xFF] ^ (state >> 8)
    crc = state ^ 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def framed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def varint(value: int) -> bytes:
    parts = []
    while True:
        value, low = value >> 7, value & 127
        parts.append(low | (128 if value else 0))
        if not value:
            return bytes(parts)


def double(field: int, value: float) -> bytes:
    return varint(field * 8 + 1) + struct.pack("<d", value)


def nested(field: int, data: bytes) -> bytes:
    return varint(field * 8 + 2) + varint(len(data)) + data


def evaluation(epoch, time, train, valid, test, checkpoint=None):
    body = double(1, epoch) + double(2, time) + double(3, train) + double(4, valid) + double(5, test)
    return nested(1, body + (b"" if checkpoint is None else nested(6, checkpoint)))


def metrics(epochs, time, train, valid, test, params=8_555_530, checkpoint=None):
    """Before the first step, half-way and at the end, as in the official files."""
    parts = [evaluation(0, 0, 0.1, 0.1, 0.1, checkpoint), evaluation(epochs / 2, time / 2, 0.5, 0.4, 0.3, checkpoint)]
    parts.append(evaluation(epochs, time, train, valid, test, checkpoint))
    return b"".join(parts) + varint(2 * 8) + varint(params) + double(3, 2 * time)


LINE = ("0100", "input,output")
TRIANGLE = ("011001000", "input,conv3x3-bn-relu,output")
LARGE = ("0110010" + "0001000" + "0000100" + "0000010" + "0000001" + "0000001" + "0000000",
         "input,conv3x3-bn-relu,conv1x1-bn-relu,maxpool3x3,conv3x3-bn-relu,conv1x1-bn-relu,output")  # fmt: skip


def record(digest, epochs, cell, message):
    return framed(json.dumps([digest, epochs, *cell, base64.b64encode(message).decode()]).encode())


def official(*records):
    return b"".join(records)


def training(digest="a" * 32, cell=TRIANGLE, epochs=108, valid=0.9, test=0.8, train=1.0, time=100.0, **more):
    return record(digest, epochs, cell, metrics(epochs, time, train, valid, test, **more))


@pytest.fixture
def write(tmp_path):
    def _write(content, name="nasbench.tfrecord"):
        file = tmp_path / name
        file.write_bytes(content)
        return file

    return _write


def values(file):
    return [dict(row.values) for row in read_rows(file)]


def refusal(file):
    with pytest.raises(DataError) as caught:
        list(read_rows(file))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


# ---------------------------------------------------------------------- what is read


def test_the_three_trainings_of_a_cell_become_one_row_with_their_means(write):
    runs = [training(valid=0.9, test=0.8, time=100), training(valid=0.92, test=0.81, time=130)]
    file = write(official(*runs, training(valid=0.94, test=0.85, train=0.97, time=160)))
    (row,) = values(file)
    assert row == {
        "architecture": '{"matrix": [[0, 1, 1], [0, 0, 1], [0, 0, 0]], "ops": ["input", "conv3x3-bn-relu", "output"]}',
        "hash": "a" * 32,
        "params": 8_555_530,
        "valid_accuracy": pytest.approx(0.92, abs=1e-12),
        "test_accuracy": pytest.approx(0.82, abs=1e-12),
        "train_accuracy": pytest.approx(0.99, abs=1e-12),
        "training_time": pytest.approx(130, abs=1e-12),
        **{"valid_accuracy_run1": 0.9, "valid_accuracy_run2": 0.92, "valid_accuracy_run3": 0.94},
        **{"test_accuracy_run1": 0.8, "test_accuracy_run2": 0.81, "test_accuracy_run3": 0.85},
    }


def test_the_full_file_has_columns_for_each_length_and_the_longest_under_the_plain_names(write):
    lengths = {4: 0.5, 12: 0.6, 36: 0.7, 108: 0.8}
    trainings = [training(epochs=e, valid=v + d, time=e) for e, v in lengths.items() for d in (-0.1, 0.0, 0.1)]
    (row,) = values(write(official(*trainings)))
    for epochs, accuracy in lengths.items():
        assert row[f"valid_accuracy_{epochs}"] == pytest.approx(accuracy)
        assert row[f"training_time_{epochs}"] == epochs
    assert row["valid_accuracy"] == row["valid_accuracy_108"]
    assert [row[f"valid_accuracy_run{i}"] for i in (1, 2, 3)] == pytest.approx([0.7, 0.8, 0.9])


def test_trainings_of_a_cell_may_lie_anywhere_in_the_file(write):
    order = [("b", LINE, 0.5), ("a", TRIANGLE, 0.9), ("b", LINE, 0.7), ("c", LARGE, 0.1), ("a", TRIANGLE, 0.8)]
    file = write(official(*(training(d, c, valid=v) for d, c, v in order)))
    rows = list(read_rows(file))
    assert [row.where for row in rows] == ["record 1", "record 2", "record 4"]
    assert [row.values["hash"] for row in rows] == ["b", "a", "c"]
    assert [row.values["valid_accuracy"] for row in rows] == pytest.approx([0.6, 0.85, 0.1])
    assert [row.values.get("valid_accuracy_run2") for row in rows] == [0.7, 0.8, None]


def test_cells_without_a_training_of_some_length_lack_its_value(write):
    (first, second) = values(write(official(training("a"), training("b", LINE, epochs=4))))
    assert (first["valid_accuracy_4"], first["valid_accuracy_108"]) == (None, 0.9)
    assert (second["valid_accuracy_4"], second["valid_accuracy"]) == (0.9, None)


def test_a_table_is_read_with_the_cells_that_the_matrices_say(write):
    space = load_space("nasbench101")
    cells = [("a", TRIANGLE, 0.9), ("b", LINE, 0.5), ("c", LARGE, 0.7)]
    table = Table.read(write(official(*(training(d, c, valid=v) for d, c, v in cells))), space, "valid_accuracy")
    assert table.labels.tolist() == [0.9, 0.5, 0.7]
    matrix, ops = space.to_matrix(table.choices[2].tolist())
    assert ["".join(map(str, row)) for row in matrix] == [LARGE[0][i : i + 7] for i in range(0, 49, 7)]
    assert ",".join(ops) == LARGE[1]


def test_the_hash_of_the_file_is_that_of_the_space(write):
    space = load_space("nasbench101")
    choices = space.from_matrix([[0, 1], [0, 0]], ["input", "output"])
    (row,) = values(write(official(training(space.fingerprint(choices), LINE))))
    assert row["hash"] == "043721b9c7fe8c5fad811d47d83132ec"
    assert space.parse(row["architecture"]) == choices


def test_a_compressed_file_is_read_too(write):
    content = official(training(), training("b", LINE))
    assert values(write(gzip.compress(content), "n.tfrecord.gz")) == values(write(content))


def test_metrics_may_come_in_any_order_with_fields_that_are_not_known(write):
    end = double(5, 0.25) + nested(6, b"/tmp/model.ckpt-1") + double(1, 108.0) + double(4, 0.75) + double(2, 9.0)
    unknown = nested(9, b"x") + varint(10 * 8) + varint(3) + varint(11 * 8 + 5) + b"1234" + double(12, 1.0)
    message = varint(2 * 8) + varint(5) + nested(1, end + unknown) + unknown + evaluation(0, 0, 0.1, 0.1, 0.1)
    (row,) = values(write(record("a", 108, TRIANGLE, message)))
    assert (row["valid_accuracy"], row["test_accuracy"], row["training_time"]) == (0.75, 0.25, 9.0)
    assert row["train_accuracy"] == 0.0  # absent numbers are zero in protobuf
    assert row["params"] == 5


def test_checkpoint_paths_are_skipped(write):
    (row,) = values(write(training(checkpoint=b"/readahead-256M/cell/model.ckpt-42" * 20)))
    assert row["valid_accuracy"] == 0.9


def test_the_format_has_a_name(write):
    assert format_of(write(training()))[0] == "nasbench101-tfrecord"


# ---------------------------------------------------------------------- what is refused


def test_a_file_that_is_cut_anywhere_within_a_record_is_truncated(write):
    first, second = training(), training("b", LINE)
    edges = {0, 1, 7, 8, 11, 12, 13, len(second) - 5, len(second) - 4, len(second) - 1}
    for cut in sorted(edges - {0}):
        message = refusal(write(first + second[:cut]))
        assert "record 2: the file ends within this record, so it is truncated; copy or download it again" in message
        assert "record 1: the file ends" in refusal(write(second[:cut]))
    assert len(values(write(first))) == 1  # cut between two records: nothing tells
    assert "is empty" in refusal(write(b""))


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, len(training()) * 8 - 1))
def test_a_single_flipped_bit_is_noticed_wherever_it_is(tmp_path_factory, place):
    content = bytearray(training("a") + training("b", LINE) + training("c", LARGE))
    begin = len(training("a"))
    content[begin + (place // 8) % len(training("b", LINE))] ^= 1 << place % 8
    file = tmp_path_factory.mktemp("flipped") / "n.tfrecord"
    file.write_bytes(bytes(content))
    message = refusal(file)
    assert "record 2: " in message
    assert "its checksum is wrong" in message


def test_a_flipped_bit_is_found_in_any_block_of_the_file(write, monkeypatch):
    monkeypatch.setattr(tfrecord, "_BLOCK", 1_000)
    records = [training(f"{i:032x}") for i in range(20)]
    assert len(values(write(b"".join(records)))) == 20
    for i in (0, 7, 19):
        damaged = bytearray(records[i])
        damaged[30] ^= 4
        broken = b"".join([*records[:i], bytes(damaged), *records[i + 1 :]])
        assert f"record {i + 1}: its checksum is wrong" in refusal(write(broken))


def test_a_record_that_claims_to_be_enormous_is_not_waited_for(write):
    length = struct.pack("<Q", 2**40)
    content = training() + length + struct.pack("<I", masked_crc(length)) + bytes(100)
    assert "record 2: it has 1,099,511,627,776 bytes, more than 50,000, the most that is read" in refusal(
        write(content)
    )


def test_a_file_that_is_no_tfrecord_at_all_is_told_so(write):
    message = refusal(write(b"architecture,accuracy\n" * 10))
    assert "record 1: its checksum is wrong, so the file is damaged or no TFRecord file" in message


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"not json", "expected a JSON list"),
        (b"\xff\xfe", "expected a JSON list"),
        (b"[" * 20_000, "expected a JSON list"),
        (b"{}", "expected [hash, epochs, matrix, operators, metrics] of NAS-Bench-101"),
        (b'["a", 108, "0100", "input,output"]', "expected [hash, epochs, matrix, operators, metrics]"),
        (b'["a", "108", "0100", "input,output", ""]', "expected [hash, epochs, matrix, operators, metrics]"),
        (b'["a", true, "0100", "input,output", ""]', "expected [hash, epochs, matrix, operators, metrics]"),
        (b'["a", -1, "0100", "input,output", ""]', "expected [hash, epochs, matrix, operators, metrics]"),
        (b'["a", 108, "0100", "input,output", ""]', "its metrics have no evaluation"),
        (b'["a", 108, "0100", "input,output", "A"]', "record 2: "),
    ],
)
def test_records_that_are_no_rows_of_the_benchmark(write, data, expected):
    message = refusal(write(training() + framed(data)))
    assert "record 2: " in message
    assert expected in message


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\x0a\xff", "its metrics end within a number"),
        (b"\xff" * 20, "its metrics end within a number"),
        (nested(1, b"")[:1] + varint(50) + b"short", "its metrics end within a field"),
        (nested(1, double(4, 0.5)[:5]), "its metrics end within a field"),
        (nested(1, varint(4 * 8) + varint(1)), "field 4 of an evaluation has wire type 0"),
        (nested(2, b"12"), "field 2 of its metrics has wire type 2"),
        (double(1, 1.0), "field 1 of its metrics has wire type 1"),
        (varint(1 * 8 + 3), "its metrics have a field of wire type 3"),
        (varint(0 * 8 + 1) + bytes(8), "its metrics have a field 0"),
    ],
)
def test_metrics_that_are_no_such_message(write, message, expected):
    assert f"record 1: {expected}" in refusal(write(record("a", 108, TRIANGLE, message)))


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (("010", "input,output"), "its matrix has 3 entries for 2 operators"),
        (("0200", "input,output"), "its matrix has 4 entries for 2 operators; expected 2 times 2, each 0 or 1"),
        (("0" * 1600, ",".join(["x"] * 40)), "its matrix has 1600 entries for 40 operators"),
        (("0100", 'in"put,output'), "the name of an operator has quotes"),
    ],
)
def test_matrices_that_are_none(write, cell, expected):
    assert f"record 1: {expected}" in refusal(write(training(cell=cell)))


def test_a_cell_outside_the_space_names_the_record(write):
    file = write(training() + training("b", ("0100", "input,conv9x9")))
    with pytest.raises(DataError, match=r"record 2, column 'architecture': ops must run from 'input' to 'output'"):
        Table.read(file, load_space("nasbench101"), "valid_accuracy")


def test_more_cells_than_any_benchmark_has(write, monkeypatch):
    monkeypatch.setattr(nasbench101, "MAX_CELLS", 1)
    assert "record 2: it is of one more than 1 cells" in refusal(write(training("a") + training("b", LINE)))


def test_a_missing_column_is_answered_with_those_there_are(write):
    with pytest.raises(DataError, match=r"columns of numbers are: params, valid_accuracy, .*Did you mean 'valid_acc"):
        Table.read(write(training() + training("b", LINE)), load_space("nasbench101"), "validation_accuracy")


def test_memory_is_that_of_a_block_and_not_of_the_file(write, monkeypatch):
    monkeypatch.setattr(tfrecord, "_BLOCK", 1 << 15)
    one = training(checkpoint=b"/path" * 40)
    file = write(one * 2_000)
    assert file.stat().st_size > 2_000_000
    next(iter(tfrecord.records(write(one, "warm.tfrecord"))))  # the tables of the checksum stay
    tracemalloc.start()
    (row,) = values(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert row["valid_accuracy"] == pytest.approx(0.9)
    assert peak < 700_000
