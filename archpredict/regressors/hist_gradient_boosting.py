"""Histogram-based gradient boosting."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import ThreadpoolController

from archpredict._typing import FloatArray, IntArray
from archpredict.regressors.base import Arrays, Regressor, Values
from archpredict.regressors.trees.arrays import MAX_DEPTH, Tree, TreeEnsemble

__all__ = ["HistGradientBoosting"]

_MAX_BINS = 255
"""As many as scikit-learn has."""


class HistGradientBoosting(Regressor):
    """Gradient boosting on binned columns: Friedman, 2001; Ke et al., "LightGBM", NeurIPS 2017.

    Args:
        seed: Of what is random in it.
        iterations: Number of trees.
        learning_rate: Shrinkage of each.
        max_leaf_nodes: Leaves of a tree at most.
        min_samples_leaf: Labels in a leaf at least.
        max_features: Share of the columns looked at for a split.
        l2: Penalty on leaf values.
    """

    name = "hist-gradient-boosting"
    sources = ("recipe",)

    def __init__(
        self,
        seed: int = 0,
        *,
        iterations: int = 100,
        learning_rate: float = 0.1,
        max_leaf_nodes: int = 6,
        min_samples_leaf: int = 3,
        max_features: float = 0.2,
        l2: float = 1.0,
    ) -> None:
        self._model = HistGradientBoostingRegressor(
            max_iter=iterations,
            learning_rate=learning_rate,
            max_leaf_nodes=max_leaf_nodes,
            max_depth=MAX_DEPTH,
            min_samples_leaf=min_samples_leaf,
            max_features=max_features,
            l2_regularization=l2,
            early_stopping=False,
            random_state=seed % 2**32,
        )

    def fit(self, x: FloatArray, y: FloatArray) -> None:
        # No column has more values than there are labels: further bins would be empty, and cleared at every split.
        self._model.set_params(max_bins=min(_MAX_BINS, max(2, len(x))))
        read = _distinct(x)
        with _one_thread():
            self._model.fit(x[:, read], y)
        # No public name leads to the trees, in any version of scikit-learn.
        self._start = float(self._model._baseline_prediction[0, 0])
        self._trees = TreeEnsemble.of([_tree(predictor.nodes, read) for (predictor,) in self._model._predictors])

    def predict(self, x: FloatArray) -> FloatArray:
        return np.concatenate([np.zeros(0), *(said.sum(axis=0) + self._start for said in self._trees.outputs(x))])

    def state(self) -> tuple[Values, Arrays]:
        return {"start": self._start}, self._trees.arrays()

    def restore(self, values: Values, arrays: Arrays, columns: int) -> None:
        self._start = float(values["start"])
        if not np.isfinite(self._start):
            raise ValueError(f"gradient boosting starts from a finite number, {dict(values)} is given")
        self._trees = TreeEnsemble.from_arrays(arrays, columns)


def _distinct(x: FloatArray) -> IntArray:
    """One of each kind of columns that are alike; counts along paths, of which there are many, often are."""
    first: dict[bytes, int] = {}
    for i, column in enumerate(x.T):
        first.setdefault(blake2b(column.tobytes()).digest(), i)
    return np.array(list(first.values()))


def _tree(nodes: Any, columns: IntArray) -> Tree:
    left = np.where(nodes["is_leaf"] != 0, -1, nodes["left"].astype(np.int64))
    return left, nodes["right"].astype(np.int64), columns[nodes["feature_idx"]], nodes["num_threshold"], nodes["value"]


def _one_thread() -> Any:
    """Sharing so few labels among threads costs more than it gains, and a lot more on a busy machine."""
    return _controller().limit(limits=1, user_api="openmp")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
