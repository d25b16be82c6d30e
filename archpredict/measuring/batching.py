"""Batch sizes that a model's file does not have: lengths of inputs, and constants that hold a batch of 1."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from archpredict.errors import ModelFileError
from archpredict.onnx.files import Shapes, read_model
from archpredict.onnx.reader import OpenSizes

UNCHANGEABLE = "its file has a batch of 1, and no batch of {} can be made of that: {}"
_NEAR = 1e-3
"""Of the largest output: sums in another order differ by less, other rows of a batch by more."""


def declared(value: Any) -> tuple[int, ...] | None:
    """Lengths of an input's axes, -1 where the file leaves one open; None where it says nothing."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else -1 for d in tensor.shape.dim)


def filled_shapes(
    model: onnx.ModelProto, path: Path, batch_size: int, shapes: Shapes, sizes: OpenSizes
) -> dict[str, tuple[int, ...]]:
    """Shapes of the inputs with a batch size, where the file leaves lengths open or has a batch of 1.

    Args:
        model: With weights or without.
        path: Of its file, which is read once more where other axes than that of the batch are open.
        batch_size: The first axis of every input.
        shapes: Shapes by name that are given; their first axes do not count.
        sizes: Of images and sequences that the file leaves open.

    Raises:
        ModelFileError: The file has another batch, or lengths are not known.
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    known = {v.name: declared(v) for v in model.graph.input if v.name not in stored}
    if not known:
        raise ModelFileError("it has no input, and so no batch")
    if shapes or any(shape is None or -1 in shape[1:] for shape in known.values()):
        known = {**known, **read_model(path, shapes, sizes).inputs}
    found = {}
    for name, shape in known.items():
        if shape is None or -1 in shape[1:]:
            raise ModelFileError(f"its input {name[:60]!r} has lengths that are not known; give `input_shapes`")
        first = declared(next(v for v in model.graph.input if v.name == name))
        length = -1 if not first or shapes else first[0]
        if shape and length not in (-1, 1, batch_size):
            raise ModelFileError(f"its file has a batch of {length}, and no batch of {batch_size} can be made of that")
        found[name] = (batch_size, *shape[1:]) if shape else ()
    return found


def is_rewritten(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> bool:
    """Whether an input has another batch than in the file."""
    for value in model.graph.input:
        shape, before = shapes.get(value.name), declared(value)
        if (
            shape is not None
            and before is not None
            and any(b not in (-1, a) for a, b in zip(shape, before, strict=True))
        ):
            return True
    return False


def with_batch(model: onnx.ModelProto, batch_size: int) -> onnx.ModelProto:
    """A model for one image as one for several.

    Inputs get the batch as their first axis, what is computed from them is reshaped to as many times the length that
    the file has for the first axis, and what is joined to it but not computed from it is repeated. That is right where
    the images of a batch lie one after the other in memory; :func:`check_row` tells whether it was.

    Args:
        model: With a batch of 1; it stays as it is.
        batch_size: Images at once.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in stored]
    for value in inputs:
        for axis in list(value.type.tensor_type.shape.dim)[:1]:
            axis.Clear()
            axis.dim_value = batch_size
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    del graph.value_info[:]
    nodes = list(_Batched({value.name for value in inputs}).nodes(graph.node))
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.int64), f"{_OWN}{name}")
        for name, value in {"0": [0], "1": [1], "batch": [batch_size], "end": [2**62]}.items()
    )
    return made


_OWN = "archpredict.batch/"
"""What names of new tensors begin with."""


class _Batched:
    """The nodes of a graph for one image, changed for several.

    Args:
        of_data: Names of the inputs.
    """

    def __init__(self, of_data: set[str]) -> None:
        self._of_data = of_data
        self._writers: dict[str, onnx.NodeProto] = {}
        self._added = 0

    def nodes(self, nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
        """The nodes, and new ones before those that read what they write."""
        for node in nodes:
            self._writers.update(dict.fromkeys(node.output, node))
            if self._of_data.isdisjoint(node.input):
                yield node
                continue
            self._of_data.update(node.output)
            if node.op_type == "Reshape" and len(node.input) > 1:
                yield from self._reshape_all(node)
            elif node.op_type == "Concat" and helper.get_node_attr_value(node, "axis") > 0:  # along 0: of lengths
                yield from self._repeat(node)
            yield node

    def _reshape_all(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        """Have a node reshape a whole batch, where its first length does not follow from the data."""
        target = node.input[1]
        if target not in self._of_data:
            node.input[1] = yield from self._more(target)
            return
        writer = self._writers.get(target)
        if writer is not None and writer.op_type == "Concat" and writer.input[0] not in self._of_data:
            first = yield from self._more(writer.input[0])
            node.input[1] = yield from self._node("Concat", [first, *writer.input[1:]], axis=0)

    def _repeat(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        """Have a node join to each image what it joins to one, such as a class token."""
        for i, name in enumerate(node.input):
            if name not in self._of_data:
                lengths = yield from self._node("Shape", [name])
                lengths = yield from self._more(lengths)
                node.input[i] = yield from self._node("Expand", [name, lengths])

    def _more(self, lengths: str) -> Generator[onnx.NodeProto, None, str]:
        """Lengths of which the first is for the whole batch, unless it follows from the others (-1, 0)."""
        first = yield from self._node("Slice", [lengths, f"{_OWN}0", f"{_OWN}1"])
        rest = yield from self._node("Slice", [lengths, f"{_OWN}1", f"{_OWN}end"])
        known = yield from self._node("Greater", [first, f"{_OWN}0"])
        factor = yield from self._node("Where", [known, f"{_OWN}batch", f"{_OWN}1"])
        product = yield from self._node("Mul", [first, factor])
        return (yield from self._node("Concat", [product, rest], axis=0))

    def _node(self, op: str, inputs: Sequence[str], **attributes: Any) -> Generator[onnx.NodeProto, None, str]:
        """Yield a node with one output, and return the name of that."""
        self._added += 1
        name = f"{_OWN}{op}{self._added}"
        yield helper.make_node(op, inputs, [name], name, **attributes)
        return name


def check_row(
    single: Sequence[npt.NDArray[Any]], several: Sequence[npt.NDArray[Any]], place: int, batch_size: int
) -> None:
    """The outputs for an image of a batch are those for this image alone.

    Args:
        single: Of the model as it is in the file, for one image.
        several: Of the model for batches.
        place: Of the image in the batch, from 0.
        batch_size: How many images are in it.

    Raises:
        ModelFileError: They are not, so that the batch cannot be changed.

    Example:
        >>> check_row([np.ones((1, 10))], [np.ones((4, 10))], 0, 4)
        >>> check_row([np.ones((1, 10))], [np.ones((1, 40))], 0, 4)
        Traceback (most recent call last):
        archpredict.errors.ModelFileError: its file has a batch of 1, and no batch of 4 can be made of that: ...
    """
    for alone, all_of_them in zip(single, several, strict=True):
        if alone.shape[:1] != (1,) or all_of_them.shape != (batch_size, *alone.shape[1:]):
            got = "x".join(map(str, all_of_them.shape))
            raise ModelFileError(UNCHANGEABLE.format(batch_size, f"an output has shape {got}"))
        if alone.dtype.kind != "f":
            continue
        wanted, found = alone[0].astype(np.float64), all_of_them[place].astype(np.float64)
        largest = np.max(np.abs(wanted), initial=0.0, where=np.isfinite(wanted))
        if not np.allclose(found, wanted, rtol=0, atol=_NEAR * largest, equal_nan=True):
            raise ModelFileError(UNCHANGEABLE.format(batch_size, "images would change each other"))
