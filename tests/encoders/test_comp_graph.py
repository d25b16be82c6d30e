"""CompGraph: the layer by hand, back ends, invariances, size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from archpredict.backends import has_dgl
from archpredict.encoders.comp_graph import CompGraph
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import Backend, GraphBatch, batched, collate
from archpredict.graph.node_features import node_features
from archpredict.graph.operators import OPERATORS, Operation, computational_graph
from archpredict.graph.packed import PackedGraphs
from archpredict.predict.inputs import InputSpec
from archpredict.runtime import seeded
from archpredict.testing.graphs import computational_graphs, random_computational_graph, topological_orders

BACKENDS: list[Backend] = ["dense", "scatter", *(["dgl"] if has_dgl() else [])]  # type: ignore[list-item]
VARIANTS = [
    {},
    {"virtual_node": False},
    {"jump": False},
    {"gate": False},
    {"virtual_node": False, "jump": False, "gate": False, "layers": 1},
    {"layers": 0},
    {"shapes": True},
]


def make(**options: object) -> CompGraph:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return CompGraph(len(OPERATORS), **{"dim": 8, "layers": 3, **options}).eval()  # type: ignore[arg-type]


def unnormed(**options: object) -> CompGraph:
    """One whose parts are read out side by side, without the norm over all of them."""
    encoder = make(**options)
    encoder.last_norm = torch.nn.Identity()  # type: ignore[assignment]
    return encoder


def packed(graphs: Sequence[ArchGraph]) -> PackedGraphs:
    return InputSpec.fit(list(graphs), form="network")[1].graphs


def batch_of(graphs: Sequence[ArchGraph], backend: Backend = "auto") -> GraphBatch:
    return batched(packed(graphs), backend=backend)


def graphs_of(sizes: Sequence[int], seed: int = 0) -> list[ArchGraph]:
    rng = np.random.default_rng(seed)
    return [random_computational_graph(n, rng) for n in sizes]


def chain(n: int, first: str = "relu") -> ArchGraph:
    operations = [Operation(first if i == 0 else "relu", (1, 8, 4, 4)) for i in range(n)]
    return computational_graph(operations, [(i, i + 1) for i in range(n - 1)])


def norm(h: Tensor) -> Tensor:
    return F.layer_norm(h, h.shape[-1:])


def by_hand(encoder: CompGraph, graph: ArchGraph) -> Tensor:
    """The documented formula, node by node; ``(3 (layers + 1) dim + dim + 4,)``."""
    op = [OPERATORS.index(label) + 1 for label in graph.ops]
    x = torch.from_numpy(node_features(graph))[:, : encoder.features.in_features]
    params, macs = (torch.tensor(graph.attrs[name], dtype=torch.float32).flatten() for name in ("params", "macs"))
    elements = np.prod(np.asarray(graph.attrs["shape"])[:, :4], axis=1).sum()
    h = [norm(encoder.embedding.weight[op[v]] + encoder.features(x[v])) for v in range(graph.num_nodes)]
    h = [z + encoder.first(z) for z in h]
    s = torch.zeros(8)

    def read(h: list[Tensor]) -> list[Tensor]:
        z = torch.stack(h)
        return [z.mean(0), params @ z / params.sum(), macs @ z / macs.sum()]

    means = read(h)
    for i in range(len(encoder.own)):
        new = []
        for v in range(graph.num_nodes):
            before = [h[u] for u, w in graph.edges if w == v]
            after = [h[w] for u, w in graph.edges if u == v]
            m = torch.zeros(8)
            for layer, heard in ((encoder.forwards[i], before), (encoder.backwards[i], after)):
                m = m + (torch.stack([layer(z) for z in heard]).mean(0) if heard else 0)
            gated = torch.sigmoid(encoder.gates[i].weight[op[v]]) * m  # type: ignore[index]
            new.append(norm(h[v] + F.relu(encoder.own[i](h[v]) + gated + s)))
        h = new
        means += read(h)
        if i < len(encoder.virtual):
            s = s + encoder.virtual[i](s + means[-3])
    ends = [h[v] for v in range(graph.num_nodes) if all(u != v for u, _ in graph.edges)]
    totals = np.log2(1 + np.array([float(params.sum()), float(macs.sum()), elements, graph.num_nodes]))
    centred = torch.from_numpy(4 * (totals / [25, 25, 25, 8] - [1, 1.3, 1, 1])).float()
    return norm(torch.cat([*means, torch.stack(ends).mean(0), centred]))


def test_heights_and_widths_are_told_apart_where_shapes_are_read() -> None:
    wide, tall = (
        computational_graph([Operation("input", shape), Operation("relu", shape)], [(0, 1)])
        for shape in ((1, 8, 2, 6), (1, 8, 6, 2))
    )
    together = batch_of([wide, tall])
    torch.testing.assert_close(*make()(together))
    assert not torch.allclose(*make(shapes=True)(together))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_documented_formula_node_by_node(backend: Backend) -> None:
    image = (1, 8, 4, 4)
    operations = [Operation(op, image) for op in ("input", "relu", "gelu", "add", "sigmoid", "output")]
    operations[1] = Operation("conv", image, (3, 3), weight=(8, 8, 3, 3))
    operations[2] = Operation("conv", image, (1, 1), weight=(8, 8, 1, 1), bias=True)
    graph = computational_graph(operations, [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3), (1, 4), (3, 5)])
    encoder = make()
    z = encoder(batch_of([chain(9), graph], backend))[1]
    torch.testing.assert_close(z, by_hand(encoder, graph), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", VARIANTS)
def test_every_back_end_gives_the_same_vectors_and_gradients(options: dict[str, object]) -> None:
    graphs = packed(graphs_of([30, 5, 90, 2, 44]))
    found = []
    for backend in BACKENDS:
        encoder = make(**options)
        z = encoder(batched(graphs, backend=backend))
        (z**2).mean().backward()
        found.append([z.detach(), *(p.grad for p in encoder.parameters())])
    assert all(g is not None and g.abs().sum() > 0 for g in found[0])
    for other in found[1:]:
        for mine, theirs in zip(found[0], other, strict=True):
            torch.testing.assert_close(theirs, mine, atol=1e-5, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_vectors_do_not_depend_on_the_numbering_or_on_what_else_is_in_the_batch(data: st.DataObject) -> None:
    graph = data.draw(computational_graphs(max_nodes=20))
    moved = graph.relabel(data.draw(topological_orders(graph)))
    encoder = make()
    alone = encoder(batch_of([graph]))
    for backend in BACKENDS:
        together = encoder(batch_of([*graphs_of([33, 7]), moved, graph], backend))
        torch.testing.assert_close(together[2:], alone.expand(2, -1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, {"virtual_node": False}])
def test_the_first_node_of_a_long_chain_is_seen(options: dict[str, object]) -> None:
    z = make(**options)(batch_of([chain(300), chain(300, first="gelu")]))
    assert (z[0] - z[1]).abs().max() > 1e-4


def test_with_a_virtual_node_the_last_node_hears_of_the_first() -> None:
    batch = batch_of([chain(300), chain(300, first="gelu")])
    for virtual, hears in ((True, True), (False, False)):
        encoder = unnormed(virtual_node=virtual)
        last = encoder(batch)[:, -12:-4]  # the readout of the output node alone
        assert bool((last[0] - last[1]).abs().max() > 1e-6) == hears


def test_the_numbers_of_nodes_are_read() -> None:
    def network(kernel: int) -> ArchGraph:
        conv = Operation("conv", (1, 8, 4, 4), (kernel, kernel), weight=(8, 3, kernel, kernel))
        return computational_graph([Operation("input", (1, 3, 4, 4)), conv], [(0, 1)])

    z = make()(batch_of([network(3), network(5)]))
    assert (z[0] - z[1]).abs().max() > 1e-3


def test_layers_that_do_the_work_weigh_more_than_the_many_that_do_not() -> None:
    def network(kernel: int) -> ArchGraph:
        conv = Operation("conv", (1, 8, 4, 4), (kernel, kernel), weight=(8, 3, kernel, kernel))
        idle = [Operation("relu", (1, 8, 4, 4))] * 400
        return computational_graph(
            [Operation("input", (1, 3, 4, 4)), conv, *idle], [(i, i + 1) for i in range(len(idle) + 1)]
        )

    encoder = unnormed(layers=0)
    few, many = encoder(batch_of([network(3), network(7)]))
    changed = (few - many).abs()
    assert changed[:8].max() < 0.05 * changed[8:16].max()  # mean over nodes, and by parameters
    torch.testing.assert_close(few[8:16], few[16:24])  # one node has all parameters and all multiply-adds


def test_an_operator_without_a_name_of_its_own_is_read_as_unknown() -> None:
    def network(label: str) -> ArchGraph:
        return computational_graph([Operation("input", (1, 3)), Operation(label, (1, 3))], [(0, 1)])

    z = make()(batch_of([network("unknown:Mystery"), network("unknown"), network("never heard of"), network("relu")]))
    # Rows of one product may be computed by different kernels: the last digits of single precision.
    torch.testing.assert_close(z[1:3], z[[0, 0]], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(z[0], z[3], atol=1e-3)


def test_dropout_is_at_work_in_training_only() -> None:
    encoder = make(dropout=0.5).train()
    batch = batch_of(graphs_of([20]))
    assert not torch.equal(encoder(batch), encoder(batch))
    encoder.eval()
    assert torch.equal(encoder(batch), encoder(batch))


def test_the_same_seed_drops_the_same_units_on_every_back_end() -> None:
    graphs = packed(graphs_of([20, 30]))
    found = []
    for backend in BACKENDS:
        with seeded(5):
            found.append(make(dropout=0.5).train()(batched(graphs, backend=backend)))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_graph_of_three_thousand_nodes_is_encoded(backend: Backend) -> None:
    z = make(layers=2)(batch_of(graphs_of([3000]), backend))
    assert z.shape == (1, 84)
    assert bool(torch.isfinite(z).all())


def test_graphs_without_numbers_of_their_nodes_are_refused() -> None:
    with pytest.raises(UsageError, match="comp-graph reads numbers of each node, which this batch does not have; pack"):
        make()(collate([chain(3)], OPERATORS))


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="layers is a number of at least 0, -1 was given"):
        CompGraph(3, layers=-1)
    with pytest.raises(UsageError, match=r"at least 0 and below 1; 1.0 was given"):
        CompGraph(3, dropout=1.0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("backend", ["dense", "scatter"])
def test_vectors_are_the_same_on_cuda(backend: Backend) -> None:
    graphs = packed(graphs_of([30, 80]))
    encoder = make()
    cpu = encoder(batched(graphs, backend=backend))
    gpu = encoder.to("cuda")(batched(graphs, "cuda", backend))
    torch.testing.assert_close(gpu.cpu(), cpu, atol=1e-4, rtol=1e-4)
