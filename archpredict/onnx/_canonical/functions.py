"""Functions that an exporter has spread over many nodes, recognised by what they compute.

GELU alone is written in a dozen ways. So a pattern is not looked up but tried out: nodes that compute with single
elements, and with means, sums and maxima over one set of axes, are evaluated on sample vectors as a function of each
value that they depend on; what then agrees with a known function is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import erf, expit

from archpredict.onnx._translate.nodes import SAME, Node, NodeGraph

Samples = npt.NDArray[np.float64]

_SOURCES = 8
"""Values further up than so many are not tried: no known function is spread over more nodes."""
_TOLERANCE = 2e-3
"""Absolute; more than epsilons in norms and the usual approximations of GELU are off, and less than any two of the
functions below differ."""

_grid = np.linspace(-6.3, 6.1, 48)
_SAMPLE: Samples = np.stack([_grid, _grid[::-1] ** 3 / 40 + 0.7, 4 * np.sin(3.7 * _grid) - 1.1])


def _softplus(x: Samples) -> Samples:
    return np.logaddexp(0, x)


def _scaled(x: Samples, scale: Samples) -> Samples:
    return np.asarray(x / scale)


def _mean(x: Samples) -> Samples:
    return np.asarray(x.mean(-1, keepdims=True))


def _norm(x: Samples) -> Samples:
    return _scaled(x - _mean(x), np.sqrt(_mean((x - _mean(x)) ** 2)))


def _softmax(x: Samples) -> Samples:
    e = np.exp(x - x.max(-1, keepdims=True))
    return _scaled(e, e.sum(-1, keepdims=True))


_ELEMENTWISE: Mapping[str, Callable[[Samples], Samples]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "gelu": lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2))),
    "quick_gelu": lambda x: x * expit(1.702 * x),
    "silu": lambda x: x * expit(x),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "sigmoid": expit,
    "tanh": np.tanh,
    "softplus": _softplus,
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
}
_NAMES = tuple(_ELEMENTWISE)
_KNOWN: Samples = np.stack([np.asarray(function(_SAMPLE)) for function in _ELEMENTWISE.values()])
_RIGHT = _SAMPLE > 0
_OVER_AXES: Mapping[str, Callable[[Samples], Samples]] = {
    "norm": _norm,
    "rms_norm": lambda x: _scaled(x, np.sqrt(_mean(x**2))),
    "simple_norm": lambda x: _scaled(x, np.sqrt(_mean((x - _mean(x)) ** 2))),
    "l2_norm": lambda x: _scaled(x, np.sqrt((x**2).sum(-1, keepdims=True))),
    "softmax": _softmax,
}
_SCALED = ("norm", "simple_norm")
_CALLED = {"norm": "layer_norm", "simple_norm": "rms_norm"}
"""Labels; what divides by the deviation and leaves the mean is counted with what divides by the root mean square."""

UNARY: Mapping[str, Callable[..., Samples]] = {
    **_ELEMENTWISE,
    "hard_sigmoid": lambda x, alpha=0.2, beta=0.5: np.clip(alpha * x + beta, 0, 1),
    "elu": lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "leaky_relu": lambda x, alpha=0.01: np.where(x > 0, x, alpha * x),
    "clip": lambda x, low=None, high=None: np.clip(x, low, high) if (low, high) != (None, None) else x,
    SAME: lambda x: x,
    "erf": erf,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "neg": np.negative,
    "reciprocal": np.reciprocal,
}
BINARY: Mapping[str, Callable[[Samples, Samples], Samples]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "minimum": np.minimum,
    "maximum": np.maximum,
}
REDUCTIONS: Mapping[str, Callable[[Samples], Samples]] = {
    "mean": _mean,
    "sum": lambda x: np.asarray(x.sum(-1, keepdims=True)),
    "max": lambda x: np.asarray(x.max(-1, keepdims=True)),
    "l2": lambda x: np.asarray(np.sqrt((x**2).sum(-1, keepdims=True))),
    "sum_square": lambda x: np.asarray((x**2).sum(-1, keepdims=True)),
}

_Axes = tuple[int, ...]
_Views = dict[Node, tuple[Samples, _Axes]]
"""What a node is as a function of each of the nodes above it: its values on the samples, and the axes reduced over."""


def recognise(network: NodeGraph) -> None:
    """Make one node of every function that was spread over many; the rest of the nodes stays as it is."""
    views: dict[Node, _Views] = {}
    with np.errstate(all="ignore"):
        for node in network.nodes:
            if not node.function:
                continue
            own = _views_of(node, views)
            found = _match(own) if node.function != SAME else None
            if found is not None:
                name, source, axes = found
                if len(node.inputs) > 1 or node.inputs[0] is not source:
                    network.count(f"{_called(name)} of several operators")
                _become(node, name, source, axes)
            views[node] = own


def _called(name: str) -> str:
    return _CALLED.get(name, name)


def _views_of(node: Node, views: Mapping[Node, _Views]) -> _Views:
    arguments = []
    for source in dict.fromkeys(node.inputs):
        known = dict(list(views.get(source, {}).items())[:_SOURCES])
        arguments.append({source: (_SAMPLE, ()), **known})
    result: _Views = {}
    for source in arguments[0]:
        seen = [argument.get(source) for argument in arguments]
        axes = {s[1] for s in seen if s is not None and s[1]}
        if any(s is None for s in seen) or len(axes) > 1:
            continue
        values = {n: s[0] for n, s in zip(dict.fromkeys(node.inputs), seen, strict=True) if s is not None}
        computed = _apply(node, [values[n] for n in node.inputs])
        over = axes.pop() if axes else ()
        if node.function in REDUCTIONS:
            if node.axes is None or over not in ((), node.axes):
                continue
            over = node.axes
        if computed is not None:
            result[source] = computed, over
    return result


def _apply(node: Node, arguments: Sequence[Samples]) -> Samples | None:
    if node.function in REDUCTIONS:
        return REDUCTIONS[node.function](arguments[0])
    if node.function in BINARY:
        if len(arguments) == 2:
            return BINARY[node.function](arguments[0], arguments[1])
        first, second = (arguments[0] if n is None else np.asarray(n) for n in node.numbers)
        return BINARY[node.function](first, second)
    return np.asarray(UNARY[node.function](arguments[0], *node.numbers))


def _match(views: _Views) -> tuple[str, Node, _Axes] | None:
    """The known function of the farthest node above that this node is."""
    seen = [
        (source, values, axes)
        for source, (values, axes) in reversed(list(views.items()))
        if values.shape == _SAMPLE.shape and np.isfinite(values).all()
    ]
    if not seen:
        return None
    stacked = np.stack([values for _, values, _ in seen])[:, None]  # (sources, 1, ...) beside (functions, ...)
    near = np.abs(stacked - _KNOWN).max(axis=(2, 3)) < _TOLERANCE
    straight = np.abs(stacked[:, 0, _RIGHT] - _SAMPLE[_RIGHT]).max(axis=1) < _TOLERANCE
    for (source, values, axes), hits, is_straight in zip(seen, near, straight, strict=True):
        if axes:
            for name, function in _OVER_AXES.items():
                if _agree(values, function(_SAMPLE), scaled=name in _SCALED):
                    return name, source, axes
        elif hits.any():
            return _NAMES[int(hits.argmax())], source, axes
        elif is_straight and (other := _with_a_slope(values)) is not None:
            return other, source, axes
    return None


def _agree(values: Samples, known: Samples, scaled: bool) -> bool:
    if scaled:  # a deviation that divides by n - 1 is off by a factor, which is a matter of the norm's own scale
        values = values * np.clip((known * known).sum() / (values * known).sum(), 0.8, 1.25)
    return bool(np.abs(values - known).max() < _TOLERANCE)


def _with_a_slope(values: Samples) -> str | None:
    """Of functions that change nothing above zero, those with a number of their own: linear below, or exponential."""
    if np.abs(values - _SAMPLE).max() < _TOLERANCE:
        return None  # the same but for an epsilon
    left, x = values[~_RIGHT], _SAMPLE[~_RIGHT]
    slope = left[x.argmin()] / x.min()
    if 0 < slope < 1 and np.abs(left - slope * x).max() < _TOLERANCE:
        return "leaky_relu"
    alpha = left[x.argmin()] / np.expm1(x.min())
    return "elu" if alpha > 0 and np.abs(left - alpha * np.expm1(x)).max() < _TOLERANCE else None


def _become(node: Node, name: str, source: Node, axes: _Axes) -> None:
    node.inputs, node.numbers, node.constants = [source], (), []
    node.axes = axes or node.axes
    node.label = _norm_label(source, axes) if name == "norm" else _called(name)
    if name in UNARY:
        node.function = name
    else:
        node.function = ""


def _norm_label(source: Node, axes: _Axes) -> str:
    """Which norm it is that goes over these axes."""
    rank = source.rank
    over = {axis % rank for axis in axes} if rank else set()
    if rank >= 4 and over == set(range(2, rank)):
        return "instance_norm"
    if rank >= 3 and over == set(range(1, rank)):
        return "group_norm"
    return "layer_norm"
