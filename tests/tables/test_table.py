import csv
import gzip
import hashlib
import json
import os

import numpy as np
import pytest

from archpredict.errors import DataError, UnknownNameError, UsageError
from archpredict.spaces.base import load_space
from archpredict.tables.check import survey
from archpredict.tables.convert import convert
from archpredict.tables.reading import files
from archpredict.tables.table import Table
from archpredict.tables.unlabelled import Unlabelled
from archpredict.testing.toys import ToySpace

SPACE = ToySpace()
ROWS = [([1, 0, 0, 0, 0, 0], 10.5), ([1, 2, 0, 0, 1, 0], 20.0), ([2, 2, 2, 0, 1, 2], -3.25)]
CSV = "".join(["architecture,accuracy\n", *(f'"{json.dumps(c)}",{y}\n' for c, y in ROWS)])
JSONL = "".join(json.dumps({"architecture": c, "accuracy": y}) + "\n" for c, y in ROWS)


@pytest.fixture
def write(tmp_path):
    def _write(name, content):
        file = tmp_path / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return _write


def read(file, target="accuracy", **options):
    return Table.read(file, SPACE, target, **options)


def refusal(file, target="accuracy", **options):
    """The message with which a table is refused: one line that begins with or names the file."""
    with pytest.raises(DataError) as caught:
        read(file, target, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1200
    assert os.path.basename(file) in message
    return message


# ---------------------------------------------------------------------- what is read


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.csv.gz", "t.jsonl.gz", "T.CSV"])
def test_every_format_gives_the_same_table(write, name):
    text = (JSONL if "jsonl" in name else CSV).encode()
    content = gzip.compress(text) if name.endswith(".gz") else text
    table = read(write(name, content))
    assert table.choices.tolist() == [c for c, _ in ROWS]
    assert table.choices.dtype == np.int64
    assert table.labels.tolist() == [y for _, y in ROWS]
    assert table.labels.dtype == np.float64
    assert table.sha256 == hashlib.sha256(content).hexdigest()
    assert (table.target, table.column, len(table)) == ("accuracy", "architecture", 3)


def test_gzip_is_recognised_by_its_bytes_too(write):
    assert len(read(write("t.csv", gzip.compress(CSV.encode())))) == 3


@pytest.mark.parametrize("name", ["arch", "arch_str"])
def test_published_names_of_the_column_are_found(write, name):
    assert read(write("t.csv", CSV.replace("architecture", name))).column == name


def test_the_architecture_column_can_be_named(write):
    assert len(read(write("t.csv", CSV.replace("architecture", "cell")), column="cell")) == 3


def test_an_architecture_may_be_a_json_value_or_its_text(write):
    text = "".join(json.dumps({"architecture": json.dumps(c), "accuracy": y}) + "\n" for c, y in ROWS)
    assert read(write("t.jsonl", text)).choices.tolist() == [c for c, _ in ROWS]


def test_byte_order_mark_windows_line_ends_blank_lines_and_spaces_are_harmless(write):
    text = "﻿" + CSV.replace("architecture,", "architecture , ").replace("\n", "\r\n") + "\r\n\r\n"
    assert len(read(write("t.csv", text))) == 3
    assert len(read(write("t.jsonl", "﻿" + JSONL.replace("\n", "\n\n")))) == 3


def test_a_quoted_field_may_hold_line_ends(write):
    text = CSV.replace('"[1, 2', '"[1,\n 2')
    assert read(write("t.csv", text)).choices.tolist() == [c for c, _ in ROWS]


def test_other_columns_may_hold_anything(write):
    text = 'name,architecture,accuracy\nnan,"[1,0,0,0,0,0]",1\n"a,""b""","[2,0,0,0,0,0]",2\n'
    assert read(write("t.csv", text)).labels.tolist() == [1, 2]


# ---------------------------------------------------------------------- what is found in it


def test_lookup_finds_exact_choices_before_isomorphic_ones(write):
    text = 'architecture,accuracy\n"[0,1,0,0,0,0]",1\n"[1,0,0,0,0,0]",2\n"[1,2,0,0,0,0]",3\n'
    table = read(write("t.csv", text))
    assert table.lookup(SPACE.architecture([1, 0, 0, 0, 0, 0])) == 1
    assert table.lookup(SPACE.architecture([0, 0, 1, 0, 0, 0])) == 0  # isomorphic to both: the first
    assert table.lookup(SPACE.architecture([2, 0, 1, 0, 0, 0])) == 2
    assert table.lookup(SPACE.architecture([1, 1, 1, 0, 0, 0])) is None
    assert table.keys == tuple(SPACE.architecture(c).key for c in table.choices.tolist())


def test_repeated_architectures_become_one_row_with_the_lower_median_in_any_order(write):
    rows = ['"[1,0,0,0,0,0]",5', '"[2,0,0,0,0,0]",1', '"[1,0,0,0,0,0]",9', '"[1,0,0,0,0,0]",7']
    rows += ['"[1,1,0,0,0,0]",4', '"[1,1,0,0,0,0]",3', '"[2,1,0,0,0,0]",8', '"[2,1,0,0,0,0]",8']
    expected = {(1, 0, 0, 0, 0, 0): 7, (2, 0, 0, 0, 0, 0): 1, (1, 1, 0, 0, 0, 0): 3, (2, 1, 0, 0, 0, 0): 8}
    for order in (rows, rows[::-1]):
        file = write("t.csv", "architecture,accuracy\n" + "\n".join(order))
        with pytest.warns(UserWarning, match=r"2 architectures have several rows .* lower median") as warned:
            table = read(file)
        assert len(warned) == 1
        assert {tuple(c): y for c, y in zip(table.choices.tolist(), table.labels, strict=True)} == expected
    assert table.choices[0].tolist() == [2, 1, 0, 0, 0, 0]  # the place of the first


# ---------------------------------------------------------------------- what is refused


def test_a_missing_file_a_folder_and_an_unknown_format(tmp_path, write):
    assert "there is no file" in refusal(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder; give the table's file" in refusal(tmp_path / "folder.csv")
    message = refusal(write("t.dat", CSV))
    assert (
        "is not known from its name; expected a name that ends in .csv, .db, .json, .jsonl, .npz, .parquet, "
        ".tfrecord" in message
    )
    with pytest.raises(DataError, match="no file's path"):
        read("t\0.csv")
    with pytest.raises(DataError, match="cannot be read: File name too long"):
        read("t" * 5000 + ".csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    assert "is no regular file" in refusal(tmp_path / "pipe.csv")


def test_empty_files_and_tables_without_rows(write):
    assert "is empty" in refusal(write("t.csv", ""))
    assert "has no rows; expected a header with 'architecture' and 'accuracy'" in refusal(
        write("t.csv", "architecture,accuracy\n")
    )
    assert "has no rows" in refusal(write("t.jsonl", "\n\n"))
    assert "has no rows" in refusal(write("t.csv.gz", gzip.compress(b"")))


def test_one_row_or_equal_labels_are_nothing_to_learn_from(write):
    assert "has one architecture; expected at least 2" in refusal(
        write("t.csv", 'architecture,accuracy\n"[1,0,0,0,0,0]",1\n')
    )
    equal = 'architecture,accuracy\n"[1,0,0,0,0,0]",1.5\n"[2,0,0,0,0,0]",1.50\n'
    assert "column 'accuracy': all 2 labels are 1.5: nothing to learn from" in refusal(write("t.csv", equal))


def test_a_missing_header_is_told_from_a_missing_column(write):
    assert "has no header: it begins with ['00120', '93.5'], expected the names of its columns" in refusal(
        write("t.csv", "00120,93.5\n00121,93.6\n")
    )
    message = refusal(write("t.csv", "cell,accuracy\na,1\nb,2\n"))
    assert "has no column 'architecture' for the architectures; its columns are: cell, accuracy" in message
    message = refusal(write("t.csv", CSV), column="cell")
    assert "has no column 'cell' for the architectures; its columns are: architecture, accuracy" in message


def test_two_published_names_are_ambiguous(write):
    text = "arch,arch_str,accuracy\na,b,1\n"
    assert "has no column 'architecture' but both 'arch' and 'arch_str'; rename" in refusal(write("t.csv", text))


def test_a_missing_target_lists_the_columns_of_numbers_and_the_closest(write):
    text = 'name,architecture,accuracy,flops\nx,"[1,0,0,0,0,0]",1,2\n'
    message = refusal(write("t.csv", text), "acuracy")
    assert "has no column 'acuracy'; its columns of numbers are: accuracy, flops. Did you mean 'accuracy'?" in message
    assert "its columns of numbers are: none." in refusal(write("t.csv", "architecture,a\nx,y\n"))


def test_headers_with_twice_the_same_name_or_another_separator(write):
    assert "line 1: the column 'accuracy' occurs twice" in refusal(write("t.csv", "accuracy,architecture,accuracy\n"))
    assert "its columns are: architecture|accuracy (" in refusal(write("t.csv", "architecture|accuracy\nx|1\n"))


@pytest.mark.parametrize(("extra", "found"), [(",7", 3), ("", 1)])
def test_a_row_with_too_many_or_too_few_fields(write, extra, found):
    text = CSV + '"[1,1,0,0,0,0]"' + (",1" + extra if extra else "") + "\n"
    assert f"line 5: found {found} fields, expected 2" in refusal(write("t.csv", text))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("good", "found 'good', expected a number"),
        ("", "found '', expected a number"),
        ("93.1%", "found '93.1%', expected a number"),
        ("1_0", "found '1_0', expected a number"),
        ("nan", "found 'nan', expected a finite number; remove rows without a label"),
        ("-inf", "found '-inf', expected a finite number"),
        ("1e999", "found '1e999', expected a finite number"),
    ],
)
def test_a_label_that_is_no_finite_number_names_line_and_column(write, label, expected):
    text = CSV + f'"[1,1,0,0,0,0]",{label}\n'
    assert f"t.csv, line 5, column 'accuracy': {expected}" in refusal(write("t.csv", text))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("null", "found None, expected a number"),
        ("true", "found True, expected a number"),
        ("[1]", "found [1], expected a number"),
        ("NaN", "found nan, expected a finite number"),
        ("-Infinity", "found -inf, expected a finite number"),
        ("1e999", "found inf, expected a finite number"),
        ("1" + "0" * 400, "expected a finite number"),
    ],
)
def test_the_same_of_jsonl(write, label, expected):
    text = JSONL + '{"architecture": [1,1,0,0,0,0], "accuracy": %s}\n' % label  # noqa: UP031
    message = refusal(write("t.jsonl", text))
    assert "t.jsonl, line 4, column 'accuracy': found" in message
    assert expected in message


