"""NASWOT: how well the linear regions of an untrained network tell images apart."""

from __future__ import annotations

import torch
from torch import Tensor

from archpredict.networks.network import Network
from archpredict.proxies._passes import outputs
from archpredict.proxies.base import Proxy

__all__ = ["NASWOT"]

_GATES = frozenset({"relu", "relu6", "hard_swish", "silu", "gelu", "mish"})
"""Activations whose output is above 0 exactly where their input is."""


class NASWOT(Proxy):
    """Log-determinant of the kernel of binary activation codes.

    Mellor, Turner, Storkey and Crowley, "Neural architecture search without training", 2021, final version of
    arXiv 2006.04647, section 3. The code ``c_i`` of an image has a bit for each of the ``N_A`` rectified units:
    whether it is active; ``d_H`` is the Hamming distance::

        K_ij = N_A - d_H(c_i, c_j),    S = log |K|

    Labels are not read; batch norms as in training. Gated activations that are no ReLU (hard swish, SiLU, GELU, Mish)
    count as active where their input is positive. Not defined where two images have the same code, or where no
    activation is.

    Example:
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(3, 8, 8))
        >>> graph = b.output(b.linear(b.global_avg_pool(b.relu(b.conv(b.input(), 4, kernel=3, norm=True))), 10)).graph()
        >>> images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> 15 < NASWOT().score_graph(graph, images) < 4 * 5.55  # at most log(256) for each of 4 images
        True
    """

    name = "naswot"
    needs_images = True

    def score(self, network: Network, images: Tensor | None = None, labels: Tensor | None = None) -> float:
        if images is None:
            raise ValueError("naswot is taken on a batch of images")
        ops = network.graph.ops
        kernel = torch.zeros((len(images), len(images)), dtype=torch.float64, device=images.device)

        def count(node: int, value: Tensor) -> None:
            if ops[node] in _GATES:
                kernel.add_(agreements(value.flatten(1) > 0))

        with torch.no_grad():
            outputs(network, images, observe=count)
        sign, logarithm = torch.linalg.slogdet(kernel.cpu())
        return float(logarithm) if sign > 0 else float("nan")


def agreements(codes: Tensor) -> Tensor:
    """``(N, N)`` numbers of bits in which binary codes ``(N, D)`` agree, counted exactly for ``D`` below 2^24."""
    bits = codes.float()
    ones = bits.sum(dim=1)
    return codes.shape[1] + 2 * (bits @ bits.T) - ones[:, None] - ones[None, :]
