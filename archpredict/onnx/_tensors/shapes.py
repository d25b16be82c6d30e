"""Shapes of what operators write, by ONNX's own rules, one operator at a time, guarded against hostile attributes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from onnx import defs, numpy_helper, shape_inference

from archpredict.onnx._file.protos import (
    MAX_ATTRIBUTE,
    MAX_RANK,
    Kind,
    Opsets,
    Shape,
    attributes_of,
    kind_of,
    newest_opset,
    plain_domain,
)
from archpredict.onnx._tensors.fitting import TOO_SMALL, WINDOWS, misfit
from archpredict.onnx._tensors.steps import Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """What a name stands for.

    Args:
        tensor: The tensor; casts write the tensor that they read.
        dtype: Its type under this name: of its elements, 0 where not known.
        partial: Elements of a vector of lengths of which some are not known: NaN.
        other: Its type where it is no tensor.
        items: Of a sequence, what it holds, where that is known.
    """

    tensor: Tensor
    dtype: int
    partial: Any = None
    other: onnx.TypeProto | None = None
    items: tuple[Value, ...] | None = None


@lru_cache(maxsize=4096)
def _type_of(dtype: int, shape: Shape) -> onnx.TypeProto:
    proto = onnx.TypeProto()
    proto.tensor_type.elem_type = dtype
    if shape is not None:
        dims = proto.tensor_type.shape
        dims.SetInParent()
        for n in shape:
            dim = dims.dim.add()
            if 0 <= n < 1 << 62:
                dim.dim_value = n
    return proto


_READS_NUMBERS = ("Resize", "Upsample", "Range")
"""Operators whose output's shape depends on inputs that are no integers."""

_LIKE_FIRST = ("GroupNormalization",)
"""Operators for which ONNX has no rule, and whose output is like their first input."""

_EINSUM = re.compile(r"([A-Za-z\s]|\.\.\.)*(,([A-Za-z\s]|\.\.\.)*)*(->([A-Za-z\s]|\.\.\.)*)?")
_INFERENCE_ERRORS = (
    shape_inference.InferenceError,
    *(RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError),
)
"""ONNX's own, and what the exceptions of C++ become."""
_INT, _INTS = 2, 7
_POSITIVE = ("strides", "dilations", "kernel_shape", "group", "blocksize", "block_size", "num_groups")
_BOUNDS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(("axis", "axes", "perm", "batch_axis", "time_axis"), (-MAX_RANK, MAX_RANK)),
    **dict.fromkeys(_POSITIVE, (1, 1 << 40)),
    "batch_dims": (0, MAX_RANK),
}
"""Attributes of which other values than these, both ends included, cannot be meant."""


class ShapeRules:
    """Applies ONNX's rules for shapes; ``problems`` gathers what they say about operators that do not fit."""

    def __init__(self) -> None:
        self.problems: list[tuple[Any, str]] = []
        self._types: dict[tuple[str, str], dict[str, set[int]]] = {}
        self._elements: dict[Tensor, onnx.TensorProto] = {}
        self._known: dict[tuple[object, ...], tuple[list[Kind], str]] = {}

    def outputs(
        self, node: Any, inputs: Sequence[Value | None], attributes: Mapping[str, Any], opsets: Opsets
    ) -> list[Kind]:
        """Shape and type of each output of an operator, found once for all operators that are alike."""
        data = self._data(node, inputs)
        alike = _signature(node, inputs, data, opsets)
        if alike not in self._known:
            self._known[alike] = self._found(node, inputs, attributes, data, opsets)
        kinds, problem = self._known[alike]
        if problem:
            self.problems.append((node, problem))
        return list(kinds)

    def _found(
        self,
        node: Any,
        inputs: Sequence[Value | None],
        attributes: Mapping[str, Any],
        data: dict[str, onnx.TensorProto],
        opsets: Opsets,
    ) -> tuple[list[Kind], str]:
        """The outputs, and what does not fit."""
        first = next((v for v in inputs if v is not None), None)
        unknown = Kind(None, first.dtype if first is not None else 1)
        if not _harmless(node, attributes):
            return [unknown] * len(node.output), "it has attributes that it cannot have"
        found, problem = self._inferred(node, inputs, data, opsets)
        kinds = [kind_of(found[name]) if name in found else unknown for name in node.output]
        if plain_domain(node.domain) == "" and first is not None and not first.tensor.constant:
            read = [v.tensor.shape if v is not None else None for v in inputs[:2]]
            problem = problem or misfit(node.op_type, attributes, read, kinds[0].shape if kinds else None)
        least = 1 if node.op_type in WINDOWS else 0
        if any(d.dim_value < least for t in found.values() for d in t.tensor_type.shape.dim if d.HasField("dim_value")):
            problem = problem or TOO_SMALL
        if node.op_type in _LIKE_FIRST and first is not None:
            kinds = [Kind(first.tensor.shape, first.dtype)] * len(node.output)
        return kinds, problem

    def _inferred(
        self,
        node: Any,
        inputs: Sequence[Value | None],
        data: dict[str, onnx.TensorProto],
        opsets: Opsets,
    ) -> tuple[dict[str, onnx.TypeProto], str]:
        """Types by name, and why there are none."""
        types = {name: _passed_type(v) for name, v in zip(node.input, inputs, strict=True) if v is not None and name}
        problem = ""
        for schema in _candidates(node.op_type, plain_domain(node.domain), opsets):
            try:
                return shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=opsets.imports), ""
            except onnx.checker.ValidationError as error:
                problem = problem or _reason(str(error))  # not of this version
            except _INFERENCE_ERRORS as error:
                return {}, _reason(str(error))
        return {}, problem

    def known(self, node: Any, opsets: Opsets) -> bool:
        """Whether there is an operator of this name."""
        domain = plain_domain(node.domain)
        return bool(_candidates(node.op_type, domain, opsets))

    def attributes(self, node: Any, opsets: Opsets) -> dict[str, Any]:
        """An operator's attributes as Python values, without those of types that they have in no version of
        it, and axes that no tensor has.

        Raises:
            ValueError: One is a tensor whose elements do not fit its shape.
        """
        domain, op = plain_domain(node.domain), node.op_type
        key = (op, domain)
        if key not in self._types:
            schemas = _candidates(op, domain, opsets)
            self._types[key] = {}
            for name, attribute in (pair for schema in schemas for pair in schema.attributes.items()):
                self._types[key].setdefault(name, set()).add(int(attribute.type.value))
        return {
            k: v for k, v in attributes_of(node, self._types[key]).items() if not self._types[key] or _possible(k, v)
        }

    def _data(self, node: Any, inputs: Sequence[Value | None]) -> dict[str, onnx.TensorProto]:
        found = {}
        for name, value in zip(node.input, inputs, strict=True):
            if value is None or value.tensor.data is None or value.tensor.data.size > 1024:
                continue
            if value.tensor.data.dtype.kind in "iu" or node.op_type in _READS_NUMBERS:
                if value.tensor not in self._elements:
                    self._elements[value.tensor] = numpy_helper.from_array(np.asarray(value.tensor.data))
                found[name] = self._elements[value.tensor]
        return found


