"""A search space made of the categorical parameters of another tool's study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from archpredict.errors import UsageError
from archpredict.graph.arch_graph import ArchGraph
from archpredict.spaces.base import Choices, Ordered, SearchSpace

__all__ = ["ParameterSpace"]


class ParameterSpace(SearchSpace):
    """A search space of named parameters, each with a few options: a chain with one node for each parameter.

    Args:
        options: Values by the name of their parameter, at least one each; of equal ones the first counts.
        numbers: By name, what the options of a parameter stand for where they are ordered: as many numbers as options.

    Raises:
        UsageError: There is no parameter, one has no options, or numbers that do not fit.

    Example:
        >>> space = ParameterSpace({"operator": ["conv", "pool"], "depth": [2, 4, 8]}, {"depth": [1.0, 2.0, 3.0]})
        >>> space.num_choices, space.ordered
        ((2, 3), (None, (1.0, 2.0, 3.0)))
        >>> space.choices_of({"operator": "pool", "depth": 4, "another": 1}), space.values_of([1, 1])
        ((1, 1), {'operator': 'pool', 'depth': 4})
        >>> print(space.from_text('{"operator": "conv", "depth": 8}'))
        {"operator": "conv", "depth": 8}
    """

    name = "parameters"
    notation = 'a JSON object with a value for each parameter, e.g. {"operator": "conv", "depth": 2}'
    predictor = "choices"

    def __init__(self, options: Mapping[str, Sequence[Any]], numbers: Mapping[str, Sequence[float]] | None = None):
        self.options = {name: _distinct(values) for name, values in options.items()}
        self.numbers = {name: tuple(map(float, values)) for name, values in (numbers or {}).items()}
        self._check()
        self.num_choices = tuple(map(len, self.options.values()))
        self._texts = {name: [_text(value) for value in values] for name, values in self.options.items()}
        self.operators = tuple(sorted({"input", "output", *(n for i in range(len(options)) for n in self._labels(i))}))

    def decode(self, choices: Sequence[int]) -> ArchGraph:
        labels = [self._labels(i)[choice] for i, choice in enumerate(choices)]
        return ArchGraph(("input", *labels, "output"), tuple((i, i + 1) for i in range(len(labels) + 1)))

    def read(self, value: Any) -> Choices:
        if not isinstance(value, Mapping) and len(self.options) == 1:  # an object of one entry comes as its value
            value = dict.fromkeys(self.options, value)
        if not isinstance(value, Mapping):
            raise ValueError("it is no JSON object")
        found = self.choices_of(value)
        if found is None:
            raise ValueError("it lacks a parameter, or gives one a value that is none of its options")
        return found

    def format(self, choices: Sequence[int]) -> str:
        return json.dumps(self.values_of(choices), default=repr)

    @property
    def ordered(self) -> Ordered:
        return tuple(self.numbers.get(name) for name in self.options)

    def choices_of(self, values: Mapping[str, Any]) -> Choices | None:
        """The choices that values by name stand for, whatever else is among them; None where they stand for none."""
        found = []
        for name, texts in self._texts.items():
            text = _text(values[name]) if name in values else None
            if text not in texts:
                return None
            found.append(texts.index(text))
        return tuple(found)

    def values_of(self, choices: Sequence[int]) -> dict[str, Any]:
        """Values by name."""
        chosen = zip(self.options.items(), choices, strict=True)
        return {name: values[choice] for (name, values), choice in chosen}

    def _labels(self, place: int) -> list[str]:
        name, texts = list(self._texts.items())[place]
        return [f"{name}={text}" for text in texts]

    def _check(self) -> None:
        if not self.options:
            raise UsageError("a space of parameters needs at least one parameter, none was given")
        for name, values in self.options.items():
            if not values:
                raise UsageError(f"the parameter {name!r} has no options; give at least one")
        for name, numbers in self.numbers.items():
            if len(numbers) != len(self.options.get(name, ())):
                raise UsageError(
                    f"the parameter {name!r} has {len(self.options.get(name, ()))} options and {len(numbers)} numbers; "
                    "give as many numbers as options"
                )


def _distinct(values: Sequence[Any]) -> tuple[Any, ...]:
    found: dict[str, Any] = {}
    for value in values:
        found.setdefault(_text(value), value)
    return tuple(found.values())


def _text(value: Any) -> str:
    """A text that is equal only for equal values of one type: 1, 1.0, True and "1" are four options."""
    return json.dumps(value) if isinstance(value, str | int | float | None) else repr(value)
