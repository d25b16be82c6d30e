"""One operator applied to small known arrays, whichever version of ONNX it is written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Attributes = Mapping[str, Any]


class Application:
    """Inputs and attributes: what older versions have as an attribute newer ones have as an input.

    Args:
        inputs: None for inputs that are left out.
        attributes: As in the file.
        outputs: Number of outputs.
    """

    def __init__(self, inputs: Sequence[np.ndarray | None], attributes: Attributes, outputs: int) -> None:
        self.inputs, self.attributes, self.outputs = inputs, attributes, outputs

    @property
    def data(self) -> np.ndarray:
        return self.given(0)

    def given(self, index: int) -> np.ndarray:
        value = self.inputs[index]
        if value is None:
            raise ValueError("an input is left out")
        return value

    def integers(self, name: str, index: int) -> tuple[int, ...] | None:
        """Integers from an attribute or an input, None where in neither."""
        if name in self.attributes:
            return tuple(int(v) for v in np.ravel(self.attributes[name]))
        value = self.inputs[index] if index < len(self.inputs) else None
        return None if value is None else tuple(int(v) for v in value.ravel())

    def flag(self, name: str) -> bool:
        """Whether an attribute says so."""
        return bool(self.attributes.get(name, 0))

    def axis(self, default: int = 0) -> int:
        """An axis of the first input."""
        axis = int(self.attributes.get("axis", default))
        if not -self.data.ndim <= axis < self.data.ndim:
            raise ValueError("there is no such axis")
        return axis % self.data.ndim
