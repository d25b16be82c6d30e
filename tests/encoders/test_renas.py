"""ReNAS: the feature tensor by hand, cells that are larger than it, back ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archpredict.encoders.renas import ReNAS
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import batched, collate
from archpredict.graph.packed import PackedGraphs

OPS = ("input", "conv", "pool", "output")
CELL = ArchGraph(("input", "conv", "pool", "output"), ((0, 1), (0, 2), (1, 3), (2, 3)))


def test_the_tensor_is_the_adjacency_matrix_by_operator_with_the_output_last() -> None:
    tensor = ReNAS(4, size=5).tensor(collate([CELL], OPS))
    expected = np.zeros((1, 1, 4, 5, 5), dtype=np.float32)
    for op, source, target in [("conv", 0, 1), ("pool", 0, 2), ("output", 1, 4), ("output", 2, 4)]:
        expected[0, 0, OPS.index(op), source, target] = 1
    np.testing.assert_array_equal(tensor, expected)


def test_cells_are_told_apart_and_read_by_the_same_network() -> None:
    two = ArchGraph(CELL.ops * 2, (*CELL.edges, *((s + 4, t + 4) for s, t in CELL.edges)), None, (0,) * 4 + (1,) * 4)
    encoder = ReNAS(4, 2, dim=6).eval()
    tensor = encoder.tensor(collate([two], OPS))
    np.testing.assert_array_equal(tensor[:, 0], tensor[:, 1])
    z = encoder(collate([two], OPS))
    assert z.shape == (1, 12)
    torch.testing.assert_close(z[:, :6], z[:, 6:])


def test_cells_larger_than_the_matrix_count_the_edges_between_stretches_of_nodes() -> None:
    chain = ArchGraph(("conv",) * 10, tuple((i, i + 1) for i in range(9)))
    image = ReNAS(4, size=5).tensor(collate([chain], OPS))[0, 0, OPS.index("conv")]
    expected = np.eye(5) + np.eye(5, k=1)  # two nodes per stretch: one edge inside, one to the next
    np.testing.assert_array_equal(image, expected)


def test_vectors_depend_on_the_numbering_as_the_paper_has_it() -> None:
    torch.manual_seed(0)
    encoder = ReNAS(4, dim=6).eval()
    renumbered = CELL.relabel((0, 2, 1, 3))
    assert not torch.allclose(encoder(collate([renumbered], OPS)), encoder(collate([CELL], OPS)))
    assert not ReNAS.invariant


def test_back_ends_and_larger_graphs_in_the_batch_change_nothing() -> None:
    encoder = ReNAS(4, dim=6).eval()
    alone = encoder(collate([CELL], OPS))
    packed = PackedGraphs.from_graphs([CELL, ArchGraph(("conv",) * 30, ((0, 29),))], OPS)
    for backend in ("dense", "scatter"):
        torch.testing.assert_close(encoder(batched(packed, backend=backend))[:1], alone)  # type: ignore[arg-type]


def test_wrong_options_say_what_is_expected() -> None:
    with pytest.raises(UsageError, match="a number of rows of at least 2, 1 was given"):
        ReNAS(4, size=1)
    with pytest.raises(UsageError, match=r"at least 0 and below 1; 1.0 was given"):
        ReNAS(4, dropout=1.0)
