"""Constants of a model: what it stores, and what follows from that and from shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from onnx import helper

from archpredict.onnx._file.protos import MAX_RANK, Kind, Shape, attributes_of, declared_shape, decoded
from archpredict.onnx._tensors.ordering import shown
from archpredict.onnx._tensors.shapes import Value
from archpredict.onnx._tensors.steps import Tensor
from archpredict.onnx.folding import MAX_ELEMENTS, fold, fold_partly

_MAX_IN_ALL = 8_000_000
"""Elements of all arrays that are kept."""
_MAX_BEHIND = 1000
"""Parameters that a constant is known to be computed from."""
_ELEMENTS_OF_FIRST = ("DequantizeLinear", "QuantizeLinear", "Gather", "Reshape", "Expand", "Slice", "Tile")
"""Operators whose further inputs say where the elements go or how they are scaled: no parameters in the output."""
_MOVES = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Cast", "Sub")
_FEW_BITS = (2, 3, 21, 22)
FROM_SHAPES = ("Shape", "Size", "EyeLike", "RandomNormalLike", "RandomUniformLike")
"""Operators that read nothing of a tensor but its shape: what they write depends on no input of the model."""
COMPUTED = ("Constant", "RandomNormal", "RandomUniform", *FROM_SHAPES)
"""Operators whose outputs are always constants."""
_MADE = ("ConstantOfShape", "RandomNormal", "RandomUniform")
"""Operators that make tensors of nothing: a weight whose elements were taken out of a file may be written so."""
_WRITTEN: Mapping[str, tuple[int, type[Any]]] = {
    "value_float": (1, np.float32),
    "value_floats": (6, np.float32),
    "value_int": (2, np.int64),
    "value_ints": (7, np.int64),
}
"""Attributes of Constant: ONNX's number of the attribute's type, and the type of the elements."""


class Constants:
    """Makes values of constants, of which not too many have known elements.

    Args:
        warn: Is told, in a sentence, of what cannot be as the file says.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn, self._elements = warn, 0
        self._parts: dict[tuple[Tensor, int, int, int], Value] = {}

    def of_graph(self, graph: Any) -> dict[str, Value]:
        """The parameters and numbers that a graph or body stores."""
        found: dict[str, Value] = {}
        for tensor in graph.initializer:
            if tensor.name in found:
                self._warn(f"the parameter {shown(tensor.name)} is stored twice; the last one counts")
            found[tensor.name] = self._stored(tensor.name, tensor)
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            found[name] = self.parameter(name, Kind(_sparse_shape(sparse), sparse.values.data_type))
        return found

    def parameter(self, name: str, kind: Kind) -> Value:
        """A parameter of which no elements are known."""
        return self._constant(name, kind.shape, kind.dtype, None)

    def written(self, node: Any) -> Value:
        """What a node Constant writes."""
        name = node.output[0]
        for attribute in node.attribute:
            if attribute.name == "value":
                value = self._stored(name, attribute.t)
                # Exporters store parameters; what they write between the operators are numbers and tables.
                value.tensor.stored, value.tensor.written = False, value.tensor.stored
                return value
            if attribute.name == "sparse_value":
                sparse = attribute.sparse_tensor
                return self.parameter(name, Kind(_sparse_shape(sparse), sparse.values.data_type))
            if attribute.name in _WRITTEN and attribute.type == _WRITTEN[attribute.name][0]:
                data = np.asarray(attributes_of(node).get(attribute.name, ()), dtype=_WRITTEN[attribute.name][1])
                return self._constant(name, data.shape, 1 if data.dtype.kind == "f" else 7, data)
        return self._constant(name, None, 0, None)

    def number(self, name: str, array: Any, dtype: int = 0) -> Value:
        """An array of numbers that is no parameter, of a type that may not be NumPy's."""
        dtype = dtype or int(helper.np_dtype_to_tensor_dtype(array.dtype))
        return Value(Tensor(name, array.shape, dtype, constant=True, data=self._bounded(array)), dtype)

    def unit(self, name: str) -> Value:
        """The scale of a quantisation."""
        return Value(Tensor(name, (), 1, constant=True, unit=True), 1)

    def unpacked(self, value: Value, shape: tuple[int, ...]) -> Value:
        """The weight of this shape that a value holds in packed form."""
        for tensor in value.tensor.parameters:
            tensor.dtype, tensor.rounded, tensor.stands_for = 1, True, shape
        constant = value.tensor.constant
        return Value(Tensor(value.tensor.name, shape, 1, constant, parameters=value.tensor.parameters), 1)

    def part(self, value: Value, start: int, end: int, axis: int) -> Value:
        """A part of a stored parameter along one axis, which is the same one whoever asks."""
        whole, place = value.tensor, (value.tensor, start, end, axis)
        if place not in self._parts:
            shape = tuple(end - start if i == axis else n for i, n in enumerate(whole.shape or ()))
            data = None if whole.data is None else whole.data.take(range(start, end), axis)
            self._parts[place] = self._constant(whole.name, shape, whole.dtype, data)
        return self._parts[place]

    def computed(
        self, node: Any, inputs: Sequence[Value | None], attributes: Mapping[str, Any], kinds: Sequence[Kind]
    ) -> list[Value]:
        """What an operator writes that reads only constants, or of activations only the shape."""
        parameters: frozenset[Tensor] = frozenset()
        if node.op_type in ("Shape", "Size"):
            arrays: Sequence[Any] | None = _lengths(node.op_type, inputs, attributes)
        else:
            parameters = _behind(inputs[:1] if node.op_type in _ELEMENTS_OF_FIRST else inputs)
            arrays = _folded(node, inputs, attributes, kinds)
        values = []
        for index, (name, kind) in enumerate(zip(node.output, kinds, strict=True)):
            array = arrays[index] if arrays is not None and index < len(arrays) else None
            shape = kind.shape if array is None else array.shape
            tensor = Tensor(name, shape, kind.dtype, constant=True, parameters=parameters)
            if node.op_type in _MADE and shape:
                tensor.written, tensor.parameters = True, frozenset((tensor,))
            tensor.unit = any(v is not None and v.tensor.unit for v in inputs)
            tensor.bare = _lacks_scale(node.op_type, inputs, shape)
            unknown = array is not None and array.dtype.kind == "f" and bool(np.isnan(array).any())
            if array is not None and not unknown:
                whole = array.dtype == np.float64 and kind.dtype in (6, 7)
                tensor.data = self._bounded(array.astype(np.int64) if whole else array)
            values.append(Value(tensor, kind.dtype, partial=array if unknown else None, other=kind.other))
        return values

    def _stored(self, name: str, proto: Any) -> Value:
        shape = declared_shape(proto)
        if shape is None:
            self._warn(f"the parameter {shown(name)} has a shape that no tensor has")
        try:
            data = decoded(proto)
        except ValueError as error:
            self._warn(f"the parameter {shown(name)} is not read: {error}")
            data = None
        return self._constant(name, shape, proto.data_type, data)

    def _constant(self, name: str, shape: Shape, dtype: int, data: Any) -> Value:
        # A single number is the same whether an exporter stores it or writes it beside the operators: no parameter.
        tensor = Tensor(name, shape, dtype, constant=True, data=self._bounded(data), stored=shape != ())
        if tensor.stored:
            tensor.parameters = frozenset((tensor,))
        return Value(tensor, dtype)

    def _bounded(self, data: Any) -> Any:
        """An array, unless there are too many already."""
        if data is None or data.size > MAX_ELEMENTS:
            return None
        self._elements += data.size
        return data if self._elements <= _MAX_IN_ALL else None


