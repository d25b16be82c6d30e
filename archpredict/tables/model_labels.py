"""Labels of models: scores by name, from a table or a mapping, matched to the models there are."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import DataError
from archpredict.onnx.files import stem
from archpredict.tables.columns import label_of, listed, value_of
from archpredict.tables.formats.base import Row, read_rows
from archpredict.tables.reading.digest import digests
from archpredict.tables.reading.files import file_sha256, shown
from archpredict.tables.reading.numbers import number

__all__ = ["Labels", "LabelsLike", "read_labels"]

MODEL, SCORE = "model", "score"

LabelsLike = str | Path | Mapping[Any, float]
"""A table with the columns ``model`` and ``score``, or scores by model."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of some of the models.

    Args:
        path: The table; None where they came as a mapping.
        sha256: Of its bytes; empty for a mapping.
        models: ``n`` numbers of the models that have a label, in the order of the labels.
        scores: ``(n,)`` their labels.
        missing: Names among the labels that are none of the models.
    """

    path: Path | None
    sha256: str
    models: list[int]
    scores: FloatArray
    missing: list[str]

    @property
    def title(self) -> str:
        """Where they are from, for messages."""
        return "the labels given" if self.path is None else str(self.path)


def read_labels(source: LabelsLike, models: Sequence[str], unreadable: Sequence[str] = (), least: int = 1) -> Labels:
    """The labels that some models have.

    Args:
        source: A table with the columns ``model`` and ``score``, or a mapping. A model is called by its name; where
            that is a file's path, by the path or the file's name, with or without .onnx.
        models: Names of the models.
        unreadable: Names of models that are there and could not be read: their labels are passed over.
        least: How many labels are needed.

    Raises:
        DataError: The table is malformed, names a model twice or ambiguously, or has too few labels for the models.

    Example:
        >>> labels = read_labels({"small": 71.0, "large.onnx": 75.5}, ["nets/large.onnx", "nets/small.onnx"])
        >>> labels.models, labels.scores.tolist()
        ([1, 0], [71.0, 75.5])
    """
    with digests() as sums:
        entries = list(_entries(source))
    index, broken = _index(models), _index(unreadable)
    found: dict[int, tuple[str, float]] = {}
    missing: list[str] = []
    for where, name, score in entries:
        model = _match(where, name, index, models)
        if model is None:
            missing += [] if _keys(name) & broken.keys() else [name]
        elif model in found:
            raise DataError(f"{where}: the model {name!r} has a score in {found[model][0]} already; keep one of them")
        else:
            found[model] = (where.rpartition(", ")[2], score)
    path = Path(source) if isinstance(source, str | Path) else None
    sha256 = "" if path is None else sums.get(path) or file_sha256(path)
    scores = np.array([score for _, score in found.values()], dtype=np.float64)
    labels = Labels(path, sha256, list(found), scores, missing)
    _check_enough(labels, len(entries), least)
    return labels


def _entries(source: LabelsLike) -> Iterator[tuple[str, str, float]]:
    """Where each label is, the model's name, and the label."""
    if isinstance(source, Mapping):
        for name, score in source.items():
            value = number(score.item() if isinstance(score, np.generic) else score)
            if value is None or not math.isfinite(value):
                raise DataError(f"the label of {shown(str(name))}: found {shown(score)}, expected a finite number")
            yield "labels", str(name), value
        return
    path, first = Path(source), True
    for row in read_rows(path):
        if first:
            _check_columns(path, row)
        first = False
        yield f"{path}, {row.where}", str(value_of(path, row, MODEL)).strip(), label_of(path, row, SCORE)
    if first:
        raise DataError(f"{path} has no rows; expected a header with {MODEL!r} and {SCORE!r}, then one row per model")


def _check_columns(path: Path, first: Row) -> None:
    for column in (MODEL, SCORE):
        if column not in first.values:
            raise DataError(f"{path} has no column {column!r}; its columns are: {listed(list(first.values))}")


def _index(names: Sequence[str]) -> dict[str, set[int]]:
    """Models that each name may mean."""
    index: dict[str, set[int]] = defaultdict(set)
    for i, name in enumerate(names):
        for key in _keys(name):
            index[key].add(i)
    return dict(index)


def _keys(name: str) -> set[str]:
    path = Path(name)
    whole = str(path.resolve())
    return {name, whole, stem(whole), path.name, stem(path.name)}


def _match(where: str, name: str, index: Mapping[str, set[int]], models: Sequence[str]) -> int | None:
    whole = str(Path(name).resolve())
    for key in (whole, stem(whole), name, stem(name), *((Path(name).name,) if "/" in name else ())):
        meant = index.get(key, set())
        if len(meant) > 1:
            files = ", ".join(sorted(models[i] for i in meant))
            raise DataError(f"{where}: {name!r} may be any of {files}; give its path")
        if meant:
            return next(iter(meant))
    return None


def _check_enough(labels: Labels, entries: int, least: int) -> None:
    if len(labels.models) >= least:
        return
    example = f", e.g. {labels.missing[0]!r} is none of them" if labels.missing else ""
    if labels.path is None:
        raise DataError(
            f"{len(labels.models)} of the {entries} labels name one of the models given{example}; at least {least} "
            "labelled models are needed (by a model's name, or its file's name or path)"
        )
    raise DataError(
        f"{labels.path}: {len(labels.models)} of its {entries} rows name one of the models given{example}; at least "
        f"{least} labelled models are needed (column {MODEL!r}: a file's name or path)"
    )
