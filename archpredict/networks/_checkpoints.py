"""Checkpoints of trainings: tensors and what is known about them, one safetensors file, whole or not there."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archpredict._files import read_tensors, write_atomically
from archpredict.errors import DataError


def write(path: Path, form: str, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Replace a checkpoint by this one, even if the machine stops in between.

    Args:
        path: The file.
        form: Which kind of checkpoint it is, with its version.
        tensors: What was learnt.
        about: JSON values: what it belongs to and how far it is.
    """
    from safetensors.torch import save

    kept = {name: value.detach().to("cpu").contiguous() for name, value in tensors.items()}
    text = json.dumps(about)
    content = save(kept, {"format": form, "about": text, "checksum": str(_checksum(text, kept))})
    write_atomically(path, content)


def read(path: Path, form: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a checkpoint that :func:`write` made, and what is known about them.

    Raises:
        DataError: There is no such file, it is damaged, or of another kind.
    """
    from safetensors import SafetensorError

    if not path.is_file():
        raise DataError(f"there is no checkpoint {path}; give the one of a training that has ended an epoch")
    try:
        metadata, tensors = read_tensors(path, "pt")
        if metadata.get("format") != form:
            raise DataError(f"{path} is no checkpoint of this kind: {form} was expected")
        about = json.loads(metadata["about"])
        if int(metadata["checksum"]) != _checksum(metadata["about"], tensors) or not isinstance(about, dict):
            raise DataError(f"the checkpoint {path} is damaged: its checksum is wrong; restore it from a copy")
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"the checkpoint {path} is damaged ({error}); restore it from a copy") from error
    return tensors, about


def _checksum(text: str, tensors: Mapping[str, Tensor]) -> int:
    checksum = zlib.crc32(text.encode())
    for name in sorted(tensors):
        flat = tensors[name].contiguous().reshape(-1)
        checksum = zlib.crc32(flat.view(torch.uint8).numpy().tobytes(), zlib.crc32(name.encode(), checksum))
    return checksum
