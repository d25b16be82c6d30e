"""``archpredict evaluate`` under a protocol that holds out devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archpredict.cli._executors import made_executor

if TYPE_CHECKING:
    from archpredict.predict.device_protocols import DeviceProtocol
    from archpredict.predict.device_validation import DeviceSummary, DeviceTrial
    from archpredict.tables.formats.base import Kind

_SEEDS = 5


def evaluate(given: Mapping[str, Any], folder: str | Path) -> None:
    """Hold out each device, and print how well every method tells what architectures cost there.

    Args:
        given: Options of the command.
        folder: Of the tables.
    """
    from archpredict.cli._console import progress
    from archpredict.cli._evaluation_pages import write_devices
    from archpredict.predict.device_protocols import load_device_protocol
    from archpredict.predict.device_validation import evaluate_devices, summarize_devices

    protocol = load_device_protocol(given["protocol"], folder, given["target"] or "latency")
    seeds, executor = given["seeds"] or _SEEDS, made_executor(given)
    with progress(given["quiet"]) as observer:
        trials = evaluate_devices(protocol, given["train_sizes"] or None, range(seeds), observer, executor=executor)
    if given["csv_file"] is not None:
        _write(given["csv_file"], trials)
    summaries = summarize_devices(trials)
    write_devices(given, protocol, folder, summaries, trials)
    if given["as_json"]:
        _print_json(protocol, folder, seeds, summaries, trials)
    else:
        _show(protocol, seeds, summaries)


def _write(path: Path, trials: Sequence[DeviceTrial]) -> None:
    from archpredict.cli._output import number_columns, write_table

    rows = [trial.row() for trial in trials]
    texts: dict[str, Kind] = {"device": "text", "method": "text"}
    write_table(path, {**number_columns(rows), **texts}, rows)


def _print_json(
    protocol: DeviceProtocol,
    folder: str | Path,
    seeds: int,
    summaries: Sequence[DeviceSummary],
    trials: Sequence[DeviceTrial],
) -> None:
    from archpredict.cli._output import print_json

    print_json(
        {
            "protocol": protocol.name,
            "description": protocol.description,
            "space": protocol.space.name,
            "data": str(folder),
            "metric": protocol.metric,
            "devices": list(protocol.devices),
            "seeds": seeds,
            "methods": [asdict(summary) for summary in summaries],
            "trials": [trial.row() for trial in trials],
        }
    )


def _show(protocol: DeviceProtocol, seeds: int, summaries: Sequence[DeviceSummary]) -> None:
    from archpredict.cli._console import say, show_table

    columns = {"method": "left", **dict.fromkeys((*protocol.devices, "mean"), "right"), "±": "right"}
    for n in dict.fromkeys(summary.n for summary in summaries):
        rows = [
            (row.method, *map(_cell, (*row.devices.values(), row.mean)), f"{row.std['spearman']:.3f}")
            for row in summaries
            if row.n == n
        ]
        title = f"{protocol.name} ({protocol.metric}): {n} measurements, mean over {seeds} seeds"
        show_table(title, columns, rows)  # type: ignore[arg-type]
    say("Spearman's rank correlation, error (of cells with a path from input to output)")
    for row in summaries:
        if "coverage_90" in row.mean:
            told = ", ".join(f"{name} {100 * f['coverage_90']:.1f} %" for name, f in row.devices.items())
            say(f"{row.n} measurements, 90 % intervals hold {100 * row.mean['coverage_90']:.1f} %: {told}")


def _cell(figures: Mapping[str, float]) -> str:
    text = f"{figures['spearman']:.3f}"
    if "error_percent" in figures:
        text += f", {figures['error_percent']:.0f} % ({figures['error_percent_connected']:.0f} %)"
    return text
