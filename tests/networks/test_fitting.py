"""Training: against a loop written with torch's own modules, exact resume, and what can go wrong."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from archpredict.errors import DataError, TrainingError, UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.images.base import Images, Split
from archpredict.networks.batches import Augmentation, Batches
from archpredict.networks.fitting import Fit
from archpredict.networks.form import Form
from archpredict.networks.network import Network, build
from archpredict.networks.recipe import Recipe
from archpredict.progress import Event
from archpredict.spaces.nasbench201 import NASBench201

CELL = (3, 1, 2, 1, 0, 3)
FORM = Form(image_size=8, image_channels=1, options={"channels": 4, "cells": 1})
SHORT = Recipe(epochs=3, batch_size=32, drop_path=0.3, crop=1, cutout=2, label_smoothing=0.1)


@pytest.fixture(scope="module")
def images() -> Images:
    """Ten classes of noisy patterns: 96 images to train on, 40 to judge."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 256, (10, 1, 8, 8))

    def drawn(n: int) -> Split:
        labels = np.arange(n) % 10
        noisy = patterns[labels] + rng.normal(0, 40, (n, 1, 8, 8))
        return Split(noisy.clip(0, 255).astype(np.uint8), labels.astype(np.int64))

    return Images("patterns", drawn(96), drawn(40), drawn(40), num_classes=10, flips=False)


def cell(seed: int = 0) -> Network:
    return build(FORM.graph(NASBench201(), CELL), seed=seed)


def plain_graph() -> ArchGraph:
    b = Builder(image=(1, 8, 8))
    x = b.global_avg_pool(b.relu(b.conv(b.input(), 6, kernel=3, norm=True)))
    return b.output(b.linear(x, 10)).graph()


