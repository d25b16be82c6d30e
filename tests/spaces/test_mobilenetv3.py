"""MobileNetV3 of Once-for-All: published networks and their counts, and a torch module written apart."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from archpredict.errors import InvalidArchitectureError, InvalidGraphError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import check_computational, total
from archpredict.networks.network import build
from archpredict.onnx.reader import load
from archpredict.spaces import load_space
from archpredict.spaces.mobilenetv3 import RESOLUTIONS, MobileNetV3
from archpredict.testing.spaces import SpaceContract

SPACE = MobileNetV3()
SMALLEST = "r112" + 5 * " | k3e3 k3e3"
LARGEST = "r224" + 5 * " | k7e6 k7e6 k7e6 k7e6"
MIXED = "r176 | k7e3 k3e4 | k5e6 k3e3 k7e4 | k3e3 k5e6 k5e4 k3e6 | k7e4 k7e3 | k3e6 k5e4 k7e3"

PUBLISHED = {
    "flops@389M_top1@79.1": (
        "r224 | k3e3 k3e3 | k5e3 k5e6 k3e3 | k5e4 k5e4 k3e3 | k5e6 k5e4 k3e4 k3e4 | k3e6 k3e6 k7e6 k3e3",
        *(224, 389, 8.4),
    ),
    "flops@482M_top1@79.6": (
        "r224 | k5e3 k3e3 k3e3 | k5e4 k3e4 k5e4 k3e3 | k5e4 k5e6 k3e3 k3e3 | k5e6 k7e6 k3e6 k5e4 | k7e6 k3e6 k3e6 k3e3",
        *(224, 482, 9.1),
    ),
    "flops@595M_top1@80.0": (
        "r224 | k3e3 k5e4 k3e3 | k5e4 k5e4 k3e6 k5e3 | k7e6 k5e6 k3e3 k5e4 | k3e6 k5e6 k7e6 k3e4 | k3e6 k3e6 k5e6 k3e3",
        *(236, 595, 9.1),
    ),
}
"""Specialised networks of mit-han-lab/once-for-all: their configuration files (han-cai/files), and the resolution, the
multiply-adds (millions) and the parameters (millions) of the table in the README."""


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> MobileNetV3:
        return SPACE


def drawn(n: int, seed: int = 0) -> list[list[int]]:
    return SPACE.sample(n, np.random.default_rng(seed)).tolist()


# ---------------------------------------------------------------------- choices and notation


def test_the_space_loads_by_name() -> None:
    assert isinstance(load_space("mobilenetv3"), MobileNetV3)


def test_a_stage_has_as_many_vectors_as_it_has_architectures() -> None:
    """9² + 9³ + 9⁴ for two to four layers of nine kinds, as unused slots have one option."""
    prefix = np.zeros((1, 1), dtype=np.int64)
    for _ in range(9):
        row, option = np.nonzero(SPACE.mask(prefix))
        prefix = np.concatenate([prefix[row], option[:, None]], axis=1)
    assert len(prefix) == 9**2 + 9**3 + 9**4


@given(st.integers(0, 2**31))
def test_different_vectors_are_different_architectures(seed: int) -> None:
    a, b = drawn(2, seed)
    child = SPACE.mutate(np.array([a]), np.random.default_rng(seed))[0].tolist()
    for other in (b, child):
        assert (SPACE.decode(a).key == SPACE.decode(other).key) == (a == other)


def test_the_graph_is_a_chain_whose_cells_are_the_stages() -> None:
    graph = SPACE.decode(SPACE.parse(MIXED))
    assert graph.ops[:4] == ("input_176", "mb7_e3", "mb3_e4", "mb5_e6")
    assert graph.cells == (0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 4, 4)
    assert graph.edges == tuple((i, i + 1) for i in range(15))


def test_the_dictionaries_of_the_published_code_are_read_and_their_unused_slots_ignored() -> None:
    rng = np.random.default_rng(0)
    for row in drawn(30):
        subnet = SPACE.subnet(row)
        kernels, expansions = rng.choice([3, 5, 7], 20), rng.choice([0, 3, 4, 6], 20)
        for s, stage in enumerate(subnet.stages):
            for i, (kernel, expansion) in enumerate(stage):
                kernels[4 * s + i], expansions[4 * s + i] = kernel, expansion
        given = {"ks": kernels.tolist(), "e": expansions.tolist(), "d": [len(s) for s in subnet.stages]}
        for resolution in (subnet.resolution, [subnet.resolution]):
            text = json.dumps({"wid": None, **given, "r": resolution})
            assert SPACE.parse(text) == tuple(row)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LARGEST.replace("r224", "r225"), "the resolution is 225, not one of 112, 128, 144, 160, 176, 192, 208, 224"),
        (LARGEST.replace("r224 |", ""), "does not begin with a resolution such as r224"),
        (LARGEST + " | k3e3 k3e3", "it has 6 stages instead of 5"),
        (SMALLEST[:-5], "the depth of stage 4 is 1, not one of 2, 3, 4"),
        (SMALLEST[:-4] + "k9e3", "the kernel of layer 1 of stage 4 is 9, not one of 3, 5, 7"),
        (SMALLEST[:-4] + "k3e5", "the expansion of layer 1 of stage 4 is 5, not one of 3, 4, 6"),
        (SMALLEST[:-4] + "3x3", "stage 4 has the layer '3x3'"),
        ('{"ks": [], "e": [], "d": []}', "it has no 'r'"),
        ('{"ks": [3], "e": [], "d": [], "r": 224}', "'d' is not a list of 5 integers, nor one integer"),
        (
            '{"ks": [3], "e": 3, "d": 2, "r": 224}',
            "'ks' is not a list of 20 integers, nor of 10, one for each layer that there is",
        ),
        ('{"ks": ', "it does not parse"),
        ("r224 | " * 2000, "it has 14000 characters"),
    ],
)
def test_what_is_wrong_with_a_text_is_said(text: str, why: str) -> None:
    with pytest.raises(InvalidArchitectureError, match="of the space mobilenetv3: ") as caught:
        SPACE.parse(text)
    assert why in str(caught.value)
    assert "r224 | k3e6" in str(caught.value)


# ---------------------------------------------------------------------- counts


@pytest.mark.parametrize("name", PUBLISHED)
def test_costs_of_published_networks_are_the_published_ones(name: str) -> None:
    text, resolution, macs, params = PUBLISHED[name]
    choices = SPACE.parse(text)
    graph = SPACE.network(choices, num_classes=1000, image_size=resolution)
    assert round(total(graph, "macs") / 1e6) == macs
    assert round(SPACE.cost(choices)["params"] / 1e6, 1) == params


def test_multiply_adds_and_parameters_of_a_network_are_those_of_the_cost() -> None:
    for choices in [*drawn(60), SPACE.parse(SMALLEST), SPACE.parse(LARGEST)]:
        graph = SPACE.network(choices, num_classes=1000)
        check_computational(graph)
        cost = SPACE.cost(choices)
        assert total(graph, "macs") == cost["macs"]
        assert total(graph, "params") + folded(graph) == cost["params"]


def folded(graph: ArchGraph) -> float:
    """Channels of the batch norms: those of all convolutions with a bias but squeeze-and-excitation's, on 1x1."""
    convolutions = np.array([op == "conv" for op in graph.ops]) & (graph.attrs["shape"][:, 2] > 1)
    return float((graph.attrs["weight"][:, 0] * graph.attrs["bias"][:, 0])[convolutions].sum())


