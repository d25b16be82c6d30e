"""Batch: what counts as architectures is decided once, where they come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archpredict.errors import DataError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import OPERATORS
from archpredict.graph.packed import PackedGraphs
from archpredict.predict.batch import Batch
from archpredict.predict.inputs import InputSpec
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.testing.toys import ToySpace

SPACE = NASBench201()
CELLS = SPACE.architectures(SPACE.sample(6, np.random.default_rng(0)))
SPEC, INPUTS = InputSpec.fit(CELLS, form="nodes", sources=["statistics", "choices"])


def array(cells: list[Any]) -> np.ndarray:
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


@pytest.mark.parametrize(
    "given",
    [
        list,
        tuple,
        array,
        deque,
        pd.Series,
        lambda cells: pd.Series(cells, index=[10, 3, 3, -1, 7, 0]),
        lambda cells: pd.Series(cells, index=list("fedcba")),
        lambda cells: pd.Series([*cells, None])[:6],
        Batch.of,
    ],
)
def test_architectures_are_taken_in_any_ordered_collection(given: Callable[[list[Any]], Any]) -> None:
    inputs = SPEC.pack(given(CELLS))
    np.testing.assert_array_equal(inputs.numbers, INPUTS.numbers)
    np.testing.assert_array_equal(inputs.graphs.op, INPUTS.graphs.op)


def lazily() -> Iterator[Any]:
    yield from CELLS


EXPECTED = (
    "a predictor takes Architecture or ArchGraph objects in a list, tuple, NumPy object array or pandas Series, or "
    "PackedGraphs; "
)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (lazily(), "generator was given"),
        (CELLS[0], "Architecture was given"),
        (CELLS[0].graph, "ArchGraph was given"),
        ("|none~0|", "str was given"),
        (set(CELLS), "set was given"),
        ({"a": CELLS[0]}, "dict was given"),
        (None, "NoneType was given"),
        (np.array(CELLS[0], dtype=object), "ndarray was given"),
        (np.zeros((3, 6), dtype=int), "there is an element of type ndarray"),
        (pd.DataFrame({"cell": CELLS}), "there is an element of type str"),
        ([*CELLS, "|none~0|"], "there is an element of type str"),
    ],
)
def test_everything_else_is_refused_in_one_sentence(given: Any, what: str) -> None:
    with pytest.raises(UsageError) as refused:
        Batch.of(given)
    assert str(refused.value) == EXPECTED + what


def test_features_are_taken_by_name_from_a_mapping_or_a_frame() -> None:
    x = np.arange(6.0)
    spec, _ = InputSpec.fit(CELLS, form="nodes", features={"x": x})
    for given in (
        {"x": x, "y": None},
        {"x": x.tolist()},
        pd.DataFrame({"x": x}, index=list("fedcba")),
        {"x": pd.Series(x)},
    ):
        np.testing.assert_array_equal(spec.pack(CELLS, given).numbers[:, 0], x)
    for wrong in (x, [x], "x", 3.0, {7: x}):
        with pytest.raises(UsageError, match="features are columns by name, one number per architecture each"):
            spec.pack(CELLS, wrong)  # type: ignore[arg-type]


def test_architectures_and_graphs_of_several_spaces_are_packed_together() -> None:
    toys = ToySpace().architectures(ToySpace().enumerate()[:2])
    bare = ArchGraph(("input", "mystery", "output"), ((0, 1), (1, 2)))
    batch = Batch.of([*CELLS[:2], toys[0], bare])
    assert batch.space is None
    assert batch.first_space is SPACE
    assert set(SPACE.operators) | set(ToySpace().operators) | {"mystery"} == set(batch.labels)
    assert batch.given_graphs == [CELLS[0].graph, CELLS[1].graph, toys[0].graph, bare]
    assert len(batch.nodes) == len(batch) == 4
    with pytest.raises(DataError, match="a test reads choices, which a bare graph does not tell; give Architecture"):
        batch.choices("a test reads choices")
    with pytest.raises(UsageError, match="of one search space, architectures of nasbench201 and toy were given"):
        Batch.of([*CELLS, *toys]).choices("a test reads choices")


def test_what_is_read_twice_is_made_once() -> None:
    batch = Batch.of(CELLS)
    assert batch.nodes is batch.nodes
    assert batch.given_graphs[0] is CELLS[0].graph
    packed = PackedGraphs.from_graphs([cell.graph.on_nodes for cell in CELLS], SPACE.operators)
    assert Batch.of(packed).nodes is packed


def test_networks_are_those_of_the_space_or_the_graphs_that_were_given() -> None:
    network = SPACE.network(CELLS[0].choices)
    batch = Batch.of([CELLS[0], network])
    assert [graph.key for graph in batch.networks("a test reads networks")] == [network.key] * 2
    assert batch.given_graphs[0] is CELLS[0].graph
    with pytest.raises(UsageError, match="a test reads networks, which packed graphs do not have"):
        Batch.of(batch.nodes).networks("a test reads networks")


def test_networks_are_made_once_and_kept_by_parts_and_by_copies_with_another_vocabulary() -> None:
    batch = Batch.of(CELLS[:3], as_networks=True)
    made = batch.given_graphs
    assert Batch.of(batch, vocabulary=OPERATORS, as_networks=True).given_graphs is made
    assert batch[1:].given_graphs[0] is made[1]
    assert [graph.key for graph in Batch.of(CELLS[:3]).networks("a test")] == [graph.key for graph in made]


def test_no_architectures_are_of_no_space_and_have_no_rows() -> None:
    nothing = Batch.of([])
    assert (len(nothing), nothing.space, nothing.cost_names, len(nothing.nodes)) == (0, None, (), 0)
    assert nothing.choices("a test reads choices").shape == (0, 0)


@pytest.mark.parametrize("index", [[3, 0], slice(1, 5, 2), np.arange(6) % 2 == 0, (np.array([5]), ...), -1])
def test_part_of_a_batch_is_that_of_its_members_and_columns(index: Any) -> None:
    batch = Batch.of(CELLS, {"x": list(range(6))})
    rows = np.atleast_1d(np.arange(6)[index])
    part = batch[index]
    assert (len(part), part.shape) == (len(rows), (len(rows),))
    assert part.given_graphs == [CELLS[i].graph for i in rows]
    assert part.features["x"].tolist() == rows.tolist()
    packed = Batch.of_packed(batch.nodes, SPACE, batch.choices("a test reads choices"))[index]
    assert np.array_equal(packed.choices("a test reads choices"), part.choices("a test reads choices"))
    assert np.array_equal(packed.nodes.op, part.nodes.op)


def test_networks_of_packed_graphs_are_made_from_their_choices() -> None:
    space = NASBench201()
    cells = space.architectures(space.sample(4, np.random.default_rng(0)))
    rows = np.array([cell.choices for cell in cells])
    packed = Batch.of_packed(Batch.of(cells).nodes, space, rows)
    assert packed.has_networks
    assert packed.networks("a test") == [space.network(row) for row in rows.tolist()]
    assert not Batch.of(packed.nodes).has_networks
    assert not Batch.of([cell.graph for cell in cells]).has_networks
