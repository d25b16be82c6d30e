"""Evaluators from what the command line says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archpredict.errors import ArchPredictError, UsageError
from archpredict.evaluators.base import Evaluator
from archpredict.registry import described, find, make, names, resolve
from archpredict.spaces.base import SearchSpace

Invocation = Mapping[str, Any]

_UNSET: Mapping[str, Any] = {
    "data": None,
    "target": None,
    "command": None,
    "timeout": None,
    "retries": 0,
    "jobs": 1,
    "dataset": None,
    "training": {},
    "network": {},
}
"""Options that belong to some evaluators, and the values that say that they were not given."""


def build_evaluator(invocation: Invocation, space: SearchSpace) -> Evaluator:
    """The evaluator that ``--evaluator`` and its companions describe.

    Args:
        invocation: Values of the options ``evaluator``, ``command``, ``timeout``, ``data``, ....
        space: What is searched.
    """
    reference = str(invocation["evaluator"])
    name, argument = split_reference(reference)
    if ":" in name and not isinstance(find("evaluators", name), type):
        made: Evaluator = make("evaluators", name, Evaluator)
        return made
    kind: type[Evaluator] = resolve("evaluators", name, Evaluator)
    for option, unset in _UNSET.items():
        if invocation[option] != unset and option not in kind.command_line_options:
            raise UsageError(_not_its_own(option, reference))
    try:
        return kind.from_command_line(argument, space, invocation)
    except ArchPredictError:
        raise
    except Exception as error:
        if name in names("evaluators"):
            raise
        raise UsageError(f"{reference} cannot be made: {described(error)}") from error


def split_reference(reference: str) -> tuple[str, str | None]:
    """``NAME:ARGUMENT`` of an evaluator that there is; what names a class of the user's own stays whole."""
    name, colon, argument = reference.partition(":")
    return (name, argument) if colon and name.replace("_", "-") in names("evaluators") else (reference, None)


def absolute(reference: str | None) -> str | None:
    """``NAME:PATH`` or ``file.py:Class`` such that it can be resumed from another folder."""
    text = reference or ""
    location, _, attribute = text.rpartition(":")
    if location.endswith(".py"):
        return f"{Path(location).absolute()}:{attribute}"
    name, _, argument = text.partition(":")
    path, question, options = argument.partition("?")
    if path and Path(path).exists():
        return f"{name}:{Path(path).absolute()}{question}{options}"
    return reference


def _not_its_own(option: str, reference: str) -> str:
    known = {name: resolve("evaluators", name, Evaluator).command_line_options for name in names("evaluators")}
    owners = " or ".join(name for name, options in known.items() if option in options)
    flag = f"--{option.replace('_', '-')}"
    return f"{flag} belongs to --evaluator {owners}, --evaluator {reference} was given; leave one out"
