"""Progress of long work: Event and Observer, the one way to report it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["Event", "silent"]


@dataclass(frozen=True)
class Event:
    """One step of progress inside a strategy, for the progress display and the report.

    Args:
        stage: What is being done, e.g. ``"comparator"``, ``"controller"``, ``"derive"``.
        step: Steps done, counting from 1.
        total: Steps of the stage.
        values: Named figures, e.g. ``{"loss": 0.4, "kendall_tau": 0.71}``.
    """

    stage: str
    step: int
    total: int
    values: Mapping[str, float] = field(default_factory=dict)


Observer = Callable[[Event], None]


def silent(event: Event) -> None:
    """The observer that does nothing."""
