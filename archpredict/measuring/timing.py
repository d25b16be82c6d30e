"""Repeats of one run until the interval of their median is narrow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import binom

from archpredict.errors import UsageError, whole_number

__all__ = ["Limits"]

CONFIDENCE = 0.95
MIN_REPEATS = 6
"""The fewest numbers whose range holds the median with 95 % confidence."""
_GROWTH = 1.1
"""Between two looks at the interval."""


@dataclass(frozen=True)
class Limits:
    """Limits of a measurement: when a time is known well enough, and when to give up.

    Args:
        tolerance: Half the width of the 95 % interval of the median, as a share of the median, at which repeats end.
        seconds: After which repeats end, however wide the interval is.
        repeats: After how many they end.
        warmup: Runs before the first that counts.
        timeout: Seconds that a process may take for one model, loading included.
        memory: Bytes that it may allocate, on Linux; None: four fifths of what is free.

    Raises:
        UsageError: A number is out of range.
    """

    tolerance: float = 0.02
    seconds: float = 10.0
    repeats: int = 1000
    warmup: int = 3
    timeout: float = 600.0
    memory: int | None = None

    def __post_init__(self) -> None:
        for name in ("tolerance", "seconds", "timeout"):
            value: Any = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise UsageError(f"`{name}` is a number above 0, {value!r} was given")
        whole_number("`repeats`", self.repeats, 1)
        whole_number("`warmup`", self.warmup, 0)
        if self.memory is not None:
            whole_number("`memory`", self.memory, 1)


DEFAULT_LIMITS = Limits()
"""Ten seconds or a thousand runs."""


def median_interval(times: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % confidence interval of a median, from order statistics; None for fewer than six numbers.

    Between the k-th smallest and the k-th largest of n numbers lies the median of their distribution, whatever that
    is, unless fewer than k of them are on one side of it: with probability 1 - 2 P(B < k), B binomial(n, 1/2)
    (Conover, Practical Nonparametric Statistics, 1999, section 3.2). k is the largest with at least 95 %.

    Example:
        >>> median_interval([3.0, 1.0, 2.0, 6.0, 5.0, 4.0])
        (1.0, 6.0)
        >>> median_interval([1.0, 2.0])
    """
    n = len(times)
    k = int(binom.ppf((1 - CONFIDENCE) / 2, n, 0.5)) if n else 0
    if k < 1:
        return None
    ordered = sorted(times)
    return ordered[k - 1], ordered[n - k]


def half_width(times: Sequence[float]) -> float:
    """Half the width of the interval of the median, as a share of the median; infinite for fewer than six numbers.

    Example:
        >>> half_width([1.0] * 5 + [1.2] * 5)
        0.09...
    """
    interval = median_interval(times)
    if interval is None:
        return math.inf
    ordered = sorted(times)
    middle = (ordered[(len(times) - 1) // 2] + ordered[len(times) // 2]) / 2
    return (interval[1] - interval[0]) / 2 / middle if middle > 0 else 0.0


def repeated(
    run: Callable[[], object], limits: Limits, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, ...]:
    """Seconds that runs take, after those that warm up.

    Args:
        run: Does the work, and returns when it is done.
        limits: When to end.
        clock: Seconds that have passed.
    """
    start = clock()
    for _ in range(limits.warmup):
        run()
        if clock() - start >= limits.seconds:
            break
    start, look_at = clock(), MIN_REPEATS
    times: list[float] = []
    while len(times) < limits.repeats:
        before = clock()
        run()
        after = clock()
        times.append(after - before)
        if after - start >= limits.seconds:
            break
        if len(times) >= look_at:
            if half_width(times) <= limits.tolerance:
                break
            look_at = max(len(times) + 1, int(len(times) * _GROWTH))
    return tuple(times)
