"""What the commands that list plug-ins say of each."""

from __future__ import annotations

import re


def described(kind: str, base: type) -> list[dict[str, str]]:
    """Name and first line of the documentation of every plug-in of a kind.

    Args:
        kind: Sub-package of archpredict, e.g. ``"spaces"``.
        base: The class that they derive from.
    """
    from archpredict.cli._console import first_line
    from archpredict.registry import names, resolve

    return [row(name, first_line(resolve(kind, name, base))) for name in names(kind)]


def row(name: str, description: str) -> dict[str, str]:
    """A name and the first line of what it is."""
    return {"name": name, "description": _plain(description.splitlines()[0])}


def _plain(text: str) -> str:
    """Without the marks of reStructuredText: "``z``" becomes "z", ":mod:`archpredict`" becomes "archpredict"."""
    return re.sub(r"(:\w+:)?(`+)(.*?)\2", r"\3", text)
