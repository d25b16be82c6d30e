"""Networks of the spaces: counts against the published costs, shapes by hand, and torch modules written apart."""

from __future__ import annotations

import csv
import gzip
import itertools
import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archpredict.errors import InvalidGraphError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import check_computational, total
from archpredict.graph.summary import flops
from archpredict.onnx.reader import load
from archpredict.spaces.base import SearchSpace
from archpredict.spaces.darts import Darts
from archpredict.spaces.enas_micro import ENASMicro
from archpredict.spaces.nasbench101 import NASBench101
from archpredict.spaces.nasbench201 import NASBench201

NB101, NB201, DARTS = NASBench101(), NASBench201(), Darts()
SPACES = (NB101, NB201, DARTS)
CHAINS = (("skip_connect", "nor_conv_1x1"), ("nor_conv_1x1", "skip_connect"), ("nor_conv_3x3", "skip_connect"))
every_space = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)


def drawn(space: SearchSpace, n: int, seed: int = 0) -> list[list[int]]:
    return space.sample(n, np.random.default_rng(seed)).tolist()


def folded(graph: ArchGraph) -> float:
    """Channels of the batch norms folded into convolutions: what two per channel count more than one bias."""
    convolutions = np.array([op == "conv" for op in graph.ops])
    return float((graph.attrs["weight"][:, 0] * graph.attrs["bias"][:, 0])[convolutions].sum())


# ---------------------------------------------------------------------- counts


@every_space
def test_multiply_adds_are_those_of_the_cost(space: SearchSpace) -> None:
    more = {"pruned": False} if space is NB201 else {}
    for choices in drawn(space, 40):
        graph = space.network(choices, **more)
        check_computational(graph)
        assert total(graph, "macs") == space.cost(choices)["macs"]


def test_nasbench101_parameters_with_affine_batch_norms_are_the_cost() -> None:
    for choices in drawn(NB101, 60):
        graph = NB101.network(choices)
        assert total(graph, "params") + folded(graph) == NB101.cost(choices)["params"]


def test_parameters_and_flops_of_all_nasbench201_cells_are_counted_on_the_graph(data_folder: Path) -> None:
    with gzip.open(data_folder / "nasbench201" / "nasbench201.csv.gz", "rt") as file:
        table = list(csv.DictReader(file))
    # The figures tell which operations a cell has and not where: a few networks of each of 210 kinds answer for all.
    figures, kinds = defaultdict[str, set[str]](set), defaultdict[str, list[str]](list)
    for row in table:
        operations = " ".join(sorted(re.findall(r"\w+(?=~)", row["arch_str"])))
        figures[operations].add(f"{row['params_M']} {row['flops_M']}")
        kinds[operations].append(row["arch_str"])
    assert (len(table), len(kinds)) == (15_625, 210)
    rng = np.random.default_rng(1)
    for operations, texts in kinds.items():
        (published,) = figures[operations]
        for text in rng.choice(texts, min(4, len(texts)), replace=False):
            graph = NB201.network(NB201.parse(str(text)), pruned=False)
            counted = total(graph, "params") + folded(graph), flops(graph)
            assert counted == tuple(round(float(figure) * 1e6) for figure in published.split())


def test_parameters_and_flops_of_darts_architectures_of_the_table_are_counted_on_the_graph(
    data_folder: Path,
) -> None:
    # Affine are the batch norms of the stem and of both inputs of each of the eight cells, of which the third and sixth
    # halve; all others have no parameters and count 1 per element instead of 2.
    inputs = ((2, 32, 32), (1, 64, 32), (2, 64, 16), (1, 128, 16), (2, 128, 8))  # cells, channels, pixels after it
    channels = 96 + 2 * sum(cells * width for cells, width, _ in inputs)
    elements = 96 * 32**2 + 2 * sum(cells * width * pixels**2 for cells, width, pixels in inputs)
    with gzip.open(data_folder / "darts" / "nasbench301_1218.csv.gz", "rt") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 1_218
    for row in table[::4]:  # the costs of all rows are compared in test_darts.py
        graph = DARTS.network(DARTS.parse(row["arch"]), merge=False)
        weights = np.prod(np.maximum(graph.attrs["weight"], 1), axis=1)
        counted = sum(w for w, op in zip(weights, graph.ops, strict=True) if op in ("conv", "linear")) + 10
        assert counted + 2 * channels == round(float(row["params"]) * 1e6)
        assert flops(graph, norm=1) + elements == round(float(row["flops"]) * 1e6)


