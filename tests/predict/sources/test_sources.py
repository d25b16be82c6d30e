"""Every source keeps the contract, and its numbers do not depend on how nodes are numbered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import DataError, NotFittedError, UnknownNameError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.network_statistics import NAMES, network_statistics, network_statistics_of
from archpredict.graph.network_view import NetworkView
from archpredict.graph.operators import OPERATORS
from archpredict.graph.packed import PackedGraphs
from archpredict.graph.statistics import Statistics
from archpredict.predict.batch import ArchLike, Batch
from archpredict.predict.inputs import InputSpec
from archpredict.predict.presets import preset
from archpredict.predict.rank.ranking import rank
from archpredict.predict.sources.base import Source, as_sources, source_names
from archpredict.predict.sources.choices import OneHotChoices
from archpredict.predict.sources.features import FeatureColumns
from archpredict.predict.sources.network import NetworkStatistics
from archpredict.predict.sources.ordered import OrderedChoices
from archpredict.predict.sources.paths import PathEncoding
from archpredict.predict.sources.proxies import Proxies
from archpredict.predict.sources.recipe import TrainingRecipes
from archpredict.predict.sources.statistics import GraphStatistics
from archpredict.predict.sources.topology import PathStatistics
from archpredict.predict.sources.transfer import ZeroShotScores
from archpredict.spaces.base import load_space
from archpredict.testing.graphs import (
    NODE_OPS,
    arch_graphs,
    computational_graphs,
    random_computational_graph,
    relabelled,
)
from archpredict.testing.sources import SourceContract
from archpredict.testing.toys import ToySpace

CELLS = load_space("nasbench201").architectures(load_space("nasbench201").sample(8, np.random.default_rng(0)))
TWO_CELLS = load_space("darts").architectures(load_space("darts").sample(8, np.random.default_rng(0)))
SUBNETS = load_space("mobilenetv3").architectures(load_space("mobilenetv3").sample(8, np.random.default_rng(0)))
NETWORKS = [random_computational_graph(n, np.random.default_rng(n)) for n in (30, 12, 55, 2, 80)]
GIVEN: dict[str, tuple[Source, Sequence[ArchLike]]] = {
    "statistics": (GraphStatistics(), TWO_CELLS),
    "statistics of bare graphs": (GraphStatistics(), [cell.graph for cell in CELLS]),
    "choices": (OneHotChoices(), CELLS),
    "network": (NetworkStatistics(), NETWORKS),
    "network of a space": (NetworkStatistics(), CELLS),
    "paths": (PathEncoding(), TWO_CELLS),
    "paths of bare graphs": (PathEncoding(longest=20), NETWORKS),
    "topology": (PathStatistics(), NETWORKS),
    "transfer": (ZeroShotScores(), CELLS),
    "topology of a space": (PathStatistics(), CELLS),
    "ordered": (OrderedChoices(), SUBNETS),
    "proxies": (Proxies(["macs", "naswot"], dataset="digits", network={"channels": 4, "cells": 1}), CELLS),
    "proxies of networks": (Proxies(["params"]), NETWORKS),
}


class TestEverySource(SourceContract):
    @pytest.fixture(params=GIVEN)
    def given(self, request: pytest.FixtureRequest) -> tuple[Source, Sequence[ArchLike]]:
        return GIVEN[request.param]

    @pytest.fixture
    def source(self, given: tuple[Source, Sequence[ArchLike]]) -> Source:
        return given[0]

    @pytest.fixture
    def architectures(self, given: tuple[Source, Sequence[ArchLike]]) -> Sequence[ArchLike]:
        return given[1]


def test_ordered_choices_are_numbers_and_those_of_layers_that_are_not_there_are_0() -> None:
    space = SUBNETS[0].space
    batch = Batch.of([space.from_text("r160 | k3e6 k5e3 | k7e4 k3e3 k5e6 | k3e3 k3e3 | k3e3 k3e3 | k3e3 k3e3")])
    [row] = OrderedChoices().fit(batch)(batch)
    assert row[:10].tolist() == [160, 2, 3, 6, 5, 3, 0, 0, 0, 0]
    assert row[10:19].tolist() == [3, 7, 4, 3, 3, 5, 6, 0, 0]


def test_choices_without_an_order_are_one_hot_beside_those_that_have_one() -> None:
    class Widths(ToySpace):
        ordered = (None, None, None, (16.0, 32.0, 64.0), None, None)

    space = Widths()
    batch = Batch.of(space.architectures(space.enumerate()[:9]))
    source = OrderedChoices().fit(batch)
    assert source.names[8:11] == ("2=2", "choice 3", "4=0")
    rows = batch.choices("a test")
    np.testing.assert_array_equal(source(batch)[:, 9], np.array([16.0, 32.0, 64.0])[rows[:, 3]])
    np.testing.assert_array_equal(
        np.delete(source(batch), 9, axis=1), np.delete(space.one_hot(rows), [9, 10, 11], axis=1)
    )
    assert not OrderedChoices().can_read(Batch.of(CELLS))
    for change in ({"ordered": [None] * 5 + [[1.0, 2.0]]}, {"ordered": [None] * 5 + [[1.0, 2.0, float("inf")]]}):
        with pytest.raises(ValueError, match="ordered choices"):
            OrderedChoices.from_dict({**source.to_dict(), **change})


def test_every_source_there_is_is_tested() -> None:
    assert {source.name for source, _ in GIVEN.values()} | {FeatureColumns.name, TrainingRecipes.name} == set(
        source_names()
    )


# ---------------------------------------------------------------------- their numbers


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_graph_statistics_do_not_depend_on_the_numbering(data: st.DataObject) -> None:
    graphs = data.draw(st.lists(arch_graphs(max_nodes=6, cells=2), min_size=2, max_size=4))
    moved = [data.draw(relabelled(graph)) for graph in graphs]
    one, two = (Batch.of(some, vocabulary=NODE_OPS, num_cells=2) for some in (graphs, moved))
    source = GraphStatistics().fit(one)
    np.testing.assert_allclose(source(two), source(one), rtol=1e-6, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_statistics_of_networks_do_not_depend_on_the_numbering(data: st.DataObject) -> None:
    graph = data.draw(computational_graphs(max_nodes=25))
    batch = Batch.of([graph, data.draw(relabelled(graph))], vocabulary=OPERATORS)
    one, two = NetworkStatistics().fit(batch)(batch)
    np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-12)


def test_numbers_are_those_of_the_functions_and_of_the_space() -> None:
    batch, space = Batch.of(TWO_CELLS), TWO_CELLS[0].space
    rows = np.array([cell.choices for cell in TWO_CELLS])
    costs = space.costs(rows)
    statistics = Statistics.fit(batch.nodes, sorted(costs))
    np.testing.assert_array_equal(GraphStatistics().fit(batch)(batch), statistics(batch.nodes, costs).astype(float))
    np.testing.assert_array_equal(OneHotChoices().fit(batch)(batch), space.one_hot(rows))
    networks = Batch.of(NETWORKS)
    expected = np.array([network_statistics(graph) for graph in NETWORKS])
    np.testing.assert_array_equal(NetworkStatistics().fit(networks)(networks), expected)
    columns = Batch.of(CELLS, {"b": np.arange(8), "a": [0.5] * 8})
    source = FeatureColumns().fit(columns)
    assert source.names == ("b", "a")
    np.testing.assert_array_equal(source(columns), np.column_stack([np.arange(8), [0.5] * 8]))


# ---------------------------------------------------------------------- nothing is computed twice


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[ArchGraph]:
    """The graphs whose statistics were computed, in turn."""
    found: list[ArchGraph] = []

    def counted(view: NetworkView) -> Any:
        found.extend(view.graphs)
        return network_statistics_of(view)

    monkeypatch.setattr("archpredict.predict.network_numbers.network_statistics_of", counted)
    monkeypatch.setattr("archpredict.predict.network_numbers._of_graphs", WeakKeyDictionary())  # nothing is known yet
    return found


def test_ranking_ten_networks_computes_ten_statistics(computed: list[ArchGraph]) -> None:
    models = [random_computational_graph(n, np.random.default_rng(n)) for n in range(20, 30)]
    ranking = rank(models, "imagenet", device="cpu")
    assert len(ranking) == len(computed) == 10


def test_fitting_and_predicting_compute_statistics_once_for_each_network(computed: list[ArchGraph]) -> None:
    predictor = preset("ranker").make().fit(NETWORKS, range(len(NETWORKS)))
    assert len(computed) == len(NETWORKS)
    inputs = predictor.pack(NETWORKS[:2])
    predictor.predict(inputs)
    predictor.predict_std(inputs)
    predictor.novelty(inputs)
    assert len(computed) == len(NETWORKS)


# ---------------------------------------------------------------------- what was saved before


def test_inputs_saved_before_sources_were_a_list_read_the_same_numbers() -> None:
    x = {"x": np.arange(8.0)}
    spec, inputs = InputSpec.fit(CELLS, form="nodes", sources=["statistics", "choices"], features=x)
    new = spec.to_dict()
    statistics, choices, _ = new["sources"]
    former = {
        **{name: new[name] for name in ("form", "vocabulary", "num_cells", "space", "location", "scale")},
        "num_choices": choices["num_choices"],
        "statistics": statistics["statistics"],
        "one_hot": True,
        "costs": statistics["statistics"]["costs"],
        "features": ["x"],
    }
    again = InputSpec.from_dict(json.loads(json.dumps(former)))
    np.testing.assert_array_equal(again.side(again.pack(CELLS, x)), spec.side(inputs))
    assert again.to_dict() == new
    with pytest.raises(ValueError, match="its statistics are of other costs"):
        InputSpec.from_dict({**former, "costs": []})
    networks, its = InputSpec.fit(NETWORKS, form="network", sources=["network"])
    new = networks.to_dict()
    former = {**new, "statistics": None, "one_hot": False, "costs": [], "features": [], "network": list(NAMES)}
    del former["sources"]
    again = InputSpec.from_dict(json.loads(json.dumps(former)))
    np.testing.assert_array_equal(again.side(again.pack(NETWORKS)), networks.side(its))
    assert again.to_dict() == new


# ---------------------------------------------------------------------- names and refusals


def test_sources_are_given_by_name_class_or_object() -> None:
    proxies = Proxies(["macs"])
    found = as_sources(["statistics", OneHotChoices, proxies])
    assert found == (GraphStatistics(), OneHotChoices(), proxies)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("statistics", UsageError, r"sources are a sequence of names or Source objects; write \('statistics',\)"),
        (["statistics", GraphStatistics], UsageError, "the source 'statistics' is given 2 times; give each once"),
        (
            ["tea"],
            UnknownNameError,
            "unknown source 'tea'; choose from: choices, features, network, ordered, paths, prox",
        ),
        ([7], UsageError, "a source is a name, a Source or its class; 7 was given"),
        ([int], UsageError, "a source is a name, a Source or its class; <class 'int'> was given"),
        (["proxies"], UsageError, r'takes names, as in Proxies\(\["synflow"\]\)'),
    ],
)
def test_what_is_no_source_is_refused(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        as_sources(given)


def test_statistics_that_are_not_fitted_say_so() -> None:
    with pytest.raises(NotFittedError, match=r"has not been fitted; call fit\(batch\) first"):
        GraphStatistics()(Batch.of(CELLS))


def test_a_cost_that_the_space_no_longer_computes_is_named() -> None:
    class Cheap(type(CELLS[0].space)):  # type: ignore[misc]
        def costs(self, choices: Any) -> Any:
            return {}

    fitted = GraphStatistics().fit(Batch.of(CELLS))
    cheap = Cheap().architectures(np.array([cell.choices for cell in CELLS]))
    with pytest.raises(DataError, match=r"reads the costs flops, .* of which the space nasbench201 does not compute"):
        fitted(Batch.of(cheap))


def test_packed_graphs_with_their_choices_are_read_like_the_architectures() -> None:
    space, rows = CELLS[0].space, np.array([cell.choices for cell in CELLS])
    spec, inputs = InputSpec.fit(CELLS, form="nodes", sources=["statistics", "choices"])
    packed = PackedGraphs.from_graphs([cell.graph.on_nodes for cell in CELLS], spec.vocabulary)
    batch = Batch.of_packed(packed, space, rows)
    np.testing.assert_array_equal(spec.pack(batch).numbers, inputs.numbers)
    again, its = InputSpec.fit(batch, form="choices", sources=["statistics", "choices"])
    np.testing.assert_array_equal(its.numbers, inputs.numbers)
    assert again.space == "nasbench201"
    with pytest.raises(UsageError, match=r"have the shape \(8, 6\), \(7, 6\) was given"):
        Batch.of_packed(packed, space, rows[1:])


def test_an_operator_of_its_own_stays_where_there_is_no_unknown_one() -> None:
    graph = ArchGraph(("mish", "output"), ((0, 1),))
    assert Batch.of([graph]).graphs("a test reads graphs")[0] is graph
