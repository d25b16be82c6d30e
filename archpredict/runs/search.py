"""search(): a space, an evaluator and a strategy joined in one run, and what it found."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archpredict.errors import EvaluationError, UsageError, whole_number
from archpredict.evaluators.base import Result
from archpredict.evaluators.objectives.objective import Objective
from archpredict.executors.base import Executor
from archpredict.metrics.fronts import knee
from archpredict.progress import Observer, silent
from archpredict.runs.directory import RunDirectory, read_config
from archpredict.runs.history import History
from archpredict.runs.known import Source
from archpredict.runs.live import LivePage
from archpredict.runs.loop import Loop
from archpredict.runs.plan import Labeller, Plan, plan
from archpredict.runs.volume import Volume, volume
from archpredict.spaces.base import SearchSpace
from archpredict.strategies.base import Problem, Recommendation, Strategy

__all__ = ["SearchResult", "run", "search"]

_SUSPICIOUS = 8
"""From so many labels on, a user is told that all are equal."""


@dataclass(frozen=True)
class SearchResult:
    """The result of a search: what it recommends, best first, and what that took.

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
        believed: How far the best score can be believed, in a sentence; None where it is what it is.
        objectives: The objectives, where there are several; then ``top`` is of the front, in the order of the first.
        front: All that was evaluated, keeps the limits, and is beaten in all objectives by nothing.
        knee: The member of the front that gives up least of each objective (:func:`archpredict.metrics.fronts.knee`).
        volume: The hypervolume that the front dominates, over evaluations.
        out_of_time: Whether it ended because its hours were over.
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
    believed: str | None = None
    objectives: Sequence[Objective] = ()
    front: Sequence[Recommendation] = ()
    knee: Recommendation | None = None
    volume: Volume | None = None
    out_of_time: bool = False

    @property
    def best(self) -> Recommendation:
        """The first of ``top``; of several objectives the knee of the front."""
        return self.top[0] if self.knee is None else self.knee

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
            **({} if self.believed is None else {"believed": self.believed}),
            **self._front_as_json(),
        }

    def _front_as_json(self) -> dict[str, Any]:
        if self.volume is None:
            return {}
        return {
            "objectives": [str(objective) for objective in self.objectives],
            "front": [_as_json(r) for r in self.front],
            "knee": None if self.knee is None else _as_json(self.knee),
            "hypervolume": self.volume.to_dict(),
        }


