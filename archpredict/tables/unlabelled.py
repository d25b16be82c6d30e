"""Unlabelled: the architectures of a table whose labels are not known yet, with all that stands beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import DataError
from archpredict.spaces.base import Architecture, SearchSpace, load_space
from archpredict.tables.columns import Columns, architecture_column, parsed
from archpredict.tables.formats.base import ARCHITECTURE, Row, read_rows

__all__ = ["Unlabelled"]


@dataclass(frozen=True, eq=False)
class Unlabelled:
    r"""Unlabelled architectures: rows as they stand in a file, and the features that were asked for.

    Args:
        rows: All of them, in their order.
        architectures: One per row.
        features: ``(R,)`` finite numbers by the name of their column.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "one.csv")
        ...     _ = file.write_text("architecture,flops\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,1.5\n")
        ...     table = Unlabelled.read(file, "nasbench201", ["flops"])
        >>> str(table.architectures[0]), table.features["flops"].tolist()
        ('|none~0|+|none~0|none~1|+|none~0|none~1|none~2|', [1.5])
    """

    rows: list[Row]
    architectures: list[Architecture]
    features: Mapping[str, FloatArray]

    @classmethod
    def read(
        cls,
        path: str | Path,
        space: str | type[SearchSpace] | SearchSpace,
        features: Sequence[str] = (),
        *,
        column: str = ARCHITECTURE,
    ) -> Unlabelled:
        """Read a file of any format that :meth:`archpredict.tables.table.Table.read` takes.

        Args:
            path: The file.
            space: The space whose notation the architectures are in, or its name.
            features: Columns of numbers.
            column: The column of the architectures, as :meth:`archpredict.tables.table.Table.read` finds it.

        Raises:
            DataError: The file is missing or malformed, has no rows, or a feature is missing or not finite.
        """
        path, space = Path(path), load_space(space)
        rows = list(read_rows(path))
        if not rows:
            raise DataError(f"{path} has no rows; expected a header with {column!r}, then at least 1 row")
        column = architecture_column(path, rows[0], column, space)
        numbers = Columns(path, rows[0], features)
        architectures: dict[tuple[int, ...], Architecture] = {}
        found = []
        for row in rows:
            choices = parsed(path, row, column, space)
            if choices not in architectures:  # repeated rows share one object, whose graph is made once
                architectures[choices] = space.architecture(choices)
            found.append(architectures[choices])
            numbers.add(row)
        return cls(rows, found, numbers.at(np.arange(len(rows))))
