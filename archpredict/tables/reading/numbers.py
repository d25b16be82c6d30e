"""Numbers in tables, and what a column holds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

import numpy as np

from archpredict.tables.formats.base import ABSENT, Kind

_PLAIN = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?([eE][-+]?\d{1,3})?")
"""Texts that stay what they are as numbers: no leading zeros (a chain of operators may be ``00120``), no signs."""

_BLANKS = " \t\r\n"
"""What may stand around a number; other separators, which are blanks to ``str.strip`` alone, make it a text."""

_LARGEST_INTEGER = 2**53
"""Beyond it integers change as they go through programs that know only doubles."""


def number(value: object) -> float | None:
    """A field of text or a JSON number as a float; None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or (isinstance(value, str) and "_" in value):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:  # a JSON integer of more than 308 digits
        return math.inf


def kind_of(value: Any) -> Kind | None:
    """The kind of a single value; None where it is missing."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        match = _PLAIN.fullmatch(value.strip(_BLANKS))
        if match is None or not math.isfinite(float(value)):
            return "text"
        whole = match[2] is None and match[3] is None and abs(int(value)) <= _LARGEST_INTEGER
        return "integer" if whole else "number"
    if type(value) is int and abs(value) <= _LARGEST_INTEGER:
        return "integer"
    return "number" if isinstance(value, float) and math.isfinite(value) else "value"


def joined(a: Kind | None, b: Kind | None) -> Kind | None:
    """The narrowest kind that holds both."""
    if a is None or b is None or a == b:
        return a or b
    if {a, b} == {"integer", "number"}:
        return "number"
    return "value" if "value" in (a, b) else "text"


def as_written(values: Sequence[Any], kind: Kind) -> Sequence[Any]:
    """The values of a column as its kind has them; None for those that are missing and numbers that are not finite."""
    types = set(map(type, values))
    if kind == "text" and types <= {str, NoneType}:
        return values
    if kind == "number" and types == {float} and np.isfinite(values).all():
        return values
    return [value if value is ABSENT else finite(as_kind(value, kind)) for value in values]


def finite(value: Any) -> Any:
    """The value with None for each number in it that is not finite."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_kind(value: Any, kind: Kind) -> Any:
    """A value as its column has it; None where it is missing."""
    if value is None or (value == "" and kind in ("integer", "number")):
        return None
    if kind == "integer":
        return int(value)
    if kind == "number":
        return float(value)
    if kind == "text" or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value
