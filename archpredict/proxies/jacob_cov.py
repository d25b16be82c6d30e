"""Jacobian covariance: how differently the network responds to different images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from archpredict.networks.network import Network
from archpredict.proxies._passes import gradients, outputs
from archpredict.proxies.base import Proxy

__all__ = ["JacobCov"]

_K = 1e-5


class JacobCov(Proxy):
    """Jacobian covariance: how uncorrelated the gradients of the output with respect to the images are.

    Mellor, Turner, Storkey and Crowley, "Neural architecture search without training", 2020, arXiv 2006.04647v1,
    section 3, as Abdelfattah et al. 2021, arXiv 2101.08134, use it. Row ``i`` of ``J`` is the gradient of the summed
    output with respect to image ``i``; ``σ`` are the eigenvalues of the ``(N, N)`` correlation matrix of the rows::

        S = -Σ_i [log(σ_i + k) + 1 / (σ_i + k)],    k = 1e-5

    Labels are not read; batch norms as in training. Not defined where a row is constant, as in a network whose output
    does not depend on the image.

    Example:
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(3, 8, 8))
        >>> graph = b.output(b.linear(b.global_avg_pool(b.relu(b.conv(b.input(), 4, kernel=3, norm=True))), 10)).graph()
        >>> images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> JacobCov().score_graph(graph, images) < -4
        True
    """

    name = "jacob-cov"
    needs_images = True

    def score(self, network: Network, images: Tensor | None = None, labels: Tensor | None = None) -> float:
        if images is None:
            raise ValueError("jacob-cov is taken on a batch of images")
        inputs = images.detach().requires_grad_()
        (jacobian,) = gradients(outputs(network, inputs).sum(), [inputs])
        rows = jacobian.flatten(1).to("cpu", torch.float64).numpy()
        if not np.isfinite(rows).all() or (np.ptp(rows, axis=1) == 0).any():
            return float("nan")
        values = np.linalg.eigvalsh(np.corrcoef(rows))
        return float(-np.sum(np.log(values + _K) + 1 / (values + _K)))
