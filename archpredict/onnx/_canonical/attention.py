"""Scaled dot-product attention, which exporters spread over two products, a softmax and what is between them."""

from __future__ import annotations

from math import prod

from archpredict.onnx._tensors.steps import Tensor
from archpredict.onnx._translate.nodes import RESHAPE, SCALAR, TRANSPOSE, Node, NodeGraph, behind

_LAYOUT = (RESHAPE, TRANSPOSE, SCALAR)
_BETWEEN = (RESHAPE, SCALAR, "add", "mul", "elementwise")
"""What may be between products and softmax: scales, masks, tables of relative positions, checks for NaN."""
_DEEPEST = 8


def find_attention(network: NodeGraph) -> None:
    """Make one node of each softmax of a product of activations that weighs other activations."""
    products: dict[Node, Node] = {}
    for node in network.nodes:
        if node.label == "matmul" and len(node.inputs) == 2:
            product = _try(network, node)
            if product is not None:
                products.setdefault(product, node)
    for node in network.nodes:
        if node.label == "attention":
            _normalise(node)
    network.drop_dead()
    alive = set(network.nodes)
    for product, node in products.items():
        if product not in alive:  # scores that somebody else reads as well count by themselves
            node.macs = (node.macs or 0.0) + (product.macs or 0.0)


def _try(network: NodeGraph, node: Node) -> Node | None:
    """Make attention of a product with a softmax; the product under the softmax, None where it is none."""
    softmax = _up(node.inputs[0], "softmax", ())
    if softmax is None or not softmax.inputs:
        return None
    extra: list[Node] = []
    product = _up(softmax.inputs[0], "matmul", extra)
    if product is None or len(product.inputs) != 2 or product.macs is None or node.macs is None:
        return None
    query, key, value = product.inputs[0], product.inputs[1], node.inputs[1]
    node.label = "attention"
    node.groups = query.shape[1] if query.shape and query.rank == 4 else 1
    masks = dict.fromkeys(root for source in extra for root in _read_by(source))
    node.inputs = [query, key, value, *masks]
    node.constants = _constants_between(softmax.inputs[0], product)
    network.count("attention of several operators")
    return product


def _up(node: Node, label: str, extra: list[Node] | tuple[()]) -> Node | None:
    """The node of this label that is found through what may be between; other inputs on the way go to ``extra``."""
    for _ in range(_DEEPEST):
        if node.label == label:
            return node
        if node.label not in _BETWEEN or not node.inputs:
            return None
        if len(node.inputs) == 1:
            node = node.inputs[0]
            continue
        onward = [source for source in node.inputs if _leads(source, label)]
        if not onward:
            return None
        if isinstance(extra, list):
            extra += [source for source in node.inputs if source is not onward[0]]
        node = onward[0]
    return None


def _leads(node: Node, label: str) -> bool:
    for _ in range(_DEEPEST):
        if node.label == label:
            return True
        if node.label not in _BETWEEN or len(node.inputs) != 1:
            return False
        node = node.inputs[0]
    return False


_OF_MASKS = (
    *_BETWEEN,
    TRANSPOSE,
    "sub",
    "div",
    "slice",
    "gather",
    "concat",
    "reduce",
    "reduce_sum",
    "reduce_max",
    "clip",
)
"""What makes a mask of what a model is told of its inputs, which is no part of the network."""
_LARGEST_MASK = 40


def _read_by(mask: Node) -> list[Node]:
    """What a mask is made of: inputs of the model, if nothing else goes into it; else the mask itself."""
    found: dict[Node, None] = {}
    stack = [mask]
    while stack:
        node = stack.pop()
        if node in found:
            continue
        found[node] = None
        plain = node.label in _OF_MASKS and not any(behind(constant) for constant in node.constants)
        if (node.label != "input" and not (plain and node.inputs)) or len(found) > _LARGEST_MASK:
            return [mask]
        stack += node.inputs
    return [node for node in found if node.label == "input"]


def _constants_between(node: Node, end: Node) -> list[Tensor]:
    found: list[Tensor] = []
    for _ in range(_DEEPEST):
        if node is end or not node.inputs:
            break
        found += node.constants
        node = next((s for s in node.inputs if s is end or _leads(s, end.label)), node.inputs[0])
    return found


def _normalise(node: Node) -> None:
    """Heads are joined in the output's shape, and how they were cut out of the inputs is no matter."""
    node.shape = _joined(node.shape)
    node.inputs = [_before_heads(source) for source in node.inputs[:3]] + node.inputs[3:]


def _joined(shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """``(..., heads, tokens, channels)`` as ``(..., tokens, heads * channels)``."""
    if shape is None or len(shape) < 4 or min(shape) < 0:
        return shape
    return (*shape[:-3], shape[-2], shape[-3] * shape[-1])


def _before_heads(source: Node) -> Node:
    source = _above(source)
    if source.label == "slice" and source.inputs:
        source.start = (-1,)  # exporters number the parts of a shared layer on different axes
        before = _above(source.inputs[0])
        if before is not source.inputs[0]:
            source.inputs = [before]
            source.shape = _share(source, before)
    return source


def _share(part: Node, whole: Node) -> tuple[int, ...] | None:
    """The shape of a part of what is ``whole`` before it was cut into heads: its last axis is shorter."""
    if part.shape is None or whole.shape is None or min(*part.shape, *whole.shape, 0) < 0 or not prod(whole.shape):
        return part.shape
    parts = max(1, round(prod(whole.shape) / max(1, prod(part.shape))))
    return (*whole.shape[:-1], whole.shape[-1] // parts)


def _above(node: Node) -> Node:
    while node.label in _LAYOUT and node.inputs:
        node = node.inputs[0]
    return node
