"""Makes the predictors and runs of this folder with the version of archpredict that is on the path.

They are kept so that later versions are tested to read what earlier ones saved; make a folder more when the form of
what is saved changes, and leave the old ones as they are::

    PYTHONPATH=path/to/that/version python tests/data/make.py tests/data/<name of the version>

Labels are sums of choices with weights, so that nothing is downloaded; ``expected.json`` holds what was predicted.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import archpredict
from archpredict import ArchGraph, Architecture, Evaluator, Predictor, Result, load_space
from archpredict.cli.main import main as command_line

SMALL: dict[str, Any] = {"pretrain": 0, "epochs": 20, "side_width": 8, "ensemble": 2}
ENCODER: dict[str, Any] = {"encoder": "gates", "encoder_options": {"dim": 16, "layers": 2}}
BOOSTING: dict[str, Any] = {"iterations": 10}
EVERY_REGRESSOR: dict[str, Any] = {
    "regressors": {
        "gaussian-process": 1.0,
        "hist-gradient-boosting": 0.5,
        "bayesian-ridge": 0.5,
        "random-forest": 0.2,
        "extra-trees": 0.2,
    },
    "regressor_options": {
        "hist-gradient-boosting": BOOSTING,
        "random-forest": {"trees": 5},
        "extra-trees": {"trees": 5},
    },
}
CTNAS: dict[str, Any] = {
    "strategy": "ctnas",
    "options": {
        "predictor": {"epochs": 3, "ensemble": 1, "pretrain": 0, "regressors": None},
        "rounds": 2,
        "iterations": 4,
        "samples": 8,
        "derive": 16,
    },
}
GUIDED: dict[str, Any] = {"strategy": "predictor-guided", "options": {"predictor": "extra-trees", "rounds": 2}}
BUDGET, INTERRUPTED = 16, 13


def label(architecture: Architecture) -> float:
    """A label that any version computes alike: later choices count less."""
    return float(sum(choice / (place + 1) for place, choice in enumerate(architecture.choices)))


def cells(space: str, n: int) -> list[Architecture]:
    """The architectures that predictors are fitted on, and after them those whose predictions are kept."""
    loaded = load_space(space)
    return loaded.architectures(loaded.sample(n, np.random.default_rng(0)))


def graphs(n: int) -> list[ArchGraph]:
    """Computational graphs of small networks."""
    return [load_space("nasbench201").network(cell.choices, channels=4) for cell in cells("nasbench201", n)]


def columns(architectures: Sequence[Architecture]) -> dict[str, list[float]]:
    return {"first choice": [float(a.choices[0]) for a in architectures]}


def make_predictors(folder: Path) -> dict[str, list[float]]:
    """Save one of each kind; returns what they predict of the ten architectures after the training set."""
    try:
        from archpredict.predict.rank.adaptation import AdaptedPredictor
    except ModuleNotFoundError:  # before there were packages
        from archpredict.adaptation import AdaptedPredictor

    expected = {}
    each = cells("nasbench201", 40)
    train, new = each[:30], each[30:]
    boosting: dict[str, Any] = {"hist-gradient-boosting": 0.3}
    network = Predictor(**ENCODER, **SMALL, regressors=boosting, regressor_options={"hist-gradient-boosting": BOOSTING})
    network.fit(train, [label(a) for a in train], features=columns(train))
    network.save(folder / "network", {"labels": "sums of choices"})
    expected["network"] = network.predict(new, columns(new)).tolist()

    several = cells("darts", 20)
    train, new = several[:10], several[10:]
    comparator = Predictor("gcn", "comparator", side=(), encoder_options={"dim": 16, "layers": 2}, **SMALL)
    comparator.set_params(regressors=None, ensemble=1).fit(train, [label(a) for a in train])
    comparator.save(folder / "comparator")
    expected["comparator"] = comparator.predict(new).tolist()

    train, new = each[:30], each[30:]
    regressors = Predictor(ensemble=0, side=("choices",), target="values", **EVERY_REGRESSOR)
    regressors.fit(train, [label(a) for a in train]).save(folder / "regressors")
    expected["regressors"] = regressors.predict(new).tolist()

    models, labels = graphs(40), [label(a) for a in each]
    base = Predictor(None, ensemble=0, side=("network",), regressors={"gaussian-process": 1.0}, target="values")
    base.fit(models[:20], labels[:20])
    adapted = AdaptedPredictor.fit(base, models[20:30], [-y for y in labels[20:30]])
    adapted.save(folder / "adapted")
    expected["adapted"] = adapted.predict(models[30:]).tolist()
    return expected


class Sums(Evaluator):
    """Gives labels, and is interrupted after so many."""

    name = "sums"

    def __init__(self, after: int = BUDGET) -> None:
        self.left = after
        self.asked: list[Architecture] = []

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for architecture in architectures:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            self.asked.append(architecture)
            yield Result(architecture, label(architecture))

    def describe(self) -> dict[str, Any]:
        return {"evaluator": self.name, "labels": "sums of choices"}


def make_run(folder: Path, after: int, how: dict[str, Any]) -> None:
    """A run that a program has started; interrupted before its end if ``after`` is less than the budget."""
    try:
        archpredict.search("nasbench201", Sums(after), budget=BUDGET, out=folder, **how)
    except KeyboardInterrupt:
        print(f"{folder} was interrupted, as it should be")


def make_command_line_run(folder: Path, table: Path) -> None:
    """A run that the command line has started, finished."""
    rows = cells("nasbench201", 40)
    table.write_text("".join(["arch,label\n", *(f'"{a}",{label(a)}\n' for a in rows)]))
    given = ["--space", "nasbench201", "--strategy", "evolution", "--budget", str(BUDGET), "--data", str(table)]
    try:
        command_line(["search", *given, "--target", "label", "--quiet", "--out", str(folder)])
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"the search ended with {end.code}") from end


def main(folder: Path) -> None:
    """Make everything anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    expected = make_predictors(folder)
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    make_run(folder / "ctnas-finished", BUDGET, CTNAS)
    make_run(folder / "ctnas-interrupted", INTERRUPTED, CTNAS)
    make_run(folder / "guided-interrupted", INTERRUPTED, GUIDED)
    make_command_line_run(folder / "command-line", folder / "cells.csv")
    for left in [*folder.glob("*/report"), *folder.glob("*/.lock")]:
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    for file in folder.glob("*/*.json"):  # where this was made there is nothing any more
        file.write_text(file.read_text().replace(str(folder.absolute()), "/gone"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
