"""The label of a network: its accuracy after a training from scratch."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import torch

from archpredict.errors import ArchPredictError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.operators import total
from archpredict.images.base import Images
from archpredict.networks.fitting import Fit
from archpredict.networks.network import build
from archpredict.networks.recipe import Recipe
from archpredict.progress import Observer, silent


@dataclass(frozen=True)
class Label:
    """The label that a training gave.

    Args:
        score: Accuracy in percent; None where the training failed.
        error: One sentence, set exactly where ``score`` is None.
        metadata: Loss and accuracy of the last epoch, epochs, parameters and multiply-adds, as JSON.
        seconds: Wall time.
    """

    score: float | None
    error: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Task:
    """A labelling task: everything but the network.

    Args:
        images: Trained on is the train split.
        recipe: How.
        seed: Of initial weights and batches; the same for all networks, so that no label depends on another.
        split: What the accuracy is measured on.
        device: Where.
    """

    images: Images
    recipe: Recipe
    seed: int = 0
    split: str = "validation"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def label(self, graph: ArchGraph, observe: Observer = silent) -> Label:
        """Train the network of a computational graph; a training that fails is a label that says why.

        Args:
            graph: Of the network.
            observe: Told of each epoch; what it raises ends the training.
        """
        start = time.perf_counter()
        figures: dict[str, Any] = {"params": int(total(graph, "params")), "macs": int(total(graph, "macs"))}
        try:
            fit = Fit(build(graph, seed=self.seed), self.images, self.recipe, seed=self.seed, device=self.device)
            fit.run(observe=observe)
            score = fit.accuracy(self.split)
        except ArchPredictError as error:
            return Label(None, str(error), figures, time.perf_counter() - start)
        except Exception as error:  # whatever torch says about this one, the others go on
            said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            return Label(None, f"the training failed: {said}", figures, time.perf_counter() - start)
        last = fit.epochs[-1]
        figures |= {"epochs": fit.epoch, "loss": last.loss, "train_accuracy": last.accuracy}
        if fit.parts > 1:
            figures["batch_parts"] = fit.parts
        return Label(score, None, figures, time.perf_counter() - start)
