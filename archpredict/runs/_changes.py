"""What may change where a run is resumed: its budget, which may grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archpredict.errors import UsageError, integer

_CHANGES = "changes"


@dataclass(frozen=True)
class Change:
    """A change of the budget of a run.

    Args:
        evaluations: How many had been recorded. The strategy is told those, and what it asked for with them, before it
            goes on with the new budget, so that a run is a function of its record and its changes.
        old: The budget until then.
        new: The budget from then on, larger.
    """

    evaluations: int
    old: int
    new: int


def changes_of(config: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes that a configuration keeps, oldest first; none in one of before there were any.

    Raises:
        ValueError: They are not what :func:`with_change` wrote.
    """
    kept = config.get(_CHANGES, [])
    if not isinstance(kept, list):
        raise ValueError(f"{_CHANGES!r} is no list")
    found = []
    for each in kept:
        numbers = [integer(each.get(name)) for name in ("evaluations", "old", "new")] if isinstance(each, dict) else []
        if not numbers or any(number is None for number in numbers):
            raise ValueError(f"{each!r} is no change of a budget")
        found.append(Change(*numbers))  # type: ignore[arg-type]
    return tuple(found)


def with_change(config: Mapping[str, Any], budget: int, evaluations: int) -> dict[str, Any]:
    """A configuration with another budget, and with the change in its list.

    Example:
        >>> grown = with_change({"settings": {"budget": 100}}, 150, evaluations=100)
        >>> grown["settings"], changes_of(grown)
        ({'budget': 150}, (Change(evaluations=100, old=100, new=150),))
    """
    settings = config["settings"]
    change = {"evaluations": evaluations, "old": settings.get("budget", 0), "new": budget}
    return {
        **config,
        "settings": {**settings, "budget": budget},
        _CHANGES: [*config.get(_CHANGES, []), change],
    }


def budget_at(changes: Sequence[Change], last: int, num_told: int) -> int:
    """The budget of a run whose strategy has been told so many results.

    Args:
        changes: Of the run, oldest first.
        last: The budget after all of them.
        num_told: At least 0.

    Example:
        >>> changes = [Change(100, 100, 150), Change(120, 150, 300)]
        >>> [budget_at(changes, 300, told) for told in (0, 99, 100, 119, 120)]
        [100, 100, 150, 150, 300]
        >>> budget_at([Change(5, 5, 8), Change(5, 8, 9)], 9, 5)  # grown twice before an evaluation
        9
    """
    for change in changes:
        if num_told < change.evaluations:
            return change.old
    return last


def check_growth(path: Path, known: int, given: int) -> None:
    """Check that a budget is at least the one of the run in ``path``.

    Raises:
        UsageError: It is less.
    """
    if given < known:
        raise UsageError(
            f"the run in {path} has a budget of {known} evaluations, {given} was given; the budget of a run can only "
            f"grow: give `budget={known}` or more, or start a new run in another directory"
        )
