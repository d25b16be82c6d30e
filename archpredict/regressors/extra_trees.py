"""Extremely randomised trees."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import ExtraTreesRegressor

from archpredict.regressors.trees.forest import Forest

__all__ = ["ExtraTrees"]


class ExtraTrees(Forest):
    """Extremely randomised trees: Geurts, Ernst and Wehenkel, Machine Learning 63, 2006.

    Args:
        seed: Of splits.
        trees: Number of trees.
        min_samples_leaf: Labels in a leaf at least.
        max_features: Share of the columns looked at for a split.
    """

    name = "extra-trees"

    def _make(self, **options: Any) -> Any:
        return ExtraTreesRegressor(**options)
