"""SNIP: how much the loss would change without each weight."""

from __future__ import annotations

from torch import Tensor

from archpredict.networks.network import Network
from archpredict.proxies._passes import loss_gradients
from archpredict.proxies.base import Proxy

__all__ = ["Snip"]


class Snip(Proxy):
    """Connection sensitivity, summed over all weights.

    Lee, Ajanthan and Torr, "SNIP: single-shot network pruning based on connection sensitivity", 2019,
    arXiv 1810.02340, section 4.1, not normalised, as Abdelfattah et al. 2021, arXiv 2101.08134, use it::

        S = Σ |θ · ∂L/∂θ|

    with the cross-entropy ``L`` of one batch and the weights of convolutions and linear layers; batch norms as in
    training.

    Example:
        >>> import torch
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(3, 8, 8))
        >>> graph = b.output(b.linear(b.global_avg_pool(b.relu(b.conv(b.input(), 4, kernel=3, norm=True))), 10)).graph()
        >>> images = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> Snip().score_graph(graph, images, torch.arange(16) % 10) > 0
        True
    """

    name = "snip"
    needs_images = True
    positive = True

    def score(self, network: Network, images: Tensor | None = None, labels: Tensor | None = None) -> float:
        return sum(float((w.detach() * g).abs().sum()) for w, g in loss_gradients(network, images, labels))
