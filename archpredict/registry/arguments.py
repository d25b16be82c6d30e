"""Arguments: checked, each in one sentence with what was given and what was expected, and described as JSON."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from numbers import Real
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

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


# ---------------------------------------------------------------------- descriptions

INCOMPARABLE = "incomparable"
"""Key of the description of an object of which only the class is known."""


def describe(value: Any) -> Any:
    """A value as JSON, such that equal values have equal descriptions, in another process too.

    Estimators of scikit-learn and dataclasses are described by class and arguments, classes by name, functions by name,
    a digest of their code, and the values that they have taken along. Of any other object only the class is told:
    ``{"incomparable": "module.Class"}``.

    Example:
        >>> describe({"share": np.float64(0.5), "betas": (0.9, 0.99)})
        {'share': 0.5, 'betas': [0.9, 0.99]}
        >>> describe(lambda x: x + 1) == describe(lambda x: x + 1)
        True
        >>> describe(lambda x: x + 1) == describe(lambda x: x + 2)
        False
        >>> describe(object())
        {'incomparable': 'builtins.object'}
    """
    return _described(value, ())


def _described(value: Any, inside: tuple[FunctionType, ...]) -> Any:
    """The description of a value that these functions have taken along."""
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, np.generic):
        return _described(value.item(), inside)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"number": str(float(value))}
    if isinstance(value, Mapping):
        return {k if isinstance(k, str) else _text(k): _described(v, inside) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_described(v, inside) for v in value]
    if isinstance(value, set | frozenset):
        return {"set": sorted((_described(v, inside) for v in value), key=_text)}
    return _described_object(value, inside)


def _described_object(value: Any, inside: tuple[FunctionType, ...]) -> Any:
    if isinstance(value, np.ndarray) and value.dtype != object:
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"array": [str(value.dtype), *value.shape], "sha256": digest}
    if isinstance(value, type):
        return {"type": _name(value)}
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Enum):
        return {"class": _name(type(value)), "member": value.name}
    if isinstance(value, functools.partial):
        return {"class": "functools.partial", "arguments": _described([value.func, value.args, value.keywords], inside)}
    if isinstance(value, MethodType):
        return {**_described_object(value.__func__, inside), "self": _described(value.__self__, inside)}
    if isinstance(value, FunctionType):
        return _described_function(value, inside)
    if isinstance(value, BuiltinFunctionType):
        return {"function": _name(value)}
    if is_dataclass(value):
        return {
            "class": _name(type(value)),
            **_described({f.name: getattr(value, f.name) for f in fields(value)}, inside),
        }
    return _described_estimator(value, inside)


def _described_estimator(value: Any, inside: tuple[FunctionType, ...]) -> Any:
    from sklearn.base import BaseEstimator

    if isinstance(value, BaseEstimator):
        return {"class": _name(type(value)), **_described(value.get_params(deep=False), inside)}
    return {INCOMPARABLE: _name(type(value))}


def _described_function(function: FunctionType, inside: tuple[FunctionType, ...]) -> dict[str, Any]:
    described: dict[str, Any] = {"function": _name(function), "code": _digest(function.__code__)}
    if function in inside:  # it calls itself, or is called back
        return described
    try:
        taken = inspect.getclosurevars(function).nonlocals
    except ValueError:  # a variable of an enclosing function that has no value yet
        taken = {}
    given = {"defaults": function.__defaults__, "keywords": function.__kwdefaults__, "closure": taken}
    return {**described, **_described({name: value for name, value in given.items() if value}, (*inside, function))}


def _digest(code: CodeType) -> str:
    """What tells one function's code from another's: neither file and line, nor where constants lie in memory."""
    parts = (code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars, code.co_argcount)
    return hashlib.sha256(_text([parts, [_constant(c) for c in code.co_consts]]).encode()).hexdigest()[:16]


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return {"code": _digest(value)}
    if isinstance(value, tuple):
        return [_constant(v) for v in value]
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    return repr(value)


def _text(value: Any) -> str:
    return json.dumps(describe(value), sort_keys=True)


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"
