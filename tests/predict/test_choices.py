"""The predictor that reads choices, and the spaces that ask for it."""

from __future__ import annotations

import numpy as np

from archpredict.evaluators.base import Result
from archpredict.metrics import kendall_tau
from archpredict.predict.presets import unfitted
from archpredict.progress import Event
from archpredict.spaces.base import load_space
from archpredict.strategies.base import Problem
from archpredict.strategies.ctnas import CTNAS
from archpredict.strategies.predictor_guided import PredictorGuided


def test_it_learns_what_each_place_is_worth_from_few_labels() -> None:
    space = load_space("mobilenetv3")
    rows = space.sample(300, np.random.default_rng(0))
    worth = np.random.default_rng(1).normal(size=sum(space.num_choices))
    labels = space.one_hot(rows) @ worth
    predictor = unfitted("choices").fit(space.architectures(rows[:200]), labels[:200])
    assert kendall_tau(labels[200:], predictor.predict(space.architectures(rows[200:]))) > 0.8


def test_strategies_take_the_predictor_that_the_space_names() -> None:
    problem = Problem(load_space("mobilenetv3"), 12)
    guided = PredictorGuided(problem)
    assert guided.new_predictor(0).sources == ("choices",)
    assert PredictorGuided(problem, predictor="default").new_predictor(0).sources == ("statistics",)


def test_ctnas_searches_with_a_comparator_without_epochs_too() -> None:
    space = load_space("mobilenetv3")
    told: list[Event] = []
    strategy = CTNAS(Problem(space, 60), observer=told.append, rounds=1, final=5, iterations=2, samples=8, derive=16)
    for architecture in strategy.ask(60):
        strategy.tell([Result(architecture, float(sum(architecture.choices)))])
    assert {"controller", "derive"} <= {event.stage for event in told}
    assert strategy.recommend(1)
