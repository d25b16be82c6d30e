"""Rooflines of small networks, computed by hand, and what must hold of all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.costs.fitting import coefficients
from archpredict.costs.roofline import TERMS, launching, roofline, usual
from archpredict.costs.settings import Device, Setting, devices
from archpredict.costs.work import Work, work_of
from archpredict.graph.operators import Operation, computational_graph
from archpredict.testing.graphs import random_computational_graph, relabelled

TOY = Device("toy", "a toy", "gpu", tflops=1.0, half_tflops=2.0, bandwidth=100.0, cores=4)
FULL = Setting("toy", "fp32")


def row(work: Work, setting: Setting = FULL, batch_size: float = 1.0) -> dict[str, float]:
    found = roofline(work, setting, TOY, batch_size)
    return dict(zip(TERMS, found[0].tolist(), strict=True))


def network(side: int = 8) -> Work:
    shape = (1, 64, side, side)
    layer = Operation("conv", shape, kernel=(3, 3), weight=(64, 64, 3, 3), bias=True)
    nodes = [Operation("input", shape), layer, Operation("relu", shape)]
    return work_of([computational_graph(nodes, [(0, 1), (1, 2)])])


def test_a_convolution_and_an_activation_take_what_one_computes_by_hand() -> None:
    size, found = 64 * 8 * 8, row(network())
    arithmetic = size * 64 * 9 / 0.5e12
    traffic = 2 * size * 4 / 100e9
    weights = (64 * 64 * 9 + 64) * 4 / 100e9
    assert found["arithmetic: conv dense"] == pytest.approx(arithmetic)
    assert found["traffic: conv dense"] == found["traffic: activation"] == pytest.approx(traffic)
    assert found["roofline: conv dense"] == pytest.approx(max(arithmetic, traffic + weights))
    assert found["weights: others"] == pytest.approx(weights)
    assert found["launches: matrix"] == found["launches: pointwise"] == found["launches: network"] == 1e-5
    assert found["traffic: folded batch norms"] == pytest.approx(traffic / 2)


def test_a_batch_shares_weights_and_launches() -> None:
    one, many = row(network()), row(network(), batch_size=10.0)
    for term in ("weights: others", "launches: matrix", "launches: network"):
        assert many[term] == pytest.approx(one[term] / 10)
    assert many["traffic: activation"] == one["traffic: activation"]


def test_half_precision_halves_traffic_and_takes_the_peak_of_matrix_units() -> None:
    full, half = row(network()), row(network(), Setting("toy", "bf16"))
    assert half["traffic: conv dense"] == pytest.approx(full["traffic: conv dense"] / 2)
    assert half["arithmetic: conv dense"] == pytest.approx(full["arithmetic: conv dense"] / 2)


@given(data=st.data(), seed=st.integers(0, 10_000), compiler=st.sampled_from(["eager", "dynamo"]))
def test_no_numbering_of_the_nodes_changes_a_term(data: st.DataObject, seed: int, compiler: str) -> None:
    graph = random_computational_graph(30, np.random.default_rng(seed))
    other = data.draw(relabelled(graph))
    setting = Setting("toy", "amp", compiler=compiler)
    terms = [roofline(work_of([g]), setting, TOY, 4.0) for g in (graph, other)]
    np.testing.assert_allclose(terms[0], terms[1], rtol=1e-9)


def test_several_networks_at_once_have_the_terms_that_each_has_alone() -> None:
    graphs = [random_computational_graph(40, np.random.default_rng(seed)) for seed in range(4)]
    together = roofline(work_of(graphs), FULL, TOY, 2.0)
    alone = np.concatenate([roofline(work_of([graph]), FULL, TOY, 2.0) for graph in graphs])
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(devices()))
def test_a_larger_image_takes_longer_on_every_device(name: str) -> None:
    setting = Setting(name, "fp32")
    times = [roofline(network(side), setting, devices()[name], 1.0) @ usual(True) for side in (8, 16, 32)]
    assert times[0] < times[1] < times[2]


def test_coefficients_are_found_again_and_never_below_zero() -> None:
    rng = np.random.default_rng(0)
    terms, true = rng.uniform(0.1, 1, (200, 4)), np.array([2.0, 0.0, 1.0, 0.5])
    found = coefficients(terms, terms @ true * np.exp(rng.normal(0, 0.02, 200)), np.ones(4), np.full(4, 1e-9))
    np.testing.assert_allclose(found, true, atol=0.05)
    assert (found >= 0).all()


def test_a_term_that_no_model_shows_keeps_its_prior() -> None:
    terms = np.array([[1.0, 0.0], [2.0, 0.0]])
    assert coefficients(terms, np.array([3.0, 6.0]), np.array([1.0, 7.0]), np.full(2, 1e-6))[1] == 7.0


def test_kernels_are_launched_once_for_a_batch_and_fused_ones_once_together() -> None:
    eager, compiled = Setting("toy", "fp32"), Setting("toy", "fp32", compiler="dynamo")
    assert launching(network(), eager, TOY, 1.0).tolist() == pytest.approx([2 * 5e-6])
    assert launching(network(), eager, TOY, 10.0).tolist() == pytest.approx([2 * 5e-7])
    shape = (1, 64, 8, 8)
    nodes = [
        Operation("input", shape),
        Operation("relu", shape),
        Operation("sigmoid", shape),
        Operation("output", shape),
    ]
    chain = work_of([computational_graph(nodes, [(0, 1), (1, 2), (2, 3)])])
    assert launching(chain, eager, TOY, 1.0).tolist() == pytest.approx([2 * 5e-6])
    assert launching(chain, compiled, TOY, 1.0).tolist() == pytest.approx([5e-6])
