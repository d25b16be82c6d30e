"""Labels from a supernet: accuracies with weights that all architectures share."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archpredict.errors import DataError, TrainingError, UsageError
from archpredict.evaluators.base import SCORE, Evaluator, Result
from archpredict.spaces.base import Architecture, SearchSpace

if TYPE_CHECKING:
    from torch import Tensor

    from archpredict.images.base import Images
    from archpredict.networks.trained_supernet import TrainedSupernet

__all__ = ["SupernetEvaluator"]


class SupernetEvaluator(Evaluator):
    """Gives the accuracy in percent that an architecture has with the weights of a trained supernet.

    Guo et al., "Single path one-shot neural architecture search with uniform sampling", 2019, arXiv 1904.00420. Before
    each evaluation the means and variances of the batch norms are found anew on images of the train split (section 3.4
    there); the accuracy is that of the validation split. A label depends on the architecture and the supernet alone,
    not on what was labelled before. It says how good an architecture is beside others with these weights, not how good
    it would be if it were trained alone.

    Args:
        trained: A supernet from :func:`load_supernet <archpredict.networks.trained_supernet.load_supernet>`.
        images: The data set that it was trained on.
        calibration: Images of the train split that batch norms are found on, in batches as in training, at most one
            epoch of them.

    Raises:
        DataError: The images are not those that it was trained on.
    """

    name = "supernet"

    def __init__(self, trained: TrainedSupernet, images: Images, *, calibration: int = 2048) -> None:
        from archpredict.networks.batches import Batches

        about = trained.about["belongs_to"]["data set"]
        if images.sha256 != about["sha256"]:
            raise DataError(
                f"the images of {images.name} (SHA-256 {images.sha256[:12]}...) are not those of {about['name']} "
                f"({about['sha256'][:12]}...) that the supernet was trained on; give the same `dataset`"
            )
        if calibration < 1:
            raise UsageError(f"batch norms are found on at least 1 image, {calibration} were asked for")
        self.trained, self.images = trained, images
        supernet, size = trained.supernet, trained.recipe.batch_size
        self._calibration = Batches(images, "train", batch_size=size, device=supernet.device, seed=supernet.seed)
        self._count = min(len(self._calibration), math.ceil(calibration / self._calibration.batch_size))
        self._validation = Batches(
            images, "validation", batch_size=max(256, size), device=supernet.device, shuffle=False
        )

    @classmethod
    def load(
        cls,
        path: str | Path,
        space: str | type[SearchSpace] | SearchSpace,
        *,
        dataset: str | None = None,
        device: str = "auto",
        calibration: int = 2048,
    ) -> SupernetEvaluator:
        """The evaluator of a checkpoint.

        Args:
            path: The folder of a trained supernet, or the checkpoint in it.
            space: What is searched.
            dataset: Where the images are now; None: where they were when the supernet was trained.
            device: ``auto``, ``cpu`` or ``cuda``.
            calibration: As for the class.

        Raises:
            DataError: The checkpoint is missing, damaged or of another space, or the images are others.
        """
        from archpredict.backends import torch_device
        from archpredict.images.base import load_images
        from archpredict.networks.trained_supernet import load_supernet

        trained = load_supernet(path, space, torch_device(device))
        reference = dataset or trained.about.get("dataset")
        if not isinstance(reference, str):
            raise UsageError(f"the supernet {path} does not say where its images are; give `dataset`")
        return cls(trained, load_images(reference), calibration=calibration)

    @classmethod
    def for_space(
        cls,
        space: str | SearchSpace,
        /,
        checkpoint: str | Path,
        dataset: str | None = None,
        *,
        device: str = "auto",
        calibration: int = 2048,
    ) -> SupernetEvaluator:
        """As :meth:`load`.

        Args:
            space: What is searched.
            checkpoint: Folder of a trained supernet, or the checkpoint in it.
            dataset: Where the images are now; if left out, where they were when it was trained.
            device: ``auto``, ``cpu`` or ``cuda``.
            calibration: Images that batch norms are found on.
        """
        return cls.load(checkpoint, space, dataset=dataset, device=device, calibration=calibration)

    def evaluate(self, architectures: Sequence[Architecture]) -> Iterator[Result]:
        return map(self._result, architectures)

    @property
    def label_names(self) -> tuple[str, ...]:
        return (SCORE, "accuracy")

    def describe(self) -> dict[str, Any]:
        about = self.trained.about["belongs_to"]
        epochs, wanted = len(self.trained.about["epochs"]), self.trained.recipe.epochs
        trained = f"{epochs} epochs" if epochs == wanted else f"{epochs} of {wanted} epochs"
        return {
            "evaluator": self.name,
            "labels": (
                f"accuracies in percent on the {len(self.images.validation)} validation images of {self.images.name}, "
                f"with weights that all architectures share, of a supernet trained for {trained}"
            ),
            "sha256": self.trained.sha256,
            "images": self.images.describe(),
            "calibration_batches": self._count,
            **about,
            "device": self.trained.supernet.device.type,
        }

    def _result(self, architecture: Architecture) -> Result:
        from archpredict.runtime import one_thread

        start = time.perf_counter()
        try:
            with one_thread():
                score, metadata = self._accuracy(architecture)
        except (UsageError, TrainingError) as error:  # e.g. the image is too small for this one
            return Result(architecture, None, str(error), time.perf_counter() - start)
        return Result(architecture, score, seconds=time.perf_counter() - start, metadata=metadata)

    def _accuracy(self, architecture: Architecture) -> tuple[float, dict[str, float]]:
        """Percent of the validation images, and what else is known of them and of the weights."""
        import torch
        from torch.nn import functional

        from archpredict.networks.batches import accuracy

        supernet = self.trained.supernet
        program = supernet.program(architecture.choices)
        tensors = supernet.tensors(program)
        statistics = supernet.recalibrated(program, self._calibration, self._count)
        kept: list[Tensor] = []

        def forward(images: Tensor) -> Tensor:
            scores = supernet.run(program, images, tensors=tensors, statistics=statistics)
            if not torch.isfinite(scores).all():
                raise TrainingError("the network gives scores that are not finite with the weights of the supernet")
            kept.append(scores)
            return scores

        score = accuracy(forward, self._validation)
        labels = torch.cat([labels for _, labels in self._validation.plain()])
        loss = float(functional.cross_entropy(torch.cat(kept), labels))
        return score, {"cross_entropy": loss, "untrained_weights": supernet.missing(program)}
