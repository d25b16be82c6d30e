"""Named predictors: each makes a predictor that fits; a new one is tested without being named here."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.predict.predictor import Predictor
from archpredict.predict.presets import Preset, names, preset
from archpredict.registry import names as plugins
from archpredict.spaces.nasbench201 import NASBench201
from archpredict.testing.graphs import random_computational_graph

SPACE = NASBench201()
CELLS = SPACE.architectures(SPACE.sample(16, np.random.default_rng(0)))
EVERY = names()


def named(name: str) -> Preset:
    return preset(name)


@pytest.mark.parametrize("name", EVERY)
def test_its_first_line_is_a_sentence_for_users(name: str) -> None:
    first = named(name).description.splitlines()[0]
    assert first.endswith(".")
    assert first.split(":")[0]
    assert named(name).name == name


@pytest.mark.parametrize("name", EVERY)
def test_it_makes_an_unfitted_predictor_whose_arguments_can_be_replaced(name: str) -> None:
    predictor = named(name).make(seed=5, training__epochs=3)
    assert isinstance(predictor, Predictor)
    assert (predictor.seed, predictor.training.epochs) == (5, 3)
    assert not any(attribute.endswith("_") for attribute in vars(predictor))
    by_hand = Predictor().set_params(**named(name).arguments).set_params(seed=5, training__epochs=3)
    assert predictor.get_params() == by_hand.get_params()


@pytest.mark.parametrize("name", EVERY)
def test_it_fits_and_predicts(name: str) -> None:
    networks = [random_computational_graph(20 + i, np.random.default_rng(i)) for i in range(16)]
    architectures = networks if name == "ranker" else CELLS
    predictor = named(name).make(training__epochs=1).fit(architectures, np.arange(16.0))
    assert np.isfinite(predictor.predict(architectures)).all()


@pytest.mark.parametrize("name", EVERY)
def test_two_makes_share_nothing_that_can_be_changed(name: str) -> None:
    before = repr(named(name).arguments)
    made = named(name).make()
    for argument in named(name).arguments:
        value = getattr(made, argument)
        if isinstance(value, dict):
            value["changed"] = True
    assert repr(named(name).arguments) == before


def test_the_default_is_the_predictor_as_it_comes() -> None:
    assert named("default").make().get_params() == Predictor().get_params()


@pytest.mark.parametrize("name", ["nac", "regression-nas", "gates", "renas"])
def test_published_networks_read_the_graph_alone(name: str) -> None:
    predictor = named(name).make(training__epochs=1).fit(CELLS, np.arange(16.0))
    assert predictor.spec_.num_side == 0
    assert len(predictor.ensemble_.models) == 1
    assert predictor.ensemble_.regressors == {}


@pytest.mark.parametrize("name", plugins("regressors"))
def test_every_regressor_is_a_baseline_of_its_name_alone(name: str) -> None:
    predictor = named(name).make()
    assert predictor.ensemble == 0
    assert list(predictor.regressors or {}) == [name]
