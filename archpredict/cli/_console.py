"""Everything that is drawn on a terminal; the only module that knows rich."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from rich.progress import Progress

    from archpredict.search import SearchResult
    from archpredict.strategies.base import Event, Observer

_PHASES = {
    "label": "labelling",
    "comparator": "comparator epoch",
    "controller": "controller iteration",
}
_LASTING = {"best": "best", "kendall_tau": "tau"}
"""Values that stay on display until the next one comes, and what they are called there."""

_PLAIN_SECONDS = 2.0
_SHORT = 40


# ---------------------------------------------------------------------- progress


@contextmanager
def progress(quiet: bool) -> Iterator[Observer]:
    """An observer that shows progress on stderr: a live line on a terminal, else a line now and then."""
    from archpredict.strategies.base import silent

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

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}"),  # last, so that a narrow terminal cuts only this
    )
    with Progress(*columns, console=console, transient=True) as bars:
        yield LiveProgress(bars)


class _Figures:
    """The values worth showing: those of the event, and those that last."""

    def __init__(self) -> None:
        self._lasting: dict[str, float] = {}

    def update(self, event: Event) -> str:
        passing = {k: v for k, v in event.values.items() if k not in _LASTING}
        self._lasting.update({k: v for k, v in event.values.items() if k in _LASTING})
        named = {**{_LASTING[k]: v for k, v in self._lasting.items()}, **passing}
        return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in named.items())


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
            completed=event.step,
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
        if event.step < event.total and now - self._printed < _PLAIN_SECONDS:
            return
        self._printed = now
        text = f"{phase(event)} {event.step}/{event.total}"
        click.echo(f"[{now - self._started:6.1f} s] {text}{', ' if figures else ''}{figures}", err=True)


def phase(event: Event) -> str:
    """What is being done, in words."""
    return _PHASES.get(event.stage, event.stage.replace("_", " "))


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show warnings as one line each, without the place in the code they come from."""

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        click.echo(f"Warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


# ---------------------------------------------------------------------- results


def show_result(result: SearchResult, labels: str) -> None:
    """The best architectures, what their scores are, and where the record is.

    Args:
        result: What was found.
        labels: What a score of the evaluator is, in one sentence.
    """
    costs = sorted(result.best.architecture.cost)
    texts = [str(r.architecture) for r in result.top]
    show_texts = max(map(len, texts)) <= _SHORT
    columns: dict[str, Literal["left", "right"]] = {"rank": "right", "score": "right", "": "left"}
    columns |= dict.fromkeys(costs, "right")
    columns |= {"architecture": "left"} if show_texts else {}
    rows = []
    for rank, (recommendation, text) in enumerate(zip(result.top, texts, strict=True), start=1):
        score = "-" if recommendation.score is None else f"{recommendation.score:.6g}"
        mark = "evaluated" if recommendation.evaluated else "predicted"
        known = recommendation.architecture.cost
        rows.append((str(rank), score, mark, *(_si(known[c]) for c in costs), *([text] if show_texts else [])))
    show_table(f"Best architectures of {result.space} found by {result.strategy}", columns, rows)
    click.echo(f"\nScores are {labels.rstrip('.')}.")
    if not all(r.evaluated for r in result.top):
        click.echo("Scores marked 'predicted' are what the strategy's model expects: these were not evaluated.")
    click.echo(f"\nBest architecture:\n{texts[0]}\n")
    click.echo(f"{result.queries} evaluations, {result.seconds:.1f} s.")
    if result.run_dir is not None:
        click.echo(f"Record of the run: {result.run_dir} (pictures in {result.run_dir / 'report'})")


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

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading, align in columns.items():
        table.add_column(heading, justify=align)
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)


def first_line(documented: type) -> str:
    """The summary line of a class's docstring."""
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _si(value: float) -> str:
    """A number with a decimal prefix.

    Example:
        >>> _si(3_340_000), _si(12), _si(5.4e8)
        ('3.34M', '12', '540M')
    """
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{prefix}"
    return f"{value:.4g}"
