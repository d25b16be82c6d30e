"""GCN: the published formula, back ends and invariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archpredict.backends import has_dgl
from archpredict.encoders.gcn import GCN
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import batched, collate
from archpredict.graph.packed import PackedGraphs
from archpredict.testing.graphs import arch_graphs, relabelled

OPS = ("input", "conv", "pool", "output")
PUBLISHED = {"direction": "forward", "layer_norm": False, "dropout": 0.0, "readout": "mean"}
VARIANTS = [
    {},
    PUBLISHED,
    {**PUBLISHED, "slots": 9},
    {**PUBLISHED, "global_node": True},
    {"normalize": True},
    {"global_node": True, "normalize": True},
]
CELL = ArchGraph(("input", "conv", "pool", "output"), ((0, 1), (0, 2), (1, 3), (2, 3)))


def test_two_published_layers_equal_the_formula_of_the_paper() -> None:
    encoder = GCN(4, dim=5, layers=2, residual=False, last_activation=False, self_loops=False, **PUBLISHED)
    for convolution in encoder.convolutions:
        torch.nn.init.zeros_(convolution.bias)
    a = torch.zeros(4, 4)
    for source, target in CELL.edges:
        a[target, source] = 1
    x = encoder.embedding.weight[1:]
    w0, w1 = (c.weight.T for c in encoder.convolutions)
    expected = (a @ torch.relu(a @ x @ w0) @ w1).mean(0)
    torch.testing.assert_close(encoder(collate([CELL], OPS))[0], expected)


def test_the_published_codes_layers_average_over_seven_slots_with_dummies() -> None:
    encoder = GCN(4, dim=5, layers=4, slots=7, **PUBLISHED)
    a = torch.eye(7)
    for source, target in CELL.edges:
        a[target, source] = 1
    h = encoder.embedding.weight[[1, 2, 3, 4, 0, 0, 0]]
    for convolution in encoder.convolutions:
        h = torch.relu(a @ (h @ convolution.weight.T) + h + convolution.bias)
    torch.testing.assert_close(encoder(collate([CELL], OPS))[0], h.mean(0))


@pytest.mark.parametrize("options", VARIANTS)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_isomorphic_graphs_get_the_same_vector(options: dict, data: st.DataObject) -> None:
    graph = data.draw(arch_graphs(ops=OPS, cells=2))
    twin = data.draw(relabelled(graph))
    torch.manual_seed(0)
    encoder = GCN(4, 2, dim=8, **options).eval()
    with torch.no_grad():
        one, two = (encoder(batched(PackedGraphs.from_graphs([g], OPS, 2))) for g in (graph, twin))
    torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("backend", ["scatter", *(["dgl"] if has_dgl() else [])])
def test_every_back_end_gives_the_same_vectors(options: dict, backend: str) -> None:
    encoder = GCN(4, 1, dim=8, **options).eval()
    small = ArchGraph(("input", "output"), ((0, 1),))
    packed = PackedGraphs.from_graphs([CELL, small, CELL], OPS)
    dense, other = encoder(batched(packed, backend="dense")), encoder(batched(packed, backend=backend))
    torch.testing.assert_close(other, dense, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", VARIANTS)
def test_padding_by_larger_graphs_in_the_batch_changes_nothing(options: dict) -> None:
    encoder = GCN(4, 1, dim=8, **options).eval()
    large = ArchGraph(tuple(np.resize(OPS, 20)), tuple((i, i + 1) for i in range(19)))
    alone = encoder(collate([CELL], OPS))
    together = encoder(collate([CELL, large], OPS))
    torch.testing.assert_close(together[:1], alone, atol=1e-6, rtol=1e-5)


def test_messages_in_both_directions_see_what_follows_a_node() -> None:
    torch.manual_seed(0)
    other = ArchGraph(("input", "conv", "pool", "output"), ((0, 1), (0, 2), (1, 3)))
    encoder = GCN(4, 1, dim=8, layers=1, direction="both").eval()
    assert not torch.allclose(encoder(collate([CELL], OPS)), encoder(collate([other], OPS)))


def test_dropout_is_active_in_training_only_and_keeps_the_mean() -> None:
    encoder = GCN(4, 1, dim=256, dropout=0.5)
    batch = collate([CELL], OPS)
    assert not torch.equal(encoder(batch), encoder(batch))
    encoder.eval()
    assert torch.equal(encoder(batch), encoder(batch))


def test_unknown_options_list_the_choices() -> None:
    with pytest.raises(UsageError, match="unknown readout 'max'; choose from: mean, mean_output"):
        GCN(4, readout="max")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="unknown direction 'backward'; choose from: forward, both"):
        GCN(4, direction="backward")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 1 layer, 0 were asked for"):
        GCN(4, layers=0)
    with pytest.raises(UsageError, match=r"at least 0 and below 1; 1.0 was given"):
        GCN(4, dropout=1.0)
    with pytest.raises(UsageError, match="slots is a number of nodes of at least 1, 0 was given"):
        GCN(4, slots=0)


def test_a_cell_with_more_nodes_than_slots_is_averaged_over_its_nodes() -> None:
    torch.manual_seed(0)
    slots, plain = GCN(4, dim=5, slots=2, **PUBLISHED), GCN(4, dim=5, **PUBLISHED)
    plain.load_state_dict(slots.state_dict())
    batch = collate([CELL], OPS)
    torch.testing.assert_close(slots(batch), plain(batch))
