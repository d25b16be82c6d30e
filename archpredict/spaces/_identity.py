"""Equality of spaces by value: two objects are one space if they are of one class and have equal options."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import numpy as np


def options_of(space: Any) -> dict[str, Any]:
    """Options of an object: its public attributes, and those that its constructor's arguments went into.

    An argument ``width`` is found as ``width`` or ``_width``; where one is found as neither, every attribute counts.
    Results that ``cached_property`` keeps do not, nor other private attributes, which may be caches too.
    """
    kind: Any = type(space)
    values = {name: value for name, value in vars(space).items() if name not in _cached(kind)}
    arguments = _arguments(kind)
    if arguments is None or not all(name in values or f"_{name}" in values for name in arguments):
        return values
    wanted = {*arguments, *(f"_{name}" for name in arguments)}
    return {name: value for name, value in values.items() if name in wanted or not name.startswith("_")}


def are_equal(a: Any, b: Any) -> bool:
    """Whether two values are equal, with arrays, and containers of arrays, compared by their elements."""
    if a is b:
        return True
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(are_equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(are_equal, a, b))
    try:
        return bool(a == b)
    except (ValueError, TypeError, RuntimeError):  # equality of the user's own that gives no truth value
        return False


@cache
def _cached(kind: type[Any]) -> frozenset[str]:
    return frozenset(name for name in dir(kind) if isinstance(inspect.getattr_static(kind, name), cached_property))


@cache
def _arguments(kind: type) -> tuple[str, ...] | None:
    """Names of the constructor's arguments; None where it takes any."""
    if kind.__init__ is object.__init__:  # type: ignore[misc]
        return ()
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    if any(p.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD) for p in parameters):
        return None
    return tuple(p.name for p in parameters)
