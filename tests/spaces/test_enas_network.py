"""The shared network of ENAS: a torch module written apart, counts by hand, and names that a supernet shares."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archpredict.errors import InvalidGraphError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import check_computational, total
from archpredict.networks.network import build
from archpredict.onnx.reader import load
from archpredict.spaces.enas import ENAS

SPACE = ENAS()
LAYERS = [[0], [3, 1], [4, 1, 0], [1, 0, 1, 0], [5, 1, 0, 1, 0], [2, 0, 0, 0, 1, 1]]


class Reduction(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.even, self.odd = (nn.Conv2d(c, c // 2, 1, 2, bias=False) for _ in range(2))
        self.norm = nn.BatchNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], 1))


class Branch(nn.Module):
    """1x1 convolution, batch norm, ReLU, and the operator."""

    def __init__(self, op: int, c: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(c, c, 1, bias=False), nn.BatchNorm2d(c), nn.ReLU())
        kernel = (3, 3, 5, 5, 3, 3)[op]
        convolution = [nn.Conv2d(c, c, kernel, padding=kernel // 2, bias=False)]
        if op in (1, 3):
            depthwise = nn.Conv2d(c, c, kernel, padding=kernel // 2, groups=c, bias=False)
            convolution = [depthwise, nn.Conv2d(c, c, 1, bias=False)]
        self.then: nn.Module = nn.Sequential(*convolution, nn.BatchNorm2d(c), nn.ReLU())
        if op == 4:
            self.then = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        if op == 5:
            self.then = nn.MaxPool2d(3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self.first(x))


class Network(nn.Module):
    """After layers 1 and 3 everything so far is halved in size, and layers read what is left of it."""

    def __init__(self, layers: Sequence[Sequence[int]], c: int) -> None:
        super().__init__()
        self.layers, self.c = layers, c
        self.stem = nn.Sequential(nn.Conv2d(3, c, 3, padding=1, bias=False), nn.BatchNorm2d(c))
        self.branches = nn.ModuleList(Branch(op, c) for op, *_ in layers)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for _ in layers[1:])
        self.reductions = nn.ModuleDict({f"{pool}{i}": Reduction(c) for pool, n in ((1, 3), (3, 5)) for i in range(n)})
        self.head = nn.Linear(c, 10, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        given = [self.stem(x)]
        for i, (_, *skips) in enumerate(self.layers):
            y = self.branches[i](given[-1])
            if i:
                first, *others = [*(given[j] for j, skip in enumerate(skips) if skip), y]
                for term in others:
                    first = first + term
                y = self.norms[i - 1](first)
            given.append(y)
            if i in (1, 3):
                given = [self.reductions[f"{i}{j}"](z) for j, z in enumerate(given)]
        return self.head(functional.adaptive_avg_pool2d(given[-1], 1).flatten(1))


def exported(module: nn.Module, path: Path, size: int) -> ArchGraph:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (torch.zeros(1, 3, size, size),), str(path), opset_version=17, dynamo=False)
    return load(path)


def chain(*ops: int) -> list[int]:
    """Layers without skips."""
    return [n for i, op in enumerate(ops) for n in (op, *(0,) * i)]


def test_a_network_is_read_from_torchs_export_of_a_module_written_apart(tmp_path: Path) -> None:
    choices = [n for layer in LAYERS for n in layer]
    graph = SPACE.network(choices, image_size=16, channels=8)
    check_computational(graph)
    assert exported(Network(LAYERS, 8), tmp_path / "m.onnx", 16).key == graph.key


def test_a_network_that_is_built_and_exported_is_read_as_the_same_graph(tmp_path: Path) -> None:
    for choices in SPACE.sample(2, np.random.default_rng(0)).tolist():
        graph = SPACE.network(choices, image_size=8, channels=4)
        network = build(graph)
        assert sum(p.numel() for p in network.parameters()) == total(graph, "params")
        assert exported(network.folded(), tmp_path / "m.onnx", 8).key == graph.key


def test_multiply_adds_of_a_chain_are_those_counted_by_hand() -> None:
    c, areas = 36, (1024, 1024, 256, 256, 64, 64)
    per_pixel = {0: 9 * c * c, 1: 9 * c + c * c, 2: 25 * c * c, 3: 25 * c + c * c, 4: 0, 5: 0}
    ops = (0, 1, 2, 3, 4, 5)
    expected = 27 * c * 1024 + 10 * c
    expected += sum(area * (c * c + per_pixel[op]) for op, area in zip(ops, areas, strict=True))
    expected += (256 + 64) * c * c  # both halvings of the layer before
    assert total(SPACE.network(chain(*ops)), "macs") == expected


def test_a_skip_over_both_pools_is_halved_twice_and_only_what_is_read_is_halved() -> None:
    none = SPACE.network(chain(0, 0, 0, 0, 0, 0))
    skip = chain(0, 0, 0, 0, 0, 0)
    skip[-5] = 1  # layer 5 adds the stem
    graph = SPACE.network(skip)
    assert none.ops.count("concat") == 2
    assert graph.ops.count("concat") == 4
    assert total(graph, "macs") - total(none, "macs") == (256 + 64) * 36**2


def test_equal_places_have_equal_names_so_that_a_supernet_shares_their_weights() -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    for choices in SPACE.sample(60, np.random.default_rng(1)).tolist():
        for name, shape in build(SPACE.network(choices, image_size=8, channels=4)).program.shapes.items():
            assert shapes.setdefault(name, shape) == shape
    branches = {name.split("/")[1] for name in shapes if name.startswith("layer")}
    assert branches == {*SPACE.operators, "batch_norm"} - {"data", "input", "output", "sum"}
    assert not any("layer" in name and "pool0" in name for name in shapes)


@pytest.mark.parametrize(("size", "why"), [(1, "take a larger image"), (6, "what is concatenated must be alike")])
def test_images_that_cannot_be_halved_twice_are_refused(size: int, why: str) -> None:
    with pytest.raises(InvalidGraphError, match=why):
        SPACE.network(chain(0, 0, 0, 0, 0, 0), image_size=size)
