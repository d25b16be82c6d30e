"""Lists of plug-ins: what is said of each, and a table of names and descriptions for terminals of any width."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from archpredict.registry.options import Option

_LEAST_PROSE = 36
"""Columns that a description has at least; where facts leave it less, they move below it."""
_GAP = 3


@dataclass(frozen=True)
class Entry:
    """One row of a list.

    Args:
        name: Its name, which is never broken.
        description: What it is; wrapped.
        facts: Short texts by heading, beside the description where there is room.
        notes: Longer texts by heading, below the description.
    """

    name: str
    description: str
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def show_list(title: str, entries: Sequence[Entry], align: Literal["left", "right"] = "right") -> None:
    """A list on stdout, as wide as the terminal.

    Args:
        title: Line above it.
        entries: The rows, which have the same facts.
        align: Of facts.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    facts = list(entries[0].facts) if entries else []
    name = max((len(entry.name) for entry in entries), default=0)
    widths = [max(len(fact), *(len(entry.facts[fact]) for entry in entries)) for fact in facts]
    beside = console.width - sum(width + _GAP for width in (name, *widths)) - _GAP >= _LEAST_PROSE
    table = Table(box=SIMPLE_HEAD, show_header=bool(facts) and beside)
    table.add_column("name", no_wrap=True)
    for fact in facts if beside else ():
        table.add_column(fact, justify=align, no_wrap=True)
    table.add_column("description", ratio=1, min_width=min(20, console.width))
    for entry in entries:
        below = [f"{heading}: {text}" for heading, text in entry.notes.items() if text != "-"]
        if facts and not beside:
            below.insert(0, "; ".join(f"{fact}: {text}" for fact, text in entry.facts.items() if text != "-"))
        lines = [escape(entry.description), *(f"[dim]{escape(line)}[/dim]" for line in below)]
        table.add_row(escape(entry.name), *(entry.facts[fact] for fact in facts if beside), "\n".join(lines))
    console.print(title, style="bold", highlight=False, markup=False, soft_wrap=True)
    console.print(table)


def described(
    kind: str, base: type, options_of: Callable[[Any], Iterable[Option]] | None = None
) -> list[dict[str, Any]]:
    """Name, first line of the documentation, and options of every plug-in of a kind.

    Args:
        kind: Sub-package of archpredict, e.g. ``"spaces"``.
        base: The class that they derive from.
        options_of: Gives the options of a class, where they are wanted.
    """
    from archpredict.cli._console import first_line
    from archpredict.registry import names, resolve

    found = {name: resolve(kind, name, base) for name in names(kind)}
    rows = [row(name, first_line(plugin)) for name, plugin in found.items()]
    if options_of is None:
        return rows
    return [{**r, "options": list(map(_as_json, options_of(found[r["name"]])))} for r in rows]


def row(name: str, description: str) -> dict[str, Any]:
    """A name and the first line of what it is."""
    return {"name": name, "description": _plain(description.splitlines()[0])}


def options_in_words(options: Sequence[Mapping[str, Any]]) -> str:
    """Options as :func:`described` has them, on one line."""
    return ", ".join(o["name"] if "default" not in o else f"{o['name']}={o['default']}" for o in options) or "-"


def _as_json(option: Option) -> dict[str, Any]:
    from archpredict.registry.options import REQUIRED

    value = option.default
    plain = value if isinstance(value, str | int | float | None) else repr(value)
    default = {} if value is REQUIRED else {"default": plain}
    return {"name": option.name, **default, "description": option.description}


def _plain(text: str) -> str:
    """Without the marks of reStructuredText: "``z``" becomes "z", ":mod:`archpredict`" becomes "archpredict"."""
    return re.sub(r"(:\w+:)?(`+)(.*?)\2", r"\3", text)
