"""Training: batches, recipes, early stopping, numbers beside the graph, pseudo-labels and random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.encoders.asynchronous import Asynchronous
from archpredict.encoders.gcn import GCN
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import GraphBatch, batched
from archpredict.graph.packed import PackedGraphs
from archpredict.heads.base import Head
from archpredict.heads.comparator import Comparator
from archpredict.heads.pairwise import Pairwise
from archpredict.heads.regression import Regression
from archpredict.metrics import kendall_tau
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.training.model import Model, encode
from archpredict.predict.training.optimizer import Adam, Flat
from archpredict.predict.training.stacking import fit_all
from archpredict.predict.training.trainer import Trainer
from archpredict.predict.training.training import PseudoPairs, Training
from archpredict.progress import Event
from archpredict.runtime import seeded
from archpredict.spaces.base import load_space

CPU = torch.device("cpu")


def chains(n: int) -> list[ArchGraph]:
    return [ArchGraph(("a",) * k, tuple((i, i + 1) for i in range(k - 1))) for k in range(1, n + 1)]


def make_trainer(n: int, seed: int = 2**40, **training: Any) -> Trainer:
    spec, inputs = InputSpec.fit(chains(n), form="nodes")
    with seeded(0):
        model = Model(GCN(1, dim=4), Comparator(8))
    return Trainer(model, spec, inputs, np.arange(n, dtype=float), Training(**training), seed=seed, device=CPU)


def graph_part(trainer: Trainer) -> GCN:
    encoder = trainer.model.encoder
    assert isinstance(encoder, GCN)
    return encoder


# ---------------------------------------------------------------------- encoding


def test_large_graphs_are_encoded_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(12)
    whole = encode([trainer.model], trainer.spec, trainer.inputs, CPU)
    sizes: list[int] = []

    def counting(graphs: PackedGraphs, device: torch.device) -> GraphBatch:
        sizes.append(len(graphs.op))
        return batched(graphs, device)

    monkeypatch.setattr("archpredict.predict.training.model._NODES", 10)
    monkeypatch.setattr("archpredict.predict.training.model.batched", counting)
    parts = encode([trainer.model], trainer.spec, trainer.inputs, CPU)
    assert sizes == [10, 5, 6, 7, 8, 9, 10, 11, 12]  # 1 + 2 + 3 + 4, then one graph each
    torch.testing.assert_close(parts, whole)
    empty = encode([trainer.model], trainer.spec, trainer.inputs[:0], CPU)
    assert [part.shape for part in empty] == [(0, 8), (0, 0)]


# ---------------------------------------------------------------------- batches and rates


@pytest.mark.parametrize("n", [2, 3, 7, 50])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 64])
def test_no_batch_is_too_small_to_hold_a_pair(n: int, batch_size: int) -> None:
    trainer = make_trainer(n, epochs=1, batch_size=batch_size)
    assert n // trainer.num_batches >= 2
    assert np.isfinite(trainer.epoch())


@pytest.mark.parametrize(("max_steps", "epochs"), [(None, 9), (36, 9), (35, 8), (7, 1), (1, 1)])
def test_no_network_takes_more_steps_than_it_may(max_steps: int | None, epochs: int) -> None:
    trainer = make_trainer(16, epochs=9, batch_size=4, max_steps=max_steps)  # four steps an epoch
    told: list[Event] = []
    trainer.fit(told.append)
    assert trainer.steps_done == 4 * epochs
    assert [(event.done, event.total) for event in told] == [(i, epochs) for i in range(1, epochs + 1)]
    start = trainer.training.learning_rate
    assert trainer.next_rate() < 0.25 * start or epochs == 1  # the schedule ends with them


def test_the_share_of_pseudo_labels_weighs_their_loss() -> None:
    losses = []
    for share in (0.0, 0.5):
        trainer = make_trainer(10, epochs=1, learning_rate=1e-30)
        graph_part(trainer).dropout.p = 0.0
        pair = PseudoPairs(trainer.inputs, np.array([3]), np.array([8]), np.array([0.0], dtype=np.float32))
        losses.append(trainer.epoch(pair, share))
    z = graph_part(trainer)(batched(trainer.inputs.graphs[np.array([3, 8])]))
    alone = trainer.model.head.pair_loss(z[:1], z[1:], torch.zeros(1)).item()
    assert losses[1] == pytest.approx((losses[0] + alone) / 2, rel=1e-4)


def test_pseudo_labels_move_the_model_towards_them() -> None:
    trainer = make_trainer(10, epochs=30, learning_rate=0.01, schedule="constant")
    for _ in range(30):
        trainer.epoch()
    first, second = np.array([0, 1]), np.array([8, 9])

    def beats() -> float:
        z = encode([trainer.model], trainer.spec, trainer.inputs, CPU)[0]
        return float(trainer.model.head.compare(z[first], z[second]).mean().detach())

    before = beats()
    assert before < 0.5
    pairs = PseudoPairs(trainer.inputs, first, second, np.ones(2, dtype=np.float32))
    trainer.slow_down(1.0)
    for _ in range(30):
        trainer.epoch(pairs, 0.9)
    assert beats() > before + 0.1


def test_slowing_down_sets_a_constant_rate() -> None:
    trainer = make_trainer(10, epochs=5, batch_size=4, learning_rate=0.5)
    trainer.epoch()
    trainer.slow_down(0.1)
    for _ in range(3):
        trainer.epoch()
        assert trainer.optimizer.rate == pytest.approx(0.05)


def test_the_rate_warms_up_and_falls_to_almost_nothing() -> None:
    trainer = make_trainer(40, epochs=20, batch_size=4, learning_rate=1.0)
    rates = []
    for _ in range(20):
        trainer.epoch()
        rates.append(trainer.optimizer.rate)
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates.index(max(rates)) <= 1
    assert rates[-1] < 0.01


# ---------------------------------------------------------------------- numbers beside the graph


def test_encodings_are_the_graphs_then_the_rectified_layer_on_the_numbers() -> None:
    x = np.arange(6.0)
    spec, inputs = InputSpec.fit(chains(6), form="nodes", features={"x": x})
    side = nn.Linear(1, 3)
    model = Model(GCN(1, dim=4), Comparator(11), side, dropout=0.9)
    assert model.out_features == 11
    z, numbers = encode([model], spec, inputs, CPU)
    standard = torch.from_numpy((x - x.mean()) / x.std()).float()[:, None]
    torch.testing.assert_close(numbers, standard)
    torch.testing.assert_close(z[:, 8:], F.relu(side(standard)).detach())
    assert model.encoder is not None
    torch.testing.assert_close(z[:, :8], model.encoder(batched(inputs.graphs)).detach())


def learnt_from_the_number(encoder: GCN | None) -> float:
    """Tau of a model whose labels depend on an extra number that the graphs do not tell."""
    graphs = [chains(1)[0]] * 30
    x = np.random.default_rng(0).normal(size=30)
    spec, inputs = InputSpec.fit(graphs, form="nodes", features={"x": x})
    with seeded(0):
        model = Model(encoder, Regression(8 + (8 if encoder else 0)), nn.Linear(1, 8))
    trainer = Trainer(model, spec, inputs, x, Training(epochs=40, learning_rate=0.01), seed=0, device=CPU)
    trainer.fit()
    return kendall_tau(x, model.head.score(encode([model], spec, inputs, CPU)[0]).detach().numpy())


def test_a_model_learns_from_the_numbers_with_a_graph_and_without() -> None:
    assert learnt_from_the_number(None) > 0.9
    assert learnt_from_the_number(GCN(1, dim=4)) > 0.9


# ---------------------------------------------------------------------- early stopping


class Constant(Head):
    """Always the same scores; counts in its weight how often it was trained."""

    name = "constant"

    def __init__(self) -> None:
        super().__init__()
        self.trained = nn.Parameter(torch.zeros(1))

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        return -self.trained.sum()

    def score(self, z: Tensor) -> Tensor:
        return z.sum(1)

    def logits(self, za: Tensor, zb: Tensor) -> Tensor:
        return za.sum(1)[:, None] - zb.sum(1)[None, :]

    def pair_loss(self, za: Tensor, zb: Tensor, target: Tensor) -> Tensor:
        return -self.trained.sum()


def stopped(
    monkeypatch: pytest.MonkeyPatch, taus: Sequence[float], told: list[int] | None = None, **training: Any
) -> tuple[float, int]:
    """Steps that the kept weights have seen, and epochs that were run, where the held-out tau is as given.

    ``told`` is given the numbers of epochs that were reported.
    """
    following = iter(taus)
    monkeypatch.setattr(Trainer, "_held_out_tau", lambda self: next(following))
    spec, inputs = InputSpec.fit(chains(10), form="nodes")
    head = Constant()
    given: dict[str, Any] = {
        "epochs": len(taus),
        "learning_rate": 1.0,
        "optimizer": "adam",
        "weight_decay": 0.0,
        "schedule": "constant",
        "held_out": 0.3,
        **training,
    }
    trainer = Trainer(Model(GCN(1, dim=4), head), spec, inputs, np.arange(10.0), Training(**given), seed=0, device=CPU)
    epochs: list[int] = [] if told is None else told
    trainer.fit(lambda event: epochs.append(event.done))
    return round(head.trained.item()), trainer.epochs_done  # Adam with a constant gradient moves by its rate


def test_early_stopping_keeps_the_weights_of_the_best_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stopped(monkeypatch, [0.1, 0.5, 0.9, 0.2, 0.3], patience=10) == (3, 5)
    assert stopped(monkeypatch, [0.1, 0.5, 0.9, 0.9, 0.3], patience=10) == (3, 5)
    assert stopped(monkeypatch, [-1.0, -1.0, -1.0], patience=10) == (1, 3)


def test_training_stops_after_so_many_epochs_without_a_better_tau(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stopped(monkeypatch, [0.1, 0.5, 0.2, 0.4, 0.9, 1.0], patience=2) == (2, 4)
    assert stopped(monkeypatch, [0.1, 0.5, 0.2, 0.6, 0.5, 0.5, 1.0], patience=2) == (4, 6)


@pytest.mark.parametrize(
    ("taus", "expected"),
    [
        ([0.5, 0.4, 0.3, 0.2, 0.1], [1, 2, 3, 5]),  # stops after the third
        ([0.1, 0.2, 0.3, 0.2, 0.1], [1, 2, 3, 4, 5]),  # stops where it would have ended
        ([0.1, 0.2, 0.3, 0.4, 0.5], [1, 2, 3, 4, 5]),
    ],
)
def test_all_epochs_are_told_as_done_once_even_where_training_stops_early(
    taus: list[float], expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    stopped(monkeypatch, taus, told, patience=2)
    assert told == expected


def test_without_held_out_labels_every_epoch_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stopped(monkeypatch, [0.9, 0.1, 0.1, 0.1], patience=1, held_out=0.0) == (4, 4)


def test_held_out_labels_are_that_share_and_not_trained_on() -> None:
    trainer = make_trainer(20, epochs=1, held_out=0.25)
    trained = np.diff(trainer.inputs.graphs.node_start) - 1  # the label of a chain is its length less 1
    assert sorted(trained.tolist()) == sorted(trainer.y.tolist())
    assert len(trained) == 15
    assert sorted([*trained.tolist(), *trainer._held.tolist()]) == list(range(20))
    assert len(make_trainer(20, epochs=1).inputs) == 20


def test_the_held_out_tau_is_that_of_the_scores_on_the_held_out_architectures() -> None:
    trainer = make_trainer(20, epochs=1, held_out=0.5)
    trainer.epoch()
    held = [chains(20)[i] for i in trainer._held]
    z = encode([trainer.model], trainer.spec, trainer.spec.pack(held), CPU)[0]
    scores = trainer.model.head.score(z).detach().numpy()
    assert trainer._held_out_tau() == pytest.approx(kendall_tau(trainer._held.astype(float), scores))


@pytest.mark.parametrize(("n", "share"), [(10, 0.1), (3, 0.4), (4, 0.9), (10, 0.01), (2, 0.1)])
def test_too_few_labels_to_hold_some_out_are_refused(n: int, share: float) -> None:
    with pytest.raises(UsageError, match=rf"held_out={share} of {n} labels leaves .* both must be at least 2"):
        make_trainer(n, held_out=share)


# ---------------------------------------------------------------------- seeds


def trained_weights(seed: int) -> list[float]:
    trainer = make_trainer(12, seed=seed, epochs=3, batch_size=4, held_out=0.3)
    trainer.fit()
    return [float(p.detach().sum()) for p in trainer.model.parameters()]


def test_equal_seeds_train_equally_and_others_do_not() -> None:
    assert trained_weights(1) == trained_weights(1)
    assert trained_weights(1) != trained_weights(2)


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


# ---------------------------------------------------------------------- encoding and refusals


def test_encoding_many_equals_encoding_each_and_nothing_is_encoded_to_nothing() -> None:
    graphs = chains(5) * 500  # more than are encoded at once
    spec, inputs = InputSpec.fit(graphs, form="nodes", features={"x": np.arange(2500.0)})
    models = [Model(GCN(1, dim=4), Comparator(10), nn.Linear(1, 2)) for _ in range(2)]
    together = encode(models, spec, inputs, CPU)
    parts = [encode(models, spec, inputs[i : i + 500], CPU) for i in range(0, 2500, 500)]
    for i, whole in enumerate(together):
        torch.testing.assert_close(whole, torch.cat([part[i] for part in parts]))
    nothing: Inputs = inputs[:0]
    assert [tuple(z.shape) for z in encode(models, spec, nothing, CPU)] == [(0, 10), (0, 10), (0, 1)]


# ---------------------------------------------------------------------- members trained as one model


def members_alike(encoder: str | None, parts: Sequence[slice] | None = None, **training: Any) -> list[Trainer]:
    space = load_space("nasbench201")
    cells = space.architectures(space.sample(24, np.random.default_rng(3)))
    spec, inputs = InputSpec.fit(cells, form="nodes", sources=("statistics",))
    labels = np.linspace(-1, 1, 24)
    trainers = []
    for i, seed in enumerate((7, 8)):
        torch.manual_seed(seed)
        own, known = (inputs, labels) if parts is None else (inputs[parts[i]], labels[parts[i]])
        graph = None if encoder is None else Asynchronous(spec.num_ops, spec.num_cells, dim=8)
        side = nn.Linear(spec.num_side, 6)
        model = Model(graph, Pairwise((0 if graph is None else graph.out_features) + 6, hidden=5), side, dropout=0.3)
        trainers.append(Trainer(model, spec, own, known, Training(**training), seed=seed, device=CPU))
    return trainers


@pytest.mark.parametrize("encoder", ["asynchronous", None])
def test_members_trained_as_one_model_learn_what_each_learns_alone(encoder: str | None) -> None:
    alone, together = (members_alike(encoder, epochs=6, batch_size=8) for _ in range(2))
    for trainer in alone:
        trainer.fit()
    seen: list[int] = []
    fit_all(together, lambda event: seen.append(event.done))
    assert seen == [2, 4, 6, 8, 10, 12]
    pair = PseudoPairs(alone[0].inputs, np.array([3]), np.array([8]), np.array([0.0], dtype=np.float32))
    for first, second in zip(alone, together, strict=True):
        for trainer in (first, second):  # goes on from the same moments and number of steps
            trainer.slow_down(0.5)
            trainer.epoch(pair, 0.5)
        # Adam divides by a gradient's size, so that where it is nothing but rounding a weight moves as far as
        # any other: the last bias, on which no difference of scores depends, and a bit of others.
        torch.testing.assert_close(scores(second), scores(first), atol=2e-3, rtol=0)
    assert (scores(alone[0]) - scores(alone[1])).abs().max() > 0.02


@pytest.mark.parametrize("sizes", [(12, 12), (11, 13)], ids=["of one size", "of two sizes"])
@pytest.mark.parametrize("encoder", ["asynchronous", None])
def test_members_with_training_sets_of_their_own_learn_what_each_learns_alone(
    encoder: str | None, sizes: tuple[int, int]
) -> None:
    parts = slice(0, sizes[0]), slice(sizes[0], None)
    alone, together = (members_alike(encoder, parts, epochs=6, batch_size=6) for _ in range(2))
    for trainer in alone:
        trainer.fit()
    fit_all(together, lambda event: None)
    for first, second in zip(alone, together, strict=True):
        torch.testing.assert_close(scores(second), scores(first), atol=2e-3, rtol=0)


def scores(trainer: Trainer) -> torch.Tensor:
    with torch.no_grad():
        found = trainer.model.head.score(encode([trainer.model], trainer.spec, trainer.inputs, CPU)[0])
    return found - found.mean()


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_the_optimiser_is_that_of_torch(optimizer: str) -> None:
    torch.manual_seed(0)
    own = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 1))
    other = deepcopy(own)
    flat = Flat([own])
    options = {"betas": (0.5, 0.99), "weight_decay": 0.1}
    mine = Adam(flat.values[0], flat.gradients[0], flat.leaves[0], rate=0.01, decoupled=optimizer == "adamw", **options)
    theirs = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer](other.parameters(), lr=0.01, **options)
    x = torch.randn(20, 5)
    for _ in range(10):
        mine.minimize(own(x).square().mean())
        theirs.zero_grad()
        other(x).square().mean().backward()
        theirs.step()
    for a, b in zip(own.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)
