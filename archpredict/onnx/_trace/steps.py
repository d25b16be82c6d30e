"""What a model is between its file and its graph: tensors with shapes, and the operators between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(eq=False)
class Tensor:
    """A tensor of the model.

    Args:
        name: As in the file; for messages.
        shape: Lengths of its axes, -1 where one is not known; None where not even their number is.
        dtype: ONNX's number of its element type (``onnx.TensorProto.FLOAT``, ...), 0 where not known.
        constant: It does not depend on the model's inputs: a parameter, or a number written into the model.
        data: The value of a constant (or of shape arithmetic), where it is known and small.
        stored: It is a parameter with elements in the file (or declared there), not a number that was computed.
        parameters: The stored tensors that a constant was computed from, itself where it is stored (so that the
            parameters behind an expanded class token or a table of relative positions can be counted once).
    """

    name: str
    shape: tuple[int, ...] | None = None
    dtype: int = 0
    constant: bool = False
    data: npt.NDArray[Any] | None = None
    stored: bool = False
    parameters: frozenset[Tensor] = frozenset()

    @property
    def scalar(self) -> float | None:
        """Its value, if it is one known number."""
        if not self.constant or self.data is None or self.data.size != 1:
            return None
        return float(np.asarray(self.data).reshape(()))


@dataclass(eq=False)
class Step:
    """One operator of the model, applied once.

    Args:
        op: ONNX's name of the operator.
        domain: "" for ONNX's own.
        attributes: Python values: int, float, str, tuples of these, small arrays.
        inputs: None for an optional input that is left out.
        outputs: None for an optional output that is left out.
    """

    op: str
    domain: str
    attributes: dict[str, Any]
    inputs: list[Tensor | None]
    outputs: list[Tensor | None]


@dataclass(eq=False)
class Trace:
    """A model as the operators that work on data, in topological order.

    Operators that work on constants alone, or on shapes alone, are computed and gone.

    Args:
        steps: The operators.
        inputs, outputs: Of the model; an output may be a constant or an input.
        opset: Version of ONNX's own operators.
        producer: Who wrote the file.
        num_nodes: Nodes in the file, those of inlined functions and bodies included.
        warnings: Sentences for the user.
    """

    steps: list[Step]
    inputs: list[Tensor]
    outputs: list[Tensor]
    opset: int
    producer: str = ""
    num_nodes: int = 0
    warnings: list[str] = field(default_factory=list)
