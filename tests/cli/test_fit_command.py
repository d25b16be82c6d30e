"""``archpredict fit`` as a user meets it."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.predict.predictor import Predictor
from archpredict.predict.training.training import Training
from archpredict.spaces.base import Architecture, load_space

SMALL = ("--encoder", "gcn", "--head", "pairwise", "--epochs", "2", "--ensemble", "1")
ON_CELLS = ("--space", "nasbench201", "--data", "cells.csv", "--target", "size")
OUT = ("--out", "model")


def test_what_was_fitted_is_saved_with_a_card(cli: Any, table: Path, cells: list[Architecture]) -> None:
    result = cli("fit", *ON_CELLS, *SMALL, "--seed", "3", *OUT)
    assert result.exit_code == 0
    assert result.stdout.startswith("Fitted encoder gcn, head pairwise, ensemble 1, epochs 2 on 40 labels in ")
    assert "[" in result.stderr
    assert "training epoch 2/2, loss " in result.stderr
    loaded = Predictor.load("model", device="cpu")
    assert (loaded.encoder, loaded.head, loaded.ensemble, loaded.seed) == ("gcn", "pairwise", 1, 3)
    assert loaded.training == Training(epochs=2)
    assert len(loaded.predict(cells)) == 40
    assert loaded.space_ == "nasbench201"
    known = {name: loaded.card_[name] for name in ("space", "data", "data_sha256", "target", "rows", "seed")}
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    assert known == {
        "space": "nasbench201", "data": "cells.csv", "data_sha256": digest, "target": "size", "rows": 40, "seed": 3,
    }  # fmt: skip


def test_the_command_trains_what_the_library_trains(cli: Any, table: Path, cells: list[Architecture]) -> None:
    cli("fit", *ON_CELLS, *SMALL, "--seed", "3", "--device", "cpu", *OUT, "--quiet")
    labels = [cell.cost["params"] / 1e6 + i * 1e-6 for i, cell in enumerate(cells)]
    by_hand = Predictor(
        "gcn", "pairwise", regressors=None, training=Training(epochs=2), ensemble=1, seed=3, device="cpu"
    )
    by_hand.fit(cells, labels)
    assert Predictor.load("model", device="cpu").predict(cells) == pytest.approx(by_hand.predict(cells))


def test_how_many_folds_are_done_stays_on_display_while_the_next_one_trains(cli: Any, table: Path) -> None:
    lines = cli("fit", *ON_CELLS, *SMALL, *OUT, "--folds", "2").stderr.splitlines()
    texts = [line.partition("s] ")[2] for line in lines if line.startswith("[")]
    first = [text for text in texts if text.startswith("training epoch 2/2, loss ")]
    second = [text for text in texts if text.startswith("training epoch 2/2, 1/2 predictors, tau ")]
    (last,) = (text for text in texts if text.startswith("predictor 2/2"))
    assert (len(first), len(second)) == (2, 1)  # the predictor that is saved comes at the end
    assert last.startswith("predictor 2/2, tau ")
    assert "spearman" not in last


def test_json_is_the_card_alone_on_stdout(cli: Any, table: Path) -> None:
    result = cli("fit", *ON_CELLS, *SMALL, *OUT, "--folds", "2", "--json", "--quiet")
    card = json.loads(result.stdout)
    assert (card["out"], card["rows"], card["target"]) == ("model", 40, "size")
    (figures,) = card["cross_validation"].values()
    assert -1 <= figures["kendall_tau"] <= 1
    assert card["protocol"] == "2-fold cross-validation, seed 0, isomorphic rows in one fold"
    assert result.stderr == ""
    del card["out"]
    assert Predictor.load("model").card_ == card


def test_a_named_predictor_without_networks_is_fitted_and_saved(cli: Any, table: Path) -> None:
    assert cli("fit", *ON_CELLS, "--predictor", "extra-trees", *OUT).exit_code == 0
    assert Predictor.load("model").regressors == {"extra-trees": 1.0}


def test_columns_of_features_are_learnt_from(cli: Any, table: Path) -> None:
    assert cli("fit", *ON_CELLS, *SMALL, "--features", "proxy", *OUT).exit_code == 0
    assert Predictor.load("model").feature_names_ == ("proxy",)


def test_fine_tuning_goes_on_from_a_saved_predictor(cli: Any, table: Path, model: Path) -> None:
    before = Predictor.load("model").card_
    result = cli("fit", *ON_CELLS, "--from", "model", "--epochs", "1", "--out", "tuned")
    assert result.exit_code == 0
    assert "Fitted model, fine-tuned on 40 labels" in result.stdout
    assert Predictor.load("tuned").num_labels_ == 40
    assert Predictor.load("model").card_ == before


def test_a_predictor_that_was_there_is_replaced_and_other_files_stay(cli: Any, table: Path, model: Path) -> None:
    Path("model/notes.txt").write_text("mine")
    assert cli("fit", *ON_CELLS, *SMALL, *OUT).exit_code == 0
    assert Predictor.load("model").ensemble == 1
    assert Path("model/notes.txt").read_text() == "mine"
    assert sorted(path.name for path in Path().iterdir()) == ["cells.csv", "model"]


def test_a_folder_with_something_else_is_left_alone(cli: Any, table: Path) -> None:
    Path("model").mkdir()
    Path("model/thesis.tex").write_text("important")
    error = cli.fails("fit", *ON_CELLS, *SMALL, *OUT)
    assert error == "Error: the folder model is not empty and holds no predictor; choose another one for --out"
    assert [path.name for path in Path("model").iterdir()] == ["thesis.tex"]


@pytest.mark.filterwarnings("default::UserWarning")
def test_isomorphic_rows_with_different_labels_are_told_once(cli: Any) -> None:
    chain, same = (
        "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    )
    other = "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
    Path("t.csv").write_text(f"architecture,size\n{chain},1\n{same},2.5\n{other},3\n")
    result = cli("fit", "--space", "nasbench201", "--data", "t.csv", "--target", "size", *SMALL, *OUT, "--quiet")
    assert result.exit_code == 0
    assert result.stderr == (
        "Warning: t.csv: 1 architectures have several isomorphic rows with different values in 'size', "
        "up to 1.5 apart; all rows are kept\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--predictor", "gates", "--head", "pairwise"), "--predictor names encoder and head; leave --encoder and"),
        (("--predictor", "gatez"), "unknown predictor 'gatez'; choose from: bananas, "),
        (("--encoder", "gcm"), "unknown encoder 'gcm'; choose from: "),
        (("--head", "hinge-loss"), "unknown head 'hinge-loss'; choose from: comparator, "),
        (("--encoder", "own.py:Mine"), "--encoder own.py:Mine cannot be saved: a saved predictor opens without code"),
        (("--predictor", "random-forest", "--epochs", "3"), "random-forest trains no networks, so it has no --epochs"),
        (("--features", "prox"), "cells.csv has no column 'prox', which the predictor reads as a feature; its columns"),
        (("--features", "note"), "cells.csv, line 2, column 'note': found '1.50 (0)', expected a finite number"),
        (("--features", "size"), "'size' is the --target; a predictor that reads it as a feature would learn nothing"),
        (("--from", "model", "--encoder", "gcn"), "--encoder is for a new predictor, --from goes on with model"),
        (("--from", "nothing"), "unknown predictor 'nothing'; choose from: darts-cifar10, imagenet. Or give the"),
        (("--target", "siz"), "cells.csv has no column 'siz'; its columns of numbers are: size, proxy. Did you mean"),
        (("--space", "darts"), "cells.csv, line 2, column 'architecture': "),
        (("--data", "missing.csv"), "there is no file missing.csv"),
        (("--out", "cells.csv"), "cells.csv is no folder; choose another place for cells.csv"),
        (("--out", "cells.csv/model"), "cells.csv is no folder; choose another place for cells.csv/model"),
        (("--folds", "30"), "30 folds need at least 60 different architectures, 40 were given; ask for fewer folds"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_before_any_training(
    cli: Any, table: Path, words: tuple[str, ...], message: str
) -> None:
    error = cli.fails("fit", *ON_CELLS, *OUT, "--quiet", *words)
    assert error.startswith("Error: ")
    assert message in error
    assert not Path("model").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("{0},1\n", "t.csv has one architecture; expected at least 2 with different values in 'size'"),
        ("{0},1\n{1},1\n", "t.csv, column 'size': all 2 labels are 1: nothing to learn from"),
        ("{0},1\n{0},3\n", "t.csv has one architecture; expected at least 2"),
        ("{0},1\n{1},nan\n", "t.csv, line 3, column 'size': found 'nan', expected a finite number"),
    ],
)
def test_labels_without_a_ranking_are_refused(cli: Any, cells: list[Architecture], rows: str, message: str) -> None:
    Path("t.csv").write_text("architecture,size\n" + rows.format(*cells))
    error = cli.fails("fit", "--space", "nasbench201", "--data", "t.csv", "--target", "size", *SMALL, *OUT)
    assert message in error


def test_a_failure_while_saving_leaves_the_predictor_that_was_there(
    cli: Any, table: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    before = {path.name: path.read_bytes() for path in model.iterdir()}
    monkeypatch.setattr("archpredict.predict.storage.save_file", full)
    result = cli("fit", *ON_CELLS, *SMALL, *OUT, "--quiet")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: cannot save the predictor in model: No space left on device; choose another place\n"
    )
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def write_family(path: str, space: str, n: int) -> str:
    loaded = load_space(space)
    drawn = loaded.architectures(loaded.sample(n, np.random.default_rng(0)))
    with Path(path).open("w", newline="") as file:
        rows = [[str(architecture), architecture.cost["params"]] for architecture in drawn]
        csv.writer(file).writerows([["architecture", "size"], *rows])
    return f"{space}={path}:size"


def test_a_predictor_of_several_families_is_fine_tuned_on_another_space(cli: Any, table: Path) -> None:
    asked = ("--family", write_family("a.csv", "nasbench101", 6), "--family", write_family("b.csv", "darts", 4))
    fitted = cli("fit", *asked, "--epochs", "1", "--out", "general", "--json", "--quiet")
    assert fitted.exit_code == 0, fitted.output
    card = json.loads(fitted.stdout)
    assert (card["predictor"], card["rows"]) == ("general-purpose, epochs 1", 10)
    assert [family["space"] for family in card["families"]] == ["nasbench101", "darts"]
    labelled = ("--space", "nasbench201", "--data", str(table), "--target", "size")
    tuned = cli("fit", "--from", "general", *labelled, "--epochs", "1", "--out", "model", "--quiet")
    assert tuned.exit_code == 0, tuned.output
    scored = cli("predict", "--space", "nasbench201", "--model", "model", "--data", str(table), "--out", "-")
    assert scored.exit_code == 0, scored.output


def test_families_that_are_not_said_in_full_are_refused(cli: Any, table: Path) -> None:
    family = ("fit", "--family", "nasbench201=cells.csv:size", "--out", "model")
    assert "expected SPACE=FILE:COLUMN" in cli.fails("fit", "--family", "cells.csv", "--out", "model")
    assert "and so does --data; leave one of them out" in cli.fails(*family, "--data", "cells.csv")
    assert "--folds judges by labels of one space" in cli.fails(*family, "--folds", "3")


@pytest.mark.filterwarnings("always:a random")
def test_a_sample_of_many_labels_is_said_and_judged_by_the_others(cli: Any, table: Path) -> None:
    words = ("fit", *ON_CELLS, "--predictor", "bayesian-ridge", "--option", "training__max_labels=25", *OUT)
    result = cli(*words)
    assert (result.exit_code, result.stderr.count("a random 25 of 40 labels are learnt from")) == (0, 1)
    assert "Learnt from 25 of these labels; Kendall's tau on 15 of the others: " in result.stdout
    card = Predictor.load("model", device="cpu").card_
    assert (card["rows"], card["rows_learnt"], card["others"]["rows"]) == (40, 25, 15)
    assert -1 <= card["others"]["kendall_tau"] <= 1
