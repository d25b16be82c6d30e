"""One predictor for every space with networks and for every model; it needs no label."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.metrics import kendall_tau
from archpredict.predict.predictor import Predictor
from archpredict.predict.rank.adaptation import load_ranker
from archpredict.predict.transfer.shipped import shipped_model
from archpredict.predict.universal import UNIVERSAL, UniversalPredictor
from archpredict.spaces.base import load_space
from archpredict.testing.graphs import random_computational_graph
from archpredict.testing.toys import ToySpace


@pytest.fixture(scope="module")
def universal() -> UniversalPredictor:
    return UniversalPredictor()


def test_architectures_of_a_space_are_ordered_without_a_label(universal: UniversalPredictor) -> None:
    space = load_space("nasbench101")
    cells = space.architectures(space.sample(40, np.random.default_rng(0)))
    scores = universal.predict(cells)
    assert scores.shape == (40,)
    assert universal.rank(cells).tolist() == np.argsort(-scores, kind="stable").tolist()
    assert universal.score(cells, [cell.cost["params"] for cell in cells]) == pytest.approx(
        kendall_tau([cell.cost["params"] for cell in cells], scores)
    )


def test_an_architecture_has_one_score_whatever_is_beside_it(universal: UniversalPredictor) -> None:
    space = load_space("nasbench-macro")
    chains = space.architectures(space.sample(6, np.random.default_rng(0)))
    np.testing.assert_allclose(universal.predict(chains[:2]), universal.predict(chains)[:2], rtol=1e-9)


def test_models_get_the_score_of_the_ranker_of_models(universal: UniversalPredictor) -> None:
    graphs = [random_computational_graph(n, np.random.default_rng(n)) for n in (20, 30)]
    np.testing.assert_array_equal(universal.predict(graphs), Predictor.load("imagenet").predict(graphs))
    assert load_ranker(UNIVERSAL).card_ == Predictor.load("imagenet").card_


def test_what_it_knows_and_from_where_is_on_its_card(universal: UniversalPredictor) -> None:
    labelled = {space.name for space in shipped_model().spaces if space.has_labels}
    assert universal.card_["sources"].keys() == labelled
    assert all("MIT" in about or "Apache" in about for about in universal.card_["sources"].values())


def test_what_it_cannot_order_it_says(universal: UniversalPredictor) -> None:
    cells, chains = (load_space(name) for name in ("nasbench201", "nasbench-macro"))
    mixed = [cells.architecture([3] * 6), chains.architecture([1] * 8)]
    with pytest.raises(UsageError, match="architectures of several were given; rank those of one space at a time"):
        universal.predict(mixed)
    with pytest.raises(UsageError, match=r"does not define network\(\)"):
        universal.predict(ToySpace().architectures(ToySpace().enumerate()[:3]))
    with pytest.raises(UsageError, match="reads no further columns"):
        universal.predict(mixed[:1], {"flops": [1.0]})
    assert universal.predict([]).shape == (0,)