@pytest.mark.parametrize("architecture", ["[0,0,0,0,0,0]", "[1,0]", "[1,0,0,0,0,9]", "conv", "", "[" * 100_000])
def test_an_architecture_outside_the_space_names_the_line_and_what_the_space_says(write, architecture):
    message = refusal(write("t.csv", CSV + f'"{architecture}",1\n'))
    assert "t.csv, line 5, column 'architecture': " in message
    assert "space toy" in message


def test_line_numbers_count_lines_of_the_file_not_rows(write):
    text = CSV.replace('"[1, 2', '\n"[1,\n 2') + '"[1,1,0,0,0,0]",bad\n'
    assert "line 7, column 'accuracy'" in refusal(write("t.csv", text))


def test_lines_that_are_no_json_objects(write):
    for line, found in [
        ("[1]", "[1]"),
        ("{", "'{'"),
        ("null", "None"),
        ("[" * 50_000, "'[[[["),
        ("x", "'x'"),
    ]:
        message = refusal(write("t.jsonl", JSONL + line + "\n"))
        assert f"line 4: found {found}" in message
        assert "expected one JSON object per line" in message


def test_an_object_without_the_columns_of_the_first(write):
    assert "line 4: the object has no 'accuracy'; it has: architecture" in refusal(
        write("t.jsonl", JSONL + '{"architecture": [1,1,0,0,0,0]}\n')
    )
    assert "line 4: the object has no 'architecture'; it has: none" in refusal(write("t.jsonl", JSONL + "{}\n"))


