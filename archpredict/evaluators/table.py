"""Labels looked up in a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from archpredict._typing import IntArray
from archpredict.evaluators.base import SCORE, Evaluator, Result
from archpredict.spaces.base import Architecture, SearchSpace
from archpredict.tables.formats.base import ARCHITECTURE
from archpredict.tables.table import Table

__all__ = ["TableEvaluator"]


class TableEvaluator(Evaluator):
    """Looks an architecture up in a table: the row with its choices, else the first that is isomorphic to it.

    Args:
        table: The labelled architectures.

    Example:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from archpredict.spaces import load_space
        >>> space = load_space("nasbench201")
        >>> choices = space.sample(2, np.random.default_rng(0))
        >>> labels = np.array([91.0, 93.5])
        >>> table = Table(space, choices, labels, Path("mine.csv"), "accuracy", "architecture", sha256="")
        >>> [result.score for result in TableEvaluator(table).evaluate(space.architectures(choices))]
        [91.0, 93.5]
    """

    name = "table"

    @classmethod
    def for_space(
        cls,
        space: str | SearchSpace,
        /,
        data: str | Path,
        target: str,
        column: str = ARCHITECTURE,
        features: Sequence[str] = (),
    ) -> TableEvaluator:
        """The evaluator of a file.

        Args:
            space: What is searched.
            data: A table with labelled architectures (CSV, JSONL, Parquet, ...).
            target: The column with the labels, higher is better.
            column: The column of the architectures.
            features: Further columns of numbers, which results hold beside the label.
        """
        return cls(Table.read(data, space, target, features, column=column))

    def __init__(self, table: Table) -> None:
        self.table = table

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for architecture in architectures:
            row = self.table.lookup(architecture)
            if row is None:
                error = f"{self.table.path.name} has no row for this architecture, nor for one isomorphic to it"
                yield Result(architecture, None, error=error)
            else:
                more = {name: float(column[row]) for name, column in self.table.features.items()}
                yield Result(architecture, float(self.table.labels[row]), metadata=more)

    def describe(self) -> dict[str, Any]:
        table = self.table
        return {
            "evaluator": self.name,
            "labels": f"the column {table.target!r} of {table.path.name}, which has {len(table):,} architectures",
            "file": table.path.name,
            "column": table.column,
            "target": table.target,
            "rows": len(table),
            "sha256": table.sha256,
            **({"features": sorted(table.features)} if table.features else {}),
        }

    @property
    def label_names(self) -> tuple[str, ...]:
        return (self.table.target, SCORE)

    @property
    def also_measures(self) -> tuple[str, ...]:
        return tuple(self.table.features)

    def pool(self) -> IntArray | None:
        """None where the table is whole: where it has as many (distinct) rows as the space has vectors.

        ``num_vectors`` counts vectors that a mask forbids too, so the table of a masked space always counts
        as a part: its rows are all that can be labelled, which is true of a whole table as well.
        """
        return None if len(self.table) >= self.table.space.num_vectors else self.table.choices
