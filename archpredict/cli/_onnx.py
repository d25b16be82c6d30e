"""Options of commands that read ONNX files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archpredict.cli._executors import executor_elsewhere, place_options

if TYPE_CHECKING:
    from archpredict.onnx.apart import FileReading

_Decorated = TypeVar("_Decorated", bound=Callable[..., object])
_LARGEST = 65_536


def input_shapes(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Callback of ``--input-shape``: lengths of axes by the name of the input, which may be left out."""
    from archpredict.onnx.files import ONLY

    shapes = {}
    for text in given:
        name, _, lengths = text.rpartition("=")
        try:
            shapes[name.strip()] = tuple(int(length) for length in lengths.lower().split("x"))
        except ValueError:
            shapes[ONLY] = (0,)
        if any(length < 1 for shape in shapes.values() for length in shape):
            raise click.BadParameter(
                f"{text!r} is no shape; expected NAME=1x3x224x224, or 1x3x224x224 for models with one input",
                ctx,
                parameter,
            )
    return shapes


def input_shape_options(command: _Decorated) -> _Decorated:
    """``--input-shape``, repeatable, and the sizes of inputs for which it is not given."""
    size = click.IntRange(1, _LARGEST)
    command = click.option(
        "--sequence-length",
        type=size,
        default=128,
        show_default=True,
        metavar="N",
        help="Length of texts and time series that the files leave open.",
    )(command)
    command = click.option(
        "--input-size",
        type=size,
        default=224,
        show_default=True,
        metavar="N",
        help="Height and width of images that the files leave open.",
    )(command)
    return click.option(
        "--input-shape",
        "input_shape",
        multiple=True,
        metavar="[NAME=]1x3x224x224",
        callback=input_shapes,
        help="Shape of an input that the files leave open; repeatable.",
    )(command)


def file_options(command: _Decorated) -> _Decorated:
    """How many files are read: where, limits of each, what is kept of it, and scores as they become known."""
    for option in (
        click.option(
            "--follow",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="CSV file that is written meanwhile: scores in the order of reading, without ranks.",
        ),
        click.option(
            "--cache",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Keep what was read in this file; models that have not changed are not read again.",
        ),
        click.option(
            "--file-memory",
            type=click.IntRange(min=100),
            default=4000,
            show_default=True,
            metavar="MB",
            help="What one file may take, where processes read.",
        ),
        click.option(
            "--file-seconds",
            type=click.FloatRange(min=0, min_open=True),
            default=120.0,
            show_default=True,
            metavar="S",
            help="How long one file may take, where processes read.",
        ),
        place_options("reading"),
        click.option(
            "--jobs",
            type=click.IntRange(min=0),
            help="Processes that read files.  [default: all cores from 64 files on]",
        ),
    ):
        command = option(command)
    return command


def file_reading(given: Mapping[str, Any]) -> FileReading:
    """What these options say."""
    from archpredict.onnx.apart import FileReading

    executor = executor_elsewhere(given)
    return FileReading(given["jobs"], given["file_seconds"], 1_000_000 * given["file_memory"], given["cache"], executor)
