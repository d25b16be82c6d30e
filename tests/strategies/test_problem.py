"""Problem: what can be drawn, labelled and allowed."""

from __future__ import annotations

import numpy as np

from archpredict.spaces.base import load_space
from archpredict.strategies.base import Problem
from archpredict.testing.strategies import structures
from archpredict.testing.toys import ToySpace


def test_allowed_is_what_keeps_every_limit() -> None:
    space = load_space("nasbench201")
    rows = space.sample(500, np.random.default_rng(0))
    limits = {"params": 0.8e6, "macs": 100e6}
    expected = [all(space.cost(row)[name] <= limit for name, limit in limits.items()) for row in rows.tolist()]
    problem = Problem(space, 10, limits)
    assert problem.is_allowed(rows).tolist() == expected
    assert 0 < sum(expected) < len(expected)
    assert problem.is_allowed(rows[:0]).tolist() == []
    assert Problem(space, 10).is_allowed(rows).all()


def test_a_pool_is_looked_through_to_its_end_however_few_are_wanted() -> None:
    few = structures(5)
    pool = np.concatenate([np.repeat(few[:4], 2000, axis=0), few[4:]])
    problem = Problem(ToySpace(), 10, pool=pool)
    seen = [a.key for a in problem.space.architectures(few[:4])]
    for seed in range(5):
        found = problem.sample(1, np.random.default_rng(seed), seen)
        assert [a.choices for a in found] == [tuple(few[4].tolist())]


def test_a_small_space_is_looked_through_to_its_last_structure() -> None:
    space = ToySpace()
    everything = {a.key for a in space.architectures(space.enumerate())}
    problem = Problem(space, 10)
    assert {a.key for a in problem.sample(10_000, np.random.default_rng(0))} == everything
    for missing in sorted(everything)[::60]:
        (found,) = problem.sample(1, np.random.default_rng(0), sorted(everything - {missing}))
        assert found.key == missing
