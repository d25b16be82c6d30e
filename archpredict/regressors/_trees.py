"""What the forests share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from archpredict.regressors.base import FloatArray, Regressor


class Forest(Regressor):
    """An average of trees; its standard deviation is that of the trees."""

    def __init__(
        self, seed: int = 0, *, trees: int = 500, min_samples_leaf: int = 1, max_features: float = 0.33
    ) -> None:
        self.seed = seed
        self.options = {"n_estimators": trees, "min_samples_leaf": min_samples_leaf, "max_features": max_features}

    @abstractmethod
    def _make(self, **options: Any) -> Any:
        """The unfitted forest of scikit-learn."""

    def fit(self, x: FloatArray, y: FloatArray, found: dict[str, Any] | None = None) -> None:
        self._model = self._make(random_state=self.seed % 2**32, **self.options).fit(x, y)

    def predict(self, x: FloatArray) -> FloatArray:
        return np.asarray(self._model.predict(x), dtype=np.float64) if len(x) else np.zeros(0)

    def std(self, x: FloatArray) -> FloatArray:
        if not len(x):
            return np.zeros(0)
        return np.asarray(
            np.stack([tree.predict(x.astype(np.float32)) for tree in self._model.estimators_]).std(axis=0)
        )
