"""Contrastive pre-training: graphs that are joined alike get encodings that are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict._typing import FloatArray
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.spectrum import laplacian_spectrum
from archpredict.predict.pretraining.objectives.base import PretrainingObjective
from archpredict.registry.arguments import check_integer, check_positive

__all__ = ["Contrastive", "Spectral", "contrastive_loss", "positive_weights"]


def contrastive_loss(z: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """Weighted contrastive loss ``L = -mean_i sum_{s in P(i)} alpha_s^(i) chi_is`` of a batch.

    ``chi_ij = log(exp(sim(z_i, z_j) / t) / sum_{r != i} exp(sim(z_i, z_r) / t))`` with the cosine as similarity: Han,
    Mills et al., "A General-Purpose Transferable Predictor for Neural Architecture Search", SDM 2023, arXiv 2302.10835.
    With equal weights it is the loss of Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, arXiv
    2004.11362, equation 2. Departure: the mean over the batch in place of the sum, so that a learning rate means the
    same for any size.

    Args:
        z: ``(B, P)`` encodings.
        weights: ``(B, B)`` of the positives ``s`` of each ``i``: every row sums to 1, its own place is 0.
        temperature: ``t``, above 0.

    Example:
        >>> z = torch.eye(3)  # all alike: each of the two others has probability 1/2
        >>> contrastive_loss(z, (1 - torch.eye(3)) / 2, 0.1).item() == torch.tensor(2.0).log().item()
        True
    """
    z = F.normalize(z, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    chi = (z @ z.t() / temperature).masked_fill(itself, -torch.inf).log_softmax(1)
    return -(weights * chi.masked_fill(itself, 0.0)).sum(1).mean()


def positive_weights(distance: Tensor, spread: float, positives: int | None = None) -> Tensor:
    """Weights ``alpha^(i) = softmax(-d(i, .) / (spread d))`` of the positives of each member of a batch.

    Args:
        distance: ``(B, B)`` distances ``d(i, j)``.
        spread: In mean distances of the batch, ``d``; infinite for equal weights.
        positives: How many of the nearest are positives; None: all others are.

    Returns:
        ``(B, B)``, each row sums to 1 and has 0 in its own place.

    Example:
        >>> distance = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])
        >>> positive_weights(distance, float("inf")).tolist()[0], positive_weights(distance, 1.0, 1).tolist()[2]
        ([0.0, 0.5, 0.5], [0.0, 1.0, 0.0])
    """
    itself = torch.eye(len(distance), dtype=torch.bool, device=distance.device)
    others = distance.masked_fill(itself, torch.inf)
    least = torch.finfo(distance.dtype).tiny
    mean = (distance.sum() / max(1, len(distance) * (len(distance) - 1))).clamp(min=least)
    logits = (-distance / (spread * mean).clamp(min=least)).masked_fill(itself, -torch.inf)
    if positives is not None and positives < len(distance) - 1:
        nearest = others.topk(positives, largest=False).indices
        logits = torch.full_like(logits, -torch.inf).scatter(1, nearest, logits.gather(1, nearest))
    return logits.softmax(1)


@dataclass(frozen=True)
class Spectral(PretrainingObjective):
    """Contrastive pre-training with positives weighted by the distance of their spectra.

    Han, Mills et al., "A General-Purpose Transferable Predictor for Neural Architecture Search", SDM 2023, arXiv
    2302.10835: :func:`contrastive_loss` with :func:`positive_weights` of the Euclidean distance between the smallest
    eigenvalues of the normalised Laplacian (:func:`archpredict.graph.spectrum.laplacian_spectrum`). The publication
    gives neither the number of eigenvalues nor the temperature; those below are ours (``benchmarks/transferable.py``).

    Departures: the encodings go through a projection of two layers that is thrown away (Chen et al., "A Simple
    Framework for Contrastive Learning of Visual Representations", ICML 2020, arXiv 2002.05709); distances are in
    means of the batch.

    Args:
        eigenvalues: How many are compared.
        temperature: ``t`` of the loss.
        spread: Of the weights, in mean distances of the batch: the smaller, the more the nearest one counts.
        positives: How many of the nearest are positives; None: all others in the batch are.
        projection: Units of the projection; 0 for none.

    Raises:
        UsageError: A value out of its range.
    """

    name = "spectral"

    eigenvalues: int = 16
    temperature: float = 0.1
    spread: float = 0.1
    positives: int | None = None
    projection: int = 64

    def __post_init__(self) -> None:
        check_integer("eigenvalues", self.eigenvalues, 1)
        check_positive("temperature", self.temperature)
        check_positive("spread", self.spread)
        check_integer("projection", self.projection, 0)
        if self.positives is not None:
            check_integer("positives", self.positives, 1)

    def targets(self, graphs: Sequence[ArchGraph]) -> FloatArray:
        return _spectra(graphs, self.eigenvalues)

    def readout(self, in_features: int, num_targets: int) -> nn.Module:
        return _projection(in_features, self.projection)

    def loss(self, read: Tensor, targets: Tensor) -> Tensor:
        weights = positive_weights(_distances(targets), self.spread, self.positives)
        return contrastive_loss(read, weights, self.temperature)


@dataclass(frozen=True)
class Contrastive(PretrainingObjective):
    """Plain contrastive pre-training: the graphs with the nearest spectra are positives, and all count alike.

    The ablation beside :class:`Spectral`: the same loss with equal weights. With equal weights on all others in a batch
    nothing would be learnt, so that there are fewer.

    Args:
        positives: How many of the nearest in the batch.
        eigenvalues: How many are compared to find them.
        temperature: ``t`` of the loss.
        projection: Units of the projection; 0 for none.

    Raises:
        UsageError: A value out of its range.
    """

    name = "contrastive"

    positives: int = 4
    eigenvalues: int = 16
    temperature: float = 0.1
    projection: int = 64

    def __post_init__(self) -> None:
        check_integer("positives", self.positives, 1)
        check_integer("eigenvalues", self.eigenvalues, 1)
        check_positive("temperature", self.temperature)
        check_integer("projection", self.projection, 0)

    def targets(self, graphs: Sequence[ArchGraph]) -> FloatArray:
        return _spectra(graphs, self.eigenvalues)

    def readout(self, in_features: int, num_targets: int) -> nn.Module:
        return _projection(in_features, self.projection)

    def loss(self, read: Tensor, targets: Tensor) -> Tensor:
        weights = positive_weights(_distances(targets), float("inf"), self.positives)
        return contrastive_loss(read, weights, self.temperature)


def _spectra(graphs: Sequence[ArchGraph], k: int) -> FloatArray:
    return np.array([laplacian_spectrum(graph, k) for graph in graphs]).reshape(len(graphs), k)


def _distances(spectra: Tensor) -> Tensor:
    # Not by products, whose rounding makes equal spectra differ.
    return torch.cdist(spectra, spectra, compute_mode="donot_use_mm_for_euclid_dist")


def _projection(in_features: int, width: int) -> nn.Module:
    if width == 0:
        return nn.Identity()
    return nn.Sequential(nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, width))
