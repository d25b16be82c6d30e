"""``archpredict evaluate --submit`` as a user meets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.predict import protocols
from archpredict.predict.leaderboard import check_submission, read_submission
from archpredict.predict.protocols import Protocol
from archpredict.spaces.base import load_space

FILE = """
class Notations:
    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, X, y):
        return self

    def predict(self, X):
        return [c.notation.count("3x3") + c.adjacency.sum() / 100 for c in X]

class Lacking:
    def fit(self, X, y):
        return self

class Short(Notations):
    def predict(self, X):
        return [1.0]
"""
BASE = ("evaluate", "--protocol", "toy", "--data", ".", "--train-sizes", "10", "--seeds", "2", "--quiet")


@pytest.fixture
def toy(cli: Any, monkeypatch: pytest.MonkeyPatch) -> Protocol:
    Path("entering.py").write_text(FILE)
    space = load_space("nasbench201")
    choices = space.sample(60, np.random.default_rng(0))
    labels = (choices == 3).sum(axis=1) + choices[:, 1] / 10
    made = Protocol("toy", "counted", space, choices, labels, labels)
    monkeypatch.setitem(protocols._LOADERS, "toy", lambda folder: made)
    return made


def test_a_class_that_knows_notations_alone_takes_part(cli: Any, toy: Protocol) -> None:
    result = cli(*BASE, "--predictor", "entering.py:Notations", "--submit", "out.json")
    assert result.exit_code == 0, result.output
    assert "Notations: toy (counted), 2 seeds" in result.stdout
    content = read_submission("out.json")
    assert (content["predictor"], list(content["about"])) == (
        "Notations",
        ["python", "system", "packages", "devices", "transfer"],
    )
    assert [trial["kendall_tau"] > 0.3 for trial in check_submission(content, toy)] == [True, True]


def test_so_does_a_predictor_of_ours(cli: Any, toy: Protocol) -> None:
    assert cli(*BASE, "--predictor", "bayesian-ridge", "--submit", "out.json", "--json").exit_code == 0
    assert len(check_submission(read_submission("out.json"), toy)) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--predictor", "entering.py:Lacking"), "is no class with the methods fit(X, y) and predict(X): it has no"),
        (("--predictor", "entering.py:Other"), "entering.py has no 'Other' to use from predictors; its classes are"),
        (("--predictor", "entering.py:Short"), "predict of Short gives finite numbers of the shape (50,), one for eac"),
        (("--predictor", "entering.py:Notations", "--epochs", "3"), "--epochs is an option of archpredict's own pred"),
        (("--predictor", "nac", "--submit", "no/out.json"), "there is no folder no to write out.json into; make it fi"),
    ],
)
def test_what_cannot_enter_is_one_sentence(cli: Any, toy: Protocol, words: tuple[str, ...], message: str) -> None:
    assert message in cli.fails(*BASE, "--submit", "out.json", *words)
    assert not Path("out.json").exists()


def test_only_protocols_have_a_leaderboard(cli: Any, table: Path) -> None:
    words = ("--space", "nasbench201", "--data", "cells.csv", "--target", "size", "--train-sizes", "10")
    assert "give --protocol NAME too" in cli.fails("evaluate", *words, "--submit", "out.json")
