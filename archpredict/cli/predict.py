"""``archpredict predict``: predict scores of architectures in a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archpredict.cli._options import column_option, debug_option, example
from archpredict.cli._predictors import device_option, model_option, quiet_option, space_option

if TYPE_CHECKING:
    from archpredict.predict.predictor import Predictor
    from archpredict.predict.universal import UniversalPredictor
    from archpredict.tables.unlabelled import Unlabelled

_CHUNK = 20_000
"""Architectures predicted at a time: bounds the memory and gives a progress."""

SCORE, STD = "score", "std"
_STDOUT = Path("-")


@click.command(name="predict", epilog=example("archpredict predict --model model --data table.csv --out scores.csv"))
@model_option
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Table with a column of architectures; no labels."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE|-",
    help="CSV, JSONL, ... by its name, replaced if it is there; - for CSV on stdout.",
)
@click.option(
    "--transfer",
    metavar="FILE",
    help="What --model universal has learnt: the transfer model in this file (see 'archpredict transfer').",
)
@column_option
@space_option
@device_option
@quiet_option
@debug_option
def command(**given: Any) -> None:
    """Predict the scores of the architectures in a table.

    Rows and columns stay as they are; a column "score" is added, and "std" where the predictor has an uncertainty.
    """
    from archpredict.cli._console import say, warnings_as_lines
    from archpredict.cli._output import check_output, print_csv, write_table
    from archpredict.cli._predictors import load_any_model, model_space
    from archpredict.cli._proxies import compute_scores
    from archpredict.cli._tables import check_new_columns
    from archpredict.tables.formats.base import ARCHITECTURE
    from archpredict.tables.unlabelled import Unlabelled

    with warnings_as_lines():
        if given["out"] != _STDOUT:
            check_output(given["out"], given["data"])
        model = load_any_model(given["model"], given["device"], given["transfer"])
        space = model_space(model, given["model"], given["space"])
        data = Unlabelled.read(given["data"], space, model.feature_names_, column=given["column"] or ARCHITECTURE)
        names = (SCORE, STD) if model.has_std else (SCORE,)
        check_new_columns(data, given["data"], names)
        compute_scores(model, data.architectures, given["quiet"])
        added = _predicted(model, data, names, given["quiet"])
        columns, rows = data.extended(added)
        if given["out"] == _STDOUT:
            print_csv(columns, rows)
            return
        write_table(given["out"], columns, rows)
    if not given["quiet"]:
        say(f"Wrote {len(rows):,} rows with {' and '.join(added)} to {given['out']}{_beyond(model, added[SCORE])}")


def _beyond(model: Predictor | UniversalPredictor, scores: Any) -> str:
    """How many scores are beyond the labels that the predictor learnt from, if any are."""
    from archpredict.predict.predictor import Predictor

    if not isinstance(model, Predictor):
        return ""
    low, high = model.label_range_
    count = int(((scores < low) | (scores > high)).sum())
    if not count:
        return ""
    return f"; {count:,} of the scores are beyond all labels it has seen ({low:.4g} to {high:.4g}): believe their order"


def _predicted(
    model: Predictor | UniversalPredictor, data: Unlabelled, names: Sequence[str], quiet: bool
) -> dict[str, Any]:
    """The new columns, ``(n,)`` each."""
    import numpy as np

    from archpredict.cli._console import progress
    from archpredict.progress import Event

    total = len(data.architectures)
    parts: dict[str, list[Any]] = {name: [] for name in names}
    with progress(quiet) as observer:
        for start in range(0, total, _CHUNK):
            rows = slice(start, start + _CHUNK)
            packed = model.pack(
                data.architectures[rows], {name: values[rows] for name, values in data.features.items()}
            )
            parts[SCORE].append(model.predict(packed))
            if STD in parts:
                parts[STD].append(model.predict_std(packed))
            observer(Event("predicted", min(start + _CHUNK, total), total))
    return {name: np.concatenate(values) for name, values in parts.items()}
