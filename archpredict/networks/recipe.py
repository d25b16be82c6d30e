"""Recipe: how a network is trained, and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from archpredict.errors import UnknownNameError, UsageError

__all__ = ["Recipe"]

_WHOLE = ("epochs", "batch_size", "cutout", "crop")
_POSITIVE = ("epochs", "batch_size", "learning_rate")
_BELOW_1 = ("momentum", "label_smoothing", "drop_path")


@dataclass(frozen=True)
class Recipe:
    """A training recipe: SGD with Nesterov momentum under a cosine schedule, augmentation and regularisation.

    The learning rate of step ``t`` of ``T`` is ``learning_rate * (1 + cos(pi * t / T)) / 2`` (Loshchilov and Hutter
    2016, arXiv 1608.03983, eq. 5, without restarts), after a warm-up in which it rises in equal steps. The defaults
    are for small networks on small images, such as the digits on a CPU; for CIFAR-10 the published ones are::

        epochs=200 batch_size=256 learning_rate=0.1 weight_decay=5e-4 crop=4                 NAS-Bench-201
        epochs=600 batch_size=96 learning_rate=0.025 weight_decay=3e-4 crop=4 cutout=16 drop_path=0.2 clip=5   DARTS

    Args:
        epochs: Times that every image is seen.
        batch_size: Images per step.
        learning_rate: The highest one.
        momentum: Weight of the steps before (Nesterov's form).
        weight_decay: Pull towards 0 per step, on weights with more than one axis only: not on biases, scales, shifts.
        label_smoothing: Part of the target that is spread over all classes (Szegedy et al. 2015, arXiv 1512.00567).
        cutout: Side of the square that is blanked in each image, in pixels (DeVries and Taylor 2017, arXiv
            1708.04552); 0: none.
        crop: Pixels of zeros around an image out of which a part of its size is cut; 0: none.
        flip: Mirror half of the images; None: as the data set says.
        drop_path: Probability with which an operation is left out of a sum in the last epoch; it rises linearly from
            0, as in DARTS (Liu et al. 2018, arXiv 1806.09055).
        clip: Largest norm of the gradient of all weights together; 0: no limit.
        warmup: Epochs, or a part of one, in which the learning rate rises.

    Raises:
        UsageError: A number is out of range.

    Example:
        >>> recipe = Recipe(epochs=2, learning_rate=0.1)
        >>> [round(recipe.rate(step, steps_per_epoch=2), 4) for step in range(4)]
        [0.1, 0.0854, 0.05, 0.0146]
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    cutout: int = 0
    crop: int = 0
    flip: bool | None = None
    drop_path: float = 0.0
    clip: float = 5.0
    warmup: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name != "flip":
                _check(name, value)
        if self.warmup > self.epochs:
            raise UsageError(f"warmup is {self.warmup:g} epochs, more than the {self.epochs} epochs of the training")

    @classmethod
    def from_numbers(cls, numbers: Mapping[str, float]) -> Recipe:
        """A recipe from fields given as numbers, as on the command line: ``epochs=10``, ``flip=0``.

        Raises:
            UnknownNameError: There is no such field; the message lists them.
            UsageError: A number is out of range.
        """
        known = [field.name for field in fields(cls)]
        given: dict[str, Any] = {}
        for name, number in numbers.items():
            if name not in known:
                raise UnknownNameError("training option", name, known)
            if name == "flip" and number not in (0, 1):
                raise UsageError(f"training: flip is 0 (no) or 1 (yes), {number:g} was given")
            whole = name in _WHOLE and float(number).is_integer()
            given[name] = bool(number) if name == "flip" else int(number) if whole else number
        return cls(**given)

    def describe(self) -> dict[str, Any]:
        """The description of the recipe as JSON, for the record of a run."""
        return asdict(self)

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """The learning rate of a step, counted from 0 over all epochs."""
        warm = round(self.warmup * steps_per_epoch)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        total = self.epochs * steps_per_epoch
        return self.learning_rate * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm))) / 2

    def drop_path_in(self, epoch: int) -> float:
        """The probability of leaving out an operation in an epoch, counted from 0."""
        return self.drop_path * epoch / self.epochs


def _check(name: str, value: float) -> None:
    """One number is in its range."""
    if name in _WHOLE and not isinstance(value, int):
        raise UsageError(f"training: {name} is a whole number, {value:g} was given")
    low = value > 0 if name in _POSITIVE else value >= 0
    if not low or not math.isfinite(value) or (name in _BELOW_1 and value >= 1):
        least = "above 0" if name in _POSITIVE else "at least 0"
        raise UsageError(
            f"training: {name} is a number {least}{' and below 1' if name in _BELOW_1 else ''}, {value:g} was given"
        )
