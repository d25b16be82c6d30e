"""``archpredict export``: write an architecture's network as ONNX or for torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._options import debug_option, example, json_option, pairs_option
from archpredict.errors import UsageError

if TYPE_CHECKING:
    from archpredict.graph.arch_graph import ArchGraph
    from archpredict.networks.network import Network
    from archpredict.spaces.base import Architecture

_PATH = click.Path(path_type=Path)
_FORM = {"classes": 10, "image_size": 32, "image_channels": 3}
"""Options of new networks, and what holds where they are not given."""


@click.command(
    name="export",
    short_help="Write an architecture's network as ONNX or for torch.",
    epilog=example(
        "archpredict export --space nasbench201 --to onnx --out net.onnx",
        '"|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"',
    ),
)
@click.argument("architecture", metavar="[ARCH]", required=False)
@click.option("--space", help="Name (see 'archpredict spaces'), module:Class or file.py:Class.")
@click.option("--to", type=click.Choice(["onnx", "torch"]), required=True, help="ONNX, or a torch.export program.")
@click.option("--out", type=_PATH, required=True, metavar="FILE", help="The file: out.onnx or out.pt2.")
@click.option("--weights", type=_PATH, metavar="FILE", help="A network that 'archpredict train' has saved.")
@pairs_option("--network", "channels=8", "Option of the space's networks, e.g. channels=8; repeatable.")
@click.option("--classes", type=click.IntRange(min=1), help="Scores per image.  [default: 10]")
@click.option("--image-size", type=click.IntRange(min=1), help="Height and width in pixels.  [default: 32]")
@click.option("--image-channels", type=click.IntRange(min=1), help="3 for colours, 1 for grey.  [default: 3]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of weights drawn at random.")
@json_option
@debug_option
def command(**given: Any) -> None:
    """Write the network of an architecture, batch norms folded, for batches of any size.

    ARCH is in the notation of --space, and weights are drawn at random. With --weights it is the trained network of
    that file; ARCH and --space may be left out.
    """
    from archpredict.cli._console import warnings_as_lines

    with warnings_as_lines():
        content = _export(given)
    if given["as_json"]:
        from archpredict.cli._output import print_json

        print_json(content)
    else:
        _show(content)


def _export(given: Mapping[str, Any]) -> dict[str, Any]:
    from archpredict.graph.operators import total
    from archpredict.networks.exporting import check_export, export, image_shape

    check_export(given["out"], given["to"])
    architecture = _architecture(given)
    network = _new(architecture, given) if given["weights"] is None else _trained(architecture, given)
    export(network, given["out"], given["to"])
    return {
        "out": str(given["out"]),
        "to": given["to"],
        "space": None if architecture is None else architecture.space.name,
        "architecture": None if architecture is None else str(architecture),
        "weights": None if given["weights"] is None else str(given["weights"]),
        "image": list(image_shape(network.graph)),
        "key": network.graph.key,
        "params": int(total(network.graph, "params")),
        "macs": int(total(network.graph, "macs")),
        "bytes": given["out"].stat().st_size,
    }


def _architecture(given: Mapping[str, Any]) -> Architecture | None:
    from archpredict.spaces.base import load_space

    text, space = given["architecture"], given["space"]
    if text is not None and space is not None:
        return load_space(space).from_text(text)
    if text is not None:
        raise UsageError("ARCH needs --space, the search space whose notation it is in")
    if given["weights"] is None:
        raise UsageError("give an architecture and --space, or --weights with a trained network")
    if space is not None:
        raise UsageError("--space goes with ARCH; give both, or leave both out: --weights holds the whole network")
    return None


def _new(architecture: Architecture | None, given: Mapping[str, Any]) -> Network:
    from archpredict.networks.network import build

    assert architecture is not None  # without --weights there is one
    numbers = [given[name] or default for name, default in _FORM.items()]
    return build(_graph(architecture, numbers, given["network"]), seed=given["seed"])


def _trained(architecture: Architecture | None, given: Mapping[str, Any]) -> Network:
    """The network of the file, which must be the architecture's if one is given."""
    from archpredict.networks.exporting import image_shape, num_scores
    from archpredict.networks.network import load

    for name in _FORM:
        if given[name] is not None:
            raise UsageError(f"--{name.replace('_', '-')} is for new networks, --weights has it fixed; leave it out")
    network, _ = load(given["weights"])
    if architecture is None:
        if given["network"]:
            raise UsageError("--network goes with ARCH and --space; leave it out: --weights holds the whole network")
        return network
    channels, size, _ = image_shape(network.graph)
    expected = _graph(architecture, (num_scores(network.graph), size, channels), given["network"])
    if expected.key != network.graph.key:
        raise UsageError(
            f"{given['weights']} holds another network than {architecture}; leave ARCH and --space out to export it, "
            "or give --network as in its training"
        )
    return network


def _graph(architecture: Architecture, numbers: Sequence[int], options: Mapping[str, float]) -> ArchGraph:
    """The architecture's network; the numbers are classes, image size and image channels."""
    from archpredict.networks.form import Form

    classes, size, channels = numbers
    form = Form(classes, size, channels, _whole_numbers(options))
    return form.graph(architecture.space, architecture.choices)


def _whole_numbers(options: Mapping[str, float]) -> dict[str, int]:
    for name, number in options.items():
        if not number.is_integer():
            raise UsageError(f"--network {name}={number:g}: options of networks are whole numbers")
    return {name: int(number) for name, number in options.items()}


def _show(content: Mapping[str, Any]) -> None:
    from archpredict.graph.summary import si

    weights = "random weights" if content["weights"] is None else f"weights of {content['weights']}"
    what = content["architecture"] or "the network"
    click.echo(f"Exported {what} with {weights}; saved in {content['out']}")
    channels, height, width = content["image"]
    click.echo(
        f"It reads images of ?x{channels}x{height}x{width}; {si(content['params'])} parameters, "
        f"{si(content['macs'])} multiply-adds per image"
    )
