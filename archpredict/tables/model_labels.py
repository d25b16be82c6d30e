"""Labels of ONNX models: a table of names and scores, matched to the files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from archpredict.errors import DataError
from archpredict.onnx.files import stem

if TYPE_CHECKING:
    from archpredict.onnx.reader import OnnxModel

MODEL, SCORE = "model", "score"


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of some of the models.

    Args:
        path: The table.
        sha256: Of its bytes.
        models: Those that have a label, in the order of the table.
        scores: ``(n,)`` their labels.
        missing: Names in the table that are none of the models.
    """

    path: Path
    sha256: str
    models: list[OnnxModel]
    scores: npt.NDArray[np.float64]
    missing: list[str]


def read_labels(path: Path, models: Sequence[OnnxModel], unreadable: Sequence[str], least: int) -> Labels:
    """The table's labels for these models.

    Args:
        path: Table with the columns ``model`` (a file's path or name, with or without its ending) and ``score``.
        models: The models.
        unreadable: Paths of files that are there and could not be read: their rows are passed over.
        least: How many labels are needed.

    Raises:
        DataError: The table is malformed, names a model twice or ambiguously, or has too few labels for the models.
    """
    from archpredict.tables.columns import label_of, listed, value_of
    from archpredict.tables.formats._files import file_sha256
    from archpredict.tables.formats.base import read_rows

    rows = list(read_rows(path))
    if not rows:
        raise DataError(f"{path} has no rows; expected a header with {MODEL!r} and {SCORE!r}, then one row per model")
    for column in (MODEL, SCORE):
        if column not in rows[0].values:
            raise DataError(f"{path} has no column {column!r}; its columns are: {listed(list(rows[0].values))}")
    index, broken = _index([model.path for model in models]), _index([Path(name) for name in unreadable])
    found: dict[int, tuple[str, float]] = {}
    missing: list[str] = []
    for row in rows:
        name = str(value_of(path, row, MODEL)).strip()
        score = label_of(path, row, SCORE)
        number = _match(f"{path}, {row.where}", name, index, models)
        if number is None:
            missing += [] if _keys(Path(name)) & broken.keys() else [name]
        elif number in found:
            raise DataError(
                f"{path}, {row.where}: the model {name!r} has a score in {found[number][0]} already; keep one of them"
            )
        else:
            found[number] = (row.where, score)
    _check_enough(path, len(found), len(rows), missing, least)
    scores = np.array([score for _, score in found.values()], dtype=np.float64)
    return Labels(path, file_sha256(path), [models[i] for i in found], scores, missing)


def _index(paths: Sequence[Path]) -> dict[str, set[int]]:
    """Which models each name may mean."""
    index: dict[str, set[int]] = defaultdict(set)
    for i, path in enumerate(paths):
        for key in _keys(path):
            index[key].add(i)
    return dict(index)


def _keys(path: Path) -> set[str]:
    whole = str(path.resolve())
    return {whole, stem(whole), path.name, stem(path.name)}


def _match(where: str, name: str, index: dict[str, set[int]], models: Sequence[OnnxModel]) -> int | None:
    whole = str(Path(name).resolve())
    for key in (whole, stem(whole), name, stem(name), *((Path(name).name,) if "/" in name else ())):
        meant = index.get(key, set())
        if len(meant) > 1:
            files = ", ".join(sorted(str(models[i].path) for i in meant))
            raise DataError(f"{where}: {name!r} may be any of {files}; give its path")
        if meant:
            return next(iter(meant))
    return None


def _check_enough(path: Path, found: int, rows: int, missing: Sequence[str], least: int) -> None:
    if found >= least:
        return
    example = f", e.g. {missing[0]!r} is none of them" if missing else ""
    raise DataError(
        f"{path}: {found} of its {rows} rows name one of the models given{example}; at least {least} labelled models "
        f"are needed (column {MODEL!r}: a file's name or path)"
    )
