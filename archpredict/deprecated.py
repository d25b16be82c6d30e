"""Old names of arguments and functions, which work with a warning until the version that removes them.

The warning is a ``FutureWarning``, which Python shows to everyone who calls, not only to those who test.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from archpredict.errors import UsageError

__all__ = ["renamed_arguments", "renamed_function"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def renamed_arguments(removed_in: str, /, **new_names: str) -> Callable[[_Function], _Function]:
    """Decorator for a function, method or constructor some of whose arguments had other names.

    Args:
        removed_in: Version that no longer knows the old names.
        new_names: For each old name the new one.

    Raises:
        UsageError: At a call that gives an argument by both names.

    Example:
        >>> @renamed_arguments("0.3", committee="ensemble")
        ... def size(ensemble=1):
        ...     return ensemble
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     size(committee=3)
        3
        >>> print(caught[0].message)
        the argument 'committee' of size() is called 'ensemble' now; version 0.3 removes the old name
    """

    def decorated(function: _Function) -> _Function:
        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            for old in new_names.keys() & kwargs.keys():
                kwargs = _with_new_name(function.__qualname__, old, new_names[old], removed_in, kwargs)
            return function(*args, **kwargs)

        return called  # type: ignore[return-value]  # it takes what the function takes, and the old names

    return decorated


def renamed_function(function: _Function, name: str, removed_in: str) -> _Function:
    """A function or class under the name that it had.

    Args:
        function: The function under its new name.
        name: The old one.
        removed_in: Version that no longer knows it.

    Example:
        >>> members = renamed_function(len, "members", "0.3")
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     members([1, 2])
        2
        >>> print(caught[0].message)
        members() is called len() now; version 0.3 removes the old name
    """

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        _warn(f"{name}() is called {function.__qualname__}() now; version {removed_in} removes the old name")
        return function(*args, **kwargs)

    called.__name__ = called.__qualname__ = name
    return called  # type: ignore[return-value]  # the same function


def _with_new_name(function: str, old: str, new: str, removed_in: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    shown = f"{function.removesuffix('.__init__')}()"
    if new in kwargs:
        raise UsageError(f"{shown} was given {new!r} and, by its old name, {old!r} too; leave out {old!r}")
    _warn(f"the argument {old!r} of {shown} is called {new!r} now; version {removed_in} removes the old name", 4)
    return {**{name: value for name, value in kwargs.items() if name != old}, new: kwargs[old]}


def _warn(message: str, depth: int = 3) -> None:
    """Warn at the line of the caller, which is so many calls away."""
    warnings.warn(message, FutureWarning, stacklevel=depth)
