"""``archpredict rank``: rank ONNX models without training them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._interrupts import resumable
from archpredict.cli._messages import in_flags
from archpredict.cli._onnx import file_options, file_reading, input_shape_options
from archpredict.cli._options import debug_option, example, json_option
from archpredict.cli._pages import Repeatable, check_page, html_option
from archpredict.cli._predictors import quiet_option
from archpredict.cli._speed import places_of, read_limits, speed_options, split_devices
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.predict.rank.ranking import Ranked, Ranking
    from archpredict.progress import Event, Observer
    from archpredict.tables.formats.base import Kind

_SHIPPED = "imagenet"
_FAILED = 1
_SHORT_SECONDS = 1.0
_PATH = click.Path(path_type=Path)


@click.command(
    name="rank",
    cls=Repeatable,
    short_help="Rank ONNX models without training them.",
    epilog=example("archpredict rank models/ --device rtx4090 --pareto"),
)
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
    type=click.Choice(["table", "csv", "markdown"]),
    default="table",
    show_default=True,
    help="What to print on stdout.",
)
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="NAME",
    help="Device that the models are to run on, as 'archpredict devices' lists them, or a file that 'archpredict "
    "adapt' saved: predicts their speed; repeatable. auto, cpu or cuda say where the predictor computes.",
)
@speed_options
@click.option("--pareto", is_flag=True, help="Show the models that no other beats in score and speed.")
@click.option(
    "--at-least",
    callback=read_limits,
    multiple=True,
    metavar="NAME=N",
    help="Leave out models below: score, throughput, params, macs, nodes, or what a file of --device tells, such as "
    "throughput=1000; repeatable.",
)
@click.option(
    "--at-most",
    callback=read_limits,
    multiple=True,
    metavar="NAME=N",
    help="Leave out models above, such as params=20e6 or latency=5; repeatable.",
)
@click.option("--plot", type=_PATH, metavar="FILE", help="Draw score over speed: out.svg, out.png or out.pdf.")
@html_option
@file_options
@json_option
@quiet_option
@debug_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Rank ONNX models by the accuracy that they are expected to reach, without training them.

    FILES are .onnx or .onnx.gz files, folders, patterns, or models of timm by name, such as timm:resnet18. Weights are
    not needed. The exit code is 1 when some files could not be read; the others are ranked.
    """
    from archpredict.cli._console import warnings_as_lines

    given["device"], given["devices"] = split_devices(given["devices"])
    _check(given)
    with resumable(ctx, lambda: _again(given)), warnings_as_lines(), _progress(given["quiet"]) as observer:
        result = _result(given, observer)
    _say_unmatched(result)
    _say_left_out(result)
    if given["as_json"]:
        _print_json(result, given["save"])
    elif given["form"] == "csv":
        _print_csv(result)
    elif given["form"] == "markdown":
        _print_markdown(result)
    else:
        _print_table(result)
    if result.failures:
        ctx.exit(_FAILED)


def _again(given: Mapping[str, Any]) -> str | None:
    """How to go on where it was interrupted."""
    return None if given["cache"] is None else f"the same command; {given['cache']} holds what has been read"


def _check(given: Mapping[str, Any]) -> None:
    """What can be told before anything is read."""
    if given["as_json"] and given["form"] != "table":
        raise UsageError(f"--json and --format {given['form']} both say what to print; leave one of them out")
    for flag in ("pareto", "plot"):
        if given[flag] and not given["devices"]:
            raise UsageError(f"--{flag} weighs score against speed; give --device NAME too")
    if given["plot"] is not None:
        from archpredict.cli._choice_plot import check_plot

        check_plot(given["plot"])
    check_page(given["html"])
    if given["follow"] is not None:
        from archpredict.cli._output import check_file

        if given["follow"].suffix != ".csv":
            raise UsageError(f"--follow {given['follow']} is written as CSV; give a name that ends in .csv")
        check_file(given["follow"])
    if given["save"] is not None and given["labels"] is None:
        raise UsageError("--save keeps a predictor that --labels adapts; give --labels too, or leave --save out")
    if given["save"] is not None:
        from archpredict.cli._output import check_replaceable
        from archpredict.predict.rank.adaptation import MANIFEST

        check_replaceable(given["save"], MANIFEST, "adapted predictor", "--save")


