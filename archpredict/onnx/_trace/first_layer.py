"""The first layer that reads an input, which tells what the input's axes are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archpredict.onnx._file.protos import MAX_RANK, Shape, decoded, kind_of
from archpredict.onnx._trace.aliases import is_quantiser

_FARTHEST = 200
"""Operators between an input and the layer that tells what its axes are."""
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
CONVOLUTIONS = {
    **dict.fromkeys(("Conv", "ConvInteger", "FusedConv", "NhwcConv", "DeformConv", "ConvTranspose"), 1),
    "QLinearConv": 3,
}
PRODUCTS = {
    **dict.fromkeys(("Gemm", "MatMul", "MatMulInteger", "FusedMatMul", "FusedGemm", "DynamicQuantizeMatMul"), 1),
    **dict.fromkeys(("MatMulIntegerToFloat", "Attention"), 1),
    **dict.fromkeys(("QLinearMatMul", "QGemm"), 3),
}
RECURRENT = dict.fromkeys(("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"), 1)
TABLES = ("Gather", "GatherBlockQuantized")


@dataclass(frozen=True)
class FirstLayer:
    """The first layer that reads an input, and which axis of the input it sees where, -1 for one that was added."""

    node: Any
    slot: int
    order: tuple[int, ...] | None
    weight: tuple[int, ...]

    def integer(self, name: str, default: int) -> int:
        """An attribute of the layer."""
        return int(next((a.i for a in self.node.attribute if a.name == name), default))


class Layers:
    """Who reads what in a graph, and the shapes that weights have."""

    def __init__(self, graph: Any) -> None:
        self._readers: dict[str, list[tuple[Any, int]]] = {}
        self._writers: dict[str, Any] = {}
        for node in graph.node:
            for slot, name in enumerate(node.input):
                self._readers.setdefault(name, []).append((node, slot))
            self._writers.update(dict.fromkeys(node.output, node))
        constants = [
            (n.output[0], a.t) for n in graph.node if n.op_type == "Constant" and n.output for a in n.attribute
        ]
        stored = [*((tensor.name, tensor) for tensor in graph.initializer), *constants]
        self._numbers = {name: _few_integers(tensor) for name, tensor in stored}
        self._dims = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        self._dims.update({v.name: kind_of(v.type).shape or () for v in graph.input if v.name not in self._dims})

    def first_reader(self, name: str, shape: Shape) -> FirstLayer | None:
        """The first layer that reads an input, behind operators that leave its axes as they are."""
        queue = [(name, None if shape is None else tuple(range(len(shape))))]
        seen = {name}
        while queue and len(seen) < _FARTHEST:
            name, order = queue.pop(0)
            for node, slot in self._readers.get(name, ()):
                if self._decides(node, slot):
                    return FirstLayer(node, slot, order, self._weight(node))
                passes = node.op_type in (*_PASSES, "Unsqueeze") or is_quantiser(node)
                if not passes or not node.output or node.output[0] in seen or (slot and len(node.input) > 2):
                    continue
                after = _composed(order, node) if node.op_type == "Transpose" else order
                if node.op_type == "Unsqueeze":
                    after = _extended(order, self._axes(node))
                    if after is None:
                        continue
                seen.add(node.output[0])
                queue.append((node.output[0], after))
        return None

    def _axes(self, node: Any) -> tuple[int, ...]:
        """The axes that an operator says in an attribute or a second input, none where that is not known."""
        given = next((tuple(a.ints) for a in node.attribute if a.name == "axes"), ())
        name = node.input[1] if len(node.input) > 1 else ""
        return given or tuple(self._numbers.get(name, ()))

    def _decides(self, node: Any, slot: int) -> bool:
        if node.op_type in TABLES:
            return slot == 1
        return slot == 0 and node.op_type in {**CONVOLUTIONS, **PRODUCTS, **RECURRENT}

    def _weight(self, node: Any) -> tuple[int, ...]:
        """Shape of a layer's weight, through what rounds or turns it."""
        slot = {**CONVOLUTIONS, **PRODUCTS, **RECURRENT}.get(node.op_type, 0)
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


def _few_integers(tensor: Any) -> tuple[int, ...]:
    """The elements of a vector of a few integers, none for all else."""
    if tensor.data_type != 7 or sum(tensor.dims) > MAX_RANK:
        return ()
    try:
        data = decoded(tensor)
    except ValueError:
        return ()
    return () if data is None else tuple(map(int, data.ravel()))


def _composed(order: tuple[int, ...] | None, node: Any) -> tuple[int, ...] | None:
    """The axes of the input in the order in which they are after one more transposition."""
    axes = next((tuple(a.ints) for a in node.attribute if a.name == "perm"), ())
    if order is None:
        return axes or None
    axes = axes or tuple(range(len(order)))[::-1]
    return tuple(order[axis] for axis in axes) if sorted(axes) == list(range(len(order))) else None


def _extended(order: tuple[int, ...] | None, axes: Sequence[int]) -> tuple[int, ...] | None:
    """The axes of the input, and -1 for those that are new."""
    if order is None or not axes:
        return None
    rank = len(order) + len(axes)
    new = {axis % rank for axis in axes}
    old = iter(order)
    return tuple(-1 if axis in new else next(old, -1) for axis in range(rank))
