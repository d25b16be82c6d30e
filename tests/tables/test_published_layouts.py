"""Layouts that others publish or print: search logs, dictionaries by architecture, histories, names of columns."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.errors import DataError
from archpredict.evaluators.base import Result
from archpredict.evaluators.table import TableEvaluator
from archpredict.runs.history import History
from archpredict.runs.report import write_report
from archpredict.spaces.base import load_space
from archpredict.tables.check import problems, survey
from archpredict.tables.convert import convert
from archpredict.tables.formats.base import format_of, read_rows
from archpredict.tables.model_labels import read_labels
from archpredict.tables.table import Table
from archpredict.tables.unlabelled import Unlabelled

DARTS, NB101, NB201 = map(load_space, ("darts", "nasbench101", "nasbench201"))
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(name: str, content: Any) -> Path:
        file = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content)
        file.write_text(text)
        return file

    return _write


def texts(space: Any, n: int) -> list[str]:
    return [space.format(row) for row in space.sample(n, np.random.default_rng(0)).tolist()]


def values(file: Path) -> list[dict[str, Any]]:
    return [dict(row.values) for row in read_rows(file)]


# ---------------------------------------------------------------------- logs of DARTS

GENOTYPES = texts(DARTS, 4)


def log_of(front: str, epochs: int = 4, last: int = 4) -> str:
    """A log as DARTS's ``train_search.py`` writes it; the last epoch breaks off after so many of its lines."""
    lines = [f"{front}gpu device = 0", f"{front}args = Namespace(batch_size=64, learning_rate=0.025)",
             f"{front}param size = 1.930618MB"]  # fmt: skip
    for epoch in range(epochs):
        genotype = GENOTYPES[epoch].replace("[2, 3, 4, 5]", "range(2, 6)")
        block = [f"epoch {epoch} lr {0.025 - epoch / 1000:e}", f"genotype = {genotype}"]
        block += [f"train {step:03d} {1.6 - step / 100:e} {40 + step:f} {90:f}" for step in (0, 50)]
        block += [f"train_acc {44 + epoch:f}", f"valid 000 {1.5:e} {50:f} {92:f}", f"valid_acc {45 + epoch:f}"]
        lines += [front + line for line in (block if epoch < epochs - 1 else block[: last + 3])]
        lines.append("tensor([[0.1250, 0.1250],\n        [0.1249, 0.1251]], grad_fn=<SoftmaxBackward>)")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "front",
    ["", "11/28 09:14:02 AM ", "2019-01-01 12:00:00,123 INFO ", "2019-01-01 12:00:00,123 - root - INFO - ",
     "INFO:root:", "[2019-01-01 12:00:00] ", "[11/28 09:14:02] train_search.py:91 [INFO] "],
)  # fmt: skip
@pytest.mark.parametrize("name", ["log.txt", "search.log", "log.txt.gz"])
def test_each_epoch_of_a_log_of_darts_is_a_row(tmp_path: Path, front: str, name: str) -> None:
    file = tmp_path / name
    text = log_of(front).encode()
    file.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert format_of(file)[0] == "darts-log"
    rows = values(file)
    assert [DARTS.parse(row["architecture"]) for row in rows] == [*map(DARTS.parse, GENOTYPES)]
    assert [*rows[0]] == ["architecture", "epoch", "lr", "train_acc", "valid_acc"]
    assert [float(row["epoch"]) for row in rows] == [0, 1, 2, 3]
    assert [float(row["lr"]) for row in rows] == [0.025, 0.024, 0.023, 0.022]
    table = Table.read(file, "darts", "valid_acc", features=["train_acc"])
    assert table.labels.tolist() == [45, 46, 47, 48]
    assert table.features["train_acc"].tolist() == [44, 45, 46, 47]


def test_a_last_epoch_without_labels_has_failed(write: Write) -> None:
    file = write("log.txt", log_of("11/28 09:14:02 AM ", last=0))
    with pytest.warns(
        UserWarning, match=r"1 rows without a value in 'valid_acc' say .* has failed \(line \d+: 'the log ends"
    ):
        table = Table.read(file, "darts", "valid_acc")
    assert table.labels.tolist() == [45, 46, 47]


