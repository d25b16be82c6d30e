"""Statistics of computational graphs."""

from __future__ import annotations

from archpredict._typing import FloatArray
from archpredict.graph.network_statistics import NAMES
from archpredict.predict.batch import Batch
from archpredict.predict.network_numbers import network_numbers
from archpredict.predict.sources.base import Source

__all__ = ["NetworkStatistics"]


class NetworkStatistics(Source):
    """Sizes, kinds of layers, stages and shapes of whole networks.

    See :func:`archpredict.graph.network_statistics.network_statistics`.

    Example:
        >>> from archpredict.graph.operators import Operation, computational_graph
        >>> nodes = [Operation("input", (1, 3, 4, 4)), Operation("relu", (1, 3, 4, 4))]
        >>> batch = Batch.of([computational_graph(nodes, [(0, 1)])])
        >>> source = NetworkStatistics().fit(batch)
        >>> dict(zip(source.names, source(batch)[0].tolist()))["relu per layer"]
        1.0
    """

    name = "network"
    reads_networks = True

    @property
    def names(self) -> tuple[str, ...]:
        return NAMES

    def can_read(self, batch: Batch) -> bool:
        return batch.has_networks

    def fit(self, batch: Batch) -> NetworkStatistics:
        self(batch)
        return self

    def __call__(self, batch: Batch) -> FloatArray:
        return network_numbers(batch, "the source network reads statistics of networks")[0]
