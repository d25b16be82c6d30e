"""How many parameters a node has: every stored tensor counts once, where it is read first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from math import isqrt, prod

import numpy as np

from archpredict.graph.operators import NORMS, UNKNOWN, WEIGHTED
from archpredict.onnx._file.elements import Same
from archpredict.onnx._tensors.steps import Tensor
from archpredict.onnx._translate.nodes import RESHAPE, SCALAR, Node, NodeGraph, behind, behind_weight


class Parameters:
    """Counts of parameters, node by node, in topological order.

    Args:
        network: The nodes, all of them.
        same: Whether two stored tensors have the same elements, transposed or not.
    """

    def __init__(self, network: NodeGraph, same: Same) -> None:
        self.twins = _twins(network, same)
        self._counted: set[Tensor] = {twin for twin, _ in self.twins}
        self._rotating = _halves_of_rotations(network)

    def of(self, node: Node) -> float:
        """The parameters of a node that no node before it has."""
        if node.label == "recurrent":
            return self._stored(behind_weight, node.constants)
        if node.label in WEIGHTED:
            return self._of_layer(node)
        if node.label in NORMS:
            parts = node.constants[: 1 + node.bias]
            fresh = all(_is_full_of(tensor, number) for tensor, number in zip(parts, (1, 0), strict=False))
            new = self._new_of_norm(parts)
            return float(prod(node.weight) * (len(parts) if fresh else new))
        if node.label == "attention":
            return float(sum(self._of_scores(tensor, node.groups) for tensor in dict.fromkeys(node.constants)))
        if node in self._rotating:
            return 0.0
        if node.label.startswith(UNKNOWN):
            return self._stored(lambda t: [p for p in behind_weight(t) if p.stored], node.constants)
        return self._stored(behind, node.constants)

    def _new_of_norm(self, parts: Sequence[Tensor]) -> int:
        """How many of scale and shift are new."""
        new = [self._is_new(tensor) for tensor in parts]
        return 0 if new == [False, True] and _is_rounded(parts[1]) else sum(new)

    def _of_layer(self, node: Node) -> float:
        """A layer's weight, and a number per output channel for its bias, in which a batch norm may be folded."""
        computed = node.params is not None  # from data
        weights, biases = ([], node.constants) if computed else (node.constants[:1], node.constants[1:])
        if not node.bias:
            return self._stored(behind_weight, node.constants)
        found = self._stored(behind_weight, weights)
        own = computed or found > 0  # a layer that is applied twice has one bias
        new = [tensor for tensor in biases if self._is_new(tensor) or (own and _is_full_of(tensor, 0))]
        if not new or (not own and all(map(_is_rounded, new))):
            return found
        return found + float(node.weight[0] if node.weight else min(t.num_parameters for t in new))

    def _of_scores(self, tensor: Tensor, heads: int) -> float:
        """Parameters behind a constant that scores are multiplied by or to which it is added.

        A table of pairs of tokens that is the same for all heads is a mask, which nobody learns. One with numbers per
        head has been written out from as many numbers as a square window, with or without a class token, has relative
        positions.
        """
        shape = tensor.shape or ()
        if len(shape) > 1 and min(shape[-2:]) > 1:
            if heads > 1 and (1, *shape)[-3] == 1:
                return 0.0
            side = isqrt(shape[-1])
            if tensor.stored and shape[-1] == shape[-2] and shape[-1] - side**2 in (0, 1):
                new = self._is_new(tensor)
                return float(prod(shape[:-2]) * ((2 * side - 1) ** 2 + 3 * (shape[-1] - side**2))) if new else 0.0
        return self._stored(behind, [tensor])

    def _stored(self, choose: Callable[[Tensor], list[Tensor]], tensors: Iterable[Tensor]) -> float:
        """Parameters behind constants that have not been counted; they are now."""
        new = dict.fromkeys(t for tensor in tensors for t in choose(tensor) if t not in self._counted)
        self._counted.update(new)
        return float(sum(t.num_parameters for t in new))

    def _is_new(self, tensor: Tensor) -> bool:
        """Whether something behind a constant has not been counted; it has been now."""
        new = set(behind_weight(tensor)) - self._counted
        self._counted.update(new)
        return bool(new)


def _twins(network: NodeGraph, same: Same) -> list[tuple[Tensor, Tensor]]:
    """Weights of linear layers that are the table of an embedding once more, each with the table."""
    found: dict[Tensor, Tensor] = {}
    tables = _matrices(network, "embedding")
    weights = _matrices(network, "linear") if tables else {}
    alike = (
        (weight, table)
        for weight, lengths in weights.items()
        for table, others in tables.items()
        if table is not weight and sorted(lengths) == sorted(others)
    )
    for weight, table in islice(alike, _MOST_COMPARED):
        if weight not in found and same((table.name, tables[table]), (weight.name, weights[weight])):
            found[weight] = table
    return list(found.items())


def _matrices(network: NodeGraph, label: str) -> dict[Tensor, tuple[int, int]]:
    """The stored matrices that nodes of a label have for weights, with their lengths before they were packed."""
    weights = [node.constants[0] for node in network.nodes if node.label == label and node.constants]
    stored = dict.fromkeys(t for weight in weights for t in behind_weight(weight) if t.stored)
    lengths = {tensor: tensor.stands_for or tensor.shape or () for tensor in stored}
    return {tensor: (shape[0], shape[1]) for tensor, shape in lengths.items() if len(shape) == 2}


def _is_full_of(tensor: Tensor, number: float) -> bool:
    """Whether a scale, shift or bias looks as before training, or cannot be seen: exporters store equal ones once."""
    if tensor.data is None or not tensor.parameters:
        return bool(tensor.parameters)
    data = np.asarray(tensor.data)
    if _is_rounded(tensor) and data.size:
        return bool((data == data.flat[0]).all() and np.round(data.flat[0]) == number)
    return bool((data == number).all())


def _is_rounded(tensor: Tensor) -> bool:
    """Whether integers are stored: where a layer is applied twice, of its bias a copy for each scale of the inputs."""
    return any(parameter.rounded for parameter in tensor.parameters)


_MOST_COMPARED = 8
"""Pairs of matrices whose elements are read."""


def _halves_of_rotations(network: NodeGraph) -> set[Node]:
    """Products with the sines and cosines of positions: two of one tensor, of which one was rearranged, added up."""
    found: set[Node] = set()
    for node in network.nodes:
        if node.label not in ("add", "sub") or len(node.inputs) != 2:
            continue
        first, second = node.inputs
        tables = [source.constants for source in node.inputs if source.label == "mul" and len(source.inputs) == 1]
        if len(tables) < 2 or first is second or not all(map(_is_table, tables)):
            continue
        if not _sources(first.inputs[0]).isdisjoint(_sources(second.inputs[0])):
            found.update(node.inputs)
    return found


def _is_table(constants: Sequence[Tensor]) -> bool:
    """Whether it is one number for every place and channel, not one per channel."""
    return len(constants) == 1 and sum(n > 1 for n in constants[0].shape or ()) > 1


_REARRANGED = (RESHAPE, SCALAR, "permute", "slice", "concat", "sub", "gather")
_FARTHEST = 12


def _sources(node: Node) -> set[Node]:
    """The nodes whose numbers a node has, in another order or with another sign."""
    found, stack = {node}, [node]
    while stack and len(found) < _FARTHEST:
        node = stack.pop()
        if node.label in _REARRANGED or (node.label == "elementwise" and node.function == "neg"):
            stack += [source for source in node.inputs if source not in found]
            found.update(node.inputs)
    return found
