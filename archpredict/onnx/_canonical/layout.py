"""How tensors lie in memory: reshapes disappear, transpositions stay only where they change the order of elements."""

from __future__ import annotations

from archpredict.graph.operators import ACTIVATIONS
from archpredict.onnx._translate.nodes import RESHAPE, SCALAR, TRANSPOSE, Node, NodeGraph, size

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
