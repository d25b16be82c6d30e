"""``archpredict evaluate`` as a user meets it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.predict import validation
from archpredict.predict.predictor import Predictor
from archpredict.predict.protocols import hold_out
from archpredict.predict.training.training import Training
from archpredict.predict.validation import evaluate_predictions
from archpredict.spaces.base import Architecture

SMALL = ("--encoder", "gcn", "--epochs", "2", "--ensemble", "1", "--device", "cpu")
ON_CELLS = ("--data", "cells.csv", "--target", "size")
TRAINED = ("--space", "nasbench201", *ON_CELLS, *SMALL)
PNG = b"\x89PNG"


def rows_of(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def labels_of(cells: list[Architecture]) -> np.ndarray:
    return np.array([cell.cost["params"] / 1e6 + i * 1e-6 for i, cell in enumerate(cells)])


def test_a_saved_model_on_a_table_gives_its_figures_as_json(
    cli: Any, table: Path, model: Path, cells: list[Architecture]
) -> None:
    result = cli("evaluate", "--model", "model", *ON_CELLS, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    shown = json.loads(result.stdout)
    predictor = Predictor.load("model")
    expected = evaluate_predictions(labels_of(cells), predictor.predict(cells), predictor.predict_std(cells))
    for name in ("kendall_tau", "spearman", "n_at_k", "precision_at_k", "n", "k", "calibration_error"):
        assert shown[name] == pytest.approx(expected[name], nan_ok=True)
    assert (shown["n"], shown["k"], shown["model"], shown["space"]) == (40, 10, "model", "nasbench201")


def test_a_saved_model_is_shown_as_a_table_and_a_picture(cli: Any, table: Path, model: Path) -> None:
    result = cli("evaluate", "--model", "model", *ON_CELLS, "--k", "5", "--plots", "pictures", "--csv", "figures.csv")
    assert "model on 40 architectures, column size of cells.csv" in result.stdout
    assert "P@5" in result.stdout
    assert Path("pictures/predicted.png").read_bytes().startswith(PNG)
    (row,) = rows_of("figures.csv")
    assert (row["n"], row["k"]) == ("40", "5")


@pytest.mark.filterwarnings("default")
def test_labels_on_another_scale_than_those_learnt_from_are_named(
    cli: Any, model: Path, cells: list[Architecture]
) -> None:
    rows = [f'"{cell}",{label + 1000}' for cell, label in zip(cells, labels_of(cells), strict=True)]
    Path("far.csv").write_text("\n".join(["architecture,size", *rows]))
    result = cli("evaluate", "--model", "model", "--data", "far.csv", "--target", "size", "--json")
    assert result.exit_code == 0, result.stderr
    assert "what is said of order holds, what is said of errors and intervals does not" in result.stderr
    assert json.loads(result.stdout)["kendall_tau"] > 0


def test_figures_that_are_not_defined_are_null_in_json(
    cli: Any, table: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"kendall_tau": float("nan"), "nll": float("inf"), "regret": 0.5}
    monkeypatch.setattr(validation, "evaluate_predictions", lambda *given: figures)
    shown = json.loads(cli("evaluate", "--model", "model", *ON_CELLS, "--json", "--quiet").stdout)
    assert (shown["kendall_tau"], shown["nll"], shown["regret"]) == (None, None, 0.5)


def test_cross_validation_is_the_default_and_gives_mean_and_std(cli: Any, table: Path) -> None:
    result = cli("evaluate", *TRAINED, "--folds", "4", "--seeds", "2", "--json", "--quiet")
    shown = json.loads(result.stdout)
    assert (shown["folds"], shown["seeds"], shown["n"], len(shown["trials"])) == (4, 2, 40, 8)
    taus = [trial["kendall_tau"] for trial in shown["trials"]]
    assert shown["mean"]["kendall_tau"] == pytest.approx(np.mean(taus))
    assert shown["std"]["kendall_tau"] == pytest.approx(np.std(taus))
    assert [(t["seed"], t["fold"], t["n"], t["tested_on"]) for t in shown["trials"][:2]] == [
        (0, 0, 30, 10), (0, 1, 30, 10),
    ]  # fmt: skip
    text = " ".join(cli("evaluate", *TRAINED, "--quiet").stdout.split())
    assert "5-fold cross-validation on 40 architectures, 1 seed" in text
    assert "±" in text


def test_trainings_in_processes_give_the_same(cli: Any, table: Path) -> None:
    words = ("evaluate", "--space", "nasbench201", *ON_CELLS, "--predictor", "gaussian-process", "--no-transfer")
    alone, side_by_side = (
        json.loads(cli(*words, "--train-sizes", "10", "--seeds", "2", *more, "--json").stdout)["trials"]
        for more in ((), ("--jobs", "2"))
    )
    assert len(alone) == 2
    for one, other in zip(alone, side_by_side, strict=True):
        assert one | {"seconds": 0} == other | {"seconds": 0}


def test_a_learning_curve_has_a_column_for_each_number_of_labels(
    cli: Any, table: Path, cells: list[Architecture]
) -> None:
    words = (*TRAINED, "--train-sizes", "10,20", "--seeds", "2", "--plots", "pictures", "--csv", "curve.csv")
    result = cli("evaluate", *words)
    assert "n = 10" in result.stdout
    assert "n = 20" in result.stdout
    assert "predictor 4/4, tau " in result.stderr
    rows = rows_of("curve.csv")
    assert [(row["n"], row["seed"], row["tested_on"]) for row in rows] == [
        ("10", "0", "30"), ("10", "1", "30"), ("20", "0", "20"), ("20", "1", "20"),
    ]  # fmt: skip
    for name in ("predicted", "learning_curve"):
        assert Path(f"pictures/{name}.png").read_bytes().startswith(PNG)

    labels = labels_of(cells)
    train, test = hold_out(40, 20, seed=1)
    predictor = Predictor("gcn", regressors=None, training=Training(epochs=2), ensemble=1, seed=1, device="cpu")
    predictor.fit([cells[i] for i in train], labels[train])
    by_hand = predictor.score([cells[i] for i in test], labels[test])
    assert float(rows[-1]["kendall_tau"]) == pytest.approx(by_hand)


def test_features_are_learnt_from(cli: Any, table: Path) -> None:
    shown = json.loads(cli("evaluate", *TRAINED, "--features", "proxy", "--folds", "2", "--json", "--quiet").stdout)
    plain = json.loads(cli("evaluate", *TRAINED, "--folds", "2", "--json", "--quiet").stdout)
    assert shown["mean"]["kendall_tau"] != plain["mean"]["kendall_tau"]


def test_a_protocol_trains_on_its_sizes_and_names_the_figures_of_others(cli: Any, data_folder: Path) -> None:
    words = ("evaluate", "--protocol", "nb101-20k", "--data", str(data_folder), "--predictor", "extra-trees")
    result = cli(
        *words, "--train-sizes", "20", "--seeds", "1", "--plots", ".", "--html", "page.html", "--json", "--quiet"
    )
    shown = json.loads(result.stdout)
    (size,) = shown["sizes"]
    assert shown["published"][0]["source"] in Path("page.html").read_text()
    assert (shown["protocol"], size["n"], shown["trials"][0]["tested_on"]) == ("nb101-20k", 20, 10_000)
    assert 0.2 < size["mean"]["kendall_tau"] < 1
    assert {"name": "GATES", "n": 423, "kendall_tau": 0.773} in [
        {name: figure[name] for name in ("name", "n", "kendall_tau")} for figure in shown["published"]
    ]
    assert Path("learning_curve.png").read_bytes().startswith(PNG)


def test_devices_are_held_out_and_told_by_the_others(cli: Any, data_folder: Path) -> None:
    words = ("evaluate", "--protocol", "hw-nas-bench", "--data", str(data_folder), "--target", "energy", "--seeds", "1")
    result = cli(*words, "--train-sizes", "0,10", "--csv", "trials.csv", "--html", "page.html", "--json", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    shown = json.loads(result.stdout)
    assert "layer-wise sum" in Path("page.html").read_text()
    assert (shown["metric"], shown["devices"], shown["seeds"]) == ("energy", ["edgegpu", "eyeriss", "fpga"], 1)
    assert [(row["n"], row["method"]) for row in shown["methods"]][:3] == [
        (0, "MACs"), (0, "archpredict"), (10, "MACs"),
    ]  # fmt: skip
    own = next(row for row in shown["methods"] if (row["n"], row["method"]) == (10, "archpredict"))
    assert own["mean"]["spearman"] > 0.85
    assert own["mean"].keys() == own["std"].keys() == own["devices"]["fpga"].keys()
    assert len(rows_of("trials.csv")) == len(shown["trials"]) == 3 * (2 + 5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--space, --data, --target must be given too, to say which labels to evaluate on; or say --model or"),
        (("--model", "model"), "--data, --target must be given too, to say which labels to evaluate on"),
        (("--model", "model", *ON_CELLS, "--folds", "3"), "--folds does not go together with --model; leave one of"),
        (("--model", "model", *ON_CELLS, "--epochs", "3"), "--epochs does not go together with --model"),
        ((*TRAINED, "--folds", "3", "--train-sizes", "9"), "--folds does not go together with --train-sizes"),
        ((*TRAINED, "--train-sizes", "39"), "39 labels to learn from were asked for, but of 40 only 38 can be"),
        ((*TRAINED, "--train-sizes", "1"), "'1' is no list of numbers of labels from 2, e.g. 100,172,423"),
        ((*TRAINED, "--train-sizes", "a,b"), "'a,b' is no list of numbers of labels from 2"),
        ((*TRAINED, "--folds", "21"), "21 folds need at least 42 different architectures, 40 were given"),
        ((*TRAINED, "--k", "9"), "k must be 1 to the size of the smallest test set, 8; 9 was given"),
        ((*TRAINED, "--csv", "cells.csv"), "cells.csv is the file that is read; write to another one"),
        ((*TRAINED, "--plots", "cells.csv"), "cells.csv is no folder; choose another place for cells.csv"),
        (
            ("--protocol", "nb301", "--data", "."),
            "unknown protocol 'nb301'; choose from: hw-nas-bench, nb101-20k, nb201-c10.",
        ),
        (("--protocol", "hw-nas-bench", "--data", "."), "there is no file nasbench201/hw_nas_bench.npz"),
        (
            ("--protocol", "hw-nas-bench", "--data", ".", "--target", "size"),
            "unknown metric 'size'; choose from: energy, latency",
        ),
        (
            ("--protocol", "hw-nas-bench", "--data", ".", "--epochs", "2"),
            "--epochs does not go together with --protocol hw",
        ),
        (
            ("--protocol", "hw-nas-bench", "--data", ".", "--train-sizes", "-1"),
            "'-1' is no list of numbers of labels from 0",
        ),
        (("--protocol", "nb101-20k", "--data", "."), "there is no file nasbench101/labelled_20k.npz; the protocol"),
        (("--protocol", "nb201-c10", "--data", "."), "there is no file nasbench201/nasbench201.csv.gz"),
        (("--protocol", "nb101-20k", "--target", "x"), "--target does not go together with --protocol"),
        ((*TRAINED, "--ray-address", "h:1"), "--ray-address and --resources are for --executor ray; give it too"),
        (
            (*TRAINED, "--executor", "ray", "--jobs", "2"),
            "--jobs is for --executor local; ray does as many at a time as",
        ),
        ((*TRAINED, "--executor", "slurm"), "unknown executor 'slurm'; choose from: local, ray"),
        (("--model", "model", *ON_CELLS, "--jobs", "2"), "--jobs does not go together with --model"),
        (("--protocol", "nb101-20k"), "--protocol needs --data, the folder of the benchmark tables (or $ARCHPREDICT"),
    ],
)
def test_what_cannot_be_evaluated_is_one_sentence(
    cli: Any, table: Path, model: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.delenv("ARCHPREDICT_DATA", raising=False)
    assert message in cli.fails("evaluate", *words)


def test_a_model_needs_its_features_in_the_table(cli: Any, table: Path) -> None:
    small = (*SMALL, "--features", "proxy", "--quiet")
    cli("fit", "--space", "nasbench201", *ON_CELLS, *small, "--out", "model")
    assert cli("evaluate", "--model", "model", *ON_CELLS).exit_code == 0
    table.write_text(table.read_text().replace("proxy", "other"))
    error = cli.fails("evaluate", "--model", "model", *ON_CELLS)
    assert "cells.csv has no column 'proxy', which the predictor reads as a feature" in error
