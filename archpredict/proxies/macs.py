"""Multiply-adds as a proxy: the costlier network is taken for the better one."""

from __future__ import annotations

import torch
from torch import Tensor

from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import total
from archpredict.networks.network import Network
from archpredict.proxies.base import Proxy

__all__ = ["Macs"]


class Macs(Proxy):
    """Number of multiply-adds for one image: a base line that proxies should beat.

    See :func:`archpredict.graph.operators.count_macs`.

    White, Khodak, Tu, Shah, Bubeck and Dey, "A deeper look at zero-cost proxies for lightweight NAS", 2022, ICLR blog
    track, show how hard that is.

    Example:
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(3, 8, 8))
        >>> Macs().score_graph(b.output(b.conv(b.input(), 4, kernel=3, norm=True)).graph())
        6912.0
    """

    name = "macs"
    positive = True

    def score(self, network: Network, images: Tensor | None = None, labels: Tensor | None = None) -> float:
        return total(network.graph, "macs")

    def score_graph(
        self,
        graph: ArchGraph,
        images: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> float:
        return total(graph, "macs")
