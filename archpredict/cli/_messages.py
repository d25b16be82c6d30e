"""The library's messages in the words of the command line: arguments become flags.

The library writes arguments, and calls that help, between backquotes (:mod:`archpredict.errors`); whatever the running
command has no flag for stays as it is.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping
from typing import Any

import click

from archpredict.cli._options import running

_MARKED = re.compile(r"`([^`\n]+)`")
_COMMANDS = {
    "search": "search",
    "Predictor.fit": "fit",
    "SupernetTraining": "supernet train",
}
"""Calls of the library, and the commands that do the same."""
_ALIASES = {
    "input_shapes": ("input_shape",),
    "limits": ("limit",),
    "images": ("dataset",),
    "recipe": ("training", "recipe"),
    "form": ("network",),
    "evaluator_options": ("option",),
    "options": ("option",),
    "settings": ("devices",),
}
"""Arguments that commands have under another name, or under one or the other."""


def in_flags(text: str) -> str:
    """A message of the library, with the flags of the running command in place of arguments."""
    ctx = running()
    return text if ctx is None else _MARKED.sub(lambda marked: _shown(marked[1], ctx) or marked[0], text)


def _shown(marked: str, ctx: click.Context) -> str | None:
    """``out``, ``device='cpu'`` or ``search(..., resume=True)`` as one types it; None where there is no such thing."""
    try:
        outer = ast.parse(f"f({marked})", mode="eval").body
    except SyntaxError:
        return None
    assert isinstance(outer, ast.Call)
    if len(outer.args) == 1 and not outer.keywords:
        (only,) = outer.args
        if isinstance(only, ast.Name) and only.id not in _COMMANDS:
            return _flag(ctx.command, only.id)
        return _command(only, ctx)
    return None if outer.args else _flags(ctx.command, outer.keywords)


def _command(expression: ast.expr, ctx: click.Context) -> str | None:
    """A call, or the name of a function, as a command."""
    call = expression if isinstance(expression, ast.Call) else None
    name = ast.unparse(expression if call is None else call.func)
    if name not in _COMMANDS:
        return None
    command: click.Command | None = ctx.find_root().command
    for word in _COMMANDS[name].split():
        assert isinstance(command, click.Group)
        command = command.get_command(ctx, word)
    assert command is not None
    flags = "" if call is None else _flags(command, call.keywords)
    return None if flags is None else " ".join(filter(None, ("archpredict", _COMMANDS[name], flags)))


def _flags(command: click.Command, keywords: list[ast.keyword]) -> str | None:
    try:
        values = {k.arg or "": ast.literal_eval(k.value) for k in keywords}
    except ValueError:
        return None
    if values.get("resume") is True and "out" in values:  # which the command line says in one
        values["resume"] = values.pop("out")
    shown = [_flag(command, name, value) for name, value in values.items()]
    return None if None in shown else " ".join(filter(None, shown))


def _flag(command: click.Command, name: str, value: Any = None) -> str | None:
    """The option called ``name``, with a value if one is given."""
    for parameter in command.params:
        if parameter.name in _ALIASES.get(name, (name,)) and isinstance(parameter, click.Option):
            flag = max(parameter.opts, key=len)
            return flag if value is None or parameter.is_flag else f"{flag} {_typed(value)}"
    if name not in _ALIASES and any(parameter.name == "option" for parameter in command.params):
        return f"--option {name}={'...' if value is None else _typed(value)}"
    return None


def _typed(value: Any) -> str:
    """A value as it is typed.

    Example:
        >>> _typed({"x": (1, 3, ..., 224)}), _typed("digits"), _typed("two words")
        ('x=1x3x?x224', 'digits', "'two words'")
    """
    if isinstance(value, Mapping):
        return " ".join(f"{shlex.quote(str(name))}={_typed(item)}" for name, item in value.items())
    if isinstance(value, tuple):
        return "x".join("?" if item is ... else str(item) for item in value)
    return shlex.quote(str(value))
