"""Checkpoint: what a strategy had learnt, as one safetensors file with the JSON part in its metadata."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archpredict._files import read_tensors
from archpredict.strategies.base import State

_FORMAT = "1"
_ARRAY = "$array"

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """A strategy's state after ``num_told`` results, when ``num_events`` events had been recorded.

    ``budget`` is that of the strategy; None in a checkpoint of before budgets could grow.

    Example:
        >>> import tempfile
        >>> checkpoint = Checkpoint({"losses": np.array([0.5, 0.25]), "epoch": 2}, num_told=10, num_events=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "checkpoint.safetensors"
        ...     _ = path.write_bytes(checkpoint.to_bytes())
        ...     Checkpoint.read(path).state
        {'losses': array([0.5 , 0.25]), 'epoch': 2}
    """

    state: State
    num_told: int
    num_events: int
    budget: int | None = None

    def to_bytes(self) -> bytes:
        """The content of the file."""
        from safetensors.numpy import save

        arrays: Arrays = {}
        skeleton = json.dumps(_take_arrays(self.state, arrays))
        metadata = {
            "format": _FORMAT,
            "num_told": str(self.num_told),
            "num_events": str(self.num_events),
            "checksum": str(_checksum(skeleton, arrays)),
            "state": skeleton,
            **({} if self.budget is None else {"budget": str(self.budget)}),
        }
        return save(arrays, metadata)

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a file that :meth:`to_bytes` made.

        Raises:
            ValueError: It is damaged, or no checkpoint.
        """
        from safetensors import SafetensorError

        try:
            metadata, arrays = read_tensors(path, "np")
            if metadata["format"] != _FORMAT:
                raise ValueError(f"its format is {metadata['format']}, {_FORMAT} was expected")
            if int(metadata["checksum"]) != _checksum(metadata["state"], arrays):
                raise ValueError("its checksum is wrong")
            state = _put_arrays(json.loads(metadata["state"]), arrays)
            budget = int(metadata["budget"]) if "budget" in metadata else None
            return cls(state, int(metadata["num_told"]), int(metadata["num_events"]), budget)
        except (SafetensorError, KeyError, OSError) as error:
            raise ValueError(f"it is no checkpoint: {error}") from error


def _take_arrays(value: Any, arrays: Arrays) -> Any:
    """A JSON value in which each array is replaced by its name in ``arrays``."""
    if isinstance(value, Mapping):
        return {name: _take_arrays(inner, arrays) for name, inner in value.items()}
    if isinstance(value, np.ndarray):
        name = str(len(arrays))
        arrays[name] = np.array(value, order="C")
        return {_ARRAY: name}
    return value.item() if isinstance(value, np.generic) else value


def _put_arrays(value: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) == {_ARRAY}:
        return arrays[value[_ARRAY]]
    return {name: _put_arrays(inner, arrays) for name, inner in value.items()}


def _checksum(skeleton: str, arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    checksum = zlib.crc32(skeleton.encode())
    for name in sorted(arrays):
        checksum = zlib.crc32(arrays[name].tobytes(), checksum)
    return checksum
