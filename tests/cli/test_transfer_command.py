"""Labels of one's own that are learnt from in other spaces: the file, and every command that takes it."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.predict.predictor import Predictor
from archpredict.predict.universal import UniversalPredictor
from archpredict.runs.history import History
from archpredict.spaces.base import load_space
from archpredict.testing.toys import toy_space_with_networks

FIT = ("fit", "--space", "nasbench201", "--data", "cells.csv", "--target", "size", "--out", "model", "--quiet")
PROCESSES = ("--predictor", "gaussian-processes")
SEARCH = ("search", "--space", "nasbench201", "--evaluator", "zero-cost:params", "--budget", "8", "--quiet")
GUIDED = ("--strategy", "predictor-guided", "--predictor", "bayesian-ridge", "--transfer", "mine.safetensors")


@pytest.fixture
def own(cli: Any, table: Path) -> str:
    """``mine.safetensors``, learnt from chains; returns its SHA-256."""
    space = load_space("nasbench-macro")
    chains = space.architectures(np.unique(space.sample(40, np.random.default_rng(0)), axis=0))
    with open("chains.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["architecture", "size", "error"])
        writer.writerows([str(chain), chain.cost["macs"], -chain.cost["macs"]] for chain in chains)
    result = cli("transfer", "--family", "nasbench-macro=chains.csv:size", "--out", "mine.safetensors", "--json")
    told = json.loads(result.stdout)
    assert told["sha256"] == hashlib.sha256(Path("mine.safetensors").read_bytes()).hexdigest()
    assert told["families"][0]["space"] == "nasbench-macro"
    return str(told["sha256"])


def test_it_is_learnt_from_by_a_predictor_whose_card_says_so(cli: Any, own: str) -> None:
    assert cli(*FIT, *PROCESSES, "--transfer", "mine.safetensors").exit_code == 0
    card = Predictor.load("model").card_
    assert card["transfer"] == {"sources": ["nasbench-macro"], "left_out": []}
    assert card["transfer_sha256"] == own


def test_it_ranks_without_a_label(cli: Any, own: str, cells: Any) -> None:
    words = ("predict", "--model", "universal", "--space", "nasbench201", "--data", "cells.csv", "--out", "-")
    lines = cli(*words, "--transfer", "mine.safetensors", "--quiet").stdout.splitlines()
    scores = [float(row["score"]) for row in csv.DictReader(lines)]
    assert scores == pytest.approx(UniversalPredictor("mine.safetensors").predict(cells).tolist())


def test_evaluations_name_its_spaces(cli: Any, own: str) -> None:
    words = (
        "evaluate",
        "--space",
        "nasbench201",
        "--data",
        "cells.csv",
        "--target",
        "size",
        "--folds",
        "2",
        *PROCESSES,
    )
    result = cli(*words, "--transfer", "mine.safetensors", "--json")
    assert json.loads(result.stdout)["transfer"] == {"sources": ["nasbench-macro"], "left_out": []}


class TestASearch:
    def test_keeps_the_hash_of_the_file_and_is_resumed_with_that_file_alone(self, cli: Any, own: str) -> None:
        assert cli(*SEARCH, *GUIDED, "--out", "run").exit_code == 0
        config = json.loads(Path("run/config.json").read_text())
        assert config["settings"]["files"] == {"transfer": own}
        assert config["other_labels"] == {"sources": ["nasbench-macro"], "left_out": []}
        assert cli("search", "--resume", "run", "--quiet").exit_code == 0
        cli("transfer", "--family", "nasbench201=cells.csv:size", "--out", "mine.safetensors")
        assert f'files.transfer is "{own}" there' in cli.fails("search", "--resume", "run", "--quiet")
        Path("mine.safetensors").unlink()
        assert "there is no file" in cli.fails("search", "--resume", "run", "--quiet")

    def test_keeps_the_hash_of_a_file_that_the_predictor_alone_reads(self, cli: Any, own: str) -> None:
        words = (*SEARCH, *GUIDED[:4], "--option", "predictor.transfer=mine.safetensors", "--out", "run")
        assert cli(*words).exit_code == 0
        assert json.loads(Path("run/config.json").read_text())["settings"]["files"] == {"predictor.transfer": own}

    @pytest.mark.transfer
    def test_starts_with_what_the_file_expects_most_of(self, cli: Any, own: str) -> None:
        small = "archpredict.testing.toys:toy_space_with_networks"  # all of which is scored at once
        words = [small if word == "nasbench201" else word for word in SEARCH]
        assert cli(*words, *GUIDED, "--out", "own").exit_code == 0
        with History("own/history.db") as history:
            first = history.results(toy_space_with_networks())[0].architecture
        assert first.graph.ops.count("conv") == 6  # of labels that are sizes: the largest

    @pytest.mark.filterwarnings("default")
    def test_leaves_out_what_the_file_has_learnt_from_the_space_itself(self, cli: Any, own: str) -> None:
        words = ["nasbench-macro" if word == "nasbench201" else word for word in SEARCH]
        assert cli(*words, *GUIDED, "--out", "run").exit_code == 0
        kept = json.loads(Path("run/config.json").read_text())["other_labels"]
        assert kept == {"sources": [], "left_out": ["nasbench-macro"]}


def test_what_cannot_use_it_says_so(cli: Any, own: str, model: Path) -> None:
    mine = ("--transfer", "mine.safetensors")
    for words, message in [
        ((*FIT, *mine, "--no-transfer"), "--transfer names labels to learn from, --no-transfer refuses all"),
        (
            (*FIT, *mine, "--predictor", "extra-trees"),
            "the predictor extra-trees learns from no labels of other spaces",
        ),
        ((*FIT, *mine, "--from", "model"), "--transfer is for a new predictor"),
        ((*FIT, "--no-transfer", "--from", "model"), "--no-transfer is for a new predictor"),
        ((*FIT, *PROCESSES, "--transfer", "cells.csv"), "it is no safetensors file"),
        ((*FIT, *mine, "--option", "transfer=no"), "say the same; leave one of them out"),
        (("fit", "--onnx", ".", "--labels", "cells.csv", "--out", "m", *mine), "leave it out"),
        (("fit", "--family", "nasbench201=cells.csv:size", "--out", "m", *mine), "leave it out"),
        (("predict", "--model", "model", "--data", "cells.csv", "--out", "x.csv", *mine), "has learnt already"),
        ((*SEARCH, "--strategy", "random", *mine), "the strategy random learns from no labels of other spaces"),
        ((*SEARCH, *GUIDED[:2], "--transfer", "none.safetensors"), "there is no file"),
    ]:
        assert message in cli.fails(*words), words


@pytest.mark.filterwarnings("default")
def test_that_nothing_is_learnt_in_the_space_itself_is_said(cli: Any, table: Path) -> None:
    cli("transfer", "--family", "nasbench201=cells.csv:size", "--out", "mine.safetensors")
    result = cli(*FIT, *PROCESSES, "--transfer", "mine.safetensors")
    assert result.exit_code == 0
    assert "nothing is learnt from mine.safetensors: it knows labels of nasbench201 alone" in result.stderr


def test_a_space_that_does_not_define_its_networks_says_so(cli: Any, own: str) -> None:
    toys = ("--space", "archpredict.testing.toys:ToySpace", "--data", "toys.csv")
    message = cli.fails("fit", *toys, "--target", "size", "--out", "m", *PROCESSES, "--transfer", "mine.safetensors")
    assert "does not define network(), by which spaces are compared" in message


@pytest.mark.filterwarnings("default")
def test_labels_that_go_against_the_others_are_named(cli: Any, own: str) -> None:
    families = ("--family", "nasbench-macro=chains.csv:error", "--family", "nasbench201=cells.csv:size")
    result = cli("transfer", *families, "--out", "both.safetensors", "--quiet")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Warning: the labels of nasbench-macro go against" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--family", "nasbench201=cells.csv", "--out", "x.safetensors"), "expected SPACE=FILE:COLUMN"),
        (("--family", "nasbench201=cells.csv:size", "--out", "x.csv"), "give it that ending"),
        (("--family", "nasbench201=cells.csv:size", "--out", "no/x.safetensors"), "there is no folder no"),
        (("--family", "nasbench201=none.csv:size", "--out", "x.safetensors"), "none.csv"),
        (("--family", "nasbench201=cells.csv:other", "--out", "x.safetensors"), "other"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_written(
    cli: Any, table: Path, words: tuple[str, ...], message: str
) -> None:
    assert message in cli.fails("transfer", *words)
    assert not list(Path().glob("*.safetensors"))


@pytest.mark.filterwarnings("default")
def test_that_nothing_is_learnt_is_said_of_a_search_too(cli: Any, own: str) -> None:
    words = ["nasbench-macro" if word == "nasbench201" else word for word in SEARCH]
    assert "it knows labels of nasbench-macro alone" in cli(*words, *GUIDED, "--out", "run").stderr
    toys = ("--space", "archpredict.testing.toys:ToySpace", "--evaluator", "archpredict.testing.toys:ToyEvaluator")
    message = cli.fails("search", *toys, "--budget", "8", *GUIDED)
    assert "the space toy does not define network(), by which spaces are compared" in message
    assert message.endswith("leave out --transfer")
