"""Training of a supernet: against Fit, what stays untouched, the sandwich, checkpoints and resume, failures."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from archpredict._typing import BoolArray, IntArray
from archpredict.errors import DataError, TrainingError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.images.base import Images, Split, load_images
from archpredict.networks.fitting import Fit
from archpredict.networks.form import Form
from archpredict.networks.network import build
from archpredict.networks.recipe import Recipe
from archpredict.networks.supernet import Supernet, part
from archpredict.networks.supernet_training import Sampling, SupernetTraining
from archpredict.networks.trained_supernet import load_supernet
from archpredict.spaces.base import Choices, SearchSpace
from archpredict.spaces.nasbench201 import NASBench201

FORM = Form(image_size=8, image_channels=1, options={"channels": 4, "cells": 1})
CELLS = NASBench201()
ONLY = (3, 3, 1, 2, 4, 3)


class OneCell(NASBench201):
    """NAS-Bench-201 with a single architecture."""

    def mask(self, prefix: IntArray) -> BoolArray:
        legal = np.zeros((len(prefix), 5), dtype=bool)
        legal[:, ONLY[prefix.shape[1]]] = True
        return legal


class Widths(SearchSpace):
    """One convolution of 2, 4 or 8 channels and a window of 1, 3 or 5 places; no scopes."""

    name = "widths"
    num_choices = (3, 3)

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        return ArchGraph(("input", f"c{choices[0]}k{choices[1]}", "output"), ((0, 1), (1, 2)))

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
        x = b.relu(b.conv(b.input(), 2 << choices[0], 1 + 2 * choices[1], norm=True))
        return b.output(b.linear(b.max_pool(x, 2, stride=2), num_classes)).graph()  # 16 places per channel


@pytest.fixture(scope="module")
def digits() -> Images:
    """A quarter of the digits."""
    whole = load_images("digits")
    train = Split(whole.train.images[:256], whole.train.labels[:256])
    return Images("digits", train, whole.validation, whole.test, 10, flips=False)


RECIPE = Recipe(epochs=3, batch_size=64)


def training(
    images: Images, space: SearchSpace = CELLS, recipe: Recipe = RECIPE, sampling: Sampling | None = None, seed: int = 0
) -> SupernetTraining:
    form = Form.of(images, FORM.options if space.name == "nasbench201" else {})
    return SupernetTraining(Supernet(space, form, seed=seed), images, recipe, sampling)


def weights(trained: SupernetTraining) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in trained.supernet.weights.items()}


def steps(trained: SupernetTraining, rows: Sequence[Choices]) -> None:
    """Steps that train the given architectures, one each."""
    batch = next(trained.batches.epoch(0))
    for row in rows:
        trained.choices_of = lambda number, row=row: [row]  # type: ignore[method-assign, misc]
        trained.step(0, 0, *batch)


# ---------------------------------------------------------------------- the loop


@pytest.mark.parametrize("more", [{}, {"drop_path": 0.3, "label_smoothing": 0.1, "clip": 0.0, "crop": 1, "cutout": 2}])
def test_a_space_of_one_architecture_is_trained_as_its_network_alone(digits: Images, more: dict[str, Any]) -> None:
    recipe = Recipe(epochs=2, batch_size=64, **more)
    shared = training(digits, OneCell(), recipe, seed=5)
    shared.run()
    fit = Fit(build(FORM.graph(CELLS, ONLY), seed=5), digits, recipe, seed=5)
    fit.run()
    # Two programs with the same steps, whose weights lie elsewhere in memory, so that kernels may differ in the last
    # digits of single precision, which some thirty steps carry on.
    assert [epoch.loss for epoch in shared.epochs] == pytest.approx([epoch.loss for epoch in fit.epochs], rel=1e-4)
    for name, value in fit.network.named_parameters():
        torch.testing.assert_close(shared.supernet.weights[name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_a_space_of_ones_own_without_scopes_learns(digits: Images) -> None:
    trained = training(digits, Widths(), Recipe(epochs=6, batch_size=32))
    trained.run()
    assert trained.epochs[-1].loss < 0.5 * trained.epochs[0].loss
    assert {name: tuple(w.shape) for name, w in trained.supernet.weights.items()} == {
        "conv/weight": (8, 1, 5, 5),
        "conv/bias": (8,),
        "linear/weight": (10, 8 * 16),
        "linear/bias": (10,),
    }


def test_the_architectures_of_a_step_depend_on_seed_and_step_alone(digits: Images) -> None:
    a, b, other = training(digits), training(digits), training(digits, seed=1)
    for number in (5, 0, 3):
        a.choices_of(number)
    assert [a.choices_of(n) for n in range(20)] == [b.choices_of(n) for n in range(20)]
    assert [a.choices_of(n) for n in range(20)] != [other.choices_of(n) for n in range(20)]


def test_architectures_are_drawn_uniformly(digits: Images) -> None:
    trained = training(digits, Widths(), sampling=Sampling(paths=10))
    drawn = [row for number in range(90) for row in trained.choices_of(number)]
    counts = [drawn.count(row) for row in map(tuple, Widths().enumerate().tolist())]
    # 900 draws over 9: 100 each with a standard deviation of 9.4; five of them is 47.
    assert max(abs(count - 100) for count in counts) < 47


# ---------------------------------------------------------------------- what a step leaves alone


def test_what_a_step_does_not_use_keeps_its_weights_and_its_momentum(digits: Images) -> None:
    trained = training(digits, Widths(), Recipe(epochs=1, batch_size=64, weight_decay=0.1))
    steps(trained, [(2, 2), (2, 2)])
    before, momentum = weights(trained), {name: value.clone() for name, value in trained.momentum.items()}
    steps(trained, [(0, 1)])
    for name, shape in {"conv/weight": (2, 1, 3, 3), "conv/bias": (2,), "linear/weight": (10, 2 * 16)}.items():
        outside = torch.ones_like(before[name], dtype=torch.bool)
        part(outside, shape).fill_(False)
        for now, then in ((trained.supernet.weights[name], before[name]), (trained.momentum[name], momentum[name])):
            assert torch.equal(now[outside], then[outside])
            assert not torch.equal(now[~outside], then[~outside])


def test_momentum_of_a_weight_that_grows_stays_in_its_place(digits: Images) -> None:
    trained = training(digits, Widths())
    steps(trained, [(0, 1)])
    before = {name: value.clone() for name, value in trained.momentum.items()}
    batch = next(trained.batches.epoch(0))
    trained.supernet.grow([trained.supernet.program((2, 2))])
    grown = trained._momentum("conv/weight")
    assert tuple(grown.shape) == (8, 1, 5, 5)
    assert torch.equal(part(grown, (2, 1, 3, 3)), before["conv/weight"])
    assert (grown != 0).sum() == (before["conv/weight"] != 0).sum()
    trained.choices_of = lambda number: [(2, 2)]  # type: ignore[method-assign]
    trained.step(0, 0, *batch)
    assert (trained.momentum["conv/weight"] != 0).all()


# ---------------------------------------------------------------------- the sandwich


def test_a_sandwich_step_trains_the_largest_the_smallest_and_those_drawn(digits: Images) -> None:
    chosen = training(digits, Widths(), sampling=Sampling(2, sandwich=True)).choices_of(0)
    assert chosen[:2] == [(2, 2), (0, 0)]
    assert len(chosen) == 4


@pytest.mark.parametrize("distillation", [False, True])
def test_gradients_of_a_sandwich_are_the_mean_over_its_architectures(digits: Images, distillation: bool) -> None:
    trained = training(digits, Widths(), Recipe(epochs=1, clip=0), Sampling(1, True, distillation))
    programs = [trained.supernet.program(row) for row in trained.choices_of(0)]
    trained.supernet.grow(programs)
    x, y = next(trained.batches.epoch(0))
    scores = [trained.supernet.run(program, x) for program in programs]
    soft = scores[0].detach().softmax(1) if distillation else y
    losses = [functional.cross_entropy(s, y if i == 0 else soft) for i, s in enumerate(scores)]
    (sum(losses) / 3).backward()  # type: ignore[union-attr, no-untyped-call]
    wanted = {name: w.grad.clone() for name, w in trained.supernet.weights.items() if w.grad is not None}
    trained.step(0, 0, x, y)
    for name, gradient in wanted.items():
        decay = trained.recipe.weight_decay if gradient.dim() > 1 else 0.0
        start = training(digits, Widths()).supernet
        start.grow(programs)
        torch.testing.assert_close(trained.momentum[name], gradient + decay * start.weights[name].detach())


def test_distillation_without_the_sandwich_is_refused() -> None:
    with pytest.raises(UsageError, match="which the sandwich rule alone trains"):
        Sampling(distillation=True)
    with pytest.raises(UsageError, match="at least 1 architecture, 0 were asked for"):
        Sampling(paths=0)


# ---------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(1, sandwich=True)])
def test_a_training_that_goes_on_is_one_that_never_stopped(digits: Images, sampling: Sampling, tmp_path: Path) -> None:
    whole = training(digits, Widths(), sampling=sampling)
    whole.run()
    file = tmp_path / "a.safetensors"
    training(digits, Widths(), sampling=sampling).run(until=1, checkpoint=file)
    for until in (2, 3):
        resumed = training(digits, Widths(), sampling=sampling)
        resumed.restore(file)
        resumed.run(until=until, checkpoint=file)
    assert [e.loss for e in resumed.epochs] == [e.loss for e in whole.epochs]
    assert weights(resumed).keys() == weights(whole).keys()
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(resumed).items())


_KILLED = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from archpredict.images.base import load_images
from archpredict.networks.form import Form
from archpredict.networks.recipe import Recipe
from archpredict.networks.supernet import Supernet
from archpredict.networks.supernet_training import SupernetTraining
from archpredict.spaces.base import load_space
images = load_images("digits")
supernet = Supernet(load_space("nasbench201"), Form.of(images, {"channels": 2, "cells": 1}))
SupernetTraining(supernet, images, Recipe(epochs=%d)).run(checkpoint=Path(sys.argv[1]))
"""


