"""Operators of ONNX Runtime's optimiser, which do the work of several of ONNX's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archpredict.onnx._trace.expansion import MICROSOFT, Call, Expansion


def _skipped_norm(call: Call) -> Sequence[str]:
    """A layer norm of the sum of two tensors and a bias; the sum may be read as well."""
    together = call.write("Add", call.input(0), call.input(1))
    if call.has(4):
        together = call.write("Add", together, call.input(4))
    norm = call.plain("LayerNormalization", together, call.input(2), call.input(3))
    return norm, "", "", together


EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    (MICROSOFT, "SkipLayerNormalization"): _skipped_norm,
}
"""By domain and name."""
