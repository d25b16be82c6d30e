"""Progress of long work: Event and Observer, the one way to report it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["Event", "silent"]


@dataclass(frozen=True)
class Event:
    """One step of progress of long work: of a training, a search, a reading.

    Args:
        stage: What is being done, e.g. ``"pre-training"``, ``"training"``, ``"controller"``, ``"rows read"``.
        done: Steps of the stage that are done, counting from 1.
        total: Steps of the stage; None where that is not known beforehand.
        values: Named figures, e.g. ``{"loss": 0.4, "kendall_tau": 0.71}``.
    """

    stage: str
    done: int
    total: int | None = None
    values: Mapping[str, float] = field(default_factory=dict)


Observer = Callable[[Event], None]


def silent(event: Event) -> None:
    """The observer that does nothing."""
