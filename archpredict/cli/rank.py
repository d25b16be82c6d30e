"""``archpredict rank``: rank ONNX models without training them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._messages import in_flags
from archpredict.cli._onnx import input_shape_options
from archpredict.cli._options import debug_option, json_option
from archpredict.cli._predictors import device_option, quiet_option
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.predict.ranking import Ranking
    from archpredict.progress import Event, Observer
    from archpredict.tables.formats.base import Kind

_SHIPPED = "imagenet"
_FAILED = 1
_SHORT_SECONDS = 1.0
_PATH = click.Path(path_type=Path)


@click.command(name="rank", short_help="Rank ONNX models without training them.")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option(
    "--predictor",
    default=_SHIPPED,
    show_default=True,
    metavar="DIR|NAME",
    help="Folder of a saved predictor of ONNX models, or the name of a shipped one.",
)
@input_shape_options
@click.option(
    "--labels",
    type=_PATH,
    metavar="FILE",
    help="Table (columns model, score) of models that you have measured: adapts the predictor to them.",
)
@click.option(
    "--recipe",
    metavar="NAME",
    help="How the models are taken to be trained, such as modern (the shipped default), classic or distilled.",
)
@click.option("--save", type=_PATH, metavar="DIR", help="Keep the adapted predictor in this folder.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv"]),
    default="table",
    show_default=True,
    help="What to print on stdout.",
)
@json_option
@device_option
@quiet_option
@debug_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Rank ONNX models by the accuracy that they are expected to reach, without training them.

    FILES are .onnx or .onnx.gz files, folders, or patterns. Weights are not needed. The exit code is 1 when some files
    could not be read; the others are ranked.
    """
    from archpredict.cli._console import warnings_as_lines

    _check(given)
    with warnings_as_lines(), _progress(given["quiet"]) as observer:
        result = _result(given, observer)
    _say_unmatched(result)
    if given["as_json"]:
        _print_json(result, given["save"])
    elif given["form"] == "csv":
        _print_csv(result)
    else:
        _print_table(result)
    if result.failures:
        ctx.exit(_FAILED)


def _check(given: Mapping[str, Any]) -> None:
    """What can be told before anything is read."""
    if given["as_json"] and given["form"] == "csv":
        raise UsageError("--json and --format csv both say what to print; leave one of them out")
    if given["save"] is not None and given["labels"] is None:
        raise UsageError("--save keeps a predictor that --labels adapts; give --labels too, or leave --save out")
    if given["save"] is not None:
        from archpredict.cli._output import check_replaceable
        from archpredict.predict.adaptation import MANIFEST

        check_replaceable(given["save"], MANIFEST, "adapted predictor", "--save")


def _result(given: Mapping[str, Any], observer: Observer) -> Ranking:
    from archpredict.onnx.files import ONLY
    from archpredict.predict.ranking import rank

    shapes = dict(given["input_shape"])
    result = rank(
        given["files"],
        given["predictor"],
        input_shape=shapes.pop(ONLY, None),
        input_shapes=shapes,
        input_size=given["input_size"],
        sequence_length=given["sequence_length"],
        labels=given["labels"],
        recipe=given["recipe"],
        device=given["device"],
        observer=observer,
    )
    if given["save"] is not None and result.adaptation is not None:
        result.adaptation.ranker.save(given["save"])
    return result


@contextmanager
def _progress(quiet: bool) -> Iterator[Observer]:
    """Progress of what takes more than a second."""
    from archpredict.cli._console import progress

    start = time.monotonic()
    with progress(quiet) as observer:

        def later(event: Event) -> None:
            if time.monotonic() - start > _SHORT_SECONDS:
                observer(event)

        yield later


# ---------------------------------------------------------------------- printing


def _print_json(result: Ranking, saved: Path | None) -> None:
    from archpredict.cli._output import print_json

    content = result.to_dict()
    for row in content["ranking"]:
        row["warnings"] = list(map(in_flags, row["warnings"]))
    for failure in content["failed"]:
        failure["error"] = in_flags(failure["error"])
    if "adaptation" in content:
        content["adaptation"]["saved"] = None if saved is None else str(saved)
    print_json(content)


def _print_csv(result: Ranking) -> None:
    from archpredict.cli._console import say
    from archpredict.cli._output import print_csv

    kinds: dict[str, Kind] = {"rank": "integer", "model": "text"}
    kinds |= dict.fromkeys(("score", "std", "beats_next"), "number")
    kinds |= {"params": "integer", "macs": "integer", "nodes": "integer", "warnings": "text"}
    records = [row.to_dict() for row in result]
    print_csv(kinds, [{**record, "warnings": in_flags("; ".join(record["warnings"]))} for record in records])
    if result.adaptation is not None:
        say(str(result.adaptation))
    _say_failed(result)


def _print_table(result: Ranking) -> None:
    from archpredict.cli._console import show_table
    from archpredict.predict.ranking_table import COLUMNS, cells

    if len(result):
        show_table(result.title, COLUMNS, cells(result.rows))
    for note in result.notes:
        click.echo(in_flags(note))
    _say_failed(result)


def _say_unmatched(result: Ranking) -> None:
    """What of the labels names no model."""
    from archpredict.cli._console import say

    unmatched = None if result.adaptation is None else result.adaptation.labels.unmatched
    if unmatched is not None:
        say(f"Warning: {unmatched}")


def _say_failed(result: Ranking) -> None:
    from archpredict.cli._console import say

    for failure in result.failures:
        say(f"Error: {failure.error}")