def test_operations_that_are_not_merged_compute_and_cost_the_same() -> None:
    choices = DARTS.parse(str([[[0, 0], [1, 3]] * 4, [[0, 0], [1, 3]] * 4]))
    merged, apart = DARTS.network(choices), DARTS.network(choices, merge=False)
    assert merged.num_nodes < apart.num_nodes
    assert flops(merged) < flops(apart)
    assert [total(merged, name) for name in ("params", "macs")] == [total(apart, name) for name in ("params", "macs")]


def test_pruned_nasbench201_networks_lack_exactly_the_operations_that_lead_nowhere() -> None:
    choices = NB201.parse("|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|skip_connect~1|none~2|")
    alone = NB201.parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|")
    lacking = 5 * sum(channels**2 * pixels for channels, pixels in ((16, 1024), (32, 256), (64, 64)))
    pruned = NB201.network(choices)
    assert NB201.cost(choices)["macs"] - total(pruned, "macs") == lacking
    assert pruned.key == NB201.network(alone).key


def test_darts_with_none_lacks_exactly_the_operations_that_nothing_feeds() -> None:
    space = Darts(with_none=True)
    cell = [[0, 7], [1, 7], [0, 3], [2, 3], [0, 2], [1, 0], [0, 2], [3, 1]]  # nothing arrives at node 2
    normal = [[0, 2], [1, 2]] * 4
    choices = space.parse(str([normal, cell]))
    without = space.parse(str([normal, [*cell[:3], [2, 7], *cell[4:]]]))
    assert total(space.network(choices), "macs") == space.cost(without)["macs"] < space.cost(choices)["macs"]


# ---------------------------------------------------------------------- shapes and structure


def test_a_nasbench201_network_of_skips_is_the_skeleton() -> None:
    graph = NB201.network((0, 0, 0, 1, 0, 0), num_classes=7, image_size=16, image_channels=1, channels=4)
    block = ("relu", "conv", "relu", "conv", "avg_pool", "conv", "add")
    tail = ("batch_norm", "relu", "global_avg_pool", "linear", "output")
    assert graph.ops == ("input", "conv", *block, *block, *tail)
    shapes = graph.attrs["shape"][:, :4].tolist()
    assert shapes[:4] == [[1, 1, 16, 16], [1, 4, 16, 16], [1, 4, 16, 16], [1, 8, 8, 8]]
    assert shapes[6:9] == [[1, 4, 8, 8], [1, 8, 8, 8], [1, 8, 8, 8]]
    assert shapes[15:] == [[1, 16, 4, 4]] * 3 + [[1, 16, 0, 0]] + [[1, 7, 0, 0]] * 2


def test_a_nasbench201_cell_in_which_nothing_arrives_gives_zeros() -> None:
    graph = NB201.network((2, 0, 0, 0, 0, 3), cells=1)
    assert graph.ops[:3] == ("input", "conv", "sub")
    assert graph.edges[1:3] == ((1, 2), (1, 2))
    assert graph.ops.count("sub") == 3


def test_nasbench101_shares_the_output_channels_and_cuts_what_is_wider() -> None:
    matrix = [[0, 1, 0, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0] * 5]
    ops = ["input", "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3", "output"]
    graph = NB101.network(NB101.from_matrix(matrix, ops), cells=1)
    first = graph.ops[3:12]  # after input, stem and its ReLU
    assert first == ("conv", "relu", "conv", "relu", "conv", "relu", "slice", "max_pool", "concat")
    assert graph.attrs["shape"][3:12, 1].tolist() == [43, 43, 43, 43, 43, 43, 42, 42, 128]
    assert graph.attrs["shape"][12].tolist() == [1, 128, 16, 16, 0, 0]
    assert [s[1] for s in graph.attrs["shape"][-4:].tolist()] == [512, 512, 10, 10]