def test_other_codes_name_their_numbers_with_colons_and_show_the_genotype_last(write: Write) -> None:
    lines = [
        f"Epoch: {i}/50, lr: [0.02{i}] \nTrain_acc: 9{i}.5% loss=0.{i}\nthe best is {g}"
        for i, g in enumerate(GENOTYPES)
    ]
    assert values(write("log.txt", "\n".join(lines)))[1] == {
        "architecture": GENOTYPES[1], "epoch": "1", "lr": "0.021", "train_acc": "91.5", "loss": "0.1"}  # fmt: skip


def test_without_numbers_of_epochs_a_row_begins_with_its_genotype(write: Write) -> None:
    file = write("log.txt", "seed 3\n" + "".join(f"genotype = {g}\nacc {i}\n" for i, g in enumerate(GENOTYPES)))
    assert [row["acc"] for row in values(file)] == ["0", "1", "2", "3"]


def test_a_log_without_a_genotype_is_refused_in_a_line(write: Write) -> None:
    with pytest.raises(DataError, match=r"is a log without a line that holds Genotype"):
        values(write("search.log", "epoch 3\n" * 1000))
    with pytest.raises(DataError, match=r"line 1: found 'epoch 3', expected \[\[operator"):
        values(write("log.txt", "epoch 3\n" * 1000))


def test_a_log_is_converted_to_a_table(write: Write) -> None:
    file = write("log.txt", log_of("11/28 09:14:02 AM "))
    assert convert(file, "darts", file.with_name("t.csv")) == 4
    with file.with_name("t.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["architecture"] for row in rows] == GENOTYPES
    assert [row["valid_acc"] for row in rows] == ["45.0", "46.0", "47.0", "48.0"]


EPOCHS = ["epoch {i} lr 0.1", "Epoch [{i}/50]", "Epoch: [{i}/50] lr: 0.1", "Epoch {i}/50 - lr 0.1", "=== Epoch {i} ===",
          "Epoch #{i}",
          "[Epoch {i}/50]", "Epoch: [{i}][000/390]", "Epoch[{i}]",
          "Starting epoch {i}", "[Search the {i}-th epoch]"]  # fmt: skip


@pytest.mark.parametrize("epoch", EPOCHS)
def test_the_number_of_an_epoch_is_found_however_it_is_written(write: Write, epoch: str) -> None:
    lines = [epoch.format(i=i) for i in range(len(GENOTYPES))]
    blocks = [f"{line}\n{line} Loss 1.2 (1.3)\ngenotype = {g}\n{line}\nvalid_acc {80 + i}\n"
              for i, (line, g) in enumerate(zip(lines, GENOTYPES, strict=True))]  # fmt: skip
    rows = values(write("log.txt", "".join(blocks)))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["valid_acc"] for row in rows] == ["80", "81", "82", "83"]


@pytest.mark.parametrize(
    "line",
    ["* valid_acc {i}", "Validation: valid_acc {i}", "valid_acc -> {i}", "'valid_acc': {i}",
     '{{"valid_acc": {i}, "loss": 1}}',
     "valid_acc,{i}", "valid_acc: {i}.", "| valid_acc: {i}% | loss 0.3 |",
     "\x1b[32m[11/28 10:00:00 main]\x1b[0m valid_acc {i}",
     "Nov 28 10:00:00 valid_acc {i}", "2019-11-28 10:00:00 train INFO: valid_acc {i}",
     "[rank0] valid_acc {i}"],
)  # fmt: skip
def test_the_numbers_of_a_log_are_found_however_they_are_written(write: Write, line: str) -> None:
    text = "".join(f"epoch {i}\ngenotype = {g}\n{line.format(i=80 + i)}\n" for i, g in enumerate(GENOTYPES))
    assert [float(row["valid_acc"]) for row in values(write("log.txt", text))] == [80, 81, 82, 83]


