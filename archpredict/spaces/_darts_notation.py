"""The notations of DARTS cells: ``Genotype(...)`` in two shapes, and the compact list.

Text comes from files and users, so nothing is ever evaluated: the syntax tree is walked by hand.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from typing import Any

MAX_TEXT = 10_000

NODES = range(2, 6)
"""Intermediate nodes of a cell; 0 and 1 are its inputs."""

Pair = tuple[int, str | int]
"""``(input, operator)``; the operator by name or, in the compact form, by index."""
Cell = list[Pair]
"""Eight pairs: two for each intermediate node, in the order of nodes."""

_KEYWORDS = {
    "normal": "normal",
    "normal_arch": "normal",
    "reduce": "reduce",
    "reduced_arch": "reduce",
    "normal_concat": "normal_concat",
    "reduce_concat": "reduce_concat",
    "reduced_concat": "reduce_concat",
}


def read(text: str) -> tuple[Cell, Cell]:
    """The normal and the reduction cell that a text in any of the notations describes.

    Raises:
        ValueError: It is in none of them; the message says why.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"it has {len(text)} characters, more than the limit of {MAX_TEXT}")
    tree = _syntax_tree(text.strip())
    if isinstance(tree, ast.Call):
        return _from_keywords(tree)
    cells = _literal(tree)
    if not isinstance(cells, list) or len(cells) != 2:
        raise ValueError("the compact form is a list of two cells")
    return _compact_cell(cells[0], "normal"), _compact_cell(cells[1], "reduction")


def _syntax_tree(text: str) -> ast.expr:
    wrapped = f"Genotype({text})"
    for candidate in (text, wrapped):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                body = ast.parse(candidate).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        statement = body[0] if len(body) == 1 else None
        if isinstance(statement, (ast.Expr, ast.Assign)):  # ``DARTS_V2 = Genotype(...)`` may be pasted whole
            return statement.value
    raise ValueError("it does not parse")


def _from_keywords(call: ast.Call) -> tuple[Cell, Cell]:
    if call.args:
        raise ValueError("a genotype names its parts, as in normal=[...], reduce=[...]")
    parts: dict[str, Any] = {}
    for keyword in call.keywords:
        part = _KEYWORDS.get(keyword.arg or "")
        if part is None:
            raise ValueError(f"it has a part {keyword.arg!r}; the parts are {', '.join(_KEYWORDS)}")
        parts[part] = _literal(keyword.value)
    for part in ("normal", "reduce"):
        if part not in parts:
            raise ValueError(f"its {part} cell is missing")
        concat = parts.get(f"{part}_concat", list(NODES))
        if not isinstance(concat, list) or sorted(map(repr, concat)) != sorted(map(repr, NODES)):
            raise ValueError(f"{part}_concat is {concat}, and only the four nodes 2, 3, 4, 5 together are in the space")
    return _genotype_cell(parts["normal"], "normal"), _genotype_cell(parts["reduce"], "reduction")


def _literal(node: ast.expr) -> Any:
    """Strings, integers, lists and tuples (both become lists) and ``range(a, b)``."""
    if isinstance(node, ast.Constant) and type(node.value) in (str, int):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(element) for element in node.elts]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        bounds = [_literal(argument) for argument in node.args]
        if len(bounds) == 2 and all(type(b) is int and 0 <= b < 100 for b in bounds) and not node.keywords:
            return list(range(*bounds))
    raise ValueError(f"{ast.unparse(node)[:40]!r} is neither a string, an integer, a list nor range(a, b)")


def _genotype_cell(value: Any, cell: str) -> Cell:
    items = value if isinstance(value, list) else []
    if items and all(isinstance(item, list) and item and isinstance(item[0], list) for item in items):
        for node, item in zip(NODES, items, strict=False):
            if len(item) != 2:
                raise ValueError(f"node {node} of the {cell} cell has {len(item)} inputs instead of two")
        items = [pair for item in items for pair in item]
    _check_number(items, cell)
    if all(_has_types(item, (str, int, int)) for item in items):
        return _from_triples(items, cell)
    for item in items:
        if not _has_types(item, (str, int)):
            raise ValueError(f"{item} in the {cell} cell is no pair of an operator and an input")
    return [(source, op) for op, source in items]


def _from_triples(items: Sequence[Any], cell: str) -> Cell:
    arriving: dict[int, Cell] = {node: [] for node in NODES}
    for op, source, target in items:
        if target not in arriving:
            raise ValueError(f"an edge of the {cell} cell ends at node {target}; the nodes are 2 to 5")
        arriving[target].append((source, op))
    for node, pairs in arriving.items():
        if len(pairs) != 2:
            raise ValueError(f"node {node} of the {cell} cell has {len(pairs)} inputs instead of two")
    return [pair for pairs in arriving.values() for pair in pairs]


def _compact_cell(value: Any, cell: str) -> Cell:
    items = value if isinstance(value, list) else []
    _check_number(items, cell)
    for item in items:
        if not _has_types(item, (int, int)):
            raise ValueError(f"{item} in the {cell} cell is no pair of an input and an operator's index")
    return [(source, op) for source, op in items]


def _check_number(items: Sequence[Any], cell: str) -> None:
    if len(items) != 2 * len(NODES):
        raise ValueError(
            f"the {cell} cell has {len(items)} edges instead of {2 * len(NODES)}, two for each node 2 to 5"
        )


def _has_types(item: Any, types: tuple[type, ...]) -> bool:
    return (
        isinstance(item, list)
        and len(item) == len(types)
        and all(type(v) is t for v, t in zip(item, types, strict=True))
    )
