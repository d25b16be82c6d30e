"""``archpredict adapt``: estimate what models cost on a device that a few of them were measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._messages import in_flags
from archpredict.cli._onnx import input_shape_options
from archpredict.cli._options import debug_option, example, json_option
from archpredict.cli._predictors import quiet_option
from archpredict.errors import DataError, UsageError

if TYPE_CHECKING:
    from archpredict.costs.adapted import AdaptedCost
    from archpredict.costs.measured import MeasuredCosts
    from archpredict.tables.formats.base import Kind
    from archpredict.tables.model_labels import Labels

_FAILED = 1
_FEWEST = 3
_PATH = click.Path(path_type=Path)
_COLUMNS: Mapping[str, Kind] = {
    "model": "text",
    **dict.fromkeys(("measured", "estimate", "low", "high"), "number"),
}


def _read_where(ctx: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"rows are chosen by COLUMN=VALUE, such as batch_size=64; {text!r} was given")
        found[name.strip()] = value
    return found


@click.command(
    name="adapt",
    short_help="Estimate costs on a device that a few models were measured on.",
    epilog=example("archpredict adapt models/ --costs speed.csv --out all.csv"),
)
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option(
    "--costs",
    type=_PATH,
    required=True,
    metavar="FILE",
    help="Table (columns model, and what was measured) of some of the models, 3 at least.",
)
@click.option("--column", metavar="NAME", help="What was measured; samples_per_sec, latency and the like if left out.")
@click.option(
    "--where",
    callback=_read_where,
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Read the rows of one setting only, such as batch_size=64; repeatable.",
)
@click.option("--out", type=_PATH, metavar="FILE", help="Write the estimates as a table, .csv and the like.")
@click.option("--save", type=_PATH, metavar="FILE", help="Keep what was learnt, .safetensors: a --device.")
@input_shape_options
@json_option
@quiet_option
@debug_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Estimate what models cost on a device on which only some of them were measured.

    FILES are .onnx or .onnx.gz files, folders, or patterns: those that were measured, and the rest. What was measured
    may be images per second, latency, energy, memory: anything above 0. The exit code is 1 when some files could not be
    read.
    """
    from archpredict.cli._console import progress, warnings_as_lines
    from archpredict.cli._output import check_file, check_output
    from archpredict.costs.measured import read_costs
    from archpredict.onnx.files import find_models, read_models
    from archpredict.onnx.reader import OpenSizes

    if given["out"] is not None:
        check_output(given["out"], given["costs"])
    if given["save"] is not None:
        check_file(given["save"], given["costs"])
    with warnings_as_lines():
        costs = read_costs(given["costs"], given["column"], given["where"])
        paths = find_models(given["files"])
        with progress(given["quiet"]) as observer:
            sizes = OpenSizes(given["input_size"], given["sequence_length"])
            models, failures = read_models(paths, given["input_shape"], observer, sizes)
        names = [str(model.path) for model in models]
        labels = _matched(costs, names, [failure.model for failure in failures])
        cost, rows = _estimated([model.graph for model in models], names, costs, labels)
        if given["save"] is not None:
            cost.save(given["save"])
        if given["out"] is not None:
            _write(given["out"], rows)
    _show(given, costs, cost, rows, [{"model": f.model, "error": in_flags(f.error)} for f in failures])
    if failures:
        ctx.exit(_FAILED)


def _matched(costs: MeasuredCosts, names: Sequence[str], unreadable: Sequence[str]) -> Labels:
    """Which models were measured."""
    from archpredict.tables.model_labels import read_labels

    try:
        return read_labels(costs.values, names, unreadable, _FEWEST)
    except DataError as error:
        raise DataError(f"{costs.path}: {error}") from error


def _estimated(
    graphs: Sequence[Any], names: Sequence[str], costs: MeasuredCosts, labels: Labels
) -> tuple[AdaptedCost, list[dict[str, Any]]]:
    """A row for each model: what was measured, and what it is expected to be by the others."""
    import numpy as np

    from archpredict.costs.adapted import AdaptedCost

    measured = labels.models
    cost = AdaptedCost.fit([graphs[i] for i in measured], labels.scores, costs.column, setting=costs.setting)
    every, own = cost.predict(graphs), cost.left_out
    value, low, high = (np.array(each) for each in (every.values, every.low, every.high))
    value[measured], low[measured], high[measured] = own.values, own.low, own.high
    known = dict(zip(measured, labels.scores.tolist(), strict=True))
    rows = [
        {
            "model": name,
            "measured": known.get(i),
            "estimate": float(value[i]),
            "low": float(low[i]),
            "high": float(high[i]),
        }
        for i, name in enumerate(names)
    ]
    return cost, rows


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from archpredict.cli._output import write_table

    write_table(path, _COLUMNS, rows)


def _show(
    given: Mapping[str, Any],
    costs: MeasuredCosts,
    cost: AdaptedCost,
    rows: list[dict[str, Any]],
    failed: list[dict[str, str]],
) -> None:
    from archpredict.cli._console import say, show_table
    from archpredict.cli._output import print_json

    figures = cost.figures
    if given["as_json"]:
        source = {"costs": str(costs.path), "costs_sha256": costs.sha256, "column": cost.name}
        saved = None if given["save"] is None else str(given["save"])
        print_json({**source, "left_out": figures, "saved": saved, "estimates": rows, "failed": failed})
        return
    table = [
        (
            row["model"],
            "" if row["measured"] is None else f"{row['measured']:.4g}",
            f"{row['estimate']:.4g}",
            f"{row['low']:.4g} to {row['high']:.4g}",
        )
        for row in rows
    ]
    align = {"model": "left", "measured": "right", "estimate": "right", "9 in 10 lie between": "right"}
    show_table(f"{cost.name}, by {figures['models']} measured models", align, table)  # type: ignore[arg-type]
    say(
        f"The measured models, each by the others: {figures['error_percent']:.1f} % off on average, Kendall's tau "
        f"{figures['kendall_tau']:.3f}, {100 * figures['in_interval']:.0f} % between low and high"
    )
    if costs.untrusted:
        say(f"{costs.path}: {costs.untrusted} rows say that they are not to be trusted")
    for failure in failed:
        say(f"{failure['model']}: {failure['error']}")
