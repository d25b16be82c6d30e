"""Supernets on digits: how well shared weights rank architectures, and what a step costs.

    OMP_NUM_THREADS=1 python benchmarks/supernet.py ranking --space nasbench201 --network channels=4 \\
        --network cells=1 --supernet-epochs 25 50 100 200
    OMP_NUM_THREADS=1 python benchmarks/supernet.py ranking --space mobilenetv3 --network channels=4 --sandwich \\
        --architectures 30 --epochs 6 --trainings 2 --supernet-epochs 20 --seeds 2
    OMP_NUM_THREADS=1 python benchmarks/supernet.py step

``ranking`` trains some supernets (one per seed) and labels architectures with them, by the validation split; each
architecture is also trained from scratch, with several seeds, and measured on validation and test split together.
Kendall's tau is between the label of a supernet and the mean of these trainings. Tau between the means of two halves of
the trainings says how well they rank themselves, and that of parameters and multiply-adds what is known without any.
Digits are easy: trainings are short and networks narrow, so that accuracies lie apart.
``step`` compares a step of a supernet with one of a network of its own, for the same architecture, in turn; an
architecture that is new costs the making of its program more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch loads

import numpy as np
import torch
from torch.nn import functional

from archpredict.evaluators.supernet import SupernetEvaluator
from archpredict.graph.operators import total
from archpredict.images.base import Images, load_images
from archpredict.metrics import kendall_tau
from archpredict.networks.batches import Batches
from archpredict.networks.fitting import Fit
from archpredict.networks.form import Form
from archpredict.networks.network import build
from archpredict.networks.recipe import Recipe
from archpredict.networks.supernet import Supernet
from archpredict.networks.supernet_training import Sampling, SupernetTraining
from archpredict.networks.trained_supernet import TrainedSupernet
from archpredict.spaces.base import Architecture, SearchSpace, load_space


def numbers(given: list[str]) -> dict[str, float]:
    return {name: float(number) for name, _, number in (text.partition("=") for text in given)}


def drawn(space: SearchSpace, count: int) -> list[Architecture]:
    """Distinct architectures, by isomorphism, drawn as the space draws them."""
    found: dict[str, Architecture] = {}
    for architecture in space.architectures(space.sample(20 * count, np.random.default_rng(12345))):
        found.setdefault(architecture.key, architecture)
    return list(found.values())[:count]


# ---------------------------------------------------------------------- ranking


def alone(images: Images, form: Form, recipe: Recipe, architecture: Architecture, seed: int) -> tuple[float, float]:
    """Accuracy in percent and cross-entropy, on validation and test split, of a training from scratch."""
    fit = Fit(build(form.graph(architecture.space, architecture.choices), seed=seed), images, recipe, seed=seed)
    fit.run()
    fit.network.eval()
    splits = [Batches(images, split, batch_size=512, shuffle=False) for split in ("validation", "test")]
    with torch.no_grad():
        answers = [(fit.network(x), y) for batches in splits for x, y in batches.plain()]
    scores, labels = (torch.cat(parts) for parts in zip(*answers, strict=True))
    accuracy = 100 * (scores.argmax(1) == labels).double().mean()
    return float(accuracy), float(functional.cross_entropy(scores, labels))


def supernet_labels(
    images: Images, form: Form, recipe: Recipe, sampling: Sampling, architectures: list[Architecture], seed: int
) -> tuple[list[float], list[float], float]:
    """Accuracies, cross-entropies, and seconds of the training."""
    supernet = Supernet(architectures[0].space, form, seed=seed)
    training = SupernetTraining(supernet, images, recipe, sampling)
    start = time.perf_counter()
    training.run()
    seconds = time.perf_counter() - start
    trained = TrainedSupernet(supernet, {"belongs_to": training.belongs_to(), "epochs": []}, recipe, "")
    results = list(SupernetEvaluator(trained, images).evaluate(architectures))
    assert all(result.score is not None for result in results), [result.error for result in results]
    return [float(r.score or 0) for r in results], [r.metadata["cross_entropy"] for r in results], seconds


def ranking(given: argparse.Namespace) -> None:
    space, images = load_space(given.space), load_images("digits")
    form = Form.of(images, numbers(given.network))
    architectures = drawn(space, given.architectures)
    recipe = Recipe(epochs=given.epochs, batch_size=given.batch_size)
    start = time.perf_counter()
    seeds = range(given.trainings)
    trained = np.array([[alone(images, form, recipe, a, seed) for seed in seeds] for a in architectures])
    spent = time.perf_counter() - start
    accuracy, loss = trained.mean(axis=1).T
    low, middle, high = np.quantile(accuracy, [0, 0.5, 1])
    print(f"{space.name}, {len(architectures)} architectures, {form.options}")
    print(
        f"from scratch: {given.epochs} epochs of {given.batch_size}, accuracy {low:.1f} / {middle:.1f} / {high:.1f} %"
    )
    print(f"  (lowest, median, highest); {spent:.0f} s for {given.trainings} trainings each")
    halves = [trained[:, half::2].mean(axis=1).T for half in (0, 1)]
    print(f"tau between halves of the trainings: accuracy {tau(halves[0][0], halves[1][0])}", end=", ")
    print(f"cross-entropy {tau(halves[0][1], halves[1][1])}", flush=True)
    graphs = [form.graph(space, a.choices) for a in architectures]
    for cost in ("params", "macs"):
        values = [total(graph, cost) for graph in graphs]
        print(f"tau of {cost}: accuracy {tau(accuracy, values)}, cross-entropy {tau(-loss, values)}")
    sampling = Sampling(given.paths, given.sandwich, given.distillation)
    for epochs in given.supernet_epochs:
        rows = []
        for seed in range(given.seeds):
            shared = Recipe(epochs=epochs, batch_size=given.batch_size, learning_rate=given.rate)
            scores, losses, seconds = supernet_labels(images, form, shared, sampling, architectures, seed)
            rows.append(
                (kendall_tau(accuracy, scores), kendall_tau(-loss, [-x for x in losses]), np.median(scores), seconds)
            )
        tau_accuracy, tau_loss, median, seconds = np.transpose(rows)
        print(
            f"supernet, {epochs} epochs, {sampling}, rate {given.rate}: tau of accuracies {spread(tau_accuracy)}, of "
            f"cross-entropies {spread(tau_loss)}; median accuracy {median.mean():.1f} %; {seconds.mean():.0f} s",
            flush=True,
        )


def tau(a: Any, b: Any) -> str:
    return f"{kendall_tau(a, b):.2f}"


def spread(values: Any) -> str:
    return f"{np.mean(values):.2f} ± {np.std(values):.2f}"


# ---------------------------------------------------------------------- costs of a step


def step(given: argparse.Namespace) -> None:
    images = load_images("digits")
    for name, options in (("nasbench201", {"channels": 8, "cells": 1}), ("mobilenetv3", {"channels": 4})):
        space, form = load_space(name), Form.of(images, options)
        seen = drawn(space, 100)
        supernet = Supernet(space, form)
        supernet.grow(supernet.program(a.choices) for a in seen)
        stored = sum(weight.numel() for weight in supernet.weights.values())
        mean = statistics.mean(total(form.graph(space, a.choices), "params") for a in seen)
        print(f"{name}, {options}: the store has {stored:,} numbers, networks {mean:,.0f} on average of {len(seen)}")
        for architecture in seen[: given.architectures]:
            ratio, memory, new = compared(supernet, images, architecture, given.repeats)
            print(f"  {str(architecture)[:60]}", flush=True)
            print(f"    time {ratio:.2f} and memory {memory:.2f} of a step of its own; new: {new:.2f} more", flush=True)


def compared(
    supernet: Supernet, images: Images, architecture: Architecture, repeats: int
) -> tuple[float, float, float]:
    """Time and memory of a supernet's step, as parts of those of a network of its own; and of making its program."""
    recipe = Recipe()
    training = SupernetTraining(supernet, images, recipe)
    training.choices_of = lambda number: [architecture.choices]  # type: ignore[method-assign]
    fit = Fit(build(supernet.program(architecture.choices).graph), images, recipe)
    fit.network.train()
    x, y = next(training.batches.epoch(0))

    def shared() -> None:
        training.step(0, 0, x, y)

    def own() -> None:
        fit._step(x, y, "")

    def new() -> None:
        Supernet(supernet.space, supernet.form).program(architecture.choices)

    times: dict[Callable[[], None], list[float]] = {shared: [], own: [], new: []}
    for repeat in range(repeats + 2):
        for work, taken in times.items():
            start = time.perf_counter()
            work()
            if repeat >= 2:
                taken.append(time.perf_counter() - start)
    middle = {work: statistics.median(taken) for work, taken in times.items()}
    return middle[shared] / middle[own], kept(shared) / kept(own), middle[new] / middle[own]


