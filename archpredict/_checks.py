"""Checks of arguments: each answers in one sentence with what was given and what was expected."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

from archpredict.errors import UnknownNameError, UsageError, whole_number


def check_integer(name: str, value: Any, least: int) -> None:
    """The value is an integer of at least ``least``; numbers of numpy are, truth values are not.

    Example:
        >>> check_integer("epochs", "3", 1)
        Traceback (most recent call last):
        archpredict.errors.UsageError: epochs is an integer of at least 1, '3' was given
    """
    whole_number(name, value, least)


def check_share(name: str, value: Any, *, above_0: bool = False, up_to_1: bool = False) -> None:
    """The value is a number from 0, or only above it, to below 1, or 1 itself.

    Example:
        >>> check_share("share", 1.0)
        Traceback (most recent call last):
        archpredict.errors.UsageError: share is a number of at least 0 and below 1, 1.0 was given
    """
    inside = _is_number(value) and (value > 0 if above_0 else value >= 0) and (value <= 1 if up_to_1 else value < 1)
    if not inside:
        least, most = "above 0" if above_0 else "of at least 0", "at most 1" if up_to_1 else "below 1"
        raise UsageError(f"{name} is a number {least} and {most}, {value!r} was given")


def check_positive(name: str, value: Any) -> None:
    """The value is a finite number above 0."""
    if not (_is_number(value) and 0 < value < math.inf):
        raise UsageError(f"{name} is a finite number above 0, {value!r} was given")


def check_not_negative(name: str, value: Any) -> None:
    """The value is a finite number of at least 0."""
    if not (_is_number(value) and 0 <= value < math.inf):
        raise UsageError(f"{name} is a finite number of at least 0, {value!r} was given")


def check_flag(name: str, value: Any) -> None:
    """The value is True or False."""
    if not isinstance(value, bool):
        raise UsageError(f"{name} is True or False, {value!r} was given")


def check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """The value is one of some names."""
    if not isinstance(value, str) or value not in choices:
        raise UnknownNameError(name, str(value), choices)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
