"""The store of shared weights: parts, growth, gradients, batch norms found anew, the ends of a space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archpredict.errors import InvalidGraphError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.graph.operators import total
from archpredict.images.base import load_images
from archpredict.networks.batches import Batches
from archpredict.networks.extremes import changed, largest, smallest
from archpredict.networks.form import Form
from archpredict.networks.network import Network, build
from archpredict.networks.supernet import Supernet, joint, part
from archpredict.spaces.base import SearchSpace, load_space
from archpredict.spaces.nasbench201 import NASBench201

FORM = Form(image_size=8, image_channels=1, options={"channels": 4, "cells": 1})
CELLS = NASBench201()
FULL = (3, 3, 3, 3, 3, 3)


class Elastic(SearchSpace):
    """A chain of two convolutions with elastic width and kernel, written without scopes."""

    name = "elastic"
    num_choices = (3, 3)

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        return ArchGraph(("input", f"width{choices[0]}", f"kernel{choices[1]}", "output"), ((0, 1), (1, 2), (2, 3)))

    def network(
        self,
        choices: Sequence[int],
        *,
        num_classes: int = 10,
        image_size: int = 32,
        image_channels: int = 3,
        channels: int | None = None,
    ) -> ArchGraph:
        b = Builder((image_channels, image_size, image_size))
        x = b.relu(b.conv(b.input(), 2 + 2 * choices[0], 3, norm=True))
        x = b.relu(b.conv(x, 4, 1 + 2 * choices[1], norm=True))
        return b.output(b.linear(b.global_avg_pool(x), num_classes)).graph()


ELASTIC, DIGITS = Elastic(), Form(image_size=8, image_channels=1)


def images(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def grown(space: SearchSpace, form: Form, *choices: Sequence[int], seed: int = 0) -> Supernet:
    supernet = Supernet(space, form, seed=seed)
    supernet.grow(supernet.program(row) for row in choices)
    return supernet


# ---------------------------------------------------------------------- parts

_LENGTHS = st.integers(1, 7)
_SHAPES = st.tuples(_LENGTHS, _LENGTHS, _LENGTHS, _LENGTHS)


@given(_SHAPES, _SHAPES, _SHAPES)
def test_a_part_of_a_part_is_the_part_of_the_whole(a: tuple[int, ...], b: tuple[int, ...], c: tuple[int, ...]) -> None:
    whole, middle = joint([a, b, c]), joint([a, b])
    stored = torch.arange(np.prod(whole)).view(whole)
    assert torch.equal(part(part(stored, middle), a), part(stored, a))
    assert part(stored, a).shape == a


def test_a_layer_takes_the_first_channels_and_the_centre_of_the_window() -> None:
    stored = torch.arange(4 * 3 * 5 * 5).view(4, 3, 5, 5)
    assert torch.equal(part(stored, (2, 1, 3, 3)), stored[:2, :1, 1:4, 1:4])
    assert torch.equal(part(stored, (4, 3, 1, 1)), stored[:, :, 2:3, 2:3])
    assert torch.equal(part(stored[:, :, 0, 0], (3, 2)), stored[:3, :2, 0, 0])


# ---------------------------------------------------------------------- networks of the store


@pytest.mark.parametrize("space", ["nasbench101", "nasbench201", "darts", "enas", "mobilenetv3"])
def test_every_space_computes_what_a_network_with_the_same_weights_computes(space: str) -> None:
    loaded = load_space(space)
    form = Form(image_size=16, image_channels=3, options={"channels": 8})
    drawn = loaded.sample(3, np.random.default_rng(0)).tolist()
    supernet = grown(loaded, form, *drawn)
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for choices in drawn:
        program = supernet.program(choices)
        alone = build(form.graph(loaded, choices), seed=9)
        alone.load_state_dict(dict(supernet.tensors(program)), strict=False)
        # Weights that are parts of larger ones lie elsewhere in memory, where another kernel may take them: the last
        # digits of single precision, over some twenty layers.
        torch.testing.assert_close(supernet.run(program, x), alone.train()(x), rtol=1e-4, atol=1e-5)


def test_an_architecture_alone_in_the_store_has_the_initial_weights_of_its_own_network() -> None:
    supernet, alone = grown(CELLS, FORM, FULL, seed=3), build(FORM.graph(CELLS, FULL), seed=3)
    for name, value in alone.named_parameters():
        assert torch.equal(value, supernet.weights[name])


def test_gradients_reach_the_parts_that_are_used_and_no_others() -> None:
    supernet = grown(ELASTIC, DIGITS, (2, 2))
    program = supernet.program((1, 1))
    supernet.run(program, images()).square().sum().backward()
    for name, shape in program.shapes.items():
        gradient = supernet.weights[name].grad
        assert gradient is not None
        inside = torch.zeros_like(gradient, dtype=torch.bool)
        part(inside, shape).fill_(True)
        assert gradient[~inside].abs().sum() == 0
        if name != "conv1/bias":
            assert gradient[inside].abs().sum() > 0, name


def test_the_store_holds_each_weight_once_in_the_largest_shape_seen() -> None:
    supernet = grown(ELASTIC, DIGITS, (0, 2), (2, 0))
    shapes = {name: tuple(weight.shape) for name, weight in supernet.weights.items()}
    assert shapes["conv/weight"] == (6, 1, 3, 3)
    assert shapes["conv1/weight"] == (4, 6, 5, 5)
    assert shapes["conv/bias"] == (6,)


def test_growth_keeps_what_is_stored_in_its_place() -> None:
    supernet = grown(ELASTIC, DIGITS, (0, 1))
    with torch.no_grad():
        for weight in supernet.weights.values():
            weight.fill_(7)
    before = supernet.run(supernet.program((0, 1)), images())
    supernet.grow([supernet.program((2, 2))])
    assert tuple(supernet.weights["conv1/weight"].shape) == (4, 6, 5, 5)
    assert (part(supernet.weights["conv1/weight"], (4, 2, 3, 3)) == 7).all()
    assert (supernet.weights["conv1/weight"] == 7).sum() == 4 * 2 * 3 * 3
    torch.testing.assert_close(supernet.run(supernet.program((0, 1)), images()), before, rtol=1e-5, atol=1e-6)


def test_what_an_architecture_is_given_does_not_depend_on_what_was_asked_for_before() -> None:
    first, second = grown(ELASTIC, DIGITS, (0, 0)), grown(ELASTIC, DIGITS, (0, 0))
    rows = [(2, 2), (1, 1), (2, 0), (0, 2)]
    mine = {row: first.run(first.program(row), images()) for row in rows}
    yours = {row: second.run(second.program(row), images()) for row in reversed(rows)}
    for row in rows:  # parts of stores of other sizes: the last digits of single precision
        torch.testing.assert_close(mine[row], yours[row], rtol=1e-5, atol=1e-6)
    assert {name: w.shape for name, w in first.weights.items()} == {
        name: w.shape for name, w in grown(ELASTIC, DIGITS, (0, 0)).weights.items()
    }


def test_weights_that_were_never_stored_are_counted() -> None:
    supernet = grown(ELASTIC, DIGITS, (0, 0))
    assert supernet.missing(supernet.program((0, 0))) == 0
    # Two more channels: 2 x 1 x 3 x 3 weights and 2 biases before, 4 x 2 weights after.
    assert supernet.missing(supernet.program((1, 0))) == 18 + 2 + 8


def test_programs_that_are_kept_are_bounded() -> None:
    supernet = Supernet(CELLS, FORM)
    rows = CELLS.sample(400, np.random.default_rng(0))
    for row in rows[:300].tolist():
        supernet.program(row)
    assert len(supernet._programs) == 256
    assert supernet.program(rows[299]) is supernet.program(rows[299].tolist())


def test_one_name_for_layers_of_different_kinds_is_refused() -> None:
    class Torn(Elastic):
        def network(self, choices: Sequence[int], **form: int) -> ArchGraph:  # type: ignore[override]
            b = Builder((1, 8, 8))
            x = b.input()
            graph = b.output(b.conv(x, 4, 3) if choices[0] else b.linear(x, 4)).graph()
            return ArchGraph(
                graph.ops, graph.edges, graph.edge_ops, graph.cells, graph.attrs, names=("in", "layer", "out")
            )

    supernet = grown(Torn(), DIGITS, (0, 0))
    with pytest.raises(InvalidGraphError, match=r"layer has weights of shape .* give them names of their own"):
        supernet.grow([supernet.program((1, 0))])


def test_images_of_another_form_are_refused() -> None:
    with pytest.raises(UsageError, match=r"digits has images of \(channels, pixels\) \(1, 8\) in 10 classes"):
        Supernet(CELLS, Form(image_size=32)).check_images(load_images("digits"))


# ---------------------------------------------------------------------- batch norms


def test_recalibrated_statistics_are_the_averages_over_the_batches() -> None:
    supernet = grown(ELASTIC, DIGITS, (2, 2))
    program = supernet.program((1, 2))
    batches = Batches(load_images("digits"), batch_size=50)
    found = supernet.recalibrated(program, batches, 4)
    weight = supernet.weights["conv/weight"].detach()[:4]
    outputs = [torch.conv2d(x, weight, padding=1) for (x, _), _ in zip(batches.epoch(0), range(4), strict=False)]
    mean = torch.stack([y.mean((0, 2, 3)) for y in outputs]).mean(0)
    variance = torch.stack([y.var((0, 2, 3)) for y in outputs]).mean(0)
    torch.testing.assert_close(found["conv/mean"], mean)
    torch.testing.assert_close(found["conv/variance"], variance)
    assert set(found) == set(program.statistics)


def test_an_inherited_network_stands_alone_and_computes_the_same() -> None:
    supernet, batches = grown(CELLS, FORM, FULL), Batches(load_images("digits"), batch_size=100)
    choices = (3, 0, 2, 1, 4, 3)
    network = supernet.network(choices, batches, 3)
    program = supernet.program(choices)
    statistics = supernet.recalibrated(program, batches, 3)
    assert isinstance(network, Network)
    torch.testing.assert_close(network(images()), supernet.run(program, images(), statistics=statistics))
    with torch.no_grad():
        network.get_parameter("linear/bias").add_(1)
    assert not torch.equal(network.get_parameter("linear/bias"), supernet.weights["linear/bias"])


# ---------------------------------------------------------------------- the ends of a space


def test_the_ends_of_an_elastic_space_are_found() -> None:
    assert largest(ELASTIC, DIGITS) == (2, 2)
    assert smallest(ELASTIC, DIGITS) == (0, 0)


@pytest.mark.parametrize("space", ["nasbench201", "mobilenetv3"])
def test_no_random_architecture_is_beyond_the_ends(space: str) -> None:
    loaded, form = load_space(space), Form(image_size=8, image_channels=1, options={"channels": 4})

    def macs(choices: Sequence[int]) -> float:
        return total(form.graph(loaded, choices), "macs")

    drawn = [macs(row) for row in loaded.sample(60, np.random.default_rng(7)).tolist()]
    assert macs(smallest(loaded, form)) <= min(drawn)
    assert macs(largest(loaded, form)) >= max(drawn)


def test_a_changed_choice_leaves_a_legal_vector() -> None:
    space = load_space("mobilenetv3")
    shallow = changed(space, largest(space, Form(image_size=8)), 1, 0)
    assert space.validate(shallow) == shallow
    assert shallow[1] == 0
    assert shallow[2:6] == (2, 2, 2, 2)
    assert shallow[6:10] == (0, 0, 0, 0)
