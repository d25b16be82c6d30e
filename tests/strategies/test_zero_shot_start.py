"""A search starts with what labels of other spaces expect most of, and with chance where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.predict.batch import Batch
from archpredict.predict.transfer.moments import numbers_of
from archpredict.predict.transfer.shipped import shipped_model
from archpredict.spaces.base import SearchSpace, load_space
from archpredict.strategies.base import Problem
from archpredict.strategies.predictor_guided import PredictorGuided
from archpredict.strategies.random import RandomSearch
from archpredict.strategies.rounds.zero_shot import zero_shot_order
from archpredict.testing.toys import ToySpace


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return load_space("nasbench-macro")


@pytest.fixture(scope="module")
def pool(space: SearchSpace) -> np.ndarray:
    return np.unique(space.sample(60, np.random.default_rng(0)), axis=0)


class TestTheOrder:
    def test_is_that_of_the_zero_shot_scores(self, space: SearchSpace, pool: np.ndarray) -> None:
        problem = Problem(space, budget=20, pool=pool, within_pool=True)
        order = zero_shot_order(problem, 10, seed=0)
        scores = shipped_model().zero_shot(space)(numbers_of(Batch.of(space.architectures(np.array(order)))))[:, 0]
        assert (np.diff(scores) <= 0).all()
        everyone = shipped_model().zero_shot(space)(numbers_of(Batch.of(space.architectures(pool))))[:, 0]
        assert scores[0] == pytest.approx(everyone.max())

    def test_holds_no_two_that_are_isomorphic_and_nothing_above_a_limit(
        self, space: SearchSpace, pool: np.ndarray
    ) -> None:
        limit = float(np.median(space.costs(pool)["macs"]))
        problem = Problem(space, budget=20, limits={"macs": limit}, pool=pool, within_pool=True)
        found = space.architectures(np.array(zero_shot_order(problem, 10, seed=0)))
        assert len({a.key for a in found}) == len(found) == 10
        assert all(a.cost["macs"] <= limit for a in found)

    def test_is_empty_where_a_space_defines_no_networks(self) -> None:
        assert zero_shot_order(Problem(ToySpace(), budget=20), 10, seed=0) == []


class TestASearch:
    @pytest.mark.transfer
    def test_starts_with_the_order_and_goes_on_at_random(self, space: SearchSpace, pool: np.ndarray) -> None:
        problem = Problem(space, budget=20, pool=pool, within_pool=True)
        search = PredictorGuided(problem, seed=0, initial=0.5, predictor="bayesian-ridge")
        asked = [a.choices for a in search.ask(20)]
        assert asked[:5] == zero_shot_order(problem, 5, seed=0)
        assert len(set(asked)) == len(asked) == 10

    @pytest.mark.transfer
    def test_does_not_where_it_is_told_not_to(self, space: SearchSpace, pool: np.ndarray) -> None:
        problem = Problem(space, budget=20, pool=pool, within_pool=True)
        search = PredictorGuided(problem, seed=0, initial=0.5, predictor="bayesian-ridge", transfer=False)
        assert [a.key for a in search.ask(10)] == [a.key for a in problem.sample(10, search.rng(), [])]

    def test_names_whose_labels_it_learns_from(self, space: SearchSpace) -> None:
        problem = Problem(space, budget=20)
        named = PredictorGuided(problem, seed=0, predictor="bayesian-ridge").other_labels
        assert named["left_out"] == ["nasbench-macro"]
        assert "nasbench201" in named["sources"]
        alone = PredictorGuided(problem, seed=0, predictor="bayesian-ridge", transfer=False)
        assert alone.other_labels == RandomSearch(problem, seed=0).other_labels == {"sources": [], "left_out": []}
