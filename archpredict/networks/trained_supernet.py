"""A supernet from the checkpoint of its training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archpredict.errors import DataError
from archpredict.networks import _checkpoints
from archpredict.networks.form import Form
from archpredict.networks.recipe import Recipe
from archpredict.networks.supernet import Supernet
from archpredict.networks.supernet_training import FORMAT
from archpredict.spaces.base import SearchSpace, load_space

__all__ = ["TrainedSupernet", "load_supernet"]

FILE = "supernet.safetensors"
"""The checkpoint in the folder of a training."""


@dataclass(frozen=True)
class TrainedSupernet:
    """A trained supernet, as its checkpoint holds it.

    Args:
        supernet: With its weights.
        about: What the checkpoint knows: what it belongs to, and the epochs that are done.
        recipe: By which it was trained.
        sha256: Digest of the weights.
    """

    supernet: Supernet
    about: Mapping[str, Any]
    recipe: Recipe
    sha256: str


def located(path: str | Path) -> Path:
    """The checkpoint itself, where its folder may be given."""
    given = Path(path)
    return given / FILE if given.is_dir() else given


def read_about(path: Path) -> dict[str, Any]:
    """The description of its training in a checkpoint.

    Raises:
        DataError: It is missing or damaged, or no checkpoint of a supernet.
    """
    about = _checkpoints.read(path, FORMAT)[1]
    try:
        _understood(about)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error
    return about


def load_supernet(
    path: str | Path, space: str | type[SearchSpace] | SearchSpace, device: torch.device | str = "cpu"
) -> TrainedSupernet:
    """The trained supernet of a space.

    Args:
        path: Its folder, or the checkpoint in it.
        space: What it was trained for.
        device: Where to hold the weights.

    Raises:
        DataError: The checkpoint is missing, damaged, of another space, or has weights that are not finite.
    """
    file, space = located(path), load_space(space)
    tensors, about = _checkpoints.read(file, FORMAT)
    try:
        form, recipe, seed, name, choices = _understood(about)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(file, error) from error
    _check_space(path, space, name, choices)
    supernet = Supernet(space, form, seed=seed, device=device)
    for key, value in tensors.items():
        kind, _, weight = key.partition("/")
        if not torch.isfinite(value).all():
            raise DataError(f"the supernet {path} has numbers in {key} that are not finite; train it again")
        if kind == "weights":
            supernet.weights[weight] = value.to(device).requires_grad_()
    if not supernet.weights:
        raise DataError(f"the supernet {path} has not been trained for an epoch yet; go on with its training first")
    return TrainedSupernet(supernet, about, recipe, _digest(supernet.weights))


def _understood(about: Mapping[str, Any]) -> tuple[Form, Recipe, int, str, list[int]]:
    """The parts that a supernet is made of, all there and of their types."""
    belongs = about["belongs_to"]
    form = Form(**{**belongs["form"], "options": {str(k): int(v) for k, v in belongs["form"]["options"].items()}})
    str(belongs["data set"]["sha256"]), list(about["epochs"])
    return form, Recipe(**belongs["recipe"]), int(belongs["seed"]), str(belongs["space"]), list(belongs["choices"])


def _check_space(path: str | Path, space: SearchSpace, name: str, choices: list[int]) -> None:
    mine = list(space.num_choices)
    if name != space.name:
        raise DataError(
            f"the supernet {path} is one of the space {name}, not of {space.name}; give another one, or train it with "
            "`SupernetTraining`"
        )
    if choices != mine:
        raise DataError(
            f"the supernet {path} is one of a space {name} with choices {choices}, this one has {mine}; train it again"
        )


def _digest(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(f"{name} {tuple(weights[name].shape)}\n".encode())
        digest.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"the checkpoint {path} is damaged ({type(error).__name__}: {error}); restore it from a copy, or train again"
    )
