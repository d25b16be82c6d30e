"""Repeats and the interval of their median, by a clock of the tests' own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.measuring.timing import Limits, half_width, median_interval, repeated


def clock_and_run(seconds: Iterable[float]) -> tuple[Callable[[], float], Callable[[], None]]:
    """A clock that only runs move, each as long as the next of some numbers."""
    now, durations = [0.0], iter(seconds)

    def run() -> None:
        now[0] += next(durations)

    return lambda: now[0], run


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(100)
    samples = rng.exponential(size=(2000, 25))
    intervals = [median_interval(list(sample)) for sample in samples]
    held = np.mean([i is not None and i[0] <= math.log(2) <= i[1] for i in intervals])
    assert 0.94 < held < 0.985  # exactly 0.957 for 25 numbers


def test_fewer_than_six_numbers_have_no_interval() -> None:
    assert median_interval([]) is None
    assert median_interval([1.0] * 5) is None
    assert half_width([1.0] * 5) == math.inf
    assert median_interval([1.0] * 6) == (1.0, 1.0)


def test_repeats_end_as_soon_as_the_interval_is_narrow() -> None:
    clock, run = clock_and_run(itertools.repeat(1.0))
    assert repeated(run, Limits(seconds=1000, warmup=2), clock) == (1.0,) * 6


def test_noise_takes_more_repeats() -> None:
    rng = np.random.default_rng(0)
    clock, run = clock_and_run(1 + 0.1 * rng.random(10_000))
    times = repeated(run, Limits(seconds=1e6, tolerance=0.01), clock)
    assert 6 < len(times) < 1000
    assert half_width(times) <= 0.01


def test_repeats_end_at_the_limit_of_seconds_or_of_their_number() -> None:
    noisy = [1.0, 2.0, 4.0] * 1000
    clock, run = clock_and_run(noisy)
    assert len(repeated(run, Limits(seconds=20, warmup=0), clock)) < 20
    clock, run = clock_and_run(noisy)
    assert len(repeated(run, Limits(seconds=1e9, repeats=17), clock)) == 17


def test_what_warms_up_does_not_count() -> None:
    clock, run = clock_and_run([100.0, 50.0, *[1.0] * 100])
    assert set(repeated(run, Limits(seconds=1000, warmup=2), clock)) == {1.0}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tolerance": 0}, "`tolerance` is a number above 0, 0 was given"),
        ({"seconds": math.nan}, "`seconds` is a number above 0, nan was given"),
        ({"timeout": True}, "`timeout` is a number above 0, True was given"),
        ({"repeats": 0}, "`repeats` is an integer of at least 1, 0 was given"),
        ({"memory": -1}, "`memory` is an integer of at least 1, -1 was given"),
    ],
)
def test_limits_out_of_range_are_refused(given: dict[str, float], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Limits(**given)  # type: ignore[arg-type]
