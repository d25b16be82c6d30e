"""Part: an encoder or head with options, as one argument of a predictor that scikit-learn can look into."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archpredict.errors import UnknownNameError, UsageError, described
from archpredict.registry import resolve

__all__ = ["Part"]


@dataclass(frozen=True, init=False, repr=False, eq=False)
class Part:
    """An encoder or a head and the keyword arguments of its constructor.

    It never changes: :meth:`Predictor.set_params <archpredict.predict.predictor.Predictor.set_params>` puts another one
    in its place. Two are equal if kind and options are.

    Args:
        kind: Name of the plug-in, a ``module:Class`` reference, or a class.
        options: Keyword arguments.

    Example:
        >>> Part("gcn", dim=64)
        Part('gcn', dim=64)
        >>> Part("gcn", dim=64) == Part("gcn", dim=32)
        False
    """

    kind: str | type
    options: Mapping[str, Any]

    def __init__(self, kind: str | type, /, **options: Any) -> None:
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "options", options)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """A copy of the options, as scikit-learn asks for them."""
        return dict(self.options)

    def __sklearn_clone__(self) -> Part:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Part) and (self.kind, self.options) == (other.kind, other.options)

    __hash__ = None  # type: ignore[assignment]  # options may hold lists

    def __repr__(self) -> str:
        kind = self.kind.__qualname__ if isinstance(self.kind, type) else repr(self.kind)
        return f"Part({', '.join([kind, *(f'{name}={value!r}' for name, value in self.options.items())])})"


PartLike = str | type | Part
"""What names a part: its name, its class, or either with options."""


def kind_of(given: Any) -> Any:
    """The name or class of what names a part."""
    return given.kind if isinstance(given, Part) else given


def options_of(given: Any) -> dict[str, Any]:
    """The options of what names a part; a bare name has none."""
    return dict(given.options) if isinstance(given, Part) else {}


def with_options(given: Any, changes: Mapping[str, Any]) -> Part:
    """The same part, some of its options replaced."""
    return Part(kind_of(given), **{**options_of(given), **changes})


def class_of(plural: str, argument: str, given: Any, base: type) -> Any:
    """The class that an argument names.

    Args:
        plural: Kind of plug-in, e.g. ``encoders``.
        argument: What the argument is called.
        given: What was given for it.
        base: What the class has to derive from.

    Raises:
        UnknownNameError: No plug-in has this name.
        UsageError: It is no class derived from ``base``.
    """
    kind = kind_of(given)
    if not isinstance(kind, (str, type)):
        raise UsageError(
            f"{argument} is a name, a class derived from {base.__module__}.{base.__name__}, or a Part of one of them; "
            f"{given!r} was given"
        )
    return resolve(plural, kind, base)


def check_part_options(what: str, kind: type, options: Mapping[str, Any], supplied: int) -> None:
    """The constructor of a class takes these options.

    Args:
        what: The class in words, e.g. ``the encoder gcn``.
        kind: The class.
        options: Keyword arguments by name.
        supplied: How many arguments before them are supplied by the predictor.

    Raises:
        UsageError: One of them does not exist; the message lists those there are.
    """
    parameters = list(inspect.signature(kind).parameters.values())
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return
    taken = [p.name for p in parameters[supplied:] if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    for name in options:
        if name not in taken and not taken:
            raise UsageError(f"{what} has no options, {name!r} was given; leave it out")
        if name not in taken:
            raise UnknownNameError(f"option of {what}", name, taken)


def made(what: str, kind: Any, supplied: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """An object of a class.

    Args:
        what: The class in words.
        kind: The class.
        supplied: Arguments that the predictor supplies.
        options: Keyword arguments by name, as the user gave them.

    Raises:
        UsageError: The constructor refuses the options; the message says why.
    """
    try:
        return kind(*supplied, **options)
    except UsageError:
        raise
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        if not options:
            raise
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise UsageError(f"{what} cannot be made with {given}: {described(error)}; give other options") from error
