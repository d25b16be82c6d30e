"""Operators as older versions of ONNX had them, written out as newer ones have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archpredict.onnx._trace.expansion import Call, Expansion


def _reshape(call: Call) -> Sequence[str] | None:
    """The lengths as an attribute."""
    if "shape" not in call.attributes:
        return None
    return (call.write("Reshape", call.input(0), call.number(list(call.attributes["shape"]))),)


EXPANSIONS: Mapping[str, tuple[int, Expansion]] = {
    "Reshape": (5, _reshape),
}
"""By name: the version from which on the operator stands for itself, and what it was before."""
