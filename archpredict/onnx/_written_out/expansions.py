"""Which operators are written out, and as what."""

from __future__ import annotations

from collections.abc import Mapping

from archpredict.onnx._file.protos import Opsets
from archpredict.onnx._written_out import (
    attention,
    experimental,
    experts,
    kinds_of_attention,
    learning,
    nchwc,
    older,
    optimised,
    packed,
    quantised,
    rotary,
    runtime,
    runtime_attention,
    standard,
)
from archpredict.onnx._written_out.expansion import Expansion

EXPANSIONS: Mapping[tuple[str, str], Expansion] = {
    **quantised.EXPANSIONS,
    **packed.EXPANSIONS,
    **experts.EXPANSIONS,
    **optimised.EXPANSIONS,
    **attention.EXPANSIONS,
    **runtime_attention.EXPANSIONS,
    **rotary.EXPANSIONS,
    **standard.EXPANSIONS,
    **nchwc.EXPANSIONS,
    **learning.EXPANSIONS,
    **experimental.EXPANSIONS,
    **kinds_of_attention.EXPANSIONS,
    **runtime.EXPANSIONS,
}
"""By domain and name."""


def expansion_of(op: str, domain: str, opsets: Opsets) -> Expansion | None:
    """The expansion of an operator, None where it stands for itself.

    Args:
        op: Its name.
        domain: Its domain, "" for ONNX's own.
        opsets: The versions of operators that the file uses.
    """
    if domain == "" and op in older.EXPANSIONS:
        before, expansion = older.EXPANSIONS[op]
        if opsets.get("", before) < before:
            return expansion
    return EXPANSIONS.get((domain, op))
