"""``archpredict measure``: measure how fast ONNX models run on this machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._onnx import input_shape_options
from archpredict.cli._options import debug_option, example, json_option
from archpredict.cli._predictors import quiet_option

if TYPE_CHECKING:
    from archpredict.measuring.measure import Measurements
    from archpredict.measuring.table import Measurement
    from archpredict.progress import Observer

_FAILED = 1
_PATH = click.Path(path_type=Path)
_SETTING = ("runtime", "precision", "layout", "compiler", "mode")
_COUNT = click.IntRange(min=1)


@click.command(
    name="measure",
    short_help="Measure how fast ONNX models run on this machine.",
    epilog=example("archpredict measure models/ --out speed.csv --batch-size 1"),
)
@click.argument("models", nargs=-1, required=True, metavar="FILES...")
@click.option(
    "--out",
    type=_PATH,
    metavar="FILE",
    help="Table to write, .csv, .jsonl or .parquet; rows that are in it are not measured again.",
)
@click.option(
    "--batch-size",
    "batch_sizes",
    type=_COUNT,
    multiple=True,
    default=(1,),
    show_default="1",
    metavar="N",
    help="Images at once; repeatable.",
)
@click.option("--threads", type=_COUNT, metavar="N", help="On the CPU.  [default: all processors]")
@click.option(
    "--runtime",
    type=click.Choice(["onnxruntime", "torch"]),
    default="onnxruntime",
    show_default=True,
    help="What runs the models; torch builds them anew where it can, with weights that are made up.",
)
@click.option(
    "--precision", metavar="NAME", help="With torch: fp32, amp, amp_bf16, bf16 or fp16.  [default: fp32; the file's]"
)
@click.option("--layout", default="nchw", show_default=True, metavar="NAME", help="With torch: nchw or nhwc.")
@click.option("--compiler", default="eager", show_default=True, metavar="NAME", help="With torch: eager or dynamo.")
@click.option("--mode", default="infer", show_default=True, metavar="NAME", help="With torch: infer or train.")
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda or cuda:1.")
@click.option(
    "--device-name", metavar="NAME", help="What the table calls the device.  [default: made of its maker's name]"
)
@input_shape_options
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of weights that are made up.")
@click.option("--retry", is_flag=True, help="Measure again what is in the table as failed or not to be trusted.")
@click.option(
    "--tolerance",
    type=float,
    default=0.02,
    show_default=True,
    metavar="SHARE",
    help="Repeat until the median is known to within this share of it.",
)
@click.option("--seconds", type=float, default=10.0, show_default=True, help="Repeat for this long at most.")
@click.option("--repeats", type=_COUNT, default=1000, show_default=True, help="Repeat this often at most.")
@click.option("--timeout", type=float, default=600.0, show_default=True, help="Seconds for one model in all.")
@json_option
@quiet_option
@debug_option
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Measure how fast ONNX models run on this machine, and keep it in a table.

    FILES are .onnx or .onnx.gz files, folders, or patterns. Weights that are absent are made up. Each model runs in a
    process of its own; the exit code is 1 when some could not be measured. Ended by Ctrl-C, the same command goes on.
    """
    from archpredict.cli._console import progress, warnings_as_lines
    from archpredict.cli._interrupts import resumable

    with warnings_as_lines(), resumable(ctx, lambda: _again(given)), progress(given["quiet"]) as observer:
        result = _result(given, observer)
    if given["as_json"]:
        from archpredict.cli._output import print_json

        print_json(result.to_dict())
    else:
        _print_table(result, given["out"])
    if result.failures:
        ctx.exit(_FAILED)


def _result(given: Mapping[str, Any], observer: Observer) -> Measurements:
    from archpredict.measuring.measure import measure
    from archpredict.measuring.timing import Limits
    from archpredict.onnx.files import ONLY

    shapes = dict(given["input_shape"])
    names = ("out", "batch_sizes", "threads", "device", "device_name", "seed", "retry", *_SETTING)
    return measure(
        given["models"],
        **{name: given[name] for name in names},
        input_shape=shapes.pop(ONLY, None),
        input_shapes=shapes,
        input_size=given["input_size"],
        sequence_length=given["sequence_length"],
        limits=Limits(**{name: given[name] for name in ("tolerance", "seconds", "repeats", "timeout")}),
        observer=observer,
    )


def _again(given: Mapping[str, Any]) -> str | None:
    """The command that goes on; None without a table, in which case nothing is kept."""
    if given["out"] is None or not given["out"].exists():
        return None
    return f"archpredict measure ... --out {shlex.quote(str(given['out']))} (the same command again)"


def _print_table(result: Measurements, out: Path | None) -> None:
    from archpredict.cli._console import say, show_table
    from archpredict.errors import counted

    rows = [row for row in result if not row.failed]
    if rows:
        columns = {"model": "left", "batch": "right", "images/s": "right", "ms": "right", "± %": "right"}
        columns |= {"memory MB": "right", "trusted": "left"}
        chosen = ", ".join(getattr(rows[0], name) for name in _SETTING)
        title = f"Speed on {rows[0].processor}, {counted(rows[0].threads, 'thread')}, {chosen}"
        show_table(title, columns, [_cells(row) for row in rows])  # type: ignore[arg-type]
    for row in rows:
        if row.reason:
            click.echo(f"Not to be trusted: {row.model}, batch size {row.batch_size}: {row.reason}.")
    made_up = sum(bool(row.made_up) for row in rows)
    if made_up:
        click.echo(f"Weights were made up in {counted(made_up, 'measurement')}, as the files have none.")
    if result.reused:
        click.echo(f"{counted(result.reused, 'measurement')} had been made before.")
    if out is not None:
        click.echo(f"Table: {out}")
    for row in result.failures:
        say(f"Error: {row.model}, batch size {row.batch_size}: {row.reason}")


def _cells(row: Measurement) -> list[str]:
    low, high, median = row.step_time_low_ms, row.step_time_high_ms, row.step_time_ms
    width = "-" if low is None or high is None or not median else f"{100 * (high - low) / 2 / median:.1f}"
    memory = "-" if row.peak_memory_mb is None else f"{row.peak_memory_mb:.0f}"
    speed = "-" if row.samples_per_sec is None else f"{row.samples_per_sec:.4g}"
    time = "-" if median is None else f"{median:.4g}"
    return [row.model, str(row.batch_size), speed, time, width, memory, row.trusted]
