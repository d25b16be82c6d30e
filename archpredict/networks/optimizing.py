"""What every training has in common: the optimiser, half precision, and what can go wrong in a step."""

from __future__ import annotations

import gc
import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor

from archpredict.errors import TrainingError
from archpredict.networks.recipe import Recipe

T = TypeVar("T")

ADVICE = "try a lower learning rate, a warm-up or clipping"


def sgd(tensors: Iterable[Tensor], recipe: Recipe) -> torch.optim.SGD:
    """The optimiser of a recipe: SGD with Nesterov momentum, and weight decay on what has more than one axis."""
    given = list(tensors)
    groups = [
        {"params": [tensor for tensor in given if tensor.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [tensor for tensor in given if tensor.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


def half_type(device: torch.device, half: bool | None = None) -> torch.dtype | None:
    """The type of products: half precision on CUDA unless said otherwise, None for single precision."""
    if not (device.type == "cuda" if half is None else half):
        return None
    if device.type == "cpu" or torch.cuda.get_device_capability(device) >= (8, 0):
        return torch.bfloat16
    return torch.float16


def computing(device: torch.device, half: torch.dtype | None) -> AbstractContextManager[Any]:
    """Products in half precision inside, where a type is given."""
    return nullcontext() if half is None else torch.autocast(device.type, dtype=half)


def seed_of(seed: int, number: int, what: str) -> int:
    """A seed for one purpose in one epoch."""
    digest = hashlib.blake2b(f"{seed}/{number}/{what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def check_finite(losses: Sequence[Tensor], epoch: int, step: int) -> None:
    """The losses of the last steps are finite; ``step`` is the last of them, counted from 0 as the epoch is.

    Raises:
        TrainingError: One is not; the message names its step.
    """
    values = torch.stack(list(losses)).tolist() if losses else []
    for i, value in enumerate(values):
        if not math.isfinite(value):
            at = step - len(values) + i + 2
            raise TrainingError(
                f"the training diverged: the loss is {value} in step {at} of epoch {epoch + 1}; {ADVICE}"
            )


def within_memory(gradients: Callable[[int], T], parts: int, images: int, where: str) -> tuple[T, int]:
    """Do what makes a step's gradients in as many parts as memory needs.

    Args:
        gradients: Given the number of parts; called again with twice as many where memory runs out.
        parts: The number to begin with.
        images: In the whole batch.
        where: The step, in words.

    Returns:
        What ``gradients`` gave, and the number of parts that it took.

    Raises:
        TrainingError: There is no memory for a part of two images.
    """
    while True:
        try:
            return gradients(parts), parts
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            said = " ".join(str(error).split())[:160]
        # Out of the handler, whose traceback holds on to the tensors of the pass that failed.
        if 4 * parts > images:  # a part has two images at least, else batch norms have one number
            raise TrainingError(
                f"out of memory {where}, even with {math.ceil(images / parts)} images at a time ({said}); "
                "use a smaller network or image"
            )
        parts *= 2
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error)
