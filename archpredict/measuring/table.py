"""Measurements: rows of a table of measured speeds, read and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from archpredict.errors import DataError
from archpredict.tables.formats.base import Kind, read_rows, write_rows
from archpredict.tables.reading.numbers import as_kind

__all__ = ["COLUMNS", "Measurement", "read_measurements", "write_measurements"]

COLUMNS: Mapping[str, Kind] = {
    "model": "text",
    "device": "text",
    "precision": "text",
    "layout": "text",
    "compiler": "text",
    "runtime": "text",
    "mode": "text",
    "batch_size": "integer",
    "threads": "integer",
    "samples_per_sec": "number",
    "step_time_ms": "number",
    "step_time_low_ms": "number",
    "step_time_high_ms": "number",
    "repeats": "integer",
    "peak_memory_mb": "number",
    "made_up": "integer",
    "trusted": "text",
    "reason": "text",
    "reference_before_ms": "number",
    "reference_after_ms": "number",
    "processor": "text",
    "cores": "integer",
    "system": "text",
    "versions": "text",
    "sha256": "text",
}
"""The columns of a table of measured speeds, and what they hold."""
_NEEDED = ("model", "device", "runtime", "batch_size", "threads", "sha256")
YES, NO = "yes", "no"


@dataclass(frozen=True)
class Measurement:
    """A row of a table of measured speeds: how fast a model ran, or why it did not.

    Args:
        model: Path of its file, as it was given.
        device: What the machine's processor is called.
        runtime: Name and version, such as ``onnxruntime 1.32.0``.
        batch_size: Images at once.
        threads: On the CPU.
        sha256: Of the file, empty where it could not be read.
        precision: Of most of its weights, empty where nothing was measured; with torch, what was asked for.
        layout, compiler, mode: Of images in memory, of the program, and whether training counts too.
        samples_per_sec: Images per second; None where nothing was measured.
        step_time_ms: The median of the times of a run, in milliseconds.
        step_time_low_ms, step_time_high_ms: The 95 % interval of that median; None for fewer than six runs.
        repeats: How many runs were timed.
        peak_memory_mb: Of the process while it ran, in 10⁶ bytes.
        made_up: How many parameters were made up, because the file has none.
        trusted: ``yes``, or ``no`` where the machine was not quiet or the interval is wide; empty without a time.
        reason: Why it is not trusted, or why nothing was measured.
        reference_before_ms, reference_after_ms: Of the reference load before and after.
        processor, cores, system, versions: What the machine is.
    """

    model: str
    device: str
    runtime: str
    batch_size: int
    threads: int
    sha256: str = ""
    precision: str = ""
    layout: str = "nchw"
    compiler: str = "eager"
    mode: str = "infer"
    samples_per_sec: float | None = None
    step_time_ms: float | None = None
    step_time_low_ms: float | None = None
    step_time_high_ms: float | None = None
    repeats: int | None = None
    peak_memory_mb: float | None = None
    made_up: int | None = None
    trusted: str = ""
    reason: str = ""
    reference_before_ms: float | None = None
    reference_after_ms: float | None = None
    processor: str = ""
    cores: int | None = None
    system: str = ""
    versions: str = ""

    @property
    def key(self) -> tuple[Any, ...]:
        """What it is a measurement of; two rows with one key are of the same, measured twice."""
        chosen = self.precision if self.runtime.startswith("torch") else ""  # elsewhere it is that of the file
        settings = (self.device, self.layout, self.compiler, self.runtime, self.mode, self.batch_size, self.threads)
        return self.model, chosen, *settings

    @property
    def failed(self) -> bool:
        """Whether nothing was measured."""
        return self.samples_per_sec is None

    def to_dict(self) -> dict[str, Any]:
        """Values by column, in the order of the columns."""
        values = asdict(self)
        return {name: values[name] for name in COLUMNS}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Measurement:
        """From values by column, which may be texts; other columns are left out.

        Raises:
            ValueError: A number is none.
        """
        names = {field.name for field in fields(cls)}
        given = {name: as_kind(value, COLUMNS[name]) for name, value in values.items() if name in names}
        return cls(**{name: value for name, value in given.items() if value is not None})


def read_measurements(path: str | Path) -> list[Measurement]:
    """The rows of a table of measured speeds, in any format of tables.

    Raises:
        DataError: It is no such table; the message names file, line and column.
    """
    return [row for row, _ in read_with_others(path)]


def read_with_others(path: str | Path) -> list[tuple[Measurement, dict[str, Any]]]:
    """The rows of such a table, each with the columns of the user's own."""
    found = []
    for row in read_rows(path):
        missing = [name for name in _NEEDED if row.values.get(name) is None]
        if missing:
            raise DataError(
                f"{path}, {row.where}: a table of measured speeds has the column {missing[0]}, this one has not; "
                "give the name of another file"
            )
        try:
            measurement = Measurement.from_dict(row.values)
        except (ValueError, TypeError) as error:
            raise DataError(f"{path}, {row.where}: {error}; correct the row, or take it out") from error
        found.append((measurement, {name: value for name, value in row.values.items() if name not in COLUMNS}))
    return found


def write_measurements(path: str | Path, rows: Iterable[Measurement], others: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write a table of measured speeds in the format that its name asks for; the file is whole at any moment.

    Args:
        path: The file, which is replaced.
        rows: What was measured.
        others: Columns of the user's own, of the first rows.

    Raises:
        UsageError: No table can be written under this name.
        RunError: The file cannot be written.
    """
    path = Path(path)
    own: dict[str, Kind] = dict.fromkeys((name for other in others for name in other), "text")
    records = [row.to_dict() for row in rows]
    for record, other in zip(records, others, strict=False):
        record.update(other)
    write_rows(path, {**COLUMNS, **own}, records)
