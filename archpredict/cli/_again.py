"""The commands that repeat and go on with a run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def commands_of(invocation: Mapping[str, Any] | None, run: Path) -> dict[str, str]:
    """Commands by what they do; nothing for a run that a program started.

    Example:
        >>> commands_of({"space": "darts"}, Path("runs/a"))["go on with it"]
        'archpredict search --resume runs/a'
        >>> commands_of({"space": "darts", "seed": 0, "limit": {"params": 4e6}}, Path("a"))["repeat the run"]
        'archpredict search --space darts --seed 0 --limit params=4000000.0 --out a-again'
    """
    if invocation is None:
        return {}
    words = ["archpredict", "search"]
    for name, value in invocation.items():
        words += _words(f"--{name.replace('_', '-')}", value)
    return {
        "repeat the run": shlex.join([*words, "--out", f"{run}-again"]),
        "go on with it": shlex.join(["archpredict", "search", "--resume", str(run)]),
        "go on with more evaluations": shlex.join(["archpredict", "search", "--resume", str(run), "--budget", "N"]),
    }


def _words(flag: str, value: Any) -> list[str]:
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    if isinstance(value, Mapping):
        return [word for key, item in value.items() for word in (flag, f"{key}={item}")]
    if isinstance(value, list):
        return [word for item in value for word in (flag, str(item))]
    return [flag, str(value)]
