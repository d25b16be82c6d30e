"""Everything that is drawn on a terminal, but lists of plug-ins."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

import click

from archpredict.cli._messages import in_flags

if TYPE_CHECKING:
    from rich.progress import Progress

    from archpredict.progress import Event, Observer
    from archpredict.runs.plan import Plan
    from archpredict.runs.search import SearchResult
    from archpredict.spaces.base import SearchSpace

_LABELLING, _TRIAL = "label", "trial"
_COUNTED = {_LABELLING: "labels", _TRIAL: "predictors"}
"""Stages that others are part of: how far they are stays on display."""
_PHASES = {
    _LABELLING: "labelling",
    "pre-training": "pre-training step",
    "training": "training epoch",
    _TRIAL: "predictor",
    "controller": "controller iteration",
    "judged": "predictions judged",
}
_LASTING = {"best": "best", "front": "front", "failed": "failed", "kendall_tau": "tau"}
"""Values that stay on display until the next one comes, and what they are called there."""

_COSTS = {
    "params": "parameters",
    "macs": "multiply-adds",
    "flops": "multiply-adds and operations on single elements",
}

_PLAIN_SECONDS = 2.0
_SHORT = 40
_LARGE = 10_000


# ---------------------------------------------------------------------- progress


@contextmanager
def progress(quiet: bool) -> Iterator[Observer]:
    """An observer that shows progress on stderr: a live line on a terminal, else a line now and then."""
    from archpredict.progress import silent

    if quiet:
        yield silent
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainProgress()
        return
    from rich.progress import (
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.table import Column

    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # a narrow terminal cuts only the figures
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}", table_column=rest),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as bars:
        yield LiveProgress(bars)


class _Figures:
    """Figures that are worth showing: numbers of labels or trials, values of the event, and those that last."""

    def __init__(self) -> None:
        self._counts: dict[str, str] = {}
        self._lasting: dict[str, float] = {}

    def update(self, event: Event) -> str:
        if event.stage in _COUNTED:
            self._counts[event.stage] = f"{event.done}/{event.total} {_COUNTED[event.stage]}"
        of_interest = {} if event.stage == _TRIAL else event.values  # a trial has a dozen figures
        passing = {k: v for k, v in of_interest.items() if k not in _LASTING and ":" not in k}
        self._lasting.update({k: v for k, v in event.values.items() if k in _LASTING})
        named = {**{_LASTING[k]: v for k, v in self._lasting.items()}, **passing}
        values = [f"{name.replace('_', ' ')} {_shown(value)}" for name, value in named.items()]
        return ", ".join([*(count for stage, count in self._counts.items() if stage != event.stage), *values])


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= _LARGE else f"{value:.4g}"


class LiveProgress:
    """One line that is redrawn in place."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("starting", total=None, figures="")
        self._figures = _Figures()

    def __call__(self, event: Event) -> None:
        self._bars.update(
            self._task,
            description=phase(event),
            completed=event.done,
            total=event.total,
            figures=self._figures.update(event),
        )


class PlainProgress:
    """A line every two seconds and at the end of each phase, for logs."""

    def __init__(self) -> None:
        self._started = self._printed = time.monotonic()
        self._figures = _Figures()

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        figures = self._figures.update(event)
        if (event.total is None or event.done < event.total) and now - self._printed < _PLAIN_SECONDS:
            return
        self._printed = now
        of = "" if event.total is None else f"/{event.total}"
        text = f"{phase(event)} {event.done}{of}"
        say(f"[{now - self._started:6.1f} s] {text}{', ' if figures else ''}{figures}")


def say(text: str) -> None:
    """A line on stderr, in the words of the command line; where nobody can read it any more, the work goes on."""
    with suppress(OSError):
        click.echo(in_flags(text), err=True)


