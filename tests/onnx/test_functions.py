"""Functions that are spread over many operators are recognised by what they compute; what only looks alike is not."""

from __future__ import annotations

import math

import pytest

IMAGE = (1, 4, 6, 6)
TOKENS = (1, 5, 8)


def _inner(graph) -> list[str]:
    return [op for op in graph.ops if op not in ("input", "output")]


ONE_OPERATOR = {
    "GELU, x / sqrt(2)": (
        "gelu",
        lambda w, x: w("Mul", w("Mul", x, w("Add", w("Erf", w("Div", x, math.sqrt(2))), 1.0)), 0.5),
    ),
    "GELU, half first": (
        "gelu",
        lambda w, x: w("Mul", w("Mul", 0.5, x), w("Add", 1.0, w("Erf", w("Mul", x, math.sqrt(0.5))))),
    ),
    "GELU by tanh": (
        "gelu",
        lambda w, x: w(
            "Mul",
            w("Mul", x, 0.5),
            w(
                "Add",
                w("Tanh", w("Mul", w("Add", x, w("Mul", w("Pow", x, 3.0), 0.044715)), math.sqrt(2 / math.pi))),
                1.0,
            ),
        ),
    ),
    "GELU by tanh, cube as products": (
        "gelu",
        lambda w, x: w(
            "Mul",
            w("Mul", 0.5, x),
            w(
                "Add",
                1.0,
                w(
                    "Tanh",
                    w("Mul", math.sqrt(2 / math.pi), w("Add", x, w("Mul", 0.044715, w("Mul", x, w("Mul", x, x))))),
                ),
            ),
        ),
    ),
    "quick GELU": ("quick_gelu", lambda w, x: w("Mul", x, w("Sigmoid", w("Mul", x, 1.702)))),
    "SiLU": ("silu", lambda w, x: w("Mul", w("Sigmoid", x), x)),
    "SiLU as a quotient": ("silu", lambda w, x: w("Div", x, w("Add", w("Exp", w("Neg", x)), 1.0))),
    "hard swish by clip": (
        "hard_swish",
        lambda w, x: w("Div", w("Mul", x, w("Clip", w("Add", x, 3.0), 0.0, 6.0)), 6.0),
    ),
    "hard swish by hard sigmoid": ("hard_swish", lambda w, x: w("Mul", x, w("HardSigmoid", x, alpha=1 / 6, beta=0.5))),
    "hard sigmoid by clip": ("hard_sigmoid", lambda w, x: w("Mul", w("Clip", w("Add", x, 3.0), 0.0, 6.0), 1 / 6)),
    "Mish": ("mish", lambda w, x: w("Mul", x, w("Tanh", w("Softplus", x)))),
    "Mish by exp and log": (
        "mish",
        lambda w, x: w("Mul", x, w("Tanh", w("Log", w("Add", w("Exp", x), 1.0)))),
    ),
    "ReLU by max": ("relu", lambda w, x: w("Max", x, 0.0)),
    "ReLU by clip": ("relu", lambda w, x: w("Clip", x, 0.0)),
    "ReLU6": ("relu6", lambda w, x: w("Clip", x, 0.0, 6.0)),
    "leaky ReLU by max": ("leaky_relu", lambda w, x: w("Max", x, w("Mul", x, 0.2))),
    "softplus": ("softplus", lambda w, x: w("Log", w("Add", 1.0, w("Exp", x)))),
    "sigmoid": ("sigmoid", lambda w, x: w("Reciprocal", w("Add", w("Exp", w("Neg", x)), 1.0))),
    "tanh by sigmoid": ("tanh", lambda w, x: w("Sub", w("Mul", 2.0, w("Sigmoid", w("Mul", 2.0, x))), 1.0)),
}


@pytest.mark.parametrize(("label", "spelling"), ONE_OPERATOR.values(), ids=ONE_OPERATOR)
def test_a_function_of_single_elements_is_one_node_however_it_is_written(writer, label: str, spelling) -> None:
    w = writer(x=IMAGE)
    assert _inner(w.graph(spelling(w, "x"))) == [label]


def _centred(w, x, axes):
    return w("Sub", x, w("ReduceMean", x, axes=axes))


def _deviation(w, x, axes):
    return w("Sqrt", w("Add", w("ReduceMean", w("Pow", _centred(w, x, axes), 2.0), axes=axes), 1e-5))


def _norm(w, x, axes):
    return w("Div", _centred(w, x, axes), _deviation(w, x, axes))


def _unbiased_norm(w, x, length: int):
    centred = _centred(w, x, [-1])
    variance = w("Mul", w("ReduceMean", w("Mul", centred, centred), axes=[-1]), length / (length - 1))
    return w("Div", centred, w("Add", w("Sqrt", variance), 1e-6))


def _rms(w, x):
    return w("Mul", x, w("Reciprocal", w("Sqrt", w("Add", w("ReduceMean", w("Mul", x, x), axes=[-1]), 1e-6))))


def _softmax(w, x):
    e = w("Exp", w("Sub", x, w("ReduceMax", x, axes=[-1])))
    return w("Div", e, w("ReduceSum", e, [-1]))


def _l2(w, x, length):
    """As ``torch.nn.functional.normalize``: clamped, and repeated along the axis."""
    return w("Div", x, w("Expand", w("Clip", length, 1e-12), [1, 5, 8]))


