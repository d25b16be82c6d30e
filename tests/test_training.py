"""Training: batches, recipes, pseudo-labels and random numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archpredict.batch import batched
from archpredict.encoders.gcn import GCN
from archpredict.errors import UnknownNameError, UsageError
from archpredict.graph import ArchGraph
from archpredict.heads.comparator import Comparator
from archpredict.packed import PackedGraphs
from archpredict.training import Model, PseudoPairs, Recipe, Trainer, seeded

CPU = torch.device("cpu")


def make_trainer(n: int, **recipe) -> Trainer:
    graphs = [ArchGraph(("a",) * k, tuple((i, i + 1) for i in range(k - 1))) for k in range(1, n + 1)]
    packed = PackedGraphs.from_graphs(graphs, ("a",))
    with seeded(0):
        model = Model(GCN(1, dim=4), Comparator(8))
    return Trainer(model, packed, np.arange(n, dtype=float), Recipe(**recipe), seed=2**40, device=CPU)


@pytest.mark.parametrize("n", [2, 3, 7, 50])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 64])
def test_no_batch_is_too_small_to_hold_a_pair(n: int, batch_size: int) -> None:
    trainer = make_trainer(n, epochs=1, batch_size=batch_size)
    assert n // trainer.num_batches >= 2
    assert np.isfinite(trainer.epoch())


def test_the_share_of_pseudo_labels_weighs_their_loss() -> None:
    losses = []
    for share in (0.0, 0.5):
        trainer = make_trainer(10, epochs=1, learning_rate=0.0)
        trainer.model.encoder.dropout.p = 0.0
        pair = PseudoPairs(trainer.packed, np.array([3]), np.array([8]), np.array([0.0], dtype=np.float32))
        losses.append(trainer.epoch(pair, share))
    z = trainer.model.encoder(batched(trainer.packed[np.array([3, 8])]))
    alone = trainer.model.head.pair_loss(z[:1], z[1:], torch.zeros(1)).item()
    assert losses[1] == pytest.approx((losses[0] + alone) / 2, rel=1e-4)


def test_the_rate_warms_up_and_falls_to_almost_nothing() -> None:
    trainer = make_trainer(40, epochs=20, batch_size=4, learning_rate=1.0)
    rates = []
    for _ in range(20):
        trainer.epoch()
        rates.append(trainer.optimizer.param_groups[0]["lr"])
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates.index(max(rates)) <= 1
    assert rates[-1] < 0.01


def test_random_numbers_are_seeded_inside_only() -> None:
    before = torch.random.get_rng_state()
    with seeded(5, 1):
        one = torch.rand(3)
    with seeded(5, 1):
        assert torch.equal(torch.rand(3), one)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_seeding_leaves_the_generator_of_cuda_alone() -> None:
    before = torch.cuda.get_rng_state()
    with seeded(5):
        torch.rand(3)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_recipes_out_of_range_are_refused_in_one_sentence() -> None:
    with pytest.raises(UsageError, match="batch_size is a number of at least 1, 0 was given"):
        Recipe(batch_size=0)
    with pytest.raises(UsageError, match="epochs is a number of at least 1, 0 was given"):
        Recipe(epochs=0)
    with pytest.raises(UnknownNameError, match="unknown optimizer 'sgd'; choose from: adam, adamw"):
        Recipe(optimizer="sgd")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="unknown schedule 'step'; choose from: constant, cosine"):
        Recipe(schedule="step")  # type: ignore[arg-type]
