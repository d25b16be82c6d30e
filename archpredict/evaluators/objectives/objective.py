"""Objective: a number of every evaluation, and which direction is better."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from archpredict.errors import UsageError

__all__ = ["Objective", "as_objectives"]

Direction = Literal["max", "min"]

_COSTLY = frozenset(
    {"latency", "time", "seconds", "ms", "energy", "power", "memory", "bytes", "size", "params", "parameters"}
    | {"macs", "flops", "loss", "error", "errors", "perplexity", "cost", "costs", "price"}
)
"""Words in names of what is usually to be small, so that nobody maximises it by leaving the direction out."""


@dataclass(frozen=True)
class Objective:
    """A number of every evaluation, and which direction of it is better.

    Args:
        name: A cost that the space computes, a column of a table, an entry of what a program prints or a function
            returns, or ``score``: the evaluator's own label.
        direction: ``max`` or ``min``.
        reference: The value from which on it counts, for hypervolumes: what is worse adds nothing. None: the worst
            value among all evaluations.

    Raises:
        UsageError: The direction is none, or the reference is no finite number.

    Example:
        >>> Objective.parse("latency:min:20")
        Objective(name='latency', direction='min', reference=20.0)
        >>> str(Objective("accuracy"))
        'accuracy:max'
    """

    name: str
    direction: Direction = "max"
    reference: float | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise UsageError("an objective without a name was given; write one as in accuracy or latency:min")
        if self.direction not in ("max", "min"):
            raise UsageError(
                f"the objective {self.name!r} has the direction {self.direction!r}; a direction is min or max, as in "
                f"{self.name}:min"
            )
        if self.reference is not None and not math.isfinite(self.reference):
            raise UsageError(
                f"the objective {self.name!r} has the reference {self.reference}; a reference is a finite number"
            )

    @classmethod
    def parse(cls, text: str) -> Objective:
        """The objective of a text ``NAME``, ``NAME:DIRECTION`` or ``NAME:DIRECTION:REFERENCE``.

        A name alone is maximised, unless it is called as costs are.

        Raises:
            UsageError: It is no such text, or is called as a cost and has no direction.
        """
        name, *rest = (part.strip() for part in text.split(":"))
        if not rest:
            if _COSTLY & set(re.split(r"[^a-z]+", name.casefold())):
                raise UsageError(
                    f"the objective {name!r} has no direction and may be a cost; write {name}:min where less is "
                    f"better, {name}:max where more is"
                )
            return cls(name)
        if len(rest) > 2:
            raise UsageError(f"{text!r} is no objective; write name, name:min, or name:min:20 with a reference value")
        try:
            reference = float(rest[1]) if len(rest) == 2 else None
        except ValueError:
            raise UsageError(
                f"the objective {text!r} ends in {rest[1]!r}; its third part is a number, the reference value"
            ) from None
        return cls(name, rest[0], reference)  # type: ignore[arg-type]

    @property
    def sign(self) -> int:
        """What a value is multiplied with so that more is better."""
        return 1 if self.direction == "max" else -1

    def __str__(self) -> str:
        end = "" if self.reference is None else f":{self.reference:g}"
        return f"{self.name}:{self.direction}{end}"


def as_objectives(given: Iterable[str | Objective] | str | Objective) -> tuple[Objective, ...]:
    """Objectives as they may be given: as objects or as texts.

    Raises:
        UsageError: A text is none, or two have one name.

    Example:
        >>> [str(o) for o in as_objectives(["accuracy", "latency:min"])]
        ['accuracy:max', 'latency:min']
    """
    items: Sequence[str | Objective] = [given] if isinstance(given, str | Objective) else list(given)
    found = []
    for item in items:
        if not isinstance(item, str | Objective):
            raise UsageError(
                f"{item!r} was given as an objective; expected a text such as latency:min, or an Objective"
            )
        found.append(Objective.parse(item) if isinstance(item, str) else item)
    names = [objective.name for objective in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"the objective {twice!r} was given twice; leave one of them out")
    return tuple(found)
