"""What the forests share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.regressors.base import Arrays, Regressor, Values
from archpredict.regressors.trees.arrays import MAX_DEPTH, TreeEnsemble


class Forest(Regressor):
    """An average of trees; its standard deviation is that of the trees. Numbers are read in single precision."""

    def __init__(
        self, seed: int = 0, *, trees: int = 500, min_samples_leaf: int = 1, max_features: float = 0.33
    ) -> None:
        self.seed = seed
        self.options = {"n_estimators": trees, "min_samples_leaf": min_samples_leaf, "max_features": max_features}

    @abstractmethod
    def _make(self, **options: Any) -> Any:
        """The unfitted forest of scikit-learn."""

    def fit(self, x: FloatArray, y: FloatArray) -> None:
        model = self._make(random_state=self.seed % 2**32, max_depth=MAX_DEPTH, **self.options).fit(x, y)
        fitted = [estimator.tree_ for estimator in model.estimators_]
        self._trees = TreeEnsemble.of(
            [(t.children_left, t.children_right, t.feature, t.threshold, t.value[:, 0, 0]) for t in fitted]
        )

    def predict(self, x: FloatArray) -> FloatArray:
        return np.concatenate([np.zeros(0), *(outputs.mean(axis=0) for outputs in self._trees.outputs(x))])

    def std(self, x: FloatArray) -> FloatArray:
        return np.concatenate([np.zeros(0), *(outputs.std(axis=0) for outputs in self._trees.outputs(x))])

    def state(self) -> tuple[Values, Arrays]:
        return {}, self._trees.arrays()

    def restore(self, values: Values, arrays: Arrays, columns: int) -> None:
        self._trees = TreeEnsemble.from_arrays(arrays, columns)
