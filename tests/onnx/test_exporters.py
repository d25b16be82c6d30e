"""One network, exported in different ways, is one computational graph."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import total
from archpredict.onnx.reader import read

IMAGE = (1, 3, 32, 32)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8)
        self.conv1, self.norm1 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.norm2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.dropout, self.head = nn.Dropout(0.2), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.stem_norm(self.stem(x))), 3, 2, 1)
        y = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        x = functional.adaptive_avg_pool2d(functional.relu(x + y), 1)
        return self.head(self.dropout(torch.flatten(x, 1)))


class Mobile(nn.Module):
    """Depthwise convolution, squeeze and excitation, hard swish, SiLU, ReLU6."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.expand, self.expand_norm = nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16)
        self.depthwise, self.norm = nn.Conv2d(16, 16, 5, 1, 2, groups=16, bias=False), nn.BatchNorm2d(16)
        self.squeeze, self.excite = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.project, self.project_norm = nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.hardswish(self.stem_norm(self.stem(x)))
        y = functional.silu(self.expand_norm(self.expand(x)))
        y = functional.relu6(self.norm(self.depthwise(y)))
        gate = self.excite(functional.relu(self.squeeze(y.mean((2, 3), keepdim=True))))
        x = x + self.project_norm(self.project(y * functional.hardsigmoid(gate)))
        return self.head(x.mean((2, 3)))


class Transformer(nn.Module):
    """A vision transformer of one block."""

    def __init__(self, fused: bool = True) -> None:
        super().__init__()
        self.fused = fused
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.token, self.positions = nn.Parameter(torch.zeros(1, 1, 16)), nn.Parameter(torch.zeros(1, 17, 16))
        self.norm1, self.qkv, self.out = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16)
        self.norm2, self.up, self.down = nn.LayerNorm(16), nn.Linear(16, 64), nn.Linear(64, 16)
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 10)

    def attention(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).reshape(x.shape[0], x.shape[1], 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            y = functional.scaled_dot_product_attention(q, k, v)
        else:
            y = (q * 8**-0.5 @ k.transpose(-2, -1)).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(x.shape[0], x.shape[1], 16))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        x = x + self.attention(self.norm1(x))
        x = x + self.down(functional.gelu(self.up(self.norm2(x))))
        return self.head(self.norm(x)[:, 0])


class PlainTransformer(Transformer):
    """Attention written with products and a softmax."""

    def __init__(self) -> None:
        super().__init__(fused=False)


