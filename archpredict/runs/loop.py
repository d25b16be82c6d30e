"""Loop: a strategy asks, an evaluator labels, the record keeps the results, the strategy is told.

The record alone holds the results of a run. Each is written as it arrives; the strategy is told when its batch is
complete, and a checkpoint is saved. A resumed run loads the checkpoint, asks again (and gets the same batch, because
asking changes nothing), and has only those architectures evaluated that the record lacks. Where its budget has grown, a
strategy made with the larger budget takes over the state of the one before.
"""

from __future__ import annotations

import json
import math
import warnings
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from archpredict.errors import ArchPredictError, EvaluationError, RunDirectoryError, described
from archpredict.evaluators.base import Result
from archpredict.evaluators.objectives.measured import measured
from archpredict.metrics.fronts import on_front
from archpredict.progress import Event, Observer
from archpredict.runs._changes import budget_at
from archpredict.runs.directory import RunDirectory
from archpredict.runs.history import History
from archpredict.runs.plan import Plan
from archpredict.spaces.base import Architecture
from archpredict.strategies.base import Strategy

__all__ = ["LABEL", "Loop"]

LABEL = "label"
"""Stage of the loop's own events: one per evaluation."""

_HOPELESS = 5
_HOPELESS_IN_A_BATCH = 10


