"""Predictors of other projects as entries to the leaderboard; of this library they read notations and choices alone.

    pip install --no-deps xgboost lightgbm ngboost lifelines
    archpredict evaluate --protocol nb201-c10 --predictor benchmarks/peers.py:XGBoost --submit xgboost.json

All read one-hot choices: on NAS-Bench-201 the operators of the edges, which is NASLib's one-hot adjacency encoding, on
NAS-Bench-101 the bits of the adjacency matrix and the operators. They have the settings with which NASLib runs them
(White et al., "How powerful are performance predictors in neural architecture search?", 2021, arXiv 2104.01177);
LightGBM's are those of GBDT-NAS (Luo et al. 2020, arXiv 2007.04785).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

_ROUNDS = 500


class OneHot(ABC):
    """A regressor that is given one-hot choices and standardised labels."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, cells: Sequence[Any], labels: np.ndarray) -> OneHot:
        """Learn from architectures with ``choices``."""
        rows = np.array([cell.choices for cell in cells])
        self.sizes = rows.max(axis=0) + 1
        y = (labels - labels.mean()) / (labels.std() or 1.0)
        np.random.seed(self.seed)  # the sources of randomness of some of them
        self.model = self.fitted(self.code(rows), y)
        return self

    def predict(self, cells: Sequence[Any]) -> np.ndarray:
        """Scores, higher is better."""
        return np.asarray(self.predicted(self.code(np.array([cell.choices for cell in cells])))).ravel()

    def code(self, rows: np.ndarray) -> np.ndarray:
        """One-hot; an option that was in no training cell is none of them."""
        columns = [rows[:, i, None] == np.arange(size) for i, size in enumerate(self.sizes)]
        return np.concatenate(columns, axis=1).astype(np.float64)

    @abstractmethod
    def fitted(self, x: np.ndarray, y: np.ndarray) -> Any: ...

    def predicted(self, x: np.ndarray) -> Any:
        return self.model.predict(x)


class XGBoost(OneHot):
    """XGBoost as NASLib's ``xgb``."""

    def fitted(self, x: np.ndarray, y: np.ndarray) -> Any:
        import xgboost

        settings = {"max_depth": 6, "min_child_weight": 1, "learning_rate": 0.3, "nthread": 1, "seed": self.seed}
        return xgboost.train(settings, xgboost.DMatrix(x, label=y), num_boost_round=_ROUNDS)

    def predicted(self, x: np.ndarray) -> Any:
        import xgboost

        return self.model.predict(xgboost.DMatrix(x))


class LightGBM(OneHot):
    """LightGBM as NASLib's ``lgb`` and GBDT-NAS."""

    def fitted(self, x: np.ndarray, y: np.ndarray) -> Any:
        import lightgbm

        leaves = {"min_data_in_leaf": 5, "num_leaves": 31, "learning_rate": 0.05}
        shares = {"feature_fraction": 0.9, "bagging_fraction": 0.8, "bagging_freq": 5}
        settings = {**leaves, **shares, "verbose": -1, "num_threads": 1, "seed": self.seed}
        return lightgbm.train(settings, lightgbm.Dataset(x, label=y), num_boost_round=_ROUNDS)


class NGBoost(OneHot):
    """NGBoost as NASLib's ``ngb``."""

    def fitted(self, x: np.ndarray, y: np.ndarray) -> Any:
        from ngboost import NGBRegressor
        from sklearn.tree import DecisionTreeRegressor

        tree = DecisionTreeRegressor(
            max_depth=6,
            max_features=0.7920456318712875,
            min_samples_leaf=min(max(len(x) // 2, 1), 15),
            min_samples_split=min(max(len(x) // 2, 2), 20),
        )
        model = NGBRegressor(
            Base=tree,
            n_estimators=505,
            learning_rate=0.08127053060223186,
            minibatch_frac=0.5081694143793387,
            verbose=False,
            random_state=self.seed,
        )
        return model.fit(x, y)
