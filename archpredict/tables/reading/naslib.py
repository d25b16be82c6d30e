"""Cells of NAS-Bench-201 as NASLib numbers them, which is not as the benchmark does."""

from __future__ import annotations

import re

_OPERATORS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""Source and target of each number, node by node as edges leave them; the benchmark goes by where they arrive."""

_INDICES = re.compile(
    r"\s*[(\[]?\s*([0-4])(?:\s*,\s*|\s+)" + r"([0-4])(?:\s*,\s*|\s+)" * 4 + r"([0-4])\s*,?\s*[)\]]?\s*"
)


def arch_string(text: str) -> str | None:
    """The arch string of NASLib's six numbers; None where the text is nothing of the kind.

    Example:
        >>> arch_string("(4, 3, 3, 0, 0, 0)")
        '|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|'
        >>> arch_string("|none~0|") is None
        True
    """
    match = _INDICES.fullmatch(text)
    if match is None:
        return None
    operators = {edge: _OPERATORS[int(index)] for edge, index in zip(_EDGES, match.groups(), strict=True)}
    nodes = [[f"{operators[s, t]}~{s}" for s in range(t)] for t in (1, 2, 3)]
    return "+".join(f"|{'|'.join(node)}|" for node in nodes)
