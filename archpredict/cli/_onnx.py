"""Options of commands that read ONNX files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

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
