"""Networks: the same as modules written by hand, folding, initial weights, and files, hostile ones among them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from archpredict.errors import DataError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.graph.operators import total
from archpredict.networks.form import Form
from archpredict.networks.network import Network, build, initial_weight, load, save
from archpredict.spaces.base import load_space

SPACES = ("nasbench101", "nasbench201", "darts")


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tiny() -> ArchGraph:
    b = Builder(image=(2, 6, 6))
    x = b.relu(b.conv(b.input(), 4, kernel=3, norm=True))
    x = b.batch_norm(b.add(x, b.conv(x, 4, kernel=1)))
    return b.output(b.linear(b.global_avg_pool(x), 3)).graph()


def worn(graph: ArchGraph, seed: int = 0) -> Network:
    """A network after some batches, with weights, shifts and running averages that no new one has."""
    network, shape = build(graph), tuple(graph.attrs["shape"][0, 1:4].astype(int).tolist())
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            parameter += 0.1 * noise(*parameter.shape, seed=seed + i)
        for step in range(3):
            network(0.5 + noise(8, *shape, seed=step))
    return network


# ---------------------------------------------------------------------- written by hand


class Norm(nn.Module):
    """A batch norm with a shift alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.mean, self.variance, None, self.bias, self.training)


def rcn(before: int, after: int, kernel: int, stride: int = 1) -> nn.Module:
    """ReLU, convolution, batch norm."""
    return nn.Sequential(nn.ReLU(), nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False), Norm(after))


