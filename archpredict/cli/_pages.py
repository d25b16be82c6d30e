"""Pages that commands write when they are asked for one, and the command that repeats what a page is of."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archpredict.cli._messages import in_flags
from archpredict.cli._output import check_file
from archpredict.errors import UsageError, writing

if TYPE_CHECKING:
    from archpredict.pages.parts import Page
    from archpredict.predict.rank.ranked import Ranked
    from archpredict.predict.rank.ranking import Ranking

_WORDS = "archpredict.words"
ENDINGS = (".html", ".htm")

html_option = click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a page too, one file that needs no network: charts, tables that sort, drawings, settings.",
)


class Repeatable(click.Command):
    """A command that remembers the words it was called with."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = [str(ctx.info_name), *args]
        return super().parse_args(ctx, args)


def check_page(path: Path | None, *inputs: Path) -> None:
    """A page that can be written, and is none of the files that are read.

    Raises:
        UsageError: It cannot, or its name ends otherwise.
    """
    if path is None:
        return
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"the page is an HTML file; {path.name} was given: give a name that ends in .html")
    check_file(path, *inputs)


def again() -> dict[str, str]:
    """The command that repeats what runs, as one types it; nothing where no command runs."""
    ctx = click.get_current_context(silent=True)
    words: Sequence[str] | None = None if ctx is None else ctx.meta.get(_WORDS)
    return {} if words is None else {"repeat it": shlex.join(["archpredict", *words])}


def write(page: Page, path: Path) -> None:
    """Write a page.

    Raises:
        RunError: It cannot be written.
    """
    from archpredict.pages.page import write_page

    with writing(path):
        write_page(page, path)


def write_ranking(result: Ranking, path: Path) -> None:
    """The page of a ranking, in the words of the command line."""
    rows = tuple(_in_flags(row) for row in result.rows)
    failures = tuple(replace(failure, error=in_flags(failure.error)) for failure in result.failures)
    replace(result, rows=rows, failures=failures).write_html(path, again())


def _in_flags(row: Ranked) -> Ranked:
    return replace(row, remarks=tuple(replace(one, sentence=in_flags(one.sentence)) for one in row.remarks))
