"""search(): the one loop that joins a space, an evaluator and a strategy, and keeps a durable record.

The loop asks the strategy for architectures, has them evaluated, records each result as it arrives, tells
the strategy when the batch is complete, and saves a checkpoint. A resumed run loads the checkpoint, asks
again (and gets the same batch, because asking changes nothing), and evaluates only what the record lacks.
"""

from __future__ import annotations

import json
import math
import os
import warnings
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archpredict.errors import ArchPredictError, EvaluationError, RunDirectoryError, UsageError, described, whole_number
from archpredict.evaluators.base import Result
from archpredict.progress import Event, Observer, silent
from archpredict.runs.directory import RunDirectory
from archpredict.runs.history import History
from archpredict.runs.plan import Labeller, Plan, plan
from archpredict.spaces.base import Architecture, SearchSpace
from archpredict.strategies.base import Recommendation, Strategy

__all__ = ["LABEL", "SearchResult", "run", "search"]

LABEL = "label"
"""Stage of the loop's own events: one per evaluation."""

_HOPELESS = 5
_HOPELESS_IN_A_BATCH = 10
_SUSPICIOUS = 8
"""From so many labels on, a user is told that all are equal."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Args:
        space: Name of the space.
        strategy: Name of the strategy.
        evaluator: Name of the evaluator.
        seed: The seed.
        queries: Number of evaluations, failed ones included.
        top: The recommendations, best first.
        run_dir: Where the record is; None where none was kept.
        seconds: Time worked on the run, over all its sessions.
        failed: Number of evaluations that gave no score.
        best_evaluated: The best of what was evaluated, which may not be in ``top``.
    """

    space: str
    strategy: str
    evaluator: str
    seed: int
    queries: int
    top: Sequence[Recommendation]
    run_dir: Path | None
    seconds: float
    failed: int = 0
    best_evaluated: Recommendation | None = None

    @property
    def best(self) -> Recommendation:
        return self.top[0]

    def to_dict(self) -> dict[str, Any]:
        """JSON values, as in ``best.json``."""
        return {
            "space": self.space,
            "strategy": self.strategy,
            "evaluator": self.evaluator,
            "seed": self.seed,
            "queries": self.queries,
            "best": _as_json(self.best),
            "top": [_as_json(r) for r in self.top],
            "run_dir": None if self.run_dir is None else str(self.run_dir),
            "seconds": round(self.seconds, 3),
        }


def search(
    space: str | type[SearchSpace] | SearchSpace,
    evaluator: Labeller,
    *,
    strategy: str | type[Strategy] = "ctnas",
    budget: int | None = None,
    seed: int = 0,
    limits: Mapping[str, float] | None = None,
    within_table: bool = False,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    device: str = "auto",
    preset: str | None = None,
    jobs: int = 1,
    top: int = 10,
    observer: Observer = silent,
    options: Mapping[str, Any] | None = None,
    evaluator_options: Mapping[str, Any] | None = None,
) -> SearchResult:
    """Search a space for its best architectures.

    Args:
        space: A name, a ``module:Class`` reference, a class or an instance.
        evaluator: What labels architectures: an Evaluator or the name of one, a Table, or a callable that takes an
            Architecture and returns a score, higher is better.
        strategy: A name or a class.
        budget: Number of evaluations in all, failed ones included; None: the strategy's default.
        seed: Source of all randomness.
        limits: Largest allowed value per cost that the space computes, e.g. ``{"params": 4e6}``.
        within_table: Recommend only what the evaluator's table holds.
        out: Directory for the record of the run; None: keep no record.
        resume: Go on with the run in ``out``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``, for strategies that train a model.
        preset: A named configuration of the strategy.
        jobs: Evaluations at the same time, where ``evaluator`` is a callable.
        top: How many recommendations to return.
        observer: Called with every :class:`~archpredict.strategies.base.Event`.
        options: Further keyword arguments of the strategy.
        evaluator_options: Options of an evaluator that is given by name.

    Raises:
        UsageError: Something given does not exist or does not fit together; nothing was evaluated.
        EvaluationError: No evaluation works.
        RunDirectoryError: ``out`` is in use, corrupt, not writable or full; what was evaluated is kept.

    Example:
        >>> from archpredict.testing.toys import ToyEvaluator, ToySpace
        >>> result = search(ToySpace, ToyEvaluator(), strategy="random", budget=20)
        >>> result.queries, result.best.evaluated
        (20, True)
    """
    ready = plan(
        space,
        evaluator,
        strategy=strategy,
        budget=budget,
        seed=seed,
        limits=limits,
        within_table=within_table,
        device=device,
        preset=preset,
        jobs=jobs,
        options=options,
        evaluator_options=evaluator_options,
    )
    return run(ready, out=out, resume=resume, top=top, observer=observer)