def test_a_darts_network_halves_twice() -> None:
    graph = DARTS.network((0, 2, 2) * 8)
    joined = [
        shape
        for shape, op, w in zip(graph.attrs["shape"].tolist(), graph.ops, graph.ops[1:], strict=False)
        if op == "concat" and w != "batch_norm"
    ]
    assert [(s[1], s[2]) for s in joined] == [(128, 32)] * 2 + [(256, 16)] * 3 + [(512, 8)] * 3


@every_space
def test_images_classes_and_width_are_free(space: SearchSpace) -> None:
    (choices,) = drawn(space, 1)
    graph = space.network(choices, num_classes=3, image_size=8, image_channels=1, channels=4, cells=3)
    assert graph.attrs["shape"][0].tolist() == [1, 1, 8, 8, 0, 0]
    assert graph.attrs["shape"][-1].tolist() == [1, 3, 0, 0, 0, 0]
    assert total(graph, "macs") < space.cost(choices)["macs"] / 100


@every_space
def test_an_image_that_is_too_small_is_refused(space: SearchSpace) -> None:
    (choices,) = drawn(space, 1)
    with pytest.raises(InvalidGraphError, match="take a larger image"):
        space.network(choices, image_size=1, channels=4)


def test_a_space_without_network_says_what_to_write() -> None:
    with pytest.raises(
        UsageError, match=r"enas-micro does not define network\(\).*; write \w+\.network\(choices, \*, num_cl"
    ):
        ENASMicro().network((0,) * 40)


# ---------------------------------------------------------------------- equal cells


def test_equal_nasbench201_cells_give_equal_networks() -> None:
    for a, b, _, c, d, e in drawn(NB201, 60):  # without an edge between nodes 1 and 2 these can change places
        one, two = ((a, b, 0, c, d, e), (b, a, 0, c, e, d))
        assert NB201.decode(one).key == NB201.decode(two).key
        assert NB201.network(one, cells=2, channels=4).key == NB201.network(two, cells=2, channels=4).key


def test_nasbench201_cells_with_one_network_key_have_one_network() -> None:
    of_key: dict[object, list[tuple[int, ...]]] = {}
    for choices in itertools.product(range(5), repeat=6):
        of_key.setdefault(NB201.network_key(choices), []).append(choices)
    assert len(of_key) == 9445
    several = [found for found in of_key.values() if len(found) > 1]
    for first, *_, last in several[:: len(several) // 20]:
        one, two = (NB201.network(choices, cells=1, channels=4) for choices in (first, last))
        assert one == two


def test_a_space_that_overrides_network_alone_tells_all_choices_apart() -> None:
    class Whole(NASBench201):
        def network(self, choices: Sequence[int], **form: Any) -> ArchGraph:
            return super().network(choices, pruned=False, **form)

    dead, none = (3, 0, 1, 0, 2, 0), (3, 0, 0, 0, 2, 0)
    assert NB201.network_key(dead) == NB201.network_key(none)
    assert Whole().network_key(dead) != Whole().network_key(none)


def test_skips_join_nodes_so_cells_that_differ_in_their_place_alone_are_one_network() -> None:
    before, after, other = ("|{}~0|+|none~0|none~1|+|none~0|{}~1|none~2|".format(*ops) for ops in CHAINS)
    keys = [NB201.network(NB201.parse(text)).key for text in (before, after, other)]
    assert keys[0] == keys[1] != keys[2]
    assert len({NB201.decode(NB201.parse(text)).key for text in (before, after, other)}) == 3


def test_equal_nasbench101_cells_that_share_channels_evenly_give_equal_networks() -> None:
    rng = np.random.default_rng(1)
    compared = 0
    for choices in drawn(NB101, 150, seed=1):
        matrix, ops = NB101.to_matrix(choices)
        renumbered = _renumbered(matrix, ops, rng)
        if renumbered == choices or sum(row[-1] for row in matrix[1:]) not in (0, 1, 2, 4):
            continue
        compared += 1
        assert NB101.fingerprint(renumbered) == NB101.fingerprint(choices)
        assert NB101.network(renumbered, cells=1).key == NB101.network(choices, cells=1).key
    assert compared > 20


def _renumbered(matrix: Sequence[Sequence[int]], ops: Sequence[str], rng: np.random.Generator) -> list[int]:
    """The same cell in another topological order, drawn at random."""
    order: list[int] = []
    while len(order) < len(ops):
        ready = [v for v in range(len(ops)) if v not in order and all(s in order or not matrix[s][v] for s in range(v))]
        order.append(int(rng.choice(ready)))
    return list(NB101.from_matrix([[matrix[s][t] for t in order] for s in order], [ops[v] for v in order]))


# ---------------------------------------------------------------------- torch modules written apart


def exported(module: nn.Module, path: Path, size: int) -> ArchGraph:
    """The graph of a torch module; with random weights, since exporters drop zeros and join equal tensors."""
    torch.manual_seed(0)
    module.eval()
    with torch.no_grad():
        for tensor in [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]:
            tensor.copy_(torch.rand_like(tensor) + 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.zeros(1, 3, size, size),), str(path), dynamo=False)
    return load(path)


