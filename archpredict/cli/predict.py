"""``archpredict predict``: predict scores of architectures in a table."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._options import column_option, debug_option, example
from archpredict.cli._predictors import device_option, model_option, quiet_option, space_option

if TYPE_CHECKING:
    from archpredict.predict.streaming import Predicted

_MANY = 100_000
"""Rows from which on it is worth saying how fast it went."""
_STDOUT = Path("-")


@click.command(name="predict", epilog=example("archpredict predict --model model --data table.csv --out scores.csv"))
@model_option
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Table with a column of architectures; no labels."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE|-",
    help="CSV, JSONL, ... by its name, replaced if it is there; - for CSV on stdout.",
)
@click.option(
    "--transfer",
    metavar="FILE",
    help="What --model universal has learnt: the transfer model in this file (see 'archpredict transfer').",
)
@column_option
@space_option
@click.option("--jobs", type=click.IntRange(min=0), help="Processes for large tables.  [default: all cores]")
@device_option
@quiet_option
@debug_option
def command(**given: Any) -> None:
    """Predict the scores of the architectures in a table.

    Rows and columns stay as they are; a column "score" is added, and "std" where the predictor has an uncertainty. The
    table may be larger than memory: it is read and written in pieces.
    """
    from archpredict.cli._console import say, warnings_as_lines
    from archpredict.cli._output import check_output

    with warnings_as_lines():
        if given["out"] == _STDOUT:
            _print(given)
            return
        check_output(given["out"], given["data"])
        found = _predicted(given, given["out"])
    if not given["quiet"]:
        rate = f" ({found.rows / found.seconds:,.0f} a second)" if found.rows >= _MANY else ""
        told = f"Wrote {found.rows:,} rows with {' and '.join(found.columns)} to {given['out']}{rate}"
        say(told + (f"; {found.beyond_labels}" if found.beyond_labels else ""))


def _print(given: Mapping[str, Any]) -> None:
    """CSV on stdout, once all of it is there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.csv"
        _predicted(given, path)
        with path.open(encoding="utf-8", newline="") as stream:
            while block := stream.read(1 << 20):
                click.echo(block, nl=False)


def _predicted(given: Mapping[str, Any], out: Path) -> Predicted:
    from archpredict.cli._console import progress
    from archpredict.cli._predictors import load_any_model, model_space
    from archpredict.predict.streaming import predict_table
    from archpredict.tables.formats.base import ARCHITECTURE

    model = load_any_model(given["model"], given["device"], given["transfer"])
    space = model_space(model, given["model"], given["space"])
    with progress(given["quiet"]) as observer:
        return predict_table(
            model,
            given["data"],
            out,
            given["space"] or space.name,
            column=given["column"] or ARCHITECTURE,
            jobs=given["jobs"],
            observer=observer,
        )
