"""Settings of two runs: what a run may be resumed with."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import Ridge

from archpredict.errors import UsageError
from archpredict.predict.parts import Part
from archpredict.predict.predictor import Predictor
from archpredict.predict.training.training import Training
from archpredict.runs.search import search
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem
from archpredict.strategies.random import RandomSearch
from archpredict.testing.toys import ToySpace


class Weighted(RandomSearch):
    """A strategy that takes anything as an option."""

    name = "weighted"

    def __init__(self, problem: Problem, *, seed: int = 0, observer: Any = print, weights: Any = None) -> None:
        super().__init__(problem, seed=seed)


def counting(option: int) -> Callable[[Architecture], float]:
    return lambda architecture: architecture.choices.count(option)


def run(out: Path, function: Callable[[Architecture], float], weights: Any = None, resume: bool = False) -> None:
    search(ToySpace, function, strategy=Weighted, budget=5, out=out, resume=resume, options={"weights": weights})


def rewritten(out: Path, change: Callable[[dict[str, Any]], None]) -> None:
    config = json.loads((out / "config.json").read_text())
    change(config["settings"])
    (out / "config.json").write_text(json.dumps(config))


def test_a_run_is_resumed_with_the_same_function_and_refused_with_another(tmp_path: Path) -> None:
    run(tmp_path / "run", counting(1))
    run(tmp_path / "run", counting(1), resume=True)
    with pytest.raises(UsageError, match=r"evaluator.function.closure.option is 1 there and 2 now"):
        run(tmp_path / "run", counting(2), resume=True)
    with pytest.raises(UsageError, match=r"evaluator.function.code is "):
        run(tmp_path / "run", lambda a: a.choices.count(1), resume=True)


def test_options_that_differ_only_far_behind_are_told_apart(tmp_path: Path) -> None:
    many = {f"option_with_a_long_name_{i}": i for i in range(100)}
    run(tmp_path / "run", counting(1), many)
    run(tmp_path / "run", counting(1), dict(reversed(many.items())), resume=True)
    with pytest.raises(UsageError, match=r"options.weights.option_with_a_long_name_99 is 99 there and 0 now"):
        run(tmp_path / "run", counting(1), {**many, "option_with_a_long_name_99": 0}, resume=True)


def test_what_cannot_be_compared_is_resumed_with_a_warning(tmp_path: Path) -> None:
    run(tmp_path / "run", counting(1), object())
    with pytest.warns(RuntimeWarning, match=r"cannot tell whether options.weights are as the run was started with"):
        run(tmp_path / "run", counting(1), object(), resume=True)
    with pytest.raises(UsageError, match=r"options.weights is"):
        run(tmp_path / "run", counting(1), 3, resume=True)


def test_records_of_before_values_were_described_hold_texts_that_are_accepted(tmp_path: Path) -> None:
    run(tmp_path / "run", counting(1), counting(2))

    def change(settings: dict[str, Any]) -> None:
        settings["options"]["weights"] = "<function counting.<locals>.<lambda> at 0x7f3c>"
        settings["evaluator"]["function"] = settings["evaluator"]["function"]["function"]

    rewritten(tmp_path / "run", change)
    with pytest.warns(RuntimeWarning, match=r"cannot tell whether evaluator.function, options.weights are as"):
        run(tmp_path / "run", counting(1), counting(2), resume=True)


@pytest.mark.parametrize("text", ["Ridge(alpha=3)", "<sklearn.linear_model._ridge.Ridge object at 0x7f3c>"])
def test_a_text_of_an_object_of_the_same_class_is_accepted(tmp_path: Path, text: str) -> None:
    run(tmp_path / "run", counting(1), Ridge(alpha=3))
    rewritten(tmp_path / "run", lambda settings: settings["options"].update(weights=text))
    with pytest.warns(RuntimeWarning, match=r"cannot tell whether options.weights are as"):
        run(tmp_path / "run", counting(1), Ridge(alpha=3), resume=True)


@pytest.mark.parametrize("text", ["Lasso(alpha=3)", "3", "<function ridge at 0x7f3c>"])
def test_a_text_of_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    run(tmp_path / "run", counting(1), Ridge(alpha=3))
    rewritten(tmp_path / "run", lambda settings: settings["options"].update(weights=text))
    with pytest.raises(UsageError, match=r"options.weights is "):
        run(tmp_path / "run", counting(1), Ridge(alpha=3), resume=True)


def test_a_predictor_of_parts_is_compared_by_value(tmp_path: Path) -> None:
    def run_with(epochs: int, dim: int, resume: bool) -> None:
        training = Training(epochs=epochs, pretrain=0)
        predictor = Predictor(Part("gcn", dim=dim), training=training, ensemble=1, regressors=None, device="cpu")
        search(
            ToySpace,
            counting(1),
            strategy="predictor-guided",
            budget=8,
            out=tmp_path / "run",
            resume=resume,
            options={"predictor": predictor, "rounds": 1},
        )

    run_with(1, 8, resume=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_with(1, 8, resume=True)
    with pytest.raises(UsageError, match=r"options.predictor.encoder.options.dim is 8 there and 16 now"):
        run_with(1, 16, resume=True)
    with pytest.raises(UsageError, match=r"options.predictor.training.epochs is 1 there and 2 now"):
        run_with(2, 8, resume=True)
