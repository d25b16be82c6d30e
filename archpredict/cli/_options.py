"""Options and option types that several commands share."""

from __future__ import annotations

import math

import click

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


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_remember,
    help="Show tracebacks of errors.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, to stdout.")


def named_numbers(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    """Callback of a repeatable option that reads ``NAME=NUMBER``."""
    numbers = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            numbers[name.strip()] = float(number)
        except ValueError:
            numbers[""] = math.nan
        if not all(numbers) or any(map(math.isnan, numbers.values())):
            raise click.BadParameter(f"{text!r} is not a name and a number, e.g. params=4e6", ctx, parameter)
    return numbers
