"""How long the axes are that a file leaves open: what they stand for shows in their names and in who reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from archpredict.onnx._file.protos import Shape, kind_of
from archpredict.onnx._trace.first_layer import CONVOLUTIONS, PRODUCTS, RECURRENT, TABLES, FirstLayer, Layers

_FRAMES = 16
_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("batch", re.compile(r"batch|^bsz?$")),
    ("side", re.compile(r"height|width|^(h|w|ih|iw)$|img_?size|image_?size")),
    ("channels", re.compile(r"channel|^(c|ch)$")),
    ("frames", re.compile(r"frame|depth")),
    ("length", re.compile(r"seq|len|time|token|past|^(t|l|s)$|step|node|point|vert")),
)
_SIZES: Mapping[str, str] = {"side": "image", "length": "sequence"}
"""Which of the sizes axes of a role have."""
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


class Taken(NamedTuple):
    """The shape that an input is taken to have, and the lengths among it that :class:`OpenSizes` has."""

    shape: Shape
    sizes: tuple[str, ...] = ()


def assumed(
    graph: Any, inputs: Sequence[Any], given: Mapping[str, Sequence[int]], sizes: OpenSizes
) -> dict[str, Taken]:
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
        return {name: Taken(kind.shape) for name, kind in kinds.items()}
    layers = Layers(graph)
    named = _named(inputs, given)
    found: dict[str, Taken] = {}
    for value in inputs:
        if value.name not in kinds or kinds[value.name].other is not None:
            continue
        kind, names = kinds[value.name], _axis_names(value)
        reader = layers.first_reader(value.name, kind.shape)
        shape = kind.shape if kind.shape is not None else _from_reader(reader)
        if shape is None:
            found[value.name] = Taken(None)
            continue
        names = names or ("",) * len(shape)
        roles = _roles(shape, names, kind.dtype, reader)
        open_ = {role for role, n in zip(roles, shape, strict=True) if n <= 0}
        taken = tuple(size for role, size in _SIZES.items() if role in open_)
        found[value.name] = Taken(_filled(shape, names, roles, reader, named, sizes), taken)
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


def _from_reader(reader: FirstLayer | None) -> Shape:
    """A shape of which nothing but the rank is known, from the layer that reads it."""
    if reader is None:
        return None
    op, rank = reader.node.op_type, len(reader.weight)
    if op in CONVOLUTIONS:
        return (-1,) * rank if rank > 2 else None
    if op in RECURRENT:
        return (-1,) * 3
    return (-1,) * 2


# ---------------------------------------------------------------------- what axes stand for


def _roles(shape: Sequence[int], names: Sequence[str], dtype: int, reader: FirstLayer | None) -> list[str]:
    """What each axis stands for: by its name where it is open, else by who reads it, else by where it is.

    It is ``batch``, ``channels``, ``side`` (of an image), ``frames``, ``length`` (of a sequence), or nothing.
    """
    guessed = _by_reader(len(shape), reader) or _by_place(shape, dtype)
    named = [next((role for role, pattern in _NAMES if pattern.search(name)), "") for name in names]
    if len(shape) < 4:  # not of a video
        named = ["length" if role == "frames" else role for role in named]
    if any(name == "batch" and length <= 0 for name, length in zip(named, shape, strict=True)):
        guessed = ["length" if guess == "batch" else guess for guess in guessed]
    return [name if name and length <= 0 else guess for name, guess, length in zip(named, guessed, shape, strict=True)]


def _by_reader(rank: int, reader: FirstLayer | None) -> list[str] | None:
    if reader is None:
        return None
    op, own = reader.node.op_type, rank
    rank = len(reader.order or range(rank))
    if op in CONVOLUTIONS and len(reader.weight) == rank > 2:
        places: dict[int, tuple[str, ...]] = {3: ("length",), 4: ("side", "side"), 5: ("frames", "side", "side")}
        seen: list[str] = ["batch", "channels", *places.get(rank, ("length",) * (rank - 2))]
        last = op == "NhwcConv" or bool(reader.integer("channels_last", 0))
        seen = [seen[0], *seen[2:], seen[1]] if last else seen
    elif op in RECURRENT and rank == 3:
        seen = ["batch", "length", "channels"] if reader.integer("layout", 0) else ["length", "batch", "channels"]
    elif op in TABLES and rank:
        seen = ["batch", *["length"] * (rank - 1)] if rank > 1 else ["length"]
    elif op in PRODUCTS and 1 < rank < 4:
        seen = ["batch", *["length"] * (rank - 2), "channels"]
    else:
        return None
    if reader.order is None:
        return seen
    if sorted(axis for axis in reader.order if axis >= 0) != list(range(own)):
        return None
    roles: list[str] = [""] * own
    for place, axis in enumerate(reader.order):
        if axis >= 0:
            roles[axis] = seen[place]
    if op in PRODUCTS:  # which make no difference between batch and length
        others = [axis for axis, role in enumerate(roles) if role != "channels"]
        for place, axis in enumerate(others):
            roles[axis] = "length" if place else "batch"
    return roles


def _by_place(shape: Sequence[int], dtype: int) -> list[str]:
    rank = len(shape)
    if rank == 4:
        last = shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4)
        return ["batch", "side", "side", "channels"] if last else ["batch", "channels", "side", "side"]
    if rank == 5:
        colours = next((axis for axis in (1, 2, 4) if shape[axis] in (1, 3, 4)), 1)
        frames = 2 if colours == 1 else 1
        return ["batch", *({colours: "channels", frames: "frames"}.get(axis, "side") for axis in range(1, 5))]
    if rank == 3 and dtype not in _LENGTHS and shape[0] in (1, 3, 4) and shape[1] == shape[2] == -1:
        return ["channels", "side", "side"]
    return ["batch", *["length"] * (rank - 1)][:rank]


def _filled(
    shape: Sequence[int],
    names: Sequence[str],
    roles: Sequence[str],
    reader: FirstLayer | None,
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


def _taken(reader: FirstLayer | None) -> int:
    """Channels or features that the layer takes, 0 where that is not known."""
    if reader is None or len(reader.weight) < 2:
        return 0
    op, weight = reader.node.op_type, reader.weight
    if op in CONVOLUTIONS:
        groups = max(1, reader.integer("group", 1))
        return weight[0] if op == "ConvTranspose" else weight[1] * groups
    if op in RECURRENT:
        return weight[1] if op == "DynamicQuantizeLSTM" else weight[-1]
    return weight[-1] if reader.integer("transB", 0) else weight[-2]
