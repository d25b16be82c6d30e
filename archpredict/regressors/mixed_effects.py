"""Mixed model: a Gaussian process on numbers, and an effect of the recipe by which each label came about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from archpredict._typing import BoolArray, FloatArray
from archpredict.errors import UsageError
from archpredict.regressors.base import Arrays, Regressor, Values, check_arrays, sampled_rows

__all__ = ["MixedEffects"]

_CHUNK = 4096
_RECIPE = "recipe"


class MixedEffects(Regressor):
    """Gaussian process on numbers plus a random effect of the training recipe, with fixed variances.

    Henderson, "Best linear unbiased estimation and prediction under a selection model", Biometrics 31, 1975, with a
    process in place of the fixed effects (Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006,
    equations 2.25 and 2.26)::

        y = f(x) + u[recipe] + noise,   f ~ GP(0, exp(-sum_j w_j |x_j - x'_j| / (F l))),   u ~ N(0, effect)

    What networks with labels by several recipes differ by, and what alike networks with labels by different ones do, is
    the recipe's; the rest is the network's. ``w_j`` is the square root of the absolute rank correlation of a column
    with the labels, scaled to a mean of 1: with hundreds of columns, most of which say little of the label, that keeps
    these from drowning the few that say much. Without recipes the effect is a level.

    Variances are where the labels' own is 1; nothing is searched for. Like any Gaussian process it is saved as its
    training set. The cost grows with the cube of the labels; of more than ``max_labels`` a random part is used.

    Args:
        seed: Chooses that part.
        length: Of the kernel, in units of the number of columns.
        noise: Variance of the labels' noise.
        effect: Variance of the recipes' effects.
        max_labels: At most so many labels.

    Raises:
        UsageError: A length or variance that is not above 0.

    Example:
        >>> x = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [2.0, 0.0]])
        >>> model = MixedEffects()
        >>> model.name_columns(["network: log macs", "recipe: modern"])
        >>> model.fit(x, np.array([0.5, 1.0, -1.0, 0.0]))
        >>> same_network = np.array([[1.0, 0.0], [1.0, 1.0]])
        >>> bool(np.diff(model.predict(same_network))[0] > 0)
        True
    """

    name = "mixed-effects"
    sources = (_RECIPE,)

    def __init__(
        self,
        seed: int = 0,
        *,
        length: float = 2.0,
        noise: float = 0.05,
        effect: float = 0.1,
        max_labels: int = 2000,
    ) -> None:
        if not all(0 < value < np.inf for value in (length, noise, effect)):
            raise UsageError(f"length, noise and effect are finite and above 0; {length}, {noise}, {effect} were given")
        self.seed = seed
        self.length, self.noise, self.effect, self.max_labels = length, noise, effect, max_labels
        self._is_recipe: BoolArray | None = None

    def name_columns(self, names: Sequence[str]) -> None:
        self._is_recipe = np.array([name.startswith(f"{_RECIPE}: ") for name in names], dtype=np.bool_)

    def fit(self, x: FloatArray, y: FloatArray) -> None:
        kept = sampled_rows(len(y), self.max_labels, self.seed)
        x, y = x[kept], y[kept]
        of_recipe = np.zeros(x.shape[1], dtype=np.bool_) if self._is_recipe is None else self._is_recipe
        weights = np.zeros(x.shape[1])
        weights[~of_recipe] = _relevance(x[:, ~of_recipe], y)
        self._condition(x, y, weights, of_recipe)

    def _condition(self, x: FloatArray, y: FloatArray, weights: FloatArray, of_recipe: BoolArray) -> None:
        self._x, self._y, self._weights, self._of_recipe = x, y, weights, of_recipe
        self._factor = cho_factor(self._covariance(x) + self.noise * np.eye(len(y)), lower=True)
        self._solved: FloatArray = cho_solve(self._factor, y)

    def _covariance(self, x: FloatArray) -> FloatArray:
        """``(G, n)`` prior covariances with the training set."""
        numbers, recipe = ~self._of_recipe, self._of_recipe
        columns = max(1, int(numbers.sum()))
        weighted, own = ((rows * self._weights)[:, numbers] for rows in (x, self._x))
        covariance = np.exp(-cdist(weighted, own, "cityblock") / (self.length * columns))
        if recipe.any():
            covariance += self.effect * (cdist(x[:, recipe], self._x[:, recipe], "chebyshev") < 0.5)
        else:
            covariance += self.effect
        return np.asarray(covariance)

    def predict(self, x: FloatArray) -> FloatArray:
        # Row by row, so that a prediction does not depend on what else is asked: a product's rounding does.
        parts = [(self._covariance(x[i : i + _CHUNK]) * self._solved).sum(axis=1) for i in range(0, len(x), _CHUNK)]
        return np.concatenate([np.zeros(0), *parts])

    def std(self, x: FloatArray) -> FloatArray:
        own = 1 + self.effect + self.noise
        parts = [np.zeros(0)]
        for i in range(0, len(x), _CHUNK):
            across = self._covariance(x[i : i + _CHUNK])
            explained = (across * cho_solve(self._factor, across.T).T).sum(axis=1)
            parts.append(np.sqrt(np.maximum(own - explained, self.noise)))
        return np.concatenate(parts)

    def state(self) -> tuple[Values, Arrays]:
        single = self._x.astype(np.float32)  # the numbers of a predictor are
        x = single if (single == self._x).all() else self._x
        arrays = {"x": x, "y": self._y, "weights": self._weights, "recipe": self._of_recipe.astype(np.float64)}
        return {}, arrays

    def restore(self, values: Values, arrays: Arrays, columns: int) -> None:
        labels = len(arrays["y"])
        shapes = {"x": (labels, columns), "y": (labels,), "weights": (columns,), "recipe": (columns,)}
        check_arrays(arrays, shapes)
        if not 0 < labels <= self.max_labels:
            raise ValueError(f"a mixed model on {labels} labels is given, its max_labels is {self.max_labels}")
        x, y, weights, recipe = (arrays[name].astype(np.float64) for name in ("x", "y", "weights", "recipe"))
        if (weights < 0).any() or not np.isin(recipe, (0, 1)).all():
            raise ValueError("the columns of a mixed model have weights of at least 0, and are of recipes or not")
        self._condition(x, y, weights, recipe == 1)


def _relevance(x: FloatArray, y: FloatArray) -> FloatArray:
    """``(F,)`` square roots of absolute rank correlations with the labels, scaled to a mean of 1; 0 if constant."""
    ranks, target = rankdata(x, axis=0), rankdata(y)
    ranks, target = ranks - ranks.mean(axis=0), target - target.mean()
    spread = np.sqrt((ranks**2).sum(axis=0) * (target @ target))
    found = np.sqrt(np.abs(np.divide(ranks.T @ target, spread, out=np.zeros_like(spread), where=spread > 0)))
    return np.asarray(found / found.mean()) if found.any() else np.ones_like(found)
