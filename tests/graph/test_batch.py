"""GraphBatch: three back ends, one meaning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from archpredict.backends import has_dgl
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import Backend, GraphBatch, batched, collate
from archpredict.graph.packed import PackedGraphs
from archpredict.testing.graphs import arch_graphs

OPS = ("input", "conv", "pool", "output")
BACKENDS: list[Backend] = ["dense", "scatter", *(["dgl"] if has_dgl() else [])]  # type: ignore[list-item]


def random_graphs(count: int, seed: int = 0) -> list[ArchGraph]:
    rng = np.random.default_rng(seed)
    graphs = []
    for _ in range(count):
        n = int(rng.integers(1, 9))
        pairs = [(s, t) for t in range(n) for s in range(t) if rng.random() < 0.5]
        pairs += [pairs[0]] if pairs else []  # a parallel edge
        cells = tuple(sorted(rng.integers(0, 2, n).tolist()))
        graphs.append(ArchGraph(tuple(rng.choice(OPS, n).tolist()), tuple(pairs), None, cells))
    return graphs


def features(batch: GraphBatch, table: torch.Tensor) -> torch.Tensor:
    return table[batch.op]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("gated", [False, True])
def test_all_back_ends_agree_in_values_and_gradients(reverse: bool, gated: bool) -> None:
    graphs = random_graphs(20)
    packed = PackedGraphs.from_graphs(graphs, OPS, num_cells=2)
    gates = torch.randn(len(packed.source), 5)
    results = []
    for backend in BACKENDS:
        table = torch.linspace(-1, 1, 25).view(5, 5).requires_grad_()
        gate = gates.clone().requires_grad_() if gated else None
        batch = batched(packed, backend=backend)
        h = batch.aggregate(features(batch, table), reverse=reverse, gate=gate)
        pooled = torch.cat([batch.pool(h.tanh(), how) for how in ("mean", "sum", "output")], dim=-1)
        (pooled**2).sum().backward()  # type: ignore[no-untyped-call]
        results.append((pooled.detach(), table.grad, gate.grad if gate is not None else None))
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            if mine is not None:
                torch.testing.assert_close(theirs, mine, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_aggregation_sums_over_arriving_edges_and_counts_parallel_ones(backend: Backend) -> None:
    graph = ArchGraph(("input", "conv", "output"), ((0, 1), (0, 1), (1, 2), (0, 2)))
    batch = collate([graph], OPS, backend=backend)
    h = torch.tensor([1.0, 10.0, 100.0]).view(*batch.op.shape, 1)
    assert batch.aggregate(h).flatten().tolist() == [0, 2, 11]
    assert batch.aggregate(h, reverse=True).flatten().tolist() == [120, 100, 0]
    assert batch.degree().flatten().tolist() == [0, 2, 2]
    assert batch.degree(reverse=True).flatten().tolist() == [3, 1, 0]


@pytest.mark.parametrize("reverse", [False, True])
@settings(max_examples=25, deadline=None)
@given(st.lists(arch_graphs(ops=OPS), min_size=1, max_size=4))
def test_averages_are_sums_over_the_number_of_arriving_edges(reverse: bool, graphs: list[ArchGraph]) -> None:
    found = []
    for backend in BACKENDS:
        batch = collate(graphs, OPS, backend=backend)
        table = torch.linspace(-1, 1, 15).view(5, 3).requires_grad_()
        h = features(batch, table)
        sums, degree = batch.aggregate(h, reverse=reverse), batch.degree(reverse=reverse)
        mean, onto = batch.average(h, reverse=reverse), batch.average(h, reverse=reverse, onto=h)
        torch.testing.assert_close(mean, sums / degree.clamp(min=1), atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(onto, mean + h, atol=1e-6, rtol=1e-5)
        (nodes_of(batch, mean) ** 2).sum().backward()  # type: ignore[no-untyped-call]
        found.append((nodes_of(batch, mean).detach(), table.grad))
    for other in found[1:]:
        for mine, theirs in zip(found[0], other, strict=True):
            torch.testing.assert_close(theirs, mine, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gates_multiply_messages_in_the_order_of_edges(backend: Backend) -> None:
    graph = ArchGraph(("input", "conv", "output"), ((0, 1), (0, 1), (1, 2)))
    batch = collate([graph], OPS, backend=backend)
    h = torch.ones(*batch.op.shape, 1)
    gate = torch.tensor([[2.0], [3.0], [0.5]])
    assert batch.aggregate(h, gate=gate).flatten().tolist() == [0, 5, 0.5]


@pytest.mark.parametrize("backend", BACKENDS)
def test_pooling_is_per_cell_and_zero_where_a_cell_is_missing(backend: Backend) -> None:
    two = ArchGraph(("input", "output", "input", "conv"), ((0, 1),), None, (0, 0, 1, 1))
    one = ArchGraph(("input",), ())
    batch = batched(PackedGraphs.from_graphs([two, one], OPS), backend=backend)
    h = torch.tensor([1.0, 3.0, 5.0, 9.0, 7.0])
    h = torch.cat([h, torch.zeros(3)]).view(2, 4, 1) if backend == "dense" else h[:, None]
    assert batch.pool(h).flatten().tolist() == [2, 7, 7, 0]
    assert batch.pool(h, "sum").flatten().tolist() == [4, 14, 7, 0]
    assert batch.pool(h, "output").flatten().tolist() == [3, 7, 7, 0]
    spread = batch.spread(torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]]))
    assert spread.flatten().tolist()[:5] == [1, 1, 2, 2, 3]


@settings(max_examples=30, deadline=None)
@given(arch_graphs(ops=OPS))
def test_packing_keeps_every_node_and_edge(graph: ArchGraph) -> None:
    packed = PackedGraphs.from_graphs([graph, graph], OPS)
    second = packed[1:2]
    assert tuple(OPS[i - 1] for i in second.op) == graph.ops
    assert tuple(zip(second.source.tolist(), second.target.tolist(), strict=True)) == graph.edges
    assert tuple(second.cell.tolist()) == graph.cells


def test_slicing_by_index_and_concatenation_rebuild_the_whole() -> None:
    packed = PackedGraphs.from_graphs(random_graphs(10), OPS, num_cells=2)
    order = np.array([7, 2, 2, 9, 0])
    picked = packed[order]
    for place, i in enumerate(order):
        for name in ("op", "source", "target", "cell"):
            assert getattr(picked[place : place + 1], name).tolist() == getattr(packed[i : i + 1], name).tolist()
    again = PackedGraphs.concat([packed[:4], packed[4:]])
    for name in ("op", "cell", "node_start", "source", "target", "edge_op", "edge_start"):
        assert getattr(again, name).tolist() == getattr(packed, name).tolist()


def test_numbers_of_nodes_stay_with_their_nodes_in_slices_concatenations_and_batches() -> None:
    graphs = random_graphs(6)
    total = sum(graph.num_nodes for graph in graphs)
    numbers = np.random.default_rng(1).normal(size=(total, 3)).astype(np.float32)
    packed = PackedGraphs.from_graphs(graphs, OPS, num_cells=2, features=numbers)
    start = packed.node_start
    order = np.array([4, 0, 0, 2])
    expected = np.concatenate([numbers[start[i] : start[i + 1]] for i in order])
    np.testing.assert_array_equal(packed[order].features, expected)
    np.testing.assert_array_equal(PackedGraphs.concat([packed[:2], packed[2:]]).features, numbers)
    for backend in BACKENDS:
        batch = batched(packed[order], backend=backend)
        assert batch.features is not None
        assert batch.features.shape == (*batch.op.shape, 3)
        np.testing.assert_array_equal(nodes_of(batch, batch.features), expected)
        assert not batch.features[batch.op == 0].any()
        assert batched(PackedGraphs.from_graphs(graphs, OPS, 2), backend=backend).features is None


def test_numbers_of_another_count_of_nodes_are_refused() -> None:
    for shape in ((2, 4), (3,)):
        with pytest.raises(UsageError, match="features of 3 nodes are an array with as many rows, one of shape"):
            PackedGraphs.from_graphs([ArchGraph(OPS[:3], ())], OPS, features=np.zeros(shape, np.float32))


def test_a_label_stands_for_those_outside_the_vocabulary_where_one_is_named() -> None:
    graph = ArchGraph(("attention", "conv"), ((0, 1),), ("mystery",))
    packed = PackedGraphs.from_graphs([graph], OPS, unknown="pool")
    assert packed.op.tolist() == [3, 2]
    assert packed.edge_op.tolist() == [3]


def test_padded_arrays_pack_like_graphs() -> None:
    graphs = [
        ArchGraph(("input", "conv", "output"), ((0, 1), (1, 2))),
        ArchGraph(("input", "output"), ((0, 1),)),
    ]
    op = np.array([[1, 2, 4], [1, 4, 0]])
    adjacency = np.zeros((2, 3, 3), dtype=np.uint8)
    adjacency[0, 0, 1] = adjacency[0, 1, 2] = adjacency[1, 0, 1] = 1
    one, two = PackedGraphs.from_arrays(op, adjacency, OPS), PackedGraphs.from_graphs(graphs, OPS)
    for name in ("op", "cell", "node_start", "source", "target", "edge_op", "edge_start"):
        assert getattr(one, name).tolist() == getattr(two, name).tolist()


def test_a_label_outside_the_vocabulary_is_named() -> None:
    with pytest.raises(UsageError, match="'attention' is not one of those the predictor knows: input, conv"):
        collate([ArchGraph(("attention",), ())], OPS)


def test_an_unknown_back_end_lists_the_choices() -> None:
    with pytest.raises(UsageError, match="unknown back end 'tpu'; choose from: auto, dense, dgl, scatter"):
        collate([ArchGraph(("input",), ())], OPS, backend="tpu")  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_graphs_at_all_and_graphs_without_edges_are_batches_too(backend: Backend) -> None:
    nothing = batched(PackedGraphs.from_graphs([], OPS), backend=backend)
    assert nothing.pool(torch.zeros(*nothing.op.shape, 2)).shape == (0, 1, 2)
    lone = collate([ArchGraph(("input",), ()), ArchGraph(("conv",), ())], OPS, backend=backend)
    h = torch.tensor([3.0, 5.0]).view(*lone.op.shape, 1)
    assert lone.aggregate(h).flatten().tolist() == [0, 0]
    assert lone.aggregate(h, onto=h, reverse=True).flatten().tolist() == [3, 5]
    assert lone.pool(h, "output").flatten().tolist() == [3, 5]


@pytest.mark.parametrize(
    "index", [slice(None, None, -1), slice(2, 0), np.array([True, False, True]), np.array([-1, 0])]
)
def test_packs_are_sliced_as_arrays_are(index: slice | np.ndarray) -> None:
    graphs = [ArchGraph(("conv",) * n, tuple((i, i + 1) for i in range(n - 1))) for n in (1, 2, 4)]
    packed = PackedGraphs.from_graphs(graphs, OPS)[index]
    expected = [graphs[i] for i in np.arange(3)[index]]
    assert np.diff(packed.node_start).tolist() == [g.num_nodes for g in expected]
    assert packed.target.tolist() == [t for g in expected for _, t in g.edges]


def test_more_labels_cells_and_nodes_than_fit_a_byte_are_kept_apart() -> None:
    labels = tuple(f"op{i}" for i in range(300))
    graph = ArchGraph(labels, tuple((i, 299) for i in range(299)), None, tuple(range(300)))
    packed = PackedGraphs.from_graphs([graph, graph], labels)
    for backend in BACKENDS:
        batch = batched(packed, backend=backend)
        h = torch.arange(600.0).view(*batch.op.shape, 1)
        assert batch.op.flatten().tolist() == [*range(1, 301)] * 2
        assert batch.pool(h).flatten().tolist() == h.flatten().tolist()
        assert batch.aggregate(h).flatten()[[299, 599]].tolist() == [sum(range(299)), sum(range(300, 599))]


def test_a_graph_of_thirteen_thousand_nodes_passes_messages_on_every_sparse_back_end() -> None:
    n = 13_000
    chain = ArchGraph(("conv",) * n, tuple((i, i + 1) for i in range(n - 1)))
    for backend in BACKENDS[1:]:
        batch = collate([chain, ArchGraph(("input",), ())], OPS, backend=backend)
        h = torch.arange(n + 1.0)[:, None]
        assert batch.aggregate(h).flatten().tolist() == [0, *range(n - 1), 0]
        assert batch.pool(h, "output").flatten().tolist() == [n - 1, n]


def test_a_graph_with_more_cells_than_the_predictor_knows_is_refused() -> None:
    two = ArchGraph(("input", "conv"), (), None, (0, 1))
    with pytest.raises(UsageError, match="a graph with 2 cells was given, the predictor knows 1 per graph"):
        PackedGraphs.from_graphs([two], OPS, num_cells=1)


def test_padding_among_the_nodes_or_with_edges_is_refused() -> None:
    edges = np.zeros((1, 3, 3), dtype=np.uint8)
    with pytest.raises(UsageError, match="must come after all nodes"):
        PackedGraphs.from_arrays(np.array([[1, 0, 2]]), edges, OPS)
    edges[0, 0, 2] = 1
    with pytest.raises(UsageError, match="and have no edges"):
        PackedGraphs.from_arrays(np.array([[1, 2, 0]]), edges, OPS)


# ---------------------------------------------------------------------- level sets

WEIGHT = torch.linspace(-1, 1, 12).view(3, 4)
"""From a node's state, 4 numbers, to what it sends, 3 numbers."""


