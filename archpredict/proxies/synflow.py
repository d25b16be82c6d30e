"""SynFlow: how much signal flows along all paths of the network."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from archpredict.networks.network import Network
from archpredict.networks.steps import NodeTable, Run
from archpredict.proxies._passes import gradients, weight_names
from archpredict.proxies.base import Proxy

__all__ = ["SynFlow"]

_LEAST = float(np.finfo(np.float64).tiny)


class SynFlow(Proxy):
    """Logarithm of the synaptic flow, summed over all weights.

    Tanaka, Kunin, Yamins and Ganguli, "Pruning neural networks without any data by iteratively conserving synaptic
    flow", 2020, arXiv 2006.05467, section 6 (synaptic saliency: equation 1), summed over the network as Abdelfattah,
    Mehrotra, Dudziak and Lane, "Zero-cost proxies for lightweight NAS", 2021, arXiv 2101.08134, do::

        R = 1ᵀ f(1; |θ|),    S = log Σ |θ · ∂R/∂θ|

    where ``f`` is the network without batch norms and without nonlinear effect of ReLUs (nothing is negative), on one
    image of ones, and the sum goes over the weights of convolutions and linear layers. It is the sum over all paths of
    the product of their weights times their number.

    Departures: computed in double precision, in which a hundred layers do not overflow, and reported as a logarithm,
    which leaves ranks as they are. A network whose output depends on no weight but the last has the sum 0 and gets
    -708.4, the logarithm of the smallest normal number. Needs no images.

    Example:
        >>> from archpredict.graph.builder import Builder
        >>> b = Builder(image=(3, 8, 8))
        >>> graph = b.output(b.linear(b.global_avg_pool(b.relu(b.conv(b.input(), 4, kernel=3, norm=True))), 10)).graph()
        >>> round(SynFlow().score_graph(graph), 2)
        3.79
    """

    name = "synflow"

    def score(self, network: Network, images: Tensor | None = None, labels: Tensor | None = None) -> float:
        program = network.program
        tensors = {name: value.detach().to(torch.float64).abs() for name, value in network.named_parameters()}
        weights = [tensors[name].requires_grad_() for name in weight_names(program)]
        _, *image = NodeTable(program.graph).shape(program.graph.ops.index("input"))
        ones = torch.ones((1, *image), dtype=torch.float64, device=weights[0].device)
        flow = program.run(ones, Run(tensors, norm="none")).sum()
        total = sum(float((w.detach() * g).abs().sum()) for w, g in zip(weights, gradients(flow, weights), strict=True))
        return math.log(max(total, _LEAST))