def test_a_genotype_of_a_log_may_go_over_several_lines_or_be_a_structure(write: Write) -> None:
    text = "".join(
        f"epoch {i}\ngenotype = {g.replace('), ', '),' + chr(10))}\nacc {i}\n" for i, g in enumerate(GENOTYPES)
    )
    assert [*map(str, Table.read(write("log.txt", text), DARTS, "acc").architectures)] == GENOTYPES
    cells = texts(NB201, 3)
    text = "".join(
        f"[2020-01-01 10:00:00] [Search the {i:03d}-050-th epoch] Time Left: [10:00:00]\n[{i:03d}-050] searching : "
        f"loss=1.2, accuracy@1={i}.00%\n<<<--->>> The {i:03d}-050-th epoch : Structure(4 nodes with {cell})\n"
        for i, cell in enumerate(cells)
    )
    table = Table.read(write("log.txt", text), NB201, "accuracy@1")
    assert ([*map(str, table.architectures)], table.labels.tolist()) == (cells, [0, 1, 2])


# ---------------------------------------------------------------------- other separators, and what Python prints


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t.tsv.gz"])
def test_columns_may_be_separated_by_semicolons_or_tabs(tmp_path: Path, mark: str, end: str, name: str) -> None:
    cells = texts(NB201, 3)
    lines = ["# mine", mark.join(("", "Arch", "acc")), *(f"{i}{mark}{cell}{mark}{i}.5" for i, cell in enumerate(cells))]
    text = ("\ufeff" + end.join(lines)).encode()
    file = tmp_path / name
    file.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    table = Table.read(file, NB201, "acc")
    assert ([*map(str, table.architectures)], table.labels.tolist()) == (cells, [0.5, 1.5, 2.5])


def test_spreadsheets_write_a_comma_in_numbers_and_note_the_separator(write: Write) -> None:
    text = "sep=;\narch;acc\n" + "".join(f"{cell};{i},5\n" for i, cell in enumerate(texts(NB201, 3)))
    assert Table.read(write("t.csv", text), NB201, "acc").labels.tolist() == [0.5, 1.5, 2.5]


@pytest.mark.parametrize("name", ["t.json", "t.txt", "t.json.gz"])
def test_what_python_prints_is_read_as_json_is(tmp_path: Path, name: str) -> None:
    rows = [{"arch": cell, "acc": float(i)} for i, cell in enumerate(texts(NB201, 3))]
    by_cell = {row["arch"]: {"acc": np.float64(row["acc"])} for row in rows}
    by_choices = {NB201.parse(row["arch"]): {"acc": row["acc"]} for row in rows}
    columns = {"arch": [row["arch"] for row in rows], "acc": [row["acc"] for row in rows]}
    by_number = {key: dict(enumerate(column)) for key, column in columns.items()}
    split = {"columns": [*columns], "data": [[*row.values()] for row in rows]}
    printed = [
        rows,
        tuple(rows),
        by_cell,
        by_choices,
        {"cifar10": by_cell},
        columns,
        by_number,
        split,
        {"results": rows},
    ]
    contents = [*map(str, printed), f"results = {rows}", "\n".join(map(str, rows)), "\n".join(map(json.dumps, rows))]
    contents += [json.dumps(one) for one in (rows, columns, by_number, split, {"meta": {"n": 3}, "results": rows})]
    for content in contents:
        file = tmp_path / name
        file.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
        table = Table.read(file, NB201, "acc")
        assert [(str(a), label) for a, label in zip(table.architectures, table.labels.tolist(), strict=True)] == [
            (row["arch"], row["acc"]) for row in rows
        ], content


def test_cells_with_arrays_are_read_as_python_prints_them(write: Write) -> None:
    cells = [NB101.to_matrix(row) for row in NB101.sample(4, np.random.default_rng(0)).tolist()]
    by_hash = {f"{i}ab": {"module_adjacency": np.array(m, dtype=np.int8), "module_operations": ops, "acc": i}
               for i, (m, ops) in enumerate(cells)}  # fmt: skip
    for name in ("t.json", "t.txt"):
        table = Table.read(write(name, str(by_hash)), NB101, "acc")
        assert [NB101.to_matrix(row) for row in table.choices.tolist()] == cells


