"""Submissions: figures follow from predictions, and nothing else is believed."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.errors import DataError, UsageError
from archpredict.predict.leaderboard import Entrant, Notated, check_submission, entrant, read_submission, submission
from archpredict.predict.protocols import Protocol
from archpredict.predict.validation import learning_curve
from archpredict.spaces.base import load_space

SPACE = load_space("nasbench201")


class Counting:
    """Knows operators and edges alone."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: Sequence[Notated], y: Sequence[float]) -> Counting:
        names = sorted({op for cell in X for op in cell.operators})
        self.names_ = names
        self.weights_ = np.linalg.lstsq(self._table(X), np.asarray(y), rcond=None)[0]
        return self

    def predict(self, X: Sequence[Notated]) -> Any:
        return self._table(X) @ self.weights_

    def _table(self, X: Sequence[Notated]) -> Any:
        return np.array([[*(c.operators.count(n) for n in self.names_), c.adjacency.sum(), 1.0] for c in X])


class Silent(Counting):
    def predict(self, X: Sequence[Notated]) -> Any:
        return [float("nan")] * len(X)


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    choices = SPACE.sample(120, np.random.default_rng(0))
    labels = (choices == 3).sum(axis=1) + choices[:, 0] / 10
    return Protocol("toy", "counted", SPACE, choices, labels, 2 * labels, train_sizes=(20, 40))


@pytest.fixture(scope="module")
def made(protocol: Protocol) -> dict[str, Any]:
    trials = learning_curve(Entrant(Counting), protocol, seeds=2)  # type: ignore[arg-type]
    content: dict[str, Any] = json.loads(json.dumps(submission("counting", protocol, trials, {"python": "3"})))
    return content


def test_the_figures_of_a_submission_are_those_of_its_trials(protocol: Protocol, made: dict[str, Any]) -> None:
    found = check_submission(made, protocol)
    assert [(trial["labels"], trial["seed"]) for trial in found] == [(20, 0), (20, 1), (40, 0), (40, 1)]
    stated = [trial["figures"]["kendall_tau"] for trial in made["trials"]]
    assert [trial["kendall_tau"] for trial in found] == pytest.approx(stated)
    assert min(stated) > 0.5


def changed(made: dict[str, Any], change: Any) -> dict[str, Any]:
    content = copy.deepcopy(made)
    change(content)
    return content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(protocol="other"), "for the protocol 'other', not toy"),
        (lambda c: c.update(table_sha256="0"), "made with another table than that of toy"),
        (lambda c: c.update(trials=[]), "has no trials"),
        (lambda c: c["trials"][0].pop("predicted"), "trial 1 lacks what a trial has"),
        (lambda c: c["trials"][1].update(split_sha256=""), "trial 2: it was made on another split"),
        (lambda c: c["trials"][1].update(n=500), "trial 2: toy: 500 labels to learn from were asked for"),
        (lambda c: c["trials"][2].update(seed=-1), "trial 3: the seed is -1, expected at least 0"),
        (lambda c: c["trials"][0]["predicted"].pop(), "trial 1: expected 100 finite predictions"),
        (lambda c: c["trials"][0]["figures"].update(kendall_tau=0.99), "it states kendall_tau 0.99, and 0."),
        (lambda c: c["trials"].append(c["trials"][0]), "has a trial twice"),
    ],
)
def test_what_does_not_follow_is_refused(protocol: Protocol, made: dict[str, Any], change: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_submission(changed(made, change), protocol)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    for text, message in (
        ("[", "is no JSON file"),
        ("{}", "is no submission of the format 1"),
        ("[1]", "no submission"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_submission(path)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_submission(tmp_path / "missing")


def test_an_entrant_gets_the_seed_and_gives_a_finite_number_for_each(protocol: Protocol) -> None:
    cells = protocol.architectures[:10]
    assert Entrant(Counting, seed=7).fit(cells, np.arange(10)).model_.random_state == 7
    with pytest.raises(UsageError, match=r"predict of Silent gives finite numbers of the shape \(10,\)"):
        Entrant(Silent).fit(cells, np.arange(10)).predict(cells)


def test_a_reference_names_a_class_with_both_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine_to_enter.py").write_text(
        "class Half:\n    def fit(self, X, y):\n        pass\n\nclass Whole(Half):\n    def predict(self, X):\n"
        "        return [len(c.notation) for c in X]\n"
    )
    assert entrant("default") is None
    found = entrant("mine_to_enter.py:Whole")
    assert found is not None
    with pytest.raises(UsageError, match=r"is no class with the methods fit.* it has no predict"):
        entrant("mine_to_enter.py:Half")
