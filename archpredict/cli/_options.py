"""Options and option types that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])
_DEBUG, _RUNNING = "archpredict.debug", "archpredict.running"


def _remember(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta[_DEBUG] = value or is_debugging(ctx)
    ctx.meta[_RUNNING] = ctx


def is_debugging(ctx: click.Context) -> bool:
    """Whether ``--debug`` was given; the context's ``meta`` is shared by all commands of one call."""
    return bool(ctx.meta.get(_DEBUG))


def running() -> click.Context | None:
    """The context of the command that runs: the innermost one that has ``--debug``, as all have."""
    ctx = click.get_current_context(silent=True)
    found: click.Context | None = None if ctx is None else ctx.meta.get(_RUNNING, ctx)
    return found


def _number(text: str) -> float:
    value = float(text)
    if math.isnan(value):
        raise ValueError(text)
    return value


def _argument(text: str) -> str:
    """The name of an argument as Python has it; those of an argument's own stand behind a dot.

    Example:
        >>> _argument("learning-rate"), _argument("training__epochs")
        ('learning_rate', 'training.epochs')
    """
    return text.replace("__", ".").replace("-", "_")


def example(*lines: str) -> str:
    """The end of a command's help: an example that runs, over one line or several."""
    text = " \\\n      ".join(lines)
    return f"\b\nExample:\n  $ {text}"


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_remember,
    help="Show tracebacks of errors.",
)


def flag_of(name: str) -> str:
    """The flag of an option's name.

    Example:
        >>> flag_of("train_sizes"), flag_of("column")
        ('--train-sizes', '--architecture-column')
    """
    return f"--{_FLAGS.get(name, name).replace('_', '-')}"


_FLAGS = {"column": "architecture_column"}

column_option = click.option(
    "--architecture-column",
    "column",
    metavar="NAME",
    help="Column of the architectures.  [default: architecture, arch, arch_str, genotype and the like]",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, to stdout.")


def pairs_option(
    flag: str,
    example: str,
    text: str,
    *,
    read: Callable[[str], Any] = _number,
    name: Callable[[str], str] = _argument,
    commas: bool = False,
) -> Callable[[_Decorated], _Decorated]:
    """A repeatable option ``NAME=VALUE``, which gives the command a dictionary.

    Args:
        flag: The option.
        example: A name and a value, for messages.
        text: Its help.
        read: What a value is; numbers if left out. Raises ValueError where the text is none.
        name: What a name is; that of an argument if left out.
        commas: Whether several may be given at once, between commas.
    """
    kind = "number" if read is _number else "value"

    def collect(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
        found = {}
        for pair in (pair for text in given for pair in (text.split(",") if commas else [text])):
            left, equals, right = pair.partition("=")
            try:
                key = name(left.strip())
                if not (equals and all(key.split("."))):
                    raise ValueError(pair)
                found[key] = read(right.strip())
            except ValueError as error:
                message = f"{pair!r} is not a name and a {kind}, e.g. {example}"
                raise click.BadParameter(message, ctx, parameter) from error
        return found

    return click.option(flag, multiple=True, callback=collect, metavar=f"NAME={kind.upper()}", help=text)
