"""Labels of models: scores by name, from a table or a mapping, matched to the models there are."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import DataError
from archpredict.onnx.files import stem
from archpredict.tables.columns import label_of, listed, named, value_of
from archpredict.tables.formats.base import Row, read_rows
from archpredict.tables.reading.digest import digests
from archpredict.tables.reading.files import file_sha256, shown
from archpredict.tables.reading.numbers import number

__all__ = ["Labels", "LabelsLike", "read_labels"]

MODEL, SCORE = "model", "score"
_SHOWN = 3
"""Names in a message."""

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
        nearest: For some of these, the model that is called most like it.
    """

    path: Path | None
    sha256: str
    models: list[int]
    scores: FloatArray
    missing: list[str]
    nearest: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Where they are from, for messages."""
        return "the labels given" if self.path is None else str(self.path)

    @property
    def unmatched(self) -> str | None:
        """A sentence on the names that are none of the models; None where there are none.

        Example:
            >>> read_labels({"small": 71.0, "smal": 75.5}, ["nets/small.onnx"]).unmatched
            "the labels given: 1 rows name none of the models, the first is 'smal' (did you mean 'small'?)"
        """
        if not self.missing:
            return None
        found = []
        for name in self.missing[:_SHOWN]:
            guess = f" (did you mean {shown(self.nearest[name])}?)" if name in self.nearest else ""
            found.append(f"{shown(name)}{guess}")
        more = f" and {len(self.missing) - _SHOWN} more" if len(self.missing) > _SHOWN else ""
        names = ", then ".join(found) + more
        return f"{self.title}: {len(self.missing)} rows name none of the models, the first is {names}"


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
    labels = Labels(path, sha256, list(found), scores, missing, _nearest(missing[:_SHOWN], models, found))
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
    of_model, of_score = MODEL, SCORE
    for row in read_rows(path):
        if first:
            of_model, of_score = (_column(path, row, name) for name in (MODEL, SCORE))
        first = False
        yield f"{path}, {row.where}", str(value_of(path, row, of_model)).strip(), label_of(path, row, of_score)
    if first:
        raise DataError(f"{path} has no rows; expected a header with {MODEL!r} and {SCORE!r}, then one row per model")


def _column(path: Path, first: Row, name: str) -> str:
    found = named(first.values, name)
    if found is None:
        raise DataError(f"{path} has no column {name!r}; its columns are: {listed(list(first.values))}")
    return found


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


def _nearest(missing: Sequence[str], models: Sequence[str], labelled: Container[int]) -> dict[str, str]:
    """For names that are no model's, the name most like it among models without a label, else among all."""
    called = [stem(Path(model).name) for model in models]
    free = [name for i, name in enumerate(called) if i not in labelled]
    found = {}
    for name in missing:
        wanted = stem(Path(name).name)
        by_case = {other.casefold(): other for other in (*called, *free)}
        for names in (free, called):
            close = get_close_matches(wanted.casefold(), [other.casefold() for other in names], n=1)
            if close:
                found[name] = by_case[close[0]]
                break
    return found


def _check_enough(labels: Labels, entries: int, least: int) -> None:
    if len(labels.models) >= least:
        return
    example = f", e.g. {shown(labels.missing[0])} is none of them" if labels.missing else ""
    if labels.missing and labels.missing[0] in labels.nearest:
        example += f" (did you mean {shown(labels.nearest[labels.missing[0]])}?)"
    if labels.path is None:
        raise DataError(
            f"{len(labels.models)} of the {entries} labels name one of the models given{example}; at least {least} "
            "labelled models are needed (by a model's name, or its file's name or path)"
        )
    raise DataError(
        f"{labels.path}: {len(labels.models)} of its {entries} rows name one of the models given{example}; at least "
        f"{least} labelled models are needed (column {MODEL!r}: a file's name or path)"
    )
