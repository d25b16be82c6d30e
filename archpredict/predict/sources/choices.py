"""One-hot choices of a search space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archpredict._typing import FloatArray
from archpredict.predict.batch import Batch, choice_labels, choices_in
from archpredict.predict.sources.base import Source

__all__ = ["OneHotChoices"]


@dataclass(frozen=True)
class OneHotChoices(Source):
    """One-hot choices: for each option of each choice of the space, 1 where it is taken.

    Args:
        space: Name of the search space; set by :meth:`fit`.
        num_choices: Options of each of its choices; set by :meth:`fit`.

    Example:
        >>> from archpredict.spaces import load_space
        >>> batch = Batch.of([load_space("nasbench201").architecture([3, 0, 0, 1, 0, 3])])
        >>> OneHotChoices().fit(batch)(batch)[0, :5]
        array([0., 0., 0., 1., 0.])
    """

    name = "choices"

    space: str = ""
    num_choices: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return choice_labels(self.num_choices)

    def can_read(self, batch: Batch) -> bool:
        return batch.space is not None

    def fit(self, batch: Batch) -> OneHotChoices:
        batch.choices("the source choices reads the choices")
        assert batch.space is not None  # else there are no choices
        return OneHotChoices(batch.space.name, batch.space.num_choices)

    def __call__(self, batch: Batch) -> FloatArray:
        rows = choices_in(batch, self.space, self.num_choices)
        if batch.space is None:
            return np.zeros((0, sum(self.num_choices)))
        return batch.space.one_hot(rows).astype(np.float64)

    def to_dict(self) -> dict[str, Any]:
        return {"space": self.space, "num_choices": list(self.num_choices)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OneHotChoices:
        num_choices = tuple(map(int, data["num_choices"]))
        if min(num_choices, default=0) < 1:
            raise ValueError("it reads choices, of which none are given, or numbers of options below 1")
        return cls(str(data["space"]), num_choices)
