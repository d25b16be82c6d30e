"""The source of training recipes: given with architectures, or one stated for all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from archpredict.errors import DataError, UnknownNameError, UsageError
from archpredict.predict.inputs import InputSpec
from archpredict.predict.predictor import Predictor
from archpredict.predict.rank.adaptation import AdaptedPredictor
from archpredict.predict.sources.base import Source
from archpredict.predict.sources.recipe import TrainingRecipes
from archpredict.spaces.base import Architecture, load_space

CELLS = load_space("nasbench201").architectures(load_space("nasbench201").sample(40, np.random.default_rng(0)))
RECIPES = ["modern", "classic", "modern", "short"] * 10
GAIN = {"modern": 2.0, "classic": 0.0, "short": -4.0}
LABELS = [cell.cost["params"] / 1e5 + GAIN[recipe] for cell, recipe in zip(CELLS, RECIPES, strict=True)]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    regressors = {"mixed-effects": 1.0, "hist-gradient-boosting": 0.1}
    return Predictor(ensemble=0, regressors=regressors).fit(CELLS, LABELS, features={"recipe": RECIPES})


def test_the_most_frequent_recipe_is_stated_unless_another_one_is(predictor: Predictor) -> None:
    assert (predictor.recipes_, predictor.recipe_) == (("classic", "modern", "short"), "modern")
    stated = Predictor(
        ensemble=0, sources=["statistics", TrainingRecipes(stated="short")], regressors={"bayesian-ridge": 1.0}
    )
    assert stated.fit(CELLS, LABELS, features={"recipe": RECIPES}).recipe_ == "short"


def test_without_recipes_networks_are_taken_to_be_trained_by_the_stated_one(predictor: Predictor) -> None:
    given = predictor.predict(CELLS, {"recipe": ["modern"] * len(CELLS)})
    assert predictor.predict(CELLS).tolist() == given.tolist()
    assert predictor.feature_names_ == ()


def test_a_recipe_moves_all_scores_the_way_it_moved_the_labels(predictor: Predictor) -> None:
    scores = {recipe: predictor.under(recipe).predict(CELLS) for recipe in predictor.recipes_}
    assert (scores["modern"] > scores["classic"]).all()
    assert (scores["classic"] > scores["short"]).all()
    assert predictor.recipe_ == "modern"
    assert predictor.predict(CELLS).tolist() == scores["modern"].tolist()


def test_labels_by_other_recipes_do_not_confound_those_of_the_networks() -> None:
    # Small cells by the good recipe, large ones by the poor one: the labels alone say that small is better.
    sizes = np.array([cell.cost["params"] / 1e5 for cell in CELLS])
    order = np.argsort(sizes)
    good = np.isin(np.arange(40), order[:22])
    labels = sizes + np.where(good, 20.0, 0.0)
    told = Predictor(ensemble=0, regressors={"mixed-effects": (1.0, {"effect": 1.0})})
    told.fit(CELLS, labels, features={"recipe": np.where(good, "good", "poor")})
    assert np.corrcoef(told.predict(CELLS), sizes)[0, 1] > np.corrcoef(labels, sizes)[0, 1] + 0.5


def test_novelty_does_not_depend_on_the_recipe(predictor: Predictor) -> None:
    assert predictor.under("short").novelty(CELLS).tolist() == predictor.novelty(CELLS).tolist()


def test_recipes_survive_being_saved(predictor: Predictor, tmp_path: Any) -> None:
    predictor.under("classic").save(tmp_path / "saved")
    again = Predictor.load(tmp_path / "saved")
    assert (again.recipes_, again.recipe_) == (predictor.recipes_, "classic")
    np.testing.assert_allclose(again.predict(CELLS), predictor.under("classic").predict(CELLS), rtol=1e-9)


def test_an_adaptation_goes_on_from_the_recipe_that_was_stated(predictor: Predictor, tmp_path: Any) -> None:
    labels = [label / 10 for label in LABELS[:8]]
    adapted = AdaptedPredictor.fit(predictor.under("short"), CELLS[:8], labels)
    adapted.save(tmp_path / "mine")
    again = AdaptedPredictor.load(tmp_path / "mine")
    np.testing.assert_allclose(again.predict(CELLS), adapted.predict(CELLS), rtol=1e-9)


def test_numbers_of_the_users_own_stand_beside_recipes() -> None:
    columns = {"recipe": RECIPES, "proxy": np.arange(40.0)}
    spec, inputs = InputSpec.fit(CELLS, form="nodes", features=columns, wishes=["recipe"])
    assert (spec.features, spec.num_shared, inputs.numbers.shape) == (("proxy",), 1, (40, 4))
    assert spec.sources.names == ("features: proxy", "recipe: classic", "recipe: modern", "recipe: short")


def test_a_column_of_numbers_that_is_called_recipe_is_a_number() -> None:
    spec, _ = InputSpec.fit(CELLS, form="nodes", features={"recipe": np.arange(40.0)}, wishes=["recipe"])
    assert spec.features == ("recipe",)


def test_what_is_saved_keeps_to_its_recipes() -> None:
    source: Source = TrainingRecipes(("new", "old"), "old")
    assert TrainingRecipes.from_dict(json.loads(json.dumps(source.to_dict()))) == source
    with pytest.raises(ValueError, match="stated recipe 'odd' is none of its recipes"):
        TrainingRecipes.from_dict({"recipes": ["new", "old"], "stated": "odd"})


@pytest.mark.parametrize(
    ("recipes", "error", "message"),
    [
        (["odd"] * 40, UnknownNameError, "unknown recipe 'odd'; choose from: classic, modern, short"),
        (["modern"], DataError, "1 recipes were given for 40 architectures; give one for each"),
    ],
)
def test_recipes_that_cannot_be_used_are_one_sentence(
    predictor: Predictor, recipes: Sequence[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        predictor.predict(CELLS, {"recipe": recipes})


def test_a_predictor_without_recipes_says_so() -> None:
    cells: list[Architecture] = CELLS[:10]
    plain = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, LABELS[:10])
    assert (plain.recipes_, plain.recipe_) == ((), None)
    with pytest.raises(UsageError, match="has learnt from labels without the names of recipes"):
        plain.under("modern")
    with pytest.raises(DataError, match="reads a column 'recipe' of texts"):
        Predictor(ensemble=0, sources=["recipe"], regressors={"bayesian-ridge": 1.0}).fit(cells, LABELS[:10])
