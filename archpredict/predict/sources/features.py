"""Columns of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import DataError
from archpredict.predict.batch import Batch
from archpredict.predict.sources.base import Source

__all__ = ["FeatureColumns"]


@dataclass(frozen=True)
class FeatureColumns(Source):
    """Columns of the user's own, given as ``features`` in every call.

    Args:
        columns: Their names; :meth:`fit` takes all that there are if left out.

    Example:
        >>> from archpredict.graph.arch_graph import ArchGraph
        >>> batch = Batch.of([ArchGraph(("conv",), ())], {"naswot": [31.5]})
        >>> FeatureColumns().fit(batch)(batch)
        array([[31.5]])
    """

    name = "features"

    columns: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return self.columns

    def fit(self, batch: Batch) -> FeatureColumns:
        return FeatureColumns(self.columns or tuple(batch.features))

    def __call__(self, batch: Batch) -> FloatArray:
        values = [self._column(batch, name) for name in self.columns]
        return np.stack(values, axis=1) if values else np.zeros((len(batch), 0))

    def _column(self, batch: Batch, name: str) -> FloatArray:
        n = len(batch)
        if name not in batch.features:
            raise DataError(
                f"this predictor was fitted with the feature {name!r}, which is missing; give a value of it for "
                f"each of the {n} architectures"
            )
        values = np.asarray(batch.features[name], dtype=np.float64)
        if values.shape != (n,):
            raise DataError(f"the feature {name!r} has shape {values.shape}; expected one number for each of {n}")
        if not np.isfinite(values).all():
            raise DataError(
                f"the feature {name!r} is not a finite number for architecture "
                f"{int(np.flatnonzero(~np.isfinite(values))[0])}; remove or mend it"
            )
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FeatureColumns:
        return cls(tuple(map(str, data["columns"])))
