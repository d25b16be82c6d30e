"""The loop: what strategies are told, what survives an interruption, and what a search gives back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import archpredict
from archpredict.errors import (
    ArchPredictError,
    BudgetError,
    EvaluationError,
    RunDirectoryError,
    UnknownNameError,
    UsageError,
)
from archpredict.evaluators.base import Evaluator, Result
from archpredict.progress import Event, Observer, silent
from archpredict.registry import names, resolve
from archpredict.runs.history import History
from archpredict.runs.search import SearchResult, search
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Problem, Strategy
from archpredict.tables.table import Table
from archpredict.testing.strategies import SHORT, toy_space_for
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()
TOLD: list[list[Architecture]] = []


class Batches(Strategy):
    """Random batches of four that depend on the scores told: a wrong or misplaced result changes the run."""

    name = "batches"

    def ask(self, n: int) -> list[Architecture]:
        total = int(sum(1000 * i * (r.score or 0) for i, r in enumerate(self.results, start=1)))
        n = min(n, 4, self.problem.budget - self.num_told)
        return self.problem.sample(n, self.rng(total), self.seen) if n > 0 else []

    def tell(self, results: Sequence[Result]) -> None:
        TOLD.append([r.architecture for r in results])
        super().tell(results)
        self.observer(Event("comparator", 1, 1, {"kendall_tau": len(self.results) / 100}))

    def state_dict(self) -> dict[str, Any]:
        return {"num_told": self.num_told}

    def load_state_dict(self, state: dict[str, Any], results: Sequence[Result]) -> None:
        super().load_state_dict(state, results)
        if state["num_told"] != self.num_told:
            raise ValueError("the state is of another run")


class Stopping(ToyEvaluator):
    """A toy evaluator whose process is interrupted when ``after`` results have been taken."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after
        self.asked: list[Architecture] = []

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for result in super().evaluate(architectures):
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            self.asked.append(result.architecture)
            yield result


class Scripted(Evaluator):
    """Gives the results a function makes of each batch."""

    name = "scripted"

    def __init__(self, results: Any) -> None:
        self.results = results

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        yield from self.results(architectures)

    def describe(self) -> dict[str, Any]:
        return {"evaluator": self.name, "labels": "whatever the test says"}


def outcome(result: SearchResult) -> dict[str, Any]:
    """Everything but how long it took and where."""
    return {k: v for k, v in result.to_dict().items() if k not in ("seconds", "run_dir")}


def test_the_result_holds_exactly_what_is_promised() -> None:
    result = search(SPACE, ToyEvaluator(), strategy="random", budget=12, seed=3, top=4)
    shown = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert list(shown) == [
        "space", "strategy", "evaluator", "seed", "queries", "best", "top", "run_dir", "seconds",
    ]  # fmt: skip
    assert (shown["space"], shown["strategy"], shown["evaluator"]) == ("toy", "random", "toy")
    assert (shown["seed"], shown["queries"], shown["run_dir"]) == (3, 12, None)
    assert len(shown["top"]) == 4
    assert shown["best"] == shown["top"][0]
    for each in shown["top"]:
        assert list(each) == ["architecture", "score", "evaluated", "costs"]
        architecture = SPACE.from_text(each["architecture"])
        assert each["score"] == next(ToyEvaluator().evaluate([architecture])).score
        assert each["costs"] == architecture.cost


def test_what_is_recommended_is_the_best_of_the_record(tmp_path: Path) -> None:
    result = search(SPACE, ToyEvaluator(), strategy="random", budget=30, out=tmp_path / "run")
    with History(tmp_path / "run" / "history.db") as history:
        scores = [r.score for r in history.results(SPACE).values()]
    assert len(scores) == result.queries == 30
    assert result.best.score == max(s for s in scores if s is not None)
    assert json.loads((tmp_path / "run" / "best.json").read_text()) == result.to_dict()


