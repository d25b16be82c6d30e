"""What becomes of each operator of ONNX that is known: from the tables by which files are read."""

from __future__ import annotations

from collections.abc import Mapping

from archpredict.onnx._tensors.constants import COMPUTED
from archpredict.onnx._trace.aliases import COPIES, QUANTISERS
from archpredict.onnx._trace.control import CONTROL
from archpredict.onnx._translate.rules import GONE, LABELS
from archpredict.onnx._written_out.expansion import MICROSOFT
from archpredict.onnx._written_out.expansions import EXPANSIONS

__all__ = ["NOT_OF_NETWORKS", "operators_table"]

_TEXTS = ("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", "TfIdfVectorizer")
_TRAINING = ("Adagrad", "Adam", "Gradient", "Momentum")
NOT_OF_NETWORKS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "texts, before there are numbers": tuple(("", name) for name in _TEXTS),
    "files of images, before there are numbers": (("", "ImageDecoder"),),
    "steps of training": tuple(("ai.onnx.preview.training", name) for name in _TRAINING),
}
"""Operators of ONNX that are no part of a network and stay ``unknown``, by what they work on instead."""


def operators_table() -> dict[tuple[str, str], str]:
    """What each known operator becomes, by its domain ("" for ONNX's own) and its name.

    That is a label of :data:`archpredict.graph.operators.OPERATORS`, or one of several, or a few words: many operators
    are written out as others, some are computed where the model is read, or left out. Older versions of an operator
    become what the newest one does. Those of :data:`NOT_OF_NETWORKS` are ``unknown``, and so is what is not here.

    Example:
        >>> table = operators_table()
        >>> table["", "Conv"], table["", "QLinearConv"], table["", "Shape"]
        ('conv', 'written out as others', 'computed: it reads no data')
    """
    return {
        **{operator: "unknown" for operators in NOT_OF_NETWORKS.values() for operator in operators},
        **dict.fromkeys(EXPANSIONS, "written out as others"),
        **LABELS,
        **{("", name): "walked through" for name in CONTROL},
        **{("", name): "computed: it reads no data" for name in COMPUTED},
        **{(domain, name): "left out: rounding" for domain in ("", MICROSOFT) for name in QUANTISERS},
        **{("", name): GONE for name in COPIES},
    }