def _signature(
    node: Any, inputs: Sequence[Value | None], data: dict[str, onnx.TensorProto], opsets: Opsets
) -> tuple[object, ...]:
    """All that the outputs' shapes and types depend on; names of inputs and outputs do not count."""
    read = [
        None
        if value is None or not name
        else (
            value.dtype,
            value.tensor.shape,
            value.tensor.constant,
            None if value.other is None else value.other.SerializeToString(),
            data[name].SerializeToString() if name in data else None,
        )
        for name, value in zip(node.input, inputs, strict=True)
    ]
    return (
        node.op_type,
        node.domain,
        node.overload,
        *opsets.items(),
        *(attribute.SerializeToString() for attribute in node.attribute),
        tuple(read),
        tuple(map(bool, node.output)),
    )


def _passed_type(value: Value) -> onnx.TypeProto:
    return value.other if value.other is not None else _type_of(value.dtype or 1, value.tensor.shape)


def _candidates(op: str, domain: str, opsets: Opsets) -> Sequence[Any]:
    """Descriptions of an operator: of the version that the file names, then of the others, the newest first."""
    return _schemas(op, domain, opsets.get(domain, newest_opset()))


@lru_cache(maxsize=1024)
def _schemas(op: str, domain: str, version: int) -> Sequence[Any]:
    found: list[Any] = []
    newest = newest_opset() if domain == "" else version
    version = min(version, newest)
    while version > 0 and len(found) < 40:
        try:
            schema = defs.get_schema(op, version, domain)
        except (defs.SchemaError, TypeError, ValueError, OverflowError):
            break
        found.append(schema)
        version = schema.since_version - 1
    newer = []
    version = newest
    while found and version > found[0].since_version:
        schema = defs.get_schema(op, version, domain)
        if schema.since_version <= found[0].since_version:
            break
        newer.append(schema)
        version = schema.since_version - 1
    if not found and domain == "":
        try:
            return [defs.get_schema(op, newest, domain)]
        except defs.SchemaError:
            return []
    return found + newer


def _harmless(node: Any, attributes: Mapping[str, Any]) -> bool:
    """Whether ONNX's rules, which are written in C++, may be given these attributes."""
    for a in node.attribute:
        integers = a.ints if a.type == _INTS else (a.i,) if a.type == _INT else ()
        if max(len(a.ints), len(a.floats)) > MAX_ATTRIBUTE or not _possible(a.name, integers):
            return False
    if attributes.get("num_outputs", len(node.output)) != len(node.output):
        return False
    # An equation that has a dot alone never ends.
    return node.op_type != "Einsum" or bool(_EINSUM.fullmatch(str(attributes.get("equation", ""))))


def _possible(name: str, value: Any) -> bool:
    """Whether an attribute can have such a value."""
    low, high = _BOUNDS.get(name, (0, 0))
    values = (value,) if isinstance(value, int | float | str) else value
    return (low, high) == (0, 0) or all(isinstance(n, int) and low <= n <= high for n in values)


def _reason(text: str) -> str:
    """ONNX's sentence on one line, without its prefix, shortened."""
    text = " ".join(re.sub(r"^\s*(\[\w+\]\s*)*", "", text).split())
    return text if len(text) <= 160 else text[:157] + "..."