OVER_AN_AXIS = {
    "layer norm": ("layer_norm", lambda w, x: _norm(w, x, [-1])),
    "layer norm, deviation with n - 1": ("layer_norm", lambda w, x: _unbiased_norm(w, x, 8)),
    "RMS norm": ("rms_norm", lambda w, x: _rms(w, x)),
    "by the deviation, mean left in": ("rms_norm", lambda w, x: w("Div", x, _deviation(w, x, [-1]))),
    "softmax": ("softmax", _softmax),
    "L2 norm": ("l2_norm", lambda w, x: w("Div", x, w("ReduceL2", x, axes=[-1]))),
    "L2 norm, clamped": ("l2_norm", lambda w, x: _l2(w, x, w("ReduceL2", x, axes=[-1]))),
    "L2 norm by squares": ("l2_norm", lambda w, x: _l2(w, x, w("Sqrt", w("ReduceSum", w("Mul", x, x), [-1])))),
}


@pytest.mark.parametrize(("label", "spelling"), OVER_AN_AXIS.values(), ids=OVER_AN_AXIS)
def test_a_norm_or_softmax_is_one_node_however_it_is_written(writer, label: str, spelling) -> None:
    w = writer(x=TOKENS)
    assert _inner(w.graph(spelling(w, "x"))) == [label]


def test_the_axes_tell_which_norm_it_is(writer) -> None:
    for axes, label in (([2, 3], "instance_norm"), ([1, 2, 3], "group_norm"), ([1], "layer_norm"), ([3], "layer_norm")):
        w = writer(x=IMAGE)
        assert _inner(w.graph(_norm(w, "x", axes))) == [label]


def test_scale_and_shift_belong_to_the_norm_and_count_once_each(writer) -> None:
    w = writer(x=TOKENS)
    graph = w.graph(w("Add", w("Mul", _norm(w, "x", [-1]), w.weight(8)), w.weight(8)))
    assert graph.ops == ("input", "layer_norm", "output")
    assert graph.attrs["params"][1].tolist() == [16]
    assert graph.attrs["bias"][1].tolist() == [1]

    whole = writer(x=TOKENS)
    scale, shift = whole.weight(8), whole.weight(8)
    assert whole.graph(whole("LayerNormalization", "x", scale, shift, axis=-1)).key == graph.key
    assert whole.graph(whole("LayerNormalization", "x", scale, shift, axis=2)).key == graph.key


def test_a_scale_along_another_axis_stays_a_product(writer) -> None:
    w = writer(x=(1, 8, 8))
    graph = w.graph(w("Mul", _norm(w, "x", [-1]), w.weight(8, 1)))
    assert _inner(graph) == ["layer_norm", "mul"]


ALIKE = {
    "x times the sigmoid of something else": lambda w: w("Mul", "x", w("Sigmoid", "z")),
    "GELU with a wrong constant": lambda w: w("Mul", w("Mul", "x", w("Add", w("Erf", w("Div", "x", 1.6)), 1.0)), 0.5),
    "the mean over one axis, the deviation over another": lambda w: w(
        "Div", _centred(w, "x", [-1]), _deviation(w, "x", [1])
    ),
    "softmax that divides by the mean": lambda w: w("Div", w("Exp", "x"), w("ReduceMean", w("Exp", "x"), axes=[-1])),
    "softmax over one axis after another": lambda w: w(
        "Div", w("Exp", w("Sub", "x", w("ReduceMax", "x", axes=[1]))), w("ReduceSum", w("Exp", "x"), [-1])
    ),
    "softmax of one, sum of another": lambda w: w("Div", w("Exp", "x"), w("ReduceSum", w("Exp", "z"), [-1])),
    "SiLU with a factor": lambda w: w("Mul", "x", w("Sigmoid", w("Mul", "x", 1.2))),
    "the square of a sigmoid": lambda w: w("Mul", w("Sigmoid", "x"), w("Sigmoid", "x")),
}
_NAMED = {
    "gelu",
    "silu",
    "quick_gelu",
    "layer_norm",
    "rms_norm",
    "group_norm",
    "softmax",
    "l2_norm",
    "hard_swish",
    "mish",
}


@pytest.mark.parametrize("spelling", ALIKE.values(), ids=ALIKE)
def test_what_looks_alike_but_computes_something_else_is_left_alone(writer, spelling) -> None:
    w = writer(x=TOKENS, z=TOKENS)
    graph = w.graph(spelling(w))
    assert not _NAMED & set(graph.ops)
    assert len(_inner(graph)) > 1


def test_an_epsilon_is_no_function(writer) -> None:
    for op, bound in (("Add", 1e-5), ("Max", 1e-12), ("Clip", 1e-12)):
        w = writer(x=IMAGE)
        assert _inner(w.graph(w(op, "x", bound))) == []


def test_what_others_read_as_well_stays(writer) -> None:
    """The sigmoid within a SiLU is an output too."""
    w = writer(x=IMAGE)
    gate = w("Sigmoid", "x")
    graph = w.graph(w("Mul", "x", gate), gate)
    assert sorted(_inner(graph)) == ["sigmoid", "silu"]


def test_gates_of_a_pooled_copy_are_products(writer) -> None:
    """Squeeze and excitation: the gate is a function of other elements."""
    w = writer(x=IMAGE)
    gate = w("Sigmoid", w("GlobalAveragePool", "x"))
    assert _inner(w.graph(w("Mul", "x", gate))) == ["global_avg_pool", "sigmoid", "mul"]