def test_a_killed_training_goes_on_exactly(start: Any, tmp_path: Path) -> None:
    file, images, epochs = tmp_path / "supernet.safetensors", load_images("digits"), 500
    program = start(_KILLED % epochs, str(file))
    while not file.exists() or len(_about(file)["epochs"]) < 2:
        assert not program.ended()
        time.sleep(0.02)
    program.send_signal(signal.SIGKILL)
    program.wait()

    def fresh() -> SupernetTraining:
        supernet = Supernet(CELLS, Form.of(images, {"channels": 2, "cells": 1}))
        return SupernetTraining(supernet, images, Recipe(epochs=epochs))

    resumed, whole = fresh(), fresh()
    resumed.restore(file)
    done = resumed.epoch
    assert 2 <= done < epochs
    resumed.run(until=done + 1)
    whole.run(until=done + 1)
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(resumed).items())


def _about(file: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(str(file), framework="pt") as opened:
        about: dict[str, Any] = json.loads(opened.metadata()["about"])
    return about


def test_another_recipe_is_not_gone_on_with(digits: Images, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    training(digits).run(until=1, checkpoint=file)
    with pytest.raises(UsageError, match=r"is of another recipe: .* go on with what it was started with"):
        training(digits, recipe=Recipe(epochs=4)).restore(file)
    with pytest.raises(UsageError, match="is of another space: nasbench201 there and widths now"):
        training(digits, Widths()).restore(file)


def test_a_finished_checkpoint_has_the_weights_alone(digits: Images, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    trained = training(digits, recipe=Recipe(epochs=1))
    trained.run(checkpoint=file)
    assert {name.partition("/")[0] for name in load_file(file)} == {"weights"}
    loaded = load_supernet(file, CELLS)
    assert all(torch.equal(value, weights(trained)[name]) for name, value in loaded.supernet.weights.items())
    assert loaded.recipe == Recipe(epochs=1)


def test_a_checkpoint_of_another_space_a_damaged_and_a_missing_one_are_refused(digits: Images, tmp_path: Path) -> None:
    file = tmp_path / "supernet.safetensors"
    trained = training(digits)
    trained.save(file)
    with pytest.raises(DataError, match="has not been trained for an epoch yet"):
        load_supernet(tmp_path, CELLS)
    trained.run(until=1, checkpoint=file)
    with pytest.raises(DataError, match="is one of the space nasbench201, not of widths; give another one"):
        load_supernet(tmp_path, Widths())
    content = file.read_bytes()
    for damaged in (content[:-10], b"", content[:-4] + b"\0\0\0\1"):
        file.write_bytes(damaged)
        with pytest.raises(DataError, match="is damaged"):
            load_supernet(tmp_path, CELLS)
    save_file({"weights/a": torch.zeros(1)}, file)
    with pytest.raises(DataError, match="is no checkpoint of this kind"):
        load_supernet(tmp_path, CELLS)
    file.unlink()
    with pytest.raises(DataError, match="there is no checkpoint"):
        load_supernet(file, CELLS)


def test_a_diverged_training_says_in_which_step_and_leaves_the_checkpoint(digits: Images, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    trained = training(digits, Widths())
    trained.run(until=1, checkpoint=file)
    kept = file.read_bytes()
    with torch.no_grad():
        trained.supernet.weights["linear/bias"].fill_(torch.nan)
    with pytest.raises(TrainingError, match=r"the loss is nan in step 1 of epoch 2; try a lower learning rate"):
        trained.run(checkpoint=file)
    assert file.read_bytes() == kept


def test_a_step_without_memory_is_done_in_parts(digits: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, whole = training(digits, Widths()), training(digits, Widths())
    run = trained.supernet.run

    def short(program: Any, x: torch.Tensor, **more: Any) -> torch.Tensor:
        if len(x) > 16:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return run(program, x, **more)

    monkeypatch.setattr(trained.supernet, "run", short)
    trained.run(until=1)
    whole.run(until=1)
    assert trained.parts == 4
    assert abs(trained.epochs[0].loss - whole.epochs[0].loss) < 0.3