class Windows(nn.Module):
    """Attention with a table of relative positions."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.qkv, self.out = nn.Conv2d(3, 16, 8, 8), nn.Linear(16, 48), nn.Linear(16, 16)
        self.table = nn.Parameter(torch.zeros(49, 2))
        places = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")).flatten(1)
        apart = (places[:, :, None] - places[:, None, :]) + 3
        self.register_buffer("index", apart[0] * 7 + apart[1])

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(x).reshape(x.shape[0], 16, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        bias = self.table[self.index.view(-1)].view(16, 16, -1).permute(2, 0, 1).contiguous().unsqueeze(0)
        y = (q * 8**-0.5 @ k.transpose(-2, -1) + bias).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(x.shape[0], 16, 16))


class Next(nn.Module):
    """Layer norms with channels last, layer scale, group norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8)
        self.depthwise, self.norm = nn.Conv2d(8, 8, 7, padding=3, groups=8), nn.LayerNorm(8)
        self.up, self.down, self.scale = nn.Linear(8, 32), nn.Linear(32, 8), nn.Parameter(torch.ones(8))
        self.group_norm, self.head_norm, self.head = nn.GroupNorm(2, 8), nn.LayerNorm(8), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem_norm(self.stem(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.down(functional.gelu(self.up(y))) * self.scale
        x = self.group_norm(x + y.permute(0, 3, 1, 2))
        return self.head(self.head_norm(x.mean((2, 3))))


class Odds(nn.Module):
    """Padding on two sides, Mish, leaky ReLU, ELU, PReLU, instance norm, gates, resizing, softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.mix = nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.Conv2d(16, 8, 1)
        self.instance_norm, self.slope = nn.InstanceNorm2d(8, affine=True), nn.PReLU(8)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.mish(self.norm(self.conv(functional.pad(x, (0, 1, 0, 1)))))
        x = self.instance_norm(self.mix(torch.cat([functional.leaky_relu(x, 0.1), functional.elu(x)], 1)))
        x, y = x.chunk(2, 1)
        x = functional.avg_pool2d(torch.cat([x, y.sigmoid() * x], 1), 2)
        x = self.slope(functional.interpolate(x, scale_factor=2.0))
        return self.head(functional.adaptive_avg_pool2d(x, 1).flatten(1)).softmax(-1)


NETWORKS = {"residual": Residual, "mobile": Mobile, "transformer": Transformer, "plain transformer": PlainTransformer}
NETWORKS |= {"windows": Windows, "next": Next, "odds": Odds}
MACS = {"residual": 7 * 7 * 3 * 8 * 256 + 2 * 9 * 64 * 64 + 80}
every_network = pytest.mark.parametrize("name", NETWORKS)
OPSETS = (7, 9, 11, 13, 16, 18, 20)
OLDEST = {"transformer": 14, "plain transformer": 9, "windows": 11, "odds": 9}
"""Operator sets below these cannot express the network."""


def _network(name: str, seed: int = 0) -> nn.Module:
    """With random parameters and statistics: exporters drop biases of zero and store equal tensors once."""
    torch.manual_seed(seed)
    network = NETWORKS[name]().eval()
    with torch.no_grad():
        for tensor in [*network.parameters(), *(b for b in network.buffers() if b.is_floating_point())]:
            tensor.copy_(torch.rand_like(tensor) + 0.5)
    return network


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what torch's exporters print, log and warn of: deprecations of their own, and missing packages."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            for category in (DeprecationWarning, FutureWarning, UserWarning, torch.jit.TracerWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        logging.disable(before)


def _legacy(name: str, path: Path, opset: int, folding: bool = True, **more: object) -> ArchGraph:
    mode = torch.onnx.TrainingMode.EVAL if folding else torch.onnx.TrainingMode.PRESERVE  # which folds no batch norms
    with _quietly():
        torch.onnx.export(
            _network(name),
            (torch.zeros(IMAGE),),
            str(path),
            opset_version=opset,
            dynamo=False,
            do_constant_folding=folding,
            training=mode,
            **more,
        )
    return read(path).graph


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ArchGraph]:
    """Every network as the legacy exporter writes it at opset 17, without folding."""
    folder = tmp_path_factory.mktemp("reference")
    return {name: _legacy(name, folder / f"{name}.onnx", 17, folding=False) for name in NETWORKS}


def _parameters(name: str) -> int:
    """All, but of a batch norm after a convolution its shift alone: the two have one bias."""
    network = _network(name)
    norms = sum(m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    biased = 8 if name == "odds" else 0  # its one convolution before a batch norm has a bias already
    return sum(p.numel() for p in network.parameters()) - norms - biased


@every_network
def test_parameters_are_torchs_own_count(reference, name: str) -> None:
    assert total(reference[name], "params") == _parameters(name)


def test_multiply_adds_are_those_by_hand(reference) -> None:
    assert total(reference["residual"], "macs") == MACS["residual"]


@pytest.mark.parametrize("folding", [True, False], ids=["folded", "not folded"])
@pytest.mark.parametrize(("name", "opset"), [(n, o) for n in NETWORKS for o in OPSETS if o >= OLDEST.get(n, 7)])
def test_the_legacy_exporter_gives_one_graph(reference, tmp_path: Path, name: str, opset: int, folding: bool) -> None:
    assert _legacy(name, tmp_path / "m.onnx", opset, folding).key == reference[name].key


@every_network
def test_an_open_batch_gives_the_same_graph(reference, tmp_path: Path, name: str) -> None:
    graph = _legacy(name, tmp_path / "m.onnx", 17, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    assert graph.key == reference[name].key


class Together(nn.ModuleList):
    """All networks side by side: the newer exporter takes seconds for each file, however small."""

    def __init__(self) -> None:
        super().__init__(_network(name, seed) for seed, name in enumerate(NETWORKS))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(network(x) for network in self)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> ArchGraph:
    """All networks as the legacy exporter writes them."""
    path = tmp_path_factory.mktemp("together") / "m.onnx"
    with _quietly():
        torch.onnx.export(Together().eval(), (torch.zeros(IMAGE),), str(path), opset_version=17, dynamo=False)
    return read(path).graph


@pytest.mark.slow
@pytest.mark.parametrize("opset", [18, 23, 24])
def test_the_newer_exporter_gives_one_graph_at_every_opset(together, tmp_path: Path, opset: int) -> None:
    pytest.importorskip("onnxscript", reason="torch's newer exporter needs onnxscript")
    path = str(tmp_path / "m.onnx")
    with _quietly():
        torch.onnx.export(
            Together().eval(), (torch.zeros(IMAGE),), path, opset_version=opset, dynamo=True, external_data=False
        )
    assert read(path).graph.key == together.key


def test_networks_side_by_side_are_counted_together(reference, together) -> None:
    for name in ("params", "macs"):
        assert total(together, name) == sum(total(graph, name) for graph in reference.values())


@every_network
def test_the_simplifier_changes_nothing(reference, tmp_path: Path, name: str) -> None:
    onnxsim = pytest.importorskip("onnxsim", reason="onnx-simplifier is not installed")
    path = tmp_path / "m.onnx"
    _legacy(name, path, 17, folding=False)
    with _quietly():
        simplified, _ = onnxsim.simplify(onnx.load(path))
    onnx.save(simplified, path)
    assert read(path).graph.key == reference[name].key


def test_different_networks_give_different_graphs(reference) -> None:
    alike = {"transformer", "plain transformer"}  # they compute the same
    assert len({graph.key for name, graph in reference.items() if name not in alike}) == len(NETWORKS) - len(alike)
    assert reference["transformer"].key == reference["plain transformer"].key
