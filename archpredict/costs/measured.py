"""Measured costs of models: a column of a table, in one setting."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from archpredict.costs.cost import SPEEDS
from archpredict.costs.table import APART
from archpredict.errors import DataError
from archpredict.tables.columns import listed, named, value_of
from archpredict.tables.formats.base import Row, read_rows
from archpredict.tables.reading.files import file_sha256, shown
from archpredict.tables.reading.numbers import number

__all__ = ["MeasuredCosts", "read_costs"]

_MODELS = ("model", "file")
_COSTS = (*SPEEDS, "latency", "latency_ms", "energy", "memory")
_SETTING = ("device", "precision", "layout", "compiler", "torch", "runtime", "mode", "batch_size", "threads")


@dataclass(frozen=True)
class MeasuredCosts:
    """Costs of models, all measured in one setting.

    Args:
        path: The table.
        sha256: Of its bytes.
        column: What was measured.
        values: By the model's name as it stands in the table; of several measurements their median.
        without: Models whose rows have no value.
        untrusted: How many rows say that they are not to be trusted; they count nonetheless.
        setting: What is the same in all rows: device, precision, batch size and so on.
    """

    path: Path
    sha256: str
    column: str
    values: Mapping[str, float]
    without: Sequence[str] = ()
    untrusted: int = 0
    setting: Mapping[str, str] = field(default_factory=dict)


def read_costs(path: str | Path, column: str | None = None, where: Mapping[str, str] | None = None) -> MeasuredCosts:
    """The costs in a table.

    Args:
        path: A table with a column ``model`` or ``file``, and one with what was measured.
        column: The latter; one of the usual names if left out, such as ``samples_per_sec`` or ``latency``.
        where: Values that other columns have to have, such as ``{"batch_size": "64"}``.

    Raises:
        DataError: There is no such table or column, rows are of several settings, a value is not above 0, or two of one
            model differ tenfold.
    """
    table = Path(path)
    rows = list(read_rows(table))
    if not rows:
        raise DataError(f"{table} has no rows; expected a header, then one row per measured model")
    of_model = _column(table, rows[0], _MODELS, "the models", None)
    of_cost = _column(table, rows[0], _COSTS, "what was measured", column)
    rows = _chosen(table, rows, where or {})
    setting = _one_setting(table, rows)
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    without = []
    untrusted = 0
    for row in rows:
        name, given = str(value_of(table, row, of_model)).strip(), row.values.get(of_cost)
        if given is None or str(given).strip() == "":
            without.append(name)
            continue
        value = number(given)
        if value is None or not math.isfinite(value) or value <= 0:
            raise DataError(
                f"{table}, {row.where}: {of_cost} is {shown(given)}, expected a number above 0; mend or remove the row"
            )
        untrusted += str(row.values.get("trusted") or "yes").strip().lower() == "no"
        found[name].append((row.where, value))
    for name, each in found.items():
        _check_agree(table, name, of_cost, each)
    values = {name: float(np.median([value for _, value in each])) for name, each in found.items()}
    left = [name for name in dict.fromkeys(without) if name not in values]
    return MeasuredCosts(table, file_sha256(table), of_cost, values, left, untrusted, setting)


def _column(path: Path, first: Row, usual: Sequence[str], what: str, asked: str | None) -> str:
    names = (asked,) if asked is not None else usual
    found = next((column for name in names if (column := named(first.values, name)) is not None), None)
    if found is None:
        expected = repr(asked) if asked is not None else " or ".join(map(repr, usual))
        raise DataError(
            f"{path} has no column {expected} for {what}; its columns are: {listed(list(first.values))}; say which"
        )
    return found


def _chosen(path: Path, rows: Sequence[Row], where: Mapping[str, str]) -> list[Row]:
    """The rows whose columns have these values."""
    names = {_column(path, rows[0], (), "the setting", name): value for name, value in where.items()}
    kept = [row for row in rows if all(_same(row.values.get(name), value) for name, value in names.items())]
    if not kept:
        wanted = ", ".join(f"{name}={value}" for name, value in names.items())
        raise DataError(f"{path} has no row with {wanted}; say what some rows have")
    return kept


def _same(given: Any, wanted: str) -> bool:
    one, other = number(given), number(wanted)
    return str(given).strip() == wanted.strip() or (one is not None and one == other)


def _one_setting(path: Path, rows: Sequence[Row]) -> dict[str, str]:
    """What all rows were measured in.

    Raises:
        DataError: It is not the same in all of them.
    """
    found = {}
    for name in _SETTING:
        column = named(rows[0].values, name)
        if column is None:
            continue
        values = sorted({str(row.values.get(column, "")).strip() for row in rows} - {"", "None"})
        if len(values) > 1:
            raise DataError(
                f"{path} has rows of several settings, {column} is {listed(values)}; costs of one setting are "
                f"compared: choose the rows where it is one of these"
            )
        if values:
            found["runtime" if name == "torch" else name] = f"torch {values[0]}" if name == "torch" else values[0]
    return found


def _check_agree(path: Path, name: str, column: str, found: Sequence[tuple[str, float]]) -> None:
    (at_least, least), (at_most, most) = (choose(found, key=lambda each: each[1]) for choose in (min, max))
    if most > APART * least:
        raise DataError(
            f"{path}: {column} of {name} is {least:g} in {at_least} and {most:g} in {at_most}; remove the row that is "
            "wrong, or in another unit"
        )
