"""Ratings by shared weights: against the network of its own, and what they do not depend on."""

from __future__ import annotations

import pytest
import torch

from archpredict.errors import UsageError
from archpredict.networks.batches import Batches, accuracy
from archpredict.networks.form import Form
from archpredict.networks.rating import Ratings
from archpredict.networks.supernet import Supernet
from archpredict.testing.toys import ToyImages, ToySpace

IMAGES = ToyImages().load(None)
SPACE = ToySpace(networks=True)
CHOICES = (1, 0, 2, 1, 0, 2)


def supernet() -> Supernet:
    made = Supernet(SPACE, Form.of(IMAGES), seed=3)
    made.grow([made.program(CHOICES)])
    return made


def test_a_rating_is_that_of_the_network_with_the_weights_that_it_takes() -> None:
    shared = supernet()
    rating = Ratings(shared, IMAGES, batch_size=8).of(CHOICES)
    network = shared.network(CHOICES, Batches(IMAGES, batch_size=8, seed=3), count=4)
    validation = Batches(IMAGES, "validation", batch_size=16, shuffle=False)
    (images, labels), *_ = validation.plain()
    with torch.no_grad():
        assert rating.accuracy == accuracy(network, validation)
        assert rating.cross_entropy == pytest.approx(float(torch.nn.functional.cross_entropy(network(images), labels)))
    assert rating.untrained_weights == 0


def test_a_rating_depends_on_the_weights_and_not_on_what_was_rated_before() -> None:
    shared = supernet()
    ratings = Ratings(shared, IMAGES, batch_size=8)
    first = ratings.of(CHOICES)
    assert ratings.of((2, 1, 0, 0, 1, 1)).untrained_weights > 0
    assert ratings.of(CHOICES) == first
    with torch.no_grad():
        shared.weights["linear/weight"] += 1.0 * torch.arange(4).view(2, 2)
    assert ratings.of(CHOICES) != first


def test_batch_norms_need_an_image() -> None:
    with pytest.raises(UsageError, match="batch norms are found on at least 1 image, 0 were asked for"):
        Ratings(supernet(), IMAGES, batch_size=8, calibration=0)
