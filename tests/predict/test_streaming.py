"""Tables predicted in pieces: the scores are those of the whole."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from archpredict.errors import DataError, UsageError
from archpredict.predict import streaming
from archpredict.predict.predictor import Predictor
from archpredict.predict.streaming import predict_table
from archpredict.predict.training.training import Training
from archpredict.progress import Event
from archpredict.spaces.base import Architecture, load_space

SPACE = load_space("nasbench201")


@pytest.fixture(scope="module")
def cells() -> list[Architecture]:
    """70 cells, of which 40 are repetitions."""
    rng = np.random.default_rng(0)
    return SPACE.architectures(SPACE.sample(30, rng)[rng.integers(0, 30, 70)])


@pytest.fixture(scope="module")
def model(cells: list[Architecture]) -> Predictor:
    training = Training(epochs=1, pretrain=0)
    return Predictor("gcn", training=training, ensemble=1, regressors={"bayesian-ridge": 1.0}).fit(cells, range(70))


@pytest.fixture
def table(cells: list[Architecture], tmp_path: Path) -> Path:
    path = tmp_path / "cells.csv"
    path.write_text("id,arch,note\n" + "".join(f'{i},{cell},"a, ""{i}"""\n' for i, cell in enumerate(cells)))
    return path


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "_ROWS", 9)
    monkeypatch.setattr(streaming, "_BATCH", 4)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("most_known", [streaming._MOST_KNOWN, 12])
def test_pieces_have_the_scores_of_the_whole_whatever_is_remembered(
    model: Predictor,
    cells: list[Architecture],
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most_known: int,
) -> None:
    monkeypatch.setattr(streaming, "_MOST_KNOWN", most_known)
    out = tmp_path / "out.csv"
    found = predict_table(model, table, out, SPACE, jobs=0)
    rows = rows_of(out)
    assert (found.rows, found.columns) == (70, ("score", "std"))
    assert [(row["id"], row["arch"], row["note"]) for row in rows] == [tuple(row.values()) for row in rows_of(table)]
    scores, stds = model.predict(cells, return_std=True)
    assert [float(row["score"]) for row in rows] == pytest.approx(scores.tolist(), rel=1e-5, abs=1e-4)
    assert [float(row["std"]) for row in rows] == pytest.approx(stds.tolist(), rel=1e-5, abs=1e-4)


@pytest.mark.usefixtures("small_pieces")
def test_processes_give_the_same_bytes(model: Predictor, table: Path, tmp_path: Path) -> None:
    here, apart = tmp_path / "here.csv", tmp_path / "apart.csv"
    predict_table(model, table, here, "nasbench201", jobs=0)
    predict_table(model, table, apart, "nasbench201", jobs=1)
    assert here.read_bytes() == apart.read_bytes()


@pytest.mark.usefixtures("small_pieces")
def test_parquet_keeps_its_types_and_json_lines_what_rows_have(
    model: Predictor, cells: list[Architecture], tmp_path: Path
) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"arch": str(cell), "code": f"00{i}", "n": i, "x": i / 3} for i, cell in enumerate(cells)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "cells.parquet")
    predict_table(model, tmp_path / "cells.parquet", tmp_path / "out.parquet", SPACE, jobs=0)
    found = parquet.read_table(tmp_path / "out.parquet")
    assert [str(field.type) for field in found.schema] == ["string", "string", "int64", "double", "double", "double"]
    assert found.drop_columns(["score", "std"]).to_pylist() == rows
    lines = [{"arch": list(cell.choices), **({"tag": [i]} if i % 3 else {})} for i, cell in enumerate(cells)]
    (tmp_path / "cells.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    predict_table(model, tmp_path / "cells.jsonl", tmp_path / "out.jsonl", SPACE, jobs=0)
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [{name: row[name] for name in line} for row, line in zip(written, lines, strict=True)] == lines
    assert [row["score"] for row in written] == pytest.approx(found["score"].to_pylist(), rel=1e-5, abs=1e-4)


@pytest.mark.usefixtures("small_pieces")
def test_a_broken_row_is_named_by_its_line_and_leaves_nothing(model: Predictor, table: Path, tmp_path: Path) -> None:
    lines = table.read_text().splitlines()
    lines[40] = "39,|none~0|,"
    table.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"cells\.csv, line 41, column 'arch': '\|none~0\|' is no architecture"):
        predict_table(model, table, tmp_path / "out.csv", SPACE, jobs=0)
    assert [path.name for path in tmp_path.iterdir()] == ["cells.csv"]


@pytest.mark.usefixtures("small_pieces")
def test_what_is_interrupted_leaves_what_was_there(model: Predictor, table: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("before")

    def stop(event: Event) -> None:
        if event.done > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_table(model, table, tmp_path / "out.csv", SPACE, jobs=0, observer=stop)
    assert (tmp_path / "out.csv").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_column_of_that_name_is_not_overwritten(model: Predictor, table: Path, tmp_path: Path) -> None:
    table.write_text(table.read_text().replace("note", "std"))
    with pytest.raises(UsageError, match="has a column 'std' already; rename it"):
        predict_table(model, table, tmp_path / "out.csv", SPACE)
