"""``archpredict fit --onnx`` as a user meets it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.metrics import kendall_tau
from archpredict.predict.predictor import Predictor

ON_MODELS = ("--onnx", "nets", "--labels", "labels.csv")
OUT = ("--out", "model", "--quiet")


@pytest.fixture
def nets(cli: Any, onnx_writer: Any) -> Path:
    """``nets`` with 24 networks, and ``labels.csv``: depth is good."""
    rng, lines = np.random.default_rng(0), ["model,score"]
    for i in range(24):
        depth = int(rng.integers(1, 7))
        onnx_writer(f"nets/n{i}.onnx", rng.integers(4, 33, depth).tolist())
        lines.append(f"n{i}.onnx,{depth + rng.normal(0, 0.1)}")
    Path("labels.csv").write_text("\n".join(lines) + "\n")
    return Path("nets")


def test_models_are_learnt_from_and_rank_reads_the_result(cli: Any, nets: Path, onnx_writer: Any) -> None:
    result = cli("fit", *ON_MODELS, *OUT, "--seed", "2")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Fitted the default for ONNX models on 24 labels in ")
    predictor = Predictor.load("model")
    card, digest = predictor.card_, hashlib.sha256(Path("labels.csv").read_bytes()).hexdigest()
    assert (card["data"], card["data_sha256"], card["rows"], card["seed"]) == ("labels.csv", digest, 24, 2)
    assert card["labels"] == "score as in labels.csv"
    for depth in range(1, 7):
        onnx_writer(f"new/d{depth}.onnx", [12] * depth)
    ranking = json.loads(cli("rank", "new", "--predictor", "model", "--json").stdout)["ranking"]
    depths = [int(Path(row["model"]).stem[1:]) for row in ranking]
    assert kendall_tau(depths, [-row["rank"] for row in ranking]) > 0.6


def test_a_named_predictor_reads_whole_networks(cli: Any, nets: Path) -> None:
    assert cli("fit", *ON_MODELS, *OUT, "--predictor", "bayesian-ridge", "--folds", "3", "--json").exit_code == 0
    predictor = Predictor.load("model")
    assert (predictor.regressors, list(predictor.sources)) == ({"bayesian-ridge": 1.0}, ["network"])
    assert predictor.card_["cross_validation"]["bayesian-ridge"]["kendall_tau"] > 0.6


@pytest.mark.filterwarnings("default::UserWarning")
def test_models_without_label_and_unreadable_ones_are_left_out(cli: Any, nets: Path, onnx_writer: Any) -> None:
    Path("nets/n0.onnx").write_text("no model")
    onnx_writer("nets/new.onnx", [8])
    Path("labels.csv").write_text(Path("labels.csv").read_text() + "resnet,9\n")
    result = cli("fit", *ON_MODELS, *OUT)
    assert result.exit_code == 0
    assert Predictor.load("model").num_labels_ == 23
    assert re.search("^Warning: left out: .*nets/n0.onnx", result.stderr, re.MULTILINE)
    assert "Warning: labels.csv: 1 rows name none of the models, the first is 'resnet'" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*ON_MODELS, "--space", "darts"), "--space is for a table of architectures, --onnx for ONNX models; give one"),
        ((*ON_MODELS, "--features", "a"), "--features is for a table of architectures, --onnx for ONNX models; give"),
        (
            ("--onnx", "nets"),
            "--labels missing; give --space, --data and --target for a table of architectures, or --o",
        ),
        (("--space", "darts"), "--data and --target missing; give --space, --data and --target for a table of archit"),
        ((*ON_MODELS, "--from", "darts-cifar10"), "--from goes on with labels of a table; to adapt a predictor to ONN"),
        (("--onnx", "no", "--labels", "labels.csv"), "there is no ONNX model in no; give .onnx or .onnx.gz files"),
        (("--onnx", "nets", "--labels", "no.csv"), "there is no file no.csv; give the path of a table"),
        (("--onnx", "nets", "--labels", "equal.csv"), "all 2 labels are equal (1); there is no ranking to learn"),
        (
            ("--onnx", "nets", "--labels", "one.csv"),
            "1 of its 1 rows name one of the models given; at least 2 labelled",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(cli: Any, nets: Path, words: tuple[str, ...], message: str) -> None:
    Path("equal.csv").write_text("model,score\nn1,1\nn2,1\n")
    Path("one.csv").write_text("model,score\nn1,1\n")
    assert message in cli.fails("fit", *words, *OUT)
    assert not Path("model").exists()
