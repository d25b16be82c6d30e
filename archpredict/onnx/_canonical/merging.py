"""What belongs to one layer becomes one node: biases, batch norms, the scale and shift of norms, padding."""

from __future__ import annotations

from archpredict.onnx._translate.nodes import RESHAPE, Node, NodeGraph, size

_WEIGHTED = ("conv", "conv_transpose", "linear")
_NORMS = ("layer_norm", "rms_norm", "group_norm", "instance_norm", "l2_norm")


def merge(network: NodeGraph) -> None:
    """All of the above, in place."""
    for step in (_group_norms, _affine, _batch_norms, _padding):
        step(network)
        network.drop_dead()


def _forget(network: NodeGraph, gone: dict[Node, Node]) -> None:
    """Let those who read a forgotten node read what stands for it."""

    def final(node: Node) -> Node:
        while node in gone:
            node = gone[node]
        return node

    if gone:
        network.replace(final)


def _only(readers: dict[Node, list[Node]], node: Node) -> Node | None:
    """The one reader of a node, None where it has several or is an output."""
    found = readers[node]
    return found[0] if len(found) == 1 and found[0] is not node else None


def _group_norms(network: NodeGraph) -> None:
    """A group norm is exported as reshaping, an instance norm, and reshaping back."""
    readers = network.readers()
    gone: dict[Node, Node] = {}
    for node in network.nodes:
        if node.label not in ("instance_norm", "layer_norm") or not node.inputs or node.inputs[0].label != RESHAPE:
            continue
        split, joined = node.inputs[0], _only(readers, node)
        if joined is None or joined.label != RESHAPE or not split.inputs:
            continue
        source = split.inputs[0]
        if node.rank == 3 and source.rank > 2 and source.shape == joined.shape and node.shape != source.shape:
            joined.label, joined.inputs, joined.groups = "group_norm", [source], (node.shape or (0, 0))[1]
            network.count("group_norm of several operators")
    _forget(network, gone)


def _affine(network: NodeGraph) -> None:
    """Scale and shift after a norm, the bias after a product with a matrix, a batch norm written as scale and shift."""
    readers = network.readers()
    gone: dict[Node, Node] = {}
    scaled: set[Node] = set()
    for node in network.nodes:
        if node.label not in ("add", "mul") or len(node.inputs) != 1 or not node.constants:
            continue
        layer = node.inputs[0]
        while layer in gone:
            layer = gone[layer]
        if _only(readers, node.inputs[0]) is not node:
            continue
        if node.label == "add" and layer.label == "add":
            layer = _summand(node, layer, readers)
        numbers = size(node.weight)
        after_scale = node.label == "add" and layer in scaled
        if _aligned(node, layer) and (after_scale or _joins(node, layer, numbers, readers)):
            layer.constants = [*layer.constants, *node.constants]
            if node.label == "add":
                layer.bias = True
            elif layer.label in _NORMS:
                layer.weight = (numbers,)
            else:
                scaled.add(layer)
            gone[node] = node.inputs[0]
            network.count(f"{'bias' if node.label == 'add' else 'scale'} into {layer.label}")
    _forget(network, gone)


def _summand(shift: Node, total: Node, readers: dict[Node, list[Node]]) -> Node:
    """The layer without a bias in a sum of two tensors that is shifted, as optimisers write its bias; else the sum."""
    for layer in total.inputs if len(total.inputs) > 1 else ():
        if (
            layer.label in _WEIGHTED
            and _only(readers, layer) is total
            and _joins(shift, layer, size(shift.weight), readers)
        ):
            return layer
    return total


def _aligned(node: Node, layer: Node) -> bool:
    """Whether the numbers of a scale or shift go along the channels of a layer, not along another axis as long."""
    rank = layer.rank
    if not rank:
        return True
    channels = {rank - 1, rank - 2} if layer.label == "linear" else {1}
    if layer.label in ("layer_norm", "rms_norm"):
        channels = {axis % rank for axis in layer.axes or (-1,)}
    return {i + rank - len(node.weight) for i, length in enumerate(node.weight) if length != 1} <= channels


def _joins(node: Node, layer: Node, numbers: int, readers: dict[Node, list[Node]]) -> bool:
    if layer.label in _NORMS:
        if layer.label == "l2_norm" or numbers != _channels(layer):
            return False
        return bool(layer.weight) and not layer.bias if node.label == "add" else not layer.weight
    if layer.label not in (*_WEIGHTED, "batch_norm") or layer.weight[:1] != (numbers,):
        return False
    if node.label == "add":
        return not layer.bias
    shift = _only(readers, node)
    return shift is not None and shift.label == "add" and len(shift.inputs) == 1 and size(shift.weight) == numbers


def _channels(layer: Node) -> int:
    """Numbers of a norm's scale."""
    shape = layer.shape or (0, 0)
    if layer.label in ("group_norm", "instance_norm"):
        return shape[1] if len(shape) > 1 else 0
    return size([shape[a] for a in layer.axes or (-1,) if -len(shape) <= a < len(shape)])


def _batch_norms(network: NodeGraph) -> None:
    """A batch norm right after a layer with weights, which nobody else reads, is a bias of that layer."""
    readers = network.readers()
    gone: dict[Node, Node] = {}
    for node in network.nodes:
        if node.label != "batch_norm" or not node.inputs:
            continue
        layer = node.inputs[0]
        while layer.label == RESHAPE and layer.inputs and _only(readers, layer) is not None:
            layer = layer.inputs[0]
        alone = layer is node.inputs[0] or _only(readers, layer) is not None
        if layer.label in _WEIGHTED and layer.weight[:1] == node.weight[:1] and alone:
            if layer is node.inputs[0] and _only(readers, layer) is not node:
                continue
            layer.bias = True
            layer.constants = [*layer.constants, *node.constants]
            gone[node] = node.inputs[0]
            network.count(f"batch_norm into {layer.label}")
    _forget(network, gone)


def _padding(network: NodeGraph) -> None:
    """Zeros around a convolution's input are its padding."""
    for node in network.nodes:
        if node.label != "conv" or not node.inputs or node.inputs[0].label != "pad":
            continue
        pad = node.inputs[0]
        if pad.axes is None or any((*pad.axes[:2], *pad.axes[len(pad.axes) // 2 :][:2])) or min(pad.axes) < 0:
            continue
        node.padding = tuple(a + b for a, b in zip(node.padding, pad.padding, strict=True))
        node.inputs = [pad.inputs[0], *node.inputs[1:]]
        network.count("padding into conv")
