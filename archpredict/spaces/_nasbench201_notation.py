"""Reading the notations of NAS-Bench-201's cells."""

from __future__ import annotations

import re
from typing import Any

from archpredict.spaces._plain import whole
from archpredict.spaces.notation.literals import WrittenCall

ATTRIBUTES = ("nodes", "arch_str")
"""Of ``Structure`` in the benchmark's own code, and of what others keep of it."""

Edge = tuple[str | int, int | None]
"""Operator, by name or index, and source, if given."""

_NODES = 3
_DEPTH = 4
_STRING = re.compile(r"([^|]*)(\|[^()=]*\|)(\)?)")
"""An arch string with what stands around it: ``arch = ``, or the ``Structure(4 nodes with `` of its class."""
_BEFORE = re.compile(r"(.*[=:])?(\w+\((?:[0-9]+nodeswith)?)?")
_WORDS = re.compile(r"[\[(]?\s*\w+(?:[,\s]+\w+){5}\s*[)\]]?")
"""Operators in a row, without quotes."""
_BARE = re.compile(r"\|?\w+~[0-9](?:(?:\||\|?\+\|?)\w+~[0-9])*\|?")
"""An arch string, with or without the bars at the ends of nodes."""
_BRACKETS = {"(": ")", "[": "]"}
_EDGE = re.compile(r"([^|+~]+)(?:~([0-9]{1,3}))?")
_CONFIGURED = re.compile(r"([1-3])<-([0-2])")
_DIGITS = re.compile(r"[0-9]{6}")
_BLANKS = re.compile(r"\s+")


def edges_of(value: Any, depth: int = _DEPTH) -> list[Edge]:
    """The edges that a plain value names, in the order of the arch string; empty where it is no cell.

    Example:
        >>> edges_of("Structure(4 nodes with |none~0|+|none~0|none~1|+|none~0|none~1|none~2|)")[:3]
        [('none', 0), ('none', 0), ('none', 1)]
        >>> edges_of([["none"], ["none", "none"], [["none", 0], ["none", 1], ["none", 2]]])[2:4]
        [('none', None), ('none', 0)]
    """
    if isinstance(value, WrittenCall):
        value = value.parts(ATTRIBUTES[:1])
    if isinstance(value, str):
        return _of_text(value)
    if isinstance(value, dict):
        return _of_parts(value, depth)
    if not isinstance(value, list) or depth < 0:
        return []
    if len(value) == 1:
        return edges_of(value[0], depth - 1)
    if len(value) == _NODES:
        nodes = [_of_node(node) for node in value]
        return [edge for node in nodes for edge in node] if [*map(len, nodes)] == [1, 2, 3] else []
    return [edge for item in value for edge in _of_item(item)]


def _of_text(text: str) -> list[Edge]:
    if _WORDS.fullmatch(text):
        return [(op, None) for op in re.findall(r"\w+", text)]
    text = _BLANKS.sub("", text)
    if _DIGITS.fullmatch(text):
        return [(int(digit), None) for digit in text]
    if text[:1] in _BRACKETS and text[-1:] == _BRACKETS[text[:1]]:
        return _of_text(text[1:-1])
    if _BARE.fullmatch(text):
        text = "+".join(f"|{node.strip('|')}|" for node in text.split("+"))
    match = _STRING.fullmatch(text)
    if match is None or not _BEFORE.fullmatch(match[1]) or match[1].endswith(("with", "(")) != bool(match[3]):
        return []
    nodes = [node[1:-1].split("|") for node in match[2].split("+") if node[:1] == node[-1:] == "|"]
    parts = [part.partition("~") for node in nodes for part in node]
    if [*map(len, nodes)] != [1, 2, 3] or not all(op and source.isdecimal() for op, _, source in parts):
        return []
    return [(op, int(source[:3])) for op, _, source in parts]


def _of_node(node: Any) -> list[Edge]:
    """The edges of one node: ``|op~0|op~1|``, or a list."""
    if isinstance(node, str) and node.startswith("|") and node.endswith("|"):
        node = node[1:-1].split("|")
    elif not isinstance(node, list) or _is_edge(node):
        node = [node]
    edges = [edge for item in node for edge in _of_item(item)]
    return edges if len(edges) == len(node) else []


def _is_edge(item: Any) -> bool:
    """Whether it is an operator's name with a source."""
    return isinstance(item, list) and len(item) == 2 and isinstance(item[0], str) and whole(item[1]) is not None


def _of_item(item: Any) -> list[Edge]:
    """The edge that an item names; none where it is no edge."""
    if isinstance(item, str):
        match = _EDGE.fullmatch(_BLANKS.sub("", item))
        return [] if match is None else [(match[1], None if match[2] is None else int(match[2]))]
    if _is_edge(item):
        return [(item[0], whole(item[1]))]
    return [(item, None)] if type(item) is int else []


def _of_parts(parts: dict[Any, Any], depth: int) -> list[Edge]:
    """The edges of a structure's attributes, or of a configuration ``{"1<-0": operator, ...}``."""
    configured = {match.groups(): op for name, op in parts.items() if (match := _CONFIGURED.fullmatch(str(name)))}
    if configured:
        ordered = [(configured[target, source], int(source)) for target, source in sorted(configured)]
        return [(op, source) for op, source in ordered if isinstance(op, str | int)]
    for name in ATTRIBUTES:
        if name in parts:
            return edges_of(parts[name], depth - 1)
    return []
