"""Kinds of operators and their colours, the same in every picture and on every page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from archpredict.graph.operators import ACTIVATIONS, NORMS, OPERATORS, POOLS, UNKNOWN

__all__ = ["KINDS", "OperatorKind", "kind_of"]


@dataclass(frozen=True)
class OperatorKind:
    """A kind of operator: how it is called in legends, and its colours.

    The fills are those of Okabe and Ito, "Color Universal Design", 2008, which the colour-blind tell apart, with two
    greys; the text on each has a contrast of at least 4.5 to 1.
    """

    title: str
    fill: str
    text: str


KINDS: Mapping[str, OperatorKind] = {
    "conv": OperatorKind("convolution", "#0072b2", "#ffffff"),
    "light": OperatorKind("separable, dilated or inverted convolution", "#56b4e9", "#000000"),
    "linear": OperatorKind("linear, attention", "#cc79a7", "#000000"),
    "pool": OperatorKind("pooling", "#009e73", "#000000"),
    "activation": OperatorKind("activation, norm", "#f0e442", "#000000"),
    "arithmetic": OperatorKind("arithmetic", "#e69f00", "#000000"),
    "data": OperatorKind("identity, data movement", "#bdbdbd", "#000000"),
    "state": OperatorKind("input, output, sum", "#ffffff", "#000000"),
    "block": OperatorKind("several operators", "#e8e8e8", "#000000"),
    "other": OperatorKind("other", "#d55e00", "#000000"),
}
"""All kinds by name, in the order of legends."""

_EXACT = {
    "conv": ("conv", "conv_transpose"),
    "linear": ("linear", "matmul", "embedding", "recurrent", "attention"),
    "pool": (*POOLS, "reduce"),
    "activation": (*NORMS, *ACTIVATIONS),
    "arithmetic": ("add", "mul", "sub", "div", "elementwise"),
    "data": ("concat", "slice", "gather", "pad", "resize", "permute", "pixel_shuffle"),
    "state": ("input", "output", "parameter", "sum"),
    "other": ("opaque", "unknown"),
}
_OF = {op: kind for kind, ops in _EXACT.items() for op in ops}
_PATTERNS = (
    ("pool", r"pool"),
    ("light", r"(sep|dil|depthwise|dw|mb|inverted|shuffle|ghost).*conv|^(mb|ir|inverted)|^k\d+_?e\d+"),
    ("conv", r"conv"),
    ("data", r"^(skip|identity|none|zero|zeroize)"),
    ("linear", r"attention|linear|dense|mlp"),
    ("activation", r"norm|relu|gelu|silu|swish|tanh|sigmoid"),
    ("state", r"^(input|output|c_)"),
)
"""Names of operators in search spaces, the first that is found."""


@cache
def kind_of(label: str) -> str:
    """The kind of an operator, by its label in a computational graph or its name in a search space.

    Example:
        >>> [kind_of(label) for label in ("conv", "sep_conv_3x3", "avg_pool_3x3", "skip_connect", "my_operator")]
        ['conv', 'light', 'pool', 'data', 'other']
    """
    if label in _OF or label in OPERATORS or label.startswith(f"{UNKNOWN}:"):
        return _OF.get(label, "other")
    return next((kind for kind, pattern in _PATTERNS if re.search(pattern, label.lower())), "other")
