"""NAS-Bench-101 against the benchmark's own hashes and parameter counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.errors import InvalidArchitectureError
from archpredict.spaces.costs.nasbench101 import vertex_channels
from archpredict.spaces.nasbench101 import OPERATORS, NASBench101, choices_from_packed, unpack
from archpredict.testing.spaces import SpaceContract

SPACE = NASBench101()
CONV3, CONV1, POOL = OPERATORS


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> NASBench101:
        return SPACE


def _arrays(path: Path) -> Mapping[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def labelled(data_folder: Path) -> Mapping[str, np.ndarray]:
    return _arrays(data_folder / "nasbench101" / "labelled_20k.npz")


@pytest.fixture(scope="module")
def whole_space(data_folder: Path) -> Mapping[str, np.ndarray]:
    return _arrays(data_folder / "nasbench101" / "space.npz")


def _choices(table: Mapping[str, np.ndarray]) -> np.ndarray:
    return choices_from_packed(table["edge_bits"], table["n_vertices"], table["ops"])


def test_every_labelled_cell_decodes_and_has_a_key_of_its_own(labelled: Mapping[str, np.ndarray]) -> None:
    graphs = [SPACE.decode(choices) for choices in _choices(labelled).tolist()]
    assert [graph.num_nodes for graph in graphs] == labelled["n_vertices"].tolist()
    assert len({graph.key for graph in graphs}) == len(graphs) == 20_001


def test_labelled_cells_have_the_official_hash_and_params(labelled: Mapping[str, np.ndarray]) -> None:
    part = slice(None, None, 4)  # the parameters of all cells of the space at once are compared below
    rows = _choices(labelled)[part].tolist()
    for choices, digest, params in zip(rows, labelled["hash"][part], labelled["params"][part], strict=True):
        assert SPACE.fingerprint(choices) == digest.tobytes().hex()
        assert SPACE.cost(choices)["params"] == params


def test_every_cell_of_the_space_is_legal_and_distinct(whole_space: Mapping[str, np.ndarray]) -> None:
    choices = _choices(whole_space)
    assert len(choices) == 423_624
    assert len(np.unique(whole_space["hash"].view("V16"))) == len(choices)
    assert len(np.unique(choices.astype(np.uint8).view("V26"))) == len(choices)
    assert all(SPACE.is_valid(choices[i : i + 50_000]).all() for i in range(0, len(choices), 50_000))
    for i in np.random.default_rng(0).choice(len(choices), 1_000, replace=False):
        assert SPACE.fingerprint(choices[i].tolist()) == whole_space["hash"][i].tobytes().hex()


def test_unpacked_matrices_agree_with_the_choices(labelled: Mapping[str, np.ndarray]) -> None:
    part = {name: values[:500] for name, values in labelled.items() if name != "epochs"}
    adjacency, labels = unpack(part["edge_bits"], part["n_vertices"], part["ops"])
    for i, choices in enumerate(_choices(part).tolist()):
        matrix, ops = SPACE.to_matrix(choices)
        n = len(ops)
        assert adjacency[i, :n, :n].tolist() == matrix
        assert not adjacency[i, n:].any()
        assert not adjacency[i, :, n:].any()
        assert [OPERATORS[label] for label in labels[i, 1 : n - 1]] == ops[1:-1]
        assert labels[i, 0] == 254
        assert labels[i, n - 1] == 253
        assert (labels[i, n:] == 255).all()


@st.composite
def raw_cells(draw: st.DrawFn) -> tuple[list[list[int]], list[str]]:
    n = draw(st.integers(2, 7))
    bits = draw(st.lists(st.booleans(), min_size=n * n, max_size=n * n))
    matrix = [[int(bits[s * n + t] and s < t) for t in range(n)] for s in range(n)]
    ops = draw(st.lists(st.sampled_from(OPERATORS), min_size=n - 2, max_size=n - 2))
    return matrix, ["input", *ops, "output"]


@given(raw_cells())
def test_a_raw_matrix_is_pruned_as_networkx_prunes_or_refused(
    cell: tuple[list[list[int]], list[str]],
) -> None:
    matrix, ops = cell
    graph = nx.from_numpy_array(np.array(matrix), create_using=nx.DiGraph)
    last = len(ops) - 1
    kept = sorted((nx.descendants(graph, 0) | {0}) & (nx.ancestors(graph, last) | {last}))
    edges = graph.subgraph(kept).number_of_edges()
    if len(kept) < 2 or edges > 9:
        with pytest.raises(InvalidArchitectureError, match=r"no path leads|allows 9"):
            SPACE.from_matrix(matrix, ops)
        return
    choices = SPACE.from_matrix(matrix, ops)
    assert SPACE.validate(choices) == choices
    small, names = SPACE.to_matrix(choices)
    assert names == [ops[v] for v in kept]
    assert small == np.array(matrix)[np.ix_(kept, kept)].tolist()
    assert SPACE.from_matrix(small, names) == choices


def test_legal_vectors_are_pruned_already_and_name_themselves() -> None:
    for choices in SPACE.sample(2_000, np.random.default_rng(3)).tolist():
        graph = SPACE.decode(choices)
        network = graph.to_networkx()
        assert graph.num_edges <= 9
        assert nx.descendants(network, 0) | {0} == set(network)
        assert nx.ancestors(network, graph.num_nodes - 1) | {graph.num_nodes - 1} == set(network)
        assert SPACE.from_matrix(*SPACE.to_matrix(choices)) == tuple(choices)


def test_half_of_the_samples_have_seven_vertices_a_quarter_six_and_so_on() -> None:
    n = 20_000
    used = SPACE.sample(n, np.random.default_rng(0))
    sizes = np.array([SPACE.decode(choices).num_nodes for choices in used.tolist()])
    shares = np.bincount(sizes, minlength=8)[2:] / n
    # Five standard deviations of a share of one half.
    np.testing.assert_allclose(shares, [1 / 32, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2], atol=2.5 / np.sqrt(n))


def test_renumbered_cells_have_one_key_and_one_fingerprint() -> None:
    ops = ["input", CONV3, POOL, "output"]
    swapped = ["input", POOL, CONV3, "output"]
    matrix = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    a, b = SPACE.from_matrix(matrix, ops), SPACE.from_matrix(matrix, swapped)
    assert a != b
    assert SPACE.fingerprint(a) == SPACE.fingerprint(b)
    assert SPACE.decode(a).key == SPACE.decode(b).key


def test_input_straight_to_output_is_legal() -> None:
    choices = SPACE.parse('{"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"]}')
    assert SPACE.decode(choices).ops == ("input", "output")
    assert sum(choices) == 1


def test_both_json_shapes_read_the_same() -> None:
    matrix, ops = [[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", CONV1, "output"]
    assert SPACE.parse(json.dumps({"matrix": matrix, "ops": ops})) == SPACE.parse(json.dumps([matrix, ops]))


def test_the_output_shares_its_channels_and_others_take_the_widest_reader() -> None:
    # 100 channels over vertices 2, 3, 4 are 34, 33, 33; vertex 1 feeds 2 and 3.
    edges = [(0, 1), (1, 2), (1, 3), (0, 4), (2, 5), (3, 5), (4, 5)]
    assert vertex_channels(6, edges, before=50, after=100) == [50, 34, 34, 33, 33, 100]


def test_macs_of_the_empty_cell_counted_by_hand() -> None:
    # The stem, then each cell is one 1x1 projection; the first of a stack doubles the channels.
    choices = SPACE.from_matrix([[0, 1], [0, 0]], ["input", "output"])
    stem = 3 * 3 * 3 * 128 * 32**2
    first = 3 * 128 * 128 * 32**2
    second = (128 * 256 + 2 * 256 * 256) * 16**2
    third = (256 * 512 + 2 * 512 * 512) * 8**2
    assert SPACE.cost(choices)["macs"] == stem + first + second + third + 512 * 10


def test_costs_of_every_cell_of_the_space_at_once_equal_the_benchmark(
    whole_space: Mapping[str, np.ndarray],
) -> None:
    choices = _choices(whole_space)
    costs = SPACE.costs(choices)
    np.testing.assert_array_equal(costs["params"], whole_space["params"])
    some = np.random.default_rng(1).choice(len(choices), 5_000, replace=False)
    assert [SPACE.cost(row)["macs"] for row in choices[some].tolist()] == costs["macs"][some].tolist()


def test_costs_at_once_agree_with_costs_one_by_one_on_cells_of_all_sizes() -> None:
    rows = SPACE.sample(4_000, np.random.default_rng(4))
    costs = SPACE.costs(rows)
    for i, row in enumerate(rows.tolist()):
        assert SPACE.cost(row) == {name: values[i] for name, values in costs.items()}


@pytest.mark.parametrize(
    ("matrix", "ops", "message"),
    [
        ([[0, 1], [0, 0]], ["input", CONV3, "output"], "a square matrix of that size"),
        ([[0] * 8] * 8, ["input", *[CONV3] * 6, "output"], "2 to 7 operators"),
        ([[0, 1], [1, 0]], ["input", "output"], "not upper triangular"),
        ([[0, 0], [0, 0]], ["input", "output"], "no path leads from the input to the output"),
        ([[0, 1], [0, 0]], ["output", "input"], "must run from 'input' to 'output'"),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "conv3x3", "output"], "Did you mean 'conv3x3-bn-relu'"),
        (np.triu(np.ones((5, 5), int), 1).tolist(), ["input", *[CONV3] * 3, "output"], "has 10 edges"),
        ([[0, 2], [0, 0]], ["input", "output"], "no matrix of 0 and 1"),
        ([[0, 1], [0, 0]], [1, 2], "no matrix of 0 and 1"),
    ],
)
def test_a_wrong_cell_says_what_is_wrong(matrix: list[list[int]], ops: list[str], message: str) -> None:
    with pytest.raises(InvalidArchitectureError, match=message):
        SPACE.parse(json.dumps([matrix, ops]))