# ---------------------------------------------------------------------- dictionaries by architecture


KEYS = texts(NB201, 2)


def zero_cost(i: int) -> dict[str, Any]:
    return {
        "id": i,
        "synflow": {"score": i * 1.5, "time": 0.1},
        "nwot": {"score": -i, "time": 0.2},
        "val_accuracy": 90 + i,
    }


def test_a_zero_cost_benchmark_is_read_with_naslibs_numbers(write: Write, data_folder: Path) -> None:
    with gzip.open(data_folder / "nasbench201" / "nasbench201.csv.gz", "rt") as stream:
        published = [row for row, _ in zip(csv.DictReader(stream), range(300), strict=False)]
    expected = [NB201.parse(row["arch_str"]) for row in published]
    content = {
        row["op_indices"]: {**zero_cost(i), "val_accuracy": float(row["c10_test"])} for i, row in enumerate(published)
    }
    for file in (write("flat.json", content), write("zc_nasbench201.json", {"cifar10": content})):
        assert format_of(file)[0] == "keyed-json"
        assert [*values(file)[0]] == [
            "architecture",
            "id",
            "synflow",
            "synflow.time",
            "nwot",
            "nwot.time",
            "val_accuracy",
        ]
        table = Table.read(file, "nasbench201", "val_accuracy", features=["synflow"])
        assert [*map(tuple, table.choices.tolist())] == expected
        assert table.labels.tolist() == [float(row["c10_test"]) for row in published]
    text = "op_indices,acc\n" + "".join(f'"{row["op_indices"]}",{i}\n' for i, row in enumerate(published))
    assert [*map(tuple, Table.read(write("t.csv", text), NB201, "acc").choices.tolist())] == expected


def test_a_dictionary_of_ones_own_has_the_spaces_own_numbers(write: Write) -> None:
    rows = NB201.sample(20, np.random.default_rng(1)).tolist()
    file = write("mine.json", {str(tuple(row)): {"accuracy": i} for i, row in enumerate(rows)})
    table = Table.read(file, NB201, "accuracy")
    assert table.choices.tolist() == rows
    assert (
        Table.read(write("numbers.json", {str(row): i for i, row in enumerate(rows)}), NB201, "value").choices.tolist()
        == rows
    )


@pytest.mark.parametrize("space", ["darts", "nasbench101", "nasbench201", "nasbench-macro", "mobilenetv3", "enas"])
def test_keys_are_in_any_notation_of_the_space(write: Write, space: str) -> None:
    keys = texts(load_space(space), 5)
    content = {key: {"acc": i, "more": {"deep": i}} for i, key in enumerate(keys)}
    for one in (content, {"task-1": content}):
        table = Table.read(write("t.json", one), space, "acc", features=["more.deep"])
        assert [*map(str, table.architectures)] == keys


def test_of_several_tasks_an_architecture_is_one_row(write: Write) -> None:
    keys = texts(NB201, 3)
    content = {
        "cifar10": {key: {"acc": i} for i, key in enumerate(keys)},
        "ImageNet16-120": {keys[2]: {"acc": 7, "lr": 1}},
    }
    file = write("t.json", content)
    assert values(file) == [
        {
            "architecture": key,
            "cifar10.acc": i,
            "ImageNet16-120.acc": 7 if i == 2 else None,
            "ImageNet16-120.lr": 1 if i == 2 else None,
        }
        for i, key in enumerate(keys)
    ]
    with pytest.raises(
        DataError,
        match=r"has no column 'acc'; its columns of numbers are: cifar10\.acc\. Did you mean 'cifar10\.acc'\?",
    ):
        Table.read(file, NB201, "acc")
    assert Table.read(file, NB201, "CIFAR10.acc").target == "cifar10.acc"