def _sparse_shape(sparse: Any) -> Shape:
    return tuple(sparse.dims) if len(sparse.dims) <= MAX_RANK and min(sparse.dims, default=0) >= 0 else None


def _lengths(op: str, inputs: Sequence[Value | None], attributes: Mapping[str, Any]) -> list[Any] | None:
    """What Shape and Size write: NaN for a length that is not known."""
    shape = inputs[0].tensor.shape if inputs and inputs[0] is not None else None
    if shape is None:
        return None
    known = -1 not in shape and max(shape, default=0) < 1 << 62
    array = np.array(shape, np.int64) if known else np.array([n if n >= 0 else np.nan for n in shape], np.float64)
    if op == "Size":
        return [np.asarray(prod(shape))] if known and prod(shape) < 1 << 62 else None
    return [array[attributes.get("start", 0) : attributes.get("end")]]


def _lacks_scale(op: str, inputs: Sequence[Value | None], shape: Shape) -> bool:
    """Whether a constant is a weight of few bits whose integers were made numbers, and nothing more."""
    first = inputs[0] if inputs else None
    if first is None or len(shape or ()) < 2:
        return False
    return (op in _MOVES and first.tensor.bare) or (op == "Cast" and first.dtype in _FEW_BITS)


def _behind(inputs: Sequence[Value | None]) -> frozenset[Tensor]:
    """The parameters behind some constants."""
    sets = {id(v.tensor.parameters): v.tensor.parameters for v in inputs if v is not None and v.tensor.parameters}
    largest = max(sets.values(), key=len, default=frozenset())
    if len(sets) < 2 or sum(map(len, sets.values())) > _MAX_BEHIND:
        return largest
    return largest.union(*sets.values())


def _folded(
    node: Any, inputs: Sequence[Value | None], attributes: Mapping[str, Any], kinds: Sequence[Kind]
) -> list[Any] | None:
    if node.domain not in ("", "ai.onnx"):
        return None
    arrays = [None if v is None else v.partial if v.partial is not None else v.tensor.data for v in inputs]
    if any(array is None and value is not None for array, value in zip(arrays, inputs, strict=True)):
        return None
    if any(v is not None and v.partial is not None for v in inputs):
        if any(a is not None and a.dtype == np.float64 and not np.isnan(a).any() for a in arrays):
            return None
        return fold_partly(node.op_type, arrays, attributes, len(node.output))
    shapes = [kind.shape for kind in kinds]
    known = all(shape is not None and -1 not in shape for shape in shapes)
    size = max((prod(shape) for shape in shapes if shape is not None), default=0) if known else None
    return fold(node.op_type, arrays, attributes, len(node.output), size)
