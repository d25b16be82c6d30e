"""NAS-Bench-Macro against the published table, and a torch module written apart."""

from __future__ import annotations

import csv
import gzip
import json
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from archpredict.errors import InvalidArchitectureError
from archpredict.graph.operators import check_computational, total
from archpredict.onnx.reader import load
from archpredict.spaces import load_space
from archpredict.spaces.nasbench_macro import NASBenchMacro
from archpredict.tables.table import Table
from archpredict.testing.spaces import SpaceContract

SPACE = NASBenchMacro()
TEXT = "02012100"


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> NASBenchMacro:
        return SPACE


@pytest.fixture(scope="module")
def table(data_folder: Path) -> list[dict[str, str]]:
    with gzip.open(data_folder / "nas_bench_macro" / "nas_bench_macro_cifar10.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


def test_the_space_loads_by_name() -> None:
    assert isinstance(load_space("nasbench-macro"), NASBenchMacro)


# ---------------------------------------------------------------------- the table


def test_params_and_multiply_adds_of_all_chains_are_those_of_the_table(table: list[dict[str, str]]) -> None:
    costs = SPACE.costs(np.array([SPACE.parse(row["arch"]) for row in table]))
    np.testing.assert_array_equal(costs["params"], [int(row["params"]) for row in table])
    np.testing.assert_array_equal(costs["macs"], [int(row["flops"]) for row in table])


def test_networks_have_the_multiply_adds_of_the_table_and_its_params_but_for_folded_batch_norms(
    table: list[dict[str, str]],
) -> None:
    for row in table[::41]:
        graph = SPACE.network(SPACE.parse(row["arch"]))
        check_computational(graph)
        convolutions = np.array(graph.ops) == "conv"
        folded = graph.attrs["weight"][convolutions, 0].sum()
        assert total(graph, "macs") == int(row["flops"])
        assert total(graph, "params") + folded == int(row["params"])


def test_the_3969_classes_of_isomorphic_graphs_are_the_trainings_of_the_benchmark(table: list[dict[str, str]]) -> None:
    trained = defaultdict(set)
    for row in table:
        trained[SPACE.from_text(row["arch"]).key].add(
            tuple(row[name] for name in ("acc0", "acc1", "acc2", "params", "flops"))
        )
    assert len(trained) == 3_969
    assert all(len(rows) == 1 for rows in trained.values())


def test_zeros_at_the_front_survive_the_reading_of_a_table(tmp_path: Path) -> None:
    texts = ["00000000", "00000001", "00000010", "22222222"]
    (tmp_path / "t.csv").write_text("arch,mean_acc\n" + "".join(f"{text},{i}\n" for i, text in enumerate(texts)))
    (tmp_path / "t.json").write_text(json.dumps({text: {"mean_acc": i} for i, text in enumerate(texts)}))
    for name in ("t.csv", "t.json"):
        read = Table.read(tmp_path / name, SPACE, "mean_acc")
        assert [*map(str, read.architectures)] == texts


# ---------------------------------------------------------------------- notation


@pytest.mark.parametrize(
    "given",
    [
        " 02012100\n",
        "'02012100'",
        "arch = 02012100",
        "best: 02012100",
        "(02012100)",
        "0|2|0|1|2|1|0|0",
        ["02012100"],
        {"arch": "02012100", "mean_acc": 90.0},
        [*TEXT],
        2012100,
        np.int64(2012100),
        "id ir_5x5_t6 id ir_3x3_t3 ir_5x5_t6 ir_3x3_t3 id id",
        ["id", "ir_5x5_t6", "id", "ir_3x3_t3", "ir_5x5_t6", "ir_3x3_t3", "id", "id"],
        "['Identity', 'MB6_K5', 'Identity', 'MB3_K3', 'MB6_K5', 'MB3_K3', 'Identity', 'Identity']",
        "identity, mb5_e6, identity, mb3_e3, mb5_e6, mb3_e3, identity, identity",
    ],
)
def test_what_others_write_is_read(given: Any) -> None:
    assert SPACE.parse(given) == (0, 2, 0, 1, 2, 1, 0, 0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2012100", r"it has 7 blocks instead of 8 \(zeros at the front must not be left out\)"),
        ("002012100", "it has 9 blocks instead of 8"),
        ("02012103", "choice 7 of the space nasbench-macro is 0 to 2, 3 was given"),
        ("0201210x", "'0201210x' is none of the blocks id, ir_3x3_t3, ir_5x5_t6"),
        ("[]", "it does not parse; expected eight digits"),
    ],
)
def test_what_is_wrong_with_a_text_is_said(text: str, why: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=why):
        SPACE.parse(text)


# ---------------------------------------------------------------------- identities


@given(st.lists(st.integers(0, 2), min_size=8, max_size=8))
def test_an_identity_that_keeps_the_shape_may_stand_anywhere_in_its_stage(choices: list[int]) -> None:
    moved = [choices[0], choices[1], choices[2], choices[4], choices[3], choices[5], choices[7], choices[6]]
    equal = all(a == b or 0 in (a, b) for a, b in ((choices[3], choices[4]), (choices[6], choices[7])))
    one, other = SPACE.network(choices, image_size=8, channels=2), SPACE.network(moved, image_size=8, channels=2)
    assert (SPACE.decode(choices).key == SPACE.decode(moved).key) == equal
    assert (one == other and one.names == other.names) == equal


def test_an_identity_at_the_beginning_of_a_stage_is_a_layer() -> None:
    graph = SPACE.decode((0,) * 8)
    assert graph.ops == ("input", *("conv_1x1",) * 3, "output")
    assert graph.cells == (0, 0, 1, 2, 2)
    assert total(SPACE.network((0,) * 8), "macs") == 7_713_280  # of the table


# ---------------------------------------------------------------------- a torch module written apart


class Block(nn.Module):
    def __init__(self, before: int, after: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = before * expansion
        self.body = nn.Sequential(
            *(nn.Conv2d(before, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()),
            nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False),
            *(nn.BatchNorm2d(wide), nn.ReLU(), nn.Conv2d(wide, after, 1, bias=False), nn.BatchNorm2d(after)),
        )
        self.residual = stride == 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x) if self.residual else self.body(x)


def torch_network(text: str, channels: int) -> nn.Sequential:
    """As the benchmark's publication describes it."""
    layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
    width = channels
    for i, block in enumerate(text):
        before, stride = width, 2 if i in (0, 2, 5) else 1
        width *= stride
        if block != "0":
            layers.append(Block(before, width, *{"1": (3, 3), "2": (5, 6)}[block], stride))
        elif stride == 2:
            layers += [nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width)]
    layers += [nn.Conv2d(width, 40 * channels, 1, bias=False), nn.BatchNorm2d(40 * channels), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40 * channels, 10))


@pytest.mark.parametrize("text", [TEXT, "11112221", "20000002"])
def test_a_network_is_read_from_torchs_export(text: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            torch_network(text, 4).eval(), (torch.zeros(1, 3, 32, 32),), str(tmp_path / "n.onnx"), dynamo=False
        )
    assert load(tmp_path / "n.onnx").key == SPACE.network(SPACE.parse(text), channels=4).key
