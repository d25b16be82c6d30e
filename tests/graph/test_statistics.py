from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.errors import DataError, UsageError
from archpredict.graph import statistics as _statistics
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.packed import PackedGraphs
from archpredict.graph.statistics import Statistics
from archpredict.spaces.base import SearchSpace
from archpredict.spaces.darts import Darts
from archpredict.spaces.nasbench101 import NASBench101, unpack
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.testing.graphs import NODE_OPS, arch_graphs, relabelled

VOCABULARY = ("input", "conv", "pool", "output")
DIAMOND = ArchGraph(  # input -> conv -> conv -> output, input -> pool -> output, input -> output
    ops=("input", "conv", "conv", "pool", "output"), edges=((0, 1), (1, 2), (2, 4), (0, 3), (3, 4), (0, 4))
)
OPERATORS = ("conv3x3", "conv1x1", "maxpool3x3")
RANDOM = Statistics(
    vocabulary=tuple(NODE_OPS),
    num_cells=2,
    operators=OPERATORS,
    subsets=tuple(s for size in (1, 2, 3) for s in combinations(OPERATORS, size)),
)


def columns(statistics: Statistics, *graphs: ArchGraph) -> list[dict[str, float]]:
    values = statistics(PackedGraphs.from_graphs(graphs, statistics.vocabulary))
    return [dict(zip(statistics.names, row, strict=True)) for row in values.tolist()]


def reference(graph: ArchGraph, statistics: Statistics) -> dict[str, float]:
    """The same columns by listing every path of every cell with networkx."""
    found: dict[str, float] = {}
    for cell in range(statistics.num_cells):
        nodes = [v for v in range(graph.num_nodes) if graph.cells[v] == cell]
        inside = nx.MultiDiGraph()
        inside.add_nodes_from(nodes)
        inside.add_edges_from((s, t) for s, t in graph.edges if s in inside and t in inside)
        for name, value in _cell_reference(inside, graph.ops, statistics).items():
            found[f"cell{cell}: {name}"] = value if nodes else 0.0
    return found


def _all_paths(graph: nx.MultiDiGraph, sources: list[int], sinks: list[int]) -> list[list[int]]:
    """Every path as its nodes; parallel edges make paths of their own."""
    paths = [[v] for v in sources if v in sinks]
    for source in sources:
        for sink in sinks:
            if source != sink:
                for edges in nx.all_simple_edge_paths(graph, source, sink):
                    paths.append([source, *(edge[1] for edge in edges)])
    return paths


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _cell_reference(graph: nx.MultiDiGraph, ops: tuple[str, ...], statistics: Statistics) -> dict[str, float]:
    nodes, edges = list(graph.nodes), list(graph.edges())
    sources = [v for v in nodes if graph.in_degree(v) == 0]
    sinks = [v for v in nodes if graph.out_degree(v) == 0]
    paths = _all_paths(graph, sources, sinks)
    depth = {v: max(p.index(v) for p in paths if v in p) for v in nodes}
    height = {v: max(len(p) - 1 - p.index(v) for p in paths if v in p) for v in nodes}
    found = {
        "nodes": len(nodes),
        "edges": len(edges),
        "edges - nodes + 1": len(edges) - len(nodes) + 1,
        "sources": len(sources),
        "sinks": len(sinks),
        "log paths": np.log1p(len(paths)),
        "depth": max((len(path) - 1 for path in paths), default=0),
        "mean depth": _mean(list(depth.values())),
        "mean height": _mean(list(height.values())),
        "mean degree": len(edges) / max(len(nodes), 1),
        "largest in-degree": max((graph.in_degree(v) for v in nodes), default=0),
        "largest out-degree": max((graph.out_degree(v) for v in nodes), default=0),
        "edges into sinks": sum(t in sinks for _, t in edges),
        "edges out of sources": sum(s in sources for s, _ in edges),
    }
    for label in statistics.operators:
        ours = [v for v in nodes if ops[v] == label]
        on_path = [sum(ops[v] == label for v in path) for path in paths]
        found[f"count of {label}"] = len(ours)
        found[f"mean depth of {label}"] = _mean([depth[v] for v in ours])
        found[f"mean height of {label}"] = _mean([height[v] for v in ours])
        found[f"mean on a path of {label}"] = _mean(on_path)
        found[f"log weighted paths of {label}"] = np.log(sum(2**n for n in on_path)) if paths else 0
    for subset in statistics.subsets:
        name = "{" + ", ".join(subset) + "}"
        on_path = [sum(ops[v] in subset for v in path) for path in paths]
        banned = set(statistics.operators) - set(subset)
        lengths = [len(path) - 1 for path in paths if not banned & {ops[v] for v in path}]
        ours = [v for v in nodes if ops[v] in subset]
        found[f"most on a path of {name}"] = max(on_path, default=0)
        found[f"fewest on a path of {name}"] = min(on_path, default=0)
        found[f"has path over {name}"] = float(bool(lengths))
        found[f"log paths over {name}"] = np.log1p(len(lengths))
        found[f"longest path over {name}"] = max(lengths, default=0)
        found[f"shortest path over {name}"] = min(lengths, default=0)
        found[f"fed by a source of {name}"] = sum(any(u in sources for u in graph.predecessors(v)) for v in ours)
        found[f"feeding a sink of {name}"] = sum(any(w in sinks for w in graph.successors(v)) for v in ours)
    for a in (*statistics.operators, "source"):
        for b in (*statistics.operators, "sink"):
            tails = [v for v in nodes if (ops[v] == a if a != "source" else v in sources and ops[v] not in OPERATORS)]
            heads = [v for v in nodes if (ops[v] == b if b != "sink" else v in sinks and ops[v] not in OPERATORS)]
            found[f"edges {a} -> {b}"] = sum(s in tails and t in heads for s, t in edges)
    return found


