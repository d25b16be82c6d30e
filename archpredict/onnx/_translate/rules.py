"""ONNX's operators as nodes: which rule is for which operator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from archpredict.onnx._tensors.steps import Step, Trace
from archpredict.onnx._trace.aliases import COPIES
from archpredict.onnx._translate import elementwise, layers, spatial
from archpredict.onnx._translate.nodes import SCALAR, Node, NodeGraph
from archpredict.onnx._translate.translation import Rule, Translation, labelled, one_input, shape_of
from archpredict.onnx._written_out.expansion import LEARNING

_STANDARD = ("", "ai.onnx")
GONE = "left out: the same numbers"
"""What becomes of operators that compute nothing."""

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
    *("BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "IsNaN", "IsInf", "Mod", "Mean"),
    *("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"),
    *("Floor", "Ceil", "Round", "Sign", "Softsign", "ThresholdedRelu", "Shrink", "Trilu", "Bernoulli", "AffineGrid"),
)
_OF_LENGTHS = ("ConstantOfShape", "Range", "MelWeightMatrix", "HannWindow", "HammingWindow", "BlackmanWindow")
_PLACED = (
    *("GatherND", "GatherElements", "Scatter", "ScatterND", "ScatterElements", "TensorScatter", "TopK", "NonZero"),
    *("Unique", "Compress", "NonMaxSuppression", "ReverseSequence", "GridSample", "RoiAlign", "MaxRoiPool"),
    *("MaxUnpool", "Col2Im"),
)
"""Operators that take numbers from places, or put them there, that data or tables say."""
_SUMMED = ("ArgMax", "ArgMin", "Hardmax", "CumSum", "CumProd", "Det", "DFT", "STFT", "Multinomial")
"""Operators that make one number of several, or each number of all along an axis."""


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
    _, rule = _RULES.get(("" if step.domain in _STANDARD else step.domain, step.op), ("", _unknown))
    return rule


def _unknown(self: Translation, step: Step) -> Node:
    name = step.op if step.domain in _STANDARD else f"{step.domain}.{step.op}"
    return self.plain(step, f"unknown:{name}"[:80])


def _same(self: Translation, step: Step) -> Node:
    return Node(SCALAR, self.data(step)[:1], shape_of(step)) if self.data(step) else self.plain(step, "parameter")


def _all(names: Iterable[str], label: str, rule: Callable[[str], Rule] = labelled) -> dict[str, tuple[str, Rule]]:
    """The same label and rule for several operators."""
    return dict.fromkeys(names, (label, rule(label)))


_OF_ONNX: Mapping[str, tuple[str, Rule]] = {
    **{name: (elementwise.label_of(function), elementwise.unary(function)) for name, function in _UNARY.items()},
    **{name: (elementwise.label_of(function), elementwise.binary(function)) for name, function in _BINARY.items()},
    **{
        name: (elementwise.label_of_reduction(function), elementwise.reduction(function))
        for name, function in _REDUCTIONS.items()
    },
    **_all(_ELEMENTWISE, "elementwise"),
    **dict.fromkeys(_OF_LENGTHS, ("computed, or elementwise where data decide its length", labelled("elementwise"))),
    **_all(_PLACED, "gather"),
    **_all(("OneHot",), "gather", one_input),
    **_all(_SUMMED, "reduce", one_input),
    "LeakyRelu": ("leaky_relu", elementwise.with_numbers("leaky_relu", ("alpha", 0.01))),
    "Elu": ("elu", elementwise.with_numbers("elu", ("alpha", 1.0))),
    "HardSigmoid": ("hard_sigmoid", elementwise.with_numbers("hard_sigmoid", ("alpha", 0.2), ("beta", 0.5))),
    "Selu": ("selu", elementwise.only("selu", ("alpha", 1.67326), ("gamma", 1.0507))),
    "Swish": ("silu", elementwise.swish(1.0)),
    **_all(("Celu",), "celu"),
    **_all(("PRelu",), "prelu"),
    "Clip": ("clip", elementwise.clip),
    "Softmax": ("softmax", elementwise.softmax),
    "LogSoftmax": ("softmax and elementwise", elementwise.log_softmax),
    **_all(("Conv",), "conv", layers.convolution),
    "DeformConv": ("conv", layers.deformable),
    **_all(("ConvTranspose",), "conv_transpose", layers.convolution),
    "Gemm": ("linear or matmul", layers.gemm),
    "MatMul": ("linear or matmul", layers.matmul),
    "Einsum": ("linear or matmul", layers.einsum),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), ("recurrent", layers.recurrent)),
    "LinearAttention": ("attention", layers.linear_attention),
    "Gather": ("embedding, slice or gather", layers.gather),
    **_all(("BatchNormalization",), "batch_norm", layers.norm),
    **_all(("InstanceNormalization",), "instance_norm", layers.norm),
    **_all(("GroupNormalization",), "group_norm", layers.norm),
    **_all(("LayerNormalization",), "layer_norm", layers.norm),
    **_all(("RMSNormalization",), "rms_norm", layers.norm),
    **_all(("LpNormalization",), "l2_norm", one_input),
    **_all(("LRN",), "local_response_norm", one_input),
    **_all(("MaxPool",), "max_pool", spatial.pool),
    **_all(("AveragePool",), "avg_pool", spatial.pool),
    **_all(("GlobalAveragePool",), "global_avg_pool", one_input),
    **_all(("GlobalMaxPool",), "global_max_pool", one_input),
    **_all(("Resize",), "resize", one_input),
    **_all(("DepthToSpace", "SpaceToDepth"), "pixel_shuffle", one_input),
    "Slice": ("slice", spatial.cut),
    "Split": ("slice", spatial.split),
    "Pad": ("pad", spatial.padding),
    "Transpose": ("permute", spatial.transpose),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), (GONE, spatial.reshape)),
    "Expand": (GONE, spatial.expand),
    "Tile": ("concat", spatial.tile),
    "Concat": ("concat", spatial.concat),
    **dict.fromkeys(COPIES, (GONE, _same)),
    "If": ("opaque", labelled("opaque")),
}
_OF_LEARNING: Mapping[str, tuple[str, Rule]] = {
    **_all(("CastMap", "DictVectorizer"), "gather", one_input),
}
_RULES: Mapping[tuple[str, str], tuple[str, Rule]] = {
    **{("", name): pair for name, pair in _OF_ONNX.items()},
    **{(LEARNING, name): pair for name, pair in _OF_LEARNING.items()},
}
"""By domain and name: the label, or what else the operator becomes, and the rule."""
LABELS: Mapping[tuple[str, str], str] = {operator: label for operator, (label, _) in _RULES.items()}
"""By domain and name: the label of the nodes that an operator becomes, or a few words where there is not one."""
