"""Histogram-based gradient boosting."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import ThreadpoolController

from archpredict.regressors.base import FloatArray, Regressor

_CHUNK = 1024


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
            min_samples_leaf=min_samples_leaf,
            max_features=max_features,
            l2_regularization=l2,
            early_stopping=False,
            random_state=seed % 2**32,
        )

    def fit(self, x: FloatArray, y: FloatArray, found: dict[str, Any] | None = None) -> None:
        with _one_thread():
            self._model.fit(x, y)

    def predict(self, x: FloatArray) -> FloatArray:
        # Every tree passes over all rows, so that rows are taken in pieces that stay in the cache meanwhile.
        with _one_thread():
            parts = [self._model.predict(x[start : start + _CHUNK]) for start in range(0, len(x), _CHUNK)]
        return np.concatenate([np.zeros(0), *parts])


def _one_thread() -> Any:
    """Sharing so few labels and rows among threads costs more than it gains, and a lot more on a busy machine."""
    return _controller().limit(limits=1, user_api="openmp")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
