"""Operators written out: a quantised, fused or older operator as a few of ONNX's newer ones, which compute the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper

from archpredict.onnx._file.protos import Shape
from archpredict.onnx._tensors.shapes import Value

OPSET = 23
"""Version of ONNX's operators that expansions are written in."""
MICROSOFT, LEARNING = "com.microsoft", "ai.onnx.ml"
"""Domains of ONNX Runtime's own operators, and of ONNX's for what is learnt without a network."""


@dataclass(eq=False)
class Call:
    """One use of an operator, and the operators that are written in its place.

    Args:
        node: The operator.
        inputs: What it reads, None for what is left out.
        attributes: As Python values.
        version: Of its domain in the file.
    """

    node: onnx.NodeProto
    inputs: Sequence[Value | None]
    attributes: Mapping[str, Any]
    version: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    numbers: dict[str, np.ndarray] = field(default_factory=dict)
    factors: set[str] = field(default_factory=set)
    units: list[str] = field(default_factory=list)
    packed: dict[str, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    parts: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)

    def has(self, index: int) -> bool:
        """Whether an input is given."""
        return 0 <= index < len(self.inputs) and self.inputs[index] is not None

    def input(self, index: int) -> str:
        """Name of an input; empty where it is left out."""
        return f"~{index}" if self.has(index) else ""

    def value(self, index: int) -> Value | None:
        """What an input is, None where it is left out."""
        return self.inputs[index] if 0 <= index < len(self.inputs) else None

    def shape(self, index: int) -> Shape:
        """Shape of an input, None where it is not known or left out."""
        value = self.value(index)
        return None if value is None else value.tensor.shape

    def constant(self, index: int) -> bool:
        """Whether an input is there and does not depend on the model's inputs."""
        value = self.value(index)
        return value is not None and value.tensor.constant

    def data(self, index: int) -> Any:
        """Elements of an input, None where they are not known."""
        value = self.value(index)
        return None if value is None else value.tensor.data

    def whole(self, index: int) -> int | None:
        """The one integer that an input is, None where it is not known or none."""
        value = self.value(index)
        return None if value is None else value.tensor.whole

    def wants(self, index: int) -> bool:
        """Whether an output is read by anybody."""
        return index < len(self.node.output) and bool(self.node.output[index])

    def integer(self, name: str, default: int = 0) -> int:
        """An attribute that is an integer."""
        value = self.attributes.get(name, default)
        return value if isinstance(value, int) else default

    def write(self, op: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Write an operator, and return the name of its output, or a list where there are several."""
        names = [f"~{op}{len(self.nodes)}_{i}" for i in range(outputs)]
        kept = list(inputs)
        while kept and not kept[-1]:
            kept.pop()
        node = helper.make_node(op, kept, names, name=self.node.name or next(iter(self.node.output), ""), domain=domain)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items() if v is not None)
        self.nodes.append(node)
        return names[0] if outputs == 1 else names

    def number(self, values: Any) -> str:
        """Name of an array that is written into the model, as exporters write numbers: it is no parameter."""
        array = np.asarray(values)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"~number{len(self.numbers)}"
        self.numbers[name] = array
        return name

    def factor(self, values: Any) -> str:
        """Name of an array of the same type as the first input, for operators that take no others together."""
        name = self.number(values)
        self.factors.add(name)
        return name

    def unit(self) -> str:
        """Name of the scale of a quantisation, which is no part of what a network computes."""
        self.units.append(f"~unit{len(self.units)}")
        return self.units[-1]

    def unpacked(self, index: int, shape: tuple[int, ...]) -> str:
        """Name of the weight of this shape that an input holds in packed form."""
        name = f"~packed{index}"
        self.packed[name] = index, shape
        return name

    def part(self, index: int, start: int, end: int, axis: int = 0) -> str:
        """Name of a part of an input along one axis; a part of a stored parameter is one by itself."""
        value = self.value(index)
        length = (*((value and value.tensor.shape) or ()), 0, 0)[axis]
        if value is None or not value.tensor.stored or not 0 <= start < end <= length:
            places = (self.number([n]) for n in (start, end, axis))
            return str(self.write("Slice", self.input(index), *places))
        name = f"~part{index}_{start}"
        self.parts[name] = index, start, end, axis
        return name

    def real(self, index: int, *more: int) -> str:
        """Name of an input as the real numbers that its integers stand for; more are their scale and zero point."""
        given = [self.input(i) for i in (index, *more)]
        return self.write("DequantizeLinear", *given) if self.has(index) else ""

    def plain(self, op: str, *inputs: str, outputs: int = 1, only: Sequence[str] | None = None) -> Any:
        """Write an operator of ONNX with the attributes of this one that it has as well."""
        schema = onnx.defs.get_schema(op, OPSET, "")
        names = schema.attributes if only is None else only
        kept = {a.name: a for a in self.node.attribute if a.name in names}
        made = self.write(op, *inputs, outputs=outputs)
        self.nodes[-1].attribute.extend(kept.values())
        return made


Expansion = Callable[[Call], Sequence[str] | None]
"""Writes operators with :meth:`Call.write`, and returns the names of the outputs, empty for those that say nothing of
the network; None where the operator is left as it is."""
