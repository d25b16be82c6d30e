"""DARTS: every notation, the published architectures, and their costs."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import get_args

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.errors import InvalidArchitectureError, UnknownNameError
from archpredict.spaces import load_space
from archpredict.spaces.costs.darts import operation_cost, skeleton_cost
from archpredict.spaces.darts import OPERATORS, PAIRS, Darts, Style, with_none
from archpredict.testing.spaces import SpaceContract

SPACE = Darts()
# The second-order cells of the publication, as its own code writes them.
DARTS_V2 = (
    "DARTS_V2 = Genotype("
    "normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
    "normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), "
    "('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], "
    "reduce_concat=[2, 3, 4, 5])"
)


class TestContract(SpaceContract):
    @pytest.fixture(params=[False, True], ids=["plain", "with_none"])
    def space(self, request: pytest.FixtureRequest) -> Darts:
        return Darts(with_none=request.param)


@pytest.fixture(scope="module")
def labelled(data_folder: Path) -> list[dict[str, str]]:
    with gzip.open(data_folder / "darts" / "nasbench301_1218.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def published(data_folder: Path, labelled: list[dict[str, str]]) -> list[str]:
    with gzip.open(data_folder / "darts" / "unlabelled_11221.json.gz", "rt") as file:
        return [row["arch"] for row in labelled] + list(json.load(file).values())


def test_published_architectures_round_trip_up_to_the_order_of_a_nodes_inputs(
    published: list[str],
) -> None:
    assert len(published) == 12_439
    for text in published[::4]:  # which takes two seconds; they are much alike
        choices = SPACE.parse(text)
        cells = json.loads(text.replace("(", "[").replace(")", "]"))
        expected = [[pair for i in range(0, 8, 2) for pair in sorted(cell[i : i + 2])] for cell in cells]
        assert json.loads(SPACE.format(choices, "compact")) == expected
        assert SPACE.parse(SPACE.format(choices)) == choices


def test_params_and_flops_equal_the_table(labelled: list[dict[str, str]]) -> None:
    for row in labelled:
        cost = SPACE.cost(SPACE.parse(row["arch"]))
        assert cost["params"] == round(float(row["params"]) * 1e6)
        assert cost["flops"] == round(float(row["flops"]) * 1e6)
        assert cost["macs"] < cost["flops"]


def test_costs_of_all_architectures_at_once_equal_the_table(labelled: list[dict[str, str]]) -> None:
    costs = SPACE.costs(np.array([SPACE.parse(row["arch"]) for row in labelled]))
    for name in ("params", "flops"):
        np.testing.assert_array_equal(costs[name], [round(float(row[name]) * 1e6) for row in labelled])


def test_costs_add_up_the_costs_of_the_operations() -> None:
    """Summed edge by edge from the text of the cells, apart from the tables."""
    space = with_none()
    rows = space.sample(300, np.random.default_rng(1))
    costs = space.costs(rows)
    for i, row in enumerate(rows.tolist()):
        total = skeleton_cost()
        for cell, pairs in enumerate(json.loads(space.format(row, "compact"))):
            for source, op in pairs:
                stride = 2 if cell == 1 and source < 2 else 1
                total += operation_cost(space.operator_names[op], cell == 1, stride)
        assert (costs["params"][i], costs["macs"][i], costs["flops"][i]) == (total.params, total.macs, total.flops)


legal = st.tuples(*(st.integers(0, n - 1) for n in SPACE.num_choices))


@given(legal, st.sampled_from(get_args(Style)))
def test_every_style_reads_back(choices: tuple[int, ...], style: Style) -> None:
    assert SPACE.parse(SPACE.format(choices, style)) == choices


@given(legal)
def test_a_decoded_graph_is_the_genotype(choices: tuple[int, ...]) -> None:
    graph = SPACE.decode(choices)
    assert graph.ops == ("input0", "input1", *["sum"] * 4, "output") * 2
    assert graph.cells == (0,) * 7 + (1,) * 7
    assert graph.edge_ops is not None
    labelled = list(zip(graph.edges, graph.edge_ops, strict=True))
    cells = json.loads(SPACE.format(choices, "compact"))
    for cell, pairs in enumerate(cells):
        expected = [((source + 7 * cell, 2 + i // 2 + 7 * cell), OPERATORS[op]) for i, (source, op) in enumerate(pairs)]
        expected += [((node + 7 * cell, 6 + 7 * cell), "data") for node in range(2, 6)]
        assert sorted(expected) == sorted(e for e in labelled if graph.cells[e[0][0]] == cell)
    assert graph.on_nodes.num_nodes == 2 * (8 + 3)
    assert nx.is_directed_acyclic_graph(graph.to_networkx())


def test_the_published_cells_read_the_same_in_every_shape() -> None:
    choices = SPACE.parse(DARTS_V2)
    assert SPACE.format(choices, "compact").startswith(
        "[[[0, 3], [1, 3], [0, 3], [1, 3], [0, 2], [1, 3], [0, 2], [2, 5]]"
    )
    shapes = [
        DARTS_V2.removeprefix("DARTS_V2 = "),
        DARTS_V2.replace("[2, 3, 4, 5]", "range(2, 6)"),
        DARTS_V2.replace("Genotype(", "genotypes.Genotype(\n    "),
        DARTS_V2.removeprefix("DARTS_V2 = Genotype(").removesuffix(")"),
        SPACE.format(choices, "triples"),
        f"Genotype({SPACE.format(choices, 'triples')})",
        f"Genotype.from_arch({SPACE.format(choices, 'triples')})",
        SPACE.format(choices, "compact").replace("[", "(").replace("]", ")"),
        _nested(choices),
    ]
    for text in shapes:
        assert SPACE.parse(text) == choices, text


def _nested(choices: tuple[int, ...]) -> str:
    """One list of two pairs for each node, as some papers print it."""
    cells = json.loads(SPACE.format(choices, "compact"))
    parts = [[[(OPERATORS[op], s) for s, op in cell[i : i + 2]] for i in range(0, 8, 2)] for cell in cells]
    concat = "[2, 3, 4, 5]"
    return f"Genotype(normal={parts[0]}, normal_concat={concat}, reduce={parts[1]}, reduce_concat={concat})"


def test_renumbering_two_nodes_that_do_not_read_each_other_keeps_the_key() -> None:
    first = [[0, 3], [1, 3], [0, 0], [1, 5], [2, 1], [3, 2], [0, 3], [4, 4]]
    second = [[0, 0], [1, 5], [0, 3], [1, 3], [3, 1], [2, 2], [0, 3], [4, 4]]
    a, b = (SPACE.from_text(json.dumps([cell, first])) for cell in (first, second))
    assert a.choices != b.choices
    assert a.key == b.key
    swapped = SPACE.from_text(json.dumps([first, second]))
    assert swapped.key == a.key
    other = SPACE.from_text(json.dumps([first, [[0, 4], *first[1:]]]))
    assert other.key != a.key


def test_normal_and_reduction_cell_are_not_interchangeable() -> None:
    one = [[0, 3], [1, 3], [0, 0], [1, 5], [2, 1], [3, 2], [0, 3], [4, 4]]
    other = [[0, 4], *one[1:]]
    assert SPACE.from_text(json.dumps([one, other])).key != SPACE.from_text(json.dumps([other, one])).key


def test_every_pair_of_earlier_nodes_can_be_chosen() -> None:
    assert [len(pairs) for pairs in PAIRS.values()] == [1, 3, 6, 10]
    assert SPACE.num_choices == (1, 7, 7, 3, 7, 7, 6, 7, 7, 10, 7, 7) * 2


def test_none_edges_and_what_they_starve_are_left_out() -> None:
    space = load_space("archpredict.spaces.darts:with_none")
    none = 7
    # Node 2 receives nothing, so neither its edge into node 3 nor its place in the output remain.
    cell = [[0, none], [1, none], [1, 3], [2, 4], [0, 2], [3, 3], [0, 1], [1, none]]
    plain = [[0, 3], [1, 3], [0, 3], [1, 3], [0, 3], [1, 3], [0, 3], [1, 3]]
    graph = space.from_text(json.dumps([cell, plain])).graph
    assert graph.ops[:6] == ("input0", "input1", "sum", "sum", "sum", "output")
    assert graph.edge_ops is not None
    assert "none" not in graph.edge_ops
    assert graph.edges[:4] == ((1, 2), (0, 3), (2, 3), (0, 4))
    everything = space.decode([0, none, none, *[0, none, none] * 3] * 2)
    assert everything.ops == ("input0", "input1", "output") * 2
    assert everything.edges == ()


def test_none_adds_no_cost() -> None:
    space = with_none()
    rng = np.random.default_rng(0)
    choices = space.sample(1, rng)[0].tolist()
    without = [7 if i % 3 else choice for i, choice in enumerate(choices)]
    base = space.cost(without)
    for place in (i for i in range(24) if i % 3):
        one = list(without)
        one[place] = 3
        assert space.cost(one)["params"] > base["params"]


def _cells(**changes: object) -> str:
    normal = [["sep_conv_3x3", 0], ["sep_conv_3x3", 1]] * 4
    parts = {"normal": normal, "normal_concat": [2, 3, 4, 5], "reduce": normal, "reduce_concat": [2, 3, 4, 5]}
    return "Genotype(" + ", ".join(f"{k}={v}" for k, v in {**parts, **changes}.items() if v is not None) + ")"


EDGES = [("sep_conv_3x3", 0), ("sep_conv_3x3", 1)] * 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_cells(normal=[("sep_conv_3", 0), *EDGES[1:]]), "Did you mean 'sep_conv_3x3'"),
        (_cells(normal=[("sep_conv_3x3", 1), *EDGES[1:]]), "node 2 of the normal cell reads node 1 twice"),
        (
            _cells(reduce=[("sep_conv_3x3", 2), *EDGES[1:]]),
            "reduction cell reads node 2; it can read nodes 0 to 1",
        ),
        (_cells(normal=[("sep_conv_3x3", -1), *EDGES[1:]]), "reads node -1; it can read nodes 0 to 1"),
        (_cells(normal=EDGES[:7]), "the normal cell has 7 edges instead of 8"),
        (_cells(normal=[("none", 0), *EDGES[1:]]), r"use Darts\(with_none=True\)"),
        (_cells(normal_concat=[2, 3, 4]), "normal_concat is"),
        (_cells(normal=None), "its normal cell is missing"),
        (_cells(cell=3), "it has a part 'cell'"),
        (_cells(normal="__import__('os').getcwd()"), "it does not parse"),
        (_cells(normal_concat="range(2, 10**9)"), "it does not parse"),
        (_cells(normal_concat="range(2, 1000000000)"), "it does not parse"),
        (_cells(normal="[('sep_conv_3x3', 0)] * 10**9"), "it does not parse"),
        (_cells(normal=[["sep_conv_3x3"], *EDGES[1:]]), "no pair of an operator and an input"),
        ("Genotype([], [])", "names its parts"),
        ("[[[0, 9], [1, 1]]]", "list of two cells"),
        (f"[{[[0, 9], [1, 1]] * 4}, {[[0, 1], [1, 1]] * 4}]", "has operator 9; operators count from 0 to 6"),
        (f"[{[[0, 7], [1, 1]] * 4}, {[[0, 1], [1, 1]] * 4}]", "operator none, which is not in this space"),
        ("normal_arch=[('skip_connect', 0, 2)],reduced_arch=[]", "has 1 edges instead of 8"),
        (
            f"normal_arch={[('skip_connect', 0, 2), ('skip_connect', 1, 2)] * 4},reduced_arch=[]",
            "node 2 of the normal cell has 8 inputs instead of two",
        ),
        ("[" * 300, "it does not parse"),
        ("1" * 10_001, "more than the limit of 10000"),
    ],
)
def test_a_wrong_text_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        SPACE.parse(text)


@given(st.text(max_size=60) | st.text("[](),0123456789=' normaleducGtyp_skivx\\", max_size=60))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    with pytest.raises(InvalidArchitectureError):
        SPACE.parse(text)


def test_an_unknown_style_lists_the_styles() -> None:
    with pytest.raises(UnknownNameError, match="compact, genotype, triples"):
        SPACE.format(SPACE.parse(DARTS_V2), "tripels")  # type: ignore[arg-type]
