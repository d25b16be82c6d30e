"""Formats beside CSV and JSON lines: what each reads, and what it refuses."""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc

import numpy as np
import pytest

from archpredict.errors import DataError, MissingDependencyError, UsageError
from archpredict.registry import names, resolve
from archpredict.spaces.base import load_space
from archpredict.tables.formats.base import Format, format_of, format_to_write, read_rows
from archpredict.tables.formats.nasbench301_json import genotype
from archpredict.tables.reading import files, json_stream
from archpredict.tables.table import Table


@pytest.fixture
def write(tmp_path):
    def _write(name, content):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
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


@pytest.mark.parametrize("name", names("tables.formats"))
def test_every_format_says_what_it_is(name):
    form = resolve("tables.formats", name, Format)
    assert form.__doc__.partition("\n")[0].endswith(".")
    assert all(ending.startswith(".") for ending in form.endings)


def test_a_format_that_is_only_read_cannot_be_written_to():
    for name in ("t.tfrecord", "t.txt", "t", "t.json"):
        with pytest.raises(UsageError, match=r"give a name that ends in \.csv, \.jsonl or \.parquet"):
            format_to_write(name)


# ---------------------------------------------------------------------- JSON


def test_a_json_list_of_objects_is_a_table(write):
    rows = [{"architecture": [1, 2], "accuracy": 3.5}, {"architecture": "x", "accuracy": None}]
    file = write("t.json", json.dumps(rows))
    assert format_of(file)[0] == "json"
    assert values(file) == rows
    assert values(write("t.json.gz", gzip.compress(json.dumps(rows, indent=3).encode()))) == rows


def test_bare_architectures_are_rows_without_labels(write):
    expected = [{"architecture": "a"}, {"architecture": [[0, 1]]}]
    file = write("t.json", '["a", [[0, 1]]]')
    assert values(file) == expected
    file = write("t.json", '{"0": "a", "1" : [[0, 1]]}')
    assert values(file) == expected
    assert [row.where for row in read_rows(file)] == ["element '0'", "element '1'"]
    assert values(write("t.json", " [ ] ")) == []
    assert values(write("t.json", "{}")) == []


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_elements_are_found_wherever_the_blocks_of_a_file_end(write, monkeypatch, chunk):
    elements = [{"a": '\\"é€😀', "b": [1.5e-7, -12, 123456789012345678]}, "x" * 100, {"": {}}, {"c": True}]
    file = write("t.json", json.dumps(elements, ensure_ascii=False, indent=1))
    real = json_stream.TableStream.read
    monkeypatch.setattr(json_stream.TableStream, "read", lambda self, size, where: real(self, min(size, chunk), where))
    assert [value for _, value in json_stream.elements(file)] == elements


def test_numbers_are_not_cut_in_two(write):
    for padding in range(40):
        text = "[" + " " * (65_536 - padding) + "12345.678e-3, 5]"
        assert [value for _, value in json_stream.elements(write("t.json", text))] == [12.345678, 5]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", "element 1: found '3', expected a JSON list or object"),
        ("[1]", "element 1: found 1, expected an object with columns or an architecture"),
        ('["a" "b"]', "element 1: found '\"b\"]', expected ',' or ']' after this element"),
        ('["a", ]', "which is no JSON value"),
        ('["a"', "element 1: found '', expected ',' or ']'"),
        ('["a", {"b": ', "element 2: found '{\"b\": ', which is no JSON value"),
        ('["a"] x', "found 'x' after the end of the JSON document"),
        ('{"a" "b"}', "expected a key in double quotes and ':'"),
        ("{3: 4}", "expected a key in double quotes and ':'"),
        ("[" * 100_000, "is no JSON value"),
        ('["a", ' + "9" * 5_000 + "]", "is no JSON value"),
        (b'["\xff"]', "it is not UTF-8"),
    ],
)
def test_json_that_is_malformed_names_the_element(write, text, expected):
    assert expected in refusal(write("t.json", text))