def search(
    space: str | type[SearchSpace] | SearchSpace,
    evaluator: Labeller,
    *,
    strategy: str | type[Strategy] = "ctnas",
    budget: int | None = None,
    hours: float | None = None,
    seed: int = 0,
    limits: Mapping[str, float] | None = None,
    objectives: Sequence[str | Objective] = (),
    start_from: Source | Sequence[Source] = (),
    within_table: bool = False,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    device: str = "auto",
    preset: str | None = None,
    jobs: int = 1,
    executor: str | Executor = "local",
    executor_options: Mapping[str, Any] | None = None,
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
        budget: Number of evaluations in all, failed ones included; None: the strategy's default, or that of the run
            that is resumed, which goes on with more where more is given.
        hours: Budget in time beside that in evaluations: after so many hours of work, those of all sessions of a run
            that is resumed, nothing more is begun, and what runs side by side is waited for. None: that of the run that
            is resumed, if any; ``math.inf``: none.
        seed: Source of all randomness.
        limits: Largest allowed value per cost that the space computes, e.g. ``{"params": 4e6}``, or per number that an
            evaluation tells; of an objective that is maximised the smallest.
        objectives: What is to be good, where it is not the one score: names of costs of the space, columns of the
            table, entries of what the function returns, each with its direction: ``["accuracy", "latency:min"]``.
        start_from: Directories of earlier runs, and tables, of the same space: their labels are known from the start
            and cost no budget, failed evaluations included. The labels of a table are in the column that the evaluator
            calls its label, of the first objective, or ``score``.
        within_table: Recommend only what the evaluator's table holds.
        out: Directory for the record of the run; None: keep no record.
        resume: Go on with the run in ``out``, finished or not. Its budget may grow; hours, jobs, executor, top, and how
            long and how often an evaluation is tried may change; what decides labels or the strategy may not.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``, for strategies that train a model.
        preset: A named configuration of the strategy.
        jobs: Evaluations at the same time, where ``evaluator`` is a callable or a name.
        executor: Where evaluations run: ``local``, by the evaluator itself; ``ray``, on the machines of a cluster, as
            many at the same time as there is room for (:class:`archpredict.executors.ray.Ray`); or an Executor.
        executor_options: Options of an executor that is given by name.
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
    if resume and out is not None and (budget is None or hours is None):
        kept = read_config(Path(out))["settings"]
        budget = kept.get("budget") if budget is None else budget
        hours = kept.get("hours") if hours is None else hours
    ready = plan(
        space,
        evaluator,
        strategy=strategy,
        budget=budget,
        hours=hours,
        seed=seed,
        limits=limits,
        objectives=objectives,
        start_from=start_from,
        within_table=within_table,
        device=device,
        preset=preset,
        jobs=jobs,
        executor=executor,
        executor_options=executor_options,
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
    again: Mapping[str, str] | None = None,
) -> SearchResult:
    """Run a plan; arguments and errors as for :func:`search`.

    Args:
        plan: From :func:`plan`.
        out: Directory for the record.
        resume: Go on with the run in ``out``.
        top: How many recommendations to return.
        observer: Called with progress.
        invocation: Kept in ``config.json``: how a command line makes the plan again.
        again: Texts that repeat and go on with the run, by what they do, for the page of the run.
    """
    top = whole_number("top, the number of architectures,", top, 1)
    if out is None:
        if resume:
            raise UsageError("resume needs out, the directory of the run to go on with")
        with History() as history:
            return _result(Loop(plan, history, None, observer), top)
    others = None if resume else plan.make_strategy().other_labels
    with RunDirectory(out, plan.settings, resume=resume, invocation=invocation, other_labels=others) as directory:
        page = LivePage(directory.path, directory.report, plan.problem.space, observer, again)
        loop = Loop(plan, directory.history, directory, page)
        result = _result(loop, top)
        if loop.evaluated_now or not page.is_written:
            page.write()
        return result


def _result(loop: Loop, top: int) -> SearchResult:
    """The result of the loop, as it is kept in the directory of the run."""
    strategy = loop.run()
    problem = loop.plan.problem
    _warn_if_equal(problem, [r for r in strategy.results if r.score is not None])
    recommended = strategy.recommend(top)
    if not recommended:
        raise _nothing_kept(problem, strategy.results, is_recorded=loop.directory is not None)
    several = len(problem.objectives) > 1
    front = strategy.front() if several else []
    result = SearchResult(
        space=loop.plan.problem.space.name,
        strategy=strategy.name,
        evaluator=loop.plan.evaluator.name,
        seed=loop.plan.seed,
        queries=loop.num_told,
        top=tuple(recommended),
        run_dir=None if loop.directory is None else loop.directory.path,
        seconds=loop.history.seconds,
        failed=sum(r.score is None for r in strategy.results[loop.plan.num_known :]),
        best_evaluated=strategy.best_evaluated(1)[0],
        believed=None if recommended[0].score is None else loop.plan.evaluator.believed(recommended[0].score),
        objectives=problem.objectives if several else (),
        front=tuple(front),
        knee=front[knee(problem.oriented([r.values for r in front]))] if front else None,
        volume=volume(problem, strategy.results) if several else None,
        out_of_time=loop.out_of_time and loop.num_told < problem.budget - loop.plan.num_known,
    )
    if loop.directory is None:
        return result
    return _kept(result, loop.plan, loop.directory, is_news=loop.evaluated_now > 0)


def _kept(result: SearchResult, plan: Plan, directory: RunDirectory, *, is_news: bool) -> SearchResult:
    """The result, with report and best.json written unless the run had been finished before."""
    finished = directory.finished_seconds(result.queries)
    if finished is not None and not is_news:
        return replace(result, seconds=finished)
    directory.history.flush()
    try:
        from archpredict.runs.report import write_report

        write_report(directory.history, directory.report, plan.problem)
    except Exception as error:  # a picture is not worth a run
        warnings.warn(f"the report in {directory.report} could not be drawn: {error}", RuntimeWarning, stacklevel=2)
    result = replace(result, seconds=directory.history.seconds)
    directory.save_best(result.to_dict())
    return result


def _warn_if_equal(problem: Problem, results: Sequence[Result]) -> None:
    if len(results) < _SUSPICIOUS:
        return
    names = [o.name for o in problem.objectives]
    numbers = {f"values of the objective {n!r}": {r.values[n] for r in results} for n in names if len(names) > 1}
    for what, found in (numbers or {"scores": {r.score for r in results if r.score is not None}}).items():
        if len(found) == 1:
            rest = "is not weighed" if numbers else "is arbitrary"
            warnings.warn(
                f"all {len(results)} {what} are {next(iter(found)):g}: they do not tell architectures apart, so the "
                f"recommendation {rest}{' by it' if numbers else ''}; check the evaluator",
                RuntimeWarning,
                stacklevel=2,
            )


def _nothing_kept(problem: Problem, results: Sequence[Result], *, is_recorded: bool) -> EvaluationError:
    """The error where nothing that was evaluated keeps the limits, with what came nearest."""
    scored = [r for r in results if r.score is not None]
    if not problem.limits_after or not scored:
        return EvaluationError(
            "the strategy recommends nothing: no architecture it knows keeps what was asked; loosen the limits"
        )
    told = []
    for name, limit in problem.limits_after.items():
        sign = problem.sign(name)
        nearest = sign * max(sign * r.values[name] for r in scored)
        told.append(f"{name} {limit:g}, where the {'smallest' if sign < 0 else 'largest'} was {nearest:g}")
    return EvaluationError(
        f"none of the {len(scored)} architectures that were evaluated keeps the limits ({'; '.join(told)}); loosen "
        f"them, or search longer{'; what was evaluated is kept in the record' if is_recorded else ''}"
    )


def _as_json(recommendation: Recommendation) -> dict[str, Any]:
    return {
        "architecture": str(recommendation.architecture),
        "score": recommendation.score,
        "evaluated": recommendation.evaluated,
        **({"values": dict(recommendation.values)} if recommendation.values else {}),
        "costs": {name: float(value) for name, value in recommendation.architecture.cost.items()},
    }
