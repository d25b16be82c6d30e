"""Gradient norm: how large the gradient of the loss is."""

from __future__ import annotations

from torch import Tensor

from archpredict.networks.network import Network
from archpredict.proxies._passes import loss_gradients
from archpredict.proxies.base import Proxy

__all__ = ["GradNorm"]


class GradNorm(Proxy):
    """Gradient norm: the Euclidean norm of the gradient of each layer's weights, summed over the layers.

    Abdelfattah, Mehrotra, Dudziak and Lane, "Zero-cost proxies for lightweight NAS", 2021, arXiv 2101.08134, section
    3.2::

        S = Σ_layers ‖∂L/∂θ_layer‖₂

    with the cross-entropy ``L`` of one batch and the weights of convolutions and linear layers; batch norms as in
    training.

    Example:
        >>> import torch
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(3, 8, 8))
        >>> graph = b.output(b.linear(b.global_avg_pool(b.relu(b.conv(b.input(), 4, kernel=3, norm=True))), 10)).graph()
        >>> images = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> GradNorm().score_graph(graph, images, torch.arange(16) % 10) > 0
        True
    """

    name = "grad-norm"
    needs_images = True
    positive = True

    def score(self, network: Network, images: Tensor | None = None, labels: Tensor | None = None) -> float:
        return sum(float(gradient.norm()) for _, gradient in loss_gradients(network, images, labels))