def test_tasks_are_read_element_by_element(write: Write) -> None:
    keys = texts(NB201, 50)
    wide = {f"column{i}": i for i in range(3000)}
    assert len(values(write("t.json", {"task": dict.fromkeys(keys, wide)}))) == len(set(keys))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({KEYS[0]: {"a": 1}, KEYS[1]: [1]}, r"found \[1\], expected an object or a number for each architecture"),
        ({KEYS[0]: {"a": 1}, KEYS[1]: None}, "found None, expected an object or a number for each architecture"),
        ({"t": {KEYS[0]: {"a": 1}}, "u": 3}, "element 'u': found 3, expected an object or a number"),
    ],
)
def test_a_dictionary_with_something_else_in_it_names_the_element(write: Write, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Table.read(write("t.json", content), NB201, "a")


def test_a_list_of_cells_by_the_benchmarks_own_names_is_read(write: Write) -> None:
    cells = [NB101.to_matrix(row) for row in NB101.sample(4, np.random.default_rng(0)).tolist()]
    content = [{"module_adjacency": m, "module_operations": ops, "acc": i} for i, (m, ops) in enumerate(cells)]
    table = Table.read(write("t.json", content), NB101, "acc")
    assert [NB101.to_matrix(row) for row in table.choices.tolist()] == cells
    by_hash = {f"{i}a": {"module_adjacency": m, "module_operations": ops, "acc": i} for i, (m, ops) in enumerate(cells)}
    assert len(Table.read(write("h.json", by_hash), NB101, "acc")) == 4


# ---------------------------------------------------------------------- histories


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    architectures = NB201.architectures(NB201.sample(6, np.random.default_rng(0)))
    with History(folder / "history.db") as history:
        for i, architecture in enumerate(architectures):
            failed = i in (0, 4)
            history.record(
                i, Result(architecture, None if failed else 90.0 + i, error='out, of "memory"' if failed else None)
            )
        write_report(history, folder / "report")
    return folder


def test_the_objectives_of_a_run_are_columns_of_its_history(tmp_path: Path) -> None:
    architectures = NB201.architectures(NB201.sample(4, np.random.default_rng(0)))
    with History(tmp_path / "history.db") as history:
        for i, architecture in enumerate(architectures[:3]):
            values = {"latency": 3.0 + i}
            history.record(i, Result(architecture, 90.0 + i, values=values))
        history.record(3, Result(architectures[3], None, error="out of memory"))
    with pytest.warns(UserWarning, match="1 rows without a value in 'latency'"):
        table = Table.read(tmp_path / "history.db", "nasbench201", "latency", features=["score"])
    assert (table.labels.tolist(), table.features["score"].tolist()) == ([3.0, 4.0, 5.0], [90.0, 91.0, 92.0])


def test_a_history_is_a_table_without_its_failed_rows(run: Path) -> None:
    expected = NB201.sample(6, np.random.default_rng(0))[[1, 2, 3, 5]].tolist()
    for file in (run, run / "history.db", run / "report" / "history.csv"):
        with pytest.warns(
            UserWarning, match=r"2 rows without a value in 'score' say that their evaluation has failed \(.*memory"
        ):
            table = Table.read(file, "nasbench201", "score")
        assert table.choices.tolist() == expected
        assert table.labels.tolist() == [91, 92, 93, 95]
        assert len(table.sha256) == 64
        found = survey(file, "nasbench201", "score")
        assert problems(found, "score") == []
        assert (found.num_rows, found.num_failed) == (6, 2)
        assert convert(file, "nasbench201", run.parent / f"{file.name}.csv") == 6


def test_labels_that_are_missing_without_a_reason_are_still_refused(write: Write) -> None:
    first, second, third = texts(NB201, 3)
    text = f"architecture,score,error\n{first},1,\n{second},,\n{third},2,boom\n"
    with pytest.raises(DataError, match=r"line 3, column 'score': found '', expected a number"):
        Table.read(write("t.csv", text), NB201, "score")
    found = survey(write("t.csv", text), NB201, "score")
    assert [problem.name for problem in problems(found, "score")] == ["labels-not-finite"]


@pytest.mark.parametrize(
    ("column", "why"), [("Error", "boom"), ("status", "FAILED"), ("state", "fail"), ("exception", "x y")]
)
def test_a_failed_row_may_say_so_in_other_words(write: Write, column: str, why: str) -> None:
    first, second, third = texts(NB201, 3)
    file = write("t.csv", f"architecture,score,{column}\n{first},,{why}\n{second},1,\n{third},2,\n")
    with pytest.warns(UserWarning, match=f"line 2: '{why}'"):
        assert len(Table.read(file, NB201, "score")) == 2


def test_where_everything_failed_there_is_no_table(write: Write) -> None:
    file = write("t.csv", f"architecture,score,error\n{texts(NB201, 1)[0]},,boom\n")
    with pytest.raises(DataError, match=r"all 1 rows say that their evaluation has failed \(line 2: 'boom'\)"):
        Table.read(file, NB201, "score")


def test_a_database_of_something_else_is_refused(tmp_path: Path, run: Path) -> None:
    file = tmp_path / "other.db"
    file.write_bytes(b"x" * 100)
    with pytest.raises(DataError, match="is no SQLite file"):
        values(file)
    file.write_bytes((run / "history.db").read_bytes()[:5000])
    with pytest.raises(DataError, match="is no history of a run of archpredict, or is damaged"):
        values(file)


# ---------------------------------------------------------------------- names of columns


@pytest.mark.parametrize(
    "name", ["ARCHITECTURE", "Arch", "arch_string", "Genotype", "cell", "config", "architecture str", "net"]
)
def test_the_column_of_architectures_goes_by_many_names_in_any_case(write: Write, name: str) -> None:
    cells = texts(NB201, 3)
    file = write("t.csv", f"{name},Accuracy,FLOPs\n" + "".join(f"{cell},{i},{i}\n" for i, cell in enumerate(cells)))
    table = Table.read(file, NB201, "accuracy", features=["flops"])
    assert (table.column, table.target, [*table.features]) == (name, "Accuracy", ["flops"])
    assert len(Unlabelled.read(file, NB201).architectures) == 3
    assert survey(file, NB201, "ACCURACY").column == name


def test_of_several_names_the_one_is_taken_that_holds_architectures(write: Write) -> None:
    cells = texts(NB201, 3)
    file = write(
        "t.csv", "model,cell,genotype,acc\n" + "".join(f"resnet,{i},{cell},{i}\n" for i, cell in enumerate(cells))
    )
    assert Table.read(file, NB201, "acc").column == "genotype"
    file = write("t.csv", "arch,arch_str,acc\n" + "".join(f"{i},{cell},{i}\n" for i, cell in enumerate(cells)))
    assert Table.read(file, NB201, "acc").column == "arch_str"
    file = write("t.csv", "cell,genotype,acc\n" + "".join(f"{cell},{cell},{i}\n" for i, cell in enumerate(cells)))
    with pytest.raises(
        DataError, match=r"has no column 'architecture' but both 'cell' and 'genotype'; rename .*`column`"
    ):
        Table.read(file, NB201, "acc")
    for column in ("genotype", "Genotype"):
        assert Table.read(file, NB201, "acc", column=column).column == "genotype"
        assert len(Unlabelled.read(file, NB201, column=column).rows) == 3
        assert len(TableEvaluator.for_space(NB201, file, "acc", column=column).table) == 3


def test_an_architecture_may_be_spread_over_columns(write: Write) -> None:
    cells = [NB101.to_matrix(row) for row in NB101.sample(4, np.random.default_rng(0)).tolist()]
    rows = [{"Matrix": matrix, "ops": ops, "acc": i} for i, (matrix, ops) in enumerate(cells)]
    lines = "Matrix,ops,acc\n" + "".join(f'"{row["Matrix"]}","{row["ops"]}",{row["acc"]}\n' for row in rows)
    for file in (write("t.jsonl", "\n".join(map(json.dumps, rows))), write("t.csv", lines)):
        table = Table.read(file, NB101, "acc")
        assert table.column == "Matrix+ops"
        assert [NB101.to_matrix(row) for row in table.choices.tolist()] == cells
        assert survey(file, NB101).num_unreadable == 0
    file = write("t.csv", "normal,normal_concat,reduce,reduce_concat,acc\n" + "".join(
        f'"{g["normal"]}","range(2, 6)","{g["reduce"]}","[2, 3, 4, 5]",{i}\n' for i, g in enumerate(
            eval(text, {"__builtins__": {}, "Genotype": dict}) for text in GENOTYPES)))  # fmt: skip
    assert [*map(str, Table.read(file, DARTS, "acc").architectures)] == GENOTYPES
    file = write(
        "t.csv",
        'ks,e,d,r,acc\n7,6,4,224,1\n"[7, 5] * 10",6,"[2, 2, 2, 2, 2]",[160],2\n'.replace(
            "[7, 5] * 10", str([7, 5] * 10)
        ),
    )
    assert Table.read(file, "mobilenetv3", "acc").choices[:, 0].tolist() == [7, 3]


def test_a_table_without_architectures_names_the_nearest_column_in_a_line(write: Write) -> None:
    columns = [f"column_with_a_long_name_{i}" for i in range(5000)]
    for names, near in (
        (["cell", *columns], r"\('cell': no architecture of the space nasbench201 in line 2\)"),
        (columns, ""),
    ):
        with pytest.raises(DataError, match=f"has no column 'architecture'.* and 4,99. more.*{near}") as caught:
            Table.read(write("t.csv", ",".join(names) + "\n" + ",".join("x" for _ in names) + "\n"), NB201, "acc")
        assert len(str(caught.value).replace(str(write("t.csv", "")), "t.csv")) < 500
    with pytest.raises(DataError, match=r"has no column 'archi' for the architectures.*\('arch_i': no architecture"):
        Table.read(write("t.csv", "arch_i,acc\nx,1\n"), NB201, "acc", column="archi")


def test_labels_of_models_are_found_whatever_the_case_and_name_the_nearest_model(write: Write) -> None:
    file = write("t.csv", "Model,SCORE\nresnet50,1\nresnt18,2\nvgg,3\n")
    labels = read_labels(file, ["nets/resnet50.onnx", "nets/resnet18.onnx"])
    assert labels.models == [0]
    assert labels.unmatched is not None
    assert labels.unmatched.endswith(
        "t.csv: 2 rows name none of the models, the first is 'resnt18' (did you mean 'resnet18'?), then 'vgg'"
    )
    assert read_labels({"resnet50": 1.0}, ["resnet50.onnx"]).unmatched is None


# ---------------------------------------------------------------------- whatever is in a file


@pytest.mark.parametrize("name", ["log.txt", "search.log", "t.json", "history.db", "t.csv"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_damaged_file_does_anything_but_read_or_be_refused(
    write: Write, tmp_path: Path, run: Path, name: str
) -> None:
    keys = texts(NB201, 6)
    whole = {
        "log.txt": log_of("11/28 09:14:02 AM ").encode(),
        "search.log": log_of("").encode(),
        "t.json": json.dumps({"cifar10": {key: zero_cost(i) for i, key in enumerate(keys)}}).encode(),
        "history.db": (run / "history.db").read_bytes(),
        "t.csv": (run / "report" / "history.csv").read_bytes(),
    }[name]
    rng = random.Random(0)
    for _ in range(60):
        damaged = bytearray(whole[: rng.choice([len(whole), rng.randrange(len(whole))])])
        for _ in range(rng.randrange(6)):
            if damaged:
                damaged[rng.randrange(len(damaged))] = rng.choice(b'"{}[](),:=0a\n\x00\xff')
        file = tmp_path / name
        file.write_bytes(bytes(damaged))
        for target in ("valid_acc", "score"):
            message = refused(file, "darts" if "log" in name else "nasbench201", target)
            assert "\n" not in message
            assert len(message) < 1_200


def refused(file: Path, space: str, target: str) -> str:
    """The message with which a table is refused; empty where it is read."""
    try:
        Table.read(file, space, target)
    except DataError as error:
        return str(error)
    return ""
