"""What a slice takes: its first place on each axis, however the exporter wrote it."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.graph.arch_graph import ArchGraph


def _starts(graph: ArchGraph) -> list[list[int]]:
    return [graph.attrs["start"][i, :4].astype(int).tolist() for i, op in enumerate(graph.ops) if op == "slice"]


def _ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "expected"),
    [
        ([1], [3], [1], [0, 1, 0, 0]),
        ([2, 1], [8, 8], [2, 3], [0, 0, 2, 1]),
        ([-2], [100], [2], [0, 0, 6, 0]),
        ([1], [3], [-3], [0, 1, 0, 0]),
        ([0], [-1], [3], [0, 0, 0, 0]),
    ],
)
def test_a_slice_knows_its_first_place_on_each_axis(writer, starts, ends, axes, expected) -> None:
    w = writer(x=(1, 3, 8, 8))
    graph = w.graph(w("Slice", "x", _ints(*starts), _ints(*ends), _ints(*axes)))
    assert _starts(graph) == [expected]


def test_a_slice_with_steps_does_not_tell_its_places(writer) -> None:
    w = writer(x=(1, 3, 8, 8))
    graph = w.graph(w("Slice", "x", _ints(1), _ints(8), _ints(2), _ints(2)))
    assert _starts(graph) == [[-1, 0, 0, 0]]


def test_the_parts_of_a_split_follow_each_other(writer) -> None:
    w = writer(x=(1, 4, 8, 8))
    first, second = w("Split", "x", _ints(1, 3), outputs=2, axis=1)
    graph = w.graph(w("Concat", w("Relu", first), w("Sigmoid", second), axis=1))
    assert sorted(_starts(graph)) == [[0, 0, 0, 0], [0, 1, 0, 0]]


@pytest.mark.parametrize(("index", "place"), [(2, 2), (-1, 7)])
def test_one_place_that_is_gathered_is_a_slice_from_there(writer, index: int, place: int) -> None:
    w = writer(x=(1, 3, 8, 8))
    graph = w.graph(w("Gather", "x", np.array(index, dtype=np.int64), axis=2))
    assert _starts(graph) == [[0, 0, place, 0]]


@pytest.mark.parametrize("counts", [0, 1])
def test_an_average_pool_says_whether_padding_counts(writer, counts: int) -> None:
    w = writer(x=(1, 3, 8, 8))
    graph = w.graph(w("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=counts))
    assert graph.attrs["counts_padding"][graph.ops.index("avg_pool"), 0] == counts


def test_without_padding_there_is_none_to_count(writer) -> None:
    w = writer(x=(1, 3, 8, 8))
    graph = w.graph(w("AveragePool", "x", kernel_shape=[2, 2], count_include_pad=1))
    assert graph.attrs["counts_padding"].sum() == 0
