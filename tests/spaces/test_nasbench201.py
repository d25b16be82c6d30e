"""NAS-Bench-201 against the published table and an independent isomorphism test."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from functools import cache
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from archpredict.errors import InvalidArchitectureError
from archpredict.spaces.nasbench201 import EDGES, OPERATORS, NASBench201
from archpredict.testing.spaces import SpaceContract

SPACE = NASBench201()


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> NASBench201:
        return SPACE


@pytest.fixture(scope="module")
def table(data_folder: Path) -> list[dict[str, str]]:
    with gzip.open(data_folder / "nasbench201" / "nasbench201.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


def test_all_arch_strings_of_the_benchmark_round_trip(table: list[dict[str, str]]) -> None:
    found = {SPACE.parse(row["arch_str"]) for row in table}
    assert len(found) == len(table) == 15_625
    assert all(SPACE.format(SPACE.parse(row["arch_str"])) == row["arch_str"] for row in table)


def test_params_and_flops_equal_the_table(table: list[dict[str, str]]) -> None:
    for row in table:
        cost = SPACE.cost(SPACE.parse(row["arch_str"]))
        assert cost["params"] == round(float(row["params_M"]) * 1e6)
        assert cost["flops"] == round(float(row["flops_M"]) * 1e6)
        assert cost["macs"] < cost["flops"]


def test_costs_of_all_cells_at_once_equal_the_table(table: list[dict[str, str]]) -> None:
    costs = SPACE.costs(np.array([SPACE.parse(row["arch_str"]) for row in table]))
    for column, name in (("params_M", "params"), ("flops_M", "flops")):
        np.testing.assert_array_equal(costs[name], [round(float(row[column]) * 1e6) for row in table])


def test_the_published_expression_equals_the_table_and_has_6466_values(table: list[dict[str, str]]) -> None:
    assert all(SPACE.expression(SPACE.parse(row["arch_str"])) == row["unique_str"] for row in table)
    assert len({row["unique_str"] for row in table}) == 6_466


def test_keys_tell_exactly_the_8765_classes_of_isomorphic_pruned_graphs() -> None:
    by_key: dict[str, set[frozenset[tuple[int, int, str]]]] = defaultdict(set)
    classes, on_nodes = set(), set()
    for choices in SPACE.enumerate().tolist():
        canonical = _canonical(choices)
        classes.add(canonical)
        graph = SPACE.decode(choices)
        by_key[graph.key].add(canonical)
        on_nodes.add(graph.on_nodes.key)
    assert len(on_nodes) == len(by_key) == len(classes) == 8_765
    assert all(len(forms) == 1 for forms in by_key.values())


def _canonical(choices: list[int]) -> frozenset[tuple[int, int, str]]:
    """Written apart from the library: networkx prunes, and the two inner nodes are tried in both orders."""
    kept = _kept(tuple(edge for edge, choice in zip(EDGES, choices, strict=True) if choice != 0))
    edges = [(s, t, OPERATORS[c]) for (s, t), c in zip(EDGES, choices, strict=True) if c != 0 and {s, t} <= kept]
    swap = {0: 0, 1: 2, 2: 1, 3: 3}
    swapped = [(swap[s], swap[t], op) for s, t, op in edges]
    return frozenset(min(sorted(edges), sorted(swapped)))


@cache
def _kept(edges: tuple[tuple[int, int], ...]) -> set[int]:
    graph = nx.DiGraph(edges)
    graph.add_nodes_from(range(4))
    return (nx.descendants(graph, 0) | {0}) & (nx.ancestors(graph, 3) | {3})


def test_none_and_what_leads_nowhere_is_pruned() -> None:
    text = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|skip_connect~1|none~2|"
    graph = SPACE.from_text(text).graph
    assert graph.ops == ("input", "sum", "output")
    assert graph.edges == ((0, 1), (1, 2))
    assert graph.edge_ops == ("nor_conv_3x3", "skip_connect")


def test_a_cell_in_which_nothing_arrives_keeps_input_and_output() -> None:
    graph = SPACE.decode((2, 0, 0, 0, 0, 3))
    assert graph.ops == ("input", "output")
    assert graph.edges == ()


def test_the_best_known_costs_of_the_cell_of_3x3_convolutions() -> None:
    # 1.53 M parameters and 220.12 M multiply-adds are what the publication reports for it.
    cost = SPACE.cost((3,) * 6)
    assert cost["params"] == 1_531_546
    assert cost["macs"] == 220_119_680


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("|nor_conv_3x3~0|+|none~0|none~1|", "not laid out like an arch string"),
        ("|conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|", "Did you mean 'nor_conv_3x3'"),
        ("|none~0|+|none~1|none~0|+|none~0|none~1|none~2|", "node 2 reads node 1 where node 0 is due"),
        ("|" * 12_000, "it has 12000 characters"),
    ],
)
def test_a_wrong_text_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        SPACE.parse(text)
