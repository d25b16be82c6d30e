"""Evaluators from what the command line says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archpredict.errors import ArchPredictError, UnknownNameError, UsageError
from archpredict.evaluators.base import Evaluator
from archpredict.registry import described, resolve
from archpredict.spaces.base import SearchSpace

Invocation = Mapping[str, Any]

_OWNERS: dict[str, tuple[str, Any]] = {
    "data": ("table", None),
    "target": ("table", None),
    "command": ("command", None),
    "timeout": ("command", None),
    "retries": ("command", 0),
    "jobs": ("command", 1),
}
"""Options that one evaluator has, and the value that says that they were not given."""


def build_evaluator(invocation: Invocation, space: SearchSpace) -> Evaluator:
    """The evaluator that ``--evaluator`` and its companions describe.

    Args:
        invocation: Values of the options ``evaluator``, ``command``, ``timeout``, ``data``, ....
        space: What is searched.
    """
    name = str(invocation["evaluator"])
    for option, (owner, unset) in _OWNERS.items():
        if invocation[option] != unset and name != owner:
            raise UsageError(f"--{option} belongs to --evaluator {owner}, --evaluator {name} was given; leave one out")
    if invocation["within_table"] and name in ("surrogate", "command"):
        raise UsageError(
            f"--within-table needs a table, --evaluator {name} has none; leave it out, or give --data FILE"
        )
    if ":" in name:
        return _own(name)
    if name not in _BUILDERS:
        raise UnknownNameError(
            "evaluator", name, _BUILDERS, "Or name your own as module:Class or path/to/file.py:Class."
        )
    return _BUILDERS[name](invocation, space)


def _surrogate(invocation: Invocation, space: SearchSpace) -> Evaluator:
    from archpredict.evaluators.surrogate import SurrogateEvaluator

    return SurrogateEvaluator.for_space(space.name)


def _table(invocation: Invocation, space: SearchSpace) -> Evaluator:
    from archpredict.datasets.table import Table
    from archpredict.evaluators.table import TableEvaluator

    if invocation["data"] is None:
        raise UsageError(
            "--evaluator table needs --data, a table with labelled architectures (CSV, JSONL, Parquet, ...)"
        )
    if invocation["target"] is None:
        raise UsageError("--data needs --target, the name of the column with the labels")
    return TableEvaluator(Table.read(invocation["data"], space, invocation["target"]))


def _command(invocation: Invocation, space: SearchSpace) -> Evaluator:
    from archpredict.evaluators.command import CommandEvaluator

    if invocation["command"] is None:
        raise UsageError("--evaluator command needs --command, the program that prints the score of an architecture")
    return CommandEvaluator(
        invocation["command"],
        timeout=invocation["timeout"],
        retries=invocation["retries"],
        jobs=invocation["jobs"],
    )


def _own(reference: str) -> Evaluator:
    try:
        made = resolve("evaluators", reference, Evaluator)()
    except ArchPredictError:
        raise
    except Exception as error:
        raise UsageError(f"{reference} cannot be made: {described(error)}") from error
    if not isinstance(made, Evaluator):
        raise UsageError(
            f"{reference} makes a {type(made).__name__}; expected a class derived from archpredict.Evaluator"
        )
    return made


_BUILDERS: dict[str, Callable[[Invocation, SearchSpace], Evaluator]] = {
    "surrogate": _surrogate,
    "table": _table,
    "command": _command,
}
