"""``archpredict draw``: draw an architecture, or what differs between two."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archpredict.cli._onnx import input_shape_options
from archpredict.cli._options import debug_option, example, json_option
from archpredict.errors import InvalidArchitectureError, UsageError

if TYPE_CHECKING:
    from archpredict.graph.arch_graph import ArchGraph
    from archpredict.onnx.reader import OpenSizes
    from archpredict.spaces.base import Architecture

_PATH = click.Path(path_type=Path)
_LONGEST = 60
"""Letters of a notation that are written above a picture."""


@click.command(
    name="draw",
    short_help="Draw an architecture, or two and what differs.",
    epilog=example(
        "archpredict draw --space nasbench201 --out cell.svg",
        '"|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"',
    ),
)
@click.argument("first", metavar="ARCH|FILE")
@click.argument("second", metavar="[ARCH|FILE]", required=False)
@click.option("--out", type=_PATH, required=True, metavar="FILE", help="The picture: out.svg or out.png.")
@click.option(
    "--space",
    metavar="NAME",
    help="Space of the notation: a name, module:Class or file.py:Class.  [default: the one space that reads it]",
)
@click.option("--network", is_flag=True, help="Draw the whole network of an architecture, not its cells.")
@click.option("--title", default="", help="Line above the picture.")
@input_shape_options
@json_option
@debug_option
def command(
    first: str,
    second: str | None,
    out: Path,
    space: str | None,
    network: bool,
    title: str,
    input_shape: Mapping[str, tuple[int, ...]],
    input_size: int,
    sequence_length: int,
    as_json: bool,
) -> None:
    """Draw an architecture in the notation of its space, or an ONNX model by its blocks.

    Of two, what differs is marked in both. Graphviz lays out the boxes where it is installed.
    """
    from archpredict.cli._console import warnings_as_lines
    from archpredict.graph.drawing import check_drawing, draw
    from archpredict.onnx.reader import OpenSizes

    check_drawing(out)
    sizes = OpenSizes(input_size, sequence_length)
    given = [first] if second is None else [first, second]
    with warnings_as_lines():
        graphs = [_graph(text, space, network, input_shape, sizes) for text in given]
        if second is None:
            draw(graphs[0], out, title or _short(first))
        else:
            draw(graphs[0], out, title, other=graphs[1], names=(_short(first), _short(second)))
    if as_json:
        from archpredict.cli._output import print_json

        print_json({"drawing": str(out), "nodes": [graph.num_nodes for graph in graphs]})
    else:
        click.echo(f"Drawn: {out}")


def _graph(
    text: str, space: str | None, network: bool, shapes: Mapping[str, tuple[int, ...]], sizes: OpenSizes
) -> ArchGraph:
    """The graph of a file, or of a notation."""
    from archpredict.onnx.files import ENDINGS, read_model

    if text.lower().endswith(ENDINGS):
        return read_model(Path(text), shapes, sizes, check_names=True).graph
    if Path(text).is_file():
        raise UsageError(
            f"{text} is no ONNX file; give a file whose name ends in {' or '.join(ENDINGS)}, or a notation"
        )
    architecture = _architecture(text, space)
    return architecture.space.network(architecture.choices) if network else architecture.graph


def _architecture(text: str, space: str | None) -> Architecture:
    """The architecture of a notation; where no space is given, in the only one that reads it."""
    from archpredict.registry import names
    from archpredict.spaces.base import load_space

    if space is not None:
        return load_space(space).from_text(text)
    found = {}
    for name in names("spaces"):
        try:
            found[name] = load_space(name).from_text(text)
        except InvalidArchitectureError:
            continue
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise UsageError(
            f"{_short(text)!r} is neither an ONNX file nor in the notation of any space; give --space NAME to hear why "
            "(see archpredict spaces)"
        )
    raise UsageError(f"the spaces {', '.join(found)} can all read {_short(text)!r}; say which one with --space NAME")


def _short(text: str) -> str:
    name = Path(text).name if text.lower().endswith((".onnx", ".gz")) else text
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