class Squeeze(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = (channels // 4 + 4) // 8 * 8
        middle = max(8, middle + (8 if middle < 0.9 * (channels // 4) else 0))
        self.fc = nn.Sequential(
            nn.Conv2d(channels, middle, 1), nn.ReLU(), nn.Conv2d(middle, channels, 1), nn.Hardsigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc(x.mean((2, 3), keepdim=True))


class Block(nn.Module):
    def __init__(self, before: int, after: int, kernel: int, expansion: int, stride: int, kind: str) -> None:
        super().__init__()
        wide, swish = before * expansion, "h" in kind
        act = nn.Hardswish if swish else nn.ReLU
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [nn.Conv2d(before, wide, 1, bias=False), nn.BatchNorm2d(wide), act()]
        depthwise = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False)
        layers += [depthwise, nn.BatchNorm2d(wide), act(), *([Squeeze(wide)] if "s" in kind else [])]
        self.layers = nn.Sequential(*layers, nn.Conv2d(wide, after, 1, bias=False), nn.BatchNorm2d(after))
        self.residual = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return y + x if self.residual else y


class Reference(nn.Sequential):
    """OFAMobileNetV3 at width 1.2, written from the publication and plain torch."""

    def __init__(self, text: str, classes: int = 1000) -> None:
        _, *stages = text.split(" | ")
        blocks: list[nn.Module] = [nn.Conv2d(3, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.Hardswish()]
        blocks.append(Block(24, 24, 3, 1, 1, "r"))
        before = 24
        plan = ((32, 2, "r"), (48, 2, "rs"), (96, 2, "h"), (136, 1, "hs"), (192, 2, "hs"))
        for stage, (width, stride, kind) in zip(stages, plan, strict=True):
            for i, layer in enumerate(stage.split()):
                blocks.append(Block(before, width, int(layer[1]), int(layer[3]), 1 if i else stride, kind))
                before = width
        blocks += [nn.Conv2d(192, 1152, 1, bias=False), nn.BatchNorm2d(1152), nn.Hardswish()]
        blocks += [nn.AdaptiveAvgPool2d(1), nn.Conv2d(1152, 1536, 1, bias=False), nn.Hardswish()]
        super().__init__(*blocks, nn.Flatten(), nn.Linear(1536, classes))


def counted_macs(module: nn.Module, size: int) -> int:
    """Multiply-adds by hooks on every convolution and linear layer."""
    counts: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        counts.append(output.numel() * next(layer.parameters())[0].numel())

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        module.eval()(torch.zeros(1, 3, size, size))
    return sum(counts)


@pytest.mark.parametrize("text", [SMALLEST, MIXED])
def test_a_module_written_apart_has_the_same_parameters_and_multiply_adds(text: str) -> None:
    module = Reference(text)
    cost = SPACE.cost(SPACE.parse(text))
    assert sum(p.numel() for p in module.parameters()) == cost["params"]
    assert counted_macs(module, SPACE.subnet(SPACE.parse(text)).resolution) == cost["macs"]


# ---------------------------------------------------------------------- exports


def exported(module: nn.Module, graph: ArchGraph, path: Path) -> ArchGraph:
    """The graph of a torch module with random weights, as exporters join equal tensors."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]:
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    image = torch.zeros(1, *map(int, graph.attrs["shape"][0, 1:4]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (image,), str(path), opset_version=17, dynamo=False)
    return load(path)


def test_a_network_is_read_from_torchs_export_of_a_module_written_apart(tmp_path: Path) -> None:
    graph = SPACE.network(SPACE.parse(MIXED), num_classes=1000)
    assert exported(Reference(MIXED), graph, tmp_path / "m.onnx").key == graph.key


@pytest.mark.parametrize("options", [{}, {"image_size": 32}, {"image_size": 8, "image_channels": 1}])
def test_a_network_that_is_built_and_exported_is_read_as_the_same_graph(
    options: dict[str, int], tmp_path: Path
) -> None:
    graph = SPACE.network(SPACE.parse(MIXED), channels=8, **options)
    network = build(graph)
    assert sum(p.numel() for p in network.parameters()) == total(graph, "params")
    again = exported(network.folded(), graph, tmp_path / "m.onnx")
    assert again.key == graph.key
    assert (total(again, "macs"), total(again, "params")) == (total(graph, "macs"), total(graph, "params"))


# ---------------------------------------------------------------------- images of another size


@pytest.mark.parametrize(
    ("size", "halvings"), [(224, 5), (128, 5), (127, 4), (64, 4), (32, 3), (16, 2), (8, 1), (4, 0)]
)
def test_small_images_are_halved_less_often_and_never_become_a_single_pixel(size: int, halvings: int) -> None:
    for text, share in ((SMALLEST, 2), (LARGEST, 1)):
        graph = SPACE.network(SPACE.parse(text), image_size=size, image_channels=1, channels=8)
        assert graph.attrs["shape"][0].tolist() == [1, 1, size, size, 0, 0]
        strides = graph.attrs["stride"][:, 0]
        assert (strides == 2).sum() == halvings
        before_pool = graph.ops.index("linear") - 4
        scaled = int(size / share + 0.5)
        assert graph.attrs["shape"][before_pool, 2] == -(-scaled // 2**halvings) >= 2


def test_resolutions_are_shares_of_the_image() -> None:
    sizes = []
    for resolution in RESOLUTIONS:
        graph = SPACE.network(SPACE.parse(LARGEST.replace("224", str(resolution))), image_size=32, channels=8)
        scaled = resolution < 224
        assert (graph.ops[1] == "resize") == scaled
        sizes.append(int(graph.attrs["shape"][int(scaled), 2]))
    assert sizes == [16, 18, 21, 23, 25, 27, 30, 32]


def test_an_image_that_is_too_small_is_refused() -> None:
    with pytest.raises(InvalidGraphError, match=r"at least 4 pixels in height and width, 3 was given; take a larger"):
        SPACE.network(SPACE.parse(LARGEST), image_size=3)


def test_widths_follow_the_stem() -> None:
    def widths(channels: int | None) -> list[float]:
        graph = SPACE.network(SPACE.parse(SMALLEST), image_size=8, channels=channels)
        weight = graph.attrs["weight"][:, 0]
        return [float(weight[i]) for i, name in enumerate(graph.names or ()) if name.endswith("project/conv")]

    assert widths(None) == widths(24) == [24, *np.repeat([32, 48, 96, 136, 192], 2)]
    assert widths(48) == [48, *np.repeat([64, 96, 192, 272, 384], 2)]
    assert widths(8) == [8, *np.repeat([16, 16, 32, 48, 64], 2)]


def test_layers_of_a_slot_have_one_name_whatever_their_kernel_expansion_and_neighbours() -> None:
    """So that a supernet shares their weights, those of squeeze-and-excitation too."""
    most = build(SPACE.network(SPACE.parse(LARGEST), channels=8)).program.shapes
    for choices in drawn(20):
        shapes = build(SPACE.network(choices, channels=8)).program.shapes
        assert set(shapes) <= set(most)
        for name, shape in shapes.items():
            assert all(n <= m for n, m in zip(shape, most[name], strict=True))
    assert "stage1/layer3/squeeze/reduce/conv/weight" in most
    assert sum("depthwise/weight" in name for name in most) == 21
