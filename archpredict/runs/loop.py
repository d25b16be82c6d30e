"""Loop: a strategy asks, an evaluator labels, the record keeps the results, the strategy is told.

The record alone holds the results of a run, each written as it arrives. Where evaluations run one after another, the
strategy is told when its batch is complete, and a checkpoint is saved. A resumed run loads the checkpoint, asks again
(and gets the same batch, because asking changes nothing), and has only those architectures evaluated that the record
lacks.

Where evaluations run side by side, the strategy is asked whenever there is room for one more, and told each result as
it comes. The record has what was asked for after how many results, and in which order results came; so a resumed run
tells all that again, has evaluated what was begun and not finished, and goes on. A checkpoint, which only spares it
some of that, is saved where the strategy has thought for long enough.

Where the budget has grown, a strategy made with the larger budget takes over the state of the one before.
"""

from __future__ import annotations

import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from archpredict.errors import ArchPredictError, EvaluationError, RunDirectoryError, described
from archpredict.evaluators.base import Result
from archpredict.evaluators.objectives.measured import measured
from archpredict.metrics.fronts import on_front
from archpredict.progress import Event, Observer
from archpredict.runs._changes import budget_at
from archpredict.runs._outcomes import all_failed, checked, then_resume
from archpredict.runs.directory import RunDirectory
from archpredict.runs.history import Arrival, Ask, History
from archpredict.runs.plan import Plan
from archpredict.spaces.base import Architecture, Choices
from archpredict.strategies.base import Strategy

__all__ = ["LABEL", "Loop"]

LABEL = "label"
"""Stage of the loop's own events: one per evaluation."""

