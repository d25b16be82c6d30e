"""GATES: the published formulas on nodes and on edges, invariances, back ends."""

from __future__ import annotations

from collections import defaultdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from archpredict.backends import has_dgl
from archpredict.encoders.base import Encoder
from archpredict.encoders.gates import GATES
from archpredict.encoders.gcn import GCN
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import DATA, SUM, ArchGraph
from archpredict.graph.batch import batched, collate
from archpredict.graph.packed import PackedGraphs
from archpredict.spaces.base import load_space
from archpredict.testing.graphs import EDGE_OPS, NODE_OPS, arch_graphs, relabelled

OPS = ("input", "conv", "output", SUM, DATA, "none", "pool")
CHAIN = ArchGraph(("input", "conv", "output"), ((0, 1), (1, 2), (0, 2)))
EDGES = ArchGraph(("input", SUM, "output"), ((0, 1), (0, 1), (1, 2), (0, 2)), ("conv", "pool", "conv", DATA))
VARIANTS: list[dict] = [
    {},
    {"readout": "output", "residual": "inputs"},
    {"readout": "mean_output"},
]


def gate(encoder: GATES, layer: int, op: str) -> Tensor:
    return torch.sigmoid(encoder.gates[layer](encoder.operators.weight[OPS.index(op) + 1]))


def start(encoder: GATES, op: str) -> tuple[Tensor, Tensor]:
    """What an input labelled ``op`` and what every other node starts from."""
    return encoder.first(encoder.inputs.weight[OPS.index(op) + 1]), encoder.first(encoder.other)


@pytest.mark.parametrize("residual", ["all", "inputs"])
def test_a_layer_on_nodes_gates_the_sum_that_arrives_at_each_node(residual: str) -> None:
    encoder = GATES(len(OPS), dim=5, layers=1, hidden=6, residual=residual)  # type: ignore[arg-type]
    flow = encoder.flows[0]
    x, other = start(encoder, "input")
    m_input, m_other = flow.weight @ x, flow.weight @ other
    stays = m_other if residual == "all" else 0
    conv = gate(encoder, 0, "conv") * m_input + stays + flow.bias
    output = gate(encoder, 0, "output") * (m_other + m_input) + stays + flow.bias
    torch.testing.assert_close(encoder(collate([CHAIN], OPS))[0], (conv + output) / 2)
    encoder.readout = "output"
    torch.testing.assert_close(encoder(collate([CHAIN], OPS))[0], output)


def test_a_layer_on_edges_gates_each_message_and_adds_parallel_edges_up() -> None:
    encoder = GATES(len(OPS), dim=5, layers=1, hidden=6)
    flow = encoder.flows[0]
    x, other = start(encoder, "input")
    m_input, m_other = flow.weight @ x, flow.weight @ other
    total = (gate(encoder, 0, "conv") + gate(encoder, 0, "pool")) * m_input + m_other + flow.bias
    output = gate(encoder, 0, "conv") * m_other + m_input + m_other + flow.bias  # the data edge's gate is 1
    torch.testing.assert_close(encoder(collate([EDGES], OPS))[0], (total + output) / 2)


def test_activation_stands_between_layers_and_not_after_the_last() -> None:
    encoder = GATES(len(OPS), dim=5, layers=2, hidden=6, readout="output")
    graph = ArchGraph(("input", "output"), ((0, 1),))
    h = torch.stack(start(encoder, "input"))
    for i, flow in enumerate(encoder.flows):
        m = h @ flow.weight.T + 0
        arriving = torch.stack([torch.zeros(5), gate(encoder, i, "output") * m[0]])
        h = arriving + m + flow.bias
        h = torch.relu(h) if i == 0 else h
    torch.testing.assert_close(encoder(collate([graph], OPS))[0], h[1])
    assert (h[1] < 0).any()


def test_an_edge_labelled_none_lets_nothing_through() -> None:
    encoder = GATES(len(OPS), dim=8).eval()
    nodes, kept = ("input", SUM, "output"), ((0, 1), (1, 2), (0, 2))
    with_none = ArchGraph(nodes, (*kept, (0, 2)), ("conv", "pool", "conv", "none"))
    without = ArchGraph(nodes, kept, ("conv", "pool", "conv"))
    torch.testing.assert_close(encoder(collate([with_none], OPS)), encoder(collate([without], OPS)))


def test_nodes_of_graphs_with_operations_on_edges_gate_nothing() -> None:
    encoder = GATES(len(OPS), dim=8).eval()
    renamed = ArchGraph(("input", "pool", "conv"), EDGES.edges, EDGES.edge_ops)
    torch.testing.assert_close(encoder(collate([renamed], OPS)), encoder(collate([EDGES], OPS)))


