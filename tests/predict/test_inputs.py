"""InputSpec: what predictors read of architectures, fixed, standardised, saved and refused where it does not fit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from archpredict._typing import FloatArray
from archpredict.errors import DataError, InvalidGraphError, UnknownNameError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import batched
from archpredict.graph.network_statistics import NAMES as NETWORK_NAMES
from archpredict.graph.network_statistics import network_statistics
from archpredict.graph.node_features import node_features
from archpredict.graph.operators import OPERATORS, known_label
from archpredict.graph.packed import PackedGraphs
from archpredict.graph.statistics import Statistics
from archpredict.predict.batch import ArchLike, Batch
from archpredict.predict.inputs import Inputs, InputSpec
from archpredict.predict.sources.base import Source
from archpredict.predict.sources.statistics import GraphStatistics
from archpredict.spaces.base import Architecture
from archpredict.spaces.nasbench101 import NASBench101
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.testing.graphs import random_computational_graph
from archpredict.testing.toys import ToySpace

SPACE = NASBench201()
CELLS = SPACE.architectures(SPACE.sample(40, np.random.default_rng(0)))
ROWS = np.array([cell.choices for cell in CELLS])
CHAIN = ArchGraph(("input", "conv", "output"), ((0, 1), (1, 2)))


def numbers(spec: InputSpec, inputs: Inputs) -> npt.NDArray[np.float32]:
    side = spec.side(inputs)
    assert side is not None
    return side


def same(one: Inputs, two: Inputs) -> None:
    for form in ("graphs", "nodes"):
        for name in ("op", "cell", "node_start", "source", "target", "edge_op", "edge_start"):
            np.testing.assert_array_equal(getattr(getattr(one, form), name), getattr(getattr(two, form), name))
    np.testing.assert_array_equal(one.numbers, two.numbers)


# ---------------------------------------------------------------------- graphs and choices


def test_the_vocabulary_is_that_of_the_space_even_where_a_label_is_not_among_the_architectures() -> None:
    spec, inputs = InputSpec.fit(CELLS[:2], form="nodes")
    assert spec.vocabulary == SPACE.operators
    assert (spec.space, spec.num_cells, spec.num_side, spec.num_ops) == ("nasbench201", 1, 0, len(SPACE.operators))
    assert inputs.graphs is inputs.nodes
    assert spec.side(inputs) is None
    bare, _ = InputSpec.fit([CHAIN], form="nodes")
    assert (bare.vocabulary, bare.space) == (("conv", "input", "output"), None)
    given, _ = InputSpec.fit([CHAIN], form="nodes", vocabulary=("output", "input", "conv", "pool"))
    assert given.vocabulary == ("output", "input", "conv", "pool")


@pytest.mark.parametrize("form", ["nodes", "native"])
def test_graphs_are_packed_in_the_form_that_the_encoder_wants(form: str) -> None:
    spec, inputs = InputSpec.fit(CELLS, form=form)
    graphs = [cell.graph if form == "native" else cell.graph.on_nodes for cell in CELLS]
    expected = PackedGraphs.from_graphs(graphs, SPACE.operators)
    for name in ("op", "source", "target", "edge_op", "node_start"):
        np.testing.assert_array_equal(getattr(inputs.graphs, name), getattr(expected, name))
    assert bool(inputs.graphs.edge_op.any()) == (form == "native")
    same(spec.pack(CELLS), inputs)


def test_operator_numbers_of_different_choices_are_never_equal() -> None:
    spec, inputs = InputSpec.fit(CELLS, form="choices")
    op = inputs.graphs.op.reshape(len(CELLS), -1)
    assert op.shape == ROWS.shape
    positions: list[set[int]] = [set(column.tolist()) for column in op.T]
    assert len(set.union(*positions)) == sum(map(len, positions))
    assert spec.num_ops == sum(SPACE.num_choices)
    assert op.min() >= 1
    assert op.max() <= spec.num_ops
    assert not len(inputs.graphs.source)


@pytest.mark.parametrize("space", [SPACE, ToySpace(), NASBench101()], ids=lambda space: space.name)
def test_the_sum_of_embedded_choices_is_a_linear_layer_on_the_one_hot_choices(space: Any) -> None:
    rows = space.sample(20, np.random.default_rng(1))
    spec, inputs = InputSpec.fit(space.architectures(rows), form="choices")
    weight = torch.randn(5, spec.num_ops)
    embedding = torch.cat([torch.zeros(1, 5), weight.T])
    batch = batched(inputs.graphs)
    summed = batch.pool(embedding[batch.op], "sum")[:, 0]
    one_hot = torch.from_numpy(space.one_hot(rows)).float()
    torch.testing.assert_close(summed, one_hot @ weight.T, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("form", ["native", "choices"])
def test_statistics_are_taken_on_nodes_whatever_the_encoder_reads(form: str) -> None:
    reference, its = InputSpec.fit(CELLS, form="nodes", sources=["statistics"])
    spec, inputs = InputSpec.fit(CELLS, form=form, sources=["statistics"])
    np.testing.assert_array_equal(spec.side(inputs), reference.side(its))
    np.testing.assert_array_equal(spec.side(spec.pack(CELLS)), reference.side(its))


def test_no_architectures_at_all_are_packed_by_every_kind_of_spec() -> None:
    for form in ("nodes", "native", "choices"):
        for side in ([], ["statistics"], ["choices"], ["statistics", "choices"]):
            features = {"x": np.arange(len(CELLS))}
            spec, _ = InputSpec.fit(CELLS, form=form, sources=side, features=features)
            nothing = spec.pack([], {"x": []})
            assert len(nothing) == 0
            assert numbers(spec, nothing).shape == (0, spec.num_side)


# ---------------------------------------------------------------------- numbers


def test_numbers_have_mean_0_and_spread_1_on_the_training_set_and_constant_ones_are_0() -> None:
    features = {"proxy": np.random.default_rng(2).normal(5, 9, len(CELLS)), "same": np.full(len(CELLS), 1e9 / 3)}
    spec, inputs = InputSpec.fit(CELLS, form="nodes", sources=["statistics"], features=features)
    side = numbers(spec, inputs)
    statistics = spec.source(GraphStatistics)
    assert statistics is not None
    assert spec.scale is not None
    assert side.shape == (len(CELLS), len(statistics.names) + 2) == (len(CELLS), spec.num_side)
    varies = spec.scale > 0
    assert not varies[-1]
    assert (side[:, ~varies] == 0).all()
    inside = varies & (np.abs(side) < 4).all(axis=0)
    assert inside.sum() > 20
    np.testing.assert_allclose(side[:, inside].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(side[:, inside].std(axis=0), 1, atol=1e-4)
    elsewhere = numbers(spec, spec.pack(CELLS, {**features, "same": np.arange(len(CELLS))}))
    assert (elsewhere[:, -1] == 0).all()


def costs_of(spec: InputSpec) -> tuple[str, ...]:
    source = spec.source(GraphStatistics)
    assert source is not None
    assert source.statistics is not None
    return source.statistics.costs


def test_the_numbers_are_those_of_the_sources_in_their_order_then_the_features() -> None:
    proxy = np.random.default_rng(2).normal(size=len(CELLS))
    spec, inputs = InputSpec.fit(CELLS, form="nodes", sources=["statistics", "choices"], features={"proxy": proxy})
    statistics = Statistics.fit(inputs.nodes, sorted(CELLS[0].cost))
    costs = {name: np.array([cell.cost[name] for cell in CELLS]) for name in CELLS[0].cost}
    raw = np.concatenate([statistics(inputs.nodes, costs), SPACE.one_hot(ROWS), proxy[:, None]], axis=1, dtype=float)
    spread = raw.std(axis=0)
    expected = np.clip((raw - raw.mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf), -4, 4)
    np.testing.assert_allclose(numbers(spec, inputs), expected, atol=1e-5)
    assert costs_of(spec) == tuple(sorted(CELLS[0].cost))
    turned, its = InputSpec.fit(CELLS, form="nodes", sources=["choices", "statistics"])
    places = [spec.sources.names.index(name) for name in turned.sources.names]
    np.testing.assert_array_equal(turned.side(its), numbers(spec, inputs)[:, places])
    assert places != sorted(places)


def test_numbers_far_outside_are_clipped_at_4() -> None:
    x = np.arange(len(CELLS), dtype=float)
    spec, _ = InputSpec.fit(CELLS, form="nodes", features={"x": x})
    side = numbers(spec, spec.pack(CELLS[:4], {"x": [1e300, -1e300, 1e9, x.mean()]}))
    assert side[:, 0].tolist() == [4, -4, 4, 0]


@pytest.mark.parametrize("factor", [1e-200, 1e-12, 1.0, 1e12, 1e200])
def test_the_unit_of_a_feature_makes_no_difference(factor: float) -> None:
    x = np.random.default_rng(3).normal(size=len(CELLS)) + 1
    spec, inputs = InputSpec.fit(CELLS, form="nodes", features={"x": factor * x})
    side = numbers(spec, inputs)
    np.testing.assert_allclose(side[:, 0], (x - x.mean()) / x.std(), atol=1e-5)


def test_two_objects_of_one_space_are_one_space() -> None:
    other = NASBench201()
    mixed = [*CELLS[:20], *other.architectures(ROWS[20:])]
    spec, inputs = InputSpec.fit(mixed, form="choices", sources=["statistics", "choices"])
    one, its = InputSpec.fit(CELLS, form="choices", sources=["statistics", "choices"])
    assert costs_of(spec) == costs_of(one)
    np.testing.assert_array_equal(spec.side(inputs), one.side(its))


def test_costs_are_left_out_where_some_items_are_bare_graphs_or_of_another_space() -> None:
    graphs = [cell.graph for cell in CELLS[:10]]
    toys = ToySpace().architectures(ToySpace().enumerate()[:10])
    several: list[list[ArchLike]] = [[*graphs], [*CELLS[:10], *graphs], [*CELLS[:10], *toys]]
    for items in several:
        spec, inputs = InputSpec.fit(items, form="nodes", sources=["statistics"])
        assert costs_of(spec) == ()
        side = numbers(spec, inputs)
        assert np.isfinite(side).all()


def test_packed_graphs_are_read_like_the_graphs_where_no_costs_are_read() -> None:
    graphs = [cell.graph.on_nodes for cell in CELLS]
    spec, inputs = InputSpec.fit(graphs, form="nodes", sources=["statistics"])
    packed = PackedGraphs.from_graphs(graphs, spec.vocabulary)
    np.testing.assert_array_equal(spec.side(spec.pack(packed)), spec.side(inputs))
    again, its = InputSpec.fit(packed, form="nodes", sources=["statistics"])
    np.testing.assert_array_equal(again.side(its), spec.side(inputs))


# ---------------------------------------------------------------------- computational graphs

RANDOM = np.random.default_rng(5)
NETWORKS = [random_computational_graph(n, RANDOM) for n in (30, 12, 55, 2, 80, 41)]


def test_computational_graphs_are_packed_with_the_numbers_of_their_nodes() -> None:
    spec, inputs = InputSpec.fit(NETWORKS, form="network", vocabulary=("conv",))
    assert spec.vocabulary == OPERATORS
    assert (spec.num_ops, spec.num_side, spec.space) == (len(OPERATORS), 0, None)
    assert inputs.graphs is inputs.nodes
    np.testing.assert_array_equal(inputs.graphs.features, np.concatenate([node_features(g) for g in NETWORKS]))
    labels = [known_label(label) for graph in NETWORKS for label in graph.ops]
    assert [OPERATORS[i - 1] for i in inputs.graphs.op] == labels
    assert "unknown" in labels
    same(spec.pack(NETWORKS), inputs)
    assert spec.pack(inputs.graphs).graphs is inputs.graphs
    assert InputSpec.fit(inputs.graphs, form="network")[0].vocabulary == OPERATORS
    assert len(spec.pack([])) == 0


@pytest.mark.parametrize("form", ["network", "nodes", "native"])
def test_statistics_of_networks_are_standardised_and_clipped_like_other_numbers(form: str) -> None:
    raw = np.array([network_statistics(graph) for graph in NETWORKS])
    x = np.arange(len(NETWORKS))
    spec, inputs = InputSpec.fit(NETWORKS, form=form, sources=["network"], features={"x": x})
    assert spec.vocabulary == OPERATORS
    np.testing.assert_array_equal(inputs.numbers, np.column_stack([raw, x]))
    spread = raw.std(axis=0)
    varies = spread > 1e-6
    expected = np.clip((raw - raw.mean(axis=0))[:, varies] / spread[varies], -4, 4)
    np.testing.assert_allclose(numbers(spec, inputs)[:, :-1][:, varies], expected, atol=1e-4)
    assert spec.num_side == raw.shape[1] + 1
    assert (inputs.graphs.features is None) == (form != "network")
    nothing = spec.pack([], {"x": []})
    assert numbers(spec, nothing).shape == (0, spec.num_side)


def test_slices_and_concatenations_of_networks_equal_packing_the_parts() -> None:
    spec, inputs = InputSpec.fit(NETWORKS, form="network", sources=["network"])
    index = np.array([4, 1, 1])
    picked, parts = inputs[index], spec.pack([NETWORKS[i] for i in index])
    same(picked, parts)
    np.testing.assert_array_equal(picked.graphs.features, parts.graphs.features)
    again = Inputs.concat([inputs[:2], inputs[2:]])
    same(again, inputs)
    np.testing.assert_array_equal(again.graphs.features, inputs.graphs.features)


def test_statistics_of_networks_are_read_of_the_graphs_of_a_space() -> None:
    class Networks(ToySpace):
        """Each architecture is a network."""

        def decode(self, choices: Any) -> ArchGraph:
            return NETWORKS[sum(choices) % len(NETWORKS)]

    space = Networks()
    cells = space.architectures(space.enumerate()[:12])
    spec, inputs = InputSpec.fit(cells, form="network", sources=["choices", "network"])
    rows = np.array([cell.choices for cell in cells])
    raw = np.array([network_statistics(cell.graph) for cell in cells])
    np.testing.assert_array_equal(inputs.numbers, np.concatenate([space.one_hot(rows), raw], axis=1))
    assert spec.num_side == inputs.numbers.shape[1]


def test_networks_of_cells_are_read_beside_the_cells_by_sources_and_in_their_place_by_an_encoder() -> None:
    networks = [SPACE.network(cell.choices) for cell in CELLS]
    raw = np.array([network_statistics(network) for network in networks])
    beside, inputs = InputSpec.fit(CELLS, form="nodes", sources=["network"])
    np.testing.assert_array_equal(inputs.numbers, raw)
    assert beside.vocabulary == InputSpec.fit(CELLS, form="nodes")[0].vocabulary
    np.testing.assert_array_equal(beside.pack(CELLS[:2]).numbers, raw[:2])
    again = InputSpec.from_dict(json.loads(json.dumps(beside.to_dict())))
    np.testing.assert_array_equal(again.pack(CELLS[:2]).numbers, raw[:2])
    in_place, inputs = InputSpec.fit(CELLS, form="network", sources=["network"])
    np.testing.assert_array_equal(inputs.numbers, raw)
    same(inputs, in_place.pack(networks))
    assert (in_place.space, in_place.vocabulary) == ("nasbench201", OPERATORS)


def test_sources_of_single_regressors_come_after_those_that_all_members_read_as_far_as_there_are_such_numbers() -> None:
    wishes = ["network", "statistics", "ordered", "choices"]
    spec, inputs = InputSpec.fit(CELLS, form="nodes", sources=["statistics"], wishes=wishes)
    assert [source.name for source in spec.sources.sources] == ["statistics", "network", "choices"]
    alone, its = InputSpec.fit(CELLS, form="nodes", sources=["statistics"])
    assert (alone.num_shared, alone.num_side) == (spec.num_shared,) * 2
    np.testing.assert_array_equal(numbers(spec, inputs)[:, : spec.num_shared], numbers(alone, its))
    assert spec.columns_of(()).tolist() == list(range(spec.num_shared))
    names = [spec.sources.names[i].partition(":")[0] for i in spec.columns_of(("choices", "ordered"))]
    assert list(dict.fromkeys(names)) == ["statistics", "choices"]
    again = InputSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again.num_shared == spec.num_shared
    graphs, bare = InputSpec.fit([cell.graph for cell in CELLS], form="nodes", sources=["statistics"], wishes=wishes)
    assert graphs.num_side == graphs.num_shared == numbers(graphs, bare).shape[1]
    with pytest.raises(ValueError, match="9 of its 3 sources are of single regressors"):
        InputSpec.from_dict({**spec.to_dict(), "private": 9})


class Standardised(Source):
    """A source with a scale of its own."""

    name = "transfer"
    is_standardised = True
    names = ("far", "near")

    def fit(self, batch: Batch) -> Standardised:
        return self

    def __call__(self, batch: Batch) -> FloatArray:
        return np.array([[sum(choices), 0.5] for choices in batch.choices("a test").tolist()])


def test_numbers_that_have_a_scale_of_their_own_are_read_as_they_are() -> None:
    spec, inputs = InputSpec.fit(CELLS, form="nodes", sources=["choices", Standardised()])
    np.testing.assert_array_equal(numbers(spec, inputs)[:, -2], ROWS.sum(axis=1))
    assert (numbers(spec, inputs)[:, -1] == 0.5).all()
    again = InputSpec.from_dict(json.loads(json.dumps(spec.to_dict())), {"transfer": Standardised})
    np.testing.assert_array_equal(again.side(again.pack(CELLS)), numbers(spec, inputs))


def test_what_is_no_computational_graph_is_refused_where_networks_are_read() -> None:
    for form, side in (("network", []), ("nodes", ["network"])):
        with pytest.raises(InvalidGraphError, match="a computational graph has the attribute 'shape' with 6 numbers"):
            InputSpec.fit([cell.graph for cell in CELLS], form=form, sources=side)
        spec, _ = InputSpec.fit(NETWORKS, form=form, sources=side)
        with pytest.raises(InvalidGraphError, match="a computational graph has the attribute 'shape' with 6 numbers"):
            spec.pack([CHAIN])


def test_packed_graphs_without_what_is_read_of_networks_are_refused() -> None:
    packed = PackedGraphs.from_graphs(NETWORKS, OPERATORS, unknown="unknown")
    reads_nodes, _ = InputSpec.fit(NETWORKS, form="network")
    reads_statistics, _ = InputSpec.fit(NETWORKS, form="nodes", sources=["network"])
    with pytest.raises(UsageError, match=r"reads numbers of each node .* these packed graphs do not have; pack them"):
        reads_nodes.pack(packed)
    with pytest.raises(UsageError, match=r"reads numbers of each node .* these packed graphs do not have; pack them"):
        InputSpec.fit(packed, form="network")
    with pytest.raises(UsageError, match="reads statistics of networks, which packed graphs do not have; give Archit"):
        reads_statistics.pack(packed)
    with pytest.raises(UsageError, match="reads statistics of networks, which packed graphs do not have; give Archit"):
        InputSpec.fit(packed, form="nodes", sources=["network"])
    with pytest.raises(UsageError, match="packed with another vocabulary"):
        InputSpec.fit(PackedGraphs.from_graphs([CHAIN], CHAIN.ops), form="network")


# ---------------------------------------------------------------------- slices


@pytest.mark.parametrize("form", ["nodes", "native", "choices"])
def test_slices_and_concatenations_equal_packing_the_parts(form: str) -> None:
    x = np.arange(len(CELLS), dtype=float)
    spec, inputs = InputSpec.fit(CELLS, form=form, sources=["statistics", "choices"], features={"x": x})
    index = np.array([7, 3, 3, 30])
    same(inputs[5:9], spec.pack(CELLS[5:9], {"x": x[5:9]}))
    same(inputs[index], spec.pack([CELLS[i] for i in index], {"x": x[index]}))
    same(Inputs.concat([inputs[:11], inputs[11:]]), inputs)
    assert (len(inputs[5:9]), len(inputs)) == (4, len(CELLS))
    # Logarithms of arrays of another length may differ in the last digit.
    np.testing.assert_allclose(spec.side(inputs[5:9]), numbers(spec, inputs)[5:9], rtol=1e-6, atol=1e-7)
    assert spec.pack(inputs) is inputs


# ---------------------------------------------------------------------- refusals


def test_features_that_are_missing_of_a_wrong_length_or_not_finite_are_refused() -> None:
    spec, _ = InputSpec.fit(CELLS, form="nodes", features={"proxy": np.arange(len(CELLS))})
    for given in (None, {}, {"other": np.zeros(3)}):
        with pytest.raises(
            DataError, match="fitted with the feature 'proxy', which is missing; give a value of it for each of the 3"
        ):
            spec.pack(CELLS[:3], given)
    with pytest.raises(DataError, match=r"the feature 'proxy' has shape \(2,\); expected one number for each of 3"):
        spec.pack(CELLS[:3], {"proxy": [1, 2]})
    for wrong in (np.nan, np.inf):
        with pytest.raises(DataError, match="the feature 'proxy' is not a finite number for architecture 1; remove"):
            spec.pack(CELLS[:3], {"proxy": [1, wrong, wrong]})
    with pytest.raises(DataError, match="'proxy' is not a finite number for architecture 0"):
        InputSpec.fit(CELLS[:2], form="nodes", features={"proxy": [np.nan, 1.0]})


def test_bare_graphs_are_refused_where_choices_or_costs_are_read() -> None:
    costs, _ = InputSpec.fit(CELLS, form="nodes", sources=["statistics"])
    with pytest.raises(
        DataError,
        match=r"reads the costs flops.* of the space nasbench201, which a bare graph does not tell; give Arch",
    ):
        costs.pack([CELLS[0], CELLS[1].graph])
    for form, side in (("choices", []), ("nodes", ["choices"])):
        spec, _ = InputSpec.fit(CELLS, form=form, sources=side)
        with pytest.raises(DataError, match="reads choices of the space nasbench201, which a bare graph does not tell"):
            spec.pack([CELLS[0].graph])
        with pytest.raises(DataError, match="reads the choices, which a bare graph does not tell; give Architecture"):
            InputSpec.fit([CELLS[0], CELLS[1].graph], form=form, sources=side)
        with pytest.raises(UsageError, match="reads the choices, which packed graphs do not have; give Archit"):
            InputSpec.fit(PackedGraphs.from_graphs([CHAIN], CHAIN.ops), form=form, sources=side)
    packed = PackedGraphs.from_graphs([cell.graph.on_nodes for cell in CELLS], costs.vocabulary)
    with pytest.raises(
        UsageError, match=r"reads the costs flops.* which packed graphs do not have; give Archit.* or Batch\.of_packed"
    ):
        costs.pack(packed)


def test_choices_of_another_space_are_refused() -> None:
    toys: list[Architecture] = ToySpace().architectures(ToySpace().enumerate()[:3])
    for form, side in (("choices", []), ("nodes", ["choices"])):
        spec, _ = InputSpec.fit(CELLS, form=form, sources=side, vocabulary=(*SPACE.operators, *ToySpace().operators))
        with pytest.raises(DataError, match="of the space nasbench201, architectures of the space toy with other choi"):
            spec.pack(toys)
        with pytest.raises(
            UsageError, match="of one search space, architectures of nasbench201 and toy were given; give"
        ):
            spec.pack([*CELLS[:2], *toys])


def test_what_a_predictor_does_not_know_is_refused() -> None:
    spec, inputs = InputSpec.fit(CELLS, form="nodes", sources=["statistics"])
    with pytest.raises(UsageError, match="Series, or PackedGraphs; there is an element of type str"):
        spec.pack(["|none~0|"])  # type: ignore[list-item]
    with pytest.raises(
        UnknownNameError,
        match="unknown source 'statistic'; choose from: choices, features, network, ordered, paths, prox",
    ):
        InputSpec.fit(CELLS, form="nodes", sources=["statistic"])
    with pytest.raises(UsageError, match=r"takes Architecture or ArchGraph objects in a list, .* Inputs was given"):
        InputSpec.fit(inputs, form="nodes")  # type: ignore[arg-type]
    other, its = InputSpec.fit([CHAIN, CHAIN], form="nodes")
    with pytest.raises(
        UsageError, match=r"another vocabulary or number of cells .* pack them with its method pack\(\)"
    ):
        spec.pack(its)
    with pytest.raises(UsageError, match="'attention' is not one of those the predictor knows"):
        other.pack([ArchGraph(("attention",), ())])


# ---------------------------------------------------------------------- saving


def every_spec() -> list[InputSpec]:
    x = {"x": np.arange(len(CELLS)), "y": np.arange(len(CELLS))[::-1]}
    return [
        InputSpec.fit(items, form=form, sources=side, features=features)[0]
        for form in ("nodes", "native", "choices")
        for side in ((), ("statistics",), ("choices",), ("statistics", "choices"))
        for features in (None, x)
        for items in (CELLS, [cell.graph for cell in CELLS])
        if items is CELLS or (form != "choices" and "choices" not in side)
    ]


def test_a_spec_of_networks_survives_json() -> None:
    for form, side in (("network", []), ("network", ["network"]), ("nodes", ["network"])):
        spec, inputs = InputSpec.fit(NETWORKS, form=form, sources=side)
        again = InputSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
        assert again.to_dict() == spec.to_dict()
        np.testing.assert_array_equal(again.side(again.pack(NETWORKS)), spec.side(inputs))
    data = InputSpec.fit(NETWORKS, form="network")[0].to_dict()
    with pytest.raises(ValueError, match="its vocabulary is not that of computational graphs"):
        InputSpec.from_dict({**data, "vocabulary": ["conv"]})
    with pytest.raises(ValueError, match="a scale of"):
        InputSpec.from_dict({**data, "sources": [{"source": "network", "columns": list(NETWORK_NAMES)}]})


def test_a_spec_survives_json() -> None:
    for spec in every_spec():
        again = InputSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
        for name in ("location", "scale"):
            np.testing.assert_array_equal(getattr(again, name), getattr(spec, name))
        assert again.to_dict() == spec.to_dict()
        assert again.sources.sources == spec.sources.sources
        items: list[Any] = CELLS if spec.space else [cell.graph for cell in CELLS]
        features = {name: np.arange(len(CELLS)) for name in spec.features}
        np.testing.assert_array_equal(again.side(again.pack(items, features)), spec.side(spec.pack(items, features)))


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["location"].pop(), "a scale of"),
        (lambda d: d["scale"].append(1.0), "a scale of"),
        (lambda d: d.update(location=None), "a scale of"),
        (lambda d: d.update(location=[d["location"]], scale=[d["scale"]]), "a scale of"),
        (lambda d: d.update(location=None, scale=None), "a scale of"),
        (lambda d: d["sources"][2]["columns"].append("more"), "a scale of"),
        (lambda d: d["sources"].pop(), "a scale of"),
        (lambda d: d["sources"].append(d["sources"][2]), "it reads a source twice"),
        (lambda d: d["sources"][2]["columns"].append("x"), "it reads columns of the source features twice"),
        (lambda d: d["sources"][2].update(source="mine.py:Own"), "its source mine.py:Own is not one of archpredict's"),
        (lambda d: d["sources"][2].update(source="tea"), "unknown source 'tea'"),
        (lambda d: d["sources"][1]["num_choices"].append(10**9), "a space of 1,000,000,030 options"),
        (lambda d: d["sources"][1]["num_choices"].pop(), "reads '5=0' of the source choices, which this version does"),
        (lambda d: d["sources"][0]["columns"].append("age"), "reads 'age' of the source statistics, which this ver"),
        (lambda d: d["location"].__setitem__(0, float("inf")), "the scale of its inputs is not finite"),
        (lambda d: d["scale"].__setitem__(-1, float("nan")), "the scale of its inputs is not finite"),
        (lambda d: d["scale"].__setitem__(-1, "wide"), "wide"),
        (lambda d: d["vocabulary"].reverse(), "its statistics are of another vocabulary"),
        (lambda d: d["sources"][0]["statistics"]["costs"].pop(), "which this version does not compute; fit it again"),
        (lambda d: d["sources"][0].update(statistics=None), "statistics must be a mapping"),
        (lambda d: d["sources"][0]["statistics"].pop("subsets"), "statistics must be a mapping"),
        (lambda d: d["sources"][0]["statistics"].update(operators=["conv"]), "operators must be labels of the voc"),
        (lambda d: d["sources"][0]["statistics"].update(num_cells=10**9), "cells were asked for"),
        (lambda d: d.update(num_cells=2), "its statistics are of 1 cells, its graphs have 2"),
        (lambda d: d.update(num_cells=0), "at least 1"),
        (lambda d: d.update(form="image"), "the form 'image' of its inputs is none of nodes, native, choices, network"),
        (lambda d: d.update(num_choices=[-5, 10]), "at least 1"),
        (lambda d: d.update(form="choices"), "it reads choices, of which none are given"),
        (lambda d: d["sources"][1].update(num_choices=[]), "it reads choices, of which none are given"),
    ],
)
def test_specs_that_do_not_hold_together_are_refused(change: Change, message: str) -> None:
    spec, _ = InputSpec.fit(
        CELLS, form="nodes", sources=["statistics", "choices"], features={"x": np.arange(len(CELLS))}
    )
    data = json.loads(json.dumps(spec.to_dict()))
    change(data)
    with pytest.raises(ValueError, match=re.escape(message)):
        InputSpec.from_dict(data)


def test_columns_are_chosen_by_their_names() -> None:
    spec, inputs = InputSpec.fit(NETWORKS, form="nodes", sources=["network"])
    saved = spec.to_dict()
    turned = {**saved, "sources": [{"source": "network", "columns": saved["sources"][0]["columns"][:40][::-1]}]}
    turned |= {name: saved[name][:40][::-1] for name in ("location", "scale")}
    again = InputSpec.from_dict(turned)
    assert again.sources.names == spec.sources.names[:40][::-1]
    np.testing.assert_array_equal(again.side(again.pack(NETWORKS)), numbers(spec, inputs)[:, :40][:, ::-1])
    assert again.to_dict() == turned


def test_inputs_of_a_predictor_that_reads_other_numbers_are_refused() -> None:
    one, its = InputSpec.fit(CELLS, form="nodes", sources=["statistics"])
    two, _ = InputSpec.fit(CELLS, form="nodes", sources=["choices"])
    with pytest.raises(UsageError, match="numbers beside the graph were given, this predictor reads 30, and not the s"):
        two.pack(its)
    same_columns = InputSpec.from_dict(one.to_dict())
    assert same_columns.pack(its) is its


def test_numbers_are_computed_once_and_of_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    compute = Statistics.__call__

    def counted(self: Statistics, packed: PackedGraphs, costs: Any = None) -> Any:
        computed.append(len(packed))
        return compute(self, packed, costs)

    monkeypatch.setattr(Statistics, "__call__", counted)
    spec, inputs = InputSpec.fit(CELLS, form="nodes", sources=["statistics"])
    spec.side(inputs)
    spec.side(inputs[5:])
    spec.side(inputs[np.arange(3)])
    assert computed == [len(CELLS)]
    packed = spec.pack(CELLS)
    assert computed == [len(CELLS)]
    spec.side(packed[:7])
    assert computed == [len(CELLS), 7]
