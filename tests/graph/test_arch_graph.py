"""ArchGraph: validation, keys against networkx, the operation-on-node form, and JSON from anywhere."""

from __future__ import annotations

import copy
import json
import pickle
from collections import Counter
from dataclasses import FrozenInstanceError, replace
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.backends import has_dgl
from archpredict.errors import InvalidGraphError
from archpredict.graph.arch_graph import DATA, SUM, ArchGraph
from archpredict.testing.graphs import EDGE_OPS, arch_graphs, relabelled

any_graph = arch_graphs(max_nodes=6) | arch_graphs(max_nodes=6, edge_ops=EDGE_OPS, cells=2)
two_labels = arch_graphs(max_nodes=5, ops=("a", "b")) | arch_graphs(max_nodes=4, ops=("a",), edge_ops=("x", "y"))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"ops": (), "edges": ()}, "at least one node, none was given"),
        (
            {"ops": ("a", "b"), "edges": ((1, 0),)},
            r"\(1, 0\) is not .* number the nodes in topological order",
        ),
        ({"ops": ("a", "b"), "edges": ((0, 0),)}, r"edge \(0, 0\) is not"),
        ({"ops": ("a", "b"), "edges": ((0, 2),)}, r"0 <= source < destination < 2"),
        ({"ops": ("a", "b"), "edges": ((-1, 1),)}, r"edge \(-1, 1\)"),
        ({"ops": ("a",), "edges": (), "cells": (0, 0)}, "cells has 2 entries for 1 nodes; give one per node"),
        ({"ops": ("a",), "edges": (), "cells": (-1,)}, "cells must count from 0, got -1"),
        ({"ops": ("a", "b"), "edges": ((0, 1),), "edge_ops": ()}, "edge_ops has 0 entries for 1 edges"),
        (
            {"ops": ("a",), "edges": (), "attrs": {"macs": np.ones(2)}},
            "attribute 'macs' has 2 rows for 1 nodes",
        ),
    ],
)
def test_what_is_no_graph_is_refused_with_a_reason(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidGraphError, match=message):
        ArchGraph(**parts)


@given(st.data())
def test_renumbering_keeps_key_and_isomorphism(data: st.DataObject) -> None:
    graph = data.draw(any_graph)
    other = data.draw(relabelled(graph))
    assert other.key == graph.key
    assert other.is_isomorphic(graph)
    assert other.on_nodes.key == graph.on_nodes.key
    assert (other == graph) == (hash(other) == hash(graph))


@given(two_labels, two_labels)
def test_keys_are_equal_where_networkx_finds_an_isomorphism(a: ArchGraph, b: ArchGraph) -> None:
    isomorphic = _networkx_isomorphic(a, b)
    assert a.is_isomorphic(b) == isomorphic
    if isomorphic:
        assert a.key == b.key
    else:  # strong evidence only in general; on graphs this small it has to tell them apart
        assert a.key != b.key


def _networkx_isomorphic(a: ArchGraph, b: ArchGraph) -> bool:
    """Parallel edges are folded into counts, so that the plain digraph matcher decides."""

    def folded(graph: ArchGraph) -> nx.DiGraph:
        out = nx.DiGraph()
        for i, (op, cell) in enumerate(zip(graph.ops, graph.cells, strict=True)):
            out.add_node(i, label=(op, cell))
        labels = graph.edge_ops or ("",) * graph.num_edges
        for (edge, label), count in Counter(zip(graph.edges, labels, strict=True)).items():
            known = out.get_edge_data(*edge, default={"label": frozenset()})["label"]
            out.add_edge(*edge, label=known | {(label, count)})
        return out

    def same(x: dict[str, Any], y: dict[str, Any]) -> bool:
        return bool(x["label"] == y["label"])

    return bool(nx.is_isomorphic(folded(a), folded(b), node_match=same, edge_match=same))


def test_the_key_sees_labels_directions_multiplicities_cells_and_attributes() -> None:
    base = ArchGraph(("a", "b", "b"), ((0, 1), (0, 2)))
    others = [
        ArchGraph(("a", "b", "c"), ((0, 1), (0, 2))),
        ArchGraph(("b", "b", "a"), ((0, 2), (1, 2))),
        ArchGraph(("a", "b", "b"), ((0, 1), (0, 2), (0, 2))),
        ArchGraph(("a", "b", "b"), ((0, 1), (1, 2))),
        ArchGraph(("a", "b", "b"), ((0, 1), (0, 2)), ("x", "y")),
        ArchGraph(("a", "b", "b"), ((0, 1), (0, 2)), cells=(0, 1, 0)),
        ArchGraph(("a", "b", "b"), ((0, 1), (0, 2)), attrs={"macs": np.array([0.0, 1.0, 1.0])}),
    ]
    keys = {graph.key for graph in [base, *others]}
    assert len(keys) == len(others) + 1
    assert not any(base.is_isomorphic(other) for other in others)


