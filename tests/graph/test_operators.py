"""Rules for parameters and multiply-adds, checked against counts by hand, and the attributes of a graph."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import InvalidGraphError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import (
    COLUMNS,
    NUMBERS,
    OPERATORS,
    Operation,
    check_computational,
    computational_graph,
    count_macs,
    count_params,
    known_label,
    total,
)


def test_every_operator_is_listed_once() -> None:
    assert len(set(OPERATORS)) == len(OPERATORS)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (Operation("conv", (1, 8, 4, 4), weight=(8, 3, 5, 5)), 8 * 3 * 25),
        (Operation("conv", (1, 8, 4, 4), weight=(8, 1, 3, 3), groups=8, bias=True), 8 * 9 + 8),
        (Operation("linear", (1, 10), weight=(10, 7), bias=True), 80),
        (Operation("layer_norm", (1, 5, 7), weight=(7,), bias=True), 14),
        (Operation("rms_norm", (1, 5, 7), weight=(7,)), 7),
        (Operation("batch_norm", (1, 7, 5, 5), weight=(7,), bias=True), 14),
        (Operation("embedding", (1, 5, 7), weight=(7, 100)), 700),
        (Operation("relu", (1, 7, 5, 5)), 0),
        (Operation("add", (1, 5, 7), weight=(5, 7), params=35.0), 35),
    ],
    ids=lambda value: value.op if isinstance(value, Operation) else None,
)
def test_parameters_by_hand(operation: Operation, expected: int) -> None:
    assert count_params(operation) == expected


@pytest.mark.parametrize(
    ("operation", "arriving", "expected"),
    [
        (Operation("conv", (2, 8, 4, 5), weight=(8, 3, 3, 3)), (), 2 * 8 * 4 * 5 * 3 * 9),
        (Operation("conv", (1, 8, 4, 4), weight=(8, 1, 3, 3), groups=8), (), 8 * 16 * 9),
        (Operation("linear", (1, 5, 10), weight=(10, 7)), (), 5 * 10 * 7),
        # each of 4 * 5 places writes a 2 x 2 kernel from 6 channels to 3
        (Operation("conv_transpose", (1, 3, 8, 10), weight=(3, 6, 2, 2)), [(1, 6, 4, 5)], 20 * 6 * 3 * 4),
        (
            Operation("conv_transpose", (1, 4, 8, 8), weight=(4, 3, 2, 2), groups=2),
            [(1, 6, 4, 4)],
            16 * 2 * (3 * 2 * 4),
        ),
        (Operation("matmul", (2, 3, 5)), [(2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        # 9 tokens look at 7, 2 heads with 4 channels for keys and 3 for values
        (Operation("attention", (1, 9, 6)), [(1, 2, 9, 4), (1, 2, 7, 4), (1, 2, 7, 3)], 2 * 9 * 7 * (4 + 3)),
        (Operation("softmax", (1, 9)), [(1, 9)], 0),
        (Operation("conv", (1, 8, -1, -1), weight=(8, 3, 3, 3)), (), 0),
        (Operation("matmul", (2, 3, 5)), (), 0),
    ],
    ids=lambda value: value.op if isinstance(value, Operation) else None,
)
def test_multiply_adds_by_hand(operation: Operation, arriving, expected: int) -> None:
    assert count_macs(operation, arriving) == expected


def test_what_is_given_goes_before_the_rules() -> None:
    operation = Operation("conv", (1, 8, 4, 4), weight=(8, 3, 3, 3), params=5.0, macs=7.0)
    assert (count_params(operation), count_macs(operation)) == (5.0, 7.0)


def _graph() -> ArchGraph:
    return computational_graph(
        [
            Operation("input", (1, 3, 8, 8)),
            Operation("conv", (1, 6, 4, 4), kernel=(3, 3), stride=(2, 2), weight=(6, 3, 3, 3), bias=True),
            Operation("relu", (1, 6, 4, 4)),
            Operation("global_avg_pool", (1, 6, 1, 1)),
            Operation("linear", (1, 10), weight=(10, 6)),
            Operation("output", (1, 10)),
        ],
        [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)],
    )


def test_totals_are_sums_over_nodes() -> None:
    assert total(_graph(), "params") == 6 * 27 + 6 + 60
    assert total(_graph(), "macs") == 16 * 6 * 27 + 60


def test_every_column_has_its_width_and_zero_for_nothing() -> None:
    graph = _graph()
    assert {name: values.shape for name, values in graph.attrs.items()} == {n: (6, w) for n, w in COLUMNS.items()}
    assert graph.attrs["stride"][1].tolist() == [2, 2, 0]
    assert not graph.attrs["weight"][2].any()
    check_computational(graph)


def test_axes_of_length_one_at_the_end_do_not_count() -> None:
    assert _graph().attrs["shape"][3].tolist() == [1, 6, 0, 0, 0, 0]


def test_of_many_axes_the_first_ones_are_multiplied() -> None:
    def shape(*lengths: int) -> list[float]:
        return computational_graph([Operation("relu", lengths)], []).attrs["shape"][0].tolist()

    assert shape(2, 3, 4, 5, 6, 7, 8) == [6, 4, 5, 6, 7, 8]
    assert shape(2, -1, 4, 5, 6, 7, 8) == [-1, 4, 5, 6, 7, 8]


def test_a_graph_without_the_attributes_is_refused_by_name() -> None:
    graph = ArchGraph(("a", "b"), ((0, 1),))
    with pytest.raises(
        InvalidGraphError, match="a computational graph has the attribute 'shape' with 6 numbers per node"
    ):
        check_computational(graph)
    narrow = ArchGraph(("relu",), (), attrs={name: np.zeros((1, 1)) for name in COLUMNS})
    with pytest.raises(InvalidGraphError, match="'shape' with 6 numbers"):
        check_computational(narrow)


def test_unknown_operators_have_one_label() -> None:
    assert (known_label("conv"), known_label("unknown:acme.Bend"), known_label("bend")) == (
        "conv",
        "unknown",
        "unknown",
    )
    assert OPERATORS[NUMBERS["unknown:acme.Bend"]] == "unknown"
