"""Trees as arrays: walked as they are defined, equal to scikit-learn's, and nothing else passes for trees."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.tree import DecisionTreeRegressor

from archpredict._typing import FloatArray
from archpredict.regressors.hist_gradient_boosting import HistGradientBoosting
from archpredict.regressors.trees import arrays as _trees
from archpredict.regressors.trees.arrays import MAX_DEPTH, Tree, TreeEnsemble


def outputs(trees: TreeEnsemble, x: FloatArray) -> FloatArray:
    return np.concatenate(list(trees.outputs(x)), axis=1)


def tree_of(model: DecisionTreeRegressor) -> Tree:
    t = model.tree_
    return t.children_left, t.children_right, t.feature, t.threshold, t.value[:, 0, 0]


def walked(tree: Tree, row: FloatArray) -> float:
    """By the definition, one node after another."""
    left, right, feature, threshold, value = tree
    node = 0
    while left[node] >= 0:
        node = int(left[node] if np.float32(row[feature[node]]) <= threshold[node] else right[node])
    return float(value[node])


@st.composite
def trees(draw: st.DrawFn, most: int = 12) -> Tree:
    """A random tree on three columns, its nodes in random order but for the root."""
    inner = draw(st.integers(0, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = 2 * inner + 1
    left, right = np.full(size, -1), np.full(size, -1)
    place = [0, *(1 + rng.permutation(size - 1))]
    leaves, made = [0], 1
    for _ in range(inner):
        node = leaves.pop(int(rng.integers(len(leaves))))
        left[node], right[node] = place[made], place[made + 1]
        leaves, made = [*leaves, int(place[made]), int(place[made + 1])], made + 2
    return left, right, rng.integers(0, 3, size), rng.integers(-3, 4, size) / 2 + 1e-9, rng.normal(size=size)


@given(st.lists(trees(), min_size=1, max_size=6), st.integers(0, 40))
def test_trees_are_walked_as_they_are_defined_whatever_the_order_of_their_nodes(some: list[Tree], rows: int) -> None:
    x = np.random.default_rng(0).integers(-3, 4, size=(rows, 3)) / 2
    expected = np.array([[walked(tree, row) for row in x] for tree in some]).reshape(len(some), rows)
    ensemble = TreeEnsemble.of(some)
    restored = TreeEnsemble.from_arrays(ensemble.arrays(), columns=3)
    for one in (ensemble, restored):
        np.testing.assert_array_equal(np.concatenate([np.zeros((len(some), 0)), *one.outputs(x)], axis=1), expected)


@given(st.lists(trees(most=7), min_size=1, max_size=6), st.integers(0, 40))
def test_small_trees_say_the_same_when_rows_walk_down_them(some: list[Tree], rows: int) -> None:
    x = np.random.default_rng(0).integers(-3, 4, size=(rows + 1, 3)) / 2
    ensemble = TreeEnsemble.of(some)
    said = outputs(ensemble, x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_trees, "_FEW_LEAVES", 0)
        np.testing.assert_array_equal(said, outputs(TreeEnsemble.of(some), x))


def test_trees_grown_best_first_and_deep_ones_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 6)), rng.normal(size=300)
    models = [DecisionTreeRegressor(max_leaf_nodes=n, random_state=0).fit(x, y) for n in (None, 2, 50)]
    stump = DecisionTreeRegressor().fit(x[:2], [1.0, 1.0])
    ensemble = TreeEnsemble.of([tree_of(model) for model in [*models, stump]])
    expected = np.stack([*(model.predict(x) for model in models), np.ones(300)])
    np.testing.assert_array_equal(outputs(ensemble, x), expected)
    monkeypatch.setattr(_trees, "_ROWS", 7)
    monkeypatch.setattr(_trees, "_CELLS", 10)
    np.testing.assert_array_equal(outputs(ensemble, x), expected)


def test_thresholds_in_single_precision_decide_as_those_in_double_precision_do() -> None:
    x = np.nextafter(np.float32(1), np.float32([0, 1, 2])).astype(np.float64)[:, None]
    for threshold in (1 - 1e-12, 1.0, 1 + 1e-12, 1e-50, -1e-50):
        tree = np.array([1, -1, -1]), np.array([2, -1, -1]), np.zeros(3, int), np.full(3, threshold), np.arange(3.0)
        at = np.concatenate([x, [[0.0]], -x])
        said = outputs(TreeEnsemble.of([tree]), at)[0]
        assert said.tolist() == np.where(at[:, 0] <= threshold, 1.0, 2.0).tolist()


def test_five_hundred_trees_on_486_labels_take_less_than_two_and_a_half_megabytes() -> None:
    rng = np.random.default_rng(0)
    model = ExtraTreesRegressor(500, max_features=0.33, random_state=0).fit(rng.normal(size=(486, 60)), np.arange(486))
    arrays = TreeEnsemble.of([tree_of(tree) for tree in model.estimators_]).arrays()
    assert sum(array.nbytes for array in arrays.values()) < 2_500_000


STUMP: dict[str, Any] = {
    "feature": np.array([1, -1, -1], dtype=np.int8),
    "threshold": np.array([0.5], dtype=np.float32),
    "leaf": np.array([0, 1], dtype=np.int8),
    "values": np.array([10.0, 20.0]),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature": np.array([2, -1, -1])}, "its trees read column 2, there are 2"),
        ({"feature": np.array([-1, 1, -1])}, "its last tree is not whole"),
        ({"feature": np.array([1, 1, -1]), "threshold": np.zeros(2, np.float32), "leaf": [0]}, "is not whole"),
        ({"feature": np.array([1, -1, -1.0])}, "not lists of numbers of the right kinds"),
        ({"feature": np.array([[1, -1, -1]])}, "not lists of numbers of the right kinds"),
        ({"feature": np.zeros(0, int), "threshold": np.zeros(0, np.float32), "leaf": []}, "leaves without a value"),
        ({"threshold": np.zeros(2, np.float32)}, "its trees have 2 leaves, 2 values and 2 thresholds are given"),
        ({"threshold": np.array([np.nan], np.float32)}, "the numbers of its trees are not all finite"),
        ({"values": np.array([1.0, np.inf])}, "the numbers of its trees are not all finite"),
        ({"values": np.array([1, 2])}, "not lists of numbers of the right kinds"),
        ({"leaf": [0, 2]}, "its trees have leaves without a value"),
        ({"leaf": [-1, 0]}, "its trees have leaves without a value"),
        ({"leaf": [0]}, "its trees have 2 leaves, 1 values and 1 thresholds are given"),
        ({"more": np.zeros(1)}, "trees are feature, threshold, leaf and values; feature, leaf, more"),
    ],
)
def test_arrays_that_are_no_trees_are_refused(change: dict[str, Any], message: str) -> None:
    TreeEnsemble.from_arrays(STUMP, columns=2)
    changed = {**STUMP, **{k: np.array(v, dtype=np.int64) if k == "leaf" else v for k, v in change.items()}}
    with pytest.raises(ValueError, match=message):
        TreeEnsemble.from_arrays(changed, columns=2)


def test_trees_too_many_or_too_deep_to_walk_are_refused() -> None:
    def chain(depth: int) -> dict[str, Any]:
        feature = [*np.tile([0, -1], depth).tolist(), -1]
        leaf = np.zeros(depth + 1, dtype=np.int64)
        return {
            "feature": np.array(feature),
            "threshold": np.zeros(depth, np.float32),
            "leaf": leaf,
            "values": leaf + 0.5,
        }

    assert outputs(TreeEnsemble.from_arrays(chain(200), 1), np.zeros((1, 1))).tolist() == [[0.5]]
    leaves = {"feature": np.full(10_001, -1), "threshold": np.zeros(0, np.float32), "leaf": np.zeros(10_001, int)}
    for hostile in (chain(201), chain(100_000), {**leaves, "values": np.zeros(1)}):
        with pytest.raises(ValueError, match="more than 10,000 trees, or one of more than 200 levels"):
            TreeEnsemble.from_arrays(hostile, 1)


@settings(max_examples=300)
@given(st.lists(st.integers(-1, 2), min_size=1, max_size=15))
def test_whatever_passes_for_trees_can_be_walked(feature: list[int]) -> None:
    leaves = feature.count(-1)
    arrays = {
        "feature": np.array(feature),
        "threshold": np.zeros(len(feature) - leaves, dtype=np.float32),
        "leaf": np.arange(leaves),
        "values": np.arange(leaves) + 0.5,
    }
    try:
        ensemble = TreeEnsemble.from_arrays(arrays, columns=3)
    except ValueError:
        return
    said = outputs(ensemble, np.random.default_rng(0).normal(size=(20, 3)))
    assert set(np.unique(said)) <= set(arrays["values"])


def test_a_pickle_of_trees_holds_no_more_once_they_have_predicted() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 3))
    boosting = HistGradientBoosting()
    boosting.fit(x, x[:, 0])
    before = len(pickle.dumps(boosting))
    said = boosting.predict(x)
    assert len(pickle.dumps(boosting)) == before
    assert np.array_equal(pickle.loads(pickle.dumps(boosting)).predict(x), said)


@pytest.mark.parametrize("labels", [2, 20, 300])
def test_gradient_boosting_learns_what_it_would_with_all_bins(labels: int) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(labels, 3)), rng.integers(3, size=(labels, 3))], axis=1)
    y = x[:, 0] + x[:, 4]
    ours = HistGradientBoosting(max_features=1.0)
    ours.fit(x, y)
    options = {"max_leaf_nodes": 6, "max_depth": MAX_DEPTH, "min_samples_leaf": 3, "l2_regularization": 1.0}
    theirs = HistGradientBoostingRegressor(max_bins=255, early_stopping=False, random_state=0, **options).fit(x, y)
    new = rng.normal(size=(50, 6))
    np.testing.assert_allclose(ours.predict(new), theirs.predict(new), rtol=1e-12)
