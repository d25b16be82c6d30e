"""Statistics of the networks of architectures are computed once in a process, and are those of each network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import network_statistics, network_statistics_of
from archpredict.graph.network_view import NetworkView
from archpredict.graph.operators import OPERATORS
from archpredict.graph.packed import PackedGraphs
from archpredict.graph.path_statistics import path_statistics
from archpredict.predict import network_numbers as module
from archpredict.predict.batch import Batch
from archpredict.predict.network_numbers import network_numbers
from archpredict.spaces import Architecture, load_space
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.testing.graphs import random_computational_graph

SPACE = load_space("nasbench201")
NETWORKS = [random_computational_graph(n, np.random.default_rng(n)) for n in (30, 12, 55)]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[ArchGraph]:
    """The networks whose statistics were computed, in turn; nothing is known before."""
    found: list[ArchGraph] = []

    def counted(view: NetworkView) -> Any:
        found.extend(view.graphs)
        return network_statistics_of(view)

    monkeypatch.setattr(module, "network_statistics_of", counted)
    monkeypatch.setattr(module, "_of_choices", type(module._of_choices)())
    monkeypatch.setattr(module, "_of_graphs", type(module._of_graphs)())
    return found


def cells(*rows: Sequence[int]) -> list[Architecture]:
    return SPACE.architectures(np.array(rows))


def read(members: Any) -> np.ndarray:
    return np.hstack(network_numbers(Batch.of(members), "a test reads networks"))


def test_they_are_those_of_each_network(computed: list[ArchGraph]) -> None:
    members = [*SPACE.architectures(SPACE.sample(4, np.random.default_rng(0))), *NETWORKS]
    networks = [*(SPACE.network(cell.choices) for cell in members[:4]), *NETWORKS]
    expected = [np.append(network_statistics(graph), path_statistics(graph)) for graph in networks]
    np.testing.assert_allclose(read(members), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(read(members[::-1]), expected[::-1], rtol=1e-12, atol=1e-12)
    assert len(computed) == 7


def test_architectures_of_one_network_are_computed_once(computed: list[ArchGraph]) -> None:
    found = read(cells([3, 0, 1, 0, 2, 0], [3, 0, 0, 0, 2, 0]))
    assert len(computed) == 1
    np.testing.assert_array_equal(found[0], found[1])


def test_the_same_architecture_is_computed_once_whoever_holds_it(computed: list[ArchGraph]) -> None:
    a, b = (3, 0, 0, 1, 0, 3), (3,) * 6
    first = read(cells(a, b, a))
    assert len(computed) == 2
    other = NASBench201().architectures(np.array([b, a]))
    np.testing.assert_array_equal(read(other), first[[1, 0]])
    same = ArchGraph.from_json(NETWORKS[0].to_json())
    np.testing.assert_array_equal(read([NETWORKS[0]]), read([same]))
    assert len(computed) == 3


def test_both_sources_of_a_batch_share_one_pass_even_over_more_than_is_kept(
    computed: list[ArchGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_ROWS", 2)
    batch = Batch.of(SPACE.architectures(SPACE.sample(6, np.random.default_rng(1))))
    network_numbers(batch, "a test reads networks")
    network_numbers(batch, "a test reads networks")
    assert len(computed) == 6
    assert len(module._of_choices) == 2


def test_a_few_nodes_at_a_time_give_the_same(computed: list[ArchGraph], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = SPACE.sample(5, np.random.default_rng(2))
    at_once = read(SPACE.architectures(rows))
    module._of_choices.clear()
    monkeypatch.setattr(module, "_MOST_NODES", 1)
    np.testing.assert_allclose(read(SPACE.architectures(rows)), at_once, rtol=1e-12, atol=1e-12)


def test_packed_graphs_whose_choices_are_known_have_networks() -> None:
    some = SPACE.architectures(SPACE.sample(3, np.random.default_rng(3)))
    packed = PackedGraphs.from_graphs([cell.graph.on_nodes for cell in some], SPACE.operators)
    batch = Batch.of_packed(packed, SPACE, np.array([cell.choices for cell in some]))
    np.testing.assert_array_equal(np.hstack(network_numbers(batch, "a test reads networks")), read(some))


def test_an_operator_that_a_vocabulary_lacks_is_an_unknown_one(computed: list[ArchGraph]) -> None:
    """What was fitted before an operator had a name reads other numbers, which are kept apart."""
    older = tuple(op for op in OPERATORS if op != "avg_pool")
    pools = SPACE.architecture((4,) * 6)
    now = np.hstack(network_numbers(Batch.of([pools], vocabulary=OPERATORS), "a test reads networks"))
    then = np.hstack(network_numbers(Batch.of([pools], vocabulary=older), "a test reads networks"))
    assert not np.array_equal(now, then)
    assert [graph.ops.count("unknown:avg_pool") > 0 for graph in computed] == [False, True]
