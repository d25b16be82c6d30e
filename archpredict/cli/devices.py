"""``archpredict devices``: list the devices and settings that speeds are predicted for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._options import debug_option, example, json_option

if TYPE_CHECKING:
    from archpredict.costs.known import KnownSetting


@click.command(
    name="devices", short_help="List the devices that speeds are predicted for.", epilog=example("archpredict devices")
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILES]...")
@json_option
@debug_option
def command(files: tuple[Path, ...], as_json: bool) -> None:
    """List the devices that the speed of models is predicted for, and each setting with its error.

    Errors are those on families of models that were left out: Kendall's tau-b and the mean absolute error in percent.
    FILES are devices of your own, as 'archpredict adapt' saved them; their errors are those on measured models, each
    told by the others.
    """
    from archpredict.cli._output import print_json
    from archpredict.costs.places import places_of
    from archpredict.costs.shipped import shipped_speed

    predictor = shipped_speed()
    found = [_described(name, [k for k in predictor.known_ if k.setting.device == name]) for name in predictor.devices]
    own = [{"file": str(file), **_own(place)} for file, place in zip(files, places_of(files), strict=True)]
    if as_json:
        print_json({"devices": found, **({"own": own} if own else {})})
        return
    _show(found)
    if own:
        _show_own(own)


def _own(place: Any) -> dict[str, Any]:
    """What is to be said of a device of the user's own."""
    return {"name": place.name, "column": place.cost.name, "setting": dict(place.cost.setting), **place.cost.figures}


def _described(name: str, known: list[KnownSetting]) -> dict[str, Any]:
    from dataclasses import asdict

    from archpredict.costs.settings import device

    settings = [
        {
            **k.setting.to_dict(),
            "models": k.models,
            "batch_sizes": [k.smallest, k.largest],
            "kendall_tau": k.tau,
            "error_percent": k.error,
        }
        for k in known
    ]
    return {**asdict(device(name)), "settings": settings}


def _show(devices: list[dict[str, Any]]) -> None:
    from archpredict.cli._console import show_table

    show_table(
        "Devices (--device)",
        {
            "name": "left",
            "device": "left",
            "TFLOPS fp32": "right",
            "half": "right",
            "GB/s": "right",
        },
        [(d["name"], d["title"], f"{d['tflops']:g}", f"{d['half_tflops']:g}", f"{d['bandwidth']:g}") for d in devices],
    )
    right = ("batch sizes", "models", "tau", "error")
    show_table(
        "Settings",
        {
            **dict.fromkeys(("device", "precision", "layout", "compiler", "runtime", "mode"), "left"),
            **dict.fromkeys(right, "right"),
        },
        [_cells(d["name"], row) for d in devices for row in d["settings"]],
    )


def _cells(name: str, row: dict[str, Any]) -> tuple[str, ...]:
    smallest, largest = row["batch_sizes"]
    return (
        name,
        *(row[key] for key in ("precision", "layout", "compiler", "runtime", "mode")),
        str(smallest) if smallest == largest else f"{smallest}-{largest}",
        str(row["models"]),
        f"{row['kendall_tau']:.3f}",
        f"{row['error_percent']:.0f} %",
    )


def _show_own(rows: list[dict[str, Any]]) -> None:
    from archpredict.cli._console import show_table

    show_table(
        "Devices of one's own",
        {
            "--device": "left",
            "column": "left",
            "measured in": "left",
            "models": "right",
            "tau": "right",
            "error": "right",
        },
        [
            (
                row["file"],
                row["column"],
                ", ".join(f"{name} {value}" for name, value in row["setting"].items()) or "-",
                str(row["models"]),
                f"{row['kendall_tau']:.3f}",
                f"{row['error_percent']:.0f} %",
            )
            for row in rows
        ],
    )