def test_an_element_without_end_is_not_read_to_the_end(write):
    packed = gzip.compress(b'["' + b"x" * 60_000_000, compresslevel=1)
    file = write("t.json.gz", packed)
    tracemalloc.start()
    assert "it is no JSON or longer than 1,000,000 characters" in refusal(file)
    assert tracemalloc.get_traced_memory()[1] < 40_000_000
    tracemalloc.stop()


def test_a_long_list_takes_no_memory_for_all_of_it(write):
    file = write("t.json", "[" + ",".join(['{"architecture": [0, 1, 2, 3, 4, 5], "accuracy": 0.5}'] * 60_000) + "]")
    tracemalloc.start()
    assert sum(1 for _ in read_rows(file)) == 60_000
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()


def test_a_file_that_holds_too_much_is_not_read_to_the_end(write, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 1_000_000)
    bomb = gzip.compress(b'{"architecture": [1], "accuracy": 2}\n' * 100_000)
    assert len(bomb) < 20_000
    assert "the file holds more than 1,000,000 bytes (decompressed), the most that is read" in refusal(
        write("t.jsonl.gz", bomb)
    )
    bomb = gzip.compress(b"[" + b'"a",' * 1_000_000)
    assert "the file holds more than 1,000,000 bytes" in refusal(write("t.json.gz", bomb))


# ---------------------------------------------------------------------- the table of CTNAS

CTNAS = [
    {
        "matrix": [[0, 1, 1], [0, 0, 1], [0, 0, 0]],
        "ops": ["input", "conv1x1-bn-relu", "output"],
        "n_params": 1000,
        "training_time": 10.5,
        "train_accuracy": 1.0,
        "validation_accuracy": 0.93,
        "test_accuracy": 0.92,
        "hash_": "aa",
        "rank": 1,
    },
    {"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"], "validation_accuracy": 0.8, "test_accuracy": 0.7},
]


def test_the_table_of_ctnas_is_known_by_its_content(write):
    file = write("nas_bench.json", json.dumps(CTNAS))
    assert format_of(file)[0] == "ctnas-json"
    table = Table.read(file, load_space("nasbench101"), "validation_accuracy")
    assert table.labels.tolist() == [0.93, 0.8]
    assert table.space.to_matrix(table.choices[0].tolist()) == (CTNAS[0]["matrix"], CTNAS[0]["ops"])
    assert set(values(file)[0]) == {"architecture", *CTNAS[0]} - {"matrix", "ops"}


def test_an_element_of_it_without_a_cell_is_named(write):
    file = write("nas_bench.json", json.dumps([*CTNAS, {"ops": []}]))
    assert "element 3: found {'ops': []}, expected an object with 'matrix' and 'ops'" in refusal(file)


# ---------------------------------------------------------------------- NAS-Bench-301

PREFIX = "NetworkSelectorDatasetInfo:darts:"
EDGES = {2: 0, 3: 2, 4: 5, 5: 9}  # as the publication numbers them: node i reads nodes 0 to i - 1


def result(normal, reduction, **more):
    """A published result; a cell is a list of ((input, operator), (input, operator)) for nodes 2 to 5."""
    configuration = {f"{PREFIX}layers": 8, f"{PREFIX}init_channels": 32, "OptimizerSelector:optimizer": "sgd"}
    for name, cell in (("normal", normal), ("reduce", reduction)):
        for node, ((a, op_a), (b, op_b)) in enumerate(cell, start=2):
            configuration[f"{PREFIX}edge_{name}_{EDGES[node] + a}"] = op_a
            configuration[f"{PREFIX}edge_{name}_{EDGES[node] + b}"] = op_b
            if node > 2:
                configuration[f"{PREFIX}inputs_node_{name}_{node}"] = f"{a}_{b}"
    info = [{"val_accuracy": 93.5, "train_accuracy": 99.0, "model_parameters": 1_000_000, "epochs": 97}]
    return {"optimized_hyperparamater_config": configuration, "budget": 98, "info": info, "test_accuracy": 93.25,
            "runtime": 3600, **more}  # fmt: skip