class Cell201(nn.Module):
    """|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict({"0-1": rcn(c, c, 3), "1-2": rcn(c, c, 1), "0-3": rcn(c, c, 1), "2-3": rcn(c, c, 3)})
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        edges = self.edges
        return edges["0-3"](x) + edges["2-3"](self.pool(x) + edges["1-2"](edges["0-1"](x)))


class Block201(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.a, self.b = rcn(c, 2 * c, 3, 2), rcn(2 * c, 2 * c, 3)
        self.down = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c, 2 * c, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.down(x) + self.b(self.a(x))


def by_hand(c: int) -> nn.Sequential:
    tail = nn.BatchNorm2d(4 * c), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * c, 10)
    stem = nn.Conv2d(3, c, 3, padding=1, bias=False), Norm(c)
    return nn.Sequential(*stem, Cell201(c), Block201(c), Cell201(2 * c), Block201(2 * c), Cell201(4 * c), *tail)


STAGES = {"2": "stage0", "4": "stage1", "6": "stage2"}


def scope(path: str, layer: nn.Module) -> str | None:
    """What the space calls the place of a layer of a cell; None for the others, which come in their order."""
    cell, _, edge = path.partition(".edges.")
    kind = "nor_conv_3x3" if layer.weight.shape[-1] == 3 else "nor_conv_1x1"
    return f"{STAGES[cell]}/cell0/{edge.split('.')[0]}/{kind}" if edge else None


def copy_to(module: nn.Module, network: Network) -> None:
    """Give the module the weights and running averages of the network."""
    modules = list(module.named_modules())
    layers = [(path, m) for path, m in modules if isinstance(m, nn.Conv2d | nn.Linear | nn.BatchNorm2d)]
    following = {id(a): b for (_, a), (_, b) in pairwise(modules) if isinstance(b, Norm)}
    state = network.state_dict()
    for name, expected in network.program.layers.items():
        place = name.rpartition("/")[0]
        alike = [(p, m) for p, m in layers if m.weight.shape == expected.weight and scope(p, m) in (place, None)]
        path, layer = alike[0]
        layers.remove((path, layer))
        norm = following.get(id(layer), layer)
        with torch.no_grad():
            layer.weight.copy_(state[f"{name}/weight"])
            if expected.bias:
                norm.bias.copy_(state[f"{name}/bias"])
            if isinstance(norm, Norm):
                norm.mean.copy_(state[f"{name}/mean"])
                norm.variance.copy_(state[f"{name}/variance"])
            if isinstance(norm, nn.BatchNorm2d):
                norm.running_mean.copy_(state[f"{name}/mean"])
                norm.running_var.copy_(state[f"{name}/variance"])
    assert not layers


def test_a_nasbench201_network_computes_what_modules_written_by_hand_compute() -> None:
    text = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
    space = load_space("nasbench201")
    network = worn(space.network(space.parse(text), channels=4, cells=1, image_size=16))
    module = by_hand(4)
    copy_to(module, network)
    for training in (False, True, False):  # the last time with the running averages of the second
        network.train(training)
        module.train(training)
        images = noise(6, 3, 16, 16, seed=8)
        assert torch.allclose(network(images), module(images), rtol=1e-4, atol=1e-5)
    for made in (network.train(), module.train()):
        made(noise(6, 3, 16, 16, seed=9)).square().sum().backward()
    for name, expected in (("conv/weight", module[0].weight.grad), ("linear/weight", module[-1].weight.grad)):
        found = network.get_parameter(name).grad
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


# ---------------------------------------------------------------------- folding


@pytest.mark.parametrize("space", SPACES)
def test_the_folded_network_computes_what_the_network_computes_in_use(space: str) -> None:
    made = load_space(space)
    for row in made.sample(3, np.random.default_rng(0)).tolist():
        graph = Form(image_size=8, options={"channels": 4, "cells": 3}).graph(made, row)
        network = worn(graph).eval()
        images = noise(4, 3, 8, 8, seed=77)
        with torch.no_grad():
            expected, found = network(images), network.folded()(images)
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
        assert not network.folded().program.norm


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("norm", [True, False])
def test_parameters_are_as_many_as_in_the_graph(space: str, norm: bool) -> None:
    made = load_space(space)
    for row in made.sample(5, np.random.default_rng(1)).tolist():
        graph = Form(image_size=8, options={"channels": 4, "cells": 3}).graph(made, row)
        assert sum(p.numel() for p in build(graph, norm=norm).parameters()) == total(graph, "params")


def test_folding_once_more_changes_nothing() -> None:
    once = worn(tiny()).folded()
    twice = once.folded()
    assert all(torch.equal(value, twice.state_dict()[name]) for name, value in once.state_dict().items())


# ---------------------------------------------------------------------- modes and names


def test_names_of_parameters_and_running_averages_are_those_of_the_layers() -> None:
    network = build(tiny())
    assert [name for name, _ in network.named_parameters()] == [
        "conv/weight", "conv/bias", "conv1/weight",
        "batch_norm/weight", "batch_norm/bias", "linear/weight", "linear/bias",
    ]  # fmt: skip
    assert sorted(name for name, _ in network.named_buffers()) == [
        "batch_norm/mean", "batch_norm/variance", "conv/mean", "conv/variance",
    ]  # fmt: skip


def test_every_node_is_observed_in_its_order() -> None:
    network, seen = build(tiny()).eval(), []
    network(noise(2, 2, 6, 6), observe=lambda v, value: seen.append((v, tuple(value.shape))))
    assert [v for v, _ in seen] == list(range(network.graph.num_nodes))
    assert seen[1][1] == (2, 4, 6, 6)


def test_in_evaluation_mode_nothing_is_changed_and_nothing_dropped() -> None:
    network = worn(tiny()).eval()
    network.drop_path = 0.9
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = network(noise(4, 2, 6, 6))
    assert torch.equal(first, network(noise(4, 2, 6, 6)))
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())


def test_drop_path_takes_its_randomness_from_the_generator() -> None:
    def scores(seed: int) -> Tensor:
        network = build(tiny())
        network.drop_path, network.generator = 0.5, torch.Generator().manual_seed(seed)
        torch.manual_seed(seed + 100)
        return network(noise(8, 2, 6, 6)).detach()

    assert torch.equal(scores(1), scores(1))
    assert not torch.equal(scores(1), scores(2))


def test_networks_can_be_moved_to_other_numbers_and_back() -> None:
    network = worn(tiny()).eval()
    images = noise(2, 2, 6, 6)
    expected = network(images)
    assert torch.allclose(network.folded().double()(images.double()).float(), expected, atol=1e-5)


# ---------------------------------------------------------------------- initial weights


def test_weights_depend_on_seed_name_and_shape_alone() -> None:
    first = build(tiny(), seed=4)
    torch.manual_seed(0)
    torch.randn(100)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), build(tiny(), seed=4).parameters(), strict=True))
    assert not torch.equal(first.get_parameter("conv/weight"), build(tiny(), seed=5).get_parameter("conv/weight"))
    assert torch.equal(first.get_parameter("conv/weight"), initial_weight("conv/weight", (4, 2, 3, 3), 4))
    assert not torch.equal(initial_weight("a", (4, 2, 3, 3), 4), initial_weight("b", (4, 2, 3, 3), 4))


def test_weights_are_spread_as_torch_spreads_them() -> None:
    ours, theirs = initial_weight("a/weight", (64, 32, 3, 3), 0), nn.Conv2d(32, 64, 3).weight.detach()
    assert float(ours.abs().max()) <= 1 / (32 * 9) ** 0.5
    assert float(ours.std()) == pytest.approx(float(theirs.std()), rel=0.05)
    network = build(tiny())
    assert (network.get_parameter("conv/bias") == 0).all()
    assert (network.get_parameter("batch_norm/weight") == 1).all()
    assert (network.get_parameter("batch_norm/bias") == 0).all()


def test_making_a_network_leaves_the_global_random_numbers_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    build(tiny())(noise(4, 2, 6, 6))
    assert (torch.get_rng_state() == before).all()


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("folded", [True, False])
def test_a_saved_network_is_the_same_when_loaded(folded: bool, tmp_path: Path) -> None:
    network = worn(tiny()).eval()
    network = network.folded() if folded else network
    save(network, tmp_path / "n.safetensors", {"accuracy": 91.5, "architecture": "näme"})
    again, card = load(tmp_path / "n.safetensors")
    assert card == {"accuracy": 91.5, "architecture": "näme"}
    assert not again.training
    assert again.program.norm is not folded
    assert again.graph.key == network.graph.key
    assert again.graph.names == network.graph.names
    assert torch.equal(again(noise(3, 2, 6, 6)), network(noise(3, 2, 6, 6)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save(worn(tiny()), tmp_path / "n.safetensors", {"a": 1})
    return tmp_path / "n.safetensors"


def header(file: Path) -> dict[str, str]:
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        return dict(json.loads(stream.read(length))["__metadata__"])


def rewrite(file: Path, change: Callable[[dict[str, Tensor], dict[str, str]], None]) -> None:
    tensors, metadata = load_file(file), header(file)
    change(tensors, metadata)
    save_file(tensors, file, metadata=metadata)


def refused(file: Path, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "no", r"there is no file .*no; give a network that was saved after its training")
    refused(tmp_path, "there is no file")


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_refused(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    refused(file, r"n\.safetensors cannot be read as a network")


def test_other_files_are_refused(file: Path) -> None:
    file.write_bytes(b"\x93NUMPY" + bytes(200))
    refused(file, r"n\.safetensors cannot be read as a network")
    save_file({"a": torch.zeros(2)}, file)
    refused(file, "is a safetensors file but no network of archpredict")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("graph", "{"), ("graph", "[]"), ("graph", "null"), ("graph", '{"ops": ["input"]}'),
        ("graph", "[" * 100_000), ("norm", "{"), ("card", "{"),
    ],
)  # fmt: skip
def test_a_broken_header_is_refused(file: Path, name: str, value: str) -> None:
    rewrite(file, lambda tensors, metadata: metadata.update({name: value}))
    refused(file, r"n\.safetensors cannot be read as a network")


@pytest.mark.parametrize("name", ["graph", "norm", "card"])
def test_an_incomplete_header_is_refused(file: Path, name: str) -> None:
    rewrite(file, lambda tensors, metadata: metadata.__delitem__(name))
    refused(file, rf"n\.safetensors cannot be read as a network: .*{name}")


def test_weights_that_lack_or_are_of_another_shape_are_named(file: Path) -> None:
    whole = file.read_bytes()
    rewrite(file, lambda tensors, metadata: tensors.__delitem__("conv/weight"))
    refused(file, r"conv/weight has shape \(4, 2, 3, 3\) in the graph, none in the file")
    file.write_bytes(whole)
    rewrite(file, lambda tensors, metadata: tensors.update({"conv/mean": torch.zeros(5)}))
    refused(file, r"conv/mean has shape \(4,\) in the graph, shape \(5,\) in the file")


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(file: Path, number: float) -> None:
    rewrite(file, lambda tensors, metadata: tensors["linear/bias"].fill_(number))
    refused(file, "linear/bias has numbers that are not finite; train it again")


def test_numbers_of_another_kind_are_refused_or_taken_as_floats(file: Path) -> None:
    rewrite(file, lambda tensors, metadata: tensors.update({"linear/bias": torch.ones(3, dtype=torch.float16)}))
    assert load(file)[0].get_parameter("linear/bias").dtype == torch.float32


def test_a_graph_that_promises_more_weights_than_the_file_has_takes_no_memory(file: Path) -> None:
    def inflate(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
        wide = Builder(image=(2, 6, 6))
        x = wide.conv(wide.input(), 1_000_000, kernel=3, norm=True)
        x = wide.conv(x, 1_000_000, kernel=3)
        metadata["graph"] = wide.output(wide.linear(wide.global_avg_pool(x), 3)).graph().to_json()

    rewrite(file, inflate)
    refused(file, r"conv/weight has shape \(1000000, 2, 3, 3\) in the graph, shape \(4, 2, 3, 3\) in the file")
