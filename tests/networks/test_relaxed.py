"""Relaxed networks: one option against the architecture that has it, gradients of strengths, and the training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.graph.mixtures import mixture, share_of
from archpredict.networks.bilevel import BilevelTraining, first_order, second_order
from archpredict.networks.fitting import Fit
from archpredict.networks.form import Form
from archpredict.networks.network import build
from archpredict.networks.program import Program
from archpredict.networks.recipe import Recipe
from archpredict.networks.relaxed import RelaxedNetwork
from archpredict.networks.steps import Run
from archpredict.networks.supernet import Supernet
from archpredict.runtime import one_thread
from archpredict.spaces import load_space
from archpredict.spaces.base import SearchSpace
from archpredict.testing.toys import ToyImages, ToySpace

IMAGES = ToyImages().load(None)
TOY = ToySpace(networks=True)
SMALL = Form(image_size=8, image_channels=1, options={"channels": 2, "cells": 1})
DARTS = Form(image_size=8, image_channels=1, options={"channels": 2, "cells": 3})


def relaxed(space: SearchSpace = TOY, form: Form | None = None, seed: int = 0) -> RelaxedNetwork:
    return RelaxedNetwork(space, form or Form.of(IMAGES), seed=seed)


def choose(network: RelaxedNetwork, options: Sequence[int]) -> None:
    """Give each decision all its share to one option."""
    with torch.no_grad():
        network.strengths.fill_(-1e4)
        for part, option in zip(torch.split(network.strengths, list(network.space.mixtures)), options, strict=True):
            part[option] = 0.0


@pytest.mark.parametrize("name", ["toy", "nasbench201"])
def test_where_one_option_has_all_the_share_it_computes_what_the_architecture_does(name: str) -> None:
    space, form = (TOY, Form.of(IMAGES)) if name == "toy" else (load_space("nasbench201"), SMALL)
    network, supernet = relaxed(space, form), Supernet(space, form)
    images = torch.randn(5, 1, form.image_size, form.image_size, generator=torch.Generator().manual_seed(0))
    for choices in ((1, 0, 2, 2, 1, 0), (2, 1, 1, 0, 2, 2), (1, 2, 1, 2, 0, 1)):
        program = supernet.program(choices)
        supernet.grow([program])
        choose(network, choices)
        torch.testing.assert_close(network.run(images), supernet.run(program, images), rtol=1e-4, atol=1e-5)


def test_the_cells_of_darts_are_found_in_its_relaxed_network() -> None:
    space = load_space("darts")
    network, supernet = relaxed(space, DARTS), Supernet(space, DARTS)
    row = space.sample(1, np.random.default_rng(0))[0].tolist()
    options = [7] * 28  # none
    for i, node in enumerate((2, 3, 4, 5) * 2):
        pair, *ops = row[3 * i : 3 * i + 3]
        first = 14 * (i // 4) + sum(range(2, node))
        sources = [(a, b) for a in range(node) for b in range(a + 1, node)][pair]
        for source, op in zip(sources, ops, strict=True):
            options[first + source] = op
    choose(network, options)
    program = supernet.program(row)
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.run(images), supernet.run(program, images), rtol=1e-3, atol=1e-4)


def test_the_strongest_cell_of_darts_has_the_two_strongest_edges_into_each_node() -> None:
    space, rng = load_space("darts"), np.random.default_rng(0)
    log_shares = [np.log(rng.dirichlet(np.ones(8))) for _ in range(28)]
    parts = space.derivations(log_shares)
    best = np.concatenate([rows[np.argmax(scores)] for rows, scores in parts]).tolist()
    assert space.is_valid(np.array([best])).all()
    for i, node in enumerate((2, 3, 4, 5) * 2):
        first = 14 * (i // 4) + sum(range(2, node))
        strength = [log_shares[first + source][:7].max() for source in range(node)]
        a, b = sorted(np.argsort(strength)[-2:].tolist())
        pairs = [(a, b) for a in range(node) for b in range(a + 1, node)]
        assert pairs[best[3 * i]] == (a, b)
        assert best[3 * i + 1 : 3 * i + 3] == [int(log_shares[first + s][:7].argmax()) for s in (a, b)]


def test_shares_start_equal_and_a_mixture_is_their_weighted_sum() -> None:
    b = Builder(image=(3, 4, 4))
    x = b.input()
    graph = b.output(mixture(b, 5, [None, x, b.relu(x)])).graph()
    program = Program(graph)
    assert {share_of(name) for name in program.layers} == {(5, 1), (5, 2)}
    images = torch.randn(2, 3, 4, 4)
    shares = {f"{name}/weight": torch.full((3, 1, 1, 1), 0.25 * share_of(name)[1]) for name in program.layers}  # type: ignore[index]
    torch.testing.assert_close(program.run(images, Run(shares)), 0.25 * images + 0.5 * images.relu())
    network = relaxed()
    assert [part.exp().tolist() for part in network.log_shares()] == [pytest.approx([1 / 3] * 3)] * 6


def test_a_depthwise_convolution_of_one_place_is_a_product() -> None:
    b = Builder(image=(4, 5, 5))
    program = Program(b.output(b.conv(b.input(), 4, 1, groups=4)).graph())
    images, weight = torch.randn(2, 4, 5, 5), torch.randn(4, 1, 1, 1)
    found = program.run(images, Run({"depthwise/weight": weight}))
    torch.testing.assert_close(found, functional.conv2d(images, weight, groups=4))


# ---------------------------------------------------------------------- gradients


def exact(seed: int = 0) -> tuple[RelaxedNetwork, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """A network of float64 with strengths that are not equal, and two batches."""
    network, generator = relaxed(seed=seed), torch.Generator().manual_seed(seed)
    network.weights = {name: w.detach().double().requires_grad_() for name, w in network.weights.items()}
    network.strengths = torch.randn(18, generator=generator, dtype=torch.float64).requires_grad_()
    images = torch.randn(2, 8, 1, 4, 4, generator=generator, dtype=torch.float64)
    labels = torch.arange(16).view(2, 8) % 2
    return network, (images[0], labels[0]), (images[1], labels[1])


def test_the_first_order_is_the_gradient_with_the_weights_as_they_are() -> None:
    network, _, validation = exact()
    found, strengths = first_order(network, validation), network.strengths.detach().clone()
    for i in range(0, 18, 4):
        losses = []
        for by in (1e-6, -1e-6):
            network.strengths = strengths.clone().requires_grad_()
            network.strengths.data[i] += by
            losses.append(float(network.loss(validation).detach()))
        assert float(found[i]) == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5])
def test_the_second_order_is_the_gradient_through_one_step_of_the_weights(rate: float) -> None:
    network, training, validation = exact(1)
    found = second_order(network, training, validation, rate, length=1e-4)
    step = torch.autograd.grad(network.loss(training), list(network.weights.values()), create_graph=True)
    ahead = {name: w - rate * g for (name, w), g in zip(network.weights.items(), step, strict=True)}
    (through,) = torch.autograd.grad(network.loss(validation, ahead), [network.strengths])
    first = first_order(network, validation)
    torch.testing.assert_close(found, through, rtol=1e-5, atol=1e-7)
    assert torch.allclose(found, first) == (rate == 0)


# ---------------------------------------------------------------------- training


class OneWay(SearchSpace):
    """A single architecture: a convolution, then another."""

    name = "one-way"
    num_choices = (1, 1)

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        return ArchGraph(("input", "conv", "conv", "output"), ((0, 1), (1, 2), (2, 3)))

    def network(self, choices: Sequence[int], **form: int) -> ArchGraph:  # type: ignore[override]
        return self._written(False, **form)

    def relaxed_network(self, **form: int) -> ArchGraph:  # type: ignore[override]
        return self._written(True, **form)

    def _written(self, mixed: bool, num_classes: int, image_size: int, image_channels: int) -> ArchGraph:
        b = Builder((image_channels, image_size, image_size))
        x = b.conv(b.input(), 4, 3, norm=True)
        for i in range(2):
            with b.scope(i):
                x = b.conv(b.relu(x), 4, 3, norm=True)
                x = mixture(b, i, [x]) if mixed else x
        return b.output(b.linear(b.global_avg_pool(x), num_classes)).graph()


@pytest.mark.parametrize("order", [1, 2])
def test_with_one_option_everywhere_it_trains_as_a_network_of_its_own(order: int) -> None:
    form, recipe = Form.of(IMAGES), Recipe(epochs=2, batch_size=8)
    network = relaxed(OneWay(), form, seed=3)
    BilevelTraining(network, IMAGES, recipe, order=order, seed=3).run()
    own = build(form.graph(OneWay(), (0, 0)), seed=3)
    Fit(own, IMAGES, recipe, seed=3).run()
    trained = own.state_dict()
    for name, weight in network.weights.items():
        torch.testing.assert_close(weight.detach(), trained[name], rtol=1e-4, atol=1e-5)


def test_the_training_follows_from_the_seed_and_the_order_counts() -> None:
    def strengths(seed: int, order: int) -> Tensor:
        network = relaxed(seed=seed)
        BilevelTraining(network, IMAGES, Recipe(epochs=2, batch_size=8), order=order, rate=0.01, seed=seed).run()
        return network.strengths.detach()

    assert torch.equal(strengths(1, 1), strengths(1, 1))
    assert torch.equal(strengths(1, 2), strengths(1, 2))
    assert not torch.equal(strengths(1, 1), strengths(1, 2))
    assert not torch.equal(strengths(1, 1), strengths(2, 1))


def test_a_training_that_goes_on_is_one_that_never_stopped() -> None:
    def training() -> BilevelTraining:
        network = relaxed(load_space("nasbench201"), Form.of(IMAGES, {"channels": 4, "cells": 1}))
        return BilevelTraining(network, IMAGES, Recipe(epochs=2, batch_size=16))

    whole, stopped, resumed = training(), training(), training()
    with one_thread():
        whole.run()
        stopped.run(until=1)
        state = stopped.state_dict()
        kept = {name: value.detach().clone().contiguous() for name, value in state["tensors"].items()}
        resumed.load_state_dict({**state, "tensors": kept})
        assert resumed.epoch == 1
        resumed.run()
    expected = whole.state_dict()["tensors"]
    found = resumed.state_dict()["tensors"]
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert [epoch.loss for epoch in resumed.epochs] == [epoch.loss for epoch in whole.epochs]


def test_options_of_relaxed_networks_are_checked() -> None:
    with pytest.raises(UsageError, match="relaxed networks of the space nasbench201 have no option 'pruned'"):
        Form(options={"pruned": 1}).relaxed(load_space("nasbench201"))
    with pytest.raises(UsageError, match=r"the space nasbench101 defines no network that mixes .* such as enas"):
        Form().relaxed(load_space("nasbench101"))