NORMAL = [((0, "sep_conv_3x3"), (1, "skip_connect")), ((0, "dil_conv_5x5"), (2, "max_pool_3x3")),
          ((1, "avg_pool_3x3"), (3, "sep_conv_5x5")), ((2, "dil_conv_3x3"), (4, "sep_conv_3x3"))]  # fmt: skip
REDUCTION = [((0, "max_pool_3x3"), (1, "max_pool_3x3"))] * 4


def test_a_result_of_nasbench301_is_the_genotype_that_its_configuration_describes(write):
    space = load_space("darts")
    file = write("results_0.json", json.dumps(result(NORMAL, REDUCTION)))
    assert format_of(file)[0] == "nasbench301-json"
    (row,) = values(file)
    flat = [[(op, source) for pair in cell for source, op in pair] for cell in (NORMAL, REDUCTION)]
    expected = f"Genotype(normal={flat[0]}, normal_concat=[2,3,4,5], reduce={flat[1]}, reduce_concat=[2,3,4,5])"
    assert space.parse(row.pop("architecture")) == space.parse(expected)
    assert row == {"val_accuracy": 93.5, "train_accuracy": 99.0, "params": 1_000_000, "test_accuracy": 93.25,
                   "runtime": 3600, "budget": 98, "layers": 8, "init_channels": 32}  # fmt: skip


def test_any_architecture_of_the_space_survives_the_publications_notation():
    space = load_space("darts")
    for row in space.sample(50, np.random.default_rng(0)).tolist():
        cells = json.loads(space.format(row, style="compact"))
        names_of = space.operator_names
        pairs = [[(source, names_of[op]) for source, op in cell] for cell in cells]
        normal, reduction = ([tuple(sorted(cell[i : i + 2])) for i in range(0, 8, 2)] for cell in pairs)
        text = genotype(result(normal, reduction)["optimized_hyperparamater_config"])
        assert space.parse(text) == tuple(row)


def test_a_folder_of_results_is_a_table_in_the_order_of_names(write, tmp_path):
    write("runs/b/results_1.json", json.dumps(result(REDUCTION, NORMAL, test_accuracy=90.0)))
    write("runs/a/results_7.json", json.dumps(result(NORMAL, REDUCTION, test_accuracy=91.0)))
    write("runs/a/notes.txt", "x")
    rows = list(read_rows(tmp_path / "runs"))
    assert [(row.where, row.values["test_accuracy"]) for row in rows] == [
        ("file a/results_7.json", 91.0),
        ("file b/results_1.json", 90.0),
    ]
    table = Table.read(tmp_path / "runs", load_space("darts"), "test_accuracy")
    assert table.labels.tolist() == [91.0, 90.0]
    before = table.sha256
    write("runs/a/results_7.json", json.dumps(result(NORMAL, REDUCTION, test_accuracy=92.0)))
    assert Table.read(tmp_path / "runs", load_space("darts"), "test_accuracy").sha256 != before


def test_results_may_be_listed_in_one_file_and_bare_configurations_have_no_labels(write):
    results = [result(NORMAL, REDUCTION), result(REDUCTION, NORMAL)["optimized_hyperparamater_config"]]
    rows = values(write("all.json", json.dumps(results)))
    assert [row.get("test_accuracy") for row in rows] == [93.25, None]
    assert len(values(write("all.json", json.dumps({"run_1": results[0], "run_2": results[1]})))) == 2


