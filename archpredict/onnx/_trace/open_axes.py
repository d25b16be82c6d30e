"""How long the axes are that a file leaves open: what they stand for shows in their names and in who reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archpredict.onnx._file.protos import Shape, kind_of
from archpredict.onnx._trace.aliases import is_quantiser

_FRAMES = 16
_FARTHEST = 200
"""Operators between an input and the layer that tells what its axes are."""
_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("batch", re.compile(r"batch")),
    ("side", re.compile(r"height|width|^(h|w|ih|iw)$|img_?size|image_?size")),
    ("channels", re.compile(r"channel|^(c|ch)$")),
    ("frames", re.compile(r"frame|depth")),
    ("length", re.compile(r"seq|len|time|token|past|^(t|l|s)$|step")),
)
_PASSES = (
    *(
        "Cast",
        "Identity",
        "Sub",
        "Mul",
        "Div",
        "Add",
        "Clip",
        "Pad",
        "Relu",
        "Transpose",
        "BatchNormalization",
        "Resize",
    ),
    *("DynamicQuantizeLinear", "Dropout", "CastLike", "ImageScaler", "ReorderInput", "Upsample"),
)
"""Operators that leave the meaning of axes as it is; those that exchange them say how."""
_CONVOLUTIONS = {
    **dict.fromkeys(("Conv", "ConvInteger", "FusedConv", "NhwcConv", "DeformConv", "ConvTranspose"), 1),
    "QLinearConv": 3,
}
_PRODUCTS = {
    **dict.fromkeys(("Gemm", "MatMul", "MatMulInteger", "FusedMatMul", "FusedGemm", "DynamicQuantizeMatMul"), 1),
    **dict.fromkeys(("MatMulIntegerToFloat", "Attention"), 1),
    **dict.fromkeys(("QLinearMatMul", "QGemm"), 3),
}
_RECURRENT = dict.fromkeys(("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"), 1)
_TABLES = ("Gather", "GatherBlockQuantized")
_LENGTHS = (6, 7)
"""ONNX's numbers of the types that tokens have."""


@dataclass(frozen=True)
class OpenSizes:
    """How long open axes are taken to be.

    Args:
        image: Height and width of images.
        sequence: Tokens of a text, steps of a time series.
    """

    image: int = 224
    sequence: int = 128


@dataclass(frozen=True)
class _FirstLayer:
    """The first layer that reads an input, and which axis of the input it sees where."""

    node: Any
    slot: int
    order: tuple[int, ...] | None
    weight: tuple[int, ...]


def assumed(
    graph: Any, inputs: Sequence[Any], given: Mapping[str, Sequence[int]], sizes: OpenSizes
) -> dict[str, Shape]:
    """The shapes of inputs, with a length for each axis that the file leaves open; -1 where none can be meant.

    A batch is 1. Channels and features are those that the first layer takes. Axes of one name are equally long.

    Args:
        graph: The model's.
        inputs: Those of the graph's inputs that are data.
        given: Shapes that are known.
        sizes: Of images and sequences.
    """
    kinds = {value.name: kind_of(value.type) for value in inputs if value.name not in given}
    if all(kind.shape is not None and min(kind.shape, default=1) > 0 for kind in kinds.values()):
        return {name: kind.shape for name, kind in kinds.items()}
    layers = _Layers(graph)
    named = _named(inputs, given)
    found: dict[str, Shape] = {}
    for value in inputs:
        if value.name not in kinds or kinds[value.name].other is not None:
            continue
        kind, names = kinds[value.name], _axis_names(value)
        reader = layers.first_reader(value.name)
        shape = kind.shape if kind.shape is not None else _from_reader(reader)
        if shape is None:
            found[value.name] = None
            continue
        names = names or ("",) * len(shape)
        roles = _roles(shape, names, kind.dtype, reader)
        found[value.name] = _filled(shape, names, roles, reader, named, sizes)
    return found


