"""The recipe by which a labelled network was trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.errors import DataError, UnknownNameError
from archpredict.predict.batch import Batch
from archpredict.predict.sources.base import Source

__all__ = ["TrainingRecipes"]

_COLUMN = "recipe"


@dataclass(frozen=True)
class TrainingRecipes(Source):
    """One-hot names of training recipes, given as the column ``recipe`` of the features: a text for each architecture.

    One and the same network reaches different scores by different recipes, and no graph tells by which it was trained.
    Where the column is left out, all architectures are taken to be trained by one stated recipe.

    Args:
        recipes: The names; set by :meth:`fit`.
        stated: The recipe where none is given; the most frequent one if left out.

    Example:
        >>> from archpredict.graph.arch_graph import ArchGraph
        >>> networks, recipes = [ArchGraph(("conv",), ())] * 3, ["modern", "classic", "modern"]
        >>> source = TrainingRecipes().fit(Batch.of(networks, {"recipe": recipes}))
        >>> source.names, source(Batch.of(networks[:1])).tolist()
        (('classic', 'modern'), [[0.0, 1.0]])
    """

    name = "recipe"
    is_standardised = True
    reads_columns = (_COLUMN,)

    recipes: tuple[str, ...] = ()
    stated: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return self.recipes

    def can_read(self, batch: Batch) -> bool:
        return _COLUMN in batch.features and all(isinstance(name, str) for name in batch.features[_COLUMN])

    def fit(self, batch: Batch) -> TrainingRecipes:
        if not self.can_read(batch):
            raise DataError(f"the source {self.name} reads a column {_COLUMN!r} of texts, one for each architecture")
        given = Counter(map(str, batch.features[_COLUMN]))
        most = max(sorted(given), key=lambda recipe: given[recipe])
        return TrainingRecipes(tuple(sorted(given)), self.stated or most)

    def under(self, recipe: str) -> TrainingRecipes:
        """This source, with another recipe where none is given.

        Raises:
            UnknownNameError: None of its recipes.
        """
        return replace(self, stated=self._known(recipe))

    def __call__(self, batch: Batch) -> FloatArray:
        given = [str(name) for name in batch.features.get(_COLUMN, [self.stated] * len(batch))]
        if len(given) != len(batch):
            raise DataError(f"{len(given)} recipes were given for {len(batch)} architectures; give one for each")
        place = {recipe: i for i, recipe in enumerate(self.recipes)}
        return np.eye(len(self.recipes))[[place[self._known(name)] for name in given]]

    def _known(self, recipe: str) -> str:
        if recipe not in self.recipes:
            raise UnknownNameError("recipe", recipe, self.recipes)
        return recipe

    def to_dict(self) -> dict[str, Any]:
        return {"recipes": list(self.recipes), "stated": self.stated}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainingRecipes:
        recipes, stated = tuple(map(str, data["recipes"])), str(data["stated"])
        if stated not in recipes:
            raise ValueError(f"its stated recipe {stated!r} is none of its recipes")
        return cls(recipes, stated)
