"""``archpredict inspect``: say what an ONNX model is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from archpredict.cli._messages import in_flags
from archpredict.cli._onnx import input_shape_options
from archpredict.cli._options import debug_option, example, json_option
from archpredict.cli._speed import places_of, speed_options

if TYPE_CHECKING:
    from archpredict.costs.places import Place
    from archpredict.onnx.reader import OnnxModel

_PATH = click.Path(path_type=Path)


@click.command(
    name="inspect", short_help="Say what an ONNX model is made of.", epilog=example("archpredict inspect models/a.onnx")
)
@click.argument("file", type=_PATH)
@input_shape_options
@click.option("--draw", type=_PATH, metavar="FILE", help="Draw the graph by its blocks: out.svg or out.png.")
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="NAME",
    help="Device that the model is to run on, as 'archpredict devices' lists them, or a file that 'archpredict adapt' "
    "saved: predicts its speed; repeatable.",
)
@speed_options
@json_option
@debug_option
def command(
    file: Path,
    input_shape: Mapping[str, tuple[int, ...]],
    input_size: int,
    sequence_length: int,
    draw: Path | None,
    devices: tuple[str, ...],
    as_json: bool,
    **given: Any,
) -> None:
    """Summarise an ONNX model: operators, stages, parameters, multiply-adds, and what was folded.

    FILE is .onnx or .onnx.gz. Weights are not needed, and no other file is opened.
    """
    from archpredict.cli._console import warnings_as_lines
    from archpredict.onnx.files import read_model
    from archpredict.onnx.reader import OpenSizes

    places = places_of(devices, given)
    with warnings_as_lines():
        if draw is not None:
            from archpredict.graph.drawing import check_drawing

            check_drawing(draw)
        model = read_model(file, input_shape, OpenSizes(input_size, sequence_length), check_names=True)
        if draw is not None:
            from archpredict.graph.drawing import draw as draw_graph

            draw_graph(model.graph, draw, f"{file.name}: {model.graph.num_nodes:,} nodes")
    content = {**_described(model, draw), **({"speed": _speeds(model, places)} if places else {})}
    if as_json:
        from archpredict.cli._output import print_json

        print_json(content)
    else:
        _show(content)


def _described(model: OnnxModel, drawing: Path | None) -> dict[str, Any]:
    from archpredict.graph.operators import total
    from archpredict.graph.summary import operators, stages

    graph = model.graph
    return {
        "model": str(model.path),
        "producer": model.producer,
        "opset": model.opset,
        "inputs": {name: list(shape) for name, shape in model.inputs.items()},
        "outputs": {name: list(shape) for name, shape in model.outputs.items()},
        **({"assumed": {name: list(shape) for name, shape in model.assumed.items()}} if model.assumed else {}),
        "nodes_in_file": model.num_nodes,
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "params": int(total(graph, "params")),
        "macs": int(total(graph, "macs")),
        "operators": [_whole(asdict(row)) for row in operators(graph)],
        "stages": [_whole(asdict(row)) for row in stages(graph)],
        "folded": dict(model.folded),
        "unknown": dict(model.unknown),
        "warnings": [in_flags(text) for text in model.warnings],
        "drawing": None if drawing is None else str(drawing),
    }


def _speeds(model: OnnxModel, places: list[Place]) -> list[dict[str, Any]]:
    """What it costs in each place."""
    from archpredict.costs.places import costs_at

    found = [cost.to_dict() for cost in costs_at(places, [model.graph])[0]]
    return [{**row, "warnings": [in_flags(text) for text in row["warnings"]]} for row in found]


def _whole(row: dict[str, Any]) -> dict[str, Any]:
    """Counts as integers, which JSON tells from other numbers."""
    return {name: int(value) if isinstance(value, float) else value for name, value in row.items()}


def _show(content: Mapping[str, Any]) -> None:
    from archpredict.cli._console import show_table
    from archpredict.graph.summary import si

    for name, value in (
        ("Model", content["model"]),
        ("Written by", f"{content['producer'] or 'unknown'}, opset {content['opset']}"),
        ("Inputs", _tensors(content["inputs"])),
        ("Outputs", _tensors(content["outputs"])),
        ("Nodes", f"{content['nodes_in_file']:,} in the file, {content['nodes']:,} in the graph"),
        ("Parameters", f"{si(content['params'])} ({content['params']:,})"),
        ("Multiply-adds", f"{si(content['macs'])} ({content['macs']:,})"),
        ("Folded", _counts(content["folded"])),
        ("Unknown operators", _counts(content["unknown"])),
    ):
        click.echo(f"{name + ':':<19}{value}")
    click.echo()
    costs: dict[str, Literal["left", "right"]] = {"params": "right", "macs": "right"}
    show_table(
        "Operators",
        {"operator": "left", "nodes": "right", **costs},
        [(row["operator"], str(row["count"]), si(row["params"]), si(row["macs"])) for row in content["operators"]],
    )
    show_table(
        "Stages, by resolution",
        {"resolution": "left", "channels": "right", "nodes": "right", **costs},
        [
            (row["resolution"], _span(row["channels"]), str(row["nodes"]), si(row["params"]), si(row["macs"]))
            for row in content["stages"]
        ],
    )
    if content.get("speed"):
        _show_speeds(content["speed"])
    for warning in content["warnings"]:
        click.echo(f"Warning: {warning}")
    if content["drawing"] is not None:
        click.echo(f"Drawn: {content['drawing']}")


def _show_speeds(rows: list[Mapping[str, Any]]) -> None:
    from archpredict.cli._console import show_table

    names = ("device", "precision", "layout", "compiler", "runtime", "mode", "batch_size")
    predicted, own = [row for row in rows if "column" not in row], [row for row in rows if "column" in row]
    if predicted:
        show_table(
            "Speed",
            {**dict.fromkeys(names[:-1], "left"), "batch size": "right", "images/s": "right", "nine in ten": "right"},
            [(*(str(row[name]) for name in names), *_interval(row, row["images_per_second"])) for row in predicted],
        )
    if own:
        show_table(
            "Devices of one's own",
            {"device": "left", "column": "left", "value": "right", "nine in ten": "right", "measured models": "right"},
            [(row["device"], row["column"], *_interval(row, row["value"]), str(row["measured_models"])) for row in own],
        )
    for text in dict.fromkeys(text for row in rows for text in row["warnings"]):
        click.echo(f"Speed: {text}")


def _interval(row: Mapping[str, Any], value: float) -> tuple[str, str]:
    """A number, and what it lies between."""
    from archpredict.predict.rank.ranking_table import shown

    return shown(value), "measured" if row.get("measured") else f"{shown(row['low'])}-{shown(row['high'])}"


def _tensors(shapes: Mapping[str, list[int]]) -> str:
    from archpredict.onnx.files import shown_shape

    return ", ".join(f"{name} {shown_shape(shape)}" for name, shape in shapes.items()) or "none"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _span(channels: list[int]) -> str:
    low, high = channels
    if not high:
        return "-"
    return str(high) if low == high else f"{low}-{high}"
