"""Objects of other libraries as plain values, and the numbers among these.

What a plain value is, :mod:`archpredict.spaces._literals` says.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from archpredict.errors import integer
from archpredict.spaces._literals import MAX_DEPTH, WrittenCall

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
        if isinstance(given, str):
            return str(given)
        if isinstance(given, Mapping):
            self._check_size(len(given))
            return {self._key(name): self.value(item, depth - 1) for name, item in given.items()}
        if isinstance(given, tuple) and hasattr(given, "_fields"):
            return {name: self.value(item, depth - 1) for name, item in zip(given._fields, given, strict=True)}
        if isinstance(given, list | tuple | range):
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
