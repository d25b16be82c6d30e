"""What a model is between its file and its graph: tensors with shapes, and the operators between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
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
        written: It is a number or a table that an exporter wrote between the operators (a node Constant).
        parameters: The stored and written tensors that a constant was computed from, itself where it is one (so that
            the parameters behind an expanded class token or a table of relative positions can be counted once).
        stands_for: Shape of the tensor that was packed into this one, () where it is none: two weights of 4 bits are
            one byte.
        rounded: Integers are stored in its place.
        bare: Integers as numbers that lack their scale, or what a layer makes of such.
        learnt: It was computed with parameters.
        unit: It is the scale of a quantisation: to multiply by it leaves everything as it is.
    """

    name: str
    shape: tuple[int, ...] | None = None
    dtype: int = 0
    constant: bool = False
    data: npt.NDArray[Any] | None = None
    stored: bool = False
    written: bool = False
    parameters: frozenset[Tensor] = frozenset()
    stands_for: tuple[int, ...] = ()
    rounded: bool = False
    bare: bool = False
    learnt: bool = False
    unit: bool = False

    @property
    def scalar(self) -> float | None:
        """Its value, if it is one known number."""
        if not self.constant or self.data is None or self.data.size != 1:
            return None
        return float(np.asarray(self.data).reshape(()))

    @property
    def num_elements(self) -> int:
        """Its elements, -1 where its shape is not known."""
        return -1 if self.shape is None or min(self.shape, default=0) < 0 else prod(self.shape)

    @property
    def whole(self) -> int | None:
        """The integer that it is, if it is one known number."""
        if self.data is None or self.data.size != 1 or not np.isfinite(self.data).all():
            return None
        return int(np.asarray(self.data).reshape(()))

    @property
    def num_parameters(self) -> int:
        """Parameters in a stored tensor; 0 where its shape is not known."""
        shape = self.stands_for or self.shape
        return 0 if shape is None or min(shape, default=0) < 0 else prod(shape)


@dataclass(eq=False)
class Step:
    """One operator of the model, applied once.

    Args:
        op: ONNX's name of the operator.
        domain: "" for ONNX's own.
        attributes: Python values: int, float, str, tuples of these, small arrays.
        inputs: None for an optional input that is left out.
        outputs: None for an optional output that is left out.
        times: How often a loop around it applies it.
    """

    op: str
    domain: str
    attributes: dict[str, Any]
    inputs: list[Tensor | None]
    outputs: list[Tensor | None]
    times: int = 1


@dataclass(eq=False)
class Trace:
    """A model as the operators that work on data, in topological order.

    Operators that work on constants alone, or on shapes alone, are computed and gone.

    Args:
        steps: The operators.
        inputs, outputs: Of the model; an output may be a constant or an input.
        opset: Version of ONNX's own operators.
        output_shapes: Of the model's outputs, by their names.
        producer: Who wrote the file.
        num_nodes: Nodes in the file, those of inlined functions and bodies included.
        warnings: Sentences for the user.
        folded: Operators that were written out as others, or left out, and how often.
        unknown: Operators on constants that are not known, and how often they occur.
        assumed: The shapes of inputs of which some lengths are not in the file, as they were taken.
    """

    steps: list[Step]
    inputs: list[Tensor]
    outputs: list[Tensor]
    opset: int
    output_shapes: dict[str, tuple[int, ...] | None] = field(default_factory=dict)
    producer: str = ""
    num_nodes: int = 0
    warnings: list[str] = field(default_factory=list)
    folded: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    assumed: dict[str, tuple[int, ...]] = field(default_factory=dict)