def swept(batch: GraphBatch, table: Tensor, reverse: bool) -> Tensor:
    """``h_v = tanh([table_v ; 0] + [sum of W h_u ; 1])``, the 1 where the sum is None."""

    def update(values: Sequence[Tensor], received: Tensor | None) -> tuple[Tensor, Tensor]:
        h, op = values
        assert torch.equal(h, table[op])  # every value is that of the nodes visited
        first = torch.ones(len(op), 1) if received is None else torch.zeros(len(op), 1)
        state = torch.tanh(torch.cat([h + (0 if received is None else received), first], dim=1))
        return state, state @ WEIGHT.T

    return batch.visit([table[batch.op], batch.op], update, reverse=reverse)


def recursed(graph: ArchGraph, table: Tensor, reverse: bool) -> Tensor:
    """The same, node by node."""
    edges = [(t, s) for s, t in graph.edges] if reverse else list(graph.edges)
    known: dict[int, Tensor] = {}

    def state(v: int) -> Tensor:
        if v not in known:
            sources = [source for source, target in edges if target == v]
            total = table[OPS.index(graph.ops[v]) + 1]
            for source in sources:
                total = total + WEIGHT @ state(source)
            known[v] = torch.tanh(torch.cat([total, torch.zeros(1) if sources else torch.ones(1)]))
        return known[v]

    return torch.stack([state(v) for v in range(graph.num_nodes)])


