"""ENAS with six layers: the published file, and what its numbers mean."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.errors import InvalidArchitectureError
from archpredict.spaces import load_space
from archpredict.spaces.enas import ENAS, OPERATORS
from archpredict.testing.spaces import SpaceContract

SPACE = ENAS()
legal = st.tuples(*(st.integers(0, n - 1) for n in SPACE.num_choices))


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> ENAS:
        return SPACE


@pytest.fixture(scope="module")
def published(data_folder: Path) -> list[str]:
    with gzip.open(data_folder / "enas" / "final_structures6.txt.gz", "rt") as file:
        return [line.rpartition(",")[0] for line in file]


def test_all_published_cells_round_trip(published: list[str]) -> None:
    assert len(published) == 20_020
    assert all(SPACE.format(SPACE.parse(text)) == text for text in published)


def test_keys_tell_the_published_cells_apart(published: list[str]) -> None:
    some = published[::20]
    assert len({SPACE.from_text(text).key for text in some}) == len(set(some))


def test_the_space_loads_by_name_and_has_as_many_vectors_as_its_docstring_says() -> None:
    assert isinstance(load_space("enas"), ENAS)
    assert SPACE.num_vectors == 6**6 * 2**15 == 1_528_823_808
    assert "1,528,823,808" in (ENAS.__doc__ or "")


@given(legal, legal)
def test_different_vectors_are_different_architectures(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    assert (SPACE.decode(a).key == SPACE.decode(b).key) == (a == b)


@given(legal)
def test_the_edges_without_their_operators_are_those_that_d_vae_draws(choices: tuple[int, ...]) -> None:
    """Node 0 is the input; layer i reads node i, and node j where its bit j is set (written apart from the library)."""
    expected = []
    for layer, (op, *bits) in enumerate(json.loads(SPACE.format(choices))):
        expected.append((layer, layer + 1, OPERATORS[op]))
        expected += [(node, layer + 1, "data") for node, bit in enumerate(bits) if bit]
    graph = SPACE.decode(choices)
    assert graph.edge_ops is not None
    assert [(s, t, op) for (s, t), op in zip(graph.edges, graph.edge_ops, strict=True)] == expected
    assert graph.ops == ("input", "sum", "sum", "sum", "sum", "sum", "output")
    assert nx.dag_longest_path_length(nx.DiGraph(graph.edges)) == 6


def test_a_skip_joins_what_a_layer_gives_and_is_no_input_of_its_operator() -> None:
    # Layer 2 pools what layer 1 gives, and adds the stem and what layer 0 gives.
    text = "[[0], [1, 0], [5, 1, 1], [2, 0, 0, 0], [3, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0]]"
    graph = SPACE.from_text(text).graph.on_nodes
    assert graph.ops == ("input", *(OPERATORS[op] for op in (0, 1, 5, 2, 3, 4)), "output")
    chain = [(i, i + 1) for i in range(7)]
    assert sorted(graph.edges) == sorted([*chain, (0, 4), (1, 4)])


def test_the_numbers_alone_read_as_the_list_does() -> None:
    # The form in which the scripts of ENAS take an architecture.
    flat = "4\n0 0\n4 1 0\n1 1 1 0\n5 1 0 0 0\n5 1 1 0 1 0\n"
    nested = "[[4], [0, 0], [4, 1, 0], [1, 1, 1, 0], [5, 1, 0, 0, 0], [5, 1, 1, 0, 1, 0]]"
    assert SPACE.parse(flat) == SPACE.parse(nested)
    assert SPACE.format(SPACE.parse(flat)) == nested


def test_mutants_of_one_cell_reach_every_operator_and_bit() -> None:
    rng = np.random.default_rng(0)
    parent = np.zeros((2_000, SPACE.num_decisions), dtype=np.int64)
    children = SPACE.mutate(parent, rng)
    seen = {(int(i), int(children[row, i])) for row, i in zip(*np.nonzero(children), strict=True)}
    assert len(seen) == sum(SPACE.num_choices) - SPACE.num_decisions


ROWS = ["[0]", "[0, 0]", "[0, 0, 0]", "[0, 0, 0, 0]", "[0, 0, 0, 0, 0]", "[0, 0, 0, 0, 0, 0]"]


def _with(layer: int, text: str) -> str:
    return f"[{', '.join([*ROWS[:layer], text, *ROWS[layer + 1 :]])}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_with(1, "[6, 0]"), "layer 1 has operator 6; expected .* op from 0 to 5"),
        (_with(1, "[-1, 0]"), "layer 1 has operator -1"),
        (_with(2, "[1, 0, 2]"), r"layer 2 has the bits \[0, 2\], which are not all 0 or 1"),
        (_with(2, "[1, 0]"), r"layer 2 is \[1, 0\], not an operator and 2 bits"),
        (_with(0, "[true]"), r"layer 0 is \[True\], not an operator and 0 bits"),
        (_with(0, '["conv_3x3"]'), "not an operator and 0 bits"),
        (_with(5, "3"), "it is not a list of layers"),
        (f"[{', '.join(ROWS[:5])}]", "it has 5 layers"),
        ("1 2 3", "it has 3 numbers instead of 21"),
        (" ".join(["7", *["0"] * 20]), "choice 0 of the space enas is 0 to 5, 7 was given"),
        ("Genotype(normal=[], reduce=[])", "genotypes of two cells are in the space enas-micro"),
        ("1 " * 6000, "it has 12000 characters"),
        ("1 " * 600, "it has 600 numbers instead of 21"),
        ("[" * 900, "it does not parse"),
        ("9" * 900, "it does not parse"),
    ],
)
def test_a_wrong_text_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        SPACE.parse(text)
