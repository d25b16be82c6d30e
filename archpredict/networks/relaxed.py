"""RelaxedNetwork: all architectures of a space as one network, in which every decision is a mixture of its options."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from archpredict.graph.mixtures import share_of
from archpredict.networks.form import Form
from archpredict.networks.network import initial_layer
from archpredict.networks.program import Program
from archpredict.networks.steps import Run
from archpredict.spaces.base import SearchSpace

__all__ = ["RelaxedNetwork"]


class RelaxedNetwork:
    """A relaxed network: where an architecture has one option of a decision, it has the mean of all, weighted.

    Liu, Simonyan and Yang, "DARTS: differentiable architecture search", ICLR 2019, arXiv 1806.09055, equation 2: what
    option ``o`` of a decision gives is multiplied by its share ``exp(a_o) / sum_o' exp(a_o')``. The strengths ``a``
    start at 0. Its weights have the names, the shapes and the initial values that they have in a
    :class:`Supernet <archpredict.networks.supernet.Supernet>` of the space. Batch norms take mean and variance of the
    batch.

    Args:
        space: A space with ``relaxed_network()``.
        form: The images, and the options of the space's networks.
        seed: Of the initial weights.
        device: Where it is.

    Raises:
        UsageError: The space defines no relaxed network, or does not take an option.

    Example:
        >>> from archpredict.spaces import load_space
        >>> form = Form(image_size=8, image_channels=1, options={"channels": 2, "cells": 1})
        >>> network = RelaxedNetwork(load_space("nasbench201"), form)
        >>> network.run(torch.zeros(3, 1, 8, 8)).shape, network.strengths.shape
        (torch.Size([3, 10]), torch.Size([30]))
    """

    def __init__(self, space: SearchSpace, form: Form, *, seed: int = 0, device: torch.device | str = "cpu") -> None:
        self.space, self.device = space, torch.device(device)
        self.program = Program(form.relaxed(space))
        self._places = {name: share for name in self.program.layers if (share := share_of(name)) is not None}
        self.weights: dict[str, Tensor] = {}
        for name, layer in self.program.layers.items():
            if name not in self._places:
                made = initial_layer(name, layer, seed)
                self.weights.update({key: value.to(self.device).requires_grad_() for key, value in made.items()})
        self.strengths = torch.zeros(sum(space.mixtures), device=self.device, requires_grad=True)
        self._ones: dict[int, Tensor] = {}

    def log_shares(self) -> list[Tensor]:
        """For each decision the logarithms of the shares of its options, ``(K,)``."""
        return [part.log_softmax(0) for part in torch.split(self.strengths, list(self.space.mixtures))]

    def run(self, images: Tensor, weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """``(N, num_classes)`` of ``(N, C, H, W)`` images.

        Args:
            images: On its device.
            weights: By name; None: its own.
        """
        tensors = dict(self.weights if weights is None else weights)
        shares = [part.exp() for part in self.log_shares()]
        for name, (decision, option) in self._places.items():
            share = shares[decision][option]
            tensors[f"{name}/weight"] = share.expand(self.program.layers[name].weight)
        return self.program.run(images, Run(tensors, ones=self._ones))

    def loss(self, batch: tuple[Tensor, Tensor], weights: Mapping[str, Tensor] | None = None) -> Tensor:
        """Mean cross-entropy.

        Args:
            batch: Images, and their ``(N,)`` labels.
            weights: As for :meth:`run`.
        """
        images, labels = batch
        return functional.cross_entropy(self.run(images, weights), labels)