def test_the_key_tells_a_double_edge_from_edges_to_two_like_nodes() -> None:
    doubled = ArchGraph(("s", "s", "t", "t"), ((0, 2), (0, 2), (1, 3), (1, 3)))
    crossed = ArchGraph(("s", "s", "t", "t"), ((0, 2), (0, 3), (1, 2), (1, 3)))
    assert doubled.key != crossed.key


def test_equal_keys_are_no_proof_but_is_isomorphic_decides() -> None:
    # Six sources and six sinks in one ring of twelve edges, or in two rings of six: all look alike.
    one = [(i, 6 + i) for i in range(6)] + [(i, 6 + (i + 1) % 6) for i in range(6)]
    two = [(i, 6 + i) for i in range(6)] + [(i, 6 + 3 * (i // 3) + (i + 1) % 3) for i in range(6)]
    a, b = (ArchGraph(("s",) * 6 + ("t",) * 6, tuple(edges)) for edges in (one, two))
    assert a.key == b.key
    assert not a.is_isomorphic(b)


@pytest.mark.parametrize("order", [(0, 1), (0, 1, 1), (2, 1, 0), (0, 1, 3)])
def test_a_wrong_order_is_refused(order: tuple[int, ...]) -> None:
    with pytest.raises(InvalidGraphError, match=r"each of the 3 nodes once|topological order"):
        ArchGraph(("a", "b", "c"), ((0, 1), (1, 2))).relabel(order)


# ------------------------------------------------------------------ the operation-on-node form


def test_a_graph_without_edge_operations_is_its_own_operation_on_node_form() -> None:
    graph = ArchGraph(("a", "b"), ((0, 1),))
    assert graph.on_nodes is graph


def test_edge_operations_become_nodes_and_sums_disappear() -> None:
    graph = ArchGraph(("input", SUM, "output"), ((0, 1), (0, 1), (1, 2), (0, 2)), ("conv", "pool", "skip", "conv"))
    on_nodes = graph.on_nodes
    assert on_nodes.ops == ("input", "conv", "pool", "skip", "conv", "output")
    # Both operations that feed the sum feed the one that reads it.
    assert sorted(on_nodes.edges) == [(0, 1), (0, 2), (0, 4), (1, 3), (2, 3), (3, 5), (4, 5)]
    assert on_nodes.edge_ops is None


def test_parallel_edges_become_parallel_operations() -> None:
    on_nodes = ArchGraph(("input", "output"), ((0, 1), (0, 1)), ("conv", "conv")).on_nodes
    assert on_nodes.ops == ("input", "conv", "conv", "output")
    assert sorted(on_nodes.edges) == [(0, 1), (0, 2), (1, 3), (2, 3)]


def test_data_edges_make_no_node_and_a_sum_read_twice_counts_twice() -> None:
    graph = ArchGraph(("input", SUM, "output"), ((0, 1), (1, 2), (1, 2)), ("conv", DATA, DATA))
    assert graph.on_nodes.ops == ("input", "conv", "output")
    assert sorted(graph.on_nodes.edges) == [(0, 1), (1, 2), (1, 2)]


def test_sums_at_the_ends_stay() -> None:
    graph = ArchGraph((SUM, SUM), ((0, 1),), ("conv",), cells=(0, 1))
    assert graph.on_nodes.ops == (SUM, "conv", SUM)
    assert graph.on_nodes.cells == (0, 1, 1)


def _paths(graph: ArchGraph) -> Counter[tuple[str, ...]]:
    """How often each sequence of operations leads from a source to a sink; sums and data do not count."""
    labels = graph.edge_ops or (DATA,) * graph.num_edges
    arriving: list[Counter[tuple[str, ...]]] = [Counter() for _ in graph.ops]
    read = {source for source, _ in graph.edges}
    total: Counter[tuple[str, ...]] = Counter()
    for v, op in enumerate(graph.ops):
        ways = arriving[v] or Counter({(): 1})
        inner = op == SUM and v in read and arriving[v]
        ways = ways if inner else Counter({(*way, op): n for way, n in ways.items()})
        for (source, target), label in zip(graph.edges, labels, strict=True):
            if source == v:
                for way, n in ways.items():
                    arriving[target][way if label == DATA else (*way, label)] += n
        if v not in read:
            total += ways
    return total


@given(arch_graphs(max_nodes=6, edge_ops=EDGE_OPS))
def test_the_operation_on_node_form_has_the_same_paths(graph: ArchGraph) -> None:
    assert _paths(graph.on_nodes) == _paths(graph)


# ------------------------------------------------------------------ in and out


@given(any_graph)
def test_json_reads_back_equal(graph: ArchGraph) -> None:
    again = ArchGraph.from_json(graph.to_json())
    assert again == graph
    assert again.key == graph.key


def test_json_keeps_attributes_bit_for_bit() -> None:
    values = np.array([[0.1, 1 / 3], [1e-300, 7.0]])
    graph = ArchGraph(("a", "b"), ((0, 1),), attrs={"shape": values})
    again = ArchGraph.from_json(graph.to_json())
    np.testing.assert_array_equal(again.attrs["shape"], values)
    assert again == graph != ArchGraph(("a", "b"), ((0, 1),))


_GOOD: dict[str, Any] = json.loads(ArchGraph(("a", "b"), ((0, 1),)).to_json())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "3",
        "{}",
        "[" * 100_000,
        json.dumps({**_GOOD, "archgraph": 2}),
        json.dumps({**_GOOD, "ops": None}),
        json.dumps({**_GOOD, "ops": []}),
        json.dumps({**_GOOD, "edges": [[0]]}),
        json.dumps({**_GOOD, "edges": [[0, 1, 2]]}),
        json.dumps({**_GOOD, "edges": [[1, 0]]}),
        json.dumps({**_GOOD, "edges": [[0, "x"]]}),
        json.dumps({**_GOOD, "edges": [[0, float("inf")]]}),
        json.dumps({**_GOOD, "edges": [[0, float("nan")]]}),
        json.dumps({**_GOOD, "edges": [[0, 10**30]]}),
        json.dumps({**_GOOD, "cells": [0]}),
        json.dumps({**_GOOD, "cells": 0}),
        json.dumps({**_GOOD, "attrs": [1, 2]}),
        json.dumps({**_GOOD, "attrs": {"x": 1}}),
        json.dumps({**_GOOD, "attrs": {"x": [[1], [2, 3]]}}),
        json.dumps({**_GOOD, "attrs": {"x": [1, 10**400]}}),
        json.dumps({key: value for key, value in _GOOD.items() if key != "edge_ops"}),
    ],
)
def test_hostile_json_is_an_invalid_graph(text: str) -> None:
    with pytest.raises(InvalidGraphError):
        ArchGraph.from_json(text)


def test_an_unknown_format_says_which_is_read() -> None:
    with pytest.raises(InvalidGraphError, match="graph format 2 is not 1, the one this version reads"):
        ArchGraph.from_json(json.dumps({**_GOOD, "archgraph": 2}))


def test_networkx_gets_labels_cells_and_attributes() -> None:
    graph = ArchGraph(("a", "b"), ((0, 1), (0, 1)), ("x", "y"), (0, 1), {"macs": np.array([1.0, 2.0])})
    network = graph.to_networkx()
    assert [network.nodes[i]["op"] for i in (0, 1)] == ["a", "b"]
    assert network.nodes[1]["cell"] == 1
    assert network.nodes[1]["macs"] == 2
    assert sorted(op for _, _, op in network.edges(data="op")) == ["x", "y"]


def test_numbers_and_texts_of_numpy_make_the_same_key_and_json_as_plain_ones() -> None:
    plain = ArchGraph(("a", "b"), ((0, 1),), None, (0, 1))
    made = ArchGraph(tuple(np.array(["a", "b"])), tuple(map(tuple, np.array([[0, 1]]))), None, tuple(np.array([0, 1])))
    assert made.key == plain.key
    assert made.to_json() == plain.to_json()


@pytest.mark.parametrize("kind", [list, tuple, np.array], ids=["lists", "tuples", "arrays"])
def test_a_graph_of_lists_or_arrays_is_the_graph_of_tuples(kind: Any) -> None:
    plain = ArchGraph(("a", "b", "c"), ((0, 1), (1, 2)), ("x", "y"), (0, 0, 1), {"m": np.arange(3.0)}, ("p", "q", "r"))
    graph = ArchGraph(
        kind(["a", "b", "c"]),
        kind([(0, 1), (1, 2)]),
        kind(["x", "y"]),
        kind([0, 0, 1]),
        {"m": kind([0.0, 1.0, 2.0])},
        kind(["p", "q", "r"]),
    )
    assert graph == plain
    assert hash(graph) == hash(plain)
    assert graph.key == plain.key
    assert graph.names == plain.names
    assert graph.to_json() == plain.to_json()
    for value in (graph.ops, graph.edges, graph.edges[0], graph.edge_ops, graph.cells, graph.names):
        assert type(value) is tuple
    assert {type(end) for edge in graph.edges for end in edge} == {int}
    assert {type(cell) for cell in graph.cells} == {int}


def test_parts_may_be_iterators() -> None:
    graph = ArchGraph(iter("ab"), (edge for edge in [[0, 1]]), cells=iter([0, 0]))  # type: ignore[arg-type]
    assert graph == ArchGraph(("a", "b"), ((0, 1),))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"ops": "ab"}, "ops is a sequence of labels, 'ab' was given"),
        ({"ops": 3}, "ops is a sequence of labels, 3 was given"),
        (
            {"edges": ((0.0, 1.0),)},
            r"an edge \(source, destination\) is a sequence of integers, \(0.0, 1.0\) was given",
        ),
        ({"edges": ((False, True),)}, r"an edge \(source, destination\) is a sequence of integers"),
        ({"edges": ((0, 1, 1),)}, r"an edge is a pair \(source, destination\), \(0, 1, 1\) was given"),
        ({"edges": (0, 1)}, r"an edge \(source, destination\) is a sequence of integers, 0 was given"),
        ({"edges": 5}, r"edges is a sequence of pairs \(source, destination\), 5 was given"),
        ({"edges": [[1, 0]]}, r"edge \(1, 0\) is not 0 <= source < destination < 2"),
        ({"cells": (0, 0.5)}, "cells is a sequence of integers"),
        ({"cells": np.array([0.0, 1.0])}, "cells is a sequence of integers"),
        ({"attrs": {"m": 3.0}}, "attribute 'm' has no rows for 2 nodes"),
        ({"attrs": {"m": ["x", "y"]}}, "attribute 'm' is of <U1; expected numbers"),
        ({"attrs": {"m": [object(), object()]}}, "attribute 'm' is of object; expected numbers"),
    ],
)
def test_parts_of_a_wrong_kind_are_one_sentence(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidGraphError, match=message):
        ArchGraph(**{"ops": ("a", "b"), "edges": ((0, 1),), **parts})


