"""The contrastive losses: by hand, their limits, what they are invariant under."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archpredict.errors import UsageError
from archpredict.graph.spectrum import laplacian_spectrum
from archpredict.predict.pretraining.objectives.contrastive import (
    Contrastive,
    Spectral,
    contrastive_loss,
    positive_weights,
)
from archpredict.testing.graphs import random_computational_graph

SPECTRA = torch.from_numpy(np.random.default_rng(0).random((7, 5)))
DISTANCE = torch.cdist(SPECTRA, SPECTRA)
Z = torch.from_numpy(np.random.default_rng(1).standard_normal((7, 4)))


def test_the_loss_of_three_graphs_by_hand() -> None:
    z = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    weights = torch.tensor([[0.0, 0.75, 0.25], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0]], dtype=torch.float64)
    near, far = math.exp(1 / 0.5), math.exp(0 / 0.5)  # the cosines are 1 and 0
    first = 0.75 * math.log(near / (near + far)) + 0.25 * math.log(far / (near + far))
    second = math.log(near / (near + far))
    third = math.log(1 / 2)
    assert contrastive_loss(z, weights, 0.5).item() == pytest.approx(-(first + second + third) / 3)


@given(st.floats(1e-3, 1e3), st.sampled_from([None, 1, 3, 6, 100]))
def test_weights_of_positives_sum_to_1_and_nothing_is_its_own_positive(spread: float, positives: int | None) -> None:
    weights = positive_weights(DISTANCE, spread, positives)
    torch.testing.assert_close(weights.sum(1), torch.ones(7, dtype=torch.float64))
    assert not weights.diagonal().any()
    assert (weights >= 0).all()
    assert ((weights > 0).sum(1) <= (positives or 6)).all()


def test_nearer_ones_weigh_more() -> None:
    weights = positive_weights(DISTANCE, 0.5)
    for i in range(7):
        others = [j for j in np.argsort(DISTANCE[i].numpy()) if j != i]
        assert (torch.diff(weights[i, others]) <= 0).all()


def test_with_equal_weights_it_is_the_plain_contrastive_loss() -> None:
    logits = torch.nn.functional.cosine_similarity(Z[:, None], Z[None], dim=2) / 0.2
    nearest = [sorted((j for j in range(7) if j != i), key=lambda j: float(DISTANCE[i, j]))[:3] for i in range(7)]
    plain = torch.stack(
        [
            -torch.stack(
                [logits[i, s] - torch.logsumexp(logits[i, [r for r in range(7) if r != i]], 0) for s in near]
            ).mean()
            for i, near in enumerate(nearest)
        ]
    ).mean()
    equal = Contrastive(positives=3, temperature=0.2).loss(Z, SPECTRA)
    torch.testing.assert_close(equal, plain)
    torch.testing.assert_close(Spectral(positives=3, temperature=0.2, spread=1e9).loss(Z, SPECTRA), equal)


def test_the_unit_of_the_distances_and_the_length_of_encodings_make_no_difference() -> None:
    objective = Spectral()
    torch.testing.assert_close(objective.loss(Z, SPECTRA), objective.loss(5 * Z, SPECTRA))
    torch.testing.assert_close(positive_weights(DISTANCE, 0.3), positive_weights(10 * DISTANCE, 0.3))


def test_graphs_that_are_all_joined_alike_are_equal_positives() -> None:
    for objective in (Spectral(), Contrastive()):
        loss = objective.loss(Z.requires_grad_(), torch.ones(7, 5, dtype=torch.float64))
        (gradient,) = torch.autograd.grad(loss, Z)
        assert torch.isfinite(gradient).all()
    expected = (1 - torch.eye(3)) / 2
    torch.testing.assert_close(positive_weights(torch.zeros(3, 3), 0.1), expected)


def test_targets_are_the_spectra() -> None:
    graphs = [random_computational_graph(n, np.random.default_rng(n)) for n in (5, 9)]
    expected = [laplacian_spectrum(graph, 6) for graph in graphs]
    for objective in (Spectral(eigenvalues=6), Contrastive(eigenvalues=6)):
        np.testing.assert_array_equal(objective.targets(graphs), expected)


@pytest.mark.parametrize("kind", [Spectral, Contrastive])
@pytest.mark.parametrize("option", ["eigenvalues", "temperature", "positives", "projection"])
def test_options_out_of_their_ranges_are_refused(kind: Any, option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} is"):
        kind(**{option: -1})
