"""Writes docs/operators.md, what becomes of each operator of ONNX, from the tables of the code: ``make operators``."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from archpredict.graph.operators import OPERATORS
from archpredict.onnx.operators_table import NOT_OF_NETWORKS, operators_table

PAGE = Path(__file__).resolve().parent / "operators.md"

_HEAD = """# What becomes of ONNX's operators

All operators of all versions that the package `onnx` knows, those of the first years that it has dropped, and those of
ONNX Runtime that its tools write. Labels are those of [ONNX models](onnx.md). An operator that stands for several
others is written out as these, with their parameters and multiply-adds; an old version of an operator becomes what the
newest one does; any operator that is not here is `unknown`. This page is made by `make operators` from
`archpredict.onnx.operators_table`.

| becomes | operators |
|---|---|
"""
_FOOT = """
Only `conv`, `conv_transpose`, `linear`, `recurrent`, `matmul` and `attention` have multiply-adds. So there are none for
interpolation (`GridSample`, `RoiAlign`, and between the places of `DeformConv`, which counts as the convolution that it
is), nor for Fourier transforms (`DFT`, `STFT`), which take fewer operations than a product with a matrix; a network
that has such a matrix as the weight of a convolution counts it.

Of `ai.onnx.ml`, `LinearRegressor` and `LinearClassifier` are linear layers: their coefficients are parameters. The
numbers of scalers, imputers and encoders are none. Trees (`TreeEnsemble…`) and support vectors (`SVM…`) are no layers:
one node, without parameters or multiply-adds.

What stays `unknown`, for no network contains it:

"""


def page(table: Mapping[tuple[str, str], str]) -> str:
    """The content of docs/operators.md."""
    rows: dict[str, list[tuple[str, str]]] = {}
    for operator, becomes in table.items():
        if becomes != "unknown":
            rows.setdefault(becomes, []).append(operator)
    lines = [f"| {_marked(becomes)} | {_named(rows[becomes])} |" for becomes in sorted(rows, key=_place)]
    left = [f"- {what}: {_named(operators)}" for what, operators in NOT_OF_NETWORKS.items()]
    return _HEAD + "\n".join(lines) + "\n" + _FOOT + "\n".join(left) + "\n"


def _named(operators: Sequence[tuple[str, str]]) -> str:
    """Operators in Markdown, those of one domain together."""
    domains: dict[str, list[str]] = {}
    for domain, name in sorted(operators):
        domains.setdefault(domain, []).append(f"`{name}`")
    return "; ".join((f"of `{d}`: " if d else "") + ", ".join(names) for d, names in domains.items())


def _marked(becomes: str) -> str:
    """Labels in Markdown."""
    return re.sub(r"\w+", lambda word: f"`{word[0]}`" if word[0] in OPERATORS else word[0], becomes)


def _place(becomes: str) -> tuple[int, str]:
    """In the order of the labels, what is none at the end."""
    first = becomes.partition(" ")[0].rstrip(",")
    return (OPERATORS.index(first) if first in OPERATORS else len(OPERATORS), becomes)


if __name__ == "__main__":
    sys.stdout.write(page(operators_table()))