def test_inputs_with_labels_of_their_own_are_told_apart() -> None:
    torch.manual_seed(0)
    encoder = GATES(len(OPS), dim=8).eval()
    swapped = ArchGraph(("pool", SUM, "output"), EDGES.edges, EDGES.edge_ops)
    assert not torch.allclose(encoder(collate([swapped], OPS)), encoder(collate([EDGES], OPS)))


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("edge_ops", [None, EDGE_OPS])
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_isomorphic_graphs_get_the_same_vector(options: dict, edge_ops: tuple | None, data: st.DataObject) -> None:
    graph = data.draw(arch_graphs(edge_ops=edge_ops, cells=2))
    twin = data.draw(relabelled(graph))
    vocabulary = (*NODE_OPS, *EDGE_OPS)
    torch.manual_seed(0)
    encoder = GATES(len(vocabulary), 2, dim=8, **options).eval()
    with torch.no_grad():
        one, two = (encoder(batched(PackedGraphs.from_graphs([g], vocabulary, 2))) for g in (graph, twin))
    torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("encoder_class", [GCN, GATES])
def test_isomorphic_cells_of_nasbench201_get_the_same_vector(encoder_class: type[Encoder]) -> None:
    space = load_space("nasbench201")
    rows = space.enumerate()
    classes = defaultdict(list)
    for cell in space.architectures(rows[rows[:, 2] == 0]):  # nothing between the inner nodes: they can swap places
        classes[cell.key].append(cell)
    several = [cells for cells in classes.values() if len(cells) > 1][:300]
    assert len(several) > 200
    torch.manual_seed(0)
    encoder = encoder_class(len(space.operators), 1).eval()
    native = encoder_class.form == "native"
    graphs = [cell.graph if native else cell.graph.on_nodes for cells in several for cell in cells]
    with torch.no_grad():
        z = encoder(collate(graphs, space.operators))
    first = torch.tensor([i for i, cells in enumerate(several) for _ in cells])
    place = torch.tensor([sum(len(cells) for cells in several[:i]) for i in range(len(several))])
    torch.testing.assert_close(z, z[place][first], atol=1e-5, rtol=1e-5)
    # That they are equal says something only because the classes differ.
    assert len(torch.unique(z[place].round(decimals=4), dim=0)) > 0.8 * len(several)


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("graph", [CHAIN, EDGES])
@pytest.mark.parametrize("backend", ["scatter", *(["dgl"] if has_dgl() else [])])
def test_every_back_end_gives_the_same_vectors_and_gradients(options: dict, graph: ArchGraph, backend: str) -> None:
    torch.manual_seed(0)
    encoder = GATES(len(OPS), dim=8, **options)
    small = ArchGraph(("input", "output"), ((0, 1),), None if graph.edge_ops is None else ("pool",))
    packed = PackedGraphs.from_graphs([graph, small, graph], OPS)
    results = []
    for name in ("dense", backend):
        encoder.zero_grad()
        z = encoder(batched(packed, backend=name))  # type: ignore[arg-type]
        (z**2).sum().backward()
        results.append([z.detach(), *(p.grad.clone() for p in encoder.parameters() if p.grad is not None)])
    torch.testing.assert_close(results[1], results[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("options", VARIANTS)
def test_padding_by_larger_graphs_in_the_batch_changes_nothing(options: dict) -> None:
    encoder = GATES(len(OPS), dim=8, **options).eval()
    large = ArchGraph(("input", *["conv"] * 18, "output"), tuple((i, i + 1) for i in range(19)))
    alone, together = encoder(collate([CHAIN], OPS)), encoder(collate([CHAIN, large], OPS))
    torch.testing.assert_close(together[:1], alone, atol=1e-6, rtol=1e-5)


def test_cells_of_two_inputs_are_concatenated() -> None:
    space = load_space("darts")
    cell = space.architecture((0, 3, 3) * 8)
    encoder = GATES(len(space.operators), 2, dim=8).eval()
    z = encoder(collate([cell.graph], space.operators))
    assert z.shape == (1, 16)
    torch.testing.assert_close(z[:, :8], z[:, 8:])  # both cells are the same


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("graph", [CHAIN, EDGES])
def test_vectors_are_the_same_on_cuda(graph: ArchGraph) -> None:
    encoder = GATES(len(OPS), dim=8).eval()
    cpu = encoder(collate([graph], OPS))
    gpu = encoder.to("cuda")(collate([graph], OPS, device="cuda"))
    torch.testing.assert_close(gpu.cpu(), cpu, atol=1e-5, rtol=1e-4)


def test_unknown_options_list_the_choices() -> None:
    with pytest.raises(UsageError, match="unknown readout 'max'; choose from: output, mean, mean_output"):
        GATES(4, readout="max")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown residual 'some'; choose from: all, inputs"):
        GATES(4, residual="some")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 1 layer, 0 were asked for"):
        GATES(4, layers=0)
    with pytest.raises(UsageError, match=r"at least 0 and below 1; 1.0 was given"):
        GATES(4, dropout=1.0)
