"""How tensors lie in memory: reshapes disappear, transpositions stay only where they change the order of elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archpredict.graph.operators import ACTIVATIONS
from archpredict.onnx._translate.nodes import RESHAPE, SCALAR, TRANSPOSE, Node, NodeGraph, size

_OF_ELEMENTS = tuple(label for label in ACTIVATIONS if label not in ("softmax", "prelu"))
_NOT_LINEAR = ("pow", "minimum", "maximum")


def unfold(network: NodeGraph) -> None:
    """A linear layer on regrouped rows is one on the tensor as it was: only the last axis matters to it.

    Some exporters make a matrix of a batch of tokens before a linear layer, others do not.
    """
    for node in network.nodes:
        if not node.inputs or node.shape is None:
            continue
        source = node.inputs[0]
        if node.label == "linear" and len(node.inputs) == 1:
            while source.inputs and (source.label == RESHAPE or (source.label == TRANSPOSE and not _moves(source))):
                source = source.inputs[0]
            if not _ends_alike(source, node.inputs[0]):
                continue
            rows = (source.shape or ())[:-1]
            if node.shape and size(rows) == size(node.shape[:-1]) >= 0:
                node.inputs, node.shape = [source], (*rows, node.shape[-1])
        elif len(node.inputs) == 1 and node.label in ACTIVATIONS and size(source.shape) == size(node.shape) >= 0:
            node.shape = source.shape


def _ends_alike(before: Node, after: Node) -> bool:
    return bool(before.shape and after.shape and before.rank > 1 and before.shape[-1] == after.shape[-1])


def meet(network: NodeGraph) -> None:
    """Two transpositions of which one undoes the other are none, also with functions of single elements between.

    Convolutions with channels last are written between such, and what is folded into them stands behind.
    """
    readers = network.readers()
    gone: dict[Node, Node] = {}
    for node in network.nodes:
        node.inputs = [gone.get(source, source) for source in node.inputs]
        if node.label != TRANSPOSE or not node.inputs:
            continue
        between, first = _functions_before(node, readers)
        if first.label != TRANSPOSE or not first.inputs or node.shape is None or first.inputs[0].shape != node.shape:
            continue
        if node.axes is None or first.axes is None or len(first.axes) != len(node.axes):
            continue
        if [first.axes[axis] for axis in node.axes] != list(range(len(node.axes))):
            continue
        for function in between:
            function.shape = node.shape
        if between:
            between[-1].inputs = [first.inputs[0]]
        gone[node] = between[0] if between else first.inputs[0]
        readers[gone[node]] = [*readers[gone[node]], *readers[node]]
        network.count("transpositions that undo each other")
    network.replace(lambda node: gone.get(node, node))
    network.drop_dead()


def _functions_before(node: Node, readers: Mapping[Node, Sequence[Node]]) -> tuple[list[Node], Node]:
    """The functions of single elements in front of a node that nobody else reads, the last first, and what is there."""
    between: list[Node] = []
    source = node.inputs[0]
    while source.label in _OF_ELEMENTS and len(source.inputs) == 1 and len(readers[source]) == 1:
        if any(tensor.scalar is None for tensor in source.constants):
            break
        between.append(source)
        source = source.inputs[0]
    return between, source


def squeeze_slices(network: NodeGraph) -> None:
    """A slice of one place before a linear layer, whose axis is taken away, is one without it, as a gather makes it."""
    readers = network.readers()
    for node in network.nodes:
        following = readers[node]
        if node.label != "slice" or len(following) != 1 or following[0].label != RESHAPE or not node.inputs:
            continue
        if [reader.label for reader in readers[following[0]]] != ["linear"]:
            continue
        before, after, source = node.shape or (), following[0].shape, node.inputs[0].shape or ()
        cut = [i for i, (a, b) in enumerate(zip(source, before, strict=False)) if a != b]
        one = len(source) == len(before) and len(cut) == 1 and before[cut[0]] == 1
        if one and after == (*before[: cut[0]], *before[cut[0] + 1 :]):
            node.shape = after


def tidy(network: NodeGraph) -> None:
    """Drop what computes nothing; what is left has labels of :data:`archpredict.graph.operators.OPERATORS` only."""
    gone: dict[Node, Node] = {}
    for node in network.nodes:
        node.inputs = [gone.get(source, source) for source in node.inputs]
        if not node.inputs or node.label not in (RESHAPE, SCALAR, TRANSPOSE):
            continue
        source = node.inputs[0]
        if node.label == SCALAR and node.function in _NOT_LINEAR:
            node.label = "elementwise"
        elif node.label == TRANSPOSE and _moves(node):
            _merge_transpositions(node, source)
            if node.label == RESHAPE:
                gone[node] = node.inputs[0]
        else:
            gone[node] = source
    network.replace(lambda node: gone.get(node, node))
    for node in network.nodes:
        if node.label == TRANSPOSE:
            node.label = "permute"
    network.nodes = [node for node in network.nodes if node not in gone]
    network.drop_dead()


def _moves(node: Node) -> bool:
    """Whether a transposition moves an axis longer than 1 past another."""
    order = node.axes or ()
    if node.shape is None or len(order) != len(node.shape):
        return True
    long = [axis for axis, length in zip(order, node.shape, strict=True) if length != 1]
    return long != sorted(long)


def _merge_transpositions(node: Node, source: Node) -> None:
    """Two transpositions in a row are one, or none."""
    if source.label != TRANSPOSE or source.axes is None or node.axes is None or len(source.axes) != len(node.axes):
        return
    if source.shape is None or node.shape is None or len(source.shape) != len(node.shape):
        return
    node.axes = tuple(source.axes[axis] for axis in node.axes)
    node.inputs = list(source.inputs)
    if not _moves(node):
        node.label = RESHAPE


def after_attention(network: NodeGraph) -> None:
    """The transposition that brings heads back together says nothing: heads are joined in the node's shape."""
    for node in network.nodes:
        if node.label == TRANSPOSE and node.inputs and node.inputs[0].label == "attention":
            order = node.axes or ()
            if order[-3:] == tuple(len(order) + i for i in (-2, -3, -1)):
                node.label = RESHAPE
