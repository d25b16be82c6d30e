"""Graph statistics, with the costs that a search space computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._typing import FloatArray
from archpredict.errors import NotFittedError
from archpredict.graph.packed import PackedGraphs
from archpredict.graph.statistics import Statistics
from archpredict.predict.batch import Batch
from archpredict.predict.sources.base import Source

__all__ = ["GraphStatistics"]


@dataclass(frozen=True)
class GraphStatistics(Source):
    """Counts, degrees and paths of each cell, and the costs that the search space computes.

    See :class:`archpredict.graph.statistics.Statistics`. They are computed from packed graphs when they are asked for.

    Args:
        statistics: Which; set by :meth:`fit`.
        space: Name of the search space whose costs are read; set by :meth:`fit`.

    Example:
        >>> from archpredict.spaces import load_space
        >>> batch = Batch.of([load_space("nasbench201").architecture([3] * 6)])
        >>> source = GraphStatistics().fit(batch)
        >>> dict(zip(source.names, source(batch)[0].tolist()))["cell0: count of nor_conv_3x3"]
        6.0
    """

    name = "statistics"
    needs_nodes = True

    statistics: Statistics | None = None
    space: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return self._fitted.names

    def fit(self, batch: Batch) -> GraphStatistics:
        costs = batch.cost_names
        space = batch.space.name if costs and batch.space is not None else None
        return GraphStatistics(Statistics.fit(batch.nodes, costs), space)

    def __call__(self, batch: Batch) -> FloatArray:
        return self.finish(batch.nodes, self.read(batch)).astype(np.float64)

    def read(self, batch: Batch) -> FloatArray:
        """``(B, C)`` costs."""
        costs = self._fitted.costs
        if not costs:
            return np.zeros((len(batch), 0))
        return batch.costs(costs, f"this predictor reads the costs {', '.join(costs)} of the space {self.space}")

    def finish(self, nodes: PackedGraphs, read: FloatArray) -> npt.NDArray[np.floating[Any]]:
        return self._fitted(nodes, dict(zip(self._fitted.costs, read.T, strict=True)))

    def mismatch(self, vocabulary: tuple[str, ...], num_cells: int) -> str | None:
        if self._fitted.vocabulary != vocabulary:
            return "its statistics are of another vocabulary"
        if self._fitted.num_cells != num_cells:
            return f"its statistics are of {self._fitted.num_cells} cells, its graphs have {num_cells}"
        return None

    @property
    def _fitted(self) -> Statistics:
        if self.statistics is None:
            raise NotFittedError("the source statistics has not been fitted; call fit(batch) first")
        return self.statistics

    def to_dict(self) -> dict[str, Any]:
        return {"statistics": self._fitted.to_dict(), "space": self.space}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GraphStatistics:
        space = data["space"]
        return cls(Statistics.from_dict(data["statistics"]), None if space is None else str(space))