class ByHand(torch.nn.Module):
    """What :func:`plain_graph` is, in torch's modules."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 6, 3, padding=1, bias=False)
        self.norm = torch.nn.BatchNorm2d(6)
        self.linear = torch.nn.Linear(6, 10)
        weights = dict(network.named_parameters())
        with torch.no_grad():
            for mine, name in ((self.conv.weight, "conv/weight"), (self.norm.bias, "conv/bias")):
                mine.copy_(weights[name])
            self.linear.weight.copy_(weights["linear/weight"])
            self.linear.bias.copy_(weights["linear/bias"])
        self.norm.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.linear(F.relu(self.norm(self.conv(x))).mean((2, 3)))
        return scores


def same(a: Network, b: Network) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


# ---------------------------------------------------------------------- the loop


def test_a_training_is_the_one_written_by_hand_in_torch(images: Images) -> None:
    recipe = Recipe(epochs=2, batch_size=32, label_smoothing=0.1, weight_decay=0.1, clip=0.5, warmup=1, crop=1)
    network = build(plain_graph(), seed=3)
    model = ByHand(network)
    fit = Fit(network, images, recipe, seed=5)
    fit.run()

    heavy, light = [model.conv.weight, model.linear.weight], [model.norm.bias, model.linear.bias]
    optimizer = torch.optim.SGD([{"params": heavy, "weight_decay": 0.1}, {"params": light}], 0.1, 0.9, nesterov=True)
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    batches = Batches(images, batch_size=32, augmentation=Augmentation(crop=1), seed=5)
    for epoch in range(2):
        losses = []
        for step, (x, y) in enumerate(batches.epoch(epoch)):
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate(3 * epoch + step, 3)
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*heavy, *light], 0.5)
            optimizer.step()
            losses.append(loss.item())
        assert fit.epochs[epoch].loss == pytest.approx(np.mean(losses), rel=1e-5)
    learnt = dict(network.named_parameters())
    # Sums of single-precision numbers in another order.
    torch.testing.assert_close(learnt["conv/weight"], model.conv.weight, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(learnt["linear/bias"], model.linear.bias, rtol=1e-4, atol=1e-5)
    assert model.norm.running_mean is not None
    torch.testing.assert_close(network.state_dict()["conv/mean"], model.norm.running_mean, rtol=1e-4, atol=1e-5)


def test_only_weights_with_more_than_one_axis_decay(images: Images) -> None:
    fit = Fit(cell(), images, Recipe(weight_decay=0.1))
    decayed, kept = fit.optimizer.param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    assert {p.dim() for p in decayed["params"]} == {2, 4}
    assert {p.dim() for p in kept["params"]} == {1}
    assert len(decayed["params"]) + len(kept["params"]) == len(list(fit.network.parameters()))


def test_the_same_seed_gives_the_same_network_whatever_torch_has_drawn_before(images: Images) -> None:
    found = []
    for noise in (0, 7):
        torch.manual_seed(noise)
        fit = Fit(cell(), images, SHORT, seed=1)
        before = torch.get_rng_state()
        fit.run()
        assert torch.equal(torch.get_rng_state(), before), "nothing is drawn from torch's global state"
        found.append(fit.network)
    assert same(*found)
    other = Fit(cell(), images, SHORT, seed=2)
    other.run()
    assert not same(found[0], other.network)


def test_paths_are_dropped_in_training_alone(images: Images) -> None:
    fit = Fit(cell(), images, replace(SHORT, drop_path=0.9))
    fit.run()
    fit.network.eval()
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert fit.network.drop_path == pytest.approx(0.6)
    assert torch.equal(fit.network(x), fit.network(x))
    assert fit.accuracy() == fit.accuracy()


def test_the_observer_is_told_of_each_epoch_when_its_checkpoint_is_there(images: Images, tmp_path: Path) -> None:
    seen: list[Event] = []

    def observe(event: Event) -> None:
        seen.append(event)
        again = Fit(cell(), images, SHORT)
        again.restore(tmp_path / "fit")
        assert again.epoch == event.done

    Fit(cell(), images, SHORT).run(checkpoint=tmp_path / "fit", observe=observe)
    assert [(event.stage, event.done, event.total) for event in seen] == [("epoch", i, 3) for i in (1, 2, 3)]
    assert seen[0].values["loss"] > seen[-1].values["loss"]
    assert all(0 <= event.values["training accuracy"] <= 100 for event in seen)


def test_a_network_that_nothing_flows_through_is_trained_like_others(images: Images) -> None:
    fit = Fit(build(FORM.graph(NASBench201(), (0,) * 6)), images, SHORT)
    fit.run()
    assert fit.accuracy() == 10


# ---------------------------------------------------------------------- going on


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_training_that_goes_on_ends_as_if_it_had_never_stopped(images: Images, tmp_path: Path, stop: int) -> None:
    whole = Fit(cell(), images, SHORT, seed=4)
    whole.run()
    Fit(cell(), images, SHORT, seed=4).run(stop, checkpoint=tmp_path / "fit")
    resumed = Fit(cell(), images, SHORT, seed=4)
    resumed.restore(tmp_path / "fit")
    resumed.run()
    assert same(whole.network, resumed.network)
    assert [epoch.loss for epoch in whole.epochs] == [epoch.loss for epoch in resumed.epochs]


_KILLED = """
import sys, torch
from pathlib import Path
from archpredict.images.base import load_images
from archpredict.networks.fitting import Fit
from archpredict.networks.form import Form
from archpredict.networks.network import build
from archpredict.networks.recipe import Recipe
from archpredict.spaces.nasbench201 import NASBench201
torch.set_num_threads(1)
form = Form(image_size=8, image_channels=1, options={"channels": 4, "cells": 1})
fit = Fit(build(form.graph(NASBench201(), (3, 1, 2, 1, 0, 3))), load_images("digits"), Recipe(epochs=500))
fit.run(checkpoint=Path(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_training_leaves_a_checkpoint_that_is_whole(start: Any, tmp_path: Path) -> None:
    from archpredict.images.base import load_images

    path = tmp_path / "fit"
    program = start(_KILLED, str(path))
    while not path.exists():
        assert not program.ended()
        time.sleep(0.01)
    time.sleep(0.1)
    program.send_signal(signal.SIGKILL)
    program.wait()
    recipe = Recipe(epochs=500)
    resumed = Fit(cell(), load_images("digits"), recipe)
    resumed.restore(path)
    whole = Fit(cell(), load_images("digits"), recipe)
    whole.run(resumed.epoch + 1)
    resumed.run(resumed.epoch + 1)
    assert same(whole.network, resumed.network)


def test_a_checkpoint_of_something_else_is_refused_with_what_differs(images: Images, tmp_path: Path) -> None:
    path = tmp_path / "fit"
    Fit(cell(), images, SHORT).run(1, checkpoint=path)
    mirrored = replace(images, train=Split(images.train.images[:, :, :, ::-1].copy(), images.train.labels))
    others = {
        "is of another network": Fit(build(plain_graph()), images, SHORT),
        "is of another data set": Fit(cell(), mirrored, SHORT),
        "was trained by another recipe: epochs 3 there and 4 now": Fit(cell(), images, replace(SHORT, epochs=4)),
        "is of another seed": Fit(cell(), images, SHORT, seed=1),
    }
    for message, fit in others.items():
        before = {name: value.clone() for name, value in fit.network.state_dict().items()}
        with pytest.raises(UsageError, match=f"the checkpoint {path} {message}"):
            fit.restore(path)
        assert all(torch.equal(value, before[name]) for name, value in fit.network.state_dict().items())


def test_a_damaged_checkpoint_is_refused(images: Images, tmp_path: Path) -> None:
    path, fit = tmp_path / "fit", Fit(cell(), images, SHORT)
    with pytest.raises(DataError, match=f"there is no checkpoint {path}"):
        fit.restore(path)
    fit.run(1, checkpoint=path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=f"the checkpoint {path} is damaged"):
        fit.restore(path)
    path.write_bytes(content[:-4] + b"\0\0\xc0\x3f")
    with pytest.raises(DataError, match=r"is damaged: its checksum is wrong; restore it from a copy"):
        fit.restore(path)
    tensors = {f"x{i}": value for i, value in enumerate(load_file(_written(path, content)).values())}
    save_file(tensors, str(path))
    with pytest.raises(DataError, match="is no checkpoint of this kind: archpredict-fit-1 was expected"):
        fit.restore(path)


def _written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


# ---------------------------------------------------------------------- what can go wrong


def test_a_training_that_diverges_says_in_which_step_and_keeps_the_checkpoint(images: Images, tmp_path: Path) -> None:
    fit = Fit(build(plain_graph()), images, Recipe(epochs=2, batch_size=32, learning_rate=1e30))
    with pytest.raises(
        TrainingError, match=r"the training diverged: the loss is (nan|inf) in step [23] of epoch 1; try"
    ):
        fit.run(checkpoint=tmp_path / "fit")
    assert not (tmp_path / "fit").exists(), "what has diverged is never kept"


class Hungry(Network):
    """Has no memory for more than so many images."""

    limit = 10

    def forward(self, images: Tensor, *more: object, **named: object) -> Tensor:
        if self.training and len(images) > self.limit:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return super().forward(images)


def test_out_of_memory_a_step_is_done_in_parts_whose_gradients_add_up(images: Images) -> None:
    recipe = Recipe(epochs=1, batch_size=32)
    graph = _without_norm()
    whole, parts = Fit(Network(graph), images, recipe), Fit(Hungry(graph), images, recipe)
    whole.run()
    parts.run()
    assert (whole.parts, parts.parts) == (1, 4)
    assert parts.epochs[0].loss == pytest.approx(whole.epochs[0].loss, rel=1e-5)
    for a, b in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)  # sums in another order


def _without_norm() -> ArchGraph:
    b = Builder(image=(1, 8, 8))
    return b.output(b.linear(b.global_avg_pool(b.conv(b.input(), 6, kernel=3)), 10)).graph()


def test_no_memory_for_two_images_ends_the_training(images: Images) -> None:
    network = Hungry(_without_norm())
    network.limit = 1
    with pytest.raises(TrainingError, match=r"out of memory in step 1 of epoch 1, even with 2 images at a time \(CUDA"):
        Fit(network, images, Recipe(epochs=1, batch_size=32)).run()


def test_other_errors_of_torch_are_no_lack_of_memory(images: Images) -> None:
    with pytest.raises(RuntimeError, match="expected input"):
        Fit(build(Form(image_size=8, image_channels=3).graph(NASBench201(), CELL)), images, SHORT).run()


# ---------------------------------------------------------------------- CUDA


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_losses_on_cuda_are_those_on_the_cpu_over_the_first_steps(images: Images) -> None:
    recipe = replace(SHORT, epochs=1, drop_path=0.0)
    fits = [Fit(cell(), images, recipe, device=device, half=False) for device in ("cpu", "cuda")]
    for fit in fits:
        fit.run()
    assert fits[1].epochs[0].loss == pytest.approx(fits[0].epochs[0].loss, rel=1e-3)  # TF32 and other orders of sums


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_half_precision_learns_as_well(images: Images) -> None:
    fit = Fit(cell(), images, Recipe(epochs=20, batch_size=32), device="cuda")
    fit.run()
    assert fit.accuracy() > 60


def test_half_precision_learns_on_a_cpu_too(images: Images) -> None:
    fit = Fit(cell(), images, Recipe(epochs=3, batch_size=32), half=True)
    fit.run()
    assert fit.epochs[0].loss > fit.epochs[-1].loss
