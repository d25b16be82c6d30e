"""``archpredict data``: say what a table holds, check and convert it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._options import column_option, debug_option, example, json_option

if TYPE_CHECKING:
    from archpredict.tables.check import Survey
    from archpredict.tables.isomorphic import Duplicates

_file = click.argument("file", type=click.Path(path_type=Path))
_space = click.option("--space", required=True, metavar="NAME", help="Search space of the architectures.")
_quiet = click.option("-q", "--quiet", is_flag=True, help="Show no progress.")

_FOUND_PROBLEMS = 1


@click.group(name="data", epilog=example("archpredict data info table.csv --space nasbench201"))
@debug_option
def command() -> None:
    """Look into tables of architectures, check and convert them.

    FILE is CSV, JSONL, JSON, Parquet, or the official file of a benchmark, e.g. nasbench_only108.tfrecord.
    """


@command.command(
    short_help="Say what FILE holds.", epilog=example("archpredict data info table.csv --space nasbench201")
)
@_file
@_space
@column_option
@_quiet
@json_option
@debug_option
def info(file: Path, space: str, column: str | None, quiet: bool, as_json: bool) -> None:
    """Say what FILE holds: format, columns, hash, and architectures that occur more than once."""
    found = _survey(file, space, None, column, quiet)
    if as_json:
        click.echo(json.dumps(_described(found), indent=2))
    else:
        _show(found)


@command.command(
    short_help="Look for problems in FILE.",
    epilog=example("archpredict data check table.csv --space nasbench201 --target accuracy"),
)
@_file
@_space
@click.option("--target", metavar="COLUMN", help="Column of the labels; without it only architectures are checked.")
@column_option
@_quiet
@json_option
@debug_option
@click.pass_context
def check(
    ctx: click.Context, file: Path, space: str, target: str | None, column: str | None, quiet: bool, as_json: bool
) -> None:
    """Look for problems in FILE; the exit code is 1 when there are some.

    Problems are rows without an architecture of the space, labels that are no finite numbers or all equal, and
    different labels for one architecture, be it repeated or isomorphic to another.
    """
    from archpredict.tables.check import problems

    found = _survey(file, space, target, column, quiet)
    target = found.target
    wrong = problems(found, target)
    if as_json:
        rows = [{"problem": p.name, "count": p.count, "message": p.message} for p in wrong]
        click.echo(
            json.dumps(
                {
                    "file": str(file),
                    "rows": found.num_rows,
                    "failed": found.num_failed,
                    "target": target,
                    "problems": rows,
                },
                indent=2,
            )
        )
    else:
        for problem in wrong:
            click.echo(f"Problem: {problem.message}.")
        if not wrong:
            labels = "labels not checked (--target COLUMN)" if target is None else f"labels in {target!r}"
            failed = f", {found.num_failed:,} of them failed evaluations" if found.num_failed else ""
            click.echo(f"No problems in {file}: {found.num_rows:,} rows{failed}, {labels}.")
    if wrong:
        ctx.exit(_FOUND_PROBLEMS)


@command.command(
    short_help="Write FILE in another format.",
    epilog=example("archpredict data convert table.csv --space nasbench201 --out table.jsonl"),
)
@_file
@_space
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE2",
    help="File to make: .csv, .jsonl (also .gz) or .parquet.",
)
@column_option
@_quiet
@json_option
@debug_option
def convert(file: Path, space: str, out: Path, column: str | None, quiet: bool, as_json: bool) -> None:
    """Write the rows of FILE to FILE2 in another format, with all their columns."""
    from archpredict.cli._console import progress
    from archpredict.spaces.base import load_space
    from archpredict.tables.convert import convert as convert_table
    from archpredict.tables.formats.base import ARCHITECTURE

    with progress(quiet) as observe:
        rows = convert_table(file, load_space(space), out, column=column or ARCHITECTURE, observe=observe)
    click.echo(json.dumps({"out": str(out), "rows": rows}) if as_json else f"Wrote {rows:,} rows to {out}.")


def _survey(file: Path, space: str, target: str | None, column: str | None, quiet: bool) -> Survey:
    """The table, with the keys of its graphs made."""
    from archpredict.cli._console import progress
    from archpredict.spaces.base import load_space
    from archpredict.tables.check import survey
    from archpredict.tables.formats.base import ARCHITECTURE

    with progress(quiet) as observe:
        found = survey(file, load_space(space), target, column=column or ARCHITECTURE, observe=observe)
        found.keys(observe)
    return found


def _described(found: Survey) -> dict[str, Any]:
    columns = []
    for name, column in found.columns.items():
        low, high = column.range or (None, None)
        entry: dict[str, Any] = {"name": name, "kind": column.kind, "missing": column.missing, "min": low, "max": high}
        if column.kind in ("integer", "number"):
            entry["spread"] = _spread(found.isomorphic(name))
        columns.append(entry)
    return {
        "file": str(found.path),
        "format": found.format,
        "description": found.description,
        "sha256": found.sha256,
        "space": found.space.name,
        "rows": found.num_rows,
        "unreadable": found.num_unreadable,
        "stopped": found.stopped,
        "architecture_column": found.column,
        "distinct": found.num_distinct,
        "distinct_up_to_isomorphism": found.num_classes,
        "columns": columns,
    }


def _spread(same: Duplicates) -> dict[str, Any]:
    return {
        "architectures": same.num_classes,
        "rows": same.num_rows,
        "with_different_values": same.num_conflicts,
        "mean": same.mean_spread,
        "max": same.largest_spread,
    }


def _show(found: Survey) -> None:
    from archpredict.cli._console import show_table

    same = found.isomorphic()
    click.echo(f"File:          {found.path}")
    click.echo(f"Format:        {found.description}")
    click.echo(f"SHA-256:       {found.sha256}")
    click.echo(f"Rows:          {found.num_rows:,}, the architectures in the column {found.column!r}")
    if found.num_unreadable:
        click.echo(f"               {found.num_unreadable:,} hold no architecture of the space: {found.unreadable[0]}")
    if found.stopped is not None:
        click.echo(f"               reading stopped here: {found.stopped}")
    click.echo(
        f"Architectures: {found.num_distinct:,} distinct, {found.num_classes:,} up to isomorphism"
        + (f" ({same.num_rows:,} rows share {same.num_classes:,} of them)" if same.num_classes else "")
    )
    click.echo()
    rows = [_cells(found, name) for name in found.columns]
    if rows:
        numbers = dict.fromkeys(("missing", "lowest", "highest", "mean spread", "largest spread"), "right")
        show_table("Columns", {"name": "left", "holds": "left", **numbers}, rows)  # type: ignore[dict-item]
        click.echo("Spread: the largest minus the smallest value of rows that are isomorphic.")


def _cells(found: Survey, name: str) -> tuple[str, ...]:
    column = found.columns[name]
    if column.kind not in ("integer", "number"):
        return name, column.kind or "nothing", f"{column.missing:,}", "", "", "", ""
    low, high = column.range or (0.0, 0.0)
    same = found.isomorphic(name)
    spread = (f"{same.mean_spread:.4g}", f"{same.largest_spread:.4g}") if same.num_classes else ("", "")
    return name, column.kind, f"{column.missing:,}", f"{low:.6g}", f"{high:.6g}", *spread