_HOPELESS = 5
_HOPELESS_IN_A_BATCH = 10
_HOPELESS_IN_A_ROW = 20
_WORTH_A_SAVE = 10.0
"""How many times as long as a checkpoint takes a strategy has thought since the last one, where another is worth it."""


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
        self._thought = self._saving = 0.0
        self._running: dict[Choices, int] = {}  # numbers of what is evaluated side by side
        self._forget_failures_at_the_end()
        self._tally = history.tally()
        recorded = history.arrivals(plan.problem.space)
        self._front = np.empty((0, len(plan.problem.objectives)))
        for arrival in recorded if plan.problem.objectives else ():
            self._extend_front(arrival.result)
        for result in plan.known.results if plan.problem.objectives else ():
            self._extend_front(result)
        self.strategy = self._restored(recorded)
        if self.strategy.num_told < plan.num_known:
            self.strategy.know(plan.known.results)

    @property
    def num_told(self) -> int:
        """Results that the strategy has asked for and been told."""
        return self.strategy.num_told - self.plan.num_known

    def run(self) -> Strategy:
        """The strategy when it has been told all that it asks for.

        Raises:
            EvaluationError: No evaluation works, or the evaluator does not do what it should.
            RunDirectoryError: The record is of another run, or cannot be written.
        """
        self._catch_up()
        if self.plan.side_by_side:
            self._side_by_side()
        else:
            if self.strategy.pending:
                self._side_by_side(asks=False)
            while not self.out_of_time and self._batch():
                pass
        if not self.strategy.num_told:
            raise EvaluationError(f"the strategy {self.strategy.name} asks for no evaluation, so it finds nothing")
        self._stop_if(self._tally.all_failed)
        return self.strategy

    @property
    def out_of_time(self) -> bool:
        """Whether the hours are over, so that nothing more is begun; one evaluation there always is."""
        hours = self.plan.hours
        return hours is not None and self._tally.count > 0 and self.history.seconds >= 3600 * hours

    def _save(self) -> None:
        if self.directory is not None:
            start = time.perf_counter()
            budget = self.strategy.problem.budget - self.plan.num_known
            self.directory.save_checkpoint(self.strategy.state_dict(), self.num_told, budget)
            self._thought, self._saving = 0.0, time.perf_counter() - start

    @contextmanager
    def _thinking(self) -> Iterator[None]:
        """What a strategy does that a resumed run would have to do again."""
        start = time.perf_counter()
        yield
        self._thought += time.perf_counter() - start

    # ------------------------------------------------------------------ side by side

    def _side_by_side(self, asks: bool = True) -> None:
        """Ask whenever there is room, and tell each result as it comes.

        Args:
            asks: Whether more is asked for than what was begun already.
        """
        begun, failed = deque(self.strategy.pending), 0

        def take() -> Architecture | None:
            if self.out_of_time:
                return None
            return begun.popleft() if begun else self._begin_one() if asks else None

        for together in self._evaluated(_Stream(take)):
            kept = [self._measured(checked(result)) for result in together]
            self._record([(self._number(r), r, self.num_told + i) for i, r in enumerate(kept)])
            for result in kept:
                with self._thinking():
                    self.strategy.tell([result])
                failed = failed + 1 if result.score is None else 0
                if failed >= _HOPELESS_IN_A_ROW:
                    raise all_failed(self.strategy.results[-failed:], self.directory)
            if self._thought >= _WORTH_A_SAVE * self._saving:
                self._save()
        if lacking := len(self._running) - len(begun):
            raise self._forgotten(lacking, self.num_told + lacking)
        self._save()

    def _number(self, result: Result) -> int:
        """Which one it is of all that were asked for."""
        number = self._running.pop(result.architecture.choices, None)
        if number is None:
            raise self._unasked(result)
        return number

    def _begin_one(self) -> Architecture | None:
        """What to evaluate beside the rest; None where nothing can be said before another result is there."""
        found = self._new_one()
        if found is None and not self.strategy.pending and self._grow(self._final_budget):
            found = self._new_one()  # the strategy had come to its end before its budget did
        if found is not None:
            ask = Ask(self.strategy.num_asked - self.plan.num_known, found, self.num_told)
            self.history.ask(ask)
            self._begin(ask)
        return found

    def _new_one(self) -> Architecture | None:
        self._grow(self._budget_at(self.num_told))
        with self._thinking():
            found = self.strategy.ask(1) if self.strategy.left > 0 else []
        pending = {a.key for a in self.strategy.pending}
        return next((a for a in found if a.key not in pending), None)

    def _begin(self, ask: Ask) -> None:
        self._running[ask.architecture.choices] = ask.number
        self.strategy.begin([ask.architecture])

    # ------------------------------------------------------------------ what the record has

    def _catch_up(self) -> None:
        """Begin and tell again what the record has beyond the checkpoint; complete a batch of which it has a part."""
        arrivals = self.history.arrivals(self.plan.problem.space)
        asks = deque(ask for ask in self.history.asks(self.plan.problem.space) if self._is_open(ask, arrivals))
        while True:
            self._grow(self._budget_at(self.num_told))
            while asks and asks[0].told <= self.num_told:
                self._begin(asks.popleft())
            if self.num_told >= len(arrivals):
                return
            arrival = arrivals[self.num_told]
            if arrival.in_batch:
                self._batch()
                arrivals = self.history.arrivals(self.plan.problem.space)
                continue
            self._running.pop(arrival.result.architecture.choices, None)
            self.strategy.tell([arrival.result])

    def _is_open(self, ask: Ask, arrivals: Sequence[Arrival]) -> bool:
        """Whether the strategy does not know of it yet."""
        told = {arrival.number for arrival in arrivals[: self.num_told]}
        return ask.number not in told and ask.architecture.choices not in self._running

    def _forget_failures_at_the_end(self) -> None:
        """Where the run stopped because nothing worked, it is resumed in the hope that now it does."""
        arrivals = self.history.arrivals(self.plan.problem.space)
        failed = 0
        for arrival in reversed(arrivals):
            if arrival.in_batch or arrival.result.score is not None:
                break
            failed += 1
        if failed and (failed == len(arrivals) or failed >= _HOPELESS_IN_A_ROW):
            self.history.forget(len(arrivals) - failed)
            if self.directory is not None:
                self.directory.remove_checkpoint()

    # ------------------------------------------------------------------ one batch

    def _batch(self) -> bool:
        """Ask for a batch and tell its results; False where nothing is asked for.

        Of a batch that the time does not suffice for, the strategy is told what is there, for what it recommends; its
        checkpoint is that of before, from which a run that is given more time goes on as if nothing had happened.
        """
        batch = self._ask()
        if batch:
            results = self._results(batch)
            self.strategy.tell(results)
            if len(results) == len(batch):
                self._save()
        return bool(batch)

    def _ask(self) -> list[Architecture]:
        """What to evaluate next, with the budget that the run has at this place."""
        self._grow(self._budget_at(self.num_told))
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

    def _grow(self, budget: int) -> bool:
        """Hand over to a strategy with this budget, where it is larger; returns whether it is."""
        if budget + self.plan.num_known <= self.strategy.problem.budget:
            return False
        larger = self._made(budget)
        larger.begin(self.strategy.pending)
        larger.load_state_dict(self.strategy.state_dict(), self.strategy.results)
        self.strategy = larger
        return True

    def _results(self, batch: Sequence[Architecture]) -> list[Result]:
        """The result of each architecture, in order: from the record, or evaluated and recorded now.

        Fewer where the time does not suffice.
        """
        start = self.num_told
        known = self._known(batch, start)
        position = {a.choices: i for i, a in enumerate(batch) if i not in known}
        missing = [a for i, a in enumerate(batch) if i not in known]
        for result in self._one_by_one(missing) if missing and not self.out_of_time else ():
            i = position.pop(result.architecture.choices, None)
            if i is None:
                raise self._unasked(result)
            known[i] = self._measured(checked(result))
            self._record([(start + i, known[i], None)])
            if position and self.out_of_time:
                break
        if position and not self.out_of_time:
            raise self._forgotten(len(position), len(missing))
        results = [known[i] for i in sorted(known)]
        if len(results) >= _HOPELESS and all(r.score is None for r in results):
            raise all_failed(results, self.directory)
        self._stop_if(self._tally.all_failed and self._tally.count >= _HOPELESS)
        return results

    def _unasked(self, result: Result) -> EvaluationError:
        return EvaluationError(
            f"the evaluator {self.plan.evaluator.name} gave a result for {result.architecture}, which it was not asked "
            "for, or twice"
        )

    def _forgotten(self, count: int, total: int) -> EvaluationError:
        return EvaluationError(
            f"the evaluator {self.plan.evaluator.name} gave no result for {count} of {total} architectures; it must "
            "yield one for each"
        )

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

    def _one_by_one(self, architectures: Any) -> Iterator[Result]:
        for together in self._evaluated(architectures):
            yield from together

    def _evaluated(self, architectures: Any) -> Iterator[list[Result]]:
        """The evaluator's results, those together that are there at once.

        Whatever ends the loop also ends what the evaluator has started.
        """
        results: Any = ()
        try:
            results = self.plan.results(architectures)
            yield from results
        except ArchPredictError:
            raise
        except Exception as error:
            if isinstance(architectures, _Stream) and error is architectures.failure:
                raise  # it is the strategy's
            raise EvaluationError(
                f"the evaluator {self.plan.evaluator.name} failed: {described(error)}. "
                f"Correct it{then_resume(self.directory)}"
            ) from error
        finally:
            if isinstance(results, Generator):
                results.close()

    def _record(self, results: Sequence[tuple[int, Result, int | None]]) -> None:
        """Keep results, each with its number and how many the strategy was told before it; then say so."""
        self.history.record_all(results)
        for _, result, _ in results:
            self._say(result)

    def _say(self, result: Result) -> None:
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
            raise all_failed(self.history.results(self.plan.problem.space).values(), self.directory)

    # ------------------------------------------------------------------ beginning

    def _made(self, budget: int) -> Strategy:
        """A new strategy, which may have its state saved in the middle of a long ``ask``."""
        made = self.plan.make_strategy(self._observe, budget)
        made.save_now = None if self.directory is None else self._save
        return made

    def _restored(self, recorded: Sequence[Arrival]) -> Strategy:
        """The strategy as the checkpoint left it, or a new one, which is told everything again."""
        first = self._budget_at(0)
        if self.directory is None:
            return self._made(first)
        try:
            checkpoint = self.directory.load_checkpoint()
            if checkpoint is not None:
                if checkpoint.num_told > len(recorded):
                    raise ValueError(f"it was told {checkpoint.num_told} results, the record has {len(recorded)}")
                strategy = self._made(checkpoint.budget or first)
                told = recorded[: checkpoint.num_told]
                numbers = {arrival.number for arrival in told}
                for ask in self.history.asks(self.plan.problem.space):
                    if ask.told < checkpoint.num_told and ask.number not in numbers:
                        self._running[ask.architecture.choices] = ask.number
                        strategy.begin([ask.architecture])
                strategy.load_state_dict(checkpoint.state, [*self.plan.known.results, *(a.result for a in told)])
                self.history.truncate_events(checkpoint.num_events)
                return strategy
        except Exception as error:  # whatever is wrong with it, the record has everything
            warnings.warn(
                f"the checkpoint in {self.directory.path} cannot be used ({type(error).__name__}: {error}); "
                "the strategy learns again from the recorded evaluations",
                RuntimeWarning,
                stacklevel=2,
            )
        self._running.clear()
        self.history.truncate_events(0)
        return self._made(first)

    def _observe(self, event: Event) -> None:
        self.history.add_event(self.strategy.num_told, event)
        self._observer(event)


class _Stream(Iterator[Architecture]):
    """What to evaluate next, as long as there is something; where there is nothing now, there may be later.

    Args:
        take: Gives it, or None.

    Attributes:
        failure: What was raised by that.
    """

    def __init__(self, take: Callable[[], Architecture | None]) -> None:
        self._take = take
        self.failure: Exception | None = None

    def __next__(self) -> Architecture:
        try:
            found = self._take()
        except Exception as error:
            self.failure = error
            raise
        if found is None:
            raise StopIteration
        return found