def _result(given: Mapping[str, Any], observer: Observer) -> Ranking:
    from archpredict.onnx.files import ONLY
    from archpredict.predict.rank.choosing import check_limit
    from archpredict.predict.rank.drawings import MOST_DRAWINGS
    from archpredict.predict.rank.ranking import rank

    shapes = dict(given["input_shape"])
    places, limits = places_of(given["devices"], given), [*given["at_least"], *given["at_most"]]
    for limit in limits:
        check_limit(limit, [place.what for place in places])
    result = rank(
        given["files"],
        given["predictor"],
        input_shape=shapes.pop(ONLY, None),
        input_shapes=shapes,
        input_size=given["input_size"],
        sequence_length=given["sequence_length"],
        labels=given["labels"],
        recipe=given["recipe"],
        settings=places,
        device=given["device"],
        files=file_reading(given),
        follow=given["follow"],
        drawings=0 if given["html"] is None else MOST_DRAWINGS,
        observer=observer,
    )
    if given["save"] is not None and result.adaptation is not None:
        result.adaptation.ranker.save(given["save"])
    if given["plot"] is not None and len(result):
        from archpredict.cli._choice_plot import draw_choice

        draw_choice(result, given["plot"])
    result = result.within(limits)
    if given["html"] is not None:
        from archpredict.cli._pages import write_ranking

        write_ranking(result, given["html"])
    return replace(result, rows=result.front) if given["pareto"] else result


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
        for speed in row.get("speed", ()):
            speed["warnings"] = list(map(in_flags, speed["warnings"]))
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
    kinds |= {"params": "integer", "macs": "integer", "nodes": "integer"}
    speeds = _costs(result[0]) if len(result) else {}
    kinds |= {name: "text" if isinstance(value, str) else "number" for name, value in speeds.items()}
    kinds |= {**({"pareto": "text"} if speeds else {}), "warnings": "text"}
    print_csv(kinds, [_record(row) for row in result])
    if result.adaptation is not None:
        say(str(result.adaptation))
    _say_failed(result)


def _record(row: Ranked) -> dict[str, Any]:
    """A model as a row of CSV."""
    record = row.to_dict()
    warned = [*record["warnings"], *(remark for speed in row.speeds for remark in speed.remarks)]
    front = {"pareto": "yes" if row.on_front else "no"} if row.speeds else {}
    return {**record, **_costs(row), **front, "warnings": in_flags("; ".join(dict.fromkeys(warned)))}


def _costs(row: Ranked) -> dict[str, float | str]:
    """What a model costs in each place: columns of CSV."""
    from archpredict.costs.cost import OwnCost

    found: dict[str, float | str] = {}
    for cost in row.speeds:
        numbers = {cost.what: cost.value, "low": cost.low, "high": cost.high}
        found |= {f"{name}: {cost.where}": value for name, value in numbers.items()}
        if isinstance(cost, OwnCost):
            found[f"measured: {cost.where}"] = "yes" if cost.is_measured else "no"
    return found


def _print_markdown(result: Ranking) -> None:
    from archpredict.cli._console import say
    from archpredict.predict.rank.ranking_table import cells, columns

    headings = columns(result.rows)
    click.echo("| " + " | ".join(headings) + " |")
    click.echo("|" + "|".join("---:" if align == "right" else "---" for align in headings.values()) + "|")
    for row in cells(result.rows):
        click.echo("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |")
    for note in result.notes:
        say(in_flags(note))
    _say_failed(result)


def _print_table(result: Ranking) -> None:
    from archpredict.cli._console import show_table
    from archpredict.predict.rank.ranking_table import cells, columns

    if len(result):
        show_table(result.title, columns(result.rows), cells(result.rows))
    for note in result.notes:
        click.echo(in_flags(note))
    _say_failed(result)


def _say_unmatched(result: Ranking) -> None:
    """What of the labels names no model."""
    from archpredict.cli._console import say

    unmatched = None if result.adaptation is None else result.adaptation.labels.unmatched
    if unmatched is not None:
        say(f"Warning: {unmatched}")


def _say_left_out(result: Ranking) -> None:
    """Which models the limits leave out, and whether they leave any."""
    from archpredict.cli._console import say

    for row in result.left_out:
        say(f"Left out: {row.name}: {row.reason}")
    if result.left_out and not len(result):
        say("Warning: no model is inside of the limits; loosen one of them")


def _say_failed(result: Ranking) -> None:
    from archpredict.cli._console import say

    for failure in result.failures:
        say(f"Error: {failure.error}")
