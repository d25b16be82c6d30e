"""Passes through an untrained network that proxies share; they change neither weights nor running averages."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from archpredict.networks.network import Network
from archpredict.networks.program import Program
from archpredict.networks.steps import Run

_SCORED = ("conv", "linear")
"""Kinds of layers whose weights are scored; batch norms and biases are not, as in Abdelfattah et al. 2021."""


def weight_names(program: Program) -> list[str]:
    """Names of the weights of convolutions and linear layers."""
    return [f"{name}/weight" for name, layer in program.layers.items() if layer.kind in _SCORED]


def outputs(network: Network, images: Tensor, observe: Callable[[int, Tensor], None] | None = None) -> Tensor:
    """``(N, K)`` numbers of each image's output, batch norms as in training."""
    tensors = {name: value.detach() for name, value in network.named_parameters()}
    return network.program.run(images, Run(tensors, observe=observe)).flatten(1)


def loss_gradients(network: Network, images: Tensor | None, labels: Tensor | None) -> list[tuple[Tensor, Tensor]]:
    """The weights of each layer and the gradient of the cross-entropy of a batch with respect to them."""
    if images is None or labels is None:
        raise ValueError("gradients of a loss are taken on a batch of images and labels")
    network.program.check_scores()
    tensors = {name: value.detach() for name, value in network.named_parameters()}
    weights = [tensors[name].requires_grad_() for name in weight_names(network.program)]
    loss = F.cross_entropy(network.program.run(images, Run(tensors)), labels)
    return list(zip(weights, gradients(loss, weights), strict=True))


def gradients(value: Tensor, weights: list[Tensor]) -> list[Tensor]:
    """Gradient of a number with respect to each tensor; zeros where it does not depend on it."""
    if not value.requires_grad:
        return [torch.zeros_like(weight) for weight in weights]
    found = torch.autograd.grad(value, weights, allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for w, g in zip(weights, found, strict=True)]