def test_the_strategy_is_told_in_the_order_it_asked_whatever_order_results_come_in() -> None:
    def backwards(batch: Sequence[Architecture]) -> list[Result]:
        return list(ToyEvaluator().evaluate(list(reversed(batch))))

    TOLD.clear()
    search(SPACE, ToyEvaluator(), strategy=Batches, budget=10)
    in_order = list(TOLD)
    TOLD.clear()
    search(SPACE, Scripted(backwards), strategy=Batches, budget=10)
    assert in_order == TOLD
    assert [len(batch) for batch in TOLD] == [4, 4, 2]


def test_the_observer_sees_every_evaluation_and_what_the_strategy_reports() -> None:
    events: list[Event] = []
    result = search(SPACE, ToyEvaluator(), strategy=Batches, budget=10, observer=events.append)
    labels = [e for e in events if e.stage == "label"]
    assert [(e.done, e.total) for e in labels] == [(i, 10) for i in range(1, 11)]
    assert labels[-1].values["best"] == result.best.score == max(e.values["score"] for e in labels)
    assert [e.stage for e in events if e.stage != "label"] == ["comparator"] * 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    """A run that is not interrupted."""
    return search(SPACE, ToyEvaluator(), strategy=Batches, budget=12, out=tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.parametrize("after", range(13))
def test_a_run_interrupted_anywhere_gives_the_same_result_when_resumed(
    whole: SearchResult, tmp_path: Path, after: int
) -> None:
    first = Stopping(after)
    if after < 12:
        with pytest.raises(KeyboardInterrupt):
            search(SPACE, first, strategy=Batches, budget=12, out=tmp_path / "run")
    else:
        search(SPACE, first, strategy=Batches, budget=12, out=tmp_path / "run")
    second = Stopping(100)
    resumed = search(SPACE, second, strategy=Batches, budget=12, out=tmp_path / "run", resume=True)
    assert outcome(resumed) == outcome(whole)
    assert len(first.asked) == after
    assert len(second.asked) == 12 - after, "only what is missing is evaluated"
    assert whole.run_dir is not None
    with History(tmp_path / "run" / "history.db") as a, History(whole.run_dir / "history.db") as b:
        assert a.results(SPACE) == b.results(SPACE)
        assert a.events() == b.events()


@pytest.mark.parametrize("name", names("strategies"))
def test_every_strategy_goes_on_from_its_checkpoint(tmp_path: Path, name: str) -> None:
    strategy: type[Strategy] = resolve("strategies", name, Strategy)
    budget = max(16, strategy.min_budget)
    settings: dict[str, Any] = {"strategy": strategy, "budget": budget, "options": SHORT.get(name, {})}
    space = toy_space_for(strategy)
    whole = search(space, ToyEvaluator(), **settings)
    with pytest.raises(KeyboardInterrupt):
        search(space, Stopping(budget - 3), out=tmp_path / "run", **settings)
    resumed = search(space, ToyEvaluator(), out=tmp_path / "run", resume=True, **settings)
    assert outcome(resumed) == outcome(whole)


@pytest.mark.parametrize("damage", ["missing", "unreadable", "of another run", "ahead of the record"])
def test_without_a_usable_checkpoint_the_strategy_learns_again_from_the_record(tmp_path: Path, damage: str) -> None:
    whole = search(SPACE, ToyEvaluator(), strategy=Batches, budget=12)
    with pytest.raises(KeyboardInterrupt):
        search(SPACE, Stopping(9), strategy=Batches, budget=12, out=tmp_path)
    _damage(tmp_path / "checkpoint.safetensors", damage)
    second = Stopping(100)
    settings: dict[str, Any] = {"strategy": Batches, "budget": 12, "out": tmp_path, "resume": True}
    if damage == "missing":
        resumed = search(SPACE, second, **settings)
    else:
        with pytest.warns(RuntimeWarning, match="learns again from the recorded evaluations"):
            resumed = search(SPACE, second, **settings)
    assert outcome(resumed) == outcome(whole)
    assert len(second.asked) == 3


def _damage(path: Path, damage: str) -> None:
    from archpredict.runs.checkpoint import Checkpoint

    if damage == "missing":
        path.unlink()
    elif damage == "unreadable":
        path.write_bytes(b"nonsense")
    elif damage == "of another run":
        path.write_bytes(Checkpoint({"num_told": 5}, 8, 0).to_bytes())
    else:
        path.write_bytes(Checkpoint({"num_told": 12}, 12, 0).to_bytes())


def test_a_finished_run_that_is_resumed_gives_the_same_again(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"strategy": Batches, "budget": 12, "out": tmp_path / "run"}
    first = search(SPACE, ToyEvaluator(), **settings)
    again = search(SPACE, Stopping(0), resume=True, **settings)
    assert {**again.to_dict(), "seconds": 0} == {**first.to_dict(), "seconds": 0}
    assert again.seconds == pytest.approx(first.seconds, abs=1e-3), "the record rounds to milliseconds"


def test_a_record_that_the_strategy_does_not_ask_for_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        search(SPACE, Stopping(2), strategy=Batches, budget=12, out=tmp_path)
    with History(tmp_path / "history.db") as history:
        history.record(1, Result(history.results(SPACE)[0].architecture, 1.0))
    with pytest.raises(RunDirectoryError, match=r"evaluation 1 of the record is \[.*the strategy now asks for"):
        search(SPACE, ToyEvaluator(), strategy=Batches, budget=12, out=tmp_path, resume=True)


def test_failed_evaluations_count_towards_the_budget() -> None:
    def every_other_fails(batch: Sequence[Architecture]) -> list[Result]:
        return [Result(a, None, "no") if i % 2 else Result(a, 1.0) for i, a in enumerate(batch)]

    result = search(SPACE, Scripted(every_other_fails), strategy="random", budget=10)
    assert result.queries == 10
    assert len(result.top) == 5


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_a_score_that_is_no_finite_number_is_a_failed_evaluation(tmp_path: Path, score: float) -> None:
    def one_bad(batch: Sequence[Architecture]) -> list[Result]:
        return [Result(a, score if i == 0 else 1.0) for i, a in enumerate(batch)]

    search(SPACE, Scripted(one_bad), strategy="random", budget=6, out=tmp_path)
    with History(tmp_path / "history.db") as history:
        bad = history.results(SPACE)[0]
    assert bad.score is None
    assert bad.error == f"the score is {score}; a score is a finite number"


def test_a_batch_that_fails_as_a_whole_ends_the_run_and_can_be_resumed(tmp_path: Path) -> None:
    def broken(batch: Sequence[Architecture]) -> list[Result]:
        return [Result(a, None, "odd" if i == 0 else "no module named mine.") for i, a in enumerate(batch)]

    settings: dict[str, Any] = {"strategy": "random", "budget": 8, "out": tmp_path / "run"}
    with pytest.raises(EvaluationError) as caught:
        search(SPACE, Scripted(broken), **settings)
    assert str(caught.value) == (
        "all 8 evaluations failed, 7 of them with: no module named mine. Correct that, then go on with: "
        f"`search(..., out={str(tmp_path / 'run')!r}, resume=True)`"
    )
    with History(tmp_path / "run" / "history.db") as history:
        assert len(history) == 8
    repaired = search(SPACE, Scripted(ToyEvaluator().evaluate), resume=True, **settings)
    assert outcome(repaired)["top"] == outcome(search(SPACE, ToyEvaluator(), strategy="random", budget=8))["top"]


def test_small_batches_that_all_fail_end_the_run_after_five_and_a_small_budget_at_its_end() -> None:
    asked: list[Architecture] = []

    def broken(batch: Sequence[Architecture]) -> list[Result]:
        asked.extend(batch)
        return [Result(a, None, "no") for a in batch]

    with pytest.raises(EvaluationError, match="all 8 evaluations failed: no"):
        search(SPACE, Scripted(broken), strategy=Batches, budget=100)
    assert len(asked) == 8
    with pytest.raises(EvaluationError, match="all 2 evaluations failed"):
        search(SPACE, Scripted(broken), strategy=Batches, budget=2)


def test_a_large_batch_in_which_nothing_works_is_not_tried_to_its_end(tmp_path: Path) -> None:
    asked: list[Architecture] = []

    def broken(batch: Sequence[Architecture]) -> Iterator[Result]:
        for architecture in batch:
            asked.append(architecture)
            yield Result(architecture, None, "no")

    settings: dict[str, Any] = {"strategy": "random", "budget": 50, "out": tmp_path / "run"}
    with pytest.raises(EvaluationError, match=r"all 10 evaluations failed: no\. Correct that, then go on with"):
        search(SPACE, Scripted(broken), **settings)
    assert len(asked) == 10
    repaired = search(SPACE, Scripted(ToyEvaluator().evaluate), resume=True, **settings)
    assert outcome(repaired)["top"] == outcome(search(SPACE, ToyEvaluator(), strategy="random", budget=50))["top"]
    assert repaired.failed == 0


def test_what_failed_before_a_repair_is_neither_counted_nor_kept(tmp_path: Path) -> None:
    def broken(batch: Sequence[Architecture]) -> list[Result]:
        return [Result(a, None, "no") for a in batch]

    settings: dict[str, Any] = {"strategy": "random", "budget": 8, "out": tmp_path / "run"}
    with pytest.raises(EvaluationError, match="all 8 evaluations failed"):
        search(SPACE, Scripted(broken), **settings)
    events: list[Event] = []
    with pytest.raises(KeyboardInterrupt):
        search(SPACE, Scripted(Stopping(3).evaluate), resume=True, observer=events.append, **settings)
    assert [(event.done, "failed" in event.values) for event in events] == [(i, False) for i in range(1, 4)]
    with History(tmp_path / "run" / "history.db") as history:
        assert [result.score is None for result in history.results(SPACE).values()] == [False] * 3


def test_a_strategy_that_asks_for_nothing_finds_nothing() -> None:
    class Silent(Batches):
        name = "silent"

        def ask(self, n: int) -> list[Architecture]:
            return []

    with pytest.raises(EvaluationError, match=r"^the strategy silent asks for no evaluation, so it finds nothing$"):
        search(SPACE, ToyEvaluator(), strategy=Silent, budget=4)


def test_failures_after_a_success_do_not_end_the_run() -> None:
    def one_works(batch: Sequence[Architecture]) -> list[Result]:
        return [Result(a, 1.0) if i == 0 else Result(a, None, "no") for i, a in enumerate(batch)]

    events: list[Event] = []
    result = search(SPACE, Scripted(one_works), strategy="random", budget=30, observer=events.append)
    assert (result.queries, result.failed) == (30, 29)
    assert events[-1].values["failed"] == 29


def test_an_evaluator_that_raises_is_named_with_the_place_and_what_was_recorded_is_kept(tmp_path: Path) -> None:
    def breaks(batch: Sequence[Architecture]) -> Iterator[Result]:
        yield Result(batch[0], 1.0)
        raise ZeroDivisionError("division by zero")

    with pytest.raises(
        EvaluationError, match=r"the evaluator scripted failed: .* \(.*test_search.py, line \d+, in breaks"
    ):
        search(SPACE, Scripted(breaks), strategy="random", budget=30, out=tmp_path)
    with History(tmp_path / "history.db") as history:
        assert len(history) == 1


def test_scores_that_are_all_equal_are_pointed_out() -> None:
    with pytest.warns(RuntimeWarning, match="all 20 scores are 1: they do not tell architectures apart"):
        search(SPACE, ToyEvaluator(constant=1.0), strategy="random", budget=20)


def test_the_best_that_was_evaluated_is_known_beside_what_is_predicted() -> None:
    result = search(SPACE, ToyEvaluator(), strategy="random", budget=20)
    assert result.best_evaluated == result.best


@pytest.mark.parametrize("name", names("strategies"))
def test_a_budget_above_what_a_table_holds_is_spent_on_all_of_it(tmp_path: Path, name: str) -> None:
    strategy: type[Strategy] = resolve("strategies", name, Strategy)
    table = _table(tmp_path / "table.jsonl", SPACE.enumerate()[::40])
    distinct = len({a.key for a in SPACE.architectures(table.choices)})
    space = toy_space_for(strategy)
    result = search(space, table, strategy=strategy, budget=10_000, options=SHORT.get(name, {}), within_table=True)
    assert result.queries == distinct
    assert result.best.score == table.labels.max()


def test_a_table_with_too_little_within_the_limits_is_refused(tmp_path: Path) -> None:
    table = _table(tmp_path / "table.jsonl", SPACE.enumerate()[::40])
    costs = sorted(a.cost["params"] for a in SPACE.architectures(table.choices))
    with pytest.raises(BudgetError, match=r"ctnas needs at least 8 evaluations, but the table has only \d distinct"):
        search(SPACE, table, strategy="ctnas", limits={"params": costs[1]})
    with pytest.raises(UsageError, match="no architecture of the space toy was found within the limits"):
        search(SPACE, table, limits={"params": costs[0] - 1})


def test_a_table_of_the_whole_space_is_within_the_table(tmp_path: Path) -> None:
    table = _table(tmp_path / "table.jsonl", SPACE.enumerate())
    assert search(SPACE, table, strategy="random", budget=5, within_table=True).queries == 5


def test_a_budget_above_the_size_of_the_space_ends_when_everything_is_evaluated() -> None:
    everything = {a.key for a in SPACE.architectures(SPACE.enumerate())}
    result = search(SPACE, ToyEvaluator(), strategy="random", budget=100_000)
    assert result.queries == len(everything)


def _table(path: Path, rows: Any) -> Table:
    lines = [{"architecture": SPACE.format(row), "y": float(i)} for i, row in enumerate(rows.tolist())]
    path.write_text("\n".join(map(json.dumps, lines)))
    return Table.read(path, SPACE, "y")


def test_an_evaluator_that_forgets_or_repeats_is_named() -> None:
    with pytest.raises(EvaluationError, match="scripted gave no result for 1 of 4 architectures"):
        search(SPACE, Scripted(lambda b: list(ToyEvaluator().evaluate(b[1:]))), strategy=Batches, budget=4)
    with pytest.raises(EvaluationError, match=r"scripted gave a result for .*, which it was not asked for, or twice"):
        search(SPACE, Scripted(lambda b: [Result(b[0], 1.0)] * 4), strategy=Batches, budget=4)


def test_what_an_evaluator_has_started_ends_with_the_loop() -> None:
    ended: list[bool] = []

    def results(batch: Sequence[Architecture]) -> Iterator[Result]:
        try:
            for architecture in batch:
                yield Result(architecture, 1.0)
        finally:
            ended.append(True)

    class Generating(Scripted):
        def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
            return results(architectures)

    def stop(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        search(SPACE, Generating(None), strategy="random", budget=4, observer=stop)
    assert ended == [True]
    del caught


def test_a_function_is_an_evaluator() -> None:
    result = search(SPACE, lambda a: float(sum(a.choices)), strategy="random", budget=20)
    assert result.evaluator == "function"
    assert result.best.score == sum(result.best.architecture.choices)


def test_limits_hold_for_all_that_is_recommended() -> None:
    result = search(SPACE, ToyEvaluator(), strategy="random", budget=20, limits={"params": 20})
    assert all(r.architecture.cost["params"] <= 20 for r in result.top)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        (
            {"space": "dart"},
            UnknownNameError,
            "unknown space 'dart'; choose from: .*darts.*Did you mean 'darts'",
        ),
        ({"space": 5}, UsageError, "the space given is an object of type int; expected a class derived from"),
        ({"strategy": dict}, UsageError, "the strategy given is the class dict; expected a class derived from"),
        ({"budget": 10.5}, UsageError, "is an integer of at least 1, 10.5 was given"),
        ({"seed": "a"}, UsageError, "the seed is an integer of at least 0, 'a' was given"),
        ({"limits": {"params": "many"}}, UsageError, "the limit of 'params' is a number, 'many' was given"),
        ({"limits": {"params": float("nan")}}, UsageError, "the limit of 'params' is a number, nan was given"),
        ({"limits": ["params"]}, UsageError, r"limits maps costs to numbers, e.g. {'params': 4e6}; \['params'\] was"),
        (
            {"limits": {"params": -1}},
            UsageError,
            r"no architecture of the space toy was found within the limits \(params -1\); the least among 1,000 of "
            r"them: params \d+; raise the limits",
        ),
        ({"strategy": "rand"}, UnknownNameError, r"unknown strateg\w+ 'rand'; choose from: .*random"),
        ({"budget": 0}, UsageError, "the budget, a number of evaluations, is an integer of at least 1, 0 was given"),
        ({"seed": -1}, UsageError, "the seed is an integer of at least 0, -1 was given"),
        ({"top": 0}, UsageError, "top, the number of architectures, is an integer of at least 1, 0 was given"),
        ({"limits": {"watts": 1}}, UsageError, "has no cost 'watts' to limit; it computes: params"),
        (
            {"within_table": True},
            UsageError,
            "needs an evaluator with a table; toy can label the whole space",
        ),
        ({"preset": "paper"}, UsageError, "the strategy random has no presets; leave out the preset 'paper'"),
        (
            {"options": {"depth": 1}},
            UsageError,
            "the strategy random has no option 'depth'; it has no options",
        ),
        ({"resume": True}, UsageError, "resume needs out, the directory of the run to go on with"),
        ({"evaluator": 3}, UsageError, "was given as the evaluator; expected an Evaluator"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_said_before_anything_starts(
    tmp_path: Path, settings: dict[str, Any], kind: type[ArchPredictError], message: str
) -> None:
    given = {"space": SPACE, "evaluator": ToyEvaluator(), "strategy": "random", "budget": 5, **settings}
    if "resume" not in settings:
        given["out"] = tmp_path / "run"
    with pytest.raises(kind, match=message):
        search(given.pop("space"), given.pop("evaluator"), **given)
    assert not (tmp_path / "run").exists()


def test_an_option_that_a_strategy_does_not_have_is_answered_with_those_it_has() -> None:
    class Optional(Batches):
        def __init__(
            self, problem: Problem, *, seed: int = 0, observer: Observer = silent, depth: int = 1, width: int = 1
        ) -> None:
            super().__init__(problem, seed=seed, observer=observer)

    with pytest.raises(UsageError, match="has no option 'height'; its options are: depth, width"):
        search(SPACE, ToyEvaluator(), strategy=Optional, budget=5, options={"height": 1})


def test_the_facade_gives_the_function_even_after_the_module_was_imported() -> None:
    import archpredict.runs.search as _  # noqa: F401 - what is tested is that this changes nothing

    assert archpredict.search is search
    assert set(dir(archpredict)) == set(archpredict.__all__)
    for name in archpredict.__all__:
        assert getattr(archpredict, name) is not None
    with pytest.raises(AttributeError, match="module 'archpredict' has no attribute 'serch'"):
        archpredict.serch  # noqa: B018


def test_options_of_an_evaluator_that_is_given_by_name_reach_it() -> None:
    def scores(**options: Any) -> list[float | None]:
        found = search("nasbench201", "zero-cost:params", strategy="random", budget=3, evaluator_options=options)
        return [recommendation.score for recommendation in found.top]

    small = scores(network={"channels": 4, "cells": 1})
    assert small != scores()
    with pytest.raises(UsageError, match="the evaluator zero-cost has no option 'channels'"):
        scores(channels=4)
