"""Weights that a model's file lacks, made up from a seed."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from archpredict.errors import ModelFileError

_ONNX_ELEMENTS = {
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.DOUBLE: np.float64,
    onnx.TensorProto.FLOAT16: np.float16,
    onnx.TensorProto.INT8: np.int8,
    onnx.TensorProto.UINT8: np.uint8,
    onnx.TensorProto.INT16: np.int16,
    onnx.TensorProto.UINT16: np.uint16,
    onnx.TensorProto.INT32: np.int32,
    onnx.TensorProto.UINT32: np.uint32,
    onnx.TensorProto.INT64: np.int64,
    onnx.TensorProto.UINT64: np.uint64,
    onnx.TensorProto.BOOL: np.bool_,
}
_BLOCK = 1 << 20
_PAYLOADS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


@dataclass(frozen=True)
class Absent:
    """A tensor whose elements are not there.

    Args:
        name: Of the tensor.
        shape: Its lengths.
        dtype: Of its elements, for NumPy.
    """

    name: str
    shape: tuple[int, ...]
    dtype: npt.DTypeLike

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def num_bytes(self) -> int:
        return self.elements * np.dtype(self.dtype).itemsize


def absent(model: onnx.ModelProto, folder: Path) -> list[Absent]:
    """The weights whose elements are neither in a model nor in files beside it.

    Constants of the graph without elements become weights, so that all of them are given in one way; what is absent
    is marked as external, which is what ONNX Runtime takes from elsewhere. The model is changed.

    Args:
        model: As read, without external data.
        folder: Of the model's file.

    Raises:
        ModelFileError: A file of weights is outside the folder, or weights are of a kind that is not made up.
    """
    _constants_to_weights(model.graph, folder)
    found = []
    for tensor in model.graph.initializer:
        if _is_there(tensor, folder):
            continue
        if tensor.data_type not in _ONNX_ELEMENTS:
            kind = onnx.TensorProto.DataType.Name(tensor.data_type)
            raise ModelFileError(f"the weights {tensor.name[:60]!r} are absent, and none of type {kind} are made up")
        found.append(Absent(tensor.name, tuple(tensor.dims), _ONNX_ELEMENTS[tensor.data_type]))
        tensor.data_location = onnx.TensorProto.EXTERNAL
        if not tensor.external_data:
            tensor.external_data.add(key="location", value="absent")
    return found


def made_up(tensor: Absent, seed: int) -> npt.NDArray[Any]:
    """Elements of a tensor, the same for the same seed, name, shape and type.

    Matrices and kernels are uniform, with a variance of one over the number of elements that an output sums up, so
    that signals neither grow nor vanish with depth: numbers close to 0 or without end take other times. Vectors and
    scalars are uniform between 0.5 and 1.5, as scales and variances may be. Integers of up to 16 bits are uniform over
    their range; longer ones, which are indices and lengths, are 0, and truth values are true.

    Args:
        tensor: What is absent.
        seed: Of the random numbers.

    Example:
        >>> weight = Absent("w", (8, 3, 3, 3), np.float32)
        >>> made_up(weight, 0).std() * 27**0.5
        np.float32(1.0...)
        >>> [np.array_equal(made_up(weight, 0), made_up(weight, seed)) for seed in (0, 1)]
        [True, False]
    """
    kind = np.dtype(tensor.dtype)
    if kind.kind == "b":
        return np.ones(tensor.shape, kind)
    if kind.kind in "iu" and kind.itemsize > 2:
        return np.zeros(tensor.shape, kind)
    rng = np.random.default_rng([seed, zlib.crc32(tensor.name.encode())])
    if kind.kind in "iu":
        ends = np.iinfo(kind)
        return rng.integers(ends.min, ends.max, tensor.shape, kind, endpoint=True)
    out = np.empty(tensor.elements, kind)
    low, high = _range(tensor.shape)
    for start in range(0, len(out), _BLOCK):  # so that half precision takes no second copy of the whole
        part = rng.random(min(_BLOCK, len(out) - start), dtype=np.float32)
        out[start : start + len(part)] = low + (high - low) * part
    return out.reshape(tensor.shape)


def _range(shape: tuple[int, ...]) -> tuple[float, float]:
    if len([length for length in shape if length != 1]) < 2:
        return 0.5, 1.5
    summed = math.prod(shape[1:]) if len(shape) > 2 else shape[0]
    bound = math.sqrt(3 / max(summed, 1))
    return -bound, bound


def _is_there(tensor: onnx.TensorProto, folder: Path) -> bool:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return _external(tensor, folder).is_file()
    return math.prod(tensor.dims) == 0 or tensor.HasField("raw_data") or any(getattr(tensor, p) for p in _PAYLOADS)


def _external(tensor: onnx.TensorProto, folder: Path) -> Path:
    """The file that a tensor's elements are in."""
    place = PurePath(next((entry.value for entry in tensor.external_data if entry.key == "location"), ""))
    if place.is_absolute() or ".." in place.parts:
        raise ModelFileError(f"the weights {tensor.name[:60]!r} are in {str(place)[:80]!r}, outside the model's folder")
    return folder / place


def _constants_to_weights(graph: onnx.GraphProto, folder: Path) -> None:
    kept = []
    for node in graph.node:
        value = next((a.t for a in node.attribute if a.name == "value"), None) if node.op_type == "Constant" else None
        if value is None or _is_there(value, folder):
            kept.append(node)
            continue
        weight = graph.initializer.add()
        weight.CopyFrom(value)
        weight.name = node.output[0]
    if len(kept) < len(graph.node):
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
        del graph.node[:]
        graph.node.extend(nodes)


def stored_elements(model: onnx.ModelProto) -> Mapping[int, int]:
    """How many elements the weights have of each of ONNX's types."""
    found: dict[int, int] = {}
    for tensor in model.graph.initializer:
        found[tensor.data_type] = found.get(tensor.data_type, 0) + math.prod(tensor.dims)
    return found


def weights_of(tensors: list[Absent], seed: int) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Names and elements of all that are absent, made one after the other."""
    for tensor in tensors:
        yield tensor.name, made_up(tensor, seed)
