"""ENAS with two cells: parallel edges, loose ends, and every notation."""

from __future__ import annotations

import ast
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.errors import InvalidArchitectureError
from archpredict.spaces import load_space
from archpredict.spaces.enas_micro import OPERATORS, ENASMicro
from archpredict.testing.spaces import SpaceContract

SPACE, ALL_NODES = ENASMicro(), ENASMicro(all_nodes=True)
legal = st.tuples(*(st.integers(0, n - 1) for n in SPACE.num_choices))
# The cells that ENAS's own script for the final training gives: input, operator, input, operator for each node.
PUBLISHED = "0 2 0 0 0 4 0 1 0 4 1 1 1 0 0 1 0 2 1 1 1 0 1 0 0 3 0 2 1 1 3 1 1 0 0 4 0 3 1 1"


class TestContract(SpaceContract):
    @pytest.fixture(params=[False, True], ids=["loose ends", "all nodes"])
    def space(self, request: pytest.FixtureRequest) -> ENASMicro:
        return ENASMicro(all_nodes=request.param)


def test_both_kinds_of_output_load_by_reference() -> None:
    assert repr(load_space("enas-micro")) == "ENASMicro(all_nodes=False)"
    assert repr(load_space("archpredict.spaces.enas_micro:all_nodes")) == "ENASMicro(all_nodes=True)"
    assert SPACE.num_vectors == 5**20 * 720**4


def test_the_published_cells_are_read_number_by_number() -> None:
    choices = SPACE.parse(PUBLISHED)
    assert choices == tuple(int(n) for n in PUBLISHED.split())
    assert SPACE.format(choices) == (
        "Genotype(normal=[('avg_pool_3x3', 0), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_5x5', 0), "
        "('skip_connect', 0), ('sep_conv_5x5', 1), ('sep_conv_3x3', 1), ('sep_conv_5x5', 0), ('avg_pool_3x3', 0), "
        "('sep_conv_5x5', 1)], normal_concat=[2, 3, 4, 5, 6], reduce=[('sep_conv_3x3', 1), ('sep_conv_3x3', 1), "
        "('max_pool_3x3', 0), ('avg_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_5x5', 3), ('sep_conv_3x3', 1), "
        "('skip_connect', 0), ('max_pool_3x3', 0), ('sep_conv_5x5', 1)], reduce_concat=[2, 4, 5, 6])"
    )


def test_a_node_that_reads_one_node_twice_has_two_edges_side_by_side() -> None:
    graph = SPACE.from_text(PUBLISHED).graph
    assert graph.edge_ops is not None
    labelled = list(zip(graph.edges, graph.edge_ops, strict=True))
    assert labelled[:2] == [((0, 2), "avg_pool_3x3"), ((0, 2), "sep_conv_3x3")]
    assert labelled.count(((9, 10), "sep_conv_3x3")) == 2  # node 2 of the reduction cell: the same operator twice


