"""The notations of DARTS's cells and their like: ``Genotype(...)`` in two shapes, and the compact list.

Text comes from files and users, so nothing is ever evaluated: the syntax tree is walked by hand.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

MAX_TEXT = 10_000

NODES = range(2, 6)
"""Intermediate nodes of a cell; 0 and 1 are its inputs."""

Pair = tuple[int, str | int]
"""``(input, operator)``; the operator by name or, in the compact form, by index."""
Cell = list[Pair]
"""Two pairs for each intermediate node, in the order of nodes."""


class Genotype(NamedTuple):
    """What a text says: the normal and the reduction cell, and the nodes that their outputs join, if given."""

    cells: tuple[Cell, Cell]
    concats: tuple[list[int] | None, list[int] | None] = (None, None)


_KEYWORDS = {
    "normal": "normal",
    "normal_arch": "normal",
    "normal_0": "normal",
    "reduce": "reduce",
    "reduced_arch": "reduce",
    "reduce_1": "reduce",
    "normal_concat": "normal_concat",
    "normal_0_concat": "normal_concat",
    "reduce_concat": "reduce_concat",
    "reduced_concat": "reduce_concat",
    "reduce_1_concat": "reduce_concat",
}


def read(text: str, nodes: range = NODES) -> Genotype:
    """The cells that a text in any of the notations describes.

    Args:
        text: What the user gave.
        nodes: The intermediate nodes of a cell.

    Raises:
        ValueError: It is in none of them; the message says why.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"it has {len(text)} characters, more than the limit of {MAX_TEXT}")
    tree = _syntax_tree(text.strip())
    if isinstance(tree, ast.Call):
        return _from_keywords(tree, nodes)
    cells = _literal(tree)
    if not isinstance(cells, list) or len(cells) != 2:
        raise ValueError("the compact form is a list of two cells")
    return Genotype((_compact_cell(cells[0], "normal", nodes), _compact_cell(cells[1], "reduction", nodes)))


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


def _from_keywords(call: ast.Call, nodes: range) -> Genotype:
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
        concat = parts.get(f"{part}_concat", [])
        if not isinstance(concat, list) or not all(type(node) is int for node in concat):
            raise ValueError(f"{part}_concat is {concat}, which is no list of nodes")
    cells = _genotype_cell(parts["normal"], "normal", nodes), _genotype_cell(parts["reduce"], "reduction", nodes)
    return Genotype(cells, (parts.get("normal_concat"), parts.get("reduce_concat")))


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


def _genotype_cell(value: Any, cell: str, nodes: range) -> Cell:
    items = value if isinstance(value, list) else []
    if items and all(isinstance(item, list) and item and isinstance(item[0], list) for item in items):
        for node, item in zip(nodes, items, strict=False):
            if len(item) != 2:
                raise ValueError(f"node {node} of the {cell} cell has {len(item)} inputs instead of two")
        items = [pair for item in items for pair in item]
    _check_number(items, cell, nodes)
    if all(_has_types(item, (str, int, int)) for item in items):
        return _from_triples(items, cell, nodes)
    for item in items:
        if not _has_types(item, (str, int)):
            raise ValueError(f"{item} in the {cell} cell is no pair of an operator and an input")
    return [(source, op) for op, source in items]


def _from_triples(items: Sequence[Any], cell: str, nodes: range) -> Cell:
    arriving: dict[int, Cell] = {node: [] for node in nodes}
    for op, source, target in items:
        if target not in arriving:
            raise ValueError(f"an edge of the {cell} cell ends at node {target}; the nodes are 2 to {nodes[-1]}")
        arriving[target].append((source, op))
    for node, pairs in arriving.items():
        if len(pairs) != 2:
            raise ValueError(f"node {node} of the {cell} cell has {len(pairs)} inputs instead of two")
    return [pair for pairs in arriving.values() for pair in pairs]


def _compact_cell(value: Any, cell: str, nodes: range) -> Cell:
    items = value if isinstance(value, list) else []
    _check_number(items, cell, nodes)
    for item in items:
        if not _has_types(item, (int, int)):
            raise ValueError(f"{item} in the {cell} cell is no pair of an input and an operator's index")
    return [(source, op) for source, op in items]


def _check_number(items: Sequence[Any], cell: str, nodes: range) -> None:
    if len(items) != 2 * len(nodes):
        raise ValueError(
            f"the {cell} cell has {len(items)} edges instead of {2 * len(nodes)}, two for each node 2 to {nodes[-1]}"
        )


def _has_types(item: Any, types: tuple[type, ...]) -> bool:
    return (
        isinstance(item, list)
        and len(item) == len(types)
        and all(type(v) is t for v, t in zip(item, types, strict=True))
    )