def test_quotes_that_are_not_closed(write):
    assert "line 5: this is no row of a CSV file" in refusal(write("t.csv", CSV + '"[1,1,0,0,0,0],1\n' + CSV))
    long = CSV + '"' + "x\n" * 100_000
    assert "line 5: this is no row of a CSV file: field larger" in refusal(write("t.csv", long))


def test_broken_gzip_files(write):
    packed = gzip.compress(CSV.encode() * 50)
    assert "is no gzip file although its name ends in .gz" in refusal(write("t.csv.gz", CSV))
    assert "the gzip file is broken here" in refusal(write("t.csv.gz", packed[: len(packed) // 2]))
    assert "the gzip file is broken here" in refusal(write("t.csv.gz", packed[:5]))
    flipped = bytearray(gzip.compress(CSV.encode()))
    flipped[-6] ^= 0xFF  # in the checksum
    assert "the gzip file is broken here" in refusal(write("t.csv.gz", bytes(flipped)))
    flipped = bytearray(gzip.compress(CSV.encode()))
    flipped[10] = 0xFF  # a block type that does not exist
    assert "the gzip file is broken here" in refusal(write("t.csv.gz", bytes(flipped)))
    assert "the gzip file is broken here" in refusal(write("t.csv.gz", gzip.compress(CSV.encode()) + b"trailing"))


def test_text_that_is_not_utf8(write):
    assert "line 5: byte 3 is not UTF-8; save the table as UTF-8" in refusal(
        write("t.csv", CSV.encode() + b"ab\xff,1\n")
    )
    assert "line 1: byte 1 is not UTF-8" in refusal(write("t.csv", CSV.encode("utf-16")))
    message = refusal(write("t.csv", CSV + "\0,1\n"))
    assert "line 5" in message


def test_a_line_of_a_hundred_megabytes_is_not_read_to_its_end(write):
    packed = gzip.compress(CSV.encode() + b"x" * 100_000_000, compresslevel=1)
    assert "line 5: the line is longer than 1,000,000 bytes" in refusal(write("t.csv.gz", packed))


def test_a_table_with_too_many_lines(write, monkeypatch):
    monkeypatch.setattr(files, "MAX_LINES", 3)
    assert "has more than 3 lines" in refusal(write("t.csv", CSV))
    assert len(read(write("t.jsonl", JSONL))) == 3


def test_control_characters_do_not_reach_the_terminal(write):
    assert "\x1b" not in refusal(write("t.csv", CSV + '"[1,1,0,0,0,0]",\x1b[31mred\n'))
    assert "\x1b" not in refusal(write("t.csv", CSV + '"\x1b[31mred",1\n'))
    assert "\x1b" not in refusal(write("t.csv", "\x1b[31mred,accuracy\na,1\n"))


def test_the_value_error_of_a_users_own_parser_is_located_too(write):
    class Careless(ToySpace):
        def parse(self, text):
            return tuple(int(c) for c in text)

    with pytest.raises(DataError, match=r"line 2, column 'architecture': invalid literal for int"):
        Table.read(write("t.csv", CSV), Careless(), "accuracy")


# ---------------------------------------------------------------------- further columns

MORE = "".join(
    ["architecture,accuracy,flops,note\n", *(f'"{json.dumps(c)}",{y},{i}.5,n{i}\n' for i, (c, y) in enumerate(ROWS))]
)


def test_features_are_columns_of_numbers_in_the_order_of_the_rows(write):
    table = read(write("t.csv", MORE), features=["flops"])
    assert {name: values.tolist() for name, values in table.features.items()} == {"flops": [0.5, 1.5, 2.5]}
    assert table.features["flops"].dtype == np.float64
    assert dict(read(write("t.csv", MORE)).features) == {}


@pytest.mark.filterwarnings("ignore:.*have several rows with different values")
def test_repeated_rows_have_the_features_of_the_first_and_need_no_others(write):
    again = MORE + f'"{json.dumps(ROWS[0][0])}",11,,\n'
    assert read(write("t.csv", again), features=["flops"]).features["flops"].tolist() == [0.5, 1.5, 2.5]


def test_features_that_cannot_be_used_are_one_sentence(write):
    assert "has no column 'flop', which the predictor reads as a feature; its columns are: architecture, accu" in (
        refusal(write("t.csv", MORE), features=["flop"])
    )
    assert "line 2, column 'note': found 'n0', expected a finite number; a feature needs one in every row" in (
        refusal(write("t.csv", MORE), features=["note"])
    )
    assert "line 3, column 'flops': found 'inf', expected a finite number" in (
        refusal(write("t.csv", MORE.replace("1.5", "inf")), features=["flops"])
    )
    with pytest.raises(UsageError, match="'accuracy' is the target; a predictor that reads it as a feature would"):
        read(write("t.csv", MORE), features=["accuracy"])


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.csv.gz"])
def test_a_file_is_opened_once_and_each_architecture_parsed_once(write, monkeypatch, name):
    text = JSONL.replace('"accuracy"', '"flops": 1, "accuracy"') if "jsonl" in name else MORE
    content = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
    file, opened, parsed = write(name, content), [], []
    plain_open, plain_parse = type(file).open, ToySpace.parse
    monkeypatch.setattr(type(file), "open", lambda path, *a, **k: opened.append(path) or plain_open(path, *a, **k))
    monkeypatch.setattr(ToySpace, "parse", lambda space, text: parsed.append(text) or plain_parse(space, text))
    table = read(file, features=["flops"])
    assert (opened.count(file), len(parsed)) == (1, len(ROWS))
    assert table.sha256 == hashlib.sha256(content).hexdigest()


def test_the_digest_is_of_the_whole_file_also_where_the_reader_jumps_or_stops_early(write):
    from archpredict.tables.reading.digest import digests

    content = bytes(range(256)) * 4000
    file = write("any.bin", content)
    with digests() as found:
        with files.open_bytes(file) as stream:
            assert stream.read(5) == content[:5]
        assert found == {file: hashlib.sha256(content).hexdigest()}
    with digests() as found, files.open_bytes(file) as stream:
        stream.seek(900_000)
        assert stream.read(5) == content[900_000:900_005]
    assert found == {}


def test_a_table_that_is_not_read_in_order_has_its_digest_too(write):
    pytest.importorskip("pyarrow")
    file = write("t.csv", "".join(["architecture,accuracy\n", *(f'"{json.dumps(c)}",{y}\n' for c, y in ROWS)]))
    convert(file, SPACE, file.with_name("t.parquet"))
    table = read(file.with_name("t.parquet"))
    assert table.sha256 == hashlib.sha256(table.path.read_bytes()).hexdigest()


def test_a_space_is_taken_by_name(write):
    cell = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|{}~2|"
    file = write("t.csv", f"architecture,y\n{cell.format('none')},1\n{cell.format('skip_connect')},2\n")
    assert Table.read(file, "nasbench201", "y").space.name == "nasbench201"
    assert survey(file, "nasbench201").num_rows == 2
    assert str(Unlabelled.read(file, "nasbench201").architectures[0]) == cell.format("none")
    assert convert(file, "nasbench201", file.with_name("t.jsonl")) == 2
    with pytest.raises(UnknownNameError, match="unknown space 'nasbench2001'"):
        Table.read(file, "nasbench2001", "y")


# ---------------------------------------------------------------------- published tables


def test_the_nasbench201_table_is_read_whole(data_folder):
    space = load_space("nasbench201")
    file = data_folder / "nasbench201" / "nasbench201.csv.gz"
    table = Table.read(file, space, "c10_test")
    assert len(table) == space.num_vectors == 15_625
    assert table.labels.max() == pytest.approx(94.37, abs=0.005)
    with gzip.open(file, "rt") as stream:
        row = next(csv.DictReader(stream))
    assert space.format(table.choices[0].tolist()) == row["arch_str"]
    assert table.labels[0] == float(row["c10_test"])


def test_the_darts_table_is_read(data_folder):
    table = Table.read(data_folder / "darts" / "nasbench301_1218.csv.gz", load_space("darts"), "val_accuracy")
    assert len(table) > 1000
    assert 90 < table.labels.min() < table.labels.max() < 95
