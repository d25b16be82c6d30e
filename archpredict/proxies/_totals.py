"""Totals of a computational graph as proxies, for which no network has to be built."""

from __future__ import annotations

import torch
from torch import Tensor

from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import total
from archpredict.networks.network import Network
from archpredict.proxies.base import Proxy


class TotalProxy(Proxy):
    """The total of the attribute of nodes that has the proxy's name: a base line that proxies should beat."""

    positive = True

    def score(self, network: Network, images: Tensor | None = None, labels: Tensor | None = None) -> float:
        return total(network.graph, self.name)

    def score_graph(
        self,
        graph: ArchGraph,
        images: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> float:
        return total(graph, self.name)
