"""Batch sizes that a model's file does not have: lengths of inputs, and constants that hold a batch of 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    the images of a batch lie one after the other in memory; :func:`check_rows` tells whether it was.

    Args:
        model: With a batch of 1; it stays as it is.
        batch_size: Images at once.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    stored |= {
        n.output[0]: a.t for n in graph.node if n.op_type == "Constant" for a in n.attribute if a.name == "value"
    }
    inputs = [value for value in graph.input if value.name not in stored]
    for value in inputs:
        for axis in list(value.type.tensor_type.shape.dim)[:1]:
            axis.Clear()
            axis.dim_value = batch_size
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    del graph.value_info[:]
    of_data = {value.name for value in inputs}
    nodes = []
    for i, node in enumerate(graph.node):
        if of_data.isdisjoint(node.input):
            nodes.append(node)
            continue
        of_data.update(node.output)
        if node.op_type == "Reshape" and len(node.input) > 1:
            _reshape_all(graph, node, stored.get(node.input[1]), batch_size, f"{node.input[1]}/batch{i}")
        elif node.op_type == "Concat":
            nodes += _repeated(graph, node, [n for n in node.input if n not in of_data], stored, batch_size, i)
        nodes.append(node)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    return made


def _reshape_all(
    graph: onnx.GraphProto, node: onnx.NodeProto, target: onnx.TensorProto | None, batch_size: int, name: str
) -> None:
    """Have a node reshape a whole batch; its target gets a name of its own, as another node may read the same one."""
    if target is None or target.data_location == onnx.TensorProto.EXTERNAL:
        return
    lengths = numpy_helper.to_array(target).copy()
    if lengths.ndim == 1 and len(lengths) and lengths[0] > 0:
        lengths[0] *= batch_size
        graph.initializer.append(numpy_helper.from_array(lengths, name))
        node.input[1] = name


def _repeated(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    others: Sequence[str],
    stored: Mapping[str, onnx.TensorProto],
    batch_size: int,
    place: int,
) -> Iterator[onnx.NodeProto]:
    """Nodes that repeat what a concatenation joins to each image, such as a class token; the node reads them."""
    for k, name in enumerate(dict.fromkeys(others)):
        tensor = stored.get(name)
        if tensor is None or len(tensor.dims) < 2 or tensor.dims[0] != 1:  # vectors are shapes
            continue
        shape, output = f"{name}/repeats{place}.{k}", f"{name}/batch{place}.{k}"
        lengths = np.array([batch_size] + [1] * (len(tensor.dims) - 1), np.int64)
        graph.initializer.append(numpy_helper.from_array(lengths, shape))
        yield helper.make_node("Expand", [name, shape], [output])
        for i, read in enumerate(node.input):
            if read == name:
                node.input[i] = output


def check_rows(one: Sequence[npt.NDArray[Any]], many: Sequence[npt.NDArray[Any]], batch_size: int) -> None:
    """The outputs for a batch of one image, repeated, are those for this image.

    Args:
        one: Of the model as it is in the file, for one image.
        many: Of the model for batches.
        batch_size: How often the image is in the batch.

    Raises:
        ModelFileError: They are not, so that the batch cannot be changed.

    Example:
        >>> check_rows([np.ones((1, 10))], [np.ones((4, 10))], 4)
        >>> check_rows([np.ones((1, 10))], [np.ones((1, 40))], 4)
        Traceback (most recent call last):
        archpredict.errors.ModelFileError: its file has a batch of 1, and no batch of 4 can be made of that: ...
    """
    for single, several in zip(one, many, strict=True):
        wanted = (batch_size, *single.shape[1:]) if single.shape[:1] == (1,) else None
        if several.shape != wanted:
            got = "x".join(map(str, several.shape))
            raise ModelFileError(UNCHANGEABLE.format(batch_size, f"an output has shape {got}"))
        if single.dtype.kind != "f":
            continue
        single, several = single.astype(np.float64), several.astype(np.float64)
        largest = np.max(np.abs(single), initial=0.0, where=np.isfinite(single))
        if not np.allclose(several, single, rtol=0, atol=_NEAR * largest, equal_nan=True):
            raise ModelFileError(UNCHANGEABLE.format(batch_size, "images would change each other"))
