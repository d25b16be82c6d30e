"""Table: labelled architectures of one space, read from a file that the user brings."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray, freeze
from archpredict.errors import DataError, UsageError
from archpredict.spaces.base import Architecture, SearchSpace, load_space
from archpredict.tables.columns import (
    Columns,
    Parsed,
    architecture_column,
    failures,
    label_of,
    labels_of,
    target_column,
)
from archpredict.tables.formats.base import ARCHITECTURE, Piece, Row, format_of, in_pieces
from archpredict.tables.isomorphic import Duplicates, duplicates, graph_classes, graph_keys
from archpredict.tables.reading.digest import digests
from archpredict.tables.reading.files import file_sha256, shown
from archpredict.tables.reading.nasbench101 import api_rows

__all__ = ["Table"]

_API = Path("nasbench.api.NASBench")
"""Stands for the file of a table that comes from an object."""
_PIECE = 8192
"""Rows that are read at a time."""


@dataclass(frozen=True, eq=False)
class Table:
    """A table of labelled architectures, one row for each.

    Args:
        space: The search space of the rows.
        choices: ``(R, L)`` choices, rows distinct.
        labels: ``(R,)`` finite labels, not all equal.
        path: The file.
        target: The column of the labels.
        column: The column of the architectures.
        sha256: Hexadecimal digest of the file's bytes.
        features: ``(R,)`` finite numbers by the name of their column, as far as they were asked for.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> file = Path(folder.name) / "two.csv"
        >>> _ = file.write_text('''architecture,accuracy,flops
        ... |none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|,10.0,7.8
        ... |none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|,87.5,47.1
        ... ''')
        >>> table = Table.read(file, "nasbench201", "accuracy", features=["flops"])
        >>> len(table), table.labels.tolist(), table.features["flops"].tolist()
        (2, [10.0, 87.5], [7.8, 47.1])
        >>> folder.cleanup()
    """

    space: SearchSpace
    choices: IntArray
    labels: FloatArray
    path: Path
    target: str
    column: str
    sha256: str
    features: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        freeze(self, "choices", "labels")

    @classmethod
    def read(
        cls,
        path: str | Path,
        space: str | type[SearchSpace] | SearchSpace,
        target: str,
        features: Sequence[str] = (),
        *,
        column: str = ARCHITECTURE,
    ) -> Table:
        """Read a file of any format: CSV, JSONL, JSON, Parquet, or an official file of a benchmark.

        Names of columns are found whatever their case.
        The format is found from the name, and for ``.json`` from the content; text may be gzip-compressed.
        ``docs/data.md`` lists the formats and their columns. Rows that name the same choices become one row, at
        the place of the first and with its features. Where their labels differ, the lower median is its label (a
        value that was measured, whatever the order of the file) and one warning says for how many architectures
        that was so. Rows that have no label but an error text are failed evaluations: they are left out, and one
        warning counts them. Isomorphic architectures with different choices keep their own rows; see
        :meth:`duplicates`.

        Args:
            path: The file; for results of NAS-Bench-301 a folder of files too.
            space: The space whose notation the architectures are in, or its name; a JSON value that is no text is
                handed to the space as JSON text.
            target: The column of the labels, higher is better.
            features: Further columns of numbers, for :meth:`archpredict.predict.predictor.Predictor.fit`.
            column: The column of the architectures. Where ``architecture`` is not there, ``arch`` or ``arch_str`` is
                taken, else the one of ``genotype``, ``cell``, ``config`` and the like that holds architectures.

        Raises:
            DataError: The file is missing or malformed (the message names file, place and column), has fewer
                than two architectures, or all labels are equal.
            UsageError: The target is among the features, or the space cannot be made.
            MissingDependencyError: The format needs a package that is not installed.
        """
        path = Path(path)
        if target in features:
            raise UsageError(
                f"{target!r} is the target; a predictor that reads it as a feature would learn nothing else"
            )
        with digests() as found:
            pieces = format_of(path)[1].pieces(path, _PIECE)
            table = cls._from_pieces(pieces, path, load_space(space), target, column, features)
        return replace(table, sha256=found.get(path) or file_sha256(path))

    @classmethod
    def from_nasbench(cls, api: Any, target: str = "valid_accuracy", *, epochs: int = 108) -> Table:
        """The cells of a ``nasbench.api.NASBench`` object, labelled with the mean over the trainings.

        The object is used through ``hash_iterator()`` and ``get_metrics_from_hash(hash)``; no package is needed.

        Args:
            api: The object.
            target: ``valid_accuracy``, ``test_accuracy``, ``train_accuracy``, ``training_time``, or the accuracy
                of a single training, e.g. ``valid_accuracy_run1``.
            epochs: Length of the trainings: 108, or 4, 12 or 36 where the object has the full data.

        Raises:
            DataError: The object is no such object, or has no trainings of this length.
        """
        digest = hashlib.sha256()

        def digested() -> Iterator[Row]:
            for row in api_rows(api, epochs, _API):
                digest.update(f"{row.values['hash']} {row.values.get(target)}\n".encode())
                yield row

        pieces = map(Piece.of, in_pieces(digested(), _PIECE))
        table = cls._from_pieces(pieces, _API, load_space("nasbench101"), target, ARCHITECTURE)
        return replace(table, sha256=digest.hexdigest())

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, Any]],
        space: str | type[SearchSpace] | SearchSpace,
        target: str,
        *,
        name: str = "rows",
    ) -> Table:
        """A table of rows that are at hand, as :meth:`read` makes one of a file.

        Args:
            rows: Values by column: ``architecture`` as a notation or a list of choices, and the target.
            space: The space of the architectures.
            target: The column of the labels, higher is better.
            name: Stands for the file, in messages too.

        Raises:
            DataError: As from :meth:`read`.

        Example:
            >>> rows = [{"architecture": [0, 0, 0, 0, 0, n], "accuracy": 10.0 * n} for n in range(3)]
            >>> Table.from_rows(rows, "nasbench201", "accuracy").labels.tolist()
            [0.0, 10.0, 20.0]
        """
        digest = hashlib.sha256()

        def digested() -> Iterator[Row]:
            for number, row in enumerate(rows, start=1):
                digest.update(f"{row.get(ARCHITECTURE)} {row.get(target)}\n".encode())
                yield Row(f"row {number}", row)

        pieces = map(Piece.of, in_pieces(digested(), _PIECE))
        table = cls._from_pieces(pieces, Path(name), load_space(space), target, ARCHITECTURE)
        return replace(table, sha256=digest.hexdigest())

    @classmethod
    def _from_pieces(
        cls,
        pieces: Iterator[Piece],
        path: Path,
        space: SearchSpace,
        target: str,
        column: str,
        features: Sequence[str] = (),
    ) -> Table:
        begin = next(pieces, None)
        if begin is None:
            raise DataError(
                f"{path} has no rows; expected a header with {column!r} and {target!r}, then at least 2 rows"
            )
        first = begin.row(0)
        column = architecture_column(path, first, column, space)
        target = target_column(path, first, target, column)
        numbers = Columns(path, first, features)
        parts: list[IntArray] = []
        values: list[FloatArray] = []
        failed: list[str] = []
        choices_of = Parsed(path, column, space)
        for piece in chain([begin], pieces):
            lost = failures(piece, target)
            failed += [f"{piece.where(i)}: {shown(why)}" for i, why in lost.items()]
            choices, wrong = choices_of(piece)
            labels = labels_of(piece, target)
            unknown = np.flatnonzero(np.isnan(labels)).tolist()
            stop = min({*wrong, *unknown} - lost.keys(), default=piece.size)
            kept = [i for i in range(stop) if i not in lost]
            if features:
                for i in kept:
                    numbers.add(piece.row(i))
            if stop in wrong:
                raise wrong[stop]
            if stop < piece.size:
                label_of(path, piece.row(stop), target)  # says what is wrong with it
            parts.append(choices[kept])
            values.append(labels[kept])
        if failed:
            _check_some_left(path, sum(map(len, values)), failed, target)
            warnings.warn(
                f"{path}: {len(failed):,} rows without a value in {target!r} say that their evaluation has failed "
                f"({failed[0]}); they are left out",
                stacklevel=3,
            )
        rows = np.concatenate(parts)
        first_of_each, medians, num_conflicts = _one_row_each(rows, np.concatenate(values))
        _check_usable(path, medians, target)
        if num_conflicts:
            warnings.warn(
                f"{path}: {num_conflicts} architectures have several rows with different values in "
                f"{target!r}; the lower median of each is used",
                stacklevel=3,
            )
        features_of_each = numbers.at(first_of_each)
        return cls(space, rows[first_of_each], medians, path, target, column, "", features_of_each)

    def __len__(self) -> int:
        return len(self.labels)

    def lookup(self, architecture: Architecture) -> int | None:
        """The row of an architecture: that with its choices, else the first that is isomorphic, else None."""
        row = self._row_of_choices.get(architecture.choices)
        if row is None:
            return self._row_of_key.get(graph_keys(architecture.space, [architecture.choices])[0].tobytes())
        return row

    def duplicates(self) -> Duplicates:
        """The rows that are isomorphic to others, and how far their labels lie apart."""
        return duplicates(graph_classes(self.space, self.choices), self.labels)

    @cached_property
    def architectures(self) -> list[Architecture]:
        """The architecture of each row."""
        return self.space.architectures(self.choices)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The key of each row; equal for isomorphic rows. Decodes every row when first asked for."""
        return tuple(architecture.key for architecture in self.architectures)

    @cached_property
    def _row_of_choices(self) -> dict[tuple[int, ...], int]:
        return {tuple(row): i for i, row in enumerate(self.choices.tolist())}

    @cached_property
    def _row_of_key(self) -> dict[bytes, int]:
        keys = graph_keys(self.space, self.choices)
        return {keys[i].tobytes(): i for i in reversed(range(len(keys)))}  # so that the first of equals stays


