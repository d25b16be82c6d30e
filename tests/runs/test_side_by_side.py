"""Evaluations side by side: told as they come, and exact after whatever interrupts them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archpredict.errors import EvaluationError, RunDirectoryError
from archpredict.evaluators.base import Evaluator, Result
from archpredict.evaluators.function import FunctionEvaluator
from archpredict.executors.base import Done, Executor
from archpredict.runs import history
from archpredict.runs.history import History
from archpredict.runs.search import SearchResult, search
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Strategy
from archpredict.strategies.random import RandomSearch
from archpredict.testing.simulated import SimulatedWorkers
from archpredict.testing.toys import ToyEvaluator, ToySpace

SPACE = ToySpace()
QUICK = {"predictor-guided": {"predictor": "bayesian-ridge", "rounds": 2}}


def seconds(architecture: Architecture) -> float:
    return float(np.random.default_rng(architecture.choices).lognormal())


class Interrupted(SimulatedWorkers):
    """Workers whose program ends after so many results."""

    def __init__(self, after: int, workers: int = 4, **more: Any) -> None:
        super().__init__(ToyEvaluator(), workers, seconds, **more)
        self.after = after
        self.given: list[Architecture] = []

    def evaluate(self, architectures: Sequence[Architecture] | Iterator[Architecture]) -> Iterator[Result]:
        for result in super().evaluate(architectures):
            if len(self.given) == self.after:
                raise KeyboardInterrupt
            self.given.append(result.architecture)
            yield result


def workers(number: int = 4) -> SimulatedWorkers:
    return SimulatedWorkers(ToyEvaluator(), number, seconds)


def found(result: SearchResult) -> Any:
    return [(str(r.architecture), r.score, r.evaluated) for r in result.top]


def run(evaluator: Evaluator | Callable[..., Any], out: Path, name: str = "evolution", **more: Any) -> SearchResult:
    given = {"budget": 20, "seed": 3, "options": QUICK.get(name, {}), **more}
    return search(SPACE, evaluator, strategy=name, out=out, **given)


def interrupted(
    out: Path, after: int, name: str = "evolution", resume: bool = False, **more: Any
) -> list[Architecture]:
    evaluator = Interrupted(after, **more)
    with pytest.raises(KeyboardInterrupt):
        run(evaluator, out, name, resume=resume)
    return evaluator.given


def told(out: Path) -> list[Architecture]:
    with History(out / "history.db") as history:
        return [arrival.result.architecture for arrival in history.arrivals(SPACE)]


def test_workers_are_never_idle_and_the_strategy_is_told_as_results_come(tmp_path: Path) -> None:
    evaluator, asked = workers(), []
    result = run(evaluator, tmp_path / "run", "random", observer=lambda event: asked.append(event.done))
    assert evaluator.busy == 1.0
    assert result.queries == 20
    assert asked == list(range(1, 21))
    with History(tmp_path / "run" / "history.db") as history:
        asks, arrivals = history.asks(SPACE), history.arrivals(SPACE)
    assert [ask.told for ask in asks] == [0] * 4 + list(range(1, 17)), "one is asked for as soon as one is told"
    assert sorted(a.number for a in arrivals) == [ask.number for ask in asks] == list(range(20))
    assert [a.number for a in arrivals] != list(range(20)), "results came in the order asked, which shows nothing"


@pytest.mark.parametrize("name", ["evolution", "local-search", "reinforce", "predictor-guided"])
def test_a_run_is_a_function_of_what_the_record_says_came_when(tmp_path: Path, name: str) -> None:
    first = run(workers(), tmp_path / "run", name)
    (tmp_path / "run" / "checkpoint.safetensors").unlink()
    assert found(run(workers(), tmp_path / "run", name, resume=True)) == found(first)


class InPairs(Executor):
    """Somewhere where results come two at a time."""

    name = "in-pairs"

    def each(self, function: Any, items: Any) -> Iterator[Done[Any, Any]]:
        waiting, running = iter(items), list[Any]()
        while True:
            running += [item for item in (next(waiting, None) for _ in range(4 - len(running))) if item is not None]
            if not running:
                return
            ended, running = running[:2], running[2:]
            for item in ended:
                yield Done(item, function(item), is_followed=item is not ended[-1])


def test_results_that_are_there_at_once_are_recorded_before_the_first_of_them_is_told(tmp_path: Path) -> None:
    recorded: list[int] = []

    class Looking(RandomSearch):
        name = "looking"

        def tell(self, results: Sequence[Result]) -> None:
            recorded.append(len(told(tmp_path / "run")))
            super().tell(results)

    given = {"budget": 12, "out": tmp_path / "run"}
    result = search(SPACE, ToyEvaluator(), strategy=Looking, executor=InPairs(), **given)
    assert recorded == [2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12]
    with History(tmp_path / "run" / "history.db") as kept:
        assert [ask.told for ask in kept.asks(SPACE)] == [0] * 4 + [2, 2, 4, 4, 6, 6, 8, 8]
    (tmp_path / "run" / "checkpoint.safetensors").unlink()
    assert found(search(SPACE, ToyEvaluator(), strategy=Looking, executor=InPairs(), resume=True, **given)) == found(
        result
    )


def test_a_full_disk_ends_a_run_in_one_sentence_and_nothing_told_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, seen = history._connect, list[int]()

    def small(path: str) -> sqlite3.Connection:
        db = connect(path)
        db.execute("PRAGMA max_page_count = 8")  # what SQLite says then is what it says of a full disk
        return db

    monkeypatch.setattr(history, "_connect", small)
    with pytest.raises(RunDirectoryError, match=r"^the disk that holds .* is full"):
        run(workers(), tmp_path / "run", budget=90, observer=lambda event: seen.append(event.done))
    monkeypatch.undo()
    before = told(tmp_path / "run")
    assert len(seen) <= len(before) < 90
    assert before
    result = run(workers(), tmp_path / "run", budget=90, resume=True)
    assert told(tmp_path / "run")[: len(before)] == before
    assert (result.queries, len(set(told(tmp_path / "run")))) == (90, 90)


@pytest.mark.parametrize("after", [0, 1, 7, 13, 19])
@pytest.mark.parametrize("name", ["evolution", "local-search"])
def test_a_run_that_was_killed_goes_on_exactly_with_its_checkpoint_or_from_its_record(
    tmp_path: Path, name: str, after: int
) -> None:
    given = interrupted(tmp_path / "run", after, name)
    assert told(tmp_path / "run") == given
    with History(tmp_path / "run" / "history.db") as history:
        begun = [ask.architecture for ask in history.asks(SPACE)]
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    (tmp_path / "copy" / "checkpoint.safetensors").unlink(missing_ok=True)
    evaluator = Interrupted(100)
    results = [run(evaluator, tmp_path / "run", name, resume=True)]
    results += [run(workers(), tmp_path / "copy", name, resume=True)]
    assert found(results[0]) == found(results[1])
    assert told(tmp_path / "run") == told(tmp_path / "copy") == given + evaluator.given
    assert len({a.key for a in told(tmp_path / "run")}) == 20
    assert begun == begun_again(tmp_path / "run")[: len(begun)], "what was begun is evaluated"


def begun_again(out: Path) -> list[Architecture]:
    with History(out / "history.db") as history:
        return [ask.architecture for ask in history.asks(SPACE)]


def test_the_number_of_workers_may_change_whenever_a_run_is_resumed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    given = interrupted(out, 6, "predictor-guided", workers=1)  # in the middle of the first batch
    given += interrupted(out, 5, "predictor-guided", resume=True)
    given += interrupted(out, 2, "predictor-guided", resume=True, workers=2)
    given += interrupted(out, 4, "predictor-guided", resume=True, workers=1)
    last = Interrupted(100, workers=3)
    result = run(last, out, "predictor-guided", resume=True)
    assert result.queries == 20
    assert sorted(a.choices for a in told(out)) == sorted(a.choices for a in given + last.given)
    assert len({a.key for a in told(out)}) == 20
    (out / "checkpoint.safetensors").unlink()
    assert found(run(workers(), out, "predictor-guided", resume=True)) == found(result)


def test_a_run_goes_on_with_more_budget_while_results_are_pending(tmp_path: Path) -> None:
    out = tmp_path / "run"
    interrupted(out, 9, "predictor-guided")
    result = run(workers(), out, "predictor-guided", resume=True, budget=30)
    assert result.queries == 30
    assert len({a.key for a in told(out)}) == 30
    (out / "checkpoint.safetensors").unlink()
    assert found(run(workers(), out, "predictor-guided", resume=True, budget=30)) == found(result)


def test_no_two_equal_architectures_are_evaluated_at_a_time_whatever_a_strategy_asks_for(tmp_path: Path) -> None:
    class Stubborn(Strategy):
        """Knows nothing of what is pending."""

        name = "stubborn"

        def ask(self, n: int) -> list[Architecture]:
            told_keys = {r.architecture.key for r in self.results}
            return self.problem.sample(min(n, self.left), np.random.default_rng(self.num_told), sorted(told_keys))

    evaluator = workers()
    result = search(SPACE, evaluator, strategy=Stubborn, budget=10)
    assert result.queries == 10
    assert len(evaluator.spans) == 10


def test_a_run_in_which_nothing_works_ends_and_forgets_that_when_it_is_resumed(tmp_path: Path) -> None:
    out, broken = tmp_path / "run", frozenset(a.key for a in SPACE.architectures(SPACE.enumerate()))
    failing = SimulatedWorkers(ToyEvaluator(failing=broken), 4, seconds)
    failing.describe = ToyEvaluator().describe  # type: ignore[method-assign]
    interrupted(out, 6)
    with pytest.raises(EvaluationError, match=r"all 20 evaluations failed: this one fails. Correct that, then go on"):
        run(failing, out, resume=True, budget=60)
    result = run(workers(), out, resume=True, budget=60)
    assert (result.queries, result.failed) == (60, 0)


def test_the_first_ten_failures_end_a_run(tmp_path: Path) -> None:
    def fails(_: Architecture) -> float:
        raise ValueError("the disk with the images is gone")

    with pytest.raises(EvaluationError, match=r"all 10 evaluations failed: .*the disk with the images is gone"):
        run(FunctionEvaluator(fails, jobs=3), tmp_path / "run")


def test_a_result_for_something_that_was_never_asked_for_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    class Confused(SimulatedWorkers):
        def evaluate(self, architectures: Sequence[Architecture] | Iterator[Architecture]) -> Iterator[Result]:
            for i, result in enumerate(super().evaluate(architectures)):
                yield result
                if i == 4:
                    yield result

    out = tmp_path / "run"
    with pytest.raises(EvaluationError, match=r"gave a result for .*, which it was not asked for, or twice"):
        run(Confused(ToyEvaluator(), 4, seconds), out)
    assert len(told(out)) == 5
    assert run(workers(), out, resume=True).queries == 20


def test_an_evaluator_that_gives_no_result_for_what_it_took_is_named(tmp_path: Path) -> None:
    class Forgetful(SimulatedWorkers):
        def evaluate(self, architectures: Sequence[Architecture] | Iterator[Architecture]) -> Iterator[Result]:
            yield from [result for result, _ in zip(super().evaluate(architectures), range(3), strict=False)][:2]

    with pytest.raises(EvaluationError, match=r"gave no result for \d of \d architectures"):
        run(Forgetful(ToyEvaluator(), 4, seconds), tmp_path / "run")


def test_threads_are_told_apart_by_what_they_evaluate(tmp_path: Path) -> None:
    result = run(FunctionEvaluator(lambda a: float(sum(a.choices)), jobs=3), tmp_path / "run", "random")
    assert result.queries == 20
    assert all(r.score == sum(r.architecture.choices) for r in result.top)


@pytest.mark.parametrize("version", [1, 2])
def test_a_history_of_before_runs_were_side_by_side_is_gone_on_with(tmp_path: Path, version: int) -> None:
    path = tmp_path / "history.db"
    with History(path) as history:
        for number, choices in enumerate(([1, 0, 2, 0, 1, 2], [2, 2, 2, 0, 0, 0])):
            history.record(number, Result(SPACE.architecture(choices), float(number)))
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE evaluations DROP COLUMN told")
        db.execute("DROP TABLE asks")
        if version == 1:
            db.execute('ALTER TABLE evaluations DROP COLUMN "values"')
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    with History(path) as history:
        assert [(a.number, a.result.score, a.in_batch) for a in history.arrivals(SPACE)] == [
            (0, 0.0, True),
            (1, 1.0, True),
        ]
        assert history.asks(SPACE) == []