def phase(event: Event) -> str:
    """What is being done, in words."""
    return _PHASES.get(event.stage, event.stage.replace("_", " "))


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show warnings as one line each, without the place in the code they come from."""

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        say(f"Warning: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


# ---------------------------------------------------------------------- results


def show_result(result: SearchResult, plan: Plan) -> None:
    """The best architectures, what their scores and costs are, and where the record is."""
    from archpredict.evaluators.objectives.objective import Objective
    from archpredict.graph.summary import si

    several = bool(result.objectives)
    named = [o.name for o in result.objectives]
    costs = [name for name in _COSTS if name in result.best.architecture.cost]
    costs += sorted(set(result.best.architecture.cost) - set(costs))
    costs = [name for name in costs if name not in named]
    measured = named or list(result.best.values)[1:]  # the first is the score
    texts = [str(r.architecture) for r in result.top]
    show_texts = max(map(len, texts)) <= _SHORT
    columns: dict[str, Literal["left", "right"]] = {"rank": "right"}
    only = plan.problem.objectives[0] if len(plan.problem.objectives) == 1 else Objective("score")
    columns |= {} if several else {only.name: "right"}
    columns |= {"": "left"}
    columns |= dict.fromkeys([*measured, *costs], "right")
    columns |= {"architecture": "left"} if show_texts else {}
    given = [None if r.score is None else only.sign * r.score for r in result.top]
    scores = [[] if several else [score] for score in _aligned(given)]
    numbers = list(zip(*(_aligned([r.values.get(name) for r in result.top]) for name in measured), strict=True))
    rows = []
    for i, (recommendation, score, text) in enumerate(zip(result.top, scores, texts, strict=True)):
        mark = "evaluated" if recommendation.evaluated else "predicted"
        if several:
            is_knee = result.knee is not None and recommendation.architecture.key == result.knee.architecture.key
            mark = "knee" if is_knee else ""
        known = [si(recommendation.architecture.cost[c]) for c in costs]
        more = numbers[i] if numbers else ()
        rows.append((str(i + 1), *score, mark, *more, *known, *([text] if show_texts else [])))
    what = "Front" if several else "Best architectures"
    show_table(f"{what} of {result.space} found by {result.strategy}", columns, rows)
    if result.volume is not None:
        click.echo(f"\n{_about_front(result, len(rows))}")
    click.echo(f"\n{'Labels' if several else 'Scores'} are {str(plan.evaluator.describe()['labels']).rstrip('.')}.")
    if result.believed is not None:
        click.echo(f"{result.believed}.")
    if not all(r.evaluated for r in result.top):
        outside = (
            ": the table does not hold them (--within-table leaves them out)" if plan.problem.pool is not None else ""
        )
        click.echo(f"Scores marked 'predicted' are what the strategy's model expects{outside}.")
    if costs:
        click.echo(_meaning_of_costs(costs, plan.problem.space))
    _show_best(result)
    click.echo(f"\n{_evaluations(result, plan)}, {result.seconds:.1f} s.")
    if result.run_dir is not None:
        click.echo(f"Record of the run: {result.run_dir} (report: {result.run_dir / 'report' / 'index.html'})")


def _about_front(result: SearchResult, shown: int) -> str:
    """How large the front is, what it dominates, and what is left out of the table."""
    assert result.volume is not None
    point = ", ".join(f"{name} {value:.6g}" for name, value in result.volume.reference.items())
    count = len(result.front)
    most = "" if shown == count else f"; the {shown} that add most to its hypervolume are shown (--top shows more)"
    return (
        f"The front has {count} architecture{'' if count == 1 else 's'}{most}. Hypervolume "
        f"{result.volume.value:.6g} above the reference point ({point})."
    )


def _show_best(result: SearchResult) -> None:
    mark = "" if result.best.evaluated else " (predicted, not evaluated)"
    what = "Best architecture" if result.knee is None else "Knee of the front"
    click.echo(f"\n{what}{mark}:\n{result.best.architecture}")
    known = result.best_evaluated
    if not result.best.evaluated and known is not None and known.score is not None:
        click.echo(f"Best of those evaluated (score {known.score:.6g}):\n{known.architecture}")


def _evaluations(result: SearchResult, plan: Plan) -> str:
    notes = [f"{result.failed} failed"] if result.failed else []
    if result.queries < plan.budget:
        why = "the hours are over" if result.out_of_time else "there is nothing else to evaluate"
        notes.append(f"of a budget of {plan.budget}: {why}")
    plural = "" if result.queries == 1 else "s"
    return f"{result.queries} evaluation{plural}" + (f" ({'; '.join(notes)})" if notes else "")


def _meaning_of_costs(costs: Sequence[str], space: SearchSpace) -> str:
    """What the columns of costs are; of which network, where the space's ``cost`` says so in its docstring."""
    from archpredict.spaces.base import SearchSpace as Base

    own = type(space).cost
    told = "" if own is Base.cost else (own.__doc__ or "").partition("\n\n")[0]
    words = "; ".join(f"{name}: {_COSTS[name]}" for name in costs if name in _COSTS)
    return " ".join(" ".join(part.split()).rstrip(".") + "." for part in (told, words) if part)


def show_table(title: str, columns: Mapping[str, Literal["left", "right"]], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout.

    Args:
        title: Line above it.
        columns: Alignment by heading.
        rows: Cells, as many as columns.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for heading, align in columns.items():
        table.add_column(heading, justify=align, no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    console = Console()
    needed = sum(max(map(len, column)) + 3 for column in zip(columns, *rows, strict=True)) + 1
    if console.width < needed:  # rather broken by the terminal than cut
        console = Console(width=needed)
    console.print(title, style="bold", highlight=False, markup=False)
    console.print(table)


def first_line(documented: type) -> str:
    """The summary line of a class's docstring."""
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _aligned(scores: Sequence[float | None]) -> list[str]:
    """Scores with six significant digits and equally many decimals.

    Example:
        >>> _aligned([94.63, 94.12345, None])
        ['94.6300', '94.1235', '-']
    """
    short = [f"{score:.6g}" for score in scores if score is not None]
    if any("e" in text for text in short):
        return ["-" if score is None else f"{score:.6g}" for score in scores]
    decimals = max((len(text.partition(".")[2]) for text in short), default=0)
    return ["-" if score is None else f"{score:.{decimals}f}" for score in scores]