def _axis_names(value: Any) -> tuple[str, ...]:
    names = (dim.dim_param for dim in value.type.tensor_type.shape.dim)
    # What is not UTF-8 comes as bytes.
    return tuple((name if isinstance(name, str) else name.decode("utf-8", "replace")).lower() for name in names)


def _named(inputs: Sequence[Any], given: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Lengths of axes by name, where a shape that was given tells them."""
    return {
        name: int(length)
        for value in inputs
        for name, length in zip(_axis_names(value), given.get(value.name, ()), strict=False)
        if name
    }


# ---------------------------------------------------------------------- who reads an input


class _Layers:
    """Who reads what in a graph, and the shapes that weights have."""

    def __init__(self, graph: Any) -> None:
        self._readers: dict[str, list[tuple[Any, int]]] = {}
        self._writers: dict[str, Any] = {}
        for node in graph.node:
            for slot, name in enumerate(node.input):
                self._readers.setdefault(name, []).append((node, slot))
            self._writers.update(dict.fromkeys(node.output, node))
        self._dims = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        self._dims.update({v.name: kind_of(v.type).shape or () for v in graph.input if v.name not in self._dims})

    def first_reader(self, name: str) -> _FirstLayer | None:
        """The first layer that reads an input, behind operators that leave its axes as they are."""
        queue: list[tuple[str, tuple[int, ...] | None]] = [(name, None)]
        seen = {name}
        while queue and len(seen) < _FARTHEST:
            name, order = queue.pop(0)
            for node, slot in self._readers.get(name, ()):
                if self._decides(node, slot):
                    return _FirstLayer(node, slot, order, self._weight(node))
                passes = node.op_type in _PASSES or is_quantiser(node)
                if not passes or not node.output or node.output[0] in seen or (slot and len(node.input) > 2):
                    continue
                after = _composed(order, node) if node.op_type == "Transpose" else order
                seen.add(node.output[0])
                queue.append((node.output[0], after))
        return None

    def _decides(self, node: Any, slot: int) -> bool:
        if node.op_type in _TABLES:
            return slot == 1
        return slot == 0 and node.op_type in {**_CONVOLUTIONS, **_PRODUCTS, **_RECURRENT}

    def _weight(self, node: Any) -> tuple[int, ...]:
        """Shape of a layer's weight, through what rounds or turns it."""
        slot = {**_CONVOLUTIONS, **_PRODUCTS, **_RECURRENT}.get(node.op_type, 0)
        name, turned = node.input[slot] if slot < len(node.input) else "", False
        for _ in range(8):
            if name in self._dims:
                dims = self._dims[name]
                return (*dims[:-2], *dims[:-3:-1]) if turned and len(dims) > 1 else dims
            writer = self._writers.get(name)
            if writer is None or not writer.input:
                return ()
            if writer.op_type == "Constant":
                return next((tuple(a.t.dims) for a in writer.attribute if a.name == "value"), ())
            if writer.op_type != "Transpose" and writer.op_type not in _PASSES and not is_quantiser(writer):
                return ()
            turned ^= writer.op_type == "Transpose"
            name = writer.input[0]
        return ()


def _composed(order: tuple[int, ...] | None, node: Any) -> tuple[int, ...] | None:
    """The axes of the input in the order in which they are after one more transposition."""
    axes = next((tuple(a.ints) for a in node.attribute if a.name == "perm"), ())
    if order is None:
        return axes or None
    return tuple(order[axis] for axis in axes) if sorted(axes) == list(range(len(order))) else None


def _integer(node: Any, name: str, default: int) -> int:
    return int(next((a.i for a in node.attribute if a.name == name), default))


def _from_reader(reader: _FirstLayer | None) -> Shape:
    """A shape of which nothing but the rank is known, from the layer that reads it."""
    if reader is None:
        return None
    op, rank = reader.node.op_type, len(reader.weight)
    if op in _CONVOLUTIONS:
        return (-1,) * rank if rank > 2 else None
    if op in _RECURRENT:
        return (-1,) * 3
    return (-1,) * 2


# ---------------------------------------------------------------------- what axes stand for


def _roles(shape: Sequence[int], names: Sequence[str], dtype: int, reader: _FirstLayer | None) -> list[str]:
    """What each axis stands for: by its name where it is open, else by who reads it, else by where it is.

    It is ``batch``, ``channels``, ``side`` (of an image), ``frames``, ``length`` (of a sequence), or nothing.
    """
    guessed = _by_reader(len(shape), reader) or _by_place(shape, dtype)
    named = [next((role for role, pattern in _NAMES if pattern.search(name)), "") for name in names]
    return [name if name and length <= 0 else guess for name, guess, length in zip(named, guessed, shape, strict=True)]


def _by_reader(rank: int, reader: _FirstLayer | None) -> list[str] | None:
    if reader is None:
        return None
    op = reader.node.op_type
    if op in _CONVOLUTIONS and len(reader.weight) == rank > 2:
        places: dict[int, tuple[str, ...]] = {3: ("length",), 4: ("side", "side"), 5: ("frames", "side", "side")}
        seen: list[str] = ["batch", "channels", *places.get(rank, ("length",) * (rank - 2))]
        last = op == "NhwcConv" or bool(_integer(reader.node, "channels_last", 0))
        seen = [seen[0], *seen[2:], seen[1]] if last else seen
    elif op in _RECURRENT and rank == 3:
        seen = (
            ["batch", "length", "channels"] if _integer(reader.node, "layout", 0) else ["length", "batch", "channels"]
        )
    elif op in _TABLES and rank:
        seen = ["batch", *["length"] * (rank - 1)] if rank > 1 else ["length"]
    elif op in _PRODUCTS and 1 < rank < 4:
        seen = ["batch", *["length"] * (rank - 2), "channels"]
    else:
        return None
    if reader.order is None:
        return seen
    if sorted(reader.order) != list(range(rank)):
        return None
    roles: list[str] = [""] * rank
    for place, axis in enumerate(reader.order):
        roles[axis] = seen[place]
    return roles


def _by_place(shape: Sequence[int], dtype: int) -> list[str]:
    rank = len(shape)
    if rank == 4:
        last = shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4)
        return ["batch", "side", "side", "channels"] if last else ["batch", "channels", "side", "side"]
    if rank == 5:
        return ["batch", "channels", "frames", "side", "side"]
    if rank == 3 and dtype not in _LENGTHS and shape[0] in (1, 3, 4) and shape[1] == shape[2] == -1:
        return ["channels", "side", "side"]
    return ["batch", *["length"] * (rank - 1)][:rank]


