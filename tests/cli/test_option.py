"""``--option NAME=VALUE``: options of strategies, evaluators and predictors, one's own included."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from archpredict.predict.predictor import Predictor

OWN = """
from typing import Literal
from archpredict.strategies.random import RandomSearch
from archpredict.testing.toys import ToyEvaluator

class Tall(RandomSearch):
    name = "tall"
    def __init__(self, problem, *, seed=0, observer=None, height: int, shape: Literal["round", "flat"] = "flat",
                 factor: float | None = 1.0, sizes: tuple[int, ...] = (), steep: bool = False):
        super().__init__(problem, seed=seed)
        with open("made.txt", "w") as file:
            print([height, shape, factor, sizes, steep], file=file)

class Bonus(ToyEvaluator):
    name = "bonus"
    def __init__(self, bonus: float = 0.0, height: int = 1, jobs: int = 1):
        super().__init__(constant=bonus)
        self.jobs = jobs
"""

SEARCH = ("search", "--space", "archpredict.testing.toys:ToySpace", "--budget", "5", "--quiet", "--json")
MINE = (*SEARCH, "--strategy", "own.py:Tall", "--evaluator", "own.py:Bonus")
TABLE = ("--space", "nasbench201", "--data", "cells.csv", "--target", "size", "--quiet", "--json")


@pytest.fixture
def own(cli: Any) -> None:
    Path("own.py").write_text(OWN)


def options(*texts: str) -> list[str]:
    return [word for text in texts for word in ("--option", text)]


@pytest.mark.parametrize(
    ("texts", "made"),
    [
        (["strategy.height=3"], "[3, 'flat', 1.0, (), False]"),
        (["strategy.height=3", "factor=none", "sizes=1,2"], "[3, 'flat', None, (1, 2), False]"),
        (["strategy.height=3", "factor=2e-1", "shape=round", "steep=true"], "[3, 'round', 0.2, (), True]"),
        (["strategy__height=3", "sizes=[4]"], "[3, 'flat', 1.0, (4,), False]"),
    ],
)
def test_values_have_the_types_that_the_constructor_names(cli: Any, own: None, texts: list[str], made: str) -> None:
    assert cli(*MINE, *options(*texts)).exit_code == 0
    assert Path("made.txt").read_text().strip() == made


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["factor=1"], "the strategy tall needs --option height=...; give it"),
        (["height=3"], "and the evaluator own.py:Bonus have this option; write --option strategy.height=... or --opt"),
        (["strategy.height=x"], "--option strategy.height=x: expected an integer"),
        (["strategy.height=3", "shape=tall"], "--option strategy.shape=tall: expected one of round, flat"),
        (["strategy.height=3", "factor=x"], "--option strategy.factor=x: expected none or a number"),
        (["strategy.height=3", "steep=2"], "--option strategy.steep=2: expected true or false"),
        (["strategy.height=3", "factor.of=2"], "--option strategy.factor.of: there is no such option; the strategy"),
        (["depth=3"], "no option 'depth'; the strategy tall has: height, shape, factor, sizes, steep; the evaluator"),
        (["evaluator.depth=3"], "no option 'depth'; the evaluator own.py:Bonus has: bonus, height, jobs"),
        (["strategy.preset=x"], "--option preset: this has a flag of its own, --preset; use that"),
        (["height"], "'height' is not a name and a value, e.g. rounds=3"),
    ],
)
def test_wrong_names_and_values_are_one_sentence(cli: Any, own: None, texts: list[str], message: str) -> None:
    refused = cli.fails(*MINE, *options(*texts))
    assert message in refused.replace(str(Path.cwd()) + "/", "")


def test_an_option_and_its_flag_are_not_given_both(cli: Any, own: None) -> None:
    message = cli.fails(*MINE, "--jobs", "2", *options("strategy.height=3", "jobs=3"))
    assert message == "Error: --jobs and --option evaluator.jobs say the same; leave one of them out"


def test_options_are_recorded_and_a_resumed_run_has_them(cli: Any, own: None) -> None:
    first = cli(*MINE, "--out", "run", *options("strategy.height=3", "bonus=2.5"))
    assert json.loads(first.stdout)["best"]["score"] == 2.5
    config = json.loads(Path("run/config.json").read_text())
    assert config["invocation"]["option"] == {"strategy.height": "3", "evaluator.bonus": "2.5"}
    assert config["settings"]["options"] == {"height": 3}
    assert cli("search", "--resume", "run").exit_code == 0
    assert cli("search", "--resume", "run", *options("bonus=2.50")).exit_code == 0
    assert "options.height is 3 there and 4 now" in cli.fails(
        "search", "--resume", "run", *options("strategy.height=4")
    )


def test_a_run_of_before_there_were_options_goes_on(cli: Any) -> None:
    words = ("--strategy", "random", "--evaluator", "archpredict.testing.toys:ToyEvaluator")
    assert cli(*SEARCH, *words, "--out", "run").exit_code == 0
    config = json.loads(Path("run/config.json").read_text())
    del config["invocation"]["option"]
    Path("run/config.json").write_text(json.dumps(config))
    assert cli("search", "--resume", "run").exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["zero-cost"], "the evaluator zero-cost needs --option proxy=... (Name of a zero-cost proxy, e.g. synflow)"),
        (
            ["supernet"],
            "needs --option checkpoint=... (Folder of a trained supernet, or the checkpoint in it)",
        ),
        (["table"], "the evaluator table needs --data (A table with labelled architectures (CSV, JSONL, Parquet, "),
        (["table", "--data", "x.csv"], "the evaluator table needs --target (The column with the labels"),
        (["command:true", "--command", "true"], "--command of the evaluator command was given after a colon too"),
        (["train:digitz"], "unknown data set 'digitz'"),
    ],
)
def test_evaluators_say_in_flags_what_they_need(cli: Any, words: Sequence[str], message: str) -> None:
    assert message in cli.fails(*SEARCH, "--strategy", "random", "--evaluator", *words)


def test_options_of_a_named_predictor_of_a_strategy(cli: Any) -> None:
    words = (*SEARCH[:3], "--budget", "12", "--quiet", "--strategy", "predictor-guided", "--out", "run")
    words = (*words, "--evaluator", "archpredict.testing.toys:ToyEvaluator", "--predictor", "extra-trees")
    made = cli(*words, *options("rounds=1", 'predictor.regressors={"bayesian-ridge": 1}'))
    assert made.exit_code == 0, made.output
    assert "bayesian-ridge" in json.dumps(json.loads(Path("run/config.json").read_text())["settings"]["options"])


def test_fit_sets_options_of_the_predictor_and_the_card_says_so(cli: Any, table: Path) -> None:
    regressors = 'regressors={"bayesian-ridge": 1.0}'
    fitted = cli("fit", *TABLE, "--predictor", "extra-trees", "--out", "model", *options(regressors))
    assert fitted.exit_code == 0, fitted.output
    assert list(Predictor.load("model").regressors) == ["bayesian-ridge"]
    assert json.loads(fitted.stdout)["predictor"] == 'extra-trees, regressors {"bayesian-ridge": 1.0}'


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        ("fit", ["--option", "ensemble=x", "--out", "m"], "--option predictor.ensemble=x: expected an integer"),
        ("fit", ["--option", "depth=3", "--out", "m"], "there is no option 'depth'; the predictor has: encoder, head,"),
        ("fit", ["--option", "seed=3", "--out", "m"], "--option seed: this has a flag of its own, --seed; use that"),
        ("evaluate", ["--option", "ensemble=3", "--ensemble", "3"], "--ensemble and --option predictor.ensemble say"),
    ],
)
def test_fit_and_evaluate_refuse_what_the_predictor_has_not(
    cli: Any, table: Path, command: str, words: Sequence[str], message: str
) -> None:
    assert message in cli.fails(command, *TABLE, *words)


@pytest.mark.parametrize("words", [("train",), ("supernet", "train"), ("search",)])
@pytest.mark.parametrize("text", ["epochs", "=3", "epochs=", "epochs=ten", "epochs=nan", "a..b=1", ""])
def test_what_is_no_name_and_number_is_shown_with_an_example(cli: Any, words: tuple[str, ...], text: str) -> None:
    assert f"{text!r} is not a name and a number, e.g. epochs=10" in cli.fails(*words, "--training", text)


def test_dashes_are_underscores_in_names_of_arguments_and_dashes_in_those_of_costs(cli: Any, own: None) -> None:
    words = ("supernet", "train", "--space", "nasbench201", "--dataset", "digits", "--training")
    assert "batch_size is a whole number, 2.5 was given" in cli.fails(*words, "batch-size = 2.5")
    assert "no cost 'edge-tpu-ms' to limit" in cli.fails(*MINE, "--limit", "edge-tpu-ms=4e1")
