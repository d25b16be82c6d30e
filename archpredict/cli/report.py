"""``archpredict report``: write the page of a run, or of several compared."""

from __future__ import annotations

from pathlib import Path

import click

from archpredict.cli._options import debug_option, example, json_option
from archpredict.errors import UsageError

_PATH = click.Path(path_type=Path)


@click.command(
    name="report",
    short_help="Write the page of a run, or of several compared.",
    epilog=example("archpredict report runs/darts-random-seed0-1 --out report.html"),
)
@click.argument("runs", nargs=-1, required=True, type=_PATH, metavar="RUN...")
@click.option("--out", type=_PATH, required=True, metavar="FILE", help="The page: report.html.")
@click.option(
    "--space",
    metavar="NAME",
    help="Space of the runs, for drawings: module:Class or file.py:Class where it is none that is known by name.",
)
@json_option
@debug_option
def command(runs: tuple[Path, ...], out: Path, space: str | None, as_json: bool) -> None:
    """Write one HTML file that needs no network: of a run, or of several runs of one space and evaluator.

    Runs of one strategy are drawn as mean and standard deviation; strategies are compared seed by seed. A run may go on
    meanwhile.
    """
    from archpredict.cli._again import commands_of
    from archpredict.cli._console import warnings_as_lines
    from archpredict.cli._output import print_json
    from archpredict.cli._pages import check_page, write
    from archpredict.runs.comparing import comparison_page
    from archpredict.runs.page import run_page
    from archpredict.runs.record import read_record, space_of
    from archpredict.spaces.base import load_space

    check_page(out)
    if len({run.resolve() for run in runs}) < len(runs):
        raise UsageError("a run was given twice; give each once")
    with warnings_as_lines():
        records = [read_record(run) for run in runs]
        known = space_of(records[0]) if space is None else load_space(space)
        if len(records) == 1:
            page = run_page(records[0], known, commands_of(records[0].config["invocation"], runs[0]))
        else:
            page = comparison_page(records, known)
        write(page, out)
    if as_json:
        print_json({"page": str(out), "runs": [str(run) for run in runs], "evaluations": len(page.items)})
    else:
        click.echo(f"Written: {out}")
