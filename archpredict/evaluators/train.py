"""Labels from training each network from scratch."""

from __future__ import annotations

import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archpredict.errors import TrainingError, UsageError
from archpredict.evaluators.base import SCORE, Evaluator, Result
from archpredict.executors.local import as_they_finish, check_jobs
from archpredict.executors.processes.pool import ERROR, Pool
from archpredict.spaces.base import Architecture, SearchSpace, load_space

if TYPE_CHECKING:
    from archpredict.graph.arch_graph import ArchGraph
    from archpredict.images.base import Images
    from archpredict.networks.form import Form
    from archpredict.networks.labelling import Label
    from archpredict.networks.recipe import Recipe

__all__ = ["TrainEvaluator"]


class TrainEvaluator(Evaluator):
    """Trains the network of each architecture from scratch and gives its accuracy in percent.

    Weights are learned from the train split, the accuracy is of the validation split; the test split is left for the
    end of a search. A label depends on the architecture, the recipe and the seed alone: not on how many are trained at
    a time nor on what was trained before. For that, each network has one thread on a CPU: several cores are put to use
    by ``jobs``, which are processes there; on CUDA they are threads of this process, each with a stream of its own.

    A training that diverges, runs out of memory or whose process dies is a failed result.

    Args:
        images: The data set.
        form: Of the networks; None: as the images are, with the options of the space's own.
        recipe: How they are trained; None: the defaults.
        seed: Of initial weights, order of images, augmentation and drop-path.
        jobs: Networks at a time.
        device: ``auto``, ``cpu`` or ``cuda``.
        split: What the accuracy is measured on.

    Raises:
        UsageError: A number is out of range, or there is no such device or split.

    Example:
        >>> from archpredict.images.base import load_images
        >>> from archpredict.networks.form import Form
        >>> from archpredict.networks.recipe import Recipe
        >>> from archpredict.spaces import load_space
        >>> form = Form(image_size=8, image_channels=1, options={"channels": 4, "cells": 1})
        >>> evaluator = TrainEvaluator(load_images("digits"), form, Recipe(epochs=1), device="cpu")
        >>> result = next(evaluator.evaluate([load_space("nasbench201").architecture([3, 1, 3, 1, 1, 3])]))
        >>> 10 < result.score <= 100, result.metadata["epochs"]
        (True, 1)
    """

    name = "train"

    def __init__(
        self,
        images: Images,
        form: Form | None = None,
        recipe: Recipe | None = None,
        *,
        seed: int = 0,
        jobs: int = 1,
        device: str = "auto",
        split: str = "validation",
    ) -> None:
        from archpredict.backends import torch_device
        from archpredict.networks.batches import Batches
        from archpredict.networks.form import Form
        from archpredict.networks.labelling import Task
        from archpredict.networks.recipe import Recipe

        self.images = images
        self.form = form or Form.of(images)
        self.jobs = check_jobs(jobs)
        self.task = Task(images, recipe or Recipe(), seed, split, torch_device(device))
        images.split(split)
        Batches(images, batch_size=self.task.recipe.batch_size)  # says what is wrong with it
        self._checked: set[str] = set()
        self._open()

    @classmethod
    def for_space(
        cls,
        space: str | SearchSpace,
        /,
        dataset: str,
        network: Mapping[str, float] | None = None,
        training: Mapping[str, float] | None = None,
        *,
        seed: int = 0,
        jobs: int = 1,
        device: str = "auto",
        split: str = "validation",
    ) -> TrainEvaluator:
        """The evaluator that trains the networks of a space on a named data set.

        Args:
            space: What is searched.
            dataset: Images to train on, e.g. digits or cifar10:FOLDER.
            network: Options of the space's networks.
            training: How they are trained, e.g. ``{"epochs": 5}``; see :class:`archpredict.networks.recipe.Recipe`.
            seed: Of initial weights, order of images, augmentation and drop-path.
            jobs: Networks at a time.
            device: ``auto``, ``cpu`` or ``cuda``.
            split: What the accuracy is measured on.
        """
        from archpredict.images.base import load_images
        from archpredict.networks.form import Form
        from archpredict.networks.recipe import Recipe

        recipe, images = Recipe.from_numbers(training or {}), load_images(dataset)
        made = cls(images, Form.of(images, network), recipe, seed=seed, jobs=jobs, device=device, split=split)
        made.form.check(load_space(space))
        return made

    def evaluate(self, architectures: Sequence[Architecture] | Iterator[Architecture]) -> Iterator[Result]:
        for architecture in architectures if isinstance(architectures, Sequence) else ():  # else as they are taken
            self._check(architecture.space)
        if self.jobs == 1:
            return map(self._alone, architectures)
        return self._packed(architectures) if self.task.device.type == "cuda" else self._spread(architectures)

    @property
    def at_a_time(self) -> int:
        return self.jobs

    @property
    def label_names(self) -> tuple[str, ...]:
        return (SCORE, "accuracy")

    def describe(self) -> dict[str, Any]:
        epochs, images = self.task.recipe.epochs, self.images
        return {
            "evaluator": self.name,
            "labels": (
                f"accuracies in percent on the {len(images.split(self.task.split))} {self.task.split} images of "
                f"{images.name}, of networks trained from scratch for {epochs} epoch{'s' if epochs > 1 else ''}"
            ),
            "images": images.describe(),
            "form": self.form.describe(),
            "recipe": self.task.recipe.describe(),
            "seed": self.task.seed,
            "split": self.task.split,
            "device": self.task.device.type,
        }

    # ------------------------------------------------------------------ where trainings run

    def _open(self) -> None:
        """Have what ends with this evaluator: processes, once there are any."""
        self._pool: Pool | None = None
        self._end = ExitStack()
        weakref.finalize(self, self._end.close)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_pool", "_end")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    def _processes(self) -> Pool:
        """Those that train on a CPU, which are kept for the next architectures."""
        from archpredict.networks.worker import setup_of

        if self._pool is None:
            folder = self._end.enter_context(tempfile.TemporaryDirectory(prefix="archpredict-"))
            setup = setup_of(self.task, Path(folder) / "images.safetensors")
            self._pool = self._end.enter_context(Pool("archpredict.networks.worker", setup, self.jobs))
        return self._pool

    def _alone(self, architecture: Architecture) -> Result:
        from archpredict.runtime import one_thread

        with one_thread():
            return self._result(architecture, self.task.label)

    def _spread(self, architectures: Iterable[Architecture]) -> Iterator[Result]:
        """In processes, on a CPU."""
        from archpredict.networks.labelling import Label

        pool, stopped = self._processes(), threading.Event()

        def label(graph: ArchGraph) -> Label:
            start = time.perf_counter()
            answer = pool.ask({"graph": graph.to_json()}, stopped)
            if "score" in answer:
                return Label(**answer)
            return Label(None, answer[ERROR], {}, time.perf_counter() - start)

        stop = partial(pool.stop, stopped)
        return as_they_finish(lambda a: self._result(a, label), architectures, self.jobs, stop)

    def _packed(self, architectures: Iterable[Architecture]) -> Iterator[Result]:
        """In threads of this process, on CUDA."""
        from archpredict.runtime import one_thread, own_stream

        stopped = threading.Event()

        def go_on(_: object) -> None:
            if stopped.is_set():
                raise TrainingError("the evaluation was interrupted")

        def label(graph: ArchGraph) -> Label:
            with own_stream(self.task.device):
                return self.task.label(graph, go_on)

        with one_thread():
            yield from as_they_finish(lambda a: self._result(a, label), architectures, self.jobs, stopped.set)

    def _check(self, space: SearchSpace) -> None:
        """That the space defines what this can train, once for each space."""
        if space.name not in self._checked:
            self.form.check(space)
            self._checked.add(space.name)

    def _result(self, architecture: Architecture, label: Callable[[ArchGraph], Label]) -> Result:
        self._check(architecture.space)
        try:
            graph = self.form.graph(architecture.space, architecture.choices)
        except UsageError as error:  # e.g. too many reductions for the size of the images
            return Result(architecture, None, str(error))
        found = label(graph)
        return Result(architecture, found.score, found.error, found.seconds, found.metadata)
