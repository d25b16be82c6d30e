"""Options of commands that read ONNX files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

_Decorated = TypeVar("_Decorated", bound=Callable[..., object])


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


def input_shape_option(command: _Decorated) -> _Decorated:
    """``--input-shape``, repeatable."""
    return click.option(
        "--input-shape",
        "input_shape",
        multiple=True,
        metavar="[NAME=]1x3x224x224",
        callback=input_shapes,
        help="Shape of an input that the files leave open; repeatable.",
    )(command)
