"""Random forest."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import RandomForestRegressor

from archpredict.regressors.trees.forest import Forest

__all__ = ["RandomForest"]


class RandomForest(Forest):
    """Random forest: Breiman, "Random forests", Machine Learning 45, 2001.

    Args:
        seed: Of bootstrap samples and splits.
        trees: Number of trees.
        min_samples_leaf: Labels in a leaf at least.
        max_features: Share of the columns looked at for a split.
    """

    name = "random-forest"

    def _make(self, **options: Any) -> Any:
        return RandomForestRegressor(**options)