def copies(graph: ArchGraph) -> list[ArchGraph]:
    return [
        graph,
        copy.copy(graph),
        copy.deepcopy(graph),
        pickle.loads(pickle.dumps(graph)),
        replace(graph, names=None),
    ]


def test_attributes_cannot_be_written_to_and_the_key_cannot_go_stale() -> None:
    values = np.array([1.0, 2.0])
    original = ArchGraph(("a", "b"), ((0, 1),), attrs={"m": values})
    key = original.key
    values[0] = 7.0  # of the caller, who may
    for graph in copies(original):
        assert graph == original
        assert graph.key == key == ArchGraph.from_json(graph.to_json()).key
        with pytest.raises(ValueError, match="read-only"):
            graph.attrs["m"][0] = 7.0
        with pytest.raises(TypeError, match="does not support item assignment"):
            graph.attrs["m"] = values  # type: ignore[index]
        with pytest.raises(TypeError, match="does not support item assignment"):
            graph.attrs["n"] = values  # type: ignore[index]
        with pytest.raises(FrozenInstanceError):
            graph.ops = ()  # type: ignore[misc]


def test_a_view_that_only_looks_unchangeable_is_copied() -> None:
    values = np.array([1.0, 2.0])
    view = values.view()
    view.flags.writeable = False
    graph = ArchGraph(("a", "b"), ((0, 1),), attrs={"m": view})
    values[0] = 7.0
    assert graph.attrs["m"].tolist() == [1.0, 2.0]
    assert replace(graph, names=("p", "q")).attrs["m"] is graph.attrs["m"], "nobody can write to it: no second copy"


@given(any_graph)
def test_copies_and_pickles_are_equal_and_have_the_same_key(graph: ArchGraph) -> None:
    for other in copies(graph):
        assert other == graph
        assert hash(other) == hash(graph)
        assert other.key == graph.key


@pytest.mark.skipif(not has_dgl(), reason="DGL does not run here")
def test_a_graph_goes_to_dgl_without_a_warning() -> None:
    graph = ArchGraph(("a", "b"), ((0, 1),), attrs={"m": np.array([1.0, 2.0])}).to_dgl()
    assert graph.ndata["m"].tolist() == [1.0, 2.0]


def test_parts_of_one_array_that_nobody_can_write_to_are_not_copied() -> None:
    table = np.zeros((2, 3))
    of_open = ArchGraph(("a", "b"), (), attrs={"x": table[:, :2]}).attrs["x"]
    assert not np.shares_memory(of_open, table)
    table.flags.writeable = False
    of_frozen = ArchGraph(("a", "b"), (), attrs={"x": table[:, :2]}).attrs["x"]
    assert np.shares_memory(of_frozen, table)
    with pytest.raises(ValueError, match="read-only"):
        of_frozen[0, 0] = 1
