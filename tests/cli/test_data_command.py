from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner, Result

from archpredict.cli.main import main
from archpredict.spaces.base import load_space

CELLS = (
    "|skip_connect~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
    "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",  # the first without a node that leads nowhere
    "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cells.csv"
    rows = [f"{cell},{label}" for cell, label in zip(CELLS, (90.0, 91.5, 10.0), strict=True)]
    path.write_text("\n".join(["arch_str,accuracy", *rows]) + "\n")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["data", *map(str, arguments)])


def test_help_lists_what_can_be_done():
    result = run("--help")
    assert result.exit_code == 0
    for name in ("info", "check", "convert"):
        assert name in result.stdout


def test_info_says_what_a_file_holds(file):
    result = run("info", file, "--space", "nasbench201")
    assert result.exit_code == 0
    assert "Format:        CSV with a header, separated by commas, semicolons or tabs." in result.stdout
    assert "Rows:          3, the architectures in the column 'arch_str'" in result.stdout
    assert "Architectures: 3 distinct, 2 up to isomorphism (2 rows share 1 of them)" in result.stdout
    assert result.stderr == ""


def test_info_as_json_is_json_alone(file):
    result = run("info", file, "--space", "nasbench201", "--json")
    described = json.loads(result.stdout)
    (column,) = described.pop("columns")
    assert described["format"] == "csv"
    assert (described["rows"], described["distinct"], described["distinct_up_to_isomorphism"]) == (3, 3, 2)
    assert len(described["sha256"]) == 64
    assert column == {
        "name": "accuracy",
        "kind": "number",
        "missing": 0,
        "min": 10.0,
        "max": 91.5,
        "spread": {"architectures": 1, "rows": 2, "with_different_values": 1, "mean": 1.5, "max": 1.5},
    }


def test_check_exits_with_1_where_there_are_problems(file):
    result = run("check", file, "--space", "nasbench201", "--target", "accuracy")
    assert result.exit_code == 1
    assert result.stdout.startswith(
        "Problem: rows with isomorphic architectures differ in 'accuracy' in 1 of 1 classes"
    )
    assert "1.5 at most (line 2, line 3)" in result.stdout


def test_check_exits_with_0_where_there_are_none(file):
    result = run("check", file, "--space", "nasbench201")
    assert (result.exit_code, result.stdout) == (
        0,
        f"No problems in {file}: 3 rows, labels not checked (--target COLUMN).\n",
    )


def test_check_as_json(file):
    file.write_text(file.read_text() + "nonsense,nan\n")
    result = run("check", file, "--space", "nasbench201", "--target", "accuracy", "--json")
    assert result.exit_code == 1
    checked = json.loads(result.stdout)
    assert (checked["rows"], checked["target"]) == (4, "accuracy")
    assert [p["problem"] for p in checked["problems"]] == [
        "unreadable-architectures",
        "isomorphic-with-different-labels",
    ]
    assert "line 5" in checked["problems"][0]["message"]


@pytest.mark.parametrize("name", ["new.jsonl", "new.csv.gz", "new.parquet"])
def test_convert_writes_a_file_that_reads_as_the_same(file, tmp_path, name):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    out = tmp_path / name
    result = run("convert", file, "--space", "nasbench201", "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"Wrote 3 rows to {out}.\n")
    old, new = (json.loads(run("info", path, "--space", "nasbench201", "--json").stdout) for path in (file, out))
    assert old["columns"] == new["columns"]
    assert new["architecture_column"] == "architecture"
    again = run("convert", file, "--space", "nasbench201", "--out", out)
    assert (again.exit_code, again.stderr) == (
        2,
        f"Error: {out} exists already; give another name, or remove it first\n",
    )


@pytest.mark.parametrize("what", ["info", "check"])
def test_what_the_user_gave_wrongly_exits_with_2(file, tmp_path, what):
    result = run(what, tmp_path / "none.csv", "--space", "nasbench201")
    assert result.exit_code == 2
    assert "there is no file" in result.stderr
    result = run(what, file, "--space", "nasbench2001")
    assert result.exit_code == 2
    assert "unknown space 'nasbench2001'" in result.stderr
    assert run(what, file).exit_code == 2


def test_a_truncated_tfrecord_names_the_record(tmp_path):
    path = tmp_path / "nasbench.tfrecord"
    path.write_bytes(bytes(11))
    result = run("info", path, "--space", "nasbench101")
    assert result.exit_code == 2
    assert "record 1: the file ends within this record, so it is truncated" in result.stderr
    assert result.stdout == ""


def test_progress_is_lines_on_stderr_now_and_then_unless_it_is_unwanted(file, monkeypatch):
    file.write_text(file.read_text().replace("\n", "\n" + f"{CELLS[2]},10.0\n" * 250, 1))
    monkeypatch.setattr("archpredict.cli._console._PLAIN_SECONDS", 0.0)
    result = run("info", file, "--space", "nasbench201", "--json")
    assert json.loads(result.stdout)["rows"] == 253
    assert "s] rows read 100\n" in result.stderr
    assert "s] architectures compared 200/253\n" in result.stderr
    assert "\r" not in result.stderr
    assert run("info", file, "--space", "nasbench201", "--quiet").stderr == ""


def test_a_log_of_darts_is_converted(tmp_path):
    space = load_space("darts")
    genotypes = [space.format(row) for row in space.sample(3, np.random.default_rng(0)).tolist()]
    lines = [
        f"epoch {i} lr 0.02\ngenotype = {g}\ntrain_acc {i + 50}.5\nvalid_acc {i + 45}" for i, g in enumerate(genotypes)
    ]
    log = tmp_path / "log.txt"
    log.write_text("".join(f"11/28 09:14:02 AM {line}\n" for line in "\n".join(lines).splitlines()))
    assert run("convert", log, "--space", "darts", "--out", tmp_path / "t.jsonl").stdout.startswith("Wrote 3 rows")
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert rows[2] == {"architecture": genotypes[2], "epoch": 2, "lr": 0.02, "train_acc": 52.5, "valid_acc": 47}
    assert "Log of a search" in run("info", log, "--space", "darts").stdout
    assert run("check", log, "--space", "darts", "--target", "VALID_ACC").exit_code == 0


def test_the_column_of_architectures_is_named_by_a_flag(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("cell,genotype,acc\n" + "".join(f"{cell},{cell},{i}\n" for i, cell in enumerate(CELLS)))
    space = ("--space", "nasbench201")
    refused = run("info", file, *space)
    assert refused.exit_code == 2
    assert "both 'cell' and 'genotype'; rename the one that holds the architectures" in refused.stderr
    assert "or give its name as --architecture-column" in refused.stderr
    named = ("--architecture-column", "GENOTYPE")
    assert "the architectures in the column 'genotype'" in run("info", file, *space, *named).stdout
    assert run("check", file, *space, *named).exit_code == 0
    assert run("convert", file, *space, *named, "--out", tmp_path / "n.csv").exit_code == 0


def test_failed_evaluations_are_no_problem(tmp_path):
    file = tmp_path / "history.csv"
    file.write_text(f"architecture,score,error\n{CELLS[0]},1.5,\n{CELLS[1]},,boom\n{CELLS[2]},2.5,\n")
    result = run("check", file, "--space", "nasbench201", "--target", "score")
    assert (result.exit_code, result.stdout) == (
        0, f"No problems in {file}: 3 rows, 1 of them failed evaluations, labels in 'score'.\n")  # fmt: skip
    assert json.loads(run("check", file, "--space", "nasbench201", "--target", "score", "--json").stdout)["failed"] == 1
