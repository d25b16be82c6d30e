"""Proxy: a score of an untrained network (one file each)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.images.base import Images
from archpredict.networks.batches import Batches
from archpredict.networks.network import Network, build
from archpredict.registry import resolve

__all__ = ["Proxy", "load_proxy"]

BATCH_SIZE = 64
"""Images that proxies read, as many as in Abdelfattah et al. 2021 on NAS-Bench-201."""


class Proxy(ABC):
    """A zero-cost proxy: guesses from a network's initial weights how well it would do after training.

    Higher is better. A score says something only beside scores of other networks with the same images and the same
    seed. Nothing is trained, and the network is left as it was.
    """

    name: ClassVar[str]
    needs_images: ClassVar[bool] = False
    """Whether it reads a batch of labelled images; else it is data-free."""
    positive: ClassVar[bool] = False
    """Whether scores are positive and go over orders of magnitude, so that their logarithm is what to compare."""

    @abstractmethod
    def score(self, network: Network, images: Tensor | None = None, labels: Tensor | None = None) -> float:
        """The score; not finite where it is not defined for the network.

        Args:
            network: With its initial weights.
            images: ``(N, C, H, W)`` on the network's device; only where :attr:`needs_images`.
            labels: ``(N,)`` classes of the images.
        """

    def score_graph(
        self,
        graph: ArchGraph,
        images: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> float:
        """The score of the network of a computational graph.

        Args:
            graph: The graph.
            images: As in :meth:`score`.
            labels: As in :meth:`score`.
            seed: Of the initial weights, which depend on it and their names alone.
            device: Where the network runs.
        """
        return self.score(build(graph, seed=seed).to(device), images, labels)


def load_proxy(name: str, images: Images | None) -> Proxy:
    """The proxy of this name, or of a ``module:Class`` reference.

    Args:
        name: E.g. ``synflow``.
        images: What it can be given a batch of.

    Raises:
        UnknownNameError: There is none; the message lists those there are.
        UsageError: It reads images and there are none, or the class is no proxy.
    """
    found: type[Proxy] = resolve("proxies", name, Proxy)
    if found.needs_images and images is None:
        raise UsageError(
            f"the zero-cost proxy {name} reads a batch of labelled images and no data set was given; name one, e.g. "
            "`dataset='digits'` or `dataset='cifar10:FOLDER'`, or take a proxy that needs none, such as synflow"
        )
    return found()


def batch_for(
    proxies: Sequence[Proxy],
    images: Images | None,
    *,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> tuple[Tensor | None, Tensor | None]:
    """One batch of the train split and its labels, as proxies take them; nothing where no proxy reads images.

    Args:
        proxies: Those that are to be computed.
        images: The data set.
        batch_size: Number of images, at most all.
        seed: Which images.
        device: Where they are to be.
    """
    if images is None or not any(proxy.needs_images for proxy in proxies):
        return None, None
    return next(Batches(images, batch_size=batch_size, seed=seed, device=device).epoch(0))
