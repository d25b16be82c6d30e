"""Asynchronous: the update by hand, invariances, back ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from archpredict.backends import has_dgl
from archpredict.encoders.asynchronous import Asynchronous
from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.batch import Backend, batched, collate
from archpredict.graph.packed import PackedGraphs
from archpredict.spaces.base import load_space
from archpredict.testing.graphs import NODE_OPS, arch_graphs, relabelled

OPS = ("input", "conv", "output")
CHAIN = ArchGraph(("input", "conv"), ((0, 1),))
DARTS_CELLS = load_space("darts").architectures(load_space("darts").sample(8, np.random.default_rng(2)))
BACKENDS: list[Backend] = ["dense", "scatter", *(["dgl"] if has_dgl() else [])]  # type: ignore[list-item]


def make(num_ops: int = len(OPS), num_cells: int = 1, *, passes: int = 2, gate: bool = True) -> Asynchronous:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Asynchronous(num_ops, num_cells, dim=6, passes=passes, gate=gate).eval()


def updated(encoder: Asynchronous, i: int, op: str, h: Tensor, arriving: Tensor) -> Tensor:
    """``h + relu(norm(W_s h + sigmoid(g_op) * W_f arriving))``, written out."""
    gate = torch.sigmoid(encoder.gates[i].weight[OPS.index(op) + 1]) if len(encoder.gates) else torch.ones(6)  # type: ignore[index]
    own, heard = encoder.own[i], encoder.heard[i]
    before = own.weight @ h + own.bias + gate * (heard.weight @ arriving)  # type: ignore[operator]
    return h + F.relu((before - before.mean()) / torch.sqrt(before.var(unbiased=False) + 1e-5))


@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_chain_of_two_nodes_is_updated_along_its_edge_and_then_against_it(gate: bool, backend: Backend) -> None:
    encoder = make(gate=gate)
    first, second = encoder.embedding.weight[1], encoder.embedding.weight[2]
    first = updated(encoder, 0, "input", first, torch.zeros(6))
    second = updated(encoder, 0, "conv", second, first)  # hears the new state, in the same pass
    second = updated(encoder, 1, "conv", second, torch.zeros(6))
    first = updated(encoder, 1, "input", first, second)
    z = encoder(collate([CHAIN], OPS, backend=backend))[0]
    torch.testing.assert_close(z, torch.cat([(first + second) / 2, second]), atol=1e-5, rtol=1e-5)


def test_by_hand_with_weights_of_one() -> None:
    encoder = Asynchronous(2, dim=2, passes=1).eval()
    with torch.no_grad():
        encoder.embedding.weight[1:] = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
        encoder.own[0].weight.copy_(torch.eye(2))  # type: ignore[operator]
        encoder.own[0].bias.zero_()  # type: ignore[operator]
        encoder.heard[0].weight.copy_(torch.eye(2))  # type: ignore[operator]
        encoder.gates[0].weight.zero_()  # type: ignore[operator]
    # Normalised, (1, 0) is (1, -1): the first node becomes (2, 0). The second hears half of that, (1, 0): (1, 0).
    z = encoder(collate([CHAIN], ("input", "conv")))[0]
    torch.testing.assert_close(z, torch.tensor([1.5, 0.0, 1.0, 0.0]), atol=1e-4, rtol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_isomorphic_graphs_get_equal_vectors_whatever_they_are_batched_with(data: st.DataObject) -> None:
    graph = data.draw(arch_graphs(cells=2))
    others = data.draw(st.lists(arch_graphs(max_nodes=12, cells=2), max_size=3))
    encoder = make(len(NODE_OPS), 2)
    alone = encoder(batched(PackedGraphs.from_graphs([graph], NODE_OPS, 2)))[0]
    moved = data.draw(relabelled(graph))
    for backend in BACKENDS:
        batch = batched(PackedGraphs.from_graphs([*others, moved, graph], NODE_OPS, 2), backend=backend)
        torch.testing.assert_close(encoder(batch)[-2:], alone.expand(2, -1), atol=1e-5, rtol=1e-5)


def test_back_ends_agree_in_gradients() -> None:
    space = load_space("darts")
    graphs = [space.decode(row).on_nodes for row in space.sample(8, np.random.default_rng(0)).tolist()]
    packed = PackedGraphs.from_graphs(graphs, space.operators)
    found = []
    for backend in BACKENDS:
        encoder = make(len(space.operators), packed.num_cells, passes=3)
        (encoder(batched(packed, backend=backend)) ** 2).mean().backward()
        found.append([p.grad for p in encoder.parameters()])
    for other in found[1:]:
        for mine, theirs in zip(found[0], other, strict=True):
            assert mine is not None
            assert theirs is not None
            torch.testing.assert_close(theirs, mine, atol=1e-5, rtol=1e-4)
    assert all(p is not None and p.abs().sum() > 0 for p in found[0])


def test_every_node_hears_the_whole_graph_however_deep_it_is() -> None:
    encoder = make()
    n = 40
    edges = tuple((i, i + 1) for i in range(n - 1))
    chains = [ArchGraph((first, *("conv",) * (n - 2), last), edges) for first in OPS[:2] for last in OPS[1:]]
    z = encoder(collate(chains, OPS))
    assert len(torch.unique(z.detach().round(decimals=5), dim=0)) == 4


def test_isomorphic_cells_of_nasbench201_get_equal_vectors_and_others_different_ones() -> None:
    space = load_space("nasbench201")
    architectures = space.architectures(space.sample(400, np.random.default_rng(0)))
    encoder = make(len(space.operators))
    z = encoder(collate([a.graph.on_nodes for a in architectures], space.operators)).detach()
    keys = [a.key for a in architectures]
    assert len(set(keys)) < len(keys)
    first = [keys.index(key) for key in keys]
    torch.testing.assert_close(z, z[first], atol=1e-5, rtol=1e-5)
    distinct = z[sorted(set(first))]
    apart = torch.cdist(distinct, distinct, compute_mode="donot_use_mm_for_euclid_dist")
    assert (apart + 10 * torch.eye(len(distinct))).min() > 1e-3


def test_repeated_calls_give_exactly_the_same() -> None:
    encoder = make()
    batch = collate([CHAIN, ArchGraph(OPS, ((0, 1), (0, 2), (1, 2)))], OPS)
    assert torch.equal(encoder(batch), encoder(batch))


def test_dropout_is_at_work_in_training_only() -> None:
    encoder = Asynchronous(len(OPS), dim=16, dropout=0.5)
    batch = collate([CHAIN], OPS)
    assert not torch.equal(encoder(batch), encoder(batch))
    encoder.eval()
    assert torch.equal(encoder(batch), encoder(batch))


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1 pass is needed, 0 were asked for"):
        Asynchronous(3, passes=0)
    with pytest.raises(UsageError, match=r"at least 0 and below 1; 1.0 was given"):
        Asynchronous(3, dropout=1.0)


@pytest.mark.parametrize("gate", [False, True])
def test_gradients_are_those_of_small_differences(gate: bool) -> None:
    space = load_space("nasbench101")
    graphs = [a.graph for a in space.architectures(space.sample(4, np.random.default_rng(1)))]
    vocabulary = sorted(space.operators)
    batch = batched(PackedGraphs.from_graphs(graphs, vocabulary))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = Asynchronous(len(vocabulary), dim=2, gate=gate).double().eval()
    names = [name for name, _ in encoder.named_parameters()]

    def encoded(*parameters: Tensor) -> Tensor:
        z: Tensor = torch.func.functional_call(encoder, dict(zip(names, parameters, strict=True)), (batch,))
        return z

    assert torch.autograd.gradcheck(encoded, tuple(encoder.parameters()))


def test_members_with_stacked_weights_encode_as_each_does_alone() -> None:
    graphs = [arch.graph for arch in DARTS_CELLS]
    packed = PackedGraphs.from_graphs([g.on_nodes for g in graphs], sorted(load_space("darts").operators))
    alone = [Asynchronous(len(packed.vocabulary), 2, dim=5, dropout=0.0) for _ in range(2)]
    stacked = Asynchronous(len(packed.vocabulary), 2, dim=5, dropout=0.0)
    for name, parameter in stacked.named_parameters():
        parameter.data = torch.stack([encoder.get_parameter(name).detach() for encoder in alone])
    z = stacked(batched(packed)).view(2, 4, -1)
    (z * torch.arange(1.0, 1 + z.shape[-1])).sum().backward()
    for member, encoder in enumerate(alone):
        own = encoder(batched(packed[4 * member : 4 * member + 4]))
        torch.testing.assert_close(z[member], own, atol=1e-5, rtol=1e-5)
        (own * torch.arange(1.0, 1 + own.shape[-1])).sum().backward()
        for name, parameter in encoder.named_parameters():
            gradient = stacked.get_parameter(name).grad
            assert gradient is not None
            assert parameter.grad is not None
            torch.testing.assert_close(gradient[member], parameter.grad, atol=2e-4, rtol=1e-4)