def nodes_of(batch: GraphBatch, h: Tensor) -> Tensor:
    """``(T, D)`` without padding."""
    sizes = np.diff(batch.packed.node_start)
    return torch.cat([part[:n] for part, n in zip(h, sizes, strict=True)]) if h.dim() == 3 else h


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reverse", [False, True])
@settings(max_examples=25, deadline=None)
@given(st.lists(arch_graphs(ops=OPS, cells=2), min_size=1, max_size=4))
def test_a_visit_by_level_sets_is_a_recursion_over_predecessors(
    backend: Backend, reverse: bool, graphs: list[ArchGraph]
) -> None:
    batch = batched(PackedGraphs.from_graphs(graphs, OPS, num_cells=2), backend=backend)
    tables = [torch.linspace(-1, 1, 15).view(5, 3).requires_grad_() for _ in range(2)]
    given_states = nodes_of(batch, swept(batch, tables[0], reverse))
    expected = torch.cat([recursed(graph, tables[1], reverse) for graph in graphs])
    torch.testing.assert_close(given_states, expected, atol=1e-6, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(nodes_of(batch, swept(batch, tables[0], reverse)), given_states)
    for states in (given_states, expected):
        (states**2 * torch.arange(1.0, 5)).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(tables[0].grad, tables[1].grad, atol=1e-5, rtol=1e-4)


def halved(values: Sequence[Tensor], received: Tensor | None) -> tuple[Tensor, Tensor]:
    """A node's state is its feature and half of what it received."""
    state = values[0] if received is None else values[0] + received / 2
    return state, state


def counted(backend: Backend, graphs: list[ArchGraph], reverse: bool = False) -> tuple[GraphBatch, Tensor, list[int]]:
    """Sweep in which each node's state is 1 and what it received: the number of paths that end there."""
    batch = collate(graphs, OPS, backend=backend)
    sizes: list[int] = []

    def update(values: Sequence[Tensor], received: Tensor | None) -> tuple[Tensor, Tensor]:
        (op,) = values
        sizes.append(len(op))
        paths = torch.ones(len(op), 1) if received is None else received
        return paths, paths

    return batch, batch.visit([batch.op], update, reverse=reverse), sizes


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_visit_by_level_sets_counts_parallel_edges_and_visits_equal_distances_at_once(backend: Backend) -> None:
    twice = ArchGraph(("input", "conv", "conv", "output"), ((0, 1), (0, 1), (0, 2), (1, 3), (1, 3), (2, 3), (1, 2)))
    lone = ArchGraph(("conv",), ())
    batch, paths, sizes = counted(backend, [twice, lone])
    assert nodes_of(batch, paths).flatten().tolist() == [1, 2, 3, 7, 1]
    assert sizes == [2, 1, 1, 1]
    batch, paths, sizes = counted(backend, [twice, lone], reverse=True)
    assert nodes_of(batch, paths).flatten().tolist() == [7, 3, 1, 1, 1]
    assert sizes == [2, 1, 1, 1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_visit_by_level_sets_over_graphs_without_edges_is_one_step(backend: Backend, reverse: bool) -> None:
    batch, paths, sizes = counted(backend, [ArchGraph(("conv",) * n, ()) for n in (1, 3)], reverse)
    assert sizes == [4]
    assert nodes_of(batch, paths).flatten().tolist() == [1] * 4


def test_a_visit_by_level_sets_leaves_zeros_in_the_padding() -> None:
    _, paths, _ = counted("dense", [ArchGraph(("conv",) * n, ((0, 1),) if n > 1 else ()) for n in (1, 3, 2)])
    assert paths.shape == (3, 3, 1)
    assert paths[..., 0].tolist() == [[1, 0, 0], [1, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_visit_by_level_sets_over_nothing_is_refused(backend: Backend) -> None:
    with pytest.raises(UsageError, match="visiting by level sets needs at least one graph"):
        counted(backend, [])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("backend", ["dense", "scatter"])
def test_every_operation_gives_the_same_on_cuda(backend: Backend) -> None:
    packed = PackedGraphs.from_graphs(random_graphs(20), OPS, num_cells=2)
    gate, table = torch.randn(len(packed.source), 5), torch.randn(5, 5)
    results = []
    for device in ("cpu", "cuda"):
        batch = batched(packed, device, backend)
        h = features(batch, table.to(device))
        sums = [batch.aggregate(h, reverse=r, gate=g, onto=h) for r in (False, True) for g in (None, gate.to(device))]
        sums += [batch.visit([h], halved, reverse=r) for r in (False, True)]
        pooled = [batch.pool(torch.stack(sums).sum(0), how) for how in ("mean", "sum", "output")]
        everything = [*sums, *pooled, batch.spread(pooled[0]), batch.degree(), batch.degree(reverse=True)]
        results.append([x.cpu() for x in everything])
    torch.testing.assert_close(results[1], results[0], atol=1e-4, rtol=1e-5)
