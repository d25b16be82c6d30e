"""Reading the notations of NAS-Bench-101's cells."""

from __future__ import annotations

import re
from typing import Any

from archpredict.spaces._plain import whole, wholes
from archpredict.spaces.notation.literals import WrittenCall

_NAMES = (
    ("matrix", "ops"),
    ("original_matrix", "original_ops"),
    ("module_adjacency", "module_operations"),
    ("adjacency", "operations"),
    ("adjacency_matrix", "operations"),
    ("adjacency_matrix", "ops"),
    ("adj", "ops"),
)
"""What the matrix and the operators are called; where a specification has its pruned form too, that comes first."""

ATTRIBUTES = tuple(dict.fromkeys(name for names in _NAMES for name in names))

_NASLIB = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")
"""Operators in the order in which NASLib numbers them."""

_SIZES = {n * n + n: n for n in range(2, 8)}
"""Vertices by the length of NASLib's tuple: the matrix row by row, then the operators."""

_WORD = re.compile(r"[\w-]+")
_BITS = re.compile(r"[01\s,;]*")

_CellParts = tuple[list[list[int]], list[str]]


def cell_of(value: Any) -> _CellParts | None:
    """Matrix and operators of a plain value; None where it has none.

    Example:
        >>> cell_of({"module_adjacency": [[0, 1.0], [0, 0]], "module_operations": ["input", "output"], "params": 3})
        ([[0, 1], [0, 0]], ['input', 'output'])
        >>> cell_of([0, 1, 0, 0, 0, 1])
        ([[0, 1], [0, 0]], ['input', 'output'])
    """
    if isinstance(value, WrittenCall):
        value = value.parts(_NAMES[0])
    if isinstance(value, dict):
        return _of_parts(value)
    if not isinstance(value, list):
        return None
    numbers = wholes(value)
    if numbers is not None:
        return _of_numbers(numbers)
    return _checked(*value) if len(value) == 2 else None


def _of_parts(parts: dict[Any, Any]) -> _CellParts | None:
    lowered = {name.lower(): value for name, value in parts.items() if isinstance(name, str)}
    for matrix, ops in _NAMES:
        if lowered.get(matrix) is not None and lowered.get(ops) is not None:
            return _checked(lowered[matrix], lowered[ops])
    return None


def _of_numbers(numbers: list[int]) -> _CellParts | None:
    n = _SIZES.get(len(numbers), 0)
    if not n or not all(0 <= op < len(_NASLIB) for op in numbers[-n:]):
        return None
    return _checked(numbers[:-n], [_NASLIB[op] for op in numbers[-n:]])


def _checked(matrix: Any, ops: Any) -> _CellParts | None:
    """Both as lists; a matrix may be written row by row without brackets, or as digits, as the published files do."""
    if isinstance(ops, str):
        ops = _WORD.findall(ops)
    if not isinstance(ops, list) or not all(isinstance(op, str) for op in ops):
        return None
    if isinstance(matrix, str) and _BITS.fullmatch(matrix):
        matrix = [bit for bit in matrix if bit in "01"]
    if isinstance(matrix, list) and len(matrix) == len(ops):
        matrix = [list(row) if isinstance(row, str) else row for row in matrix]
    if isinstance(matrix, list) and ops and not any(isinstance(row, list) for row in matrix):
        if len(matrix) != len(ops) ** 2:
            return None
        matrix = [matrix[start : start + len(ops)] for start in range(0, len(matrix), len(ops))]
    if not isinstance(matrix, list) or not all(isinstance(row, list) for row in matrix):
        return None
    if not all({*map(type, row)} <= {int} for row in matrix):
        matrix = [[int(entry) if isinstance(entry, bool) else whole(entry) for entry in row] for row in matrix]
    return (matrix, ops) if all({*row} <= {0, 1} for row in matrix) else None
