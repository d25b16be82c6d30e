"""Zero-cost proxies: against hand-computed cases, plain torch modules, and what must not matter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from archpredict.errors import UnknownNameError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.graph.operators import total
from archpredict.images.base import load_images
from archpredict.networks.form import Form
from archpredict.networks.network import Network, build
from archpredict.proxies.base import Proxy, batch_for, load_proxy
from archpredict.proxies.grad_norm import GradNorm
from archpredict.proxies.jacob_cov import JacobCov
from archpredict.proxies.macs import Macs
from archpredict.proxies.naswot import NASWOT, agreements
from archpredict.proxies.params import Params
from archpredict.proxies.snip import Snip
from archpredict.proxies.synflow import SynFlow
from archpredict.registry import names
from archpredict.spaces.base import load_space

NAMES = names("proxies")
READ_IMAGES = ["grad-norm", "jacob-cov", "naswot", "snip"]


def made(name: str) -> Proxy:
    return load_proxy(name, load_images("digits"))


def noise(count: int = 16, channels: int = 3, size: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn((count, channels, size, size), generator=generator)
    return images, torch.randint(0, 10, (count,), generator=generator)


def small() -> ArchGraph:
    """Two convolutions with batch norms and a skip."""
    b = Builder(image=(3, 8, 8))
    x = b.conv(b.input(), 6, kernel=3, norm=True)
    x = b.add(x, b.conv(b.relu(x), 6, kernel=3, norm=True))
    return b.output(b.linear(b.global_avg_pool(b.relu(x)), 10)).graph()


def chain(depth: int, channels: int = 4) -> ArchGraph:
    b = Builder(image=(3, 8, 8))
    x = b.input()
    for _ in range(depth):
        x = b.relu(b.conv(x, channels, kernel=3, norm=True))
    return b.output(b.linear(b.global_avg_pool(x), 10)).graph()


def linear(*weights: Any) -> Network:
    """``x -> W_n ... W_1 x`` on images of one pixel."""
    b = Builder(image=(len(weights[0][0]), 1, 1))
    x = b.input()
    for weight in weights:
        x = b.linear(x, len(weight), bias=False)
    network = build(b.output(x).graph())
    with torch.no_grad():
        for parameter, weight in zip(network.parameters(), weights, strict=True):
            parameter.copy_(torch.tensor(weight))
    return network


# ---------------------------------------------------------------------- synflow


def test_synflow_of_a_two_layer_linear_network_by_hand() -> None:
    # R = sum |W2| |W1| 1: |W1| 1 = (3, 1), columns of |W2| sum to (1, 6): R = 3 + 6 = 9, and each layer's part is R.
    network = linear([[1.0, -2.0], [0.5, 0.5]], [[-1.0, 2.0], [0.0, 4.0]])
    assert SynFlow().score(network) == pytest.approx(math.log(2 * 9))


def test_synflow_of_a_chain_is_the_flow_times_the_number_of_layers() -> None:
    """What flows into a layer flows out of it (Tanaka et al. 2020, theorem 1)."""
    network = build(chain(5)).double()
    weights = [p for name, p in network.named_parameters() if name.endswith("weight")]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
        flow = float(network(torch.ones(1, 3, 8, 8, dtype=torch.float64), norm="none").sum())
    assert len(weights) == 6
    assert SynFlow().score(network) == pytest.approx(math.log(6 * flow))


def test_synflow_does_not_depend_on_the_signs_of_weights() -> None:
    network = build(small())
    before = SynFlow().score(network)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("weight"):
                parameter.mul_(-1)
    assert SynFlow().score(network) == before


def test_synflow_grows_by_the_logarithm_of_what_a_layer_is_multiplied_by() -> None:
    network = build(chain(3))
    before = SynFlow().score(network)
    with torch.no_grad():
        network.get_parameter("conv/weight").mul_(100)
    assert SynFlow().score(network) == pytest.approx(before + math.log(100))


def test_synflow_of_two_hundred_layers_does_not_overflow() -> None:
    score = SynFlow().score_graph(chain(200, channels=8))
    assert 200 < score < 600


def test_a_network_that_passes_nothing_on_has_the_least_synflow() -> None:
    b = Builder(image=(3, 8, 8))
    x = b.zeros(b.conv(b.input(), 4, kernel=3, norm=True))
    dead = b.output(b.linear(b.global_avg_pool(x), 10)).graph()
    assert SynFlow().score_graph(dead) == pytest.approx(math.log(np.finfo(float).tiny))


# ---------------------------------------------------------------------- gradients


class Plain(nn.Module):
    """:func:`small` in torch's own modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.second = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(6), nn.BatchNorm2d(6)])
        self.classifier = nn.Linear(6, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.norms[0](self.first(images))
        x = x + self.norms[1](self.second(x.relu()))
        scores: Tensor = self.classifier(x.relu().mean(dim=(2, 3)))
        return scores


def twins() -> tuple[Network, Plain]:
    network, plain = build(small(), seed=3), Plain()
    with torch.no_grad():
        for name, layer in (("conv", plain.first), ("conv1", plain.second), ("linear", plain.classifier)):
            layer.weight.copy_(network.get_parameter(f"{name}/weight"))
        plain.classifier.bias.copy_(network.get_parameter("linear/bias"))
    return network, plain


def plain_gradients(plain: Plain, images: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    weights = [plain.first.weight, plain.second.weight, plain.classifier.weight]
    nn.functional.cross_entropy(plain(images), labels).backward()  # type: ignore[no-untyped-call]
    return [(weight.detach(), weight.grad) for weight in weights if weight.grad is not None]


def test_snip_is_what_autograd_gives_for_the_same_network_in_plain_modules() -> None:
    network, plain = twins()
    images, labels = noise()
    expected = sum(float((w * g).abs().sum()) for w, g in plain_gradients(plain, images, labels))
    assert Snip().score(network, images, labels) == pytest.approx(expected, rel=1e-4)


def test_gradient_norm_is_what_autograd_gives_for_the_same_network_in_plain_modules() -> None:
    network, plain = twins()
    images, labels = noise()
    expected = sum(float(g.square().sum().sqrt()) for _, g in plain_gradients(plain, images, labels))
    assert GradNorm().score(network, images, labels) == pytest.approx(expected, rel=1e-4)


def test_jacobian_covariance_of_a_linear_network_by_hand() -> None:
    """All images have the same gradient, so that one eigenvalue is their number and the others are 0."""
    images = noise(3, 4, 1)[0]
    score = JacobCov().score(linear([[1.0, 2.0, -1.0, 0.5], [0.0, 1.0, 3.0, 2.0]]), images)
    k = 1e-5
    assert score == pytest.approx(-(math.log(3 + k) + 1 / (3 + k)) - 2 * (math.log(k) + 1 / k), rel=1e-4)


def test_jacobian_covariance_is_the_published_formula_on_plain_modules() -> None:
    network, plain = twins()
    images = noise()[0].requires_grad_()
    plain(images).backward(torch.ones(16, 10))
    assert images.grad is not None
    values, _ = np.linalg.eig(np.corrcoef(images.grad.reshape(16, -1).numpy().astype(np.float64)))
    expected = -float(np.sum(np.log(values.real + 1e-5) + 1 / (values.real + 1e-5)))
    assert JacobCov().score(network, images.detach()) == pytest.approx(expected, rel=1e-3)


# ---------------------------------------------------------------------- NASWOT


def test_the_kernel_counts_the_bits_in_which_codes_agree_by_hand() -> None:
    codes = torch.tensor([[1, 0, 1], [1, 1, 1], [0, 1, 0]], dtype=torch.bool)
    assert agreements(codes).tolist() == [[3, 2, 0], [2, 3, 1], [0, 1, 3]]


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_agreements_are_the_bits_less_the_hamming_distance(seed: int) -> None:
    codes = torch.from_numpy(np.random.default_rng(seed).random((5, 37)) < 0.5)
    distances = (codes[:, None] != codes[None]).sum(dim=2)
    torch.testing.assert_close(agreements(codes), (37 - distances).float(), rtol=0, atol=0)


def test_naswot_of_a_network_of_three_units_by_hand() -> None:
    """Units fire for positive first, second, and third pixels: the kernel of the test above, of determinant 8."""
    b = Builder(image=(3, 1, 1))
    x = b.relu(b.linear(b.input(), 3, bias=False))
    network = build(b.output(b.linear(x, 2)).graph())
    with torch.no_grad():
        next(iter(network.parameters())).copy_(torch.eye(3))
    images = torch.tensor([[1.0, -1, 1], [1, 1, 1], [-1, 1, -1]]).view(3, 3, 1, 1)
    kernel = np.array([[3, 2, 0], [2, 3, 1], [0, 1, 3]])
    assert NASWOT().score(network, images) == pytest.approx(math.log(np.linalg.det(kernel)))


def test_naswot_is_not_defined_where_images_have_one_code() -> None:
    assert math.isnan(NASWOT().score_graph(small(), noise(1)[0].repeat(3, 1, 1, 1)))


# ---------------------------------------------------------------------- costs


@pytest.mark.parametrize("space", ["nasbench101", "nasbench201", "darts"])
def test_params_and_macs_are_those_of_the_graph_and_of_the_network(space: str) -> None:
    loaded = load_space(space)
    choices = loaded.sample(1, np.random.default_rng(0))[0].tolist()
    graph = Form(image_size=16, options={"channels": 4}).graph(loaded, choices)
    network = build(graph)
    assert Params().score_graph(graph) == Params().score(network) == sum(p.numel() for p in network.parameters())
    assert Macs().score_graph(graph) == Macs().score(network) == total(graph, "macs")


# ---------------------------------------------------------------------- all


def test_the_proxies_are_those_of_the_documentation() -> None:
    assert NAMES == ["grad-norm", "jacob-cov", "macs", "naswot", "params", "snip", "synflow"]
    assert [name for name in NAMES if made(name).needs_images] == READ_IMAGES
    assert [made(name).name for name in NAMES] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_proxy_leaves_the_network_as_it_was_and_gives_the_same_again(name: str) -> None:
    network, (images, labels) = build(small()), noise()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = torch.random.get_rng_state()
    first = made(name).score(network, images, labels)
    assert first == made(name).score(network, images, labels) == made(name).score_graph(small(), images, labels)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert torch.equal(state, torch.random.get_rng_state())
    assert not images.requires_grad


@pytest.mark.parametrize("name", READ_IMAGES)
def test_the_order_of_the_images_does_not_matter(name: str) -> None:
    images, labels = noise(24)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    proxy, network = made(name), build(small())
    assert proxy.score(network, images[order], labels[order]) == pytest.approx(
        proxy.score(network, images, labels), rel=1e-3
    )


@pytest.mark.parametrize("name", ["grad-norm", "jacob-cov", "naswot", "snip", "synflow"])
def test_the_seed_gives_other_weights(name: str) -> None:
    images, labels = noise()
    assert made(name).score_graph(small(), images, labels, seed=1) != made(name).score_graph(small(), images, labels)


@pytest.mark.parametrize("space", ["nasbench101", "nasbench201", "darts"])
@pytest.mark.parametrize("name", NAMES)
def test_every_proxy_is_finite_in_every_space(name: str, space: str) -> None:
    loaded = load_space(space)
    (choices,) = loaded.sample(1, np.random.default_rng(1)).tolist()
    graph = Form(image_size=8, options={"channels": 4, "cells": 3 if space == "darts" else 1}).graph(loaded, choices)
    assert math.isfinite(made(name).score_graph(graph, *noise(8)))


# ---------------------------------------------------------------------- bad input


def test_an_unknown_proxy_is_refused_with_the_choices() -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown proxy 'synflo'; choose from: grad-norm, .*Did you mean 'synflow"
    ):
        load_proxy("synflo", None)


def test_a_proxy_that_reads_images_needs_a_data_set() -> None:
    with pytest.raises(
        UsageError, match=r"zero-cost proxy snip reads a batch of labelled images .*`dataset='digits'` or"
    ):
        load_proxy("snip", None)


def test_what_is_no_proxy_is_refused() -> None:
    with pytest.raises(
        UsageError,
        match=r"'archpredict\.graph\.arch_graph:ArchGraph' is the class ArchGraph; expected a class derived from",
    ):
        load_proxy("archpredict.graph.arch_graph:ArchGraph", None)


def test_only_proxies_that_read_images_get_a_batch() -> None:
    images = load_images("digits")
    assert batch_for([SynFlow()], images) == (None, None)
    pixels, labels = batch_for([SynFlow(), Snip()], images, batch_size=10, seed=1)
    assert pixels is not None
    assert labels is not None
    assert (pixels.shape, labels.shape) == ((10, 1, 8, 8), (10,))
    again, _ = batch_for([Snip()], images, batch_size=10, seed=1)
    other, _ = batch_for([Snip()], images, batch_size=10, seed=2)
    assert again is not None
    assert other is not None
    assert torch.equal(pixels, again)
    assert not torch.equal(pixels, other)