def run(
    plan: Plan,
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    top: int = 10,
    observer: Observer = silent,
    invocation: Mapping[str, Any] | None = None,
) -> SearchResult:
    """Run a plan; arguments and errors as for :func:`search`.

    Args:
        plan: From :func:`plan`.
        out: Directory for the record.
        resume: Go on with the run in ``out``.
        top: How many recommendations to return.
        observer: Called with progress.
        invocation: Kept in ``config.json``: how a command line makes the plan again.
    """
    top = whole_number("top, the number of architectures,", top, 1)
    if out is None:
        if resume:
            raise UsageError("resume needs out, the directory of the run to go on with")
        with History() as history:
            return _Run(plan, history, None, observer).go(top)
    with RunDirectory(out, plan.settings, resume=resume, invocation=invocation) as directory:
        return _Run(plan, directory.history, directory, observer).go(top)


class _Run:
    """The loop and its record."""

    def __init__(self, plan: Plan, history: History, directory: RunDirectory | None, observer: Observer) -> None:
        self.plan = plan
        self.history = history
        self.directory = directory
        self.observer = observer
        self.recorded = history.results(plan.problem.space)
        self.evaluated_now = 0
        self.failed = sum(r.score is None for r in self.recorded.values())
        self.best = max((r.score for r in self.recorded.values() if r.score is not None), default=-math.inf)
        self.strategy = self._restored()

    def go(self, top: int) -> SearchResult:
        budget = self.plan.problem.budget
        while batch := self.strategy.ask(budget - self.strategy.num_told):
            self.strategy.tell(self._results(batch))
            if self.directory is not None:
                self.directory.save_checkpoint(self.strategy.state_dict(), self.strategy.num_told)
        return self._finish(top)

    # ------------------------------------------------------------------ one batch

    def _results(self, batch: Sequence[Architecture]) -> list[Result]:
        """The result of each architecture, in order: from the record, or evaluated and recorded now."""
        start = self.strategy.num_told
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
            known[i] = _checked(result)
            self._record(start + i, known[i])
        if position:
            raise EvaluationError(
                f"the evaluator {self.plan.evaluator.name} gave no result for {len(position)} of "
                f"{len(missing)} architectures; it must yield one for each"
            )
        results = [known[i] for i in range(len(batch))]
        self._stop_if_hopeless(results)
        return results

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

    def _known(self, batch: Sequence[Architecture], start: int) -> dict[int, Result]:
        known = {i: self.recorded[start + i] for i in range(len(batch)) if start + i in self.recorded}
        for i, result in known.items():
            if result.architecture.choices != batch[i].choices:
                raise RunDirectoryError(
                    f"evaluation {start + i} of the record is {result.architecture}, the strategy now asks "
                    f"for {batch[i]}; the run was made with other versions of the software (see its "
                    "config.json) or its space has changed: start a new run"
                )
        is_last = not any(number >= start + len(batch) for number in self.recorded)
        if is_last and all(r.score is None for r in known.values()):
            return {}  # it stopped because nothing worked, and is resumed in the hope that now it does
        return known

    def _record(self, number: int, result: Result) -> None:
        self.history.record(number, result)
        before = self.recorded.get(number)
        self.recorded[number] = result
        self.evaluated_now += 1
        self.failed += (result.score is None) - (before is not None and before.score is None)
        values = {}
        if result.score is not None:
            self.best = max(self.best, result.score)
            values["score"] = result.score
        if self.failed:
            values["failed"] = self.failed
        if self.best > -math.inf:
            values["best"] = self.best
        self.observer(Event(LABEL, len(self.recorded), self.plan.problem.budget, values))
        if self.failed == len(self.recorded) and self.evaluated_now >= _HOPELESS_IN_A_BATCH:
            raise _all_failed(list(self.recorded.values()), self.directory)

    def _stop_if_hopeless(self, batch: Sequence[Result]) -> None:
        everything = [*self.strategy.results, *batch]
        for results in (batch, everything):
            if len(results) >= _HOPELESS and all(r.score is None for r in results):
                raise _all_failed(results, self.directory)

    # ------------------------------------------------------------------ beginning and end

    def _restored(self) -> Strategy:
        """The strategy as the checkpoint left it, or a new one, which is told everything again."""
        strategy = self.plan.make_strategy(self._observe)
        if self.directory is None:
            return strategy
        try:
            checkpoint = self.directory.load_checkpoint()
            if checkpoint is not None:
                strategy.load_state_dict(checkpoint.state, [self.recorded[i] for i in range(checkpoint.num_told)])
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
        return self.plan.make_strategy(self._observe)

    def _observe(self, event: Event) -> None:
        self.history.add_event(self.strategy.num_told, event)
        self.observer(event)

    def _finish(self, top: int) -> SearchResult:
        results = self.strategy.results
        if not any(r.score is not None for r in results):
            raise _all_failed(results, self.directory)
        _warn_if_equal([r.score for r in results if r.score is not None])
        recommended = self.strategy.recommend(top)
        if not recommended:
            raise EvaluationError(
                "the strategy recommends nothing: no architecture it knows keeps what was asked; loosen the limits"
            )
        result = SearchResult(
            space=self.plan.problem.space.name,
            strategy=self.strategy.name,
            evaluator=self.plan.evaluator.name,
            seed=self.plan.seed,
            queries=len(results),
            top=tuple(recommended),
            run_dir=None if self.directory is None else self.directory.path,
            seconds=self.history.seconds,
            failed=sum(r.score is None for r in results),
            best_evaluated=self.strategy.best_evaluated(1)[0],
        )
        return result if self.directory is None else self._keep(result, self.directory)

    def _keep(self, result: SearchResult, directory: RunDirectory) -> SearchResult:
        """Write the report and best.json, unless the run had been finished before."""
        finished = directory.finished_seconds
        if finished is not None and not self.evaluated_now:
            return replace(result, seconds=finished)
        self.history.flush()
        try:
            from archpredict.runs.report import write_report

            write_report(self.history, directory.report)
        except Exception as error:  # a picture is not worth a run
            warnings.warn(f"the report in {directory.report} could not be drawn: {error}", RuntimeWarning, stacklevel=2)
        result = replace(result, seconds=self.history.seconds)
        directory.save_best(result.to_dict())
        return result


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


def _warn_if_equal(scores: Sequence[float]) -> None:
    if len(scores) >= _SUSPICIOUS and len(set(scores)) == 1:
        warnings.warn(
            f"all {len(scores)} scores are {scores[0]:g}: they do not tell architectures apart, so the recommendation "
            "is arbitrary; check the evaluator",
            RuntimeWarning,
            stacklevel=2,
        )


def _all_failed(results: Sequence[Result], directory: RunDirectory | None) -> EvaluationError:
    error, count = Counter(r.error for r in results).most_common(1)[0]
    mostly = "" if count == len(results) else f", {count} of them with"
    return EvaluationError(
        f"all {len(results)} evaluations failed{mostly}: {str(error).rstrip('.')}. "
        f"Correct that{_then_resume(directory)}"
    )


def _then_resume(directory: RunDirectory | None) -> str:
    return "" if directory is None else f", then go on with: `search(..., out={str(directory.path)!r}, resume=True)`"


def _as_json(recommendation: Recommendation) -> dict[str, Any]:
    return {
        "architecture": str(recommendation.architecture),
        "score": recommendation.score,
        "evaluated": recommendation.evaluated,
        "costs": {name: float(value) for name, value in recommendation.architecture.cost.items()},
    }
