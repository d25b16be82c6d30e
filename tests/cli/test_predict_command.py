"""``archpredict predict`` as a user meets it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from archpredict.predict.predictor import Predictor
from archpredict.predict.training.training import Training
from archpredict.spaces.base import Architecture
from archpredict.testing.toys import ToySpace

MODEL = ("--model", "model", "--data", "cells.csv")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_rows_and_columns_stay_and_score_and_std_are_added(
    cli: Any, table: Path, model: Path, cells: list[Architecture]
) -> None:
    result = cli("predict", *MODEL, "--out", "scored.csv")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Wrote 40 rows with score and std to scored.csv" in result.stderr
    before, after = rows_of(table.read_text()), rows_of(Path("scored.csv").read_text())
    assert list(after[0]) == ["architecture", "size", "proxy", "note", "score", "std"]
    assert [{name: row[name] for name in before[0]} for row in after] == before
    predictor = Predictor.load("model")
    assert [float(row["score"]) for row in after] == pytest.approx(predictor.predict(cells).tolist())
    assert [float(row["std"]) for row in after] == pytest.approx(predictor.predict_std(cells).tolist())


def test_dash_is_csv_alone_on_stdout(cli: Any, table: Path, model: Path) -> None:
    cli("predict", *MODEL, "--out", "scored.csv")
    result = cli("predict", *MODEL, "--out", "-")
    assert result.stdout == Path("scored.csv").read_text()
    assert not Path("-").exists()


def test_the_column_of_architectures_is_named_by_a_flag(cli: Any, table: Path, model: Path) -> None:
    rows = rows_of(table.read_text())
    with Path("two.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["cell", "genotype", "size", "Proxy"])
        writer.writerows([row["architecture"], row["architecture"], row["size"], row["proxy"]] for row in rows)
    words = ("predict", "--model", "model", "--data", "two.csv", "--out", "-", "--quiet")
    assert "or give its name as --architecture-column" in cli.fails(*words)
    scored = rows_of(cli(*words, "--architecture-column", "CELL").stdout)
    expected = rows_of(cli("predict", *MODEL, "--out", "-").stdout)
    assert [row["score"] for row in scored] == [row["score"] for row in expected]


def test_jsonl_in_and_out_keeps_what_json_can_say(cli: Any, model: Path, cells: list[Architecture]) -> None:
    given = [{"id": i, "architecture": str(cell), "tags": ["a", i], "done": i == 1} for i, cell in enumerate(cells[:3])]
    Path("cells.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    assert cli("predict", "--model", "model", "--data", "cells.jsonl", "--out", "s.jsonl.gz", "--quiet").stderr == ""
    with gzip.open("s.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    assert [{name: row[name] for name in given[0]} for row in rows] == given
    assert all(isinstance(row["score"], float) for row in rows)


def test_one_row_and_repeated_rows_are_predicted(cli: Any, model: Path, cells: list[Architecture]) -> None:
    Path("one.csv").write_text(f"arch\n{cells[0]}\n")
    (row,) = rows_of(cli("predict", "--model", "model", "--data", "one.csv", "--out", "-").stdout)
    assert float(row["score"]) == pytest.approx(Predictor.load("model").predict(cells[:1])[0])
    Path("two.csv").write_text(f"arch\n{cells[0]}\n{cells[0]}\n")
    first, second = rows_of(cli("predict", "--model", "model", "--data", "two.csv", "--out", "-").stdout)
    assert float(first["score"]) == pytest.approx(float(second["score"]))


def test_a_single_network_has_no_std(cli: Any, table: Path) -> None:
    small = ("--encoder", "gcn", "--epochs", "1", "--ensemble", "1", "--quiet")
    cli("fit", "--space", "nasbench201", "--data", "cells.csv", "--target", "size", *small, "--out", "model")
    assert list(rows_of(cli("predict", *MODEL, "--out", "-").stdout)[0])[-2:] == ["note", "score"]


def test_an_output_file_is_replaced(cli: Any, table: Path, model: Path) -> None:
    Path("scored.csv").write_text("old")
    assert cli("predict", *MODEL, "--out", "scored.csv").exit_code == 0
    assert len(rows_of(Path("scored.csv").read_text())) == 40
    assert sorted(path.name for path in Path().iterdir()) == ["cells.csv", "model", "scored.csv"]


def test_features_come_from_their_columns_and_their_absence_is_told(cli: Any, table: Path) -> None:
    small = ("--encoder", "gcn", "--epochs", "1", "--quiet", "--features", "proxy")
    cli("fit", "--space", "nasbench201", "--data", "cells.csv", "--target", "size", *small, "--out", "model")
    assert cli("predict", *MODEL, "--out", "scored.csv").exit_code == 0
    Path("cells.csv").write_text(table.read_text().replace("proxy", "proxi"))
    error = cli.fails("predict", *MODEL, "--out", "scored.csv")
    assert error == (
        "Error: cells.csv has no column 'proxy', which the predictor reads as a feature; "
        "its columns are: architecture, size, proxi, note"
    )


def test_a_space_of_the_users_own_is_given_again(cli: Any) -> None:
    space = ToySpace()
    cells = space.architectures(space.sample(12, np.random.default_rng(0)))
    Predictor("gcn", training=Training(epochs=1), ensemble=1, sources=(), regressors=None).fit(cells, range(12)).save(
        "model"
    )
    lines = [f'"{cell}"\n' for cell in cells]
    Path("toys.csv").write_text("architecture\n" + "".join(lines))
    words = ("predict", "--model", "model", "--data", "toys.csv", "--out", "-")
    error = cli.fails(*words)
    assert "the model model was fitted on the space toy, which does not come with archpredict; give it as" in error
    assert len(rows_of(cli(*words, "--space", "archpredict.testing.toys:ToySpace").stdout)) == 12


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "nothing"), "unknown predictor 'nothing'; choose from: darts-cifar10, imagenet. Or give the"),
        (("--model", "."), ". does not hold a valid predictor: "),
        (("--space", "darts"), "the model model was fitted on the space nasbench201, --space darts was given; leave"),
        (("--data", "missing.csv"), "there is no file missing.csv"),
        (("--out", "cells.csv"), "cells.csv is the file that is read; write to another one"),
        (("--out", "link.csv"), "link.csv is the file that is read; write to another one"),
        (("--out", "scored.txt"), "a table cannot be written as scored.txt; give a name that ends in .csv"),
        (("--out", "model"), "model is no regular file; give the name of a file to write"),
        (("--out", "no/scored.csv"), "there is no folder no to write scored.csv into; make it first"),
        (("--data", "scored.csv"), "scored.csv has a column 'score' already; rename it, so that nothing is overwrit"),
        (("--data", "empty.csv"), "empty.csv has no rows; expected a header with 'architecture', then at least 1 row"),
        (("--data", "bad.csv"), "bad.csv, line 3, column 'architecture': 'x' is no architecture of the space nasben"),
        (("--data", "other.csv"), "other.csv has no column 'architecture' for the architectures; its columns are: "),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    cli: Any, table: Path, model: Path, cells: list[Architecture], words: tuple[str, ...], message: str
) -> None:
    Path("link.csv").symlink_to("cells.csv")
    Path("scored.csv").write_text(f"architecture,score\n{cells[0]},1\n")
    Path("empty.csv").write_text("architecture\n")
    Path("bad.csv").write_text(f"architecture\n{cells[0]}\nx\n")
    Path("other.csv").write_text(f"model\n{cells[0]}\n")
    before = table.read_bytes()
    assert message in cli.fails("predict", *MODEL, "--out", "out.csv", *words)
    assert not Path("out.csv").exists()
    assert table.read_bytes() == before


def damaged(folder: Path, how: str) -> None:
    manifest, weights = folder / "predictor.json", folder / "weights.safetensors"
    content, tensors = json.loads(manifest.read_text()), load_file(weights)
    if how == "version":
        manifest.write_text(json.dumps({**content, "archpredict_predictor": 99}))
    elif how == "json":
        manifest.write_text(manifest.read_text()[:100])
    elif how == "truncated":
        weights.write_bytes(weights.read_bytes()[:-10])
    elif how == "missing":
        weights.unlink()
    elif how == "nan":
        save_file({name: value * np.float32("nan") for name, value in tensors.items()}, weights)
    else:
        save_file({name: np.concatenate([value, value]) for name, value in tensors.items()}, weights)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("version", "its format is 99, this version reads "),
        ("json", ""),
        ("truncated", ""),
        ("missing", "No such file"),
        ("nan", "its weights are not all finite"),
        ("oversized", "size mismatch"),
    ],
)
def test_a_damaged_model_is_one_sentence(cli: Any, table: Path, model: Path, how: str, why: str) -> None:
    damaged(model, how)
    error = cli.fails("predict", *MODEL, "--out", "-")
    assert error.startswith("Error: model does not hold a valid predictor: ")
    assert why in error


def test_a_write_that_fails_is_exit_code_1_and_keeps_the_old_file(
    cli: Any, table: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("scored.csv").write_text("old")

    def broken(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", broken)
    result = cli("predict", *MODEL, "--out", "scored.csv", "--quiet")
    assert result.exit_code == 1
    assert result.stderr == "Error: cannot write scored.csv: No space left on device; choose another place\n"
    assert Path("scored.csv").read_text() == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["cells.csv", "model", "scored.csv"]


def test_a_model_may_be_moved(cli: Any, table: Path, model: Path) -> None:
    before = cli("predict", *MODEL, "--out", "-").stdout
    shutil.move("model", "elsewhere")
    assert cli("predict", "--model", "elsewhere", "--data", "cells.csv", "--out", "-").stdout == before
