"""``archpredict rank``: which of many ONNX models to train."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from archpredict.cli._messages import in_flags
from archpredict.cli._onnx import input_shape_option
from archpredict.cli._options import debug_option, json_option
from archpredict.cli._predictors import device_option, quiet_option
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.cli._adapting import Adaptation
    from archpredict.onnx.files import Failure
    from archpredict.predict.adaptation import AdaptedPredictor
    from archpredict.predict.predictor import Predictor
    from archpredict.predict.ranking import Ranked
    from archpredict.progress import Event, Observer
    from archpredict.tables.formats.base import Kind

SHIPPED = "imagenet"
_FAILED = 1
_SHORT_SECONDS = 1.0
Align = Literal["left", "right"]
_PATH = click.Path(path_type=Path)


@click.command(name="rank", short_help="Rank ONNX models without training them.")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option(
    "--predictor",
    default=SHIPPED,
    show_default=True,
    metavar="DIR|NAME",
    help="Folder of a saved predictor of ONNX models, or the name of a shipped one.",
)
@input_shape_option
@click.option(
    "--labels",
    type=_PATH,
    metavar="FILE",
    help="Table (columns model, score) of models that you have measured: adapts the predictor to them.",
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
    if given["as_json"]:
        _print_json(result)
    elif given["form"] == "csv":
        _print_csv(result)
    else:
        _print_table(result)
    if result.failed:
        ctx.exit(_FAILED)


@dataclass(frozen=True, eq=False)
class _Result:
    """What is printed: the predictor's name, what its scores mean, the rows, and what could not be read."""

    predictor: str
    meaning: str
    rows: list[Ranked]
    failed: list[Failure]
    adaptation: Adaptation | None


def _check(given: Mapping[str, Any]) -> None:
    """What can be told before anything is read."""
    if given["as_json"] and given["form"] == "csv":
        raise UsageError("--json and --format csv both say what to print; leave one of them out")
    if given["save"] is not None and given["labels"] is None:
        raise UsageError("--save keeps a predictor that --labels adapts; give --labels too, or leave --save out")
    if given["save"] is not None:
        from archpredict.cli._adapting import check_save

        check_save(given["save"])


def _result(given: Mapping[str, Any], observer: Observer) -> _Result:
    from archpredict.onnx.files import find_models, read_models
    from archpredict.predict.adaptation import load_ranker
    from archpredict.predict.ranking import check_ranker, ranked

    name = given["predictor"]
    models, failed = read_models(find_models(given["files"]), given["input_shape"], observer)
    ranker: Predictor | AdaptedPredictor = load_ranker(name, given["device"])
    check_ranker(ranker, name)
    adaptation = None
    if given["labels"] is not None:
        from archpredict.cli._adapting import adapt, save

        adaptation = adapt(ranker, name, given["labels"], models, [failure.model for failure in failed])
        ranker = adaptation.ranker
        if given["save"] is not None:
            save(ranker, given["save"])
            adaptation = replace(adaptation, saved=given["save"])
    meaning = str(ranker.card_.get("meaning") or ranker.card_.get("labels") or "higher is better").rstrip(".")
    return _Result(name, meaning, ranked(models, ranker), failed, adaptation)


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


def _print_json(result: _Result) -> None:
    from archpredict.cli._output import print_json

    content: dict[str, Any] = {
        "predictor": result.predictor,
        "score": result.meaning,
        "ranking": [_record(row) for row in result.rows],
        "failed": [{"model": failure.model, "error": in_flags(failure.error)} for failure in result.failed],
    }
    if result.adaptation is not None:
        content["adaptation"] = result.adaptation.to_dict()
    print_json(content)


def _print_csv(result: _Result) -> None:
    from archpredict.cli._console import say
    from archpredict.cli._output import print_csv

    kinds: dict[str, Kind] = {"rank": "integer", "model": "text"}
    kinds |= dict.fromkeys(("score", "std", "beats_next"), "number")
    kinds |= {"params": "integer", "macs": "integer", "nodes": "integer", "warnings": "text"}
    rows = [{**record, "warnings": "; ".join(record["warnings"])} for record in map(_record, result.rows)]
    print_csv(kinds, rows)
    if result.adaptation is not None:
        say(result.adaptation.sentence())
    _say_failed(result)


def _record(row: Ranked) -> dict[str, Any]:
    from archpredict.graph.operators import total

    graph = row.model.graph
    return {
        "rank": row.rank,
        "model": str(row.model.path),
        "score": row.score,
        "std": row.std,
        "beats_next": row.beats_next,
        "params": int(total(graph, "params")),
        "macs": int(total(graph, "macs")),
        "nodes": graph.num_nodes,
        "warnings": [in_flags(remark.sentence) for remark in row.remarks],
    }


def _print_table(result: _Result) -> None:
    from archpredict.cli._console import show_table

    names = _names([Path(str(row.model.path)) for row in result.rows])
    if result.rows:
        columns: dict[str, Align] = {"rank": "right", "model": "left"}
        columns |= dict.fromkeys(("score", "±", "beats next", "params", "macs", "nodes"), "right")
        title = f"{len(names)} model{'' if len(names) == 1 else 's'} ranked by {result.predictor}"
        show_table(title, {**columns, "warnings": "left"}, _cells(result.rows, names))
        click.echo(f"Score: {result.meaning}; ± is one standard deviation.")
        click.echo("beats next: probability of being better than the model below.")
    for row, name in zip(result.rows, names, strict=True):
        for remark in row.remarks:
            click.echo(f"{name}: {remark.sentence}")
    if result.adaptation is not None:
        click.echo(result.adaptation.sentence())
    _say_failed(result)


def _cells(rows: Sequence[Ranked], names: Sequence[str]) -> list[tuple[str, ...]]:
    from archpredict.cli._console import si

    numbers = zip(*_fixed([row.score for row in rows], [row.std for row in rows]), strict=True)
    cells: list[tuple[str, ...]] = []
    for row, name, (score, std), record in zip(rows, names, numbers, map(_record, rows), strict=True):
        rank = f"{'=' if row.tied else ''}{row.rank}"
        better = "-" if row.beats_next is None else f"{row.beats_next:.2f}"
        costs = si(record["params"]), si(record["macs"]), str(record["nodes"])
        words = ", ".join(dict.fromkeys(remark.words for remark in row.remarks))
        cells.append((rank, name, score, std, better, *costs, words))
    return cells


def _say_failed(result: _Result) -> None:
    from archpredict.cli._console import say

    for failure in result.failed:
        say(f"Error: {failure.error}")


def _names(paths: Sequence[Path]) -> list[str]:
    """File names where they tell the models apart, else paths."""
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else list(map(str, paths))


def _fixed(scores: Sequence[float], stds: Sequence[float | None]) -> tuple[list[str], list[str]]:
    """Scores and deviations with as many decimals as their uncertainty, or else their spread, makes worth showing.

    Example:
        >>> _fixed([81.234, 79.0], [0.82, 1.13])
        (['81.23', '79.00'], ['0.82', '1.13'])
        >>> _fixed([0.91234, 0.9], [None, None])
        (['0.9123', '0.9000'], ['-', '-'])
    """
    known = [std for std in stds if std]
    scale = min(known) if known else max(scores) - min(scores)
    decimals = min(9, max(0, 1 - math.floor(math.log10(scale)))) if scale > 0 else 2
    decimals += 0 if known else 1
    return (
        [f"{score:.{decimals}f}" for score in scores],
        ["-" if std is None else f"{std:.{decimals}f}" for std in stds],
    )
