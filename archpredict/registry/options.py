"""Options: the keyword arguments of plug-ins by name, with types, defaults and what their documentation says."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from archpredict.errors import UsageError

__all__ = ["REQUIRED", "Option", "check_options", "options_of", "takes_any"]

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_ENTRY = re.compile(r" {4}(\w+(?:, \w+)*): (.*)")
REQUIRED = inspect.Parameter.empty
"""The default of an option that has none."""


@dataclasses.dataclass(frozen=True)
class Option:
    """An option: one keyword argument of a plug-in.

    Args:
        name: Its name.
        type: What it is annotated with; Any where that cannot be told.
        default: Its default, or :data:`REQUIRED`.
        description: First sentence of the documentation, "" where there is none.
    """

    name: str
    type: Any = Any
    default: Any = REQUIRED
    description: str = ""

    def __str__(self) -> str:
        """The name, and the default where there is one.

        Example:
            >>> str(Option("rounds", int, 5)), str(Option("dataset", str))
            ('rounds=5', 'dataset')
        """
        return self.name if self.default is REQUIRED else f"{self.name}={self.default!r}"


def options_of(factory: Callable[..., Any], *, leave_out: Iterable[str] = ()) -> dict[str, Option]:
    """Options of a class or function: all that it can be given by name, in its order.

    Args:
        factory: A class, for its constructor, or a function.
        leave_out: Names that are no options: what the caller supplies.

    Example:
        >>> def train(images, *, epochs: int = 5): ...
        >>> [str(option) for option in options_of(train, leave_out=["images"]).values()]
        ['epochs=5']
    """
    documented, found = _documented(factory), dict[str, Option]()
    for parameter in inspect.signature(factory).parameters.values():
        if parameter.kind in _BY_NAME and parameter.name not in leave_out:
            kind = _evaluated(parameter.annotation, factory)
            found[parameter.name] = Option(
                parameter.name, kind, _default(parameter, factory), documented.get(parameter.name, "")
            )
    return found


def takes_any(factory: Callable[..., Any]) -> bool:
    """Whether a class or function takes keyword arguments that it does not name."""
    kinds = [parameter.kind for parameter in inspect.signature(factory).parameters.values()]
    return inspect.Parameter.VAR_KEYWORD in kinds


def check_options(what: str, given: Iterable[str], known: Mapping[str, Option], hint: str = "") -> None:
    """Check that all options that are given are known, and all that are needed are given.

    Args:
        what: Whose options they are, e.g. ``"the strategy random"``.
        given: Their names.
        known: As :func:`options_of` has them.
        hint: What else can be done where one is missing.

    Raises:
        UsageError: There is no such option, and the message lists those there are; or one is missing.
    """
    unknown = [name for name in given if name not in known]
    if unknown:
        close = get_close_matches(unknown[0], known, n=1)
        guess = f". Did you mean {close[0]!r}?" if close else ""
        takes = f"its options are: {', '.join(known)}" if known else "it has no options"
        raise UsageError(f"{what} has no option {', '.join(map(repr, unknown))}; {takes}{guess}")
    missing = [option for option in known.values() if option.default is REQUIRED and option.name not in set(given)]
    if missing:
        names = [f"`{option.name}`" + (f" ({option.description})" if option.description else "") for option in missing]
        raise UsageError(f"{what} needs {' and '.join(names)}; give {'it' if len(missing) == 1 else 'them'}{hint}")


def _default(parameter: inspect.Parameter, factory: Any) -> Any:
    """The default of a parameter; of a field of a dataclass that is made anew each time, one that was made."""
    for field in dataclasses.fields(factory) if dataclasses.is_dataclass(factory) else ():
        if field.name == parameter.name and field.default_factory is not dataclasses.MISSING:
            return field.default_factory()
    return parameter.default


def _evaluated(annotation: Any, factory: Any) -> Any:
    """An annotation as a type, also where the module keeps annotations as text; Any where it cannot be told."""
    if annotation is inspect.Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return annotation
    place = inspect.unwrap(getattr(factory, "__func__", factory))
    try:
        return eval(annotation, vars(sys.modules[place.__module__]))
    except Exception:  # names that only type checkers import
        return Any


def _documented(factory: Any) -> dict[str, str]:
    """First sentences of the entries below ``Args:``, of base classes too, without marks of reStructuredText."""
    places = reversed(inspect.getmro(factory)) if inspect.isclass(factory) else [factory]
    return {name: text for place in places for name, text in _entries(place.__doc__ or "").items()}


def _entries(documentation: str) -> dict[str, str]:
    lines = inspect.cleandoc(documentation).partition("Args:\n")[2].splitlines()
    entries: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        if not line.startswith("    "):
            break
        if entry := _ENTRY.fullmatch(line):
            names = entry[1].split(", ")
        for name in names:
            text = entry[2] if entry else f"{entries[name]} {line.strip()}"
            entries[name] = text
    return {name: _first_sentence(text) for name, text in entries.items()}


def _first_sentence(text: str) -> str:
    plain = re.sub(r"(:\w+:)?(`+)(.*?)\2", r"\3", text)
    return re.split(r"(?<!e\.g)(?<!i\.e)[.;](?:\s|$)", plain, maxsplit=1)[0]
