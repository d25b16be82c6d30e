"""Statistics of the paths through computational graphs."""

from __future__ import annotations

from archpredict._typing import FloatArray
from archpredict.graph.path_statistics import PATH_NAMES
from archpredict.predict.batch import Batch
from archpredict.predict.network_numbers import network_numbers
from archpredict.predict.sources.base import Source

__all__ = ["PathStatistics"]


class PathStatistics(Source):
    """Convolutions, pools, reach and multiply-adds along the paths from a network's inputs to its outputs.

    See :func:`archpredict.graph.path_statistics.path_statistics`.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> nodes = [Operation("input"), Operation("conv", kernel=(3, 3)), Operation("output")]
        >>> batch = Batch.of([computational_graph(nodes, [(0, 1), (1, 2)])])
        >>> source = PathStatistics().fit(batch)
        >>> dict(zip(source.names, source(batch)[0].tolist()))["mean spatial convolutions of paths"]
        1.0
    """

    name = "topology"
    reads_networks = True

    @property
    def names(self) -> tuple[str, ...]:
        return PATH_NAMES

    def can_read(self, batch: Batch) -> bool:
        return batch.has_networks

    def fit(self, batch: Batch) -> PathStatistics:
        self(batch)
        return self

    def __call__(self, batch: Batch) -> FloatArray:
        return network_numbers(batch, "the source topology reads the paths of networks")[1]
