"""Operators that find places, take numbers from them, or put them there, computed on small arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from archpredict.onnx._folding.application import Application

_MOST = 4096


def _along(call: Application) -> tuple[Any, ...]:
    """The places of indices along one axis, for NumPy."""
    indices, axis = call.given(1).astype(np.int64), call.axis()
    return tuple(indices if i == axis else places for i, places in enumerate(np.indices(indices.shape)))


def _gathered(call: Application) -> np.ndarray:
    """``GatherElements``: at each place what the index there says, along one axis."""
    return np.asarray(call.data[_along(call)])


def _points(array: np.ndarray, indices: np.ndarray) -> tuple[Any, ...]:
    """Indices into the first axes, whose last axis has one of them for each, for NumPy."""
    if not 1 <= indices.shape[-1] <= array.ndim:
        raise ValueError("more indices than axes")
    return tuple(np.moveaxis(indices, -1, 0).astype(np.int64))


def _gathered_points(call: Application) -> np.ndarray:
    if call.attributes.get("batch_dims", 0):
        raise ValueError("examples apart")
    return np.asarray(call.data[_points(call.data, call.given(1))])


_PUT: Mapping[str, np.ufunc] = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


def _put(array: np.ndarray, places: tuple[Any, ...], numbers: np.ndarray, how: str) -> np.ndarray:
    """A copy with these numbers at these places, or what was there and they together."""
    result = array.astype(np.result_type(array, numbers))
    if how in _PUT:
        _PUT[how].at(result, places, numbers)
    else:
        result[places] = numbers
    return result


def _scattered(call: Application) -> np.ndarray:
    """``ScatterElements``, and ``Scatter`` as it was called before."""
    return _put(call.data, _along(call), call.given(2), str(call.attributes.get("reduction", "none")))


def _scattered_points(call: Application) -> np.ndarray:
    how = str(call.attributes.get("reduction", "none"))
    return _put(call.data, _points(call.data, call.given(1)), call.given(2), how)


def _one_hot(call: Application) -> np.ndarray:
    depth, (off, on) = int(call.given(1).reshape(())), call.given(2)
    if not 0 < depth <= _MOST:
        raise ValueError("too many categories")
    places = np.arange(depth).reshape(-1) == np.where(call.data < 0, call.data + depth, call.data)[..., None]
    axis = int(call.attributes.get("axis", -1))
    return np.asarray(np.moveaxis(np.where(places, on, off), -1, axis))


def _eye(call: Application) -> np.ndarray:
    if call.data.ndim != 2 or "dtype" in call.attributes:
        raise ValueError("no matrix, or one of another type")
    rows, columns = call.data.shape
    return np.eye(rows, columns, k=int(call.attributes.get("k", 0)), dtype=call.data.dtype)


def _triangle(call: Application) -> np.ndarray:
    k = int(call.given(1).reshape(())) if len(call.inputs) > 1 and call.inputs[1] is not None else 0
    return np.triu(call.data, k) if call.attributes.get("upper", 1) else np.tril(call.data, k)


def _summed(call: Application) -> np.ndarray:
    """``CumSum``, from either end, with or without the number at the place itself."""
    axis = int(call.given(1).reshape(()))
    array = np.flip(call.data, axis) if call.flag("reverse") else call.data
    sums = np.cumsum(array, axis, dtype=array.dtype)
    sums = sums - array if call.flag("exclusive") else sums
    return np.flip(sums, axis) if call.flag("reverse") else sums


def _extreme(function: Callable[..., Any]) -> Callable[[Application], np.ndarray]:
    """``ArgMax`` or ``ArgMin``, the first of several or the last."""

    def rule(call: Application) -> np.ndarray:
        axis, last = call.axis(), call.flag("select_last_index")
        array = np.flip(call.data, axis) if last else call.data
        found = np.expand_dims(function(array, axis=axis), axis)
        found = call.data.shape[axis] - 1 - found if last else found
        return np.asarray(found if call.attributes.get("keepdims", 1) else np.squeeze(found, axis), dtype=np.int64)

    return rule


def _largest(call: Application) -> list[np.ndarray]:
    """``TopK``: the largest or smallest, in order, and where they are."""
    axis, counts = call.axis(-1), call.integers("k", 1)
    if counts is None or len(counts) != 1 or not 0 <= counts[0] <= call.data.shape[axis]:
        raise ValueError("no such number of places")
    array = call.data.astype(np.float64)
    order = np.argsort(-array if call.attributes.get("largest", 1) else array, axis, kind="stable")
    places = np.take(order, np.arange(counts[0]), axis)
    return [np.take_along_axis(call.data, places, axis), places.astype(np.int64)]


def _compressed(call: Application) -> np.ndarray:
    axis = call.axis() if "axis" in call.attributes else None
    return np.compress(call.given(1).ravel(), call.data, axis=axis)


def _turned(call: Application) -> np.ndarray:
    """``ReverseSequence``: the first so many places of each example the other way round."""
    along, examples = (int(call.attributes.get(name, n)) for name, n in (("time_axis", 0), ("batch_axis", 1)))
    array = np.moveaxis(call.data, (examples, along), (0, 1)).copy()
    for row, length in zip(array, call.given(1).ravel(), strict=True):
        row[:length] = row[:length][::-1].copy()
    return np.moveaxis(array, (0, 1), (examples, along))


PLACES: Mapping[str, Callable[[Application], np.ndarray | list[np.ndarray]]] = {
    "GatherElements": _gathered,
    "GatherND": _gathered_points,
    **dict.fromkeys(("ScatterElements", "Scatter"), _scattered),
    "ScatterND": _scattered_points,
    "OneHot": _one_hot,
    "EyeLike": _eye,
    "Trilu": _triangle,
    "CumSum": _summed,
    "ArgMax": _extreme(np.argmax),
    "ArgMin": _extreme(np.argmin),
    "TopK": _largest,
    "Compress": _compressed,
    "ReverseSequence": _turned,
}
"""By ONNX's name of the operator."""