def _filled(
    shape: Sequence[int],
    names: Sequence[str],
    roles: Sequence[str],
    reader: _FirstLayer | None,
    named: dict[str, int],
    sizes: OpenSizes,
) -> tuple[int, ...]:
    """The shape with all lengths; ``named`` learns those of axes with a name."""
    sides = {n for n, role in zip(shape, roles, strict=True) if role == "side" and n > 0}
    lengths: Mapping[str, int] = {
        "batch": 1,
        "channels": _taken(reader) or (3 if "side" in roles else -1),
        "side": min(sides) if len(sides) == 1 else sizes.image,
        "frames": _FRAMES,
        "length": sizes.sequence,
        "": -1,
    }
    found = []
    for n, name, role in zip(shape, names, roles, strict=True):
        length = n if n > 0 else named.get(name, lengths[role]) if name else lengths[role]
        if name and n <= 0:
            named.setdefault(name, length)
        found.append(length)
    return tuple(found)


def _taken(reader: _FirstLayer | None) -> int:
    """Channels or features that the layer takes, 0 where that is not known."""
    if reader is None or len(reader.weight) < 2:
        return 0
    op, weight = reader.node.op_type, reader.weight
    if op in _CONVOLUTIONS:
        groups = max(1, _integer(reader.node, "group", 1))
        return weight[0] if op == "ConvTranspose" else weight[1] * groups
    if op in _RECURRENT:
        return weight[1] if op == "DynamicQuantizeLSTM" else weight[-1]
    return weight[-1] if _integer(reader.node, "transB", 0) else weight[-2]