def test_a_diamond_has_the_statistics_counted_by_hand() -> None:
    statistics = Statistics.fit(PackedGraphs.from_graphs([DIAMOND], VOCABULARY))
    assert statistics.operators == ("conv", "pool")
    row = columns(statistics, DIAMOND)[0]
    expected = {
        "nodes": 5,
        "edges": 6,
        "edges - nodes + 1": 2,
        "log paths": np.log(4),
        "depth": 3,
        "mean depth": (0 + 1 + 2 + 1 + 3) / 5,
        "mean height": (3 + 2 + 1 + 1 + 0) / 5,
        "largest in-degree": 3,
        "largest out-degree": 3,
        "edges into sinks": 3,
        "edges out of sources": 3,
        "count of conv": 2,
        "mean depth of conv": 1.5,
        "mean height of pool": 1,
        "mean on a path of conv": 2 / 3,
        "log weighted paths of conv": np.log(4 + 1 + 1),
        "most on a path of {conv}": 2,
        "fewest on a path of {conv}": 0,
        "most on a path of {conv, pool}": 2,
        "log paths over {conv}": np.log(3),
        "longest path over {conv}": 3,
        "shortest path over {conv}": 1,
        "longest path over {pool}": 2,
        "has path over {pool}": 1,
        "fed by a source of {conv, pool}": 2,
        "feeding a sink of {conv}": 1,
        "edges conv -> conv": 1,
        "edges source -> conv": 1,
        "edges conv -> sink": 1,
        "edges source -> sink": 1,
        "edges pool -> conv": 0,
    }
    assert {name: row[f"cell0: {name}"] for name in expected} == pytest.approx(expected)


def test_without_a_path_over_a_subset_its_lengths_are_zero_and_the_indicator_says_so() -> None:
    chain = ArchGraph(ops=("input", "conv", "pool", "output"), edges=((0, 1), (1, 2), (2, 3)))
    statistics = Statistics.fit(PackedGraphs.from_graphs([chain], VOCABULARY))
    row = columns(statistics, chain)[0]
    for name in ("has path over", "log paths over", "longest path over", "shortest path over"):
        assert row[f"cell0: {name} {{conv}}"] == 0
        assert row[f"cell0: {name} {{conv, pool}}"] > 0


@settings(deadline=None)
@given(graphs=st.lists(arch_graphs(cells=2), min_size=1, max_size=4))
def test_agrees_with_a_list_of_all_paths(graphs: list[ArchGraph]) -> None:
    for graph, row in zip(graphs, columns(RANDOM, *graphs), strict=True):
        assert row == pytest.approx(reference(graph, RANDOM), rel=1e-6)


@settings(deadline=None)
@given(data=st.data())
def test_isomorphic_graphs_have_equal_statistics(data: st.DataObject) -> None:
    graph = data.draw(arch_graphs(max_nodes=10, cells=2))
    first, again = columns(RANDOM, graph, data.draw(relabelled(graph)))
    assert first == again


def _random_graph(rng: np.random.Generator, nodes: int) -> ArchGraph:
    ops = tuple(VOCABULARY[i] for i in rng.integers(0, 4, nodes))
    targets = rng.integers(1, nodes, 2 * nodes)
    edges = tuple((int(rng.integers(0, t)), int(t)) for t in targets)
    return ArchGraph(ops, edges, cells=tuple(rng.integers(0, 2, nodes).tolist()))