@given(legal, st.booleans())
def test_a_decoded_graph_is_the_genotype(choices: tuple[int, ...], all_nodes: bool) -> None:
    space = ENASMicro(all_nodes)
    graph = space.decode(choices)
    assert graph.ops == ("input0", "input1", *["sum"] * 5, "output") * 2
    assert graph.cells == (0,) * 8 + (1,) * 8
    assert graph.edge_ops is not None
    labelled = list(zip(graph.edges, graph.edge_ops, strict=True))
    call = ast.parse(space.format(choices), mode="eval").body
    assert isinstance(call, ast.Call)
    parts = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    for cell, name in enumerate(("normal", "reduce")):
        pairs, joined = parts[name], parts[f"{name}_concat"]
        expected = [((source + 8 * cell, 2 + i // 2 + 8 * cell), op) for i, (op, source) in enumerate(pairs)]
        expected += [((node + 8 * cell, 7 + 8 * cell), "data") for node in joined]
        assert expected == [edge for edge in labelled if graph.cells[edge[0][0]] == cell]
        loose = sorted(set(range(7)) - {source for _, source in pairs})
        assert joined == ([2, 3, 4, 5, 6] if all_nodes else loose)


@given(legal)
def test_everything_reaches_an_output_and_is_read_once_or_more(choices: tuple[int, ...]) -> None:
    graph = SPACE.decode(choices)
    assert {source for source, _ in graph.edges} == set(range(16)) - {7, 15}
    assert {target for _, target in graph.edges} == set(range(16)) - {0, 1, 8, 9}


@given(legal, st.integers(0, 9))
def test_the_order_of_a_nodes_two_pairs_does_not_change_the_key(choices: tuple[int, ...], node: int) -> None:
    start = 4 * node
    a, b = choices[start : start + 2], choices[start + 2 : start + 4]
    swapped = (*choices[:start], *b, *a, *choices[start + 4 :])
    assert SPACE.decode(swapped).key == SPACE.decode(choices).key
    assert SPACE.decode(swapped).is_isomorphic(SPACE.decode(choices))


def test_two_parallel_edges_are_not_two_edges_from_alike_nodes() -> None:
    # Nodes 2 and 3 compute the same; node 4 reads node 2 twice, or each of them once.
    twice = "0 0 1 0  0 0 1 0  2 1 2 1  0 0 1 0  0 0 1 0 "
    each = "0 0 1 0  0 0 1 0  2 1 3 1  0 0 1 0  0 0 1 0 "
    assert ALL_NODES.from_text(2 * twice).key != ALL_NODES.from_text(2 * each).key


@given(legal)
def test_every_notation_reads_back(choices: tuple[int, ...]) -> None:
    cells = [[choices[i : i + 2] for i in range(start, start + 20, 2)] for start in (0, 20)]
    triples = [[(OPERATORS[op], s, 2 + i // 2) for i, (s, op) in enumerate(cell)] for cell in cells]
    nested = [[[(op, s) for op, s, _ in cell[i : i + 2]] for i in range(0, 10, 2)] for cell in triples]
    shapes = [
        SPACE.format(choices),
        json.dumps(cells),
        " ".join(map(str, choices)),
        f"CNNGenotype(normal_0={tuple(triples[0])}, reduce_1={tuple(triples[1])})",
        f"normal={nested[0]}, reduce={nested[1]}",
    ]
    for text in shapes:
        assert SPACE.parse(text) == choices, text
    everything = tuple(range(2, 7))
    genotype = f"{shapes[3][:-1]}, normal_0_concat={everything}, reduce_1_concat={everything})"
    assert ALL_NODES.parse(genotype) == choices


def test_sampled_nodes_read_every_earlier_node_equally_often() -> None:
    n = 20_000
    rows = SPACE.sample(n, np.random.default_rng(0))
    for node in range(2, 7):
        shares = np.bincount(rows[:, 4 * (node - 2)], minlength=node) / n
        np.testing.assert_allclose(shares, 1 / node, atol=2.5 / np.sqrt(n))  # five standard deviations


PAIRS = [("sep_conv_3x3", 0), ("sep_conv_3x3", 1)] * 5


def _cells(**changes: object) -> str:
    parts = {"normal": PAIRS, "reduce": PAIRS, **changes}
    return "Genotype(" + ", ".join(f"{k}={v}" for k, v in parts.items()) + ")"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_cells(normal=[("sep_conv_3", 0), *PAIRS[1:]]), "node 2 of the normal cell has an unknown operator"),
        (_cells(reduce=[("sep_conv_3x3", 2), *PAIRS[1:]]), "reduction cell reads node 2; it can read nodes 0 to 1"),
        (_cells(normal=PAIRS[:8]), "the normal cell has 8 edges instead of 10, two for each node 2 to 6"),
        (_cells(normal=[("none", 0), *PAIRS[1:]]), "unknown operator 'none'; choose from: .*skip_connect"),
        (
            _cells(normal_concat=[2, 3, 4, 5]),
            r"output of the normal cell concatenates \[2, 3, 4, 5\], and in this space \[2, 3, 4, 5, 6\]",
        ),
        (
            _cells(reduce=[*PAIRS[:9], ("sep_conv_3x3", 5)], reduce_concat=[2, 3, 4, 5, 6]),
            r"reduction cell .*in this space \[2, 3, 4, 6\].*use ENASMicro\(all_nodes=True\)",
        ),
        (_cells(normal_concat=["a"]), r"normal_concat is \['a'\], which is no list of nodes"),
        (_cells(normal_concat=3), "normal_concat is 3, which is no list of nodes"),
        ("[[[0, 9], [1, 1]]]", "list of two cells"),
        (f"[{[[0, 5], [1, 1]] * 5}, {[[0, 1], [1, 1]] * 5}]", "has operator 5; operators count from 0 to 4"),
        ("0 " * 39, "takes 40 choices, 39 were given"),
        (PUBLISHED[:-1] + "5", "choice 39 of the space enas-micro is 0 to 4, 5 was given"),
        ("9" * 5_000, "it does not parse|list of two cells"),
        ("1 " * 6_000, "more than the limit of 10000"),
    ],
)
def test_a_wrong_text_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        SPACE.parse(text)


def test_a_genotype_of_loose_ends_is_refused_where_all_nodes_are_joined() -> None:
    text = SPACE.format(SPACE.parse(PUBLISHED))
    with pytest.raises(InvalidArchitectureError, match="leave the argument all_nodes out"):
        ALL_NODES.parse(text)


@given(st.text(max_size=60) | st.text("[](),0123456789=' normaleducGtyp_skivx\\", max_size=60))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    with pytest.raises(InvalidArchitectureError):
        SPACE.parse(text)
