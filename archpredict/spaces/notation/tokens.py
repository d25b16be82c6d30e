"""Tokens of literals: the numbers, texts, names and marks that Python, JSON and NumPy print."""

from __future__ import annotations

import re

MAX_DIGITS = 30

TOKEN = re.compile(
    r"""(?:\s|\#[^\n]*)*(?:
    (?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?L?(?![\w.]))
    |(?P<special>[+-](?:inf|Infinity|nan)\b)
    |(?P<text>(?:[uUrR]|[rR]?[bB][rR]?)?(?:'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"))
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    |(?P<object><\w[^<>]*>)
    |(?P<mark>[\[\](){},:=])
    |(?P<end>\Z)
    |(?P<wrong>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
"""A token with the blanks and comments before it; the group that matched is its kind."""
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}


class NotALiteralError(ValueError):
    """The text is no literal from here on."""


def number_of(token: str) -> int | float:
    """The value of a number."""
    token = token.removesuffix("L")  # as Python 2 writes long integers
    if len(token) > MAX_DIGITS or _LEADING_ZERO.match(token):  # such as 031022, a row of digits
        raise NotALiteralError
    try:
        return int(token)
    except ValueError:
        return float(token)


def unquoted(token: str) -> str:
    """What a text in quotes says."""
    quote = min(place for place in (token.find("'"), token.find('"')) if place >= 0)
    inner = token[quote + 1 : -1]
    return inner if "r" in token[:quote].lower() or "\\" not in inner else _ESCAPE.sub(_escaped, inner)


def _escaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) > 1:
        return chr(int(code[1:], 16))
    return _ESCAPES.get(code, code)
