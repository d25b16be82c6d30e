"""Checkpoints of a pre-training: what it has learnt so far, and what it belongs to, in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archpredict._files import read_tensors, write_atomically
from archpredict.errors import DataError, UsageError
from archpredict.predict.training.encoder_training import EncoderTraining

_FORMAT = "archpredict-pretraining-1"


def write_checkpoint(path: Path, training: EncoderTraining, told: Mapping[str, Any]) -> None:
    """Replace a checkpoint by this one, even if the machine stops in between.

    Args:
        path: The file; its folder is made if it is not there.
        training: How far it is.
        told: JSON values of all that decides the result.
    """
    from safetensors.torch import save

    tensors = {name: value.contiguous() for name, value in training.state().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(tensors, {"format": _FORMAT, "of": json.dumps(told, sort_keys=True)}))


def read_checkpoint(path: Path, training: EncoderTraining, told: Mapping[str, Any]) -> None:
    """Go on from a checkpoint, where there is one.

    Raises:
        UsageError: It is of another corpus or of other settings.
        DataError: It is damaged.
    """
    if not path.is_file():
        return
    try:
        metadata, tensors = read_tensors(path, "pt")
        if metadata.get("format") != _FORMAT:
            raise ValueError("it is none of a pre-training")
        different = [name for name, value in json.loads(metadata["of"]).items() if told.get(name) != value]
        if different:
            raise UsageError(
                f"the checkpoint {path} is of a pre-training with another {different[0]}; give the settings and "
                "sources that it was started with, or remove it"
            )
        training.restore(tensors)
    except UsageError:
        raise
    except Exception as error:  # whatever a damaged file provokes
        raise DataError(f"the checkpoint {path} is damaged ({error}); remove it to begin anew") from error
