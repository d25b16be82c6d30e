"""The ``archpredict`` command: finds its sub-commands, turns errors into a sentence and an exit code."""

from __future__ import annotations

import importlib
import textwrap
from pathlib import Path
from typing import Any

import click

from archpredict.cli._options import is_debugging

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class Commands(click.Group):
    """Sub-commands are the modules of this folder; a new one is one file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (path.stem for path in Path(__file__).parent.glob("*.py"))
        return sorted(name.replace("_", "-") for name in names if name != "main" and not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{__package__}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names with the first line of each file, so that none is imported."""
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(name, room)) for name in names])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from archpredict.errors import UnknownNameError

        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            raise click.UsageError(str(UnknownNameError("command", name, self.list_commands(ctx))), ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            _fail(ctx, "interrupted", INTERRUPTED)
        except Exception as error:
            _report(ctx, error)


def _report(ctx: click.Context, error: Exception) -> None:
    """End with one sentence that says what went wrong, and an exit code that says whose doing it was."""
    import errno

    from archpredict.cli._messages import in_flags
    from archpredict.errors import ArchPredictError, described, users_place

    if isinstance(error, ArchPredictError):
        _fail(ctx, in_flags(str(error)), error.exit_code)
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EPIPE:
        raise error  # whoever reads the output has gone; click leaves quietly
    if code == errno.ENOSPC:
        _fail(ctx, "the disk is full; free some space, then run this again", 1)
    if users_place(error) is not None:
        hint = "" if is_debugging(ctx) else " (--debug shows the traceback)"
        _fail(ctx, f"your own code failed: {described(error)}; correct it{hint}", 1)
    hint = "" if is_debugging(ctx) else "; run again with --debug to see where"
    _fail(ctx, f"internal error: {type(error).__name__}: {error}{hint}", 1)


def _summary(name: str, room: int) -> str:
    """What a command does, as the first line of its file has it after its name."""
    path = Path(__file__).with_name(f"{name.replace('-', '_')}.py")
    with path.open(encoding="utf-8") as file:
        line = file.readline()
    text = line.strip().strip('"').partition(": ")[2]
    return textwrap.shorten(text[:1].upper() + text[1:], max(room, 1), placeholder="...")


def _fail(ctx: click.Context, message: str, exit_code: int) -> None:
    if is_debugging(ctx):
        import traceback

        click.echo(traceback.format_exc(), err=True, nl=False)
    click.echo(f"Error: {message}", err=True)
    ctx.exit(exit_code)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="archpredict", prog_name="archpredict")
def main() -> None:
    """Rank neural networks before they are trained, and search for better ones."""
