"""``--option NAME=VALUE``: options of what a command uses, be it a strategy, an evaluator or a predictor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from archpredict.cli._options import pairs_option
from archpredict.cli._values import WrongValueError, admits_mapping, read_value
from archpredict.errors import UsageError
from archpredict.registry.options import Option

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

Path = tuple[str, ...]
"""An owner's option, and where it has options of its own, one of those."""


@dataclass(frozen=True)
class Owner:
    """The owner of options that can be set.

    Args:
        name: What stands before the dot, e.g. ``"strategy"``.
        what: What it is called in messages, e.g. ``"the strategy ctnas"``.
        options: Its options by name; options of an option stand behind a dot.
        with_flags: Those that have a flag of their own, which is to be used.
        checks_entries: Whether it says itself what is wrong with options of an option.
    """

    name: str
    what: str
    options: Mapping[str, Option]
    with_flags: Sequence[str] = ()
    checks_entries: bool = False


def option_option(text: str) -> Callable[[_Decorated], _Decorated]:
    """``--option``, repeatable: texts by name."""
    return pairs_option("--option", "rounds=3", text, read=str)


def full_names(given: Mapping[str, str], owners: Sequence[Owner]) -> dict[str, str]:
    """The texts by names that begin with the owner's.

    Raises:
        UsageError: A name is nobody's option, or that of several.
    """
    return {".".join(_owned(name, owners)): text for name, text in given.items()}


def values(given: Mapping[str, str], owner: Owner) -> Iterator[tuple[Path, Any]]:
    """Options of one owner with their values, as the annotated types have them.

    Args:
        given: Texts by full names.
        owner: Whose are wanted.

    Raises:
        UsageError: A text is no value of the option's type.
    """
    for name, text in given.items():
        first, *path = name.split(".")
        if first == owner.name:
            kind = _kind(owner, tuple(path), name)
            try:
                yield tuple(path), read_value(text, kind)
            except WrongValueError as wrong:
                raise UsageError(f"--option {name}={text}: expected {wrong}") from wrong


def assign(target: dict[str, Any], path: Path, value: Any) -> None:
    """Put a value into nested mappings."""
    for name in path[:-1]:
        target[name] = dict(target.get(name) or {})
        target = target[name]
    target[path[-1]] = value


def _owned(name: str, owners: Sequence[Owner]) -> Path:
    first, *rest = name.split(".")
    for owner in owners:
        if first == owner.name and rest:
            _check_known(rest[0], owner)
            return (first, *rest)
    holders = [owner for owner in owners if first in owner.options and first not in owner.with_flags]
    if len(holders) > 1:
        ways = " or ".join(f"--option {owner.name}.{name}=..." for owner in holders)
        raise UsageError(f"--option {name}: {' and '.join(o.what for o in holders)} have this option; write {ways}")
    if not holders:
        for owner in owners:
            _check_flag(first, owner)
        raise UsageError(f"--option {name}: there is no option {first!r}; {'; '.join(map(_listed, owners))}")
    return (holders[0].name, first, *rest)


def _check_known(name: str, owner: Owner) -> None:
    _check_flag(name, owner)
    if name not in owner.options:
        raise UsageError(f"--option {owner.name}.{name}: there is no option {name!r}; {_listed(owner)}")


def _check_flag(name: str, owner: Owner) -> None:
    if name in owner.with_flags:
        raise UsageError(f"--option {name}: this has a flag of its own, --{name}; use that")


def _listed(owner: Owner) -> str:
    known = [name for name in owner.options if name not in owner.with_flags]
    return f"{owner.what} has: {', '.join(known)}" if known else f"{owner.what} has no options"


def _kind(owner: Owner, path: Path, name: str) -> Any:
    """The type of an option, or of an entry of one."""
    for length in range(len(path), 0, -1):
        option = owner.options.get(".".join(path[:length]))
        if option is not None and length == len(path):
            return option.type
        if option is not None and (owner.checks_entries or admits_mapping(option.type)):
            return Any
    raise UsageError(f"--option {name}: there is no such option; {_listed(owner)}")
