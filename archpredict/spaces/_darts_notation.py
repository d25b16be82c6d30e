"""The notations of DARTS's cells and their like: ``Genotype(...)`` in several shapes, and the compact list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from archpredict.spaces._plain import whole, wholes
from archpredict.spaces.notation.literals import WrittenCall

NODES = range(2, 6)
"""Intermediate nodes of a cell; 0 and 1 are its inputs."""

ATTRIBUTES = ("normal", "normal_concat", "reduce", "reduce_concat")
"""The parts of a genotype, in the order in which DARTS's own tuple has them."""

Pair = tuple[int, str | int]
"""``(input, operator)``; the operator by name or, in the compact form, by index."""
Cell = list[Pair]
"""Two pairs for each intermediate node, in the order of nodes."""


class Genotype(NamedTuple):
    """What is described: the normal and the reduction cell, and the nodes that their outputs join, if given."""

    cells: tuple[Cell, Cell]
    concats: tuple[list[int] | None, list[int] | None] = (None, None)


_PARTS = {
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


def genotype(value: Any, nodes: range = NODES) -> Genotype:
    """The cells that a plain value in any of the notations describes.

    Args:
        value: What was read.
        nodes: The intermediate nodes of a cell.

    Raises:
        ValueError: It is in none of them; the message says why.
    """
    if isinstance(value, WrittenCall):
        if value.arguments and len(value.arguments) != len(ATTRIBUTES):
            raise ValueError("a genotype names its parts, as in normal=[...], reduce=[...]")
        value = value.parts(ATTRIBUTES)
    if isinstance(value, dict):
        return _from_parts(value, nodes)
    if isinstance(value, str):
        raise ValueError("it does not parse")
    if isinstance(value, list) and len(value) == len(ATTRIBUTES):
        return _from_parts(dict(zip(ATTRIBUTES, value, strict=True)), nodes)  # a named tuple without its names
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("the compact form is a list of two cells")
    return Genotype((_cell(value[0], "normal", nodes), _cell(value[1], "reduction", nodes)))


def _from_parts(given: dict[Any, Any], nodes: range) -> Genotype:
    parts: dict[str, Any] = {}
    for name, value in given.items():
        part = _PARTS.get(name.lower() if isinstance(name, str) else "")
        if part is None:
            raise ValueError(f"it has a part {name!r}; the parts are {', '.join(_PARTS)}")
        parts[part] = value
    for part in ("normal", "reduce"):
        if part not in parts:
            raise ValueError(f"its {part} cell is missing")
    cells = _cell(parts["normal"], "normal", nodes), _cell(parts["reduce"], "reduction", nodes)
    return Genotype(cells, (_concat(parts, "normal_concat"), _concat(parts, "reduce_concat")))


def _concat(parts: dict[str, Any], part: str) -> list[int] | None:
    value = parts.get(part)
    if value is None:
        return None
    nodes = wholes(value)
    if nodes is None:
        raise ValueError(f"{part} is {_shown(value)}, which is no list of nodes")
    return nodes


def _cell(value: Any, cell: str, nodes: range) -> Cell:
    items = value if isinstance(value, list) else []
    if items and all(isinstance(item, list) and item and isinstance(item[0], list) for item in items):
        for node, item in zip(nodes, items, strict=False):
            if len(item) != 2:
                raise ValueError(f"node {node} of the {cell} cell has {len(item)} inputs instead of two")
        items = [pair for item in items for pair in item]
    if len(items) != 2 * len(nodes):
        raise ValueError(
            f"the {cell} cell has {len(items)} edges instead of {2 * len(nodes)}, two for each node 2 to {nodes[-1]}"
        )
    edges = [_edge(item, cell) for item in items]
    if any(target is not None for _, _, target in edges):
        return _by_target(edges, cell, nodes)
    return [(source, op) for source, op, _ in edges]


def _edge(item: Any, cell: str) -> tuple[int, str | int, int | None]:
    """Input, operator and target of an edge; the target may be left out.

    Read are ``(operator, input)``, ``(operator, from, to)``, either with a weight, which is a number with a fraction,
    anywhere behind the operator, ``(input, operator)``, and ``(input, operator index)``.
    """
    rest = list(item) if isinstance(item, list) else []
    if [*map(type, rest)] == [str, int] and not rest[0].isdecimal():  # nearly always
        return rest[1], rest[0], None
    name = next((part for part in rest[:2] if isinstance(part, str) and whole(part) is None), None)
    if name is not None:
        rest.remove(name)
        if len(rest) > 1:
            weights = [part for part in rest if type(part) is float]
            rest = [part for part in rest if type(part) is not float] if len(weights) == 1 else rest
    numbers = wholes(rest)
    if numbers is None or not (len(numbers) in (1, 2) if name is not None else len(numbers) == 2):
        raise ValueError(
            f"{_shown(item)} in the {cell} cell is no pair of an operator and an input, nor of an input and an "
            "operator's index"
        )
    if name is None:
        return numbers[0], numbers[1], None
    return numbers[0], name, numbers[1] if len(numbers) == 2 else None


def _by_target(edges: Sequence[tuple[int, str | int, int | None]], cell: str, nodes: range) -> Cell:
    arriving: dict[int, Cell] = {node: [] for node in nodes}
    for source, op, target in edges:
        if target not in arriving:
            raise ValueError(f"an edge of the {cell} cell ends at node {target}; the nodes are 2 to {nodes[-1]}")
        arriving[target].append((source, op))
    for node, pairs in arriving.items():
        if len(pairs) != 2:
            raise ValueError(f"node {node} of the {cell} cell has {len(pairs)} inputs instead of two")
    return [pair for pairs in arriving.values() for pair in pairs]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
