"""Objects of other libraries as plain values, and the numbers among these.

What a plain value is, :mod:`archpredict.spaces.notation.literals` says.
"""

from __future__ import annotations

import json
import math
import re
from collections import UserString, deque
from collections.abc import Mapping, Sequence, Set, ValuesView
from typing import Any

import numpy as np

from archpredict.errors import integer
from archpredict.spaces.notation.literals import MAX_DEPTH, WrittenCall, read

MAX_VALUES = 10_000


def plain(given: Any, attributes: Sequence[str] = ()) -> Any:
    """An object as a plain value; texts stay as they are.

    Args:
        given: A text, number, mapping, sequence, array, named tuple, or an object with attributes.
        attributes: Those by which other libraries' objects hold an architecture.

    Raises:
        ValueError: It is nothing of the kind, too large, or fails when it is looked at.

    Example:
        >>> plain({"d": np.array([2, 3]), "r": (np.int64(224),)})
        {'d': [2, 3], 'r': [224]}
    """
    try:
        return _ObjectReader(attributes).value(given, MAX_DEPTH)
    except ValueError:
        raise
    except Exception as error:  # whatever a foreign object does
        raise ValueError(
            f"an object of the type {type(given).__name__} cannot be looked at: {type(error).__name__}"
        ) from error


class _ObjectReader:
    """Takes objects apart, as long as there are not too many values."""

    def __init__(self, attributes: Sequence[str]) -> None:
        self._attributes = attributes
        self._left = MAX_VALUES

    def value(self, given: Any, depth: int) -> Any:
        self._left -= 1
        if depth < 0 or self._left < 0:
            raise ValueError(f"it has more than {MAX_VALUES} values or is nested deeper than {MAX_DEPTH} levels")
        if given is None or type(given) in (bool, int, float, str, WrittenCall):
            return given
        if isinstance(given, np.generic):
            return self._scalar(given)
        if isinstance(given, str | UserString):
            return str(given)
        if isinstance(given, bytes | bytearray):
            return given.decode()
        if isinstance(given, Mapping):
            self._check_size(len(given))
            return {self._key(name): self.value(item, depth - 1) for name, item in given.items()}
        if isinstance(given, tuple) and hasattr(given, "_fields"):
            return {name: self.value(item, depth - 1) for name, item in zip(given._fields, given, strict=True)}
        if isinstance(given, Sequence | Set | ValuesView | deque):
            self._check_size(len(given))
            return [self.value(item, depth - 1) for item in given]
        if hasattr(given, "tolist") and hasattr(given, "dtype"):  # arrays, tensors, series
            self._check_size(math.prod(given.shape))
            return self.value(given.tolist(), depth - 1)
        return self._of_attributes(given, depth)

    def _scalar(self, given: np.generic) -> Any:
        value = given.item()
        if type(value) not in (bool, int, float, str):
            raise ValueError(f"an object of the type {type(given).__name__} was given")
        return value

    def _key(self, name: Any) -> Any:
        return name if isinstance(name, str | int | float) else json.dumps(name, default=str)

    def _of_attributes(self, given: Any, depth: int) -> Any:
        found = {}
        if depth == MAX_DEPTH and not isinstance(given, type):
            found = {name: value for name in self._attributes if (value := getattr(given, name, None)) is not None}
        if not found:
            whole = integer(given)
            if whole is not None:
                return whole
            raise ValueError(f"an object of the type {type(given).__name__} was given")
        return {name: self.value(value, depth - 1) for name, value in found.items()}

    def _check_size(self, size: int) -> None:
        if size > self._left:
            raise ValueError(f"it has more than {MAX_VALUES} values")


# ---------------------------------------------------------------------- what is around an architecture


_MAX_WRAPPED = 3
_NAMES = ("architecture", "arch", "arch_str", "genotype", "cell", "config", "spec", "model_spec", "subnet", "arc")
"""What an architecture is called in a dictionary that holds other things beside it, maybe as the best one."""


def unwrapped(value: Any, parts: Sequence[str]) -> Any:
    """The architecture in a dictionary, call or list that is no notation: its only entry, or the one of a known name.

    Args:
        value: A plain value.
        parts: Names of the parts of a notation; what has one of these is left as it is.

    Example:
        >>> unwrapped({"genotype": {"normal": [], "reduce": []}, "acc": 93.1}, ("normal", "reduce"))
        {'normal': [], 'reduce': []}
        >>> unwrapped(["'|none~0|'"], ()), unwrapped([3], ()), unwrapped({0: 3, 1: 4}, ())
        ('|none~0|', [3], [3, 4])
    """
    for _ in range(_MAX_WRAPPED):
        inner = _inside(value, parts)
        if inner is value:
            break
        value = read(inner) if isinstance(inner, str) else inner
    return value


def _inside(value: Any, parts: Sequence[str]) -> Any:
    if isinstance(value, list):
        return value[0] if len(value) == 1 and _is_wrapped(value[0]) else value
    entries = value
    if isinstance(value, WrittenCall):
        entries = dict(enumerate(value.arguments)) | value.keywords
    if not isinstance(entries, dict) or any(str(name).lower() in parts for name in entries):
        return value
    if len(entries) == 1:
        return next(iter(entries.values()))
    if isinstance(value, dict) and [str(name) for name in value] == [*map(str, range(len(value)))] and value:
        return [*value.values()]
    called = [name for name in entries if str(name).lower().removeprefix("best_") in _NAMES]
    return entries[called[0]] if len(called) == 1 else value


def _is_wrapped(item: Any) -> bool:
    return isinstance(item, dict | WrittenCall) or (isinstance(item, str) and whole(item) is None)


def read_parts(value: Any) -> Any:
    """A dictionary or call whose parts are read too where they are texts, such as fields of a table.

    Example:
        >>> read_parts({"d": "(2, 3)", "r": "224", "name": "mine"})
        {'d': [2, 3], 'r': '224', 'name': 'mine'}
    """
    if isinstance(value, WrittenCall):
        arguments = [read(part) if isinstance(part, str) else part for part in value.arguments]
        return WrittenCall(value.name, arguments, read_parts(value.keywords))
    if isinstance(value, dict):
        return {name: read(part) if isinstance(part, str) else part for name, part in value.items()}
    return value


# ---------------------------------------------------------------------- numbers


def whole(value: Any) -> int | None:
    """A whole number, however it is written: 3, 3.0, or ``"3"`` where an array holds texts too; else None.

    Example:
        >>> whole(3), whole(3.0), whole("3"), whole(0.5), whole(True), whole(None)
        (3, 3, 3, None, None, None)
    """
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if type(value) is str and _DIGITS.fullmatch(value):
        return int(value)
    return None


_DIGITS = re.compile(r"[0-9]{1,9}")


def wholes(value: Any) -> list[int] | None:
    """A list of whole numbers; None for anything else."""
    if not isinstance(value, list):
        return None
    found = [whole(item) for item in value]
    return None if None in found else found  # type: ignore[return-value]