def _one_row_each(choices: IntArray, labels: FloatArray) -> tuple[IntArray, FloatArray, int]:
    """The first of equal rows each, with the lower median of their labels; and for how many these differed."""
    tokens = np.ascontiguousarray(choices).view(np.dtype((np.void, choices.dtype.itemsize * choices.shape[1]))).ravel()
    _, first, group = np.unique(tokens, return_index=True, return_inverse=True)
    if len(first) == len(choices):
        return np.arange(len(choices)), labels, 0
    order = np.lexsort((labels, group))  # by group, then by label
    size = np.bincount(group)
    start = np.cumsum(size) - size
    lowest, median, highest = (
        labels[order[start]],
        labels[order[start + (size - 1) // 2]],
        labels[order[start + size - 1]],
    )
    place = np.argsort(first)
    return first[place], median[place], int((lowest != highest).sum())


def _check_some_left(path: Path, left: int, failed: Sequence[str], target: str) -> None:
    if not left:
        raise DataError(
            f"{path}: all {len(failed):,} rows say that their evaluation has failed ({failed[0]}), "
            f"and none has a value in {target!r}"
        )


def _check_usable(path: Path, labels: FloatArray, target: str) -> None:
    if len(labels) < 2:
        raise DataError(f"{path} has one architecture; expected at least 2 with different values in {target!r}")
    if (labels == labels[0]).all():
        raise DataError(f"{path}, column {target!r}: all {len(labels)} labels are {labels[0]:g}: nothing to learn from")