def test_a_graph_does_not_depend_on_its_companions(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    packed = PackedGraphs.from_graphs([_random_graph(rng, int(n)) for n in rng.integers(2, 30, 100)], VOCABULARY)
    statistics = Statistics.fit(packed)
    together = statistics(packed)
    alone = np.concatenate([statistics(packed[i : i + 1]) for i in range(len(packed))])
    # What is counted is equal to the bit; logarithms of arrays of another length may differ in the last digit.
    np.testing.assert_allclose(alone, together, rtol=1e-6)
    monkeypatch.setattr("archpredict.graph.statistics._PIECE", 7_000)  # a handful of graphs at a time
    np.testing.assert_allclose(statistics(packed), together, rtol=1e-6)


def _few_structures(rng: np.random.Generator, labels: tuple[str, ...], count: int) -> PackedGraphs:
    """Graphs with the edges and cells of one of four, one of them of nothing but nodes."""
    shapes = [_random_graph(rng, n) for n in (3, 6, 7)] + [ArchGraph(("conv",) * 2, (), cells=(0, 1))]
    graphs = []
    for i in range(count):
        shape = shapes[i % len(shapes)]
        inner = rng.choice(labels[1:-1], shape.num_nodes - 2).tolist()
        graphs.append(ArchGraph((labels[0], *inner, labels[-1]), shape.edges, cells=shape.cells))
    return PackedGraphs.from_graphs(graphs, labels)


@pytest.mark.parametrize("labels", [VOCABULARY, tuple(NODE_OPS)])
def test_marking_the_nodes_of_subsets_once_for_all_graphs_with_equal_edges_changes_nothing(
    labels: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = _few_structures(np.random.default_rng(0), labels, 2_000)
    operators = labels[1:-1]
    subsets = ((operators[1], operators[0]), (operators[0],), operators)
    for statistics in (Statistics.fit(packed), Statistics(labels, 3, operators, subsets)):
        assert _statistics._Marked.of(statistics, packed) is not None
        together = statistics(packed)
        with monkeypatch.context() as patch:
            patch.setattr(_statistics, "_MOST_TO_MARK", 0)
            np.testing.assert_array_equal(statistics(packed), together)


def test_nodes_are_marked_only_where_it_saves_something() -> None:
    few = _few_structures(np.random.default_rng(0), VOCABULARY, 20)
    assert _statistics._Marked.of(Statistics.fit(few), few) is None
    rng = np.random.default_rng(0)
    different = PackedGraphs.from_graphs([_random_graph(rng, int(rng.integers(8, 12))) for _ in range(500)], VOCABULARY)
    assert _statistics._Marked.of(Statistics.fit(different), different) is None


def test_a_missing_cell_is_all_zeros_and_leaves_the_others_alone() -> None:
    both = ArchGraph(
        DIAMOND.ops * 2, (*DIAMOND.edges, *((s + 5, t + 5) for s, t in DIAMOND.edges)), None, (0,) * 5 + (1,) * 5
    )
    statistics = Statistics.fit(PackedGraphs.from_graphs([both], VOCABULARY))
    second = ArchGraph(DIAMOND.ops, DIAMOND.edges, None, (1,) * 5)
    half = len(statistics.names) // 2
    rows = statistics(PackedGraphs.from_graphs([both, DIAMOND, second], VOCABULARY))
    np.testing.assert_array_equal(rows[0, :half], rows[0, half:])
    np.testing.assert_array_equal(rows[1], [*rows[0, :half], *np.zeros(half)])
    np.testing.assert_array_equal(rows[2], [*np.zeros(half), *rows[0, half:]])


def test_edges_from_cell_to_cell_do_not_count() -> None:
    apart = ArchGraph(("input", "conv", "input", "conv"), ((0, 1), (2, 3)), None, (0, 0, 1, 1))
    linked = ArchGraph(apart.ops, (*apart.edges, (1, 2)), None, apart.cells)
    statistics = Statistics(VOCABULARY, 2, ("conv",), (("conv",),))
    first, again = columns(statistics, apart, linked)
    assert first == again


def test_parallel_edges_are_paths_of_their_own() -> None:
    graph = ArchGraph(("input", "conv", "output"), ((0, 1), (0, 1), (1, 2), (1, 2), (1, 2)))
    row = columns(Statistics(VOCABULARY, 1, ("conv",), (("conv",),)), graph)[0]
    assert row["cell0: log paths"] == pytest.approx(np.log1p(6))
    assert row["cell0: mean on a path of conv"] == 1
    assert row["cell0: fed by a source of {conv}"] == 1
    assert row["cell0: edges source -> conv"] == 2


@pytest.mark.parametrize("skip", [1, 2, 5])
def test_three_thousand_nodes_are_finite_however_many_paths_there_are(skip: int) -> None:
    n = 3000
    edges = tuple((v, v + k) for k in range(1, skip + 1) for v in range(n - k))
    ladder = ArchGraph(("input", *("conv", "pool") * (n // 2 - 1), "output"), edges)
    statistics = Statistics.fit(PackedGraphs.from_graphs([ladder], VOCABULARY))
    values = statistics(PackedGraphs.from_graphs([ladder], VOCABULARY))
    assert np.isfinite(values).all()
    row = dict(zip(statistics.names, values[0].tolist(), strict=True))
    assert row["cell0: depth"] == n - 1
    assert row["cell0: most on a path of {conv, pool}"] == n - 2
    assert row["cell0: shortest path over {conv, pool}"] == -(-(n - 1) // skip)
    assert 0 <= row["cell0: mean on a path of conv"] <= row["cell0: count of conv"]


def test_operators_are_the_labels_between_sources_and_sinks() -> None:
    linked = ArchGraph(("input", "conv", "output", "pool"), ((0, 1), (1, 2), (2, 3)), None, (0, 0, 0, 1))
    assert Statistics.fit(PackedGraphs.from_graphs([linked], VOCABULARY)).operators == ("conv",)
    alone = ArchGraph(("conv", "pool"), ((0, 1),))
    assert Statistics.fit(PackedGraphs.from_graphs([alone], VOCABULARY)).operators == VOCABULARY


@pytest.mark.parametrize(
    ("operators", "sizes"),
    [(1, {1: 1}), (4, {1: 4, 2: 6, 3: 4, 4: 1}), (6, {1: 6, 2: 15, 6: 1}), (9, {1: 9, 9: 1}), (101, {101: 1})],
)
def test_subsets_are_fewer_where_there_are_many_operators(operators: int, sizes: dict[int, int]) -> None:
    labels = tuple(f"op{i}" for i in range(operators))
    chain = ArchGraph(("input", *labels, "output"), tuple((i, i + 1) for i in range(operators + 1)))
    packed = PackedGraphs.from_graphs([chain], ("input", "output", *labels))
    statistics = Statistics.fit(packed)
    found = [len(subset) for subset in statistics.subsets]
    assert {size: found.count(size) for size in found} == sizes
    assert statistics(packed).shape == (1, len(statistics.names))
    assert len(set(statistics.names)) == len(statistics.names)


def test_costs_become_logarithms_after_the_cells() -> None:
    packed = PackedGraphs.from_graphs([DIAMOND, DIAMOND], VOCABULARY)
    statistics = Statistics.fit(packed, costs=("params", "flops"))
    assert statistics.names[-2:] == ("log params", "log flops")
    values = statistics(packed, {"flops": [0, 1], "params": np.array([9, 99]), "seconds": [1, 1]})
    np.testing.assert_allclose(values[:, -2:], np.log([[10, 1], [100, 2]]), rtol=1e-6)


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (None, "the cost 'params' is needed and was not given; given: none"),
        ({"flops": [1, 2]}, "given: flops"),
        ({"params": [1]}, "'params' must be 2 finite numbers, one per graph"),
        ({"params": [1, float("nan")]}, "finite"),
        ({"params": [1, -1]}, "none negative"),
    ],
)
def test_costs_that_are_missing_or_wrong_are_refused(costs: Any, message: str) -> None:
    packed = PackedGraphs.from_graphs([DIAMOND, DIAMOND], VOCABULARY)
    with pytest.raises(DataError, match=message):
        Statistics.fit(packed, costs=("params",))(packed, costs)


def test_no_graphs_give_no_rows() -> None:
    packed = PackedGraphs.from_graphs([DIAMOND], VOCABULARY)
    statistics = Statistics.fit(packed)
    assert statistics(packed[:0]).shape == (0, len(statistics.names))


def test_graphs_that_the_statistics_do_not_know_are_refused() -> None:
    packed = PackedGraphs.from_graphs([DIAMOND], VOCABULARY)
    statistics = Statistics.fit(packed)
    with pytest.raises(UsageError, match="pack the graphs with the vocabulary of the statistics"):
        statistics(PackedGraphs.from_graphs([DIAMOND], (*VOCABULARY, "skip")))
    with pytest.raises(UsageError, match="a graph with 2 cells was given, the statistics know 1"):
        statistics(PackedGraphs.from_graphs([ArchGraph(("conv",), (), None, (1,))], VOCABULARY))
    on_edges = PackedGraphs.from_graphs([ArchGraph(("input", "output"), ((0, 1),), ("conv",))], VOCABULARY)
    for refuse in (statistics, Statistics.fit):
        with pytest.raises(UsageError, match=r"convert them with \.on_nodes"):
            refuse(on_edges)
    backwards = PackedGraphs.from_arrays(np.array([[1, 2]]), np.array([[[0, 0], [1, 0]]]), VOCABULARY)
    with pytest.raises(UsageError, match="number the nodes in topological order"):
        statistics(backwards)


def test_statistics_come_back_from_json() -> None:
    statistics = Statistics.fit(PackedGraphs.from_graphs([DIAMOND], VOCABULARY), costs=("params",))
    assert Statistics.from_dict(json.loads(json.dumps(statistics.to_dict()))) == statistics


_GOOD: dict[str, Any] = {
    "vocabulary": ["a", "b"],
    "num_cells": 1,
    "operators": ["a"],
    "subsets": [["a"]],
    "costs": [],
}


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "statistics",
        {},
        {**_GOOD, "more": 1},
        *({**_GOOD, "num_cells": value} for value in (0, -1, 10**9, 10**400, True, 1.0, "1", None)),
        *({**_GOOD, "vocabulary": value} for value in ([], "ab", ["a", "a"], [1], [["a"]], {"a": 1}, ["b"])),
        *({**_GOOD, "operators": value} for value in ([], ["c"], ["a", "a"], "a", [None], {})),
        *({**_GOOD, "subsets": value} for value in ("a", [[]], ["a"], [["b"]], [["a", "a"]], [["a"]] * 200_000)),
        *({**_GOOD, "costs": value} for value in ("params", [1], ["params", "params"], None)),
        {**_GOOD, "vocabulary": [str(i) for i in range(100_000)], "operators": ["1"], "subsets": []},
        {**_GOOD, "vocabulary": list(map(str, range(2500))), "operators": ["1"], "subsets": [["1"]] * 10_000},
    ],
    ids=lambda data: repr(data)[:60],
)
def test_nonsense_in_place_of_statistics_is_refused(data: Any) -> None:
    with pytest.raises(DataError, match=r"must (be|name)|were asked for"):
        Statistics.from_dict(data)


def test_the_example_of_good_values_is_good() -> None:
    assert Statistics.from_dict(_GOOD).operators == ("a",)


@pytest.mark.parametrize("space", [Darts(), NASBench201(), NASBench101()], ids=lambda space: space.name)
def test_samples_of_every_space_have_finite_statistics_that_tell_them_apart(space: SearchSpace) -> None:
    sample = space.architectures(space.sample(500, np.random.default_rng(0)))
    graphs = [architecture.graph.on_nodes for architecture in sample]
    packed = PackedGraphs.from_graphs(graphs, sorted({label for graph in graphs for label in graph.ops}))
    statistics = Statistics.fit(packed)
    values = statistics(packed)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert len(np.unique(values, axis=0)) > 0.9 * len({graph.key for graph in graphs})


def test_cells_of_the_table_of_nasbench101_have_finite_statistics(data_folder: Path) -> None:
    path = data_folder / "nasbench101" / "space.npz"
    if not path.is_file():
        pytest.skip(f"needs the cells of NAS-Bench-101: {path.name} is not there")
    with np.load(path) as file:
        adjacency, labels = unpack(file["edge_bits"][:2000], file["n_vertices"][:2000], file["ops"][:2000])
    number = np.zeros(256, dtype=np.uint8)
    number[[0, 1, 2, 253, 254]] = [1, 2, 3, 4, 5]
    packed = PackedGraphs.from_arrays(
        number[labels], adjacency, ("conv3x3", "conv1x1", "maxpool3x3", "output", "input")
    )
    statistics = Statistics.fit(packed)
    assert set(statistics.operators) == set(OPERATORS)
    values = dict(zip(statistics.names, statistics(packed).T, strict=True))
    assert all(np.isfinite(column).all() for column in values.values())
    np.testing.assert_array_equal(values["cell0: edges"], adjacency.sum(axis=(1, 2)))
    assert set(values["cell0: sources"]) == set(values["cell0: sinks"]) == {1.0}
