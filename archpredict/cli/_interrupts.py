"""Ctrl-C and SIGTERM: they end a command with a line that says how to go on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes, as shells have them."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a command as Ctrl-C does, with an exit code of its own."""


@contextmanager
def resumable(ctx: click.Context, how: Callable[[], str | None]) -> Iterator[None]:
    """End what is inside on Ctrl-C and SIGTERM.

    Args:
        ctx: Of the command.
        how: The command that goes on, None where there is nothing yet to go on with.
    """

    def end(number: int, frame: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt as stop:
        word, code = ("terminated", TERMINATED) if isinstance(stop, Terminated) else ("interrupted", INTERRUPTED)
        hint = how()
        click.echo(f"Error: {word}{f'; go on with: {hint}' if hint else ''}", err=True)
        ctx.exit(code)
    finally:
        signal.signal(signal.SIGTERM, before)
