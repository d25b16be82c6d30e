"""Choosing among ranked models: limits on what they may cost, and those that no other beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from archpredict.errors import UnknownNameError, UsageError
from archpredict.graph.summary import si
from archpredict.metrics.fronts import on_front
from archpredict.predict.rank.ranked import Ranked

__all__ = ["LeftOut", "Limit"]

_THROUGHPUT, _SPEED = "throughput", "images_per_second"
_NUMBERS = ("score", _THROUGHPUT, "params", "macs", "nodes")


@dataclass(frozen=True)
class Limit:
    """A limit on a number of ranked models.

    Args:
        name: ``score``, ``params``, ``macs``, ``nodes``; ``throughput``: images per second in the first place that
            speeds are known of; or what else was measured on a device of the user's own, such as ``latency``.
        least, most: What it may be; None for no limit.
    """

    name: str
    least: float | None = None
    most: float | None = None

    def broken_by(self, row: Ranked) -> str | None:
        """How a model is outside of the limit; None if it is not.

        Raises:
            UsageError: The limit is on a cost that was not asked for.
        """
        check_limit(self, [cost.what for cost in row.speeds])
        value = _value(row, self.name)
        if value is None:
            return f"its {self.name} is not known"
        if self.least is not None and value < self.least:
            return f"its {self.name} is {si(value)}, below {si(self.least)}"
        if self.most is not None and value > self.most:
            return f"its {self.name} is {si(value)}, above {si(self.most)}"
        return None


@dataclass(frozen=True)
class LeftOut:
    """A model outside of a limit: its name, and the reason."""

    name: str
    reason: str


def split(rows: Sequence[Ranked], limits: Sequence[Limit]) -> tuple[tuple[Ranked, ...], tuple[LeftOut, ...]]:
    """The models inside of all limits, and the others."""
    kept, left_out = list[Ranked](), list[LeftOut]()
    for row in rows:
        broken = [reason for limit in limits if (reason := limit.broken_by(row)) is not None]
        if broken:
            left_out.append(LeftOut(row.name, "; ".join(broken)))
        else:
            kept.append(row)
    return tuple(kept), tuple(left_out)


def with_front(rows: tuple[Ranked, ...]) -> tuple[Ranked, ...]:
    """The rows, told whether they are on the front of score and the first cost: speed, of which more is better, or
    another one, of which less is.
    """
    if not rows or not rows[0].speeds:
        return rows
    first = [row.speeds[0] for row in rows]
    costs = [cost.value if cost.is_speed else -cost.value for cost in first]
    front = on_front(np.column_stack([[row.score for row in rows], costs]))
    return tuple(replace(row, on_front=bool(best)) for row, best in zip(rows, front, strict=True))


def check_limit(limit: Limit, costs: Sequence[str]) -> None:
    """A limit is on something that is known of models.

    Args:
        limit: The limit.
        costs: What is known of what they cost: ``images_per_second``, ``latency`` and the like.

    Raises:
        UnknownNameError: There is no such number.
        UsageError: It is on throughput, and no speeds are known.
    """
    if limit.name not in (*_NUMBERS, *costs):
        raise UnknownNameError("number of models", limit.name, dict.fromkeys((*_NUMBERS, *costs)))
    if limit.name == _THROUGHPUT and _SPEED not in costs:
        raise UsageError(
            "a limit on throughput needs a device that the models are to run on and whose speed is known; give "
            "`settings` too"
        )


def _value(row: Ranked, name: str) -> float | None:
    if name in _NUMBERS and name != _THROUGHPUT:
        value: float | None = getattr(row, name)
        return value
    what = _SPEED if name == _THROUGHPUT else name
    return next(cost.value for cost in row.speeds if cost.what == what)
