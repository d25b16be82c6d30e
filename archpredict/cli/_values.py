"""Texts of the command line as values of the types that options are annotated with."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

_TRUE, _FALSE, _NONE = ("true", "yes", "1"), ("false", "no", "0"), ("none", "null")


class WrongValueError(ValueError):
    """A text that is no value of a type; the message says what is expected."""


def read_value(text: str, kind: Any = Any) -> Any:
    """The value that a text is.

    Args:
        text: What was typed.
        kind: A type, a union of types, ``Literal``, tuples, sequences and mappings of them; JSON, else the text itself,
            where it is ``Any`` or a class of which no text can be one.

    Raises:
        WrongValueError: The text is none.

    Example:
        >>> read_value("3", int | None), read_value("none", int | None), read_value("0.5,0.9", tuple[float, float])
        (3, None, (0.5, 0.9))
    """
    readable = [member for member in _members(kind) if _is_readable(member)]
    expected = []
    for member in sorted(readable, key=_rank):
        try:
            return _read(text, member)
        except ValueError as error:
            expected.append(str(error) if isinstance(error, WrongValueError) else _named(member))
    if not readable:
        return _free(text)
    raise WrongValueError(" or ".join(expected))


def admits_mapping(kind: Any) -> bool:
    """Whether a mapping is a value of a type, so that its entries can be given one by one."""
    return any(member is Any or get_origin(member) in (Mapping, dict) or member is dict for member in _members(kind))


def _members(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _rank(kind: Any) -> int:
    """Types that few texts belong to come first."""
    order = (types.NoneType, None, bool, int, float)
    return order.index(kind) if kind in order else 8 if kind in (str, Path) else 9 if kind is Any else 7


def _is_readable(kind: Any) -> bool:
    simple = (Any, types.NoneType, None, bool, int, float, str, Path, dict)
    return kind in simple or get_origin(kind) in (Literal, tuple, list, Sequence, Mapping, dict)


def _named(kind: Any) -> str:
    return {int: "an integer", float: "a number", dict: "a JSON object"}.get(get_origin(kind) or kind, "another value")


def _read(text: str, kind: Any) -> Any:
    if kind in (None, types.NoneType):
        return _none(text)
    if kind is bool:
        return _truth(text)
    if kind is int:
        return int(text)
    if kind is float:
        return _number(text)
    if kind in (str, Path):
        return text
    origin = get_origin(kind)
    if origin is Literal:
        return _choice(text, get_args(kind))
    if origin in (tuple, list, Sequence):
        return _items(text, origin, get_args(kind))
    return _free(text) if kind is Any else _mapping(text)


def _none(text: str) -> None:
    if text.lower() not in _NONE:
        raise WrongValueError("none")


def _truth(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise WrongValueError("true or false")
    return text.lower() in _TRUE


def _number(text: str) -> float:
    number = float(text)
    if math.isnan(number):
        raise WrongValueError("a number")
    return number


def _choice(text: str, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if str(choice) == text:
            return choice
    raise WrongValueError(f"one of {', '.join(map(str, choices))}")


def _items(text: str, origin: Any, kinds: tuple[Any, ...]) -> Any:
    """Items between commas, or a JSON array; as many as a tuple says."""
    if text.lstrip().startswith("["):
        parts = [item if isinstance(item, str) else json.dumps(item) for item in _json(text, list, "a JSON array")]
    else:
        parts = [part.strip() for part in text.split(",") if part.strip()]
    fixed = origin is tuple and kinds and kinds[-1] is not ...
    if fixed and len(parts) != len(kinds):
        raise WrongValueError(f"{len(kinds)} values between commas")
    each = kinds if fixed else (kinds[:1] or (Any,)) * len(parts)
    values = [read_value(part, kind) for part, kind in zip(parts, each, strict=True)]
    return tuple(values) if origin is tuple else values


def _mapping(text: str) -> Any:
    return _json(text, dict, "a JSON object")


def _json(text: str, kind: type, what: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise WrongValueError(what) from error
    if not isinstance(value, kind):
        raise WrongValueError(what)
    return value


def _free(text: str) -> Any:
    """JSON, else the text as it is."""
    if text.lower() in _NONE:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