def test_a_configuration_that_lacks_an_edge_or_inputs_is_named(write):
    one = result(NORMAL, REDUCTION)
    del one["optimized_hyperparamater_config"][f"{PREFIX}edge_normal_4"]
    assert "element 1: 'NetworkSelectorDatasetInfo:darts:edge_normal_4' is None, expected the operator" in refusal(
        write("r.json", json.dumps(one))
    )
    one = result(NORMAL, REDUCTION)
    one["optimized_hyperparamater_config"][f"{PREFIX}inputs_node_reduce_5"] = "0_9"
    assert "inputs_node_reduce_5' is '0_9', expected two earlier nodes, e.g. '0_2'" in refusal(
        write("r.json", json.dumps(one))
    )


def test_a_folder_of_anything_else_is_refused(tmp_path, write):
    write("empty/x.txt", "x")
    assert "is a folder; give the table's file, or a folder of NAS-Bench-301 results" in refusal(tmp_path / "empty")
    write("mixed/a.json", json.dumps(result(NORMAL, REDUCTION)))
    write("mixed/b.json", '[["x"]]')
    assert "b.json, element 1: found ['x'], expected a result of NAS-Bench-301" in refusal(tmp_path / "mixed")


# ---------------------------------------------------------------------- ENAS text


def test_lines_of_enas_cells_with_their_accuracy(write):
    file = write("final.txt", "[[1], [4, 0], [5, 0, 1]], 0.7302\n\n[[5], [3, 1], [2, 1, 1]], 0.7234\n")
    assert values(file) == [
        {"architecture": "[[1], [4, 0], [5, 0, 1]]", "accuracy": "0.7302"},
        {"architecture": "[[5], [3, 1], [2, 1, 1]]", "accuracy": "0.7234"},
    ]
    assert "line 1: found 'hello', expected [[operator, links...], ...], accuracy" in refusal(write("t.txt", "hello\n"))


def test_the_published_enas_cells_are_read(data_folder):
    rows = values(data_folder / "enas" / "final_structures6.txt.gz")
    assert len(rows) == 20_020
    accuracies = [float(row["accuracy"]) for row in rows]
    assert (min(accuracies), max(accuracies)) == (0.702, pytest.approx(0.7502))


def test_the_published_darts_architectures_without_labels_are_read(data_folder):
    space = load_space("darts")
    rows = values(data_folder / "darts" / "unlabelled_11221.json.gz")
    assert len(rows) == 11_221
    assert space.parse(rows[0]["architecture"])


# ---------------------------------------------------------------------- Parquet


def test_parquet_without_its_package_names_the_extra(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'archpredict\[parquet\]'"):
        list(read_rows(write("t.parquet", b"PAR1")))


def test_a_parquet_file_has_rows_with_their_types(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    rows = [{"architecture": [1, 2], "accuracy": 0.5, "n": 3}, {"architecture": [0, 1], "accuracy": None, "n": None}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    assert values(tmp_path / "t.parquet") == rows
    assert [row.where for row in read_rows(tmp_path / "t.parquet")] == ["row 1", "row 2"]


@pytest.mark.parametrize("content", [b"architecture,accuracy\n", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b""])
def test_what_is_no_parquet_file(write, content):
    pytest.importorskip("pyarrow")
    assert "is no Parquet file that can be read" in refusal(write("t.parquet", content))


def test_a_parquet_file_cut_or_damaged_anywhere_is_refused_or_read(tmp_path, write):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    whole = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({"architecture": ["a"] * 50, "accuracy": list(range(50))}), whole)
    content = whole.read_bytes()
    for cut in range(1, len(content), 97):
        assert "is no Parquet file" in refusal(write("cut.parquet", content[:cut]))
    for place in range(0, len(content), 41):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        try:
            values(write("damaged.parquet", bytes(damaged)))
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_parquet_file_of_too_many_rows(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    from archpredict.tables.formats import parquet as module

    parquet.write_table(pyarrow.table({"architecture": ["a"] * 50}), tmp_path / "t.parquet")
    monkeypatch.setattr(module, "MAX_LINES", 10)
    assert "has more than 10 rows" in refusal(tmp_path / "t.parquet")