def kept(work: Callable[[], None]) -> int:
    """Bytes that a step keeps from the forward for the backward pass."""
    storages: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        work()
    return sum(storages.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    ranked = commands.add_parser("ranking")
    ranked.set_defaults(function=ranking)
    ranked.add_argument("--space", default="nasbench201")
    ranked.add_argument("--network", action="append", default=[], metavar="NAME=NUMBER")
    ranked.add_argument("--architectures", type=int, default=40)
    ranked.add_argument("--epochs", type=int, default=3, help="of trainings from scratch")
    ranked.add_argument("--trainings", type=int, default=4, help="of each architecture")
    ranked.add_argument("--batch-size", type=int, default=64)
    ranked.add_argument("--supernet-epochs", type=int, nargs="+", default=[100])
    ranked.add_argument("--rate", type=float, default=0.1, help="learning rate of the supernet")
    ranked.add_argument("--paths", type=int, default=1)
    ranked.add_argument("--sandwich", action="store_true")
    ranked.add_argument("--distillation", action="store_true")
    ranked.add_argument("--seeds", type=int, default=3, help="supernets")
    stepped = commands.add_parser("step")
    stepped.set_defaults(function=step)
    stepped.add_argument("--architectures", type=int, default=5)
    stepped.add_argument("--repeats", type=int, default=30)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.function(given)


if __name__ == "__main__":
    main()