class Loop:
    """A run from where its record ends to where its strategy asks for nothing more.

    Args:
        plan: What is run.
        history: The record, with all that is known already.
        directory: Where checkpoints are; None where none are kept.
        observer: Called with progress.

    Raises:
        RunDirectoryError: The record holds what cannot be read.
    """

    def __init__(self, plan: Plan, history: History, directory: RunDirectory | None, observer: Observer) -> None:
        self.plan = plan
        self.history = history
        self.directory = directory
        self.evaluated_now = 0
        self._changes = () if directory is None else directory.changes
        self._observer = observer
        self._tally = history.tally()
        recorded = list(history.results(plan.problem.space).values())
        self._front = np.empty((0, len(plan.problem.objectives)))
        for result in recorded if plan.problem.objectives else ():
            self._extend_front(result)
        for result in plan.known.results if plan.problem.objectives else ():
            self._extend_front(result)
        self.strategy = self._restored(recorded)
        if self.strategy.num_told < plan.num_known:
            self.strategy.know(plan.known.results)

    @property
    def num_asked(self) -> int:
        """Results that the strategy has asked for and been told."""
        return self.strategy.num_told - self.plan.num_known

    def run(self) -> Strategy:
        """The strategy when it has been told all that it asks for.

        Raises:
            EvaluationError: No evaluation works, or the evaluator does not do what it should.
            RunDirectoryError: The record is of another run, or cannot be written.
        """
        while batch := self._ask():
            self.strategy.tell(self._results(batch))
            if self.directory is not None:
                budget = self.strategy.problem.budget - self.plan.num_known
                self.directory.save_checkpoint(self.strategy.state_dict(), self.num_asked, budget)
        if not self.strategy.num_told:
            raise EvaluationError(f"the strategy {self.strategy.name} asks for no evaluation, so it finds nothing")
        self._stop_if(self._tally.all_failed)
        return self.strategy

    # ------------------------------------------------------------------ one batch

    def _ask(self) -> list[Architecture]:
        """What to evaluate next, with the budget that the run has at this place."""
        self._grow(self._budget_at(self.num_asked))
        batch = self.strategy.ask(self.strategy.problem.budget - self.strategy.num_told)
        if batch or self.strategy.problem.budget == self.plan.problem.budget:
            return batch
        self._grow(self._final_budget)  # the strategy had come to its end before its budget did
        return self.strategy.ask(self.strategy.problem.budget - self.strategy.num_told)

    @property
    def _final_budget(self) -> int:
        return self.plan.problem.budget - self.plan.num_known

    def _budget_at(self, num_asked: int) -> int:
        return budget_at(self._changes, self._final_budget, num_asked)

    def _grow(self, budget: int) -> None:
        """Hand over to a strategy with this budget, where it is larger."""
        if budget + self.plan.num_known > self.strategy.problem.budget:
            larger = self.plan.make_strategy(self._observe, budget)
            larger.load_state_dict(self.strategy.state_dict(), self.strategy.results)
            self.strategy = larger

    def _results(self, batch: Sequence[Architecture]) -> list[Result]:
        """The result of each architecture, in order: from the record, or evaluated and recorded now."""
        start = self.num_asked
        known = self._known(batch, start)
        position = {a.choices: i for i, a in enumerate(batch) if i not in known}
        missing = [a for i, a in enumerate(batch) if i not in known]
        for result in self._evaluated(missing) if missing else ():
            i = position.pop(result.architecture.choices, None)
            if i is None:
                raise EvaluationError(
                    f"the evaluator {self.plan.evaluator.name} gave a result for {result.architecture}, "
                    "which it was not asked for, or twice"
                )
            known[i] = self._measured(_checked(result))
            self._record(start + i, known[i])
        if position:
            raise EvaluationError(
                f"the evaluator {self.plan.evaluator.name} gave no result for {len(position)} of "
                f"{len(missing)} architectures; it must yield one for each"
            )
        results = [known[i] for i in range(len(batch))]
        if len(results) >= _HOPELESS and all(r.score is None for r in results):
            raise _all_failed(results, self.directory)
        self._stop_if(self._tally.all_failed and self._tally.count >= _HOPELESS)
        return results

    def _measured(self, result: Result) -> Result:
        problem = self.plan.problem
        return measured(result, problem.objectives, problem.names, self.plan.evaluator.label_names)

    def _known(self, batch: Sequence[Architecture], start: int) -> dict[int, Result]:
        """Recorded results of a batch, by place in it."""
        recorded = self.history.results(self.plan.problem.space, start, start + len(batch))
        known = {number - start: result for number, result in recorded.items()}
        for i, result in known.items():
            if result.architecture.choices != batch[i].choices:
                raise RunDirectoryError(
                    f"evaluation {start + i} of the record is {result.architecture}, the strategy now asks "
                    f"for {batch[i]}; the run was made with other versions of the software (see its "
                    "config.json) or its space has changed: start a new run"
                )
        is_last = self._tally.count == start + len(known)
        if known and is_last and all(r.score is None for r in known.values()):
            self.history.forget(start)  # it stopped because nothing worked, and is resumed in the hope that now it does
            self._tally = self.history.tally()
            return {}
        return known

    def _evaluated(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        """The evaluator's results; whatever ends the loop also ends what the evaluator has started."""
        results: Any = ()
        try:
            results = self.plan.evaluator.evaluate(architectures)
            yield from results
        except ArchPredictError:
            raise
        except Exception as error:
            raise EvaluationError(
                f"the evaluator {self.plan.evaluator.name} failed: {described(error)}. "
                f"Correct it{_then_resume(self.directory)}"
            ) from error
        finally:
            if isinstance(results, Generator):
                results.close()

    def _record(self, number: int, result: Result) -> None:
        self.history.record(number, result)
        self._tally = tally = self._tally.with_result(result)
        self.evaluated_now += 1
        values = {}
        if result.score is not None:
            values["score"] = result.score
        if tally.failed:
            values["failed"] = tally.failed
        if len(self.plan.problem.objectives) > 1:
            self._extend_front(result)
            values["front"] = float(len(self._front))
        elif tally.best > -math.inf:
            values["best"] = tally.best
        self._observer(Event(LABEL, tally.count, self._final_budget, values))
        self._stop_if(tally.all_failed and self.evaluated_now >= _HOPELESS_IN_A_BATCH)

    def _extend_front(self, result: Result) -> None:
        if result.score is not None and self.plan.problem.keeps_limits(result.values):
            points = np.vstack([self._front, self.plan.problem.oriented([result.values])])
            self._front = points[on_front(points)]

    def _stop_if(self, hopeless: bool) -> None:
        if hopeless:
            raise _all_failed(self.history.results(self.plan.problem.space).values(), self.directory)

    # ------------------------------------------------------------------ beginning

    def _restored(self, recorded: Sequence[Result]) -> Strategy:
        """The strategy as the checkpoint left it, or a new one, which is told everything again."""
        first = self._budget_at(0)
        if self.directory is None:
            return self.plan.make_strategy(self._observe, first)
        try:
            checkpoint = self.directory.load_checkpoint()
            if checkpoint is not None:
                if checkpoint.num_told > len(recorded):
                    raise ValueError(f"it was told {checkpoint.num_told} results, the record has {len(recorded)}")
                strategy = self.plan.make_strategy(self._observe, checkpoint.budget or first)
                told = [*self.plan.known.results, *recorded[: checkpoint.num_told]]
                strategy.load_state_dict(checkpoint.state, told)
                self.history.truncate_events(checkpoint.num_events)
                return strategy
        except Exception as error:  # whatever is wrong with it, the record has everything
            warnings.warn(
                f"the checkpoint in {self.directory.path} cannot be used ({type(error).__name__}: {error}); "
                "the strategy learns again from the recorded evaluations",
                RuntimeWarning,
                stacklevel=2,
            )
        self.history.truncate_events(0)
        return self.plan.make_strategy(self._observe, first)

    def _observe(self, event: Event) -> None:
        self.history.add_event(self.strategy.num_told, event)
        self._observer(event)


def _checked(result: Result) -> Result:
    """The result as the record gives it back, so that a resumed run is told exactly the same."""
    metadata = json.loads(json.dumps(dict(result.metadata), default=str))
    score, error = result.score, result.error
    if score is not None and not math.isfinite(score):
        score, error = None, f"the score is {score}; a score is a finite number"
    if score is None:
        error = error or "the evaluator gave no score"
    return replace(
        result,
        score=None if score is None else float(score),
        error=error,
        seconds=float(result.seconds),
        metadata=metadata,
    )


def _all_failed(results: Collection[Result], directory: RunDirectory | None) -> EvaluationError:
    error, count = Counter(r.error for r in results).most_common(1)[0]
    mostly = "" if count == len(results) else f", {count} of them with"
    return EvaluationError(
        f"all {len(results)} evaluations failed{mostly}: {str(error).rstrip('.')}. "
        f"Correct that{_then_resume(directory)}"
    )


def _then_resume(directory: RunDirectory | None) -> str:
    return "" if directory is None else f", then go on with: `search(..., out={str(directory.path)!r}, resume=True)`"
