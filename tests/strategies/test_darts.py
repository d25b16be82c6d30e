"""DARTS: what it prefers and derives, and where it does not go (its contract is tested elsewhere)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.graph.builder import Builder
from archpredict.graph.mixtures import mixture
from archpredict.spaces.base import SearchSpace
from archpredict.strategies.base import Problem
from archpredict.strategies.darts import DARTSSearch, strongest
from archpredict.testing.strategies import SHORT
from archpredict.testing.toys import ToySpace


class Sighted(SearchSpace):
    """Two places, at each of which the image is lost, goes on or is averaged away."""

    name = "sighted"
    num_choices = (3, 3)

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        ops = [("lose", "pass", "average")[choice] for choice in choices]
        return ArchGraph(("input", *ops, "output"), tuple((i, i + 1) for i in range(3)))

    def network(self, choices: Sequence[int], **form: int) -> ArchGraph:  # type: ignore[override]
        return self._written([[choice] for choice in choices], **form)

    def relaxed_network(self, **form: int) -> ArchGraph:  # type: ignore[override]
        return self._written([range(3)] * 2, **form)

    def _written(
        self, options: Sequence[Sequence[int]], num_classes: int, image_size: int, image_channels: int
    ) -> ArchGraph:
        b = Builder((image_channels, image_size, image_size))
        x = b.input()
        for i, offered in enumerate(options):
            pooled = b.resize(b.global_avg_pool(x), image_size)
            x = mixture(b, i, [(None, x, pooled)[option] for option in offered])
        return b.output(b.linear(x, num_classes)).graph()


def short(space: SearchSpace, budget: int = 9, **options: Any) -> DARTSSearch:
    return DARTSSearch(Problem(space, budget), **{**SHORT["darts"], **options})


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_can_see_the_image_gets_the_largest_share(seed: int, order: int) -> None:
    strategy = short(Sighted(), seed=seed, order=order, training={"epochs": 5, "batch_size": 8})
    assert [a.choices for a in strategy.ask(1)] == [(1, 1)]
    assert len(strategy.ask(9)) == 9


def test_what_is_derived_comes_in_the_order_of_the_products_of_shares() -> None:
    space = ToySpace(networks=True)
    derived = short(space, derive=50).search()
    assert len(derived) == 50
    assert len({a.key for a in derived}) == 50
    again = short(space, derive=5).search()
    assert again == derived[:5]


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), count=st.integers(1, 40), seed=st.integers(0, 2**32 - 1)
)
def test_the_strongest_are_those_of_an_exhaustive_search(sizes: list[int], count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [(rng.permutation(size)[:, None], rng.normal(size=size)) for size in sizes]
    scores = [dict(zip(rows[:, 0].tolist(), values.tolist(), strict=True)) for rows, values in parts]
    every = sorted(
        itertools.product(*(range(size) for size in sizes)),
        key=lambda row: -sum(known[choice] for known, choice in zip(scores, row, strict=True)),
    )
    found = strongest(parts, count)
    assert found.tolist() == [list(row) for row in every[:count]]
    pool = rng.permutation(np.array(every))[: len(every) // 2 + 1]
    kept = [list(row) for row in every if list(row) in pool.tolist()]
    assert strongest(parts, count, pool).tolist() == kept[:count]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 3}, "order is 1 or 2, 3 was given"),
        ({"derive": 0}, "derive is an integer of at least 1, 0 was given"),
        ({"learning_rate": 0}, "learning_rate is a finite number above 0, 0 was given"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        short(ToySpace(networks=True), **options)


def test_a_space_that_cannot_be_relaxed_is_refused_in_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"the space mobilenetv3 defines no network that mixes .* such as enas"):
        DARTSSearch(Problem("mobilenetv3", 3))
