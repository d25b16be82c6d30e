"""Choices of a search space as numbers, where their options are ordered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archpredict._typing import FloatArray, IntArray
from archpredict.predict.batch import Batch, choice_labels, choices_in
from archpredict.predict.sources.base import Source
from archpredict.spaces.base import Ordered, SearchSpace

__all__ = ["OrderedChoices"]


@dataclass(frozen=True)
class OrderedChoices(Source):
    """Choices as the numbers that their options stand for: widths, kernels, depths, resolutions.

    What the space calls ordered (:attr:`archpredict.spaces.base.SearchSpace.ordered`) is one column each; of a choice
    that is left no alternative by those before it, as that of a layer which is not there, the number is 0. Other
    choices are one-hot, as in the source ``choices``.

    Args:
        space: Name of the search space; set by :meth:`fit`.
        num_choices: Options of each of its choices; set by :meth:`fit`.
        ordered: Numbers of their options, None for a choice without an order; set by :meth:`fit`.

    Example:
        >>> from archpredict.spaces import load_space
        >>> batch = Batch.of([load_space("mobilenetv3").from_text("r160" + 5 * " | k3e6 k5e3")])
        >>> OrderedChoices().fit(batch)(batch)[0, :8]
        array([160.,   2.,   3.,   6.,   5.,   3.,   0.,   0.])
    """

    name = "ordered"

    space: str = ""
    num_choices: tuple[int, ...] = ()
    ordered: Ordered = ()

    @property
    def names(self) -> tuple[str, ...]:
        one_hot = iter(choice_labels(self.num_choices))
        labels = [[next(one_hot) for _ in range(n)] for n in self.num_choices]
        pairs = zip(self.ordered, labels, strict=True)
        return tuple(
            name for i, (numbers, its) in enumerate(pairs) for name in (its if numbers is None else (f"choice {i}",))
        )

    def can_read(self, batch: Batch) -> bool:
        return batch.space is not None and any(numbers is not None for numbers in batch.space.ordered)

    def fit(self, batch: Batch) -> OrderedChoices:
        batch.choices("the source ordered reads the choices")
        assert batch.space is not None  # else there are no choices
        return OrderedChoices(batch.space.name, batch.space.num_choices, batch.space.ordered)

    def __call__(self, batch: Batch) -> FloatArray:
        rows = choices_in(batch, self.space, self.num_choices)
        if batch.space is None:
            return np.zeros((0, len(self.names)))
        columns = [
            np.eye(n)[rows[:, i]] if numbers is None else _numbers(batch.space, rows, i, numbers)
            for i, (n, numbers) in enumerate(zip(self.num_choices, self.ordered, strict=True))
        ]
        return np.concatenate(columns, axis=1)

    def to_dict(self) -> dict[str, Any]:
        ordered = [None if numbers is None else list(numbers) for numbers in self.ordered]
        return {"space": self.space, "num_choices": list(self.num_choices), "ordered": ordered}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OrderedChoices:
        num_choices = tuple(map(int, data["num_choices"]))
        ordered = tuple(None if numbers is None else tuple(map(float, numbers)) for numbers in data["ordered"])
        counts = [n if numbers is None else len(numbers) for n, numbers in zip(num_choices, ordered, strict=True)]
        if min(num_choices, default=0) < 1 or counts != list(num_choices):
            raise ValueError("it reads ordered choices, of which none are given, or other numbers than options")
        if not all(np.isfinite(numbers).all() for numbers in ordered if numbers is not None):
            raise ValueError("the numbers of its ordered choices are not all finite")
        return cls(str(data["space"]), num_choices, ordered)


def _numbers(space: SearchSpace, rows: IntArray, i: int, numbers: tuple[float, ...]) -> FloatArray:
    """``(B, 1)`` numbers that choice ``i`` stands for, 0 where another option is not legal."""
    free = space.mask(rows[:, :i]).sum(axis=1) > 1 if len(numbers) > 1 else np.ones(len(rows), dtype=np.bool_)
    return np.where(free, np.array(numbers)[rows[:, i]], 0.0)[:, None]
