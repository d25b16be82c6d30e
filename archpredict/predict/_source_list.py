"""Sources of a predictor in a row, and which of their columns are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from archpredict._typing import BoolArray, FloatArray, IntArray
from archpredict.graph.packed import PackedGraphs
from archpredict.predict.batch import Batch
from archpredict.predict.sources.base import Source, source_class


@dataclass(frozen=True, eq=False)
class SourceList:
    """Fitted sources, side by side.

    Args:
        sources: ``S`` sources.
        columns: For each the names of the columns that are read, in their order.
    """

    sources: tuple[Source, ...] = ()
    columns: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def fit(cls, sources: Sequence[Source], batch: Batch) -> SourceList:
        """Fix the sources on the training architectures; all their columns are read."""
        fitted = tuple(source.fit(batch) for source in sources)
        return cls(fitted, tuple(source.names for source in fitted))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, each with its source in front."""
        pairs = zip(self.sources, self.columns, strict=True)
        return tuple(f"{source.name}: {column}" for source, columns in pairs for column in columns)

    def __len__(self) -> int:
        return sum(map(len, self.columns))

    @property
    def needs_nodes(self) -> bool:
        """Whether :meth:`finish` reads the packed graphs."""
        return any(source.needs_nodes for source in self.sources)

    @cached_property
    def is_standardised(self) -> BoolArray:
        """``(F,)`` which columns have a scale of their own."""
        pairs = zip(self.sources, self.columns, strict=True)
        return np.array([source.is_standardised for source, columns in pairs for _ in columns], dtype=np.bool_)

    def read(self, batch: Batch) -> tuple[FloatArray, ...]:
        """Numbers ``(B, K)`` that each source takes from the architectures."""
        return tuple(source.read(batch) for source in self.sources)

    def finish(self, nodes: PackedGraphs, read: Sequence[FloatArray]) -> FloatArray:
        """``(B, F)`` the columns that are read, of packed graphs and what :meth:`read` gave."""
        result = np.empty((len(nodes), len(self)))
        end = 0
        for source, given, places in zip(self.sources, read, self._places, strict=True):
            numbers = source.finish(nodes, given)
            chosen = numbers if places is None else numbers[:, places]
            begin, end = end, end + chosen.shape[1]
            result[:, begin:end] = chosen
        return result

    @cached_property
    def _places(self) -> list[IntArray | None]:
        """Where each source's columns are among those that it computes; None where they are just these."""
        found: list[IntArray | None] = []
        for source, columns in zip(self.sources, self.columns, strict=True):
            place = {column: i for i, column in enumerate(source.names)}
            found.append(None if columns == source.names else np.array([place[c] for c in columns], dtype=np.int64))
        return found

    # ------------------------------------------------------------------ saving

    def to_list(self) -> list[dict[str, Any]]:
        """Plain JSON."""
        pairs = zip(self.sources, self.columns, strict=True)
        return [{"source": source.name, "columns": list(names), **source.to_dict()} for source, names in pairs]

    @classmethod
    def from_list(cls, data: Sequence[Mapping[str, Any]], own: Mapping[str, type[Source]]) -> SourceList:
        """Read :meth:`to_list`'s result.

        Args:
            data: The list.
            own: Classes by name that come before those of archpredict.

        Raises:
            ValueError: It does not hold together, or names what this version does not compute.
        """
        sources, columns = [], []
        for given in data:
            name = str(given["source"])
            if ":" in name:
                raise ValueError(f"its source {name} is not one of archpredict's own")
            source = (own[name] if name in own else source_class(name)).from_dict(given)
            wanted, computed = tuple(map(str, given["columns"])), set(source.names)
            if missing := [column for column in wanted if column not in computed]:
                raise ValueError(
                    f"it reads {missing[0]!r} of the source {name}, which this version does not compute; "
                    "fit it again with this version"
                )
            if len(set(wanted)) < len(wanted):
                raise ValueError(f"it reads columns of the source {name} twice")
            sources.append(source)
            columns.append(wanted)
        return cls(tuple(sources), tuple(columns))
