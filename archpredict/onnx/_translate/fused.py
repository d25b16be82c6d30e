"""Rules for attention as one operator, and for ONNX Runtime's operators that do the work of several of ONNX's."""

from __future__ import annotations

from math import prod

from archpredict.onnx._trace.steps import Step, Tensor
from archpredict.onnx._translate.layers import convolution, gemm, norm
from archpredict.onnx._translate.nodes import Node, Shape
from archpredict.onnx._translate.translation import Rule, Translation, dims, given, shape_of, text

_ACTIVATIONS = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "LeakyRelu": "leaky_relu",
    "HardSigmoid": "hard_sigmoid",
    "Clip": "clip",
    "HardSwish": "hard_swish",
    "Gelu": "gelu",
}


def attention(self: Translation, step: Step) -> Node:
    """ONNX's own operator, and ``MultiHeadAttention``: queries, keys and values, with heads cut out or not."""
    heads = int(step.attributes.get("q_num_heads", step.attributes.get("num_heads", 0)))
    node = self.plain(step, "attention", groups=heads)
    shapes = [n.shape for n in node.inputs[:3]]
    if len(shapes) == 3:
        node.macs = _macs(*shapes)
        query = shapes[0]
        node.groups = heads or (query[1] if query is not None and len(query) == 4 else 1)
    return node


def _macs(query: Shape, key: Shape, value: Shape) -> float:
    if any(shape is None or len(shape) < 3 for shape in (query, key, value)):
        return 0.0
    q, k, v = (shape or () for shape in (query, key, value))
    return float(max(0, prod(q) * k[-2] + prod(q[:-1]) * k[-2] * v[-1]))


def packed_attention(self: Translation, step: Step) -> Node:
    """ONNX Runtime's ``Attention``: the linear layer to queries, keys and values, and attention."""
    source, weight = given(step, 0), dims(given(step, 1))
    if source is None or len(weight) != 2 or len(dims(source)) != 3:
        return self.plain(step, "unknown:com.microsoft.Attention")
    rows, width = dims(source)[:2], weight[1]
    constants = [t for t in step.inputs[1:3] if t is not None and t.constant]
    bias = given(step, 2) is not None
    linear = Node("linear", [self.node(source)], (*rows, width), weight=weight[::-1], bias=bias, constants=constants)
    self.add(linear)
    part = (*rows, width // 3)
    slices = [self.add(Node("slice", [linear], part, start=(-1,))) for _ in range(3)]
    heads = int(step.attributes.get("num_heads", 1))
    return Node("attention", slices, part, groups=heads, macs=_macs(part, part, part))


def biased(function: str) -> Rule:
    """A function of single elements after a bias."""

    def rule(self: Translation, step: Step) -> Node:
        return Node(function, [_shifted(self, step, given(step, 1))], shape_of(step), function=function)

    return rule


def _shifted(self: Translation, step: Step, bias: Tensor | None) -> Node:
    source = self.data(step)[0]
    if bias is None or not bias.constant:
        return source
    return self.add(Node("add", [source], source.shape, weight=dims(bias), constants=[bias], function=""))


def skipped_norm(label: str) -> Rule:
    """A norm of the sum of two tensors, which may be an output as well."""

    def rule(self: Translation, step: Step) -> Node:
        together = self.add(Node("add", self.data(step)[:2], shape_of(step), function="add"))
        bias = given(step, 4 if label == "layer_norm" else 3)
        if bias is not None and bias.constant:
            together = self.add(Node("add", [together], together.shape, weight=dims(bias), constants=[bias]))
        self.add(together, *step.outputs[3:4])
        scale, shift = given(step, 2), given(step, 3) if label == "layer_norm" else None
        constants = [t for t in (scale, shift) if t is not None]
        return Node(
            label,
            [together],
            shape_of(step),
            weight=dims(scale),
            bias=shift is not None,
            axes=(-1,),
            constants=constants,
        )

    return rule


def then_activation(plain: Rule) -> Rule:
    """A layer, perhaps the sum of it and another tensor, and an activation."""

    def rule(self: Translation, step: Step) -> Node:
        other = given(step, 3)
        layer = plain(self, Step(step.op, step.domain, step.attributes, step.inputs[:3], step.outputs))
        if other is not None and not other.constant:
            layer = Node("add", [self.add(layer), self.node(other)], layer.shape, function="add")
        name = text(step, "activation")
        return Node(_ACTIVATIONS.get(name, "elementwise"), [self.add(layer)], layer.shape) if name else layer

    return rule


def group_norm(self: Translation, step: Step) -> Node:
    """ONNX Runtime's ``GroupNorm``, after which there may be a SiLU."""
    node = norm("group_norm")(self, step)
    return Node("silu", [self.add(node)], node.shape, function="silu") if step.attributes.get("activation", 0) else node


fused_convolution = then_activation(convolution("conv"))
fused_gemm = then_activation(gemm)
