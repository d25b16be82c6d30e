"""Contributions: they add up, and what has no part in a score gets none."""

from __future__ import annotations

import numpy as np
import pytest

from archpredict.errors import UsageError
from archpredict.explanations.contributions import contributions, nearest
from archpredict.explanations.shapley import coalitions, shapley_values
from archpredict.predict.predictor import Predictor
from archpredict.spaces.base import load_space

SPACE = load_space("nasbench201")
NETWORKS = [
    SPACE.network(row, channels=channels)
    for row, channels in zip(SPACE.sample(24, np.random.default_rng(0)).tolist(), [8, 16, 32] * 8, strict=True)
]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    fitted = Predictor(ensemble=0, sources=("network",), regressors={"extra-trees": 1.0})
    return fitted.fit(NETWORKS, [np.log(network.attrs["macs"].sum()) for network in NETWORKS])


@pytest.mark.parametrize("i", range(3))
def test_contributions_add_up_to_the_difference_from_the_reference(predictor: Predictor, i: int) -> None:
    alone = contributions(predictor, NETWORKS[i])
    assert sum(part.gain for part in alone.parts) == pytest.approx(alone.score - alone.reference)
    assert alone.score == pytest.approx(predictor.predict([NETWORKS[i]])[0])
    against = contributions(predictor, NETWORKS[i], NETWORKS[i + 1])
    assert against.reference == pytest.approx(predictor.predict([NETWORKS[i + 1]])[0])
    assert sum(part.gain for part in against.parts) == pytest.approx(against.score - against.reference)
    same = contributions(predictor, NETWORKS[i], NETWORKS[i])
    assert [part.gain for part in same.parts] == pytest.approx([0.0] * len(same.parts))


def test_the_recipe_is_no_part_of_what_a_network_adds() -> None:
    shipped = Predictor.load("imagenet")
    explained = contributions(shipped, NETWORKS[0])
    assert "recipe" not in " ".join(part.group for part in explained.parts)
    assert sum(part.gain for part in explained.parts) == pytest.approx(explained.score - explained.reference)


def test_shapley_values_of_a_sum_are_its_parts_and_of_a_product_are_shared() -> None:
    sets = coalitions(4).astype(float)
    worth = np.array([3.0, -1.0, 0.0, 2.0])
    assert shapley_values(sets @ worth).tolist() == pytest.approx(worth.tolist())
    assert shapley_values(sets[:, 0] * sets[:, 1] * sets[:, 3]).tolist() == pytest.approx([1 / 3, 1 / 3, 0.0, 1 / 3])


def test_the_nearest_known_network_is_itself(predictor: Predictor) -> None:
    known = {str(i): (network, float(i)) for i, network in enumerate(NETWORKS)}
    found = nearest(predictor, NETWORKS[5], known, k=3)
    assert (found[0].label, found[0].distance) == (5.0, 0.0)
    assert [each.distance for each in found] == sorted(each.distance for each in found)
    assert nearest(predictor, NETWORKS[5], {}) == []


def test_predictors_that_read_the_graph_are_refused() -> None:
    cells = SPACE.architectures(SPACE.sample(20, np.random.default_rng(0)))
    reads_cells = Predictor(ensemble=0, regressors={"bayesian-ridge": 1.0}).fit(cells, range(20))
    with pytest.raises(UsageError, match="read statistics and no graph"):
        contributions(reads_cells, NETWORKS[0])
