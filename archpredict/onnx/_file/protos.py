"""What a file says in ONNX's messages, as plain Python values; within bounds, for files may say anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import onnx
from onnx import defs, numpy_helper

MAX_RANK = 32
"""Axes of a tensor; NumPy had no more until version 2."""
MAX_ATTRIBUTE = 4096
"""Elements of an attribute that an operator may have to be understood."""
_NUMBERS = frozenset(onnx.TensorProto.DataType.values()) - {onnx.TensorProto.STRING}
"""Types of elements that are read."""

Shape = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Kind:
    """Shape and type of an output."""

    shape: Shape
    dtype: int
    other: onnx.TypeProto | None = None


class Opsets(dict[str, int]):
    """Versions of operators by domain; that of ONNX's own domain is "" under either name."""

    @cached_property
    def imports(self) -> list[onnx.OperatorSetIdProto]:
        """As ONNX wants them; the versions must not change afterwards."""
        return [onnx.helper.make_opsetid(domain, version) for domain, version in self.items()]

    @classmethod
    def of(cls, imports: Sequence[Any]) -> Opsets:
        return cls({plain_domain(i.domain): int(i.version) for i in imports})


def plain_domain(domain: str) -> str:
    """The domain, "" for ONNX's own."""
    return "" if domain == "ai.onnx" else domain


@cache
def newest_opset() -> int:
    """The newest version of ONNX's operators that the installed package knows."""
    return int(defs.onnx_opset_version())


def attributes_of(node: Any, types: Mapping[str, Collection[int]] | None = None) -> dict[str, Any]:
    """An operator's attributes as Python values; graphs and whatever is too large are left out.

    Args:
        node: The operator.
        types: ONNX's numbers of the types that an attribute of a name may have; any, where the name is not there.

    Raises:
        ValueError: One is a tensor whose elements do not fit its shape.
    """
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        fits = types is None or attribute.type in types.get(attribute.name, (attribute.type,))
        value = _attribute(attribute) if fits else None
        if value is not None:
            found[attribute.name] = value
    return found


def _attribute(attribute: Any) -> Any:
    kind = attribute.type
    if kind == 1:
        return attribute.f
    if kind == 2:
        return attribute.i
    if kind == 3:
        return attribute.s.decode("utf-8", "replace")
    if kind == 4:
        return decoded(attribute.t)
    values: Any = {6: attribute.floats, 7: attribute.ints, 8: attribute.strings}.get(kind)
    if values is None or len(values) > MAX_ATTRIBUTE:
        return None
    return tuple(v.decode("utf-8", "replace") for v in values) if kind == 8 else tuple(values)


def declared_shape(tensor: Any) -> Shape:
    """A stored tensor's lengths, None where they cannot be."""
    dims = tensor.dims
    return tuple(dims) if len(dims) <= MAX_RANK and all(n >= 0 for n in dims) else None


def decoded(tensor: Any) -> Any:
    """A stored tensor's elements, None where they are many, elsewhere or not there.

    Raises:
        ValueError: They are there, but of another number than the tensor's lengths say.
    """
    shape = declared_shape(tensor)
    size = 1
    for n in shape or ():
        size *= n
    if shape is None or size > MAX_ATTRIBUTE or tensor.data_location == 1 or tensor.external_data:
        return None
    if size and not _has_elements(tensor):
        return None
    if tensor.data_type not in _NUMBERS:
        return None
    try:
        array = np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, LookupError, ArithmeticError, NotImplementedError) as error:
        raise ValueError("its elements do not fit its shape") from error
    return array if array.dtype.kind in "biuf" else array.astype(np.float32) if array.dtype.kind == "V" else None


def _has_elements(tensor: Any) -> bool:
    return any(
        len(field)
        for field in (
            tensor.raw_data,
            tensor.float_data,
            tensor.int32_data,
            tensor.int64_data,
            tensor.double_data,
            tensor.uint64_data,
        )
    )


def kind_of(type_proto: Any) -> Kind:
    """Shape and element type of a type in the file; -1 and None where it leaves them open."""
    if not type_proto.HasField("tensor_type"):
        return Kind(None, 0, type_proto if type_proto.WhichOneof("value") else None)
    tensor = type_proto.tensor_type
    if not tensor.HasField("shape") or len(tensor.shape.dim) > MAX_RANK:
        return Kind(None, tensor.elem_type)
    return Kind(tuple(_length(dim) for dim in tensor.shape.dim), tensor.elem_type)


def _length(dim: Any) -> int:
    return max(-1, int(dim.dim_value)) if dim.HasField("dim_value") else -1
