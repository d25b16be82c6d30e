from __future__ import annotations

import csv
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import DataError, UsageError
from archpredict.spaces.base import load_space
from archpredict.tables.convert import convert
from archpredict.tables.formats.base import read_rows
from archpredict.tables.reading.numbers import as_kind, joined, kind_of
from archpredict.tables.table import Table
from archpredict.testing.toys import ToySpace

SPACE = ToySpace()
CSV = (
    "name,architecture,accuracy,layers,code,note\n"
    'a,"[1,0,0,0,0,0]",10.5,3,00120,\n'
    'b,"[1, 2, 0, 0, 1, 0]",20.25,4,00121,"said ""yes"", twice"\n'
    '"c, d","[2,2,2,0,1,2]",,5,12,"two\nlines"\n'
)
TYPED = [
    {"architecture": "[1, 0, 0, 0, 0, 0]", "name": "a", "accuracy": 10.5, "layers": 3, "code": "00120"},
    {"architecture": "[1, 2, 0, 0, 1, 0]", "name": "b", "accuracy": 20.25, "layers": 4, "code": "00121",
     "note": 'said "yes", twice'},
    {"architecture": "[2, 2, 2, 0, 1, 2]", "name": "c, d", "layers": 5, "code": "12", "note": "two\nlines"},
]  # fmt: skip


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "source.csv"
    file.write_text(CSV)
    return file


def test_json_lines_hold_every_column_with_its_type(source, tmp_path):
    assert convert(source, SPACE, tmp_path / "new.jsonl") == 3
    rows = [json.loads(line) for line in (tmp_path / "new.jsonl").read_text().splitlines()]
    assert [{k: v for k, v in row.items() if v != ""} for row in rows] == TYPED


def test_csv_to_parquet_to_json_lines_to_csv_changes_nothing(source, tmp_path):
    pytest.importorskip("pyarrow")
    convert(source, SPACE, tmp_path / "normal.csv")
    steps = ["a.parquet", "b.jsonl.gz", "c.csv.gz", "d.parquet", "e.csv"]
    last = tmp_path / "normal.csv"
    for name in steps:
        convert(last, SPACE, tmp_path / name)
        last = tmp_path / name
    assert last.read_bytes() == (tmp_path / "normal.csv").read_bytes()
    with last.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[2] == {
        "architecture": "[2, 2, 2, 0, 1, 2]",
        "name": "c, d",
        "accuracy": "",
        "layers": "5",
        "code": "12",
        "note": "two\nlines",
    }


def test_compressed_files_are_compressed_and_the_same_each_time(source, tmp_path):
    convert(source, SPACE, tmp_path / "a.csv.gz")
    convert(source, SPACE, tmp_path / "b.csv.gz")
    content = (tmp_path / "a.csv.gz").read_bytes()
    assert content[:2] == b"\x1f\x8b"
    assert content == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress(content).startswith(b"architecture,name,accuracy")


def test_published_columns_and_json_values_get_the_native_notation(tmp_path):
    space = load_space("nasbench101")
    file = tmp_path / "t.json"
    cell = {"matrix": [[0, 1, 0], [0, 0, 0], [0, 0, 0]], "ops": ["input", "maxpool3x3", "output"]}
    cell["matrix"][0][2] = 1  # the operator leads nowhere, so it is pruned
    file.write_text(json.dumps([{**cell, "validation_accuracy": 0.5, "history": [1, 2]}]))
    convert(file, space, tmp_path / "new.csv")
    (row,) = read_rows(tmp_path / "new.csv")
    assert row.values == {
        "architecture": '{"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"]}',
        "validation_accuracy": "0.5",
        "history": "[1, 2]",
    }


def test_columns_that_only_later_rows_have_are_kept(tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_text('{"architecture": [1,0,0,0,0,0], "a": 1}\n{"architecture": [2,0,0,0,0,0], "b": "x", "a": 2.5}\n')
    convert(file, SPACE, tmp_path / "new.csv")
    assert (tmp_path / "new.csv").read_text().splitlines() == [
        "architecture,a,b",
        '"[1, 0, 0, 0, 0, 0]",1.0,',
        '"[2, 0, 0, 0, 0, 0]",2.5,x',
    ]


def test_a_file_that_exists_is_not_overwritten_and_a_failure_leaves_nothing(source, tmp_path):
    with pytest.raises(UsageError, match="exists already; give another name, or remove it first"):
        convert(source, SPACE, source)
    source.write_text(CSV + "x,[1],2,3,4,5\n")
    with pytest.raises(DataError, match="line 6, column 'architecture'"):
        convert(source, SPACE, tmp_path / "new.csv")
    with pytest.raises(UsageError, match=r"cannot be written as new.xlsx; give a name that ends in"):
        convert(source, SPACE, tmp_path / "new.xlsx")
    with pytest.raises(UsageError, match="cannot be written: No such file or directory; give another place"):
        convert(source, SPACE, tmp_path / "none" / "new.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["source.csv"]


def test_compressed_parquet_is_refused(source, tmp_path):
    with pytest.raises(UsageError, match=r"compressed already; leave \.gz out"):
        convert(source, SPACE, tmp_path / "new.parquet.gz")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("1", "integer"), ("-12", "integer"), (7, "integer"), ("1.50", "number"), ("1e-3", "number"), (2.5, "number"),
        ("00120", "text"), ("+1", "text"), ("1_0", "text"), ("nan", "text"), ("1e999", "text"), ("x", "text"),
        (True, "value"), ([1], "value"), (float("nan"), "value"), (2**60, "value"), ("99999999999999999", "number"),
        (None, None), ("", None), (" 7\t", "integer"), ("0\x1f", "text"),
    ],
)  # fmt: skip
def test_what_a_value_is(value, kind):
    assert kind_of(value) == kind


cells = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=5), st.booleans())


@settings(max_examples=200)
@given(st.lists(cells, max_size=6))
def test_the_kind_of_a_column_does_not_depend_on_the_order_and_holds_every_value(values):
    kind = backward = None
    for value in values:
        kind = joined(kind, kind_of(value))
    for value in reversed(values):
        backward = joined(backward, kind_of(value))
    assert kind == backward
    for value in values:
        written = as_kind(value, kind or "text")
        if kind in ("integer", "number") and written is not None:
            assert float(written) == float(value)
        elif isinstance(value, str):
            assert written in (value, None)


def test_a_converted_table_is_the_same_table(data_folder, tmp_path):
    space = load_space("darts")
    file = data_folder / "darts" / "nasbench301_1218.csv.gz"
    convert(file, space, tmp_path / "new.jsonl")
    old, new = Table.read(file, space, "val_accuracy"), Table.read(tmp_path / "new.jsonl", space, "val_accuracy")
    assert (old.choices == new.choices).all()
    assert (old.labels == new.labels).all()
