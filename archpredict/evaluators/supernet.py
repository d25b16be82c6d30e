"""Labels from a supernet: accuracies with weights that all architectures share."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archpredict.errors import DataError, TrainingError, UsageError
from archpredict.evaluators.base import SCORE, Evaluator, Result
from archpredict.spaces.base import Architecture, SearchSpace

if TYPE_CHECKING:
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
        from archpredict.networks.rating import Ratings

        about = trained.about["belongs_to"]["data set"]
        if images.sha256 != about["sha256"]:
            raise DataError(
                f"the images of {images.name} (SHA-256 {images.sha256[:12]}...) are not those of {about['name']} "
                f"({about['sha256'][:12]}...) that the supernet was trained on; give the same `dataset`"
            )
        self.trained, self.images = trained, images
        size = trained.recipe.batch_size
        self._ratings = Ratings(trained.supernet, images, batch_size=size, calibration=calibration)

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
            "calibration_batches": self._ratings.calibration_batches,
            **about,
            "device": self.trained.supernet.device.type,
        }

    def _result(self, architecture: Architecture) -> Result:
        from archpredict.runtime import one_thread

        start = time.perf_counter()
        try:
            with one_thread():
                rating = self._ratings.of(architecture.choices)
        except (UsageError, TrainingError) as error:  # e.g. the image is too small for this one
            return Result(architecture, None, str(error), time.perf_counter() - start)
        metadata = {"cross_entropy": rating.cross_entropy, "untrained_weights": rating.untrained_weights}
        return Result(architecture, rating.accuracy, seconds=time.perf_counter() - start, metadata=metadata)
