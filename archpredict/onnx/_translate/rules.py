"""ONNX's operators as nodes: which rule is for which operator."""

from __future__ import annotations

from collections.abc import Mapping

from archpredict.onnx._trace.steps import Step, Trace
from archpredict.onnx._translate import elementwise, layers, spatial
from archpredict.onnx._translate.nodes import SCALAR, Node, NodeGraph
from archpredict.onnx._translate.translation import Rule, Translation, labelled, one_input, shape_of

_STANDARD = ("", "ai.onnx")

_UNARY = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Mish": "mish",
    "HardSwish": "hard_swish",
    "Gelu": "gelu",
    "Erf": "erf",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Abs": "abs",
    "Neg": "neg",
    "Reciprocal": "reciprocal",
}
_BINARY = {
    "Add": "add",
    "Sum": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "Pow": "pow",
    "Min": "minimum",
    "Max": "maximum",
}
_REDUCTIONS = {
    "ReduceMean": "mean",
    "ReduceSum": "sum",
    "ReduceMax": "max",
    "ReduceL2": "l2",
    "ReduceSumSquare": "sum_square",
    **{name: name for name in ("ReduceMin", "ReduceProd", "ReduceL1", "ReduceLogSum", "ReduceLogSumExp")},
}
_ELEMENTWISE = (
    *("Where", "Not", "And", "Or", "Xor", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"),
    *("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Floor", "Ceil", "Round", "Sign", "Mod", "Mean"),
    *("Softsign", "ThresholdedRelu", "Trilu", "BitShift", "Shrink", "IsNaN", "IsInf"),
)


def nodes_of(trace: Trace) -> NodeGraph:
    """The trace's operators as nodes, one each, but for those that do the work of several."""
    made = Translation()
    for tensor in trace.inputs:
        made.add(Node("input", [], tensor.shape), tensor)
    for step in trace.steps:
        before = len(made.nodes)
        made.add(_rule(step)(made, step), *step.outputs)
        if step.times != 1:
            for node in made.nodes[before:]:
                node.times = step.times
    outputs = [made.node(tensor) for tensor in trace.outputs]
    return NodeGraph(list(dict.fromkeys(made.nodes)), outputs)


def _rule(step: Step) -> Rule:
    return _RULES.get(step.op, _unknown) if step.domain in _STANDARD else _unknown


def _unknown(self: Translation, step: Step) -> Node:
    name = step.op if step.domain in _STANDARD else f"{step.domain}.{step.op}"
    return self.plain(step, f"unknown:{name}"[:80])


def _same(self: Translation, step: Step) -> Node:
    return Node(SCALAR, self.data(step)[:1], shape_of(step)) if self.data(step) else self.plain(step, "parameter")


def _if_attribute(name: str, value: int, rule: Rule) -> Rule:
    """The rule, where an attribute has this value, its default; what the operator is else is not known."""

    def chosen(self: Translation, step: Step) -> Node:
        return (rule if step.attributes.get(name, value) == value else _unknown)(self, step)

    return chosen


_RULES: Mapping[str, Rule] = {
    **{name: elementwise.unary(function) for name, function in _UNARY.items()},
    **{name: elementwise.binary(function) for name, function in _BINARY.items()},
    **{name: elementwise.reduction(function) for name, function in _REDUCTIONS.items()},
    **dict.fromkeys(_ELEMENTWISE, labelled("elementwise")),
    "LeakyRelu": elementwise.with_numbers("leaky_relu", ("alpha", 0.01)),
    "Elu": elementwise.with_numbers("elu", ("alpha", 1.0)),
    "HardSigmoid": elementwise.with_numbers("hard_sigmoid", ("alpha", 0.2), ("beta", 0.5)),
    "Selu": elementwise.only("selu", ("alpha", 1.67326), ("gamma", 1.0507)),
    "Swish": elementwise.swish(1.0),
    "Celu": labelled("celu"),
    "PRelu": labelled("prelu"),
    "Clip": elementwise.clip,
    "Softmax": elementwise.softmax,
    "LogSoftmax": elementwise.log_softmax,
    "Conv": layers.convolution("conv"),
    "ConvTranspose": layers.convolution("conv_transpose"),
    "Gemm": layers.gemm,
    "MatMul": layers.matmul,
    "Einsum": layers.einsum,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), layers.recurrent),
    "Gather": layers.gather,
    "BatchNormalization": layers.norm("batch_norm"),
    "InstanceNormalization": layers.norm("instance_norm"),
    "GroupNormalization": layers.norm("group_norm"),
    "LayerNormalization": layers.norm("layer_norm"),
    "RMSNormalization": layers.norm("rms_norm"),
    "LpNormalization": _if_attribute("p", 2, one_input("l2_norm")),
    "LRN": one_input("local_response_norm"),
    "MaxPool": spatial.pool("max_pool"),
    "AveragePool": spatial.pool("avg_pool"),
    "GlobalAveragePool": one_input("global_avg_pool"),
    "GlobalMaxPool": one_input("global_max_pool"),
    **dict.fromkeys(("Resize", "Upsample"), one_input("resize")),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), one_input("pixel_shuffle")),
    "Slice": spatial.cut,
    **dict.fromkeys(("Split", "SplitToSequence"), spatial.split),
    **dict.fromkeys(("GatherND", "GatherElements", "ScatterND", "ScatterElements"), labelled("gather")),
    **dict.fromkeys(("TopK", "NonZero"), labelled("gather")),
    "Pad": spatial.padding,
    "Transpose": spatial.transpose,
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), spatial.reshape),
    "Expand": spatial.expand,
    "Tile": spatial.tile,
    "Concat": spatial.concat,
    **dict.fromkeys(("ArgMax", "ArgMin"), one_input("reduce")),
    **dict.fromkeys(("Cast", "CastLike", "Identity", "Dropout"), _same),
    "If": labelled("opaque"),
}