def rcn(before: int, after: int, kernel: int, stride: int = 1) -> nn.Module:
    """ReLU, convolution, batch norm."""
    convolution = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), convolution, nn.BatchNorm2d(after))


class Cell201(nn.Module):
    """|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = rcn(c, c, 3), rcn(c, c, 1), rcn(c, c, 1), rcn(c, c, 3)
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(x) + self.d(self.pool(x) + self.b(self.a(x)))


class Block201(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.a, self.b = rcn(c, 2 * c, 3, 2), rcn(2 * c, 2 * c, 3)
        self.down = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c, 2 * c, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.down(x) + self.b(self.a(x))


class Network201(nn.Sequential):
    def __init__(self) -> None:
        stages = [nn.Sequential(*(Cell201(c) for _ in range(5))) for c in (16, 32, 64)]
        stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16))
        tail = (nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
        super().__init__(stem, stages[0], Block201(16), stages[1], Block201(32), stages[2], *tail)


def test_a_nasbench201_network_is_read_from_torchs_export(tmp_path: Path) -> None:
    text = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
    module, choices = Network201(), NB201.parse(text)
    graph = exported(module, tmp_path / "m.onnx", 32)
    assert graph.key == NB201.network(choices).key
    assert sum(p.numel() for p in module.parameters()) == NB201.cost(choices)["params"]


def cnr(before: int, after: int, kernel: int) -> nn.Module:
    """Convolution, batch norm, ReLU."""
    convolution = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())


class Cell101(nn.Module):
    """Vertex 1 feeds 2, 3 and the output; 2 reads the input too; 3 pools; the output adds the input to 1, 2, 3."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.wide, self.narrow = -(-after // 3), after // 3
        parts = [self.wide, after - self.wide - self.narrow, self.narrow]
        self.parts = parts
        self.project1, self.vertex1 = cnr(before, parts[0], 1), cnr(parts[0], parts[0], 3)
        self.project2, self.vertex2 = cnr(before, parts[1], 1), cnr(parts[1], parts[1], 1)
        self.project = cnr(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.vertex1(self.project1(x))
        two = self.vertex2(one[:, : self.parts[1]] + self.project2(x))
        three = functional.max_pool2d(one[:, : self.parts[2]], 3, 1, 1)
        return torch.cat([one, two, three], 1) + self.project(x)


class Network101(nn.Sequential):
    def __init__(self) -> None:
        layers: list[nn.Module] = [cnr(3, 128, 3)]
        before = 128
        for after in (128, 256, 512):
            layers += [nn.MaxPool2d(2, 2)] if after > 128 else []
            layers += [Cell101(before, after), Cell101(after, after), Cell101(after, after)]
            before = after
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def test_a_nasbench101_network_is_read_from_torchs_export(tmp_path: Path) -> None:
    matrix = [[0, 1, 1, 0, 1], [0, 0, 1, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0] * 5]
    ops = ["input", "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3", "output"]
    module, choices = Network101(), NB101.from_matrix(matrix, ops)
    graph = exported(module, tmp_path / "m.onnx", 32)
    assert graph.key == NB101.network(choices).key
    assert sum(p.numel() for p in module.parameters()) == NB101.cost(choices)["params"]


DARTS_NORMAL = [[0, 3], [1, 5], [0, 0], [1, 2], [2, 1], [3, 4], [0, 2], [4, 6]]
DARTS_REDUCTION = [[0, 0], [1, 2], [1, 3], [2, 2], [0, 5], [2, 0], [1, 1], [3, 4]]


class Halved(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(before, after // 2, 1, 2, bias=False)
        self.odd, self.norm = nn.Conv2d(before, after // 2, 1, 2, bias=False), nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(x)
        return self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], 1))


def darts_operation(op: int, c: int, stride: int) -> nn.Module:
    if op < 2:
        pool = nn.AvgPool2d(3, stride, 1, count_include_pad=False) if op else nn.MaxPool2d(3, stride, 1)
        return nn.Sequential(pool, nn.BatchNorm2d(c))
    if op == 2:
        return nn.Identity() if stride == 1 else Halved(c, c)
    kernel, dilation = 3 + 2 * (op % 2 == 0), 1 + (op > 4)
    layers: list[nn.Module] = []
    for step in (stride, 1)[: 3 - dilation]:
        pad = dilation * (kernel // 2)
        depthwise = nn.Conv2d(c, c, kernel, step, pad, dilation, groups=c, bias=False)
        layers += [nn.ReLU(), depthwise, nn.Conv2d(c, c, 1, bias=False), nn.BatchNorm2d(c)]
    return nn.Sequential(*layers)


class CellDarts(nn.Module):
    def __init__(self, inputs: tuple[int, int], c: int, reduction: bool, after_reduction: bool) -> None:
        super().__init__()
        self.pairs = DARTS_REDUCTION if reduction else DARTS_NORMAL
        self.prepare0 = Halved(inputs[0], c) if after_reduction else rcn(inputs[0], c, 1)
        self.prepare1 = rcn(inputs[1], c, 1)
        self.ops = nn.ModuleList(darts_operation(op, c, 2 if reduction and s < 2 else 1) for s, op in self.pairs)

    def forward(self, before_last: Tensor, last: Tensor) -> Tensor:
        nodes = [self.prepare0(before_last), self.prepare1(last)]
        for i in range(0, 8, 2):
            first, second = (self.ops[j](nodes[self.pairs[j][0]]) for j in (i, i + 1))
            nodes.append(first + second)
        return torch.cat(nodes[2:], 1)


class NetworkDarts(nn.Module):
    """Five cells of which the second and fourth are reductions."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * c, 3, padding=1, bias=False), nn.BatchNorm2d(3 * c))
        inputs, cells = (3 * c, 3 * c), []
        for i in range(5):
            c *= 1 + i % 2
            cells.append(CellDarts(inputs, c, bool(i % 2), i in (2, 4)))
            inputs = (inputs[1], 4 * c)
        self.cells, self.head = nn.ModuleList(cells), nn.Linear(4 * c, 10)

    def forward(self, x: Tensor) -> Tensor:
        before_last = last = self.stem(x)
        for cell in self.cells:
            before_last, last = last, cell(before_last, last)
        return self.head(functional.adaptive_avg_pool2d(last, 1).flatten(1))


def test_a_darts_network_is_read_from_torchs_export(tmp_path: Path) -> None:
    graph = exported(NetworkDarts(8), tmp_path / "m.onnx", 16)
    choices = DARTS.parse(str([DARTS_NORMAL, DARTS_REDUCTION]))
    assert graph.key == DARTS.network(choices, channels=8, cells=5, image_size=16).key
