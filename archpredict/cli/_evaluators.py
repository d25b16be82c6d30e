"""The evaluator of a search: its name, and its options from flags and ``--option``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archpredict.cli._options import flag_of
from archpredict.errors import UsageError
from archpredict.evaluators.base import evaluator_options
from archpredict.registry import names

UNSET: Mapping[str, Any] = {
    "data": None,
    "target": None,
    "column": None,
    "command": None,
    "timeout": None,
    "retries": 0,
    "jobs": 1,
    "dataset": None,
    "training": {},
    "network": {},
}
"""Flags that set the option of this name of an evaluator, and the values that say that they were not given."""


def flag_options(invocation: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the evaluator that flags set.

    Raises:
        UsageError: It has no such option; the message names evaluators that have.
    """
    reference = str(invocation["evaluator"])
    known = evaluator_options(reference)
    given = {name: invocation[name] for name, unset in UNSET.items() if invocation[name] != unset}
    for name in given:
        if name not in known:
            owners = " or ".join(other for other in names("evaluators") if name in evaluator_options(other))
            raise UsageError(
                f"{flag_of(name)} belongs to --evaluator {owners}, --evaluator {reference} was given; leave one out"
            )
    return given


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
