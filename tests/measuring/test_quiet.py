"""Whether a machine is quiet, by numbers alone."""

from __future__ import annotations

import itertools

from archpredict.measuring.quiet import Load, ReferenceLoad, doubts


def test_a_machine_whose_reference_load_stays_is_trusted() -> None:
    assert doubts(Load(1.0, 0.05), Load(1.02, 0.05), Load(1.0, 0.05)) == []


def test_a_reference_load_that_becomes_slower_or_faster_is_told() -> None:
    assert doubts(Load(1.0, 0), Load(1.0, 0), Load(1.5, 0)) == ["the reference load took 50 % longer after than before"]
    assert doubts(Load(1.0, 0), Load(1.0, 0), Load(0.5, 0)) == ["the reference load took 50 % less after than before"]


def test_a_machine_that_has_become_slower_since_the_beginning_is_told() -> None:
    assert doubts(Load(1.0, 0), Load(1.2, 0), Load(1.2, 0)) == [
        "the reference load took 20 % longer than at the beginning"
    ]


def test_a_reference_load_that_spreads_is_told() -> None:
    assert doubts(Load(1.0, 0), Load(1.0, 0), Load(1.0, 0.3)) == ["the times of the reference load spread by 30 %"]


def test_the_reference_load_is_timed_by_its_clock() -> None:
    ticks = itertools.count()
    assert ReferenceLoad("cpu", 1, clock=lambda: float(next(ticks)))() == Load(1.0, 0.0)
