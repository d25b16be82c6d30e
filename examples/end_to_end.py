"""CTNAS from images to a trained network, at the size of a laptop.

The experiment that CTNAS's paper makes on ImageNet (Chen, Guo et al., CVPR 2021, arXiv 2103.05471, section 5.2), on the
8x8 digits of scikit-learn. A supernet of the MobileNetV3 space is trained, it labels architectures, a comparator learns
from the labels to reward a controller, and what is found is trained from scratch, beside the best of the labels that
the search began with and the best of a random search with as many labels. ::

    python examples/end_to_end.py

The supernet is kept in ``--out``: interrupted, its training goes on where it stopped.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from archpredict import Architecture, Event, load_space, search
from archpredict.evaluators.base import Evaluator, Result
from archpredict.evaluators.supernet import SupernetEvaluator
from archpredict.graph.operators import total
from archpredict.images.base import load_images
from archpredict.networks.fitting import Fit
from archpredict.networks.form import Form
from archpredict.networks.network import build
from archpredict.networks.recipe import Recipe
from archpredict.networks.supernet import Supernet
from archpredict.networks.supernet_training import SupernetTraining
from archpredict.networks.trained_supernet import load_supernet

SPACE = load_space("mobilenetv3")
IMAGES = load_images("digits")
FORM = Form(num_classes=10, image_size=8, image_channels=1, options={"channels": 8})
SUPERNET = Recipe(epochs=40, learning_rate=0.05)
SCRATCH = Recipe(epochs=10, learning_rate=0.05)


class Recorded(Evaluator):
    """Another evaluator, and what it has said so far."""

    name = "recorded"

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.results: list[Result] = []

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        for result in self.evaluator.evaluate(architectures):
            self.results.append(result)
            yield result

    def describe(self) -> dict[str, Any]:
        return self.evaluator.describe()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/end-to-end"), help="folder of the supernet")
    parser.add_argument("--labels", type=int, default=50, help="random architectures that CTNAS begins with")
    parser.add_argument("--budget", type=int, default=100, help="architectures that each search may label")
    parser.add_argument("--seeds", type=int, default=3, help="trainings from scratch of each winner")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # these networks are too small to share out
    start = time.perf_counter()

    checkpoint = given.out / "supernet.safetensors"
    train_supernet(checkpoint)
    print(f"[{time.perf_counter() - start:5.0f} s] the supernet is trained", flush=True)

    labeller = SupernetEvaluator(load_supernet(checkpoint, SPACE), IMAGES, calibration=512)
    contrastive, random = Recorded(labeller), Recorded(labeller)
    share = {"first_share": given.labels / given.budget, "rounds": 3}
    search(SPACE, contrastive, strategy="ctnas", budget=given.budget, options=share)
    search(SPACE, random, strategy="random", budget=given.budget)
    print(
        f"[{time.perf_counter() - start:5.0f} s] both searches have labelled {given.budget} architectures", flush=True
    )

    print(f"{'':>26}  supernet  from scratch: validation    test ({given.seeds} seeds)     parameters  multiply-adds")
    for name, results in (
        (f"best of {given.labels} labels", contrastive.results[: given.labels]),
        (f"random search, {given.budget} labels", random.results),
        (f"CTNAS, {given.budget} labels", contrastive.results),
    ):
        best = max((r for r in results if r.score is not None), key=lambda r: r.score or 0.0)
        print(f"{name:>26}  {best.score:8.2f}  {from_scratch(best.architecture, given.seeds)}", flush=True)
    print(f"[{time.perf_counter() - start:5.0f} s] done")


def train_supernet(checkpoint: Path) -> None:
    """Architectures drawn uniformly take turns in learning; goes on from the checkpoint if there is one."""
    training = SupernetTraining(Supernet(SPACE, FORM), IMAGES, SUPERNET)
    if checkpoint.exists():
        training.restore(checkpoint)
    training.run(checkpoint=checkpoint, about={"dataset": "digits"}, observe=show)


def show(event: Event) -> None:
    """A line now and then."""
    if event.done % 10 == 0:
        print(f"supernet: epoch {event.done} of {event.total}, loss {event.values['loss']:.3f}", flush=True)


def from_scratch(architecture: Architecture, seeds: int) -> str:
    """Accuracies of the architecture, trained alone from several starts, and its costs."""
    graph = FORM.graph(SPACE, architecture.choices)
    fits = [Fit(build(graph, seed=seed), IMAGES, SCRATCH, seed=seed) for seed in range(seeds)]
    for fit in fits:
        fit.run()
    validation, test = (np.array([fit.accuracy(split) for fit in fits]) for split in ("validation", "test"))
    return (
        f"{validation.mean():15.2f} ± {validation.std():4.2f}  {test.mean():6.2f} ± {test.std():4.2f}  "
        f"{total(graph, 'params'):18,.0f}  {total(graph, 'macs'):13,.0f}"
    )


if __name__ == "__main__":
    main()
